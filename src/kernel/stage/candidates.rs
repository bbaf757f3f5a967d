//! Which numbers of rows divide much of the work.

use super::graph::Edges;
use super::rows::{Fit, fit, row_axis, summed_rows};
use crate::base::Arena;
use crate::kernel::cost::time;
use crate::kernel::{Buffer, Step};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// How many numbers of rows are tried for every step, of how many that have most work of their own.
const TRIED: usize = 3;
const RANKED: usize = 8;
/// What has all of the most work but one of so many shares counts as much.
const SHARES: usize = 16;

/// Numbers of rows, the best first: those by which the steps with most work run one after another, row by row. Divisors divide as
/// much: of equal ones the largest is the best.
pub fn candidates(steps: &[Step], buffers: &Arena<Buffer>) -> Vec<usize> {
    let mut shares: BTreeMap<usize, usize> = BTreeMap::new();
    for step in steps.iter().filter(|step| !matches!(step, Step::Loop(nest) if nest.axes.len() < 2)) {
        let mut own = own_rows(step);
        own.sort_unstable();
        own.dedup();
        for rows in own.into_iter().filter(|&rows| rows >= 8 && fit(step, rows, buffers).is_some()) {
            *shares.entry(rows).or_default() += time(step);
        }
    }
    let mut ranked: Vec<(usize, usize)> = shares.into_iter().map(|(rows, work)| (work, rows)).collect();
    ranked.sort_by_key(|&share| Reverse(share));
    let edges = Edges::new(steps.iter(), buffers);
    let mut joined: Vec<(usize, usize)> =
        ranked.into_iter().take(RANKED).map(|(_, rows)| (joined_work(steps, &edges, rows, buffers), rows)).collect();
    // Small differences do not count: a sum over the rows is a step of its own for some numbers and not for others
    let most = joined.iter().map(|&(work, _)| work).max().unwrap_or(0);
    joined.sort_by_key(|&(work, rows)| Reverse((work.min(most - most / SHARES), rows)));
    joined.into_iter().map(|(_, rows)| rows).take(TRIED).collect()
}

/// Numbers of rows that a step has by its own axes.
pub fn own_rows(step: &Step) -> Vec<usize> {
    match step {
        Step::Loop(nest) => nest.axes.iter().map(|axis| axis.extent).collect(),
        Step::Contract(contract) => row_axis(contract).map(|dim| dim.size).into_iter().chain(summed_rows(contract)).collect(),
        Step::Library(call) => vec![call.outermost()],
        Step::Scan(_) | Step::While(_) | Step::Cond(_) => vec![],
    }
}

/// The work of the steps that hand each other so many rows, of the largest set of them.
fn joined_work(steps: &[Step], edges: &Edges, rows: usize, buffers: &Arena<Buffer>) -> usize {
    let fits: Vec<Option<Fit>> = steps.iter().map(|step| fit(step, rows, buffers)).collect();
    let mut roots: Vec<usize> = (0..steps.len()).collect();
    for number in 0..steps.len() {
        for edge in &edges.before[number] {
            let keeps = |fit: &Option<Fit>| fit.as_ref().is_some_and(|fit| !fit.crossing.contains(&edge.buffer));
            if keeps(&fits[number]) && keeps(&fits[edge.step]) && fits[edge.step].as_ref().is_some_and(|fit| !fit.cut) {
                let (a, b) = (root(&mut roots, edge.step), root(&mut roots, number));
                roots[a.max(b)] = a.min(b);
            }
        }
    }
    let mut work: HashMap<usize, usize> = HashMap::new();
    for number in (0..steps.len()).filter(|&number| fits[number].is_some()) {
        *work.entry(root(&mut roots, number)).or_default() += time(&steps[number]);
    }
    work.into_values().max().unwrap_or(0)
}

/// The first of the set to which a number belongs, by the links of a union-find.
pub fn root(roots: &mut [usize], mut at: usize) -> usize {
    while roots[at] != at {
        roots[at] = roots[roots[at]];
        at = roots[at];
    }
    at
}
