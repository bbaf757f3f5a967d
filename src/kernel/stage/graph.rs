//! Which steps must follow which, through the memory that they share.

use crate::base::Arena;
use crate::kernel::place::Access;
use crate::kernel::{Buffer, BufferId, Place, Step};
use std::collections::HashMap;

/// Another step, and the buffer of this one for whose sake it must come before or after.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    pub step: usize,
    pub buffer: BufferId,
}

pub struct Edges {
    pub before: Vec<Vec<Edge>>,
    pub after: Vec<Vec<Edge>>,
    /// One buffer for all that share memory
    homes: Vec<BufferId>,
}

/// Who has touched a buffer.
#[derive(Default)]
struct Touched {
    writers: Vec<usize>,
    /// Since the last write
    readers: Vec<usize>,
}

impl Edges {
    pub fn new<'a>(steps: impl ExactSizeIterator<Item = &'a Step>, buffers: &Arena<Buffer>) -> Edges {
        let mut edges = Edges { before: vec![vec![]; steps.len()], after: vec![vec![]; steps.len()], homes: homes(buffers) };
        let mut touched: HashMap<BufferId, Touched> = HashMap::new();
        for (number, step) in steps.enumerate() {
            let mut accesses = vec![];
            step.accesses(&mut |buffer, access| accesses.push((edges.homes[buffer.index()], access)));
            accesses.sort_by_key(|&(buffer, access)| (buffer, access == Access::Write));
            accesses.dedup();
            for (buffer, access) in accesses {
                let entry = touched.entry(buffer).or_default();
                entry.writers.iter().filter(|_| access == Access::Read).for_each(|&step| edges.add(step, number, buffer));
                if access == Access::Read {
                    entry.readers.push(number);
                    continue;
                }
                // Writes with no read between them are parts of one array, except to what a run updates in place
                let updated = matches!(buffers[buffer].place, Place::Input(_));
                entry.writers.last().filter(|_| updated).into_iter().for_each(|&step| edges.add(step, number, buffer));
                entry.readers.drain(..).for_each(|step| edges.add(step, number, buffer));
                entry.writers.push(number);
            }
        }
        edges
    }

    fn add(&mut self, from: usize, to: usize, buffer: BufferId) {
        if from != to {
            self.before[to].push(Edge { step: from, buffer });
            self.after[from].push(Edge { step: to, buffer });
        }
    }
}

/// For each buffer one that stands for all that share its memory.
fn homes(buffers: &Arena<Buffer>) -> Vec<BufferId> {
    let mut inputs: HashMap<usize, BufferId> = HashMap::new();
    let home = |(id, buffer): (BufferId, &Buffer)| match buffer.place {
        Place::Input(number) => *inputs.entry(number).or_insert(id),
        Place::Output(_) | Place::Constant(_) | Place::Arena(_) | Place::Block { .. } => id,
    };
    buffers.iter().map(home).collect()
}
