//! The time of each step of a program, while it is measured.

use super::execute::Program;
use super::lanes::element_bytes;
use super::profile;
use crate::backend::{Measured, Precision};
use crate::kernel::Step;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time and runs of each step. Threads that share a step each add their part.
pub struct Clock {
    steps: Vec<(AtomicU64, AtomicU64)>,
}

impl Clock {
    pub fn new(steps: usize) -> Clock {
        Clock { steps: (0..steps).map(|_| Default::default()).collect() }
    }

    /// Time that a thread spent in a step, or in a part of it.
    pub fn add(&self, step: usize, time: Duration) {
        self.steps[step].0.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// One run of a step, with all its parts.
    pub fn count(&self, step: usize) {
        self.steps[step].1.fetch_add(1, Ordering::Relaxed);
    }

    pub fn time(&self, step: usize) -> Duration {
        Duration::from_nanos(self.steps[step].0.load(Ordering::Relaxed))
    }

    fn runs(&self, step: usize) -> u64 {
        self.steps[step].1.load(Ordering::Relaxed)
    }
}

impl Program {
    /// Starts to take times, in nested programs too.
    pub fn measure(&mut self) {
        self.clock = Some(Clock::new(self.kernels.steps.len()));
        self.nested().for_each(Program::measure);
    }

    /// The steps in order, each before those inside of it. The time that so many threads spent counts as if all of them had
    /// shared it.
    pub fn measured(&self, depth: usize, threads: u32, precision: Precision, found: &mut Vec<Measured>) {
        let Some(clock) = &self.clock else { return };
        for (number, step) in self.kernels.steps.iter().enumerate() {
            let cost = self.kernels.cost(step);
            let inside = self.inside(number);
            let of_inside: Duration = inside.iter().map(|program| program.total(threads)).sum();
            let time = if inside.is_empty() { clock.time(number) / threads } else { clock.time(number) };
            found.push(Measured {
                name: profile::name(step),
                depth,
                spans: self.kernels.spans(step),
                runs: clock.runs(number),
                time: time.saturating_sub(of_inside),
                bytes: cost.elements * element_bytes(precision) as f64,
                operations: cost.operations,
                scalar: if let Step::Loop(nest) = step { profile::scalar(nest, precision) } else { vec![] },
            });
            inside.iter().for_each(|program| program.measured(depth + 1, threads, precision, found));
        }
    }

    /// Of all steps.
    fn total(&self, threads: u32) -> Duration {
        let Some(clock) = &self.clock else { return Duration::ZERO };
        let of = |step: usize| if self.inside(step).is_empty() { clock.time(step) / threads } else { clock.time(step) };
        (0..self.kernels.steps.len()).map(of).sum()
    }
}
