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

    /// One run of a step.
    pub fn add(&self, step: usize, time: Duration) {
        let (nanoseconds, runs) = &self.steps[step];
        nanoseconds.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
        runs.fetch_add(1, Ordering::Relaxed);
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

    /// The steps in order, each before those inside of it.
    pub fn measured(&self, depth: usize, precision: Precision, found: &mut Vec<Measured>) {
        let Some(clock) = &self.clock else { return };
        for (number, step) in self.kernels.steps.iter().enumerate() {
            let cost = self.kernels.cost(step);
            let inside = self.inside(number);
            let of_inside: Duration = inside.iter().map(Program::total).sum();
            found.push(Measured {
                name: profile::name(step),
                depth,
                spans: self.kernels.spans(step),
                runs: clock.runs(number),
                time: clock.time(number).saturating_sub(of_inside),
                bytes: cost.elements * element_bytes(precision) as f64,
                operations: cost.operations,
                scalar: if let Step::Loop(nest) = step { profile::scalar(nest, precision) } else { vec![] },
            });
            inside.iter().for_each(|program| program.measured(depth + 1, precision, found));
        }
    }

    /// Of all steps.
    fn total(&self) -> Duration {
        let clock = self.clock.as_ref();
        clock.map_or(Duration::ZERO, |clock| (0..self.kernels.steps.len()).map(|step| clock.time(step)).sum())
    }
}
