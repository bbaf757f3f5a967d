//! Linear-Gaussian algebra against the joint Gaussian of all variables, written out and conditioned here.

use crate::evaluation::{close, evaluated, value};
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

type Matrix = Vec<Vec<f64>>;

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    a.iter().map(|row| (0..b[0].len()).map(|j| row.iter().zip(b).map(|(x, other)| x * other[j]).sum()).collect()).collect()
}

fn transposed(a: &Matrix) -> Matrix {
    (0..a[0].len()).map(|j| a.iter().map(|row| row[j]).collect()).collect()
}

fn plus(a: &Matrix, b: &Matrix) -> Matrix {
    a.iter().zip(b).map(|(x, y)| x.iter().zip(y).map(|(x, y)| x + y).collect()).collect()
}

fn diagonal(d: &[f64]) -> Matrix {
    (0..d.len()).map(|i| (0..d.len()).map(|j| if i == j { d[i] } else { 0.0 }).collect()).collect()
}

/// The inverse and the logarithm of the determinant, by elimination.
fn inverse(a: &Matrix) -> (Matrix, f64) {
    let n = a.len();
    let mut rows: Matrix = a.iter().zip(diagonal(&vec![1.0; n])).map(|(row, unit)| [&row[..], &unit].concat()).collect();
    let mut log_det = 0.0;
    for i in 0..n {
        let pivot = rows[i][i];
        log_det += pivot.ln();
        rows[i].iter_mut().for_each(|x| *x /= pivot);
        let own = rows[i].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            let factor = row[i];
            row.iter_mut().zip(&own).for_each(|(x, y)| *x -= factor * y);
        }
    }
    (rows.into_iter().map(|row| row[n..].to_vec()).collect(), log_det)
}

/// A joint Gaussian.
struct Joint {
    mean: Vec<f64>,
    cov: Matrix,
}

impl Joint {
    /// Independent variables with these means and covariance.
    fn new(mean: &[f64], cov: Matrix) -> Joint {
        Joint { mean: mean.to_vec(), cov }
    }

    /// The variables so far, followed by A u + b plus noise.
    fn then(self, a: &Matrix, b: &[f64], noise: Matrix) -> Joint {
        let column: Matrix = self.mean.iter().map(|m| vec![*m]).collect();
        let new: Vec<f64> = product(a, &column).iter().zip(b).map(|(x, b)| x[0] + b).collect();
        let cross = product(a, &self.cov);
        let own = plus(&product(&cross, &transposed(a)), &noise);
        let right = transposed(&cross);
        let upper = self.cov.iter().zip(&right).map(|(row, more)| [&row[..], more].concat());
        let lower = cross.iter().zip(&own).map(|(row, more)| [&row[..], more].concat());
        Joint { cov: upper.chain(lower).collect(), mean: [&self.mean[..], &new].concat() }
    }

    fn of(&self, vars: &[usize]) -> Joint {
        let cov = vars.iter().map(|&i| vars.iter().map(|&j| self.cov[i][j]).collect()).collect();
        Joint { mean: vars.iter().map(|&i| self.mean[i]).collect(), cov }
    }

    fn log_density(&self, x: &[f64]) -> f64 {
        let (inverse, log_det) = inverse(&self.cov);
        let r: Matrix = x.iter().zip(&self.mean).map(|(x, m)| vec![x - m]).collect();
        let quadratic = product(&transposed(&r), &product(&inverse, &r))[0][0];
        -0.5 * (quadratic + log_det + x.len() as f64 * (2.0 * std::f64::consts::PI).ln())
    }

    /// Some variables, given values of others.
    fn given(&self, vars: &[usize], known: &[usize], values: &[f64]) -> Joint {
        let cross: Matrix = vars.iter().map(|&i| known.iter().map(|&j| self.cov[i][j]).collect()).collect();
        let gain = product(&cross, &inverse(&self.of(known).cov).0);
        let r: Matrix = known.iter().zip(values).map(|(&i, x)| vec![x - self.mean[i]]).collect();
        let own = self.of(vars);
        let mean = own.mean.iter().zip(product(&gain, &r)).map(|(m, moved)| m + moved[0]).collect();
        let explained = product(&gain, &transposed(&cross));
        let minus: Matrix = explained.iter().map(|row| row.iter().map(|x| -x).collect()).collect();
        Joint { mean, cov: plus(&own.cov, &minus) }
    }

    fn stds(&self) -> Vec<f64> {
        (0..self.mean.len()).map(|i| self.cov[i][i].sqrt()).collect()
    }
}

/// Several expressions at once: their values one after another.
fn agree(program: &str, expected: Vec<(&str, Vec<f64>)>) {
    let expressions: Vec<&str> = expected.iter().map(|(expression, _)| *expression).collect();
    close(program, &format!("({})", expressions.join(", ")), &expected.iter().flat_map(|(_, values)| values.clone()).collect::<Vec<_>>());
}

#[test]
fn single_numbers() {
    let p = "data x : Real = [1.3]\np(z : Real) = Normal(0.3, 2)\np(x | z) = Normal(1 - 1.5 * (z - 0.2) / 2, 0.7)\n";
    let joint = Joint::new(&[0.3], vec![vec![4.0]]).then(&vec![vec![-0.75]], &[1.15], vec![vec![0.49]]);
    agree(
        p,
        vec![
            ("log p(x)", [joint.of(&[1]).log_density(&[1.3])].to_vec()),
            ("p(x).mean", [joint.mean[1]].to_vec()),
            ("p(x).std", [joint.cov[1][1].sqrt()].to_vec()),
        ],
    );
    let posterior = joint.given(&[0], &[1], &[1.3]);
    agree(
        p,
        vec![
            ("p(z | x).mean", posterior.mean.to_vec()),
            ("p(z | x).std", posterior.stds().to_vec()),
            ("p(z | x).log_prob(0.4)", [posterior.log_density(&[0.4])].to_vec()),
            ("log p(z = 0.4 | x)", [posterior.log_density(&[0.4])].to_vec()),
            ("H(p(z | x))", [posterior.stds()[0].ln() + 0.5 + 0.5 * (2.0 * std::f64::consts::PI).ln()].to_vec()),
            ("KL(p(z | x) || p(z | x = 1.3))", [0.0].to_vec()),
            ("p(z | x = 0.5).mean", joint.given(&[0], &[1], &[0.5]).mean.to_vec()),
        ],
    );
}

/// Element by element: each has an answer of its own, and no matrix is made.
#[test]
fn independent_elements() {
    let p = "let a = [1.5, -0.5, 2.0]\nlet s = [0.5, 1.0, 2.0]\ndata x : Real[3] = [[1.0, 2.0, -1.0], [0.3, 0.1, 0.2]]\n\
             p(z : Real[3]) = Normal([0.1, 0.2, 0.3], s)\np(x | z) = Normal([a[i] * z[i] for i in 3] + 1, [0.7, 0.8, 0.9])\n\
             q(z | x) = Normal(x, 1)\n";
    let joint = Joint::new(&[0.1, 0.2, 0.3], diagonal(&[0.25, 1.0, 4.0])).then(
        &diagonal(&[1.5, -0.5, 2.0]),
        &[1.0; 3],
        diagonal(&[0.49, 0.64, 0.81]),
    );
    let (z, x) = ([0, 1, 2], [3, 4, 5]);
    let rows = [[1.0, 2.0, -1.0], [0.3, 0.1, 0.2]];
    agree(
        p,
        vec![
            ("log p(x)", rows.map(|row| joint.of(&x).log_density(&row)).to_vec()),
            ("p(z | x).mean", rows.map(|row| joint.given(&z, &x, &row).mean).concat().to_vec()),
            ("p(z | x).std", joint.given(&z, &x, &rows[0]).stds().to_vec()),
            ("p(z | x).cov", joint.given(&z, &x, &rows[0]).cov.concat().to_vec()),
            ("p(x).std", joint.of(&x).stds().to_vec()),
        ],
    );
}

const FULL: &str = "data x : Real[3] = [[0.5, -0.2, 1.0], [1.5, 0.3, -0.7]]\n\
                    param W : Real[3, 2] = [[1.0, 0.2], [0.3, -0.5], [0.7, 0.1]]\n\
                    let R = [[1.0, 0.2, 0.0], [0.2, 2.0, 0.1], [0.0, 0.1, 0.5]]\nlet S = [[2.0, 0.3], [0.3, 1.0]]\n";

fn full(prior: &str, child: &str) -> String {
    format!("{FULL}p(z : Real[2]) = {prior}\np(x | z) = {child}\n")
}

fn loading() -> Matrix {
    vec![vec![1.0, 0.2], vec![0.3, -0.5], vec![0.7, 0.1]]
}

/// Every kind of prior and of noise, in the information form (more observations than latent variables).
#[test]
fn full_matrices() {
    let r = vec![vec![1.0, 0.2, 0.0], vec![0.2, 2.0, 0.1], vec![0.0, 0.1, 0.5]];
    let s = vec![vec![2.0, 0.3], vec![0.3, 1.0]];
    let priors = [("Normal(0, 1)", [0.0, 0.0], diagonal(&[1.0, 1.0])), ("MvNormal([0.1, 0.2], S)", [0.1, 0.2], s)];
    let noises = [
        ("Normal(W @ z, 0.5)", diagonal(&[0.25; 3])),
        ("Normal(W @ z, [0.5, 1, 2])", diagonal(&[0.25, 1.0, 4.0])),
        ("MvNormal(W @ z, R)", r),
    ];
    let (z, x) = ([0, 1], [2, 3, 4]);
    let rows = [[0.5, -0.2, 1.0], [1.5, 0.3, -0.7]];
    for (prior, mean, cov) in &priors {
        for (child, noise) in &noises {
            let p = full(prior, child);
            let joint = Joint::new(mean, cov.clone()).then(&loading(), &[0.0; 3], noise.clone());
            agree(
                &p,
                vec![
                    ("log p(x)", rows.map(|row| joint.of(&x).log_density(&row)).to_vec()),
                    ("p(x).mean", joint.of(&x).mean.to_vec()),
                    ("p(x).cov", joint.of(&x).cov.concat().to_vec()),
                    ("p(z | x).mean", rows.map(|row| joint.given(&z, &x, &row).mean).concat().to_vec()),
                    ("p(z | x).cov", joint.given(&z, &x, &rows[0]).cov.concat().to_vec()),
                    ("log p(z = [0.1, 0.2] | x)", rows.map(|row| joint.given(&z, &x, &row).log_density(&[0.1, 0.2])).to_vec()),
                    ("p(x).log_prob(x) - log p(x)", [0.0, 0.0].to_vec()),
                ],
            );
        }
    }
}

/// The moment form: fewer observations than latent variables.
#[test]
fn more_latent_variables_than_observations() {
    let p = "data y : Real = [0.7, -1.0]\n".to_string()
        + "let u = [1.0, -2.0, 0.5]\np(w : Real[3]) = Normal([0.1, 0.0, -0.1], [1, 2, 3])\np(y | w) = Normal(dot(w, u) + 0.3, 0.4)\n";
    let a = vec![vec![1.0, -2.0, 0.5]];
    let joint = Joint::new(&[0.1, 0.0, -0.1], diagonal(&[1.0, 4.0, 9.0])).then(&a, &[0.3], vec![vec![0.16]]);
    let (w, y) = ([0, 1, 2], [3]);
    agree(
        &p,
        vec![
            ("log p(y)", [0.7, -1.0].map(|v| joint.of(&y).log_density(&[v])).to_vec()),
            ("p(w | y).mean", [0.7, -1.0].map(|v| joint.given(&w, &y, &[v]).mean).concat().to_vec()),
            ("p(w | y).cov", joint.given(&w, &y, &[0.7]).cov.concat().to_vec()),
            ("p(y).std", joint.of(&y).stds().to_vec()),
        ],
    );
}

/// One number that a whole vector shares, and coefficients that vary from row to row.
#[test]
fn shared_numbers_and_coefficients_of_rows() {
    let p = "data (u : Real[3], y : Real[3]) = [[1, 2, 3, 0.5, 1.5, 2.0], [-1, 0, 1, 0.1, 0.2, 0.3]]\n\
             p(b : Real) = Normal(1, 2)\np(y | b, u) = Normal(b * u + sum(u), 0.5)\n";
    let rows = [([1.0, 2.0, 3.0], [0.5, 1.5, 2.0]), ([-1.0, 0.0, 1.0], [0.1, 0.2, 0.3])];
    let joint = |u: [f64; 3]| {
        let column: Matrix = u.iter().map(|u| vec![*u]).collect();
        Joint::new(&[1.0], vec![vec![4.0]]).then(&column, &[u.iter().sum(); 3], diagonal(&[0.25; 3]))
    };
    agree(
        p,
        vec![
            ("log p(y | u)", rows.map(|(u, y)| joint(u).of(&[1, 2, 3]).log_density(&y)).to_vec()),
            ("p(b | y, u).mean", rows.map(|(u, y)| joint(u).given(&[0], &[1, 2, 3], &y).mean[0]).to_vec()),
            ("p(b | y, u).std", rows.map(|(u, y)| joint(u).given(&[0], &[1, 2, 3], &y).stds()[0]).to_vec()),
        ],
    );
}

/// z → x1, x2; the second also given the first; and what the first says of the second.
#[test]
fn several_children() {
    let p = "data (x : Real[2], y : Real) = [[0.5, -0.2, 1.0]]\nlet A = [[1.0, 0.5], [-0.3, 2.0]]\n\
             p(z : Real[2]) = Normal(0, [1, 2])\np(x | z) = Normal(A @ z, 0.5)\np(y | z, x) = Normal(z[0] - 2 * z[1] + x[0], 0.3)\n";
    let a = vec![vec![1.0, 0.5], vec![-0.3, 2.0]];
    let b = vec![vec![1.0, -2.0, 1.0, 0.0]];
    let joint = Joint::new(&[0.0, 0.0], diagonal(&[1.0, 4.0])).then(&a, &[0.0; 2], diagonal(&[0.25; 2]));
    let joint = joint.then(&b, &[0.0], vec![vec![0.09]]);
    let (z, x, y) = ([0, 1], [2, 3], [4]);
    agree(
        p,
        vec![
            ("log p(x, y)", [joint.of(&[2, 3, 4]).log_density(&[0.5, -0.2, 1.0])].to_vec()),
            ("p(z | x, y).mean", joint.given(&z, &[2, 3, 4], &[0.5, -0.2, 1.0]).mean.to_vec()),
            ("p(z | x, y).cov", joint.given(&z, &[2, 3, 4], &[0.5, -0.2, 1.0]).cov.concat().to_vec()),
            ("log p(y | x)", [joint.given(&y, &x, &[0.5, -0.2]).log_density(&[1.0])].to_vec()),
            ("p(y | x).std", joint.given(&y, &x, &[0.5, -0.2]).stds().to_vec()),
            ("p(z | x).mean", joint.given(&z, &x, &[0.5, -0.2]).mean.to_vec()),
            ("log p(x)", [joint.of(&x).log_density(&[0.5, -0.2])].to_vec()),
        ],
    );
}

/// Two parents of one child; a chain of latent variables, diagonal and full.
#[test]
fn several_latent_variables() {
    let p = "data x : Real[2] = [[0.5, -0.2]]\nlet A = [[1.0, 0.5], [-0.3, 2.0]]\n\
             p(c : Real) = Normal(0.5, 2)\np(z : Real[2] | c) = Normal(c * [1, 2] + 0.1, 0.6)\n\
             p(w : Real[2]) = Normal(0, 1.5)\np(x | z, w) = Normal(A @ z + 0.5 * w, 0.3)\n";
    let joint = Joint::new(&[0.5], vec![vec![4.0]]).then(&vec![vec![1.0], vec![2.0]], &[0.1; 2], diagonal(&[0.36; 2]));
    let joint = joint.then(&vec![vec![0.0; 3]; 2], &[0.0; 2], diagonal(&[2.25; 2]));
    let a = vec![vec![0.0, 1.0, 0.5, 0.5, 0.0], vec![0.0, -0.3, 2.0, 0.0, 0.5]];
    let joint = joint.then(&a, &[0.0; 2], diagonal(&[0.09; 2]));
    let (x, seen) = ([5, 6], [0.5, -0.2]);
    agree(
        p,
        vec![
            ("log p(x)", [joint.of(&x).log_density(&seen)].to_vec()),
            ("p(c | x).mean", joint.given(&[0], &x, &seen).mean.to_vec()),
            ("p(c | x).std", joint.given(&[0], &x, &seen).stds().to_vec()),
            ("p(z | x).cov", joint.given(&[1, 2], &x, &seen).cov.concat().to_vec()),
            ("p(w | x).mean", joint.given(&[3, 4], &x, &seen).mean.to_vec()),
            (
                "log p(z = [0.2, 0.3], w = [0.1, -0.1] | x)",
                [joint.given(&[1, 2, 3, 4], &x, &seen).log_density(&[0.2, 0.3, 0.1, -0.1])].to_vec(),
            ),
            ("log p(z = [0.2, 0.3])", [joint.of(&[1, 2]).log_density(&[0.2, 0.3])].to_vec()),
            ("p(z).cov", joint.of(&[1, 2]).cov.concat().to_vec()),
        ],
    );

    let p = "data x : Real[2] = [[0.5, -0.2]]\np(c : Real[2]) = Normal(0.5, 2)\np(z : Real[2] | c) = Normal(3 * c, 1)\n\
             p(x | z, c) = Normal(z - c, [0.3, 0.4])\n";
    let joint = Joint::new(&[0.5; 2], diagonal(&[4.0; 2])).then(&diagonal(&[3.0; 2]), &[0.0; 2], diagonal(&[1.0; 2]));
    let a = vec![vec![-1.0, 0.0, 1.0, 0.0], vec![0.0, -1.0, 0.0, 1.0]];
    let joint = joint.then(&a, &[0.0; 2], diagonal(&[0.09, 0.16]));
    agree(
        p,
        vec![
            ("log p(x)", [joint.of(&[4, 5]).log_density(&seen)].to_vec()),
            ("p(c | x).std", joint.given(&[0, 1], &[4, 5], &seen).stds().to_vec()),
            ("p(z | x).mean", joint.given(&[2, 3], &[4, 5], &seen).mean.to_vec()),
        ],
    );
}

/// A mixture of factor analysers: an exact sum of Gaussians, and of posteriors.
#[test]
fn a_mixture_of_factor_analysers() {
    let p = "data x : Real[2] = [[0.5, -0.2], [1.0, 2.0]]\nlet W = [[[1.0], [0.5]], [[-0.3], [2.0]]]\nlet m = [[0.0, 1.0], [0.5, -1.0]]\n\
             p(k : Cat<2>) = Categorical([0.3, 0.7])\np(z : Real[1]) = Normal(0, 1)\np(x | z, k) = Normal(W[k] @ z + m[k], [0.5, 0.8])\n";
    let component = |w: [f64; 2], m: [f64; 2]| {
        let a = vec![vec![w[0]], vec![w[1]]];
        Joint::new(&[0.0], vec![vec![1.0]]).then(&a, &m, diagonal(&[0.25, 0.64])).of(&[1, 2])
    };
    let (one, two) = (component([1.0, 0.5], [0.0, 1.0]), component([-0.3, 2.0], [0.5, -1.0]));
    let joint = |x: [f64; 2]| [0.3 * one.log_density(&x).exp(), 0.7 * two.log_density(&x).exp()];
    let rows = [[0.5, -0.2], [1.0, 2.0]].map(joint);
    agree(
        p,
        vec![
            ("log p(x)", rows.map(|[a, b]| (a + b).ln()).to_vec()),
            ("p(k | x).probs", rows.map(|[a, b]| vec![a / (a + b), b / (a + b)]).concat().to_vec()),
            ("log p(x | k = 1)", [[0.5, -0.2], [1.0, 2.0]].map(|x| two.log_density(&x)).to_vec()),
        ],
    );
}

/// A matrix of latent variables, by elements and with rows that a covariance correlates.
#[test]
fn latent_matrices() {
    let p = "data x : Real[2, 2] = [[[0.5, -0.2], [1.0, 0.3]]]\np(z : Real[2, 2]) = Normal(0, 2)\np(x | z) = Normal(0.5 * z, 1)\n";
    let joint = Joint::new(&[0.0], vec![vec![4.0]]).then(&vec![vec![0.5]], &[0.0], vec![vec![1.0]]);
    let each = |x: f64| joint.of(&[1]).log_density(&[x]);
    agree(
        p,
        vec![
            ("log p(x)", [[0.5, -0.2, 1.0, 0.3].map(each).iter().sum()].to_vec()),
            ("p(z | x).mean", [0.5, -0.2, 1.0, 0.3].map(|x| joint.given(&[0], &[1], &[x]).mean[0]).to_vec()),
        ],
    );

    let p = "let S = [[2.0, 0.3], [0.3, 1.0]]\ndata x : Real[2] = [[0.5, -0.2]]\np(z : Real[2, 2]) = MvNormal([0.0, 0.0], S)\n\
             p(x | z) = Normal(z @ [1, 2] + z[1, 0], 1)\n";
    let s = [[2.0, 0.3, 0.0, 0.0], [0.3, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.3], [0.0, 0.0, 0.3, 1.0]];
    let a = vec![vec![1.0, 2.0, 1.0, 0.0], vec![0.0, 0.0, 2.0, 2.0]];
    let joint = Joint::new(&[0.0; 4], s.map(Vec::from).to_vec()).then(&a, &[0.0; 2], diagonal(&[1.0; 2]));
    close(p, "log p(x)", &[joint.of(&[4, 5]).log_density(&[0.5, -0.2])]);
}

/// However a mean is written, what counts is that it is affine.
#[test]
fn affine_by_its_derivative() {
    let p = "data x : Real[2] = [[0.5, -0.2]]\nlet A = [[1.0, 0.5], [-0.3, 2.0]]\np(z : Real[2]) = Normal(0, 1)\n\
             fn twice(v : Real[2]) -> Real[2] {\n let s = -v\n for i in 1..2 { s = s + A @ v }\n s\n }\n";
    let expected = value(&format!("{p}p(x | z) = Normal(2 * (A @ z) - z, 0.5)\n"), "log p(x)");
    for mean in [
        "[sum((2 * A[i, j] - (if i == j then 1 else 0)) * z[j] for j in 2) for i in 2]",
        "twice(z)",
        "[2 * dot(A[i], z) - z[i] for i in 2]",
        "(z' @ (2 * A' - identity[2]))",
        "log(exp(2 * (A @ z))) - z",
        "A @ (z + z) - (z ++ z)[2..3]",
        "sqrt(4) * A @ z + [-z[0], -z[1]]",
    ] {
        close(&format!("{p}p(x | z) = Normal({mean}, 0.5)\n"), "log p(x)", &expected);
    }
}

/// ∂ log p(x) with respect to what the coefficients are made of, in both forms, against differences.
#[test]
fn gradients_of_the_evidence() {
    let program = |w: f64, s: f64| {
        format!(
            "data x : Real[3] = [[0.5, -0.2, 1.0]]\nparam w : Real = {w}\nparam s : Positive = {s}\nlet R = [[1.0, 0.2], [0.2, 2.0]]\n\
             p(z : Real[2]) = MvNormal([w, 0.1], s * R)\np(x | z) = Normal([w * z[0] + z[1], 2 * z[1], w * w * z[0]], s)\n\
             p(y : Real | z) = Normal(w * z[0] - z[1], s)\n"
        )
    };
    let queries = ["log p(x)", "log p(y = 0.3)", "log p(z = [0.3, 0.4] | x)"];
    let all = |of: &dyn Fn(&str) -> String| format!("({})", queries.map(of).join(", "));
    let at = |w: f64, s: f64| value(&program(w, s), &all(&|query| query.to_string()));
    let h = 1e-5;
    for (name, above, below) in [("w", at(0.7 + h, 0.5), at(0.7 - h, 0.5)), ("s", at(0.7, 0.5 + h), at(0.7, 0.5 - h))] {
        let found = value(&program(0.7, 0.5), &all(&|query| format!("grad[{name}]({query})")));
        for (i, a) in found.iter().enumerate() {
            let b = (above[i] - below[i]) / (2.0 * h);
            assert!((a - b).abs() < 1e-7 * b.abs().max(1.0), "{}: {a}, by differences {b}", queries[i]);
        }
    }
}

/// Draws from a posterior have its moments, within five standard errors.
#[test]
fn draws_from_a_posterior() {
    let p = full("Normal(0, 1)", "Normal(W @ z, 0.5)");
    let exact = value(&p, "p(z | x).mean");
    let drawn = value(&p, "[E[z ~ p(z | x), samples: 4000](z[i]) for i in 2]");
    for (a, b) in exact.iter().zip(&drawn) {
        assert!((a - b).abs() < 5.0 / 4000f64.sqrt(), "{drawn:?}, exactly {exact:?}");
    }
}

/// Nearly noiseless observations: the covariance stays positive definite, also in single precision.
#[test]
fn tiny_noise() {
    let p = full("Normal(0, 1)", "Normal(W @ z, 0.0001)") + "p(y : Real | z) = Normal(z[0] + z[1], 0.0001)\n";
    for precision in [Precision::F32, Precision::F64] {
        let engine = Engine { device: Device::Cpu, precision, threads: 1, seed: 0, measure: false };
        for query in ["p(z | x).std", "p(z | y = 0.3).std", "p(z | x).entropy"] {
            let found = evaluated(&p, query, &engine).unwrap_or_else(|problems| panic!("{problems}"));
            assert!(found.iter().all(|std| std.is_finite()), "{query}: {found:?}");
        }
    }
}

/// What is in the way is said at its place, in the names of the file.
#[test]
fn obstacles() {
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    let told = |factors: &str| {
        let p = format!("data x : Real[2] = [[0.5, -0.2]]\nnet dec(z : Real[2]) -> Real[2] = mlp[4, 2](z)\n{factors}\n");
        evaluated(&p, "log p(x)", &engine).expect_err("no closed form")
    };
    for (factors, words) in [
        (
            "p(z : Real[2]) = Normal(0, 1)\np(x | z) = Normal(dec(z), 1)",
            "p(x | z) is not linear-Gaussian in z, because it passes through `dec`",
        ),
        ("p(z : Real[2]) = Normal(0, 1)\np(x | z) = Normal(z, exp(z))", "because its covariance depends on z"),
        ("p(z : Real[2]) = Normal(0, 1)\np(x | z) = Laplace(z, 1)", "p(x | z) is not Gaussian: it is Laplace"),
        ("p(z : Real[2]) = Normal(0, 1)\np(w : Real) = Normal(0, 1)\np(x | z, w) = Normal(w * z, 1)", "a product of random variables"),
        ("p(z : Real[2]) = Normal(0, 1)\np(x | z) = Normal(round(z), 1)", "passes through round"),
        ("p(z : Real[2]) = Uniform(0, 1)\np(x | z) = Normal(z, 1)", "p(z) is not Gaussian: it is Uniform"),
    ] {
        let told = told(factors);
        assert!(told.contains(words), "{factors}\nis told\n{told}");
        assert!(told.contains("ELBO(p, q)"), "{told}");
    }
}

/// What is no covariance is refused, with the reason.
#[test]
fn covariances() {
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    let p = "param W : Real[2, 1] = [[1], [2]]\nparam S : Cov[2] = [[2, 0.5], [0.5, 1]]\nlet T = [[1, 0.5], [0.5, 2]]\n";
    let of = |cov: &str| evaluated(p, &format!("MvNormal([0, 0], {cov}).log_prob([0, 0])"), &engine);
    let log_density = |a: f64, b: f64, c: f64| -(2.0 * std::f64::consts::PI).ln() - 0.5 * (a * c - b * b).ln();
    for (cov, [a, b, c]) in [
        ("[[2, 0.5], [0.5, 1]]", [2.0, 0.5, 1.0]),
        ("S", [2.0, 0.5, 1.0]),
        ("0.1 * identity", [0.1, 0.0, 0.1]),
        ("W @ W' + 0.5 * identity", [1.5, 2.0, 4.5]),
        ("T @ S @ T' + S / 2", [3.75, 3.375, 6.0]),
        ("(S + T)'", [3.0, 1.0, 3.0]),
    ] {
        let found = of(cov).unwrap_or_else(|problems| panic!("{problems}"))[0];
        assert!((found - log_density(a, b, c)).abs() < 1e-9, "{cov}: {found}");
    }
    for (cov, words) in [
        ("[[1, 2], [2, 1]]", "the smallest eigenvalue of this matrix is -1"),
        ("[[1, 0.3], [0.2, 1]]", "a covariance is symmetric"),
        ("W @ W'", "a positive definite matrix is needed"),
        ("S - T", "a positive definite matrix is needed"),
        ("-1 * S", "a positive definite matrix is needed"),
        ("W[0, 0] * S", "a positive definite matrix is needed"),
    ] {
        let told = of(cov).expect_err(cov);
        assert!(told.contains(words), "{cov}: {told}");
    }
}

/// Weights that all rows share: every row is one more observation, in rows of two children with coefficients of their own.
#[test]
fn global_latent_variables() {
    let p = "data (u : Real[2], y : Real, v : Real) = [[1, 0.5, 0.7, 1.1], [-1, 2, 0.1, 0.3], [0.2, 0.3, -0.4, 0.9]]\n\
             global w : Real[2]\np(w) = Normal([0.1, 0.2], [1, 2])\np(y | w, u) = Normal(dot(w, u), 0.5)\np(v | w) = Normal(w[1] + 1, 0.8)\n\
             p(next : Real | w) = Normal(w[0] - w[1], 0.3)\n";
    let a = vec![vec![1.0, 0.5], vec![-1.0, 2.0], vec![0.2, 0.3], vec![0.0, 1.0], vec![0.0, 1.0], vec![0.0, 1.0], vec![1.0, -1.0]];
    let noise = diagonal(&[0.25, 0.25, 0.25, 0.64, 0.64, 0.64, 0.09]);
    let joint = Joint::new(&[0.1, 0.2], diagonal(&[1.0, 4.0])).then(&a, &[0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0], noise);
    let (both, seen) = ([2, 3, 4, 5, 6, 7], [0.7, 0.1, -0.4, 1.1, 0.3, 0.9]);
    let predictive = joint.given(&[8], &both, &seen);
    agree(
        p,
        vec![
            ("log p(y, v | u)", vec![joint.of(&both).log_density(&seen)]),
            ("log p(y | u)", vec![joint.of(&both[..3]).log_density(&seen[..3])]),
            ("p(w | y, v, u).mean", joint.given(&[0, 1], &both, &seen).mean),
            ("p(w | y, v, u).cov", joint.given(&[0, 1], &both, &seen).cov.concat()),
            ("p(w | v).mean", joint.given(&[0, 1], &both[3..], &seen[3..]).mean),
            ("p(next | y, v, u).mean", predictive.mean.clone()),
            ("p(next | y, v, u).std", predictive.stds()),
            ("log p(next = 0.4 | y, v, u)", vec![predictive.log_density(&[0.4])]),
        ],
    );
    // One number of each row beside one of all rows: not a product over rows
    let p = "data y : Real = [1, 2, 3]\nglobal w : Real\np(w) = Normal(0, 1)\np(z : Real | w) = Normal(w, 1)\np(y | z) = Normal(z, 1)\n";
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    let told = evaluated(p, "p(w | y).mean", &engine).expect_err("each row has its own z");
    assert!(told.contains("all rows share w, and each row has its own z"), "{told}");
}
