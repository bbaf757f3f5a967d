//! Questions that are easily answered with a wrong number.

mod evaluation;

use evaluation::close;

/// Rows that share an unknown rate are not independent given other rows: log p(y | x) is not a sum of predictive densities.
#[test]
fn several_rows_predicted_at_once() {
    let p = "data (x : Int, y : Positive) = [[1, 0.5], [3, 1.2]]\nglobal r : Positive\n\
             p(r) = Gamma(2, 3)\np(x | r) = Poisson(2 * r)\np(y | r) = Exponential(r)\n";
    // The posterior given x is Gamma(6, 7); ∫ r² exp(-1.7 r) under it, by hand.
    let expected = 6.0 * 7f64.ln() - 8.0 * 8.7f64.ln() + 42f64.ln();
    close(p, "log p(y | x)", &[expected]);
    close(p, "log p(x, y) - log p(x)", &[expected]);
}
