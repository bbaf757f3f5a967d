//! Where each buffer lives: outputs and inputs updated in place, and one arena that buffers share when their lives do not meet.

use super::lower::Lowering;
use super::pack::{Item, packed};
use super::stage::arrange;
use super::{Buffer, BufferId, Kernels, Library, Loop, Place, Region, Split, Step};
use crate::graph::Graph;
use std::collections::{HashMap, HashSet};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Read,
    Write,
}

/// Places the buffers, with copies at the end for outputs that cannot be computed where they belong.
pub(super) fn place(graph: &Graph, lowering: Lowering<'_>, in_place: &[(usize, usize)]) -> Kernels {
    let Lowering { buffers, steps, of, origins, .. } = lowering;
    let mut kernels = Kernels { buffers, steps, stages: vec![], outputs: vec![], arena: 0, scratch: 0, origins };
    let sources: Vec<BufferId> = graph.outputs.iter().map(|id| of[id]).collect();
    let inputs: HashMap<usize, BufferId> = kernels.inputs();
    let replaced: HashMap<usize, usize> = in_place.iter().map(|&(input, output)| (output, input)).collect();
    let touches = Touches::of(&kernels);
    // Inputs whose old value is needed at the end
    let kept: HashSet<BufferId> = sources.iter().copied().collect();
    let mut early = vec![];
    let mut late = vec![];
    for (output, &source) in sources.iter().enumerate() {
        let len = kernels.buffers[source].len;
        let input = replaced.get(&output).and_then(|input| inputs.get(input)).copied();
        let free = matches!(kernels.buffers[source].place, Place::Arena(_));
        let home = match input {
            Some(input) if source == input => input,
            Some(input) if free && !kept.contains(&input) && may_overwrite(&kernels.steps, &touches, source, input) => {
                kernels.buffers[source].place = kernels.buffers[input].place.clone();
                source
            }
            None if free => {
                kernels.buffers[source].place = Place::Output(output);
                source
            }
            Some(input) => {
                // The source may be overwritten before its turn comes, if it is an input itself
                let staged = kernels.alike(source, Place::Arena(0));
                early.push(copy(source, staged, len));
                late.push(copy(staged, input, len));
                input
            }
            None => {
                let home = kernels.alike(source, Place::Output(output));
                early.push(copy(source, home, len));
                home
            }
        };
        kernels.outputs.push(home);
    }
    kernels.steps.extend(early.into_iter().chain(late));
    arrange(&mut kernels);
    kernels.pack();
    kernels
}

fn copy(from: BufferId, to: BufferId, len: usize) -> Step {
    let whole = |buffer| Region { buffer, offset: 0 };
    Step::Library(Library::Copy { from: whole(from), to: whole(to), len })
}

impl Kernels {
    /// A buffer for the values of another one.
    fn alike(&mut self, source: BufferId, place: Place) -> BufferId {
        let buffer = self.buffers.push(Buffer { place, ..self.buffers[source].clone() });
        self.origins.extend(self.origins.get(&source).map(|&span| (buffer, span)));
        buffer
    }

    fn inputs(&self) -> HashMap<usize, BufferId> {
        let number = |(id, buffer): (BufferId, &Buffer)| match buffer.place {
            Place::Input(number) => Some((number, id)),
            Place::Output(_) | Place::Constant(_) | Place::Arena(_) | Place::Block { .. } => None,
        };
        self.buffers.iter().filter_map(number).collect()
    }

    /// Gives each buffer of the arena an offset such that no two that are alive in one stage overlap. Buffers that only one strand
    /// of rows touches, row by row, get one in the memory of a thread instead.
    fn pack(&mut self) {
        let mut uses: HashMap<BufferId, Uses> = HashMap::new();
        for (stage, strands) in self.stages.iter().enumerate() {
            for strand in &strands.strands {
                for number in strand.steps.clone() {
                    self.steps[number].accesses(&mut |id, _| {
                        let used = uses.entry(id).or_insert(Uses {
                            strand: Some(strand.steps.start),
                            stages: (stage, stage),
                            steps: (number, number),
                        });
                        used.strand = used.strand.filter(|&first| first == strand.steps.start);
                        (used.stages.1, used.steps.1) = (stage, number);
                    });
                }
            }
        }
        uses.retain(|id, _| matches!(self.buffers[*id].place, Place::Arena(_)) && self.buffers[*id].len > 0);
        let outputs: HashSet<BufferId> = self.outputs.iter().copied().collect();
        uses.iter_mut().filter(|(id, _)| outputs.contains(id)).for_each(|(_, used)| used.strand = None);
        self.pack_blocks(&mut uses);
        let shared = uses.into_iter().map(|(id, used)| Item { id, size: self.buffers[id].len, life: used.stages });
        let (offsets, total) = packed(shared.collect());
        offsets.into_iter().for_each(|(id, offset)| self.buffers[id].place = Place::Arena(offset));
        self.arena = total;
    }

    /// Places the buffers of each strand of rows that no other strand touches, and takes them out of `uses`.
    fn pack_blocks(&mut self, uses: &mut HashMap<BufferId, Uses>) {
        for strand in self.stages.iter_mut().flat_map(|stage| &mut stage.strands) {
            let Split::Rows(split) = &mut strand.split else { continue };
            let used = |id: &BufferId| uses.get(id).filter(|used| used.strand == Some(strand.steps.start));
            split.own.retain(|id| used(id).is_some());
            let item = |id: &BufferId| {
                let size = split.block * (self.buffers[*id].len / split.rows);
                used(id).map(|used| Item { id: *id, size, life: used.steps })
            };
            let (offsets, total) = packed(split.own.iter().filter_map(item).collect());
            for (id, offset) in offsets {
                uses.remove(&id);
                self.buffers[id].place = Place::Block { offset, row: self.buffers[id].len / split.rows };
            }
            self.scratch = self.scratch.max(total);
        }
    }
}

/// When steps touch a buffer.
#[derive(Clone, Copy, Default)]
struct Touches {
    first_write: Option<usize>,
    last_write: Option<usize>,
    last_read: Option<usize>,
}

impl Touches {
    /// Of each buffer.
    fn of(kernels: &Kernels) -> Vec<Touches> {
        let mut all = vec![Touches::default(); kernels.buffers.len()];
        for (at, step) in kernels.steps.iter().enumerate() {
            step.accesses(&mut |id, access| {
                let touches = &mut all[id.index()];
                match access {
                    Access::Read => touches.last_read = Some(at),
                    Access::Write => {
                        touches.first_write.get_or_insert(at);
                        touches.last_write = Some(at);
                    }
                }
            });
        }
        all
    }
}

/// Whether `source` can be computed into the memory of `input`: nothing reads the input afterwards.
fn may_overwrite(steps: &[Step], touches: &[Touches], source: BufferId, input: BufferId) -> bool {
    let Touches { first_write: Some(first), last_write, .. } = touches[source.index()] else { return false };
    match touches[input.index()].last_read {
        Some(read) if read > first => false,
        Some(read) if read == first => {
            let same_place = matches!(&steps[first], Step::Loop(nest) if nest.updates(source, input));
            same_place && last_write == Some(first)
        }
        _ => true,
    }
}

/// Where a buffer is used.
struct Uses {
    /// The first step of the strand, if there is only one
    strand: Option<usize>,
    /// First and last
    stages: (usize, usize),
    steps: (usize, usize),
}

impl Loop {
    /// Every load of `input` stands where `source` is stored.
    fn updates(&self, source: BufferId, input: BufferId) -> bool {
        let Some(store) = self.stores.iter().find(|store| store.buffer == source) else { return false };
        store.reduce.is_none() && self.loads().all(|(buffer, index)| buffer != input || *index == store.index)
    }
}

impl Step {
    /// All buffers that the step touches.
    pub fn accesses(&self, visit: &mut dyn FnMut(BufferId, Access)) {
        let mut reads = |regions: &[&Region]| regions.iter().for_each(|region| visit(region.buffer, Access::Read));
        match self {
            Step::Loop(nest) => {
                nest.loads().for_each(|(buffer, _)| visit(buffer, Access::Read));
                nest.stores.iter().for_each(|store| visit(store.buffer, Access::Write));
            }
            Step::Contract(contract) => {
                reads(&[&contract.a, &contract.b]);
                visit(contract.out, Access::Write);
            }
            Step::Library(call) => call.accesses(visit),
            Step::Scan(scan) => {
                scan.sequences.iter().for_each(|(region, _)| reads(&[region]));
                scan.constants.iter().chain(scan.carries.iter().map(|carry| &carry.initial)).for_each(|region| reads(&[region]));
                let carried = scan.carries.iter().flat_map(|carry| [carry.result, carry.spare]);
                let written = carried.chain(scan.stacked.iter().map(|stack| stack.0)).chain([scan.turn, scan.arena]);
                written.for_each(|buffer| visit(buffer, Access::Write));
            }
            Step::While(looped) => {
                looped.constants.iter().chain(looped.carries.iter().map(|carry| &carry.initial)).for_each(|region| reads(&[region]));
                let carried = looped.carries.iter().flat_map(|carry| [carry.result, carry.spare]);
                let order = looped.ending.map(|ending| ending.order);
                let written = carried.chain([looped.turn, looped.flag, looped.arena]).chain(order);
                written.for_each(|buffer| visit(buffer, Access::Write));
            }
            Step::Cond(cond) => {
                cond.operands.iter().chain([&cond.condition]).for_each(|region| reads(&[region]));
                cond.results.iter().chain([&cond.arena]).for_each(|&buffer| visit(buffer, Access::Write));
            }
        }
    }
}

impl Library {
    fn accesses(&self, visit: &mut dyn FnMut(BufferId, Access)) {
        self.operands(&mut |region, _, _| visit(region.buffer, Access::Read));
        visit(self.result().0.buffer, Access::Write);
    }
}
