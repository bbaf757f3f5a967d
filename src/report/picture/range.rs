//! The part of an axis that a chart shows.

use std::ops::Range;

/// Larger numbers are no better than infinite ones: differences of them would be.
const LARGEST: f64 = 1e30;

/// From one quantile of the finite values to the other, so that a few outliers do not shrink all the rest; 0..1 without values.
pub(super) fn quantiles(values: impl Iterator<Item = f64>, low: f64, high: f64) -> Range<f64> {
    let mut sorted: Vec<f64> = values.filter(|value| value.abs() < LARGEST).collect();
    if sorted.is_empty() {
        return 0.0..1.0;
    }
    sorted.sort_by(f64::total_cmp);
    let at = |q: f64| sorted[(q * (sorted.len() - 1) as f64).round() as usize];
    at(low)..at(high)
}

/// Wider by that share of its length at both ends; never empty.
pub(super) fn widened(range: Range<f64>, share: f64) -> Range<f64> {
    let length = range.end - range.start;
    let extra = if length > 0.0 { share * length } else { 0.5 * range.start.abs().max(1.0) };
    range.start - extra..range.end + extra
}

/// Both of the longer one's length, about their own centres: equal scales on a square chart.
pub(super) fn squared(x: Range<f64>, y: Range<f64>) -> (Range<f64>, Range<f64>) {
    let half = (x.end - x.start).max(y.end - y.start) / 2.0;
    let about = |range: Range<f64>| {
        let centre = (range.start + range.end) / 2.0;
        centre - half..centre + half
    };
    (about(x), about(y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_and_non_numbers_do_not_set_the_range() {
        let values = (0..1000).map(f64::from).chain([1e9, f64::NAN, f64::INFINITY]);
        let range = quantiles(values, 0.01, 0.99);
        assert!(range.start < 20.0 && (980.0..1000.0).contains(&range.end), "{range:?}");
        assert_eq!(widened(2.0..2.0, 0.1), 1.0..3.0);
        assert_eq!(squared(0.0..4.0, 1.0..2.0), (0.0..4.0, -0.5..3.5));
    }
}
