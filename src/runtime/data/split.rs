//! `split: f`: which rows are held out for metrics.

use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};

/// Rows to train on and rows held out, each in the order of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub train: Vec<u32>,
    pub held_out: Vec<u32>,
}

/// Row i, from 0, is held out exactly when ⌊(i + 1) f⌋ > ⌊i f⌋: evenly through the data, whatever its order and length. For f = 0.1
/// these are rows 9, 19, 29, …
pub fn is_held_out(row: usize, fraction: f64) -> bool {
    // A product such as 3 · 0.1 may round to either side of the whole number that is meant.
    let floor = |rows: usize| (rows as f64 * fraction + 1e-9).floor();
    floor(row + 1) > floor(row)
}

/// # Errors
/// `BadSetting` unless 0 ≤ f < 1, or if a part would be empty that is not meant to be.
pub fn split(rows: usize, fraction: f64) -> Result<Split> {
    if !(0.0..1.0).contains(&fraction) {
        let found = Diagnostic::new(Code::BadSetting, format!("split: {fraction} is not a fraction of the rows"));
        return Err(found.help("write a number from 0 to below 1, such as split: 0.1"));
    }
    let (held_out, train): (Vec<u32>, Vec<u32>) = (0..rows as u32).partition(|&row| is_held_out(row as usize, fraction));
    if train.is_empty() || (fraction > 0.0 && held_out.is_empty()) {
        let found = Diagnostic::new(Code::BadSetting, format!("split: {fraction} of {rows} rows holds out {}", held_out.len()));
        return Err(found.help("take another fraction, or leave `split` away to train and evaluate on all rows"));
    }
    Ok(Split { train, held_out })
}
