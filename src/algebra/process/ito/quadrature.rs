//! Gauss and Legendre's rule on panels, with the integrals from each node to the end by the polynomial through a panel's nodes.

use std::f64::consts::PI;

/// Nodes of a panel
const ORDER: usize = 12;

/// A rule on [0, 1].
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub nodes: Vec<f64>,
    pub weights: Vec<f64>,
    /// Row j: the weights of the integral from node j to 1
    pub tails: Vec<Vec<f64>>,
}

impl Rule {
    pub fn new(panels: usize) -> Rule {
        let (points, weights) = legendre(ORDER);
        let width = 1.0 / panels as f64;
        let place = |at: usize| (at / ORDER, at % ORDER);
        let count = panels * ORDER;
        let node = |at: usize| (place(at).0 as f64 + (points[place(at).1] + 1.0) / 2.0) * width;
        let weight = |at: usize| weights[place(at).1] / 2.0 * width;
        let tail = |from: usize, at: usize| {
            let ((panel, i), (other, j)) = (place(from), place(at));
            match other.cmp(&panel) {
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => weights[j] * partial(points[i], points[j]) / 2.0 * width,
                std::cmp::Ordering::Greater => weight(at),
            }
        };
        Rule {
            nodes: (0..count).map(node).collect(),
            weights: (0..count).map(weight).collect(),
            tails: (0..count).map(|from| (0..count).map(|at| tail(from, at)).collect()).collect(),
        }
    }
}

/// Of the polynomial that is 1 / w at the point and 0 at the others, the integral from x to 1: Σ (n + 1/2) Pₙ(point) ∫ Pₙ.
fn partial(x: f64, point: f64) -> f64 {
    let (at, of) = (polynomials(x), polynomials(point));
    let integral = |n: usize| if n == 0 { 1.0 - x } else { (at[n - 1] - at[n + 1]) / (2 * n + 1) as f64 };
    (0..ORDER).map(|n| (n as f64 + 0.5) * of[n] * integral(n)).sum()
}

/// P₀(x), …, the Legendre polynomials.
fn polynomials(x: f64) -> [f64; ORDER + 1] {
    let mut p = [1.0; ORDER + 1];
    p[1] = x;
    for n in 1..ORDER {
        p[n + 1] = ((2 * n + 1) as f64 * x * p[n] - n as f64 * p[n - 1]) / (n + 1) as f64;
    }
    p
}

/// Nodes and weights on [-1, 1], by Newton's method from Tricomi's estimate.
fn legendre(count: usize) -> (Vec<f64>, Vec<f64>) {
    let node = |i: usize| {
        let mut x = (PI * (i as f64 + 0.75) / (count as f64 + 0.5)).cos();
        let slope = |x: f64, p: &[f64; ORDER + 1]| count as f64 * (x * p[count] - p[count - 1]) / (x * x - 1.0);
        for _ in 0..20 {
            let p = polynomials(x);
            x -= p[count] / slope(x, &p);
        }
        (x, 2.0 / ((1.0 - x * x) * slope(x, &polynomials(x)).powi(2)))
    };
    (0..count).rev().map(node).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrates_polynomials_and_their_tails() {
        for panels in [1, 3] {
            let rule = Rule::new(panels);
            let sum = |weights: &[f64], power: i32| weights.iter().zip(&rule.nodes).map(|(w, x)| w * x.powi(power)).sum::<f64>();
            for power in 0..12 {
                let whole = 1.0 / f64::from(power + 1);
                assert!((sum(&rule.weights, power) - whole).abs() < 1e-14);
                for (from, tail) in rule.nodes.iter().zip(&rule.tails) {
                    let wanted = whole * (1.0 - from.powi(power + 1));
                    assert!((sum(tail, power) - wanted).abs() < 1e-13, "{power} from {from}");
                }
            }
        }
    }
}
