//! Processes whose data are normal, so that score, noise, x(0), v and velocity are known: conversions, equations and kernels in closed form.

mod evaluation;

use evaluation::close;
use std::f64::consts::PI;

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
        (x - self.b * self.noise(x)) / self.a
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
         fn x0_(x, t) = (x - b(t) * noise_(x, t)) / a(t)\nfn v_(x, t) = a(t) * noise_(x, t) - b(t) * x0_(x, t)\n\
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

#[test]
fn each_prediction_from_each() {
    let (p, at) = (turning(), turned(0.3));
    for known in PREDICTIONS {
        for (wanted, value) in
            [("noise", at.noise(X)), ("x0", at.x0(X)), ("score", at.score(X)), ("v", at.v(X)), ("velocity", at.velocity(X))]
        {
            close(&p, &format!("p_{known}.{wanted}([{X}, {X}], 0.3)"), &[value, value]);
        }
    }
}

#[test]
fn equations_in_both_directions() {
    let (p, at) = (turning(), turned(0.6));
    let (slope, square) = at.equation();
    close(&p, &format!("q.drift([{X}, {X}], 0.6)"), &[slope * X; 2]);
    close(&p, "q.diffusion(0.6)", &[square.sqrt()]);
    for known in PREDICTIONS {
        let reverse = slope * X - square * at.score(X);
        close(&p, &format!("p_{known}.drift([{X}, {X}], 0.6)"), &[reverse; 2]);
        close(&p, &format!("flow(p_{known}).drift([{X}, {X}], 0.6)"), &[at.velocity(X); 2]);
    }
}

#[test]
fn kernels_by_bayes_rule() {
    let (p, s, t) = (turning(), turned(0.2), turned(0.5));
    let (signal, step) = (t.a / s.a, t.b * t.b - (t.a / s.a * s.b).powi(2));
    let gain = s.b * s.b * signal / (t.b * t.b);
    let mean = |x0: f64| s.a * x0 + gain * (X - t.a * x0);
    let std = (s.b * s.b * step / (t.b * t.b)).sqrt();
    close(&p, &format!("q.bridge([1.0, 2.0], [{X}, {X}], 0.5, 0.2).mean"), &[mean(1.0), mean(2.0)]);
    close(&p, &format!("q.bridge([1.0, 2.0], [{X}, {X}], 0.5, 0.2).std[0]"), &[std]);
    close(&p, &format!("p_noise.kernel([{X}, {X}], 0.5, 0.2).mean[0]"), &[mean(t.x0(X))]);
    close(&p, &format!("q(x(0.5) | x(0.2) = [{X}, 0.0]).mean"), &[signal * X, 0.0]);
    close(&p, &format!("q(x(0.2) | x(0.5) = [{X}, {X}], x(0)).mean"), &[mean(0.1), mean(0.2)]);
}
