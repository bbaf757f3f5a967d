//! The stage of each step: as early as the steps before it allow, then as late as joins it to the strand that reads it.

use super::candidates::own_rows;
use super::cut::Piece;
use super::graph::{Edge, Edges};
use super::rows::{Fit, fit, product_rows};
use crate::base::Arena;
use crate::kernel::cost::time;
use crate::kernel::{Buffer, BufferId, Step};

/// Nanoseconds up to which a step is left to one thread, and so many for what is chained to it.
const SMALL: usize = 3_000;
const CHAIN: usize = 20_000;
/// Nanoseconds from which a step with few rows stands alone, in parts of another kind: with the fewest in any case, with few if they
/// have so many elements in common, since each block of rows would read all of them.
const LARGE: usize = 100_000;
const FEW_ROWS: usize = 128;
const FEWEST: usize = 16;
const COMMON: usize = 1 << 12;

/// How a step is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Rows(usize),
    Serial,
    Parts,
    Control,
}

/// Where a step stands.
#[derive(Clone, Debug)]
pub struct Standing {
    pub class: Class,
    /// For [`Class::Rows`]
    pub fit: Option<Fit>,
    pub level: usize,
}

impl Standing {
    /// What this step and another one of the same class and level do with the buffer lets them run row by row.
    fn joins(&self, other: &Standing, buffer: BufferId) -> bool {
        let keeps = |standing: &Standing| standing.fit.as_ref().is_none_or(|fit| !fit.crossing.contains(&buffer));
        match self.class {
            Class::Rows(_) => self.class == other.class && keeps(self) && keeps(other),
            Class::Serial => other.class == Class::Serial,
            Class::Parts | Class::Control => false,
        }
    }
}

/// Whether the rows are those of an axis of the step, not a divisor. A loop over one axis may be over several joined ones.
fn is_natural(step: &Step, class: Class) -> bool {
    match (step, class) {
        (Step::Loop(nest), Class::Rows(rows)) => nest.axes.len() == 1 || nest.axes.iter().any(|axis| axis.extent == rows),
        (_, Class::Rows(rows)) => own_rows(step).contains(&rows),
        (_, Class::Serial | Class::Parts | Class::Control) => true,
    }
}

/// The steps so far, with the chains of small ones that one thread runs.
struct Levels<'a> {
    pieces: &'a [Piece],
    edges: &'a Edges,
    buffers: &'a Arena<Buffer>,
    candidates: &'a [usize],
    standings: Vec<Standing>,
    /// Work of the chain that ends in a step
    chains: Vec<usize>,
}

/// The standing of each step.
pub fn levels(pieces: &[Piece], edges: &Edges, candidates: &[usize], buffers: &Arena<Buffer>) -> Vec<Standing> {
    let mut levels = Levels { pieces, edges, buffers, candidates, standings: vec![], chains: vec![] };
    for number in 0..pieces.len() {
        levels.add(number);
    }
    levels.sink();
    levels.standings
}

impl Levels<'_> {
    fn add(&mut self, number: usize) {
        let options = self.options(number).into_iter().map(|(class, fit)| {
            let mut standing = Standing { class, fit, level: 0 };
            standing.level = self.earliest(number, &standing);
            standing
        });
        let most = self.candidates.first().map(|&rows| Class::Rows(rows));
        let natural = |class: Class| Some(class) == most || is_natural(&self.pieces[number].step, class);
        let best = options.min_by_key(|standing| (standing.level, !natural(standing.class)));
        let standing = best.unwrap_or(Standing { class: Class::Parts, fit: None, level: self.barrier(number) });
        let own = time(&self.pieces[number].step);
        let chained = self.edges.before[number].iter().filter(|edge| self.standings[edge.step].level == standing.level);
        self.chains.push(chained.fold(own, |sum, edge| sum.saturating_add(self.chains[edge.step])));
        self.standings.push(standing);
    }

    /// The level after all steps before this one.
    fn barrier(&self, number: usize) -> usize {
        self.edges.before[number].iter().map(|edge| self.standings[edge.step].level + 1).max().unwrap_or(0)
    }

    fn earliest(&self, number: usize, standing: &Standing) -> usize {
        let joined = |edge: &Edge| standing.joins(&self.standings[edge.step], edge.buffer);
        let after = |edge: &Edge| self.standings[edge.step].level + usize::from(!joined(edge));
        let before = &self.edges.before[number];
        let level = before.iter().map(after).max().unwrap_or(0);
        let chained = before.iter().filter(|edge| self.standings[edge.step].level == level);
        let chain: usize = chained.map(|edge| self.chains[edge.step]).fold(0, usize::saturating_add);
        if standing.class == Class::Serial && chain > CHAIN { level + 1 } else { level }
    }

    /// How the step can be divided, the best first where levels are the same.
    fn options(&self, number: usize) -> Vec<(Class, Option<Fit>)> {
        let Piece { step, rows } = &self.pieces[number];
        if let Step::Scan(_) | Step::While(_) | Step::Cond(_) = step {
            return vec![(Class::Control, None)];
        }
        let own = time(step);
        let mut tried: Vec<usize> = match rows {
            Some(rows) => vec![*rows],
            None => self.candidates.iter().copied().chain(self.rows_before(number)).chain(own_rows(step)).collect(),
        };
        tried.retain(|&rows| rows > 1);
        let mut seen = vec![];
        tried.retain(|rows| {
            !seen.contains(rows) && {
                seen.push(*rows);
                true
            }
        });
        let fits = tried.into_iter().filter_map(|rows| Some((rows, fit(step, rows, self.buffers)?)));
        let common = |fit: &Fit| fit.crossing.iter().any(|&id| self.buffers[id].len >= COMMON);
        let few = |rows: usize, fit: &Fit| rows < FEWEST || product_rows(step, rows) < FEW_ROWS && common(fit);
        let alone = |rows: usize, fit: &Fit| own >= LARGE && few(rows, fit);
        let usable = fits.filter(|(numbers, fit)| (!fit.cut || rows.is_some()) && !alone(*numbers, fit));
        let mut options: Vec<(Class, Option<Fit>)> = usable.map(|(rows, fit)| (Class::Rows(rows), Some(fit))).collect();
        if rows.is_none() && own <= SMALL {
            options.push((Class::Serial, None));
        }
        options
    }

    /// Numbers of rows of steps that this one reads.
    fn rows_before(&self, number: usize) -> impl Iterator<Item = usize> {
        self.edges.before[number].iter().filter_map(|edge| match self.standings[edge.step].class {
            Class::Rows(rows) => Some(rows),
            Class::Serial | Class::Parts | Class::Control => None,
        })
    }

    /// Moves steps to the strand that reads them, if it stands in a later stage.
    fn sink(&mut self) {
        for number in (0..self.pieces.len()).rev() {
            let moved = match self.standings[number].class {
                Class::Rows(_) => self.later(number, self.standings[number].clone()),
                Class::Serial => self.rows_after(number).into_iter().find_map(|rows| {
                    let fit = fit(&self.pieces[number].step, rows, self.buffers).filter(|fit| !fit.cut)?;
                    self.later(number, Standing { class: Class::Rows(rows), fit: Some(fit), level: self.standings[number].level })
                }),
                Class::Parts | Class::Control => None,
            };
            if let Some(standing) = moved {
                self.standings[number] = standing;
            }
        }
    }

    /// The standing in a later stage, with a strand that reads the step, if nothing needs it before.
    fn later(&self, number: usize, standing: Standing) -> Option<Standing> {
        let joined = |edge: &Edge| standing.joins(&self.standings[edge.step], edge.buffer);
        let after = &self.edges.after[number];
        let latest = |edge: &Edge| self.standings[edge.step].level.saturating_sub(usize::from(!joined(edge)));
        let level = after.iter().map(latest).min().filter(|&level| level > standing.level)?;
        let joins = after.iter().any(|edge| joined(edge) && self.standings[edge.step].level == level);
        joins.then_some(Standing { level, ..standing })
    }

    /// Numbers of rows of steps that read this one.
    fn rows_after(&self, number: usize) -> Vec<usize> {
        let rows = |edge: &Edge| match self.standings[edge.step].class {
            Class::Rows(rows) => Some(rows),
            Class::Serial | Class::Parts | Class::Control => None,
        };
        let mut found: Vec<usize> = self.edges.after[number].iter().filter_map(rows).collect();
        found.dedup();
        found
    }
}
