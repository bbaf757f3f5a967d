//! Coefficients that are matrices: critically damped Langevin diffusion of a position with a velocity, against its moment equations
//! (Dockhorn, Vahdat, Kreis: Score-based generative modeling with critically-damped Langevin diffusion, 2022).

use crate::evaluation::close;

const BETA: f64 = 4.0;
const MASS: f64 = 0.25;
const TIME: f64 = 0.3;
const X: [f64; 2] = [0.4, -0.3];

type Matrix = [[f64; 2]; 2];

const DRIFT: Matrix = [[0.0, BETA / MASS], [-BETA, -BETA / MASS]];

fn product(a: Matrix, b: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]))
}

fn transposed(a: Matrix) -> Matrix {
    [[a[0][0], a[1][0]], [a[0][1], a[1][1]]]
}

fn sum(a: Matrix, b: Matrix, scale: f64) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][j] + scale * b[i][j]))
}

fn times(a: Matrix, x: [f64; 2]) -> [f64; 2] {
    std::array::from_fn(|i| a[i][0] * x[0] + a[i][1] * x[1])
}

fn inverse(a: Matrix) -> Matrix {
    let det = a[0][0] * a[1][1] - a[0][1] * a[1][0];
    [[a[1][1] / det, -a[0][1] / det], [-a[1][0] / det, a[0][0] / det]]
}

fn cholesky(a: Matrix) -> Matrix {
    let first = a[0][0].sqrt();
    let below = a[1][0] / first;
    [[first, 0.0], [below, (a[1][1] - below * below).sqrt()]]
}

/// Φ and the covariance, by the fourth-order method of Runge and Kutta: Φ' = F Φ, S' = F S + S Fᵀ + g gᵀ.
fn moments(start: Matrix, time: f64) -> (Matrix, Matrix) {
    let added = [[0.0, 0.0], [0.0, 2.0 * BETA]];
    let slope = |s: Matrix| sum(sum(product(DRIFT, s), product(s, transposed(DRIFT)), 1.0), added, 1.0);
    let step = |x: Matrix, f: &dyn Fn(Matrix) -> Matrix, h: f64| {
        let a = f(x);
        let b = f(sum(x, a, h / 2.0));
        let c = f(sum(x, b, h / 2.0));
        let d = f(sum(x, c, h));
        sum(sum(sum(sum(x, a, h / 6.0), b, h / 3.0), c, h / 3.0), d, h / 6.0)
    };
    let (mut phi, mut cov) = ([[1.0, 0.0], [0.0, 1.0]], start);
    for _ in 0..4000 {
        phi = step(phi, &|x| product(DRIFT, x), time / 4000.0);
        cov = step(cov, &slope, time / 4000.0);
    }
    (phi, cov)
}

const PROGRAM: &str = "var x(t in 0..1) : Real[2]\ndata y : Real[1] = [[0.5]]\nq(x(0) | y) = Normal(y ++ zeros[1], 0.02 * ones[1] ++ 0.1 * ones[1])\n\
    q : dx = 4 * ((4 * x[1..1]) ++ (-x[0..0] - 4 * x[1..1])) dt + (zeros[1] ++ sqrt(8) * ones[1]) dW\n\
    fn s(x : Real[2], t) = [-x[0] + 0.2, 0.5 * x[0] - x[1]]\np = reverse(q, score: s)\n";

fn score() -> [f64; 2] {
    [-X[0] + 0.2, 0.5 * X[0] - X[1]]
}

#[test]
fn the_first_state_follows_from_the_data() {
    let (phi, cov) = moments([[0.0004, 0.0], [0.0, 0.01]], TIME);
    let mean = times(phi, [0.5, 0.0]);
    let noise = times(cholesky(cov), [0.6, -1.1]);
    let diffused = [mean[0] + noise[0], mean[1] + noise[1]];
    let asked = "q(x(0.3) | y).mean ++ q.data ++ q.diffused(q.data, [0.6, -1.1], 0.3)";
    close(PROGRAM, asked, &[mean, [0.5, 0.0], diffused].concat());
    close(PROGRAM, "q(x(0.3) | y).cov", &cov.concat());
}

#[test]
fn predictions_pass_through_the_factor_of_the_covariance() {
    let (phi, cov) = moments([[0.0004, 0.0], [0.0, 0.01]], TIME);
    let noise = times(transposed(cholesky(cov)), score()).map(|e| -e);
    let spread = times(cov, score());
    let x0 = times(inverse(phi), [X[0] + spread[0], X[1] + spread[1]]);
    close(PROGRAM, "p.noise([0.4, -0.3], 0.3) ++ p.x0([0.4, -0.3], 0.3)", &[noise, x0].concat());
    let networks = "fn e(x, t) = p.noise(x, t)\nfn d(x, t) = p.x0(x, t)\nr = reverse(q, noise: e)\nu = reverse(q, x0: d)\n";
    let program = format!("{PROGRAM}{networks}");
    close(&program, "r.score([0.4, -0.3], 0.3) ++ u.score([0.4, -0.3], 0.3)", &[score(), score()].concat());
    let forward = times(DRIFT, X);
    let back = [forward[0], forward[1] - 2.0 * BETA * score()[1]];
    let flow = [forward[0], forward[1] - BETA * score()[1]];
    close(PROGRAM, "p.drift([0.4, -0.3], 0.3) ++ flow(p).drift([0.4, -0.3], 0.3)", &[back, flow].concat());
}

#[test]
fn kernels_back_and_the_prior() {
    let start = [[0.0004, 0.0], [0.0, 0.01]];
    let (early_phi, early) = moments(start, 0.2);
    let (step, added) = moments([[0.0; 2]; 2], 0.1);
    let whole = sum(product(product(step, early), transposed(step)), added, 1.0);
    let gain = product(product(early, transposed(step)), inverse(whole));
    let left = sum(early, product(gain, product(step, early)), -1.0);
    let prior = times(early_phi, [0.5, 0.0]);
    let ahead = times(step, prior);
    let moved = times(gain, [X[0] - ahead[0], X[1] - ahead[1]]);
    close(PROGRAM, "q(x(0.2) | x(0.3) = [0.4, -0.3], y).mean", &[prior[0] + moved[0], prior[1] + moved[1]]);
    close(PROGRAM, "q(x(0.2) | x(0.3) = [0.4, -0.3], y).cov", &left.concat());
    let (_, last) = moments(start, 1.0);
    close(PROGRAM, "p.prior().cov", &last.concat());
}
