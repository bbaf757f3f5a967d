//! Processes whose data are normal, so that score, noise, x(0), v and velocity are known: conversions, equations and kernels in closed form.

use crate::evaluation::{close, evaluated};
use std::f64::consts::PI;
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// x(0) ~ N(MEAN, VAR), each element
const MEAN: f64 = 0.7;
const VAR: f64 = 0.3;
const X: f64 = 0.4;

/// At a time: a, b and their derivatives.
#[derive(Clone, Copy)]
struct At {
    a: f64,
    b: f64,
    da: f64,
    db: f64,
}

impl At {
    fn var(&self) -> f64 {
        self.a * self.a * VAR + self.b * self.b
    }

    fn score(&self, x: f64) -> f64 {
        -(x - self.a * MEAN) / self.var()
    }

    fn noise(&self, x: f64) -> f64 {
        -self.b * self.score(x)
    }

    fn x0(&self, x: f64) -> f64 {
        (self.b * self.b * MEAN + self.a * VAR * x) / self.var()
    }

    fn v(&self, x: f64) -> f64 {
        self.a * self.noise(x) - self.b * self.x0(x)
    }

    fn velocity(&self, x: f64) -> f64 {
        self.da * self.x0(x) + self.db * self.noise(x)
    }

    /// F and g² of dx = F x dt + g dW
    fn equation(&self) -> (f64, f64) {
        let slope = self.da / self.a;
        (slope, 2.0 * self.b * (self.db - slope * self.b))
    }
}

const PREDICTIONS: [&str; 5] = ["noise", "x0", "score", "v", "velocity"];

/// The forward process `q`, the exact predictions as functions, and a reverse process for each: `p_noise`, …
fn program(q: &str, a: &str, b: &str, da: &str, db: &str) -> String {
    let mut text = format!(
        "var x(t in 0..1) : Real[2]\ndata x(0) = [[0.1, 0.2]]\nq : {q}\nfn a(t) = {a}\nfn b(t) = {b}\nfn da(t) = {da}\nfn db(t) = {db}\n\
         fn score(x, t) = -(x - a(t) * {MEAN}) / (a(t)^2 * {VAR} + b(t)^2)\nfn noise_(x, t) = -b(t) * score(x, t)\n\
         fn x0_(x, t) = (b(t)^2 * {MEAN} + a(t) * {VAR} * x) / (a(t)^2 * {VAR} + b(t)^2)\nfn v_(x, t) = a(t) * noise_(x, t) - b(t) * x0_(x, t)\n\
         fn velocity_(x, t) = da(t) * x0_(x, t) + db(t) * noise_(x, t)\nfn score_(x, t) = score(x, t)\n"
    );
    for name in PREDICTIONS {
        text += &format!("p_{name} = reverse(q, {name}: {name}_)\n");
    }
    text
}

fn turning() -> String {
    program(
        "x(t) = cos(pi / 2 * t) * x(0) + sin(pi / 2 * t) * noise",
        "cos(pi / 2 * t)",
        "sin(pi / 2 * t)",
        "-pi / 2 * sin(pi / 2 * t)",
        "pi / 2 * cos(pi / 2 * t)",
    )
}

fn turned(t: f64) -> At {
    let (sin, cos) = (PI / 2.0 * t).sin_cos();
    At { a: cos, b: sin, da: -PI / 2.0 * sin, db: PI / 2.0 * cos }
}

fn preserving() -> String {
    program(
        "dx = -1/2 * beta(t) * x dt + sqrt(beta(t)) dW\nfn beta(t) = 0.1 + 19.9 * t",
        "exp(-(0.1 * t + 9.95 * t^2) / 2)",
        "sqrt(1 - a(t)^2)",
        "-1/2 * beta(t) * a(t)",
        "1/2 * beta(t) * a(t)^2 / b(t)",
    )
}

/// The variance preserving process
fn preserved(t: f64) -> At {
    let (beta, a) = (0.1 + 19.9 * t, (-(0.1 * t + 9.95 * t * t) / 2.0).exp());
    let b = (1.0 - a * a).sqrt();
    At { a, b, da: -0.5 * beta * a, db: 0.5 * beta * a * a / b }
}

#[test]
fn each_prediction_from_each() {
    conversions(&turning(), turned(0.3));
    conversions(&preserving(), preserved(0.3));
}

fn conversions(p: &str, at: At) {
    let of = |known: &str| PREDICTIONS.map(|wanted| format!("p_{known}.{wanted}([{X}, {X}], 0.3)[0]"));
    let asked: Vec<String> = PREDICTIONS.iter().flat_map(|known| of(known)).collect();
    let exact = [at.noise(X), at.x0(X), at.score(X), at.v(X), at.velocity(X)];
    close(p, &format!("[{}]", asked.join(", ")), &exact.repeat(PREDICTIONS.len()));
}

#[test]
fn equations_in_both_directions() {
    equations(&turning(), turned(0.6));
    equations(&preserving(), preserved(0.6));
}

fn equations(p: &str, at: At) {
    let (slope, square) = at.equation();
    let mut asked = format!("q.drift([{X}, {X}], 0.6) ++ q.diffusion(0.6)");
    let mut exact = vec![slope * X, slope * X, square.sqrt()];
    for known in PREDICTIONS {
        asked += &format!(" ++ p_{known}.drift([{X}, {X}], 0.6) ++ flow(p_{known}).drift([{X}, {X}], 0.6)");
        let (reverse, flow) = (slope * X - square * at.score(X), at.velocity(X));
        exact.extend([reverse, reverse, flow, flow]);
    }
    close(p, &asked, &exact);
}

#[test]
fn kernels_by_bayes_rule() {
    let (p, s, t) = (turning(), turned(0.2), turned(0.5));
    let (signal, step) = (t.a / s.a, t.b * t.b - (t.a / s.a * s.b).powi(2));
    let gain = s.b * s.b * signal / (t.b * t.b);
    let mean = |x0: f64| s.a * x0 + gain * (X - t.a * x0);
    let std = (s.b * s.b * step / (t.b * t.b)).sqrt();
    let asked = [
        format!("q.bridge([1.0, 2.0], [{X}, {X}], 0.5, 0.2).mean"),
        format!("q.bridge([1.0, 2.0], [{X}, {X}], 0.5, 0.2).std[0]"),
        format!("p_noise.kernel([{X}, {X}], 0.5, 0.2).mean[0]"),
        format!("q(x(0.5) | x(0.2) = [{X}, 0.0]).mean"),
        format!("q(x(0.2) | x(0.5) = [{X}, {X}], x(0)).mean"),
    ];
    let exact = [mean(1.0), mean(2.0), std, mean(t.x0(X)), signal * X, 0.0, mean(0.1), mean(0.2)];
    close(&p, &asked.join(" ++ "), &exact);
}

fn engine(precision: Precision) -> Engine {
    Engine { device: Device::Interpreter, precision, threads: 1, seed: 0, measure: false }
}

/// What a program is told instead of a value.
fn refused(program: &str, expression: &str) -> String {
    match evaluated(program, expression, &engine(Precision::F64)) {
        Ok(values) => panic!("{expression} is {values:?}"),
        Err(problems) => problems,
    }
}

#[test]
fn variances_of_the_kernels_back() {
    let (s, t) = (turned(0.2), turned(0.5));
    let forward = t.b * t.b - (t.a / s.a * s.b).powi(2);
    let posterior = s.b * s.b * forward / (t.b * t.b);
    let learned = (0.3 * forward.ln() + 0.7 * posterior.ln()).exp();
    let p = turning()
        + "p_forward = reverse(q, noise: noise_, variance: forward)\n\
           fn two(x : Real[2], t) -> (Real[2], Real) = (noise_(x, t), log(3 / 7))\n\
           fn bounded(x : Real[2], t) -> (Real[2], Unit[2]) = (noise_(x, t), [0.3, 0.3])\n\
           p_logit = reverse(q, noise: two)\np_unit = reverse(q, noise: bounded)\n";
    for (name, var) in [("p_noise", posterior), ("p_forward", forward), ("p_logit", learned), ("p_unit", learned)] {
        // A draw of the data is the mean; a density of the data has the variance of the last step.
        let [inside, draw, density] = ["(x(0.2) | x(0.5) = X)", ".kernel(X, 0.5, 0)", "(x(0) | x(0.5) = X)"]
            .map(|query| format!("{name}{}.std[0]", query.replace('X', &format!("[{X}, {X}]"))));
        close(&p, &format!("[{inside}, {draw}, {density}]"), &[var.sqrt(), 0.0, t.b]);
    }
}

#[test]
fn conversions_in_single_precision_near_the_ends() {
    let (p, engine) = (turning(), engine(Precision::F32));
    for (known, t) in [("score", 0.0), ("v", 0.0), ("v", 1.0), ("noise", 1e-6), ("velocity", 0.0)] {
        let found = evaluated(&p, &format!("p_{known}.x0([0.75, 0.75], {t:?}) ++ p_{known}.noise([0.75, 0.75], {t:?})"), &engine).unwrap();
        let (at, near) = (turned(t), |found: f64, exact: f64| (found - exact).abs() < 1e-5);
        assert!(near(found[0], at.x0(0.75)) && near(found[2], at.noise(0.75)), "from {known} at {t}: {found:?}");
    }
}

#[test]
fn singular_conversions_are_refused() {
    let p = turning();
    assert!(refused(&p, "p_noise.x0([1.0, 1.0], 1)").contains("says nothing of x(0): the signal is zero at t = 1"));
    assert!(refused(&p, "p_x0.score([1.0, 1.0], 0)").contains("says nothing of its noise: there is none at t = 0"));
    // The last time is an isolated one, which sampling avoids.
    close(&p, "p_noise.last", &[1.0 - 1e-3]);
    close(&p, "flow(p_noise).last", &[1.0 - 1e-3]);
    close(&p, "flow(p_velocity).last", &[1.0]);
    close(&p, "q.last", &[1.0]);
    let twice = program("x(t) = cos(pi * t) * x(0) + sin(pi * t) * noise", "cos(pi * t)", "sin(pi * t)", "0 * t", "0 * t");
    let problem = refused(&twice, "sum(p_noise.x0([1.0, 1.0], q.time(0.25 * i)) for i in 2)[0]");
    assert!(problem.contains("the signal is zero at t = 0.5"), "{problem}");
}

#[test]
fn a_signal_that_is_left_at_the_last_time() {
    let short = "var x(t in 0..1) : Real\ndata x(0) = [0.0]\nq : dx = -1/2 * x dt + 1 dW\nfn f(x, t) = x\np = reverse(q, noise: f)\n";
    // SNR(T) = 1 / (e^T − 1)
    close(short, "p.prior().std", &[(1.0 - (-1f64).exp()).sqrt()]);
    let shorter = short.replace("0..1", "0..0.5");
    assert!(refused(&shorter, "p.prior().std").contains("the signal-to-noise ratio is 1.54"));
}

#[test]
fn densities_made_from_processes() {
    let p = turning();
    for (text, problem) in [
        ("r = reverse(p_noise, noise: noise_)", "`p_noise` runs backwards already"),
        ("r = flow(q)", "the flow of `q` needs its score"),
        ("r = flow(p_noise)\nrr = flow(r)", "`r` is a flow already"),
        ("fn one(x) = x\nr = reverse(q, noise: one)", "`one` takes 1 arguments, the network of a process takes two"),
        ("fn wide(x : Real[3], t) = x\nr = reverse(q, noise: wide)", "Real[3]"),
        ("fn whole(x : Real[2], t : Int) = x\nr = reverse(q, noise: whole)", "Int"),
        ("fn narrow(x : Real[2], t) = x[0]\nr = reverse(q, noise: narrow)", "Real[2]"),
        ("r = reverse(q, nois: noise_)", "did you mean `noise`?"),
        ("r = reverse(q, noise: noise_, x0: x0_)", "a reverse process has one network"),
        ("r = reverse(q, noise: noise_, variance: learned)", "a second output of the network"),
    ] {
        let found = refused(&format!("{p}{text}\n"), "1.0");
        assert!(found.contains(problem), "{text}: {found}");
    }
    assert!(refused(&p, "p_noise.scroe([0.0, 0.0], 0.5)").contains("did you mean `score`?"));
    assert!(refused(&p, "q.snrr(0.5)").contains("did you mean `snr`?"));
    assert!(refused(&p, "q.score([0.0, 0.0], 0.5)").contains("`q` predicts nothing"));
}
