//! Steps in the order of their stages.

use super::block::block;
use super::candidates::{candidates, root};
use super::cut::{cut, set_blocks, set_sum};
use super::graph::Edges;
use super::level::{Class, Standing, levels};
use super::rows::{Fit, product_rows};
use super::{Along, Rows, Split, Stage, Strand};
use crate::kernel::cost::time;
use crate::kernel::{BufferId, Kernels, Loop, Place, Step};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Puts the steps into stages. Buffers know already which inputs they replace, but not their place in the arena.
pub fn arrange(kernels: &mut Kernels) {
    let steps = std::mem::take(&mut kernels.steps);
    let tried = candidates(&steps, &kernels.buffers);
    let pieces = cut(steps, &tried, &mut kernels.buffers);
    let edges = Edges::new(pieces.iter().map(|piece| &piece.step), &kernels.buffers);
    let standings = levels(&pieces, &edges, &tried, &kernels.buffers);
    let groups = groups(&standings, &edges);
    let mut waiting: Vec<Option<Step>> = pieces.into_iter().map(|piece| Some(piece.step)).collect();
    let mut blocks = HashMap::new();
    let mut last = None;
    for group in groups {
        let mut steps: Vec<Step> = group.iter().filter_map(|&number| waiting[number].take()).collect();
        let standing: Vec<&Standing> = group.iter().map(|&number| &standings[number]).collect();
        sum_blocks(&mut steps, &blocks);
        let cost = steps.iter().map(time).fold(0, usize::saturating_add);
        let split = split(kernels, &standing, &mut steps, cost, &mut blocks);
        let first = kernels.steps.len();
        kernels.steps.extend(steps);
        let strand = Strand { steps: first..kernels.steps.len(), split, work: cost };
        let level = standing.first().map(|standing| (standing.level, standing.class == Class::Control));
        match kernels.stages.last_mut() {
            Some(stage) if level == last && level.is_some_and(|(_, alone)| !alone) => stage.strands.push(strand),
            Some(_) | None => kernels.stages.push(Stage { strands: vec![strand] }),
        }
        last = level;
    }
}

/// The steps of each strand, in the order in which they run.
fn groups(standings: &[Standing], edges: &Edges) -> Vec<Vec<usize>> {
    // The first step of the strand of each step, as far as it is known
    let mut roots: Vec<usize> = (0..standings.len()).collect();
    for (number, standing) in standings.iter().enumerate() {
        for edge in &edges.before[number] {
            if standings[edge.step].level == standing.level {
                let (a, b) = (root(&mut roots, edge.step), root(&mut roots, number));
                roots[a.max(b)] = a.min(b);
            }
        }
    }
    let mut of_root: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut order = BTreeSet::new();
    for (number, standing) in standings.iter().enumerate() {
        let first = root(&mut roots, number);
        order.insert((standing.level, standing.class == Class::Control, first));
        of_root.entry(first).or_default().push(number);
    }
    order.into_iter().filter_map(|(_, _, first)| of_root.remove(&first)).collect()
}

/// Chooses the length of blocks, and cuts the sums over rows into sums of blocks, whose number is noted for each buffer.
fn split(kernels: &mut Kernels, standings: &[&Standing], steps: &mut [Step], work: usize, blocks: &mut HashMap<BufferId, usize>) -> Split {
    let rows = match standings.first().map(|standing| standing.class) {
        Some(Class::Rows(rows)) => rows,
        Some(Class::Serial) | None => return Split::Serial,
        Some(Class::Parts) => return Split::Parts,
        Some(Class::Control) => return Split::Control,
    };
    let fits = || standings.iter().filter_map(|standing| standing.fit.as_ref());
    // A block lies in one chunk of each sum, and a section holds whole chunks
    let terms = chunk_terms(steps, fits());
    let section = terms.iter().copied().reduce(num_integer::lcm);
    let divides = terms.into_iter().reduce(num_integer::gcd).or(fits().any(|fit| fit.cut).then_some(rows));
    let touched = touched(standings, steps);
    let elements = touched.keys().map(|&buffer| kernels.buffers[buffer].len / rows).sum();
    let common = |standing: &&Standing| standing.fit.as_ref().is_some_and(|fit| !fit.crossing.is_empty());
    let products = standings.iter().zip(&*steps).filter(|(standing, step)| matches!(step, Step::Contract(_)) && common(standing));
    let product_rows = products.map(|(_, step)| product_rows(step, rows) / rows).min().unwrap_or(1);
    let block = block(rows, product_rows, [elements, touched.len()], work, divides);
    let own = touched.into_iter().filter(|(id, own)| *own && kernels.buffers[*id].place == Place::Arena(0)).map(|(id, _)| id).collect();
    let mut along = vec![];
    for (standing, step) in standings.iter().zip(steps) {
        let Some(fit) = &standing.fit else { continue };
        match (step, fit.along) {
            (Step::Loop(nest), Along::Axis(axis)) if fit.cut => {
                nest.stores.iter().filter(|store| store.reduce.is_some()).for_each(|store| {
                    blocks.insert(store.buffer, rows / block);
                });
                set_blocks(nest, axis, rows / block, &mut kernels.buffers);
                along.push(Along::Blocks(0));
            }
            (_, other) => along.push(other),
        }
    }
    Split::Rows(Rows { rows, block, section: section.unwrap_or(block), along, own })
}

/// The rows of each chunk of sums over the rows.
fn chunk_terms<'a>(steps: &[Step], fits: impl Iterator<Item = &'a Fit>) -> Vec<usize> {
    let terms = |(step, fit): (&Step, &Fit)| match step {
        Step::Contract(c) if fit.along == Along::Terms => c.chunks().map(|(_, terms)| terms),
        Step::Contract(_) | Step::Loop(_) | Step::Library(_) | Step::Scan(_) | Step::While(_) | Step::Cond(_) => None,
    };
    steps.iter().zip(fits).filter_map(terms).collect()
}

/// Buffers of which some step touches its own rows, and whether every step touches no others.
fn touched(standings: &[&Standing], steps: &[Step]) -> BTreeMap<BufferId, bool> {
    let mut touched = BTreeMap::new();
    let mut crossing: HashSet<BufferId> = HashSet::new();
    for (standing, step) in standings.iter().zip(steps) {
        let Some(fit) = &standing.fit else { continue };
        crossing.extend(&fit.crossing);
        step.accesses(&mut |buffer, _| {
            if !fit.crossing.contains(&buffer) {
                touched.insert(buffer, true);
            }
        });
    }
    touched.iter_mut().for_each(|(id, own)| *own = !crossing.contains(id));
    touched
}

/// Tells sums over blocks how many there are.
fn sum_blocks(steps: &mut [Step], blocks: &HashMap<BufferId, usize>) {
    let summed = |nest: &Loop| nest.loads().find_map(|(buffer, _)| blocks.get(&buffer).copied());
    for step in steps {
        if let Step::Loop(nest) = step
            && let Some(blocks) = summed(nest)
        {
            set_sum(nest, blocks);
        }
    }
}
