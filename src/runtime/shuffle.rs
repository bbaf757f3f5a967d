//! Minibatches without replacement: which rows a step sees, as a function of (seed, site, step) alone.

use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use crate::base::philox::philox4x32;

/// Sites of permutations, apart from those that a program's own draws are numbered with.
const SITE: u32 = 0x5AFF_0000;

/// Each epoch permutes all rows anew and cuts the permutation into batches. The rows left over at its end are dropped, other ones each
/// epoch.
#[derive(Clone, Debug)]
pub struct Batches {
    rows: Vec<u32>,
    batch: usize,
    key: [u32; 2],
    /// The epoch whose order `order` is.
    epoch: Option<u64>,
    order: Vec<u32>,
}

impl Batches {
    /// Batches of `batch` among these rows. `site` tells several shuffled tables of one program apart.
    ///
    /// # Errors
    /// `BadSetting` unless 1 ≤ batch ≤ rows.
    pub fn new(rows: Vec<u32>, batch: usize, seed: u32, site: u32) -> Result<Batches> {
        if batch == 0 || batch > rows.len() {
            let found = Diagnostic::new(Code::BadSetting, format!("batch: {batch} of {} rows", rows.len()));
            return Err(found.help(format!("choose a batch from 1 to {}", rows.len())));
        }
        Ok(Batches { order: vec![], epoch: None, rows, batch, key: [seed, SITE.wrapping_add(site)] })
    }

    pub fn steps_per_epoch(&self) -> u64 {
        (self.rows.len() / self.batch) as u64
    }

    /// The rows of a step, counted from 0. Costs a permutation when the epoch changes, else nothing.
    pub fn rows(&mut self, step: u64) -> &[u32] {
        let (epoch, turn) = (step / self.steps_per_epoch(), (step % self.steps_per_epoch()) as usize);
        if self.epoch != Some(epoch) {
            self.order.clone_from(&self.rows);
            permute(&mut self.order, self.key, epoch);
            self.epoch = Some(epoch);
        }
        &self.order[turn * self.batch..][..self.batch]
    }
}

/// Fisher and Yates: the place i takes one of the places 0..=i, each as likely up to 2^-32 (i + 1).
fn permute(rows: &mut [u32], key: [u32; 2], epoch: u64) {
    let mut words = [0; 4];
    for i in (1..rows.len()).rev() {
        let lane = i % 4;
        if lane == 3 || i == rows.len() - 1 {
            words = philox4x32([(i / 4) as u32, 0, epoch as u32, (epoch >> 32) as u32], key);
        }
        rows.swap(i, ((u64::from(words[lane]) * (i as u64 + 1)) >> 32) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(n: u32, batch: usize, seed: u32) -> Batches {
        Batches::new((0..n).collect(), batch, seed, 0).unwrap()
    }

    #[test]
    fn an_epoch_sees_no_row_twice_and_the_next_another_order() {
        let mut b = batches(103, 10, 1);
        assert_eq!(b.steps_per_epoch(), 10);
        let epoch = |b: &mut Batches, e: u64| (0..10).flat_map(|turn| b.rows(10 * e + turn).to_vec()).collect::<Vec<u32>>();
        let (first, second) = (epoch(&mut b, 0), epoch(&mut b, 1));
        for rows in [&first, &second] {
            let distinct: std::collections::BTreeSet<_> = rows.iter().collect();
            assert_eq!((rows.len(), distinct.len()), (100, 100));
        }
        assert_ne!(first, second);
        let dropped = |rows: &[u32]| (0..103).filter(|row| !rows.contains(row)).collect::<Vec<_>>();
        assert_ne!(dropped(&first), dropped(&second));
    }

    #[test]
    fn a_step_does_not_depend_on_those_before_it() {
        let mut forward = batches(50, 7, 3);
        let all: Vec<Vec<u32>> = (0..30).map(|step| forward.rows(step).to_vec()).collect();
        for step in (0..30).rev() {
            assert_eq!(batches(50, 7, 3).rows(step as u64), all[step]);
        }
        assert_ne!(batches(50, 7, 4).rows(0), &all[0][..]);
    }

    /// Chi-squared of where row 0 of 8 lands over 4000 epochs: 7 degrees of freedom, 24.3 is the quantile 0.999.
    #[test]
    fn every_place_is_as_likely() {
        let mut counts = [0.0; 8];
        for epoch in 0..4000 {
            let mut rows: Vec<u32> = (0..8).collect();
            permute(&mut rows, [0, SITE], epoch);
            counts[rows.iter().position(|&row| row == 0).unwrap()] += 1.0;
        }
        let chi_squared: f64 = counts.iter().map(|count: &f64| (count - 500.0).powi(2) / 500.0).sum();
        assert!(chi_squared < 24.3, "{counts:?}");
    }

    #[test]
    fn a_batch_larger_than_the_data_is_refused() {
        assert_eq!(Batches::new(vec![0, 1, 2], 4, 0, 0).unwrap_err().code, Code::BadSetting);
        assert_eq!(Batches::new(vec![0, 1, 2], 0, 0, 0).unwrap_err().code, Code::BadSetting);
        assert!(Batches::new(vec![0, 1, 2], 3, 0, 0).is_ok());
    }
}
