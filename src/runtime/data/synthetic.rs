//! Generated sets in the plane: independent draws, each row a function of (seed, row) alone.

use super::{Array, Values};
use crate::base::op::RandomKind;
use crate::base::philox::Stream;
use std::f64::consts::{PI, TAU};

/// Draw sites of generated data, apart from those that a program's own draws are numbered with.
const SITE: u32 = 0xDA7A_0000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Synthetic {
    /// Two interleaved half circles, the curves of scikit-learn's `make_moons`; the angle is uniform
    Moons { n: usize, noise: f64 },
    /// k equal Gaussians evenly on a circle, the first at angle 0 (Metz et al.: Unrolled GANs, 2017, where k = 8)
    Gaussians { k: usize, n: usize, radius: f64, std: f64 },
    /// The spiral t/5 (cos t, sin t), t = 3π/2 (1 + 2u): scikit-learn's `make_swiss_roll` without its second axis, at the scale of
    /// Grathwohl et al.: FFJORD, 2019
    SwissRoll { n: usize, noise: f64 },
    /// Eight squares of side 2, every other one of a board that covers [−4, 4]² (the same source)
    Checkerboard { n: usize },
}

impl Synthetic {
    /// [n, 2]
    pub(super) fn draw(self, seed: u32) -> Array {
        let (name, n) = match self {
            Synthetic::Moons { n, .. } => ("moons()", n),
            Synthetic::Gaussians { n, .. } => ("gaussians()", n),
            Synthetic::SwissRoll { n, .. } => ("swiss_roll()", n),
            Synthetic::Checkerboard { n } => ("checkerboard()", n),
        };
        let stream = |site| Stream { seed, site: SITE + site, step: 0, turn: 0 };
        let (uniforms, normals) = (stream(0), stream(1));
        let values = (0..n as u32).flat_map(|row| {
            let [u, v, w, _] = uniforms.block(RandomKind::Uniform, row, 0);
            let [a, b, _, _] = normals.block(RandomKind::Normal, row, 0);
            let ([x, y], scale) = self.point(u, v, w);
            [(x + scale * a) as f32, (y + scale * b) as f32]
        });
        Array::new(name, [n, 2], Values::Singles(values.collect()))
    }

    /// A point on the curve from independent uniforms, and the scale of the Gaussian noise around it.
    fn point(self, u: f64, v: f64, w: f64) -> ([f64; 2], f64) {
        match self {
            Synthetic::Moons { noise, .. } => {
                let (sin, cos) = (v * PI).sin_cos();
                (if u < 0.5 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] }, noise)
            }
            Synthetic::Gaussians { k, radius, std, .. } => {
                let (sin, cos) = ((u * k as f64).floor() * TAU / k as f64).sin_cos();
                ([radius * cos, radius * sin], std)
            }
            Synthetic::SwissRoll { noise, .. } => {
                let t = 1.5 * PI * (1.0 + 2.0 * u);
                ([t / 5.0 * t.cos(), t / 5.0 * t.sin()], noise)
            }
            Synthetic::Checkerboard { .. } => {
                let column = 4.0 * u - 2.0;
                let lower = if w < 0.5 { 0.0 } else { -2.0 };
                let row = v + lower + column.floor().rem_euclid(2.0);
                ([2.0 * column, 2.0 * row], 0.0)
            }
        }
    }
}
