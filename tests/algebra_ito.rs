//! Kernels of Itô processes with affine drift, in closed form or by quadrature, against numbers worked out otherwise.

mod evaluation;

use evaluation::{close, value};

/// A process of two elements over the times 0 to 1 (declared as `range`), with its equation and a use of its marginals.
fn process(before: &str, range: &str, equation: &str) -> String {
    format!("{before}\nvar x(t in {range}) : Real[2]\ndata x(0) = [[0.3, -1.2], [0.5, 0.1]]\nq : dx = {equation}\n")
}

#[test]
fn variance_preserving() {
    let p =
        process("let bmin = 0.1, bmax = 20.0\nfn beta(t) = bmin + t * (bmax - bmin)", "0..1", "-1/2 * beta(t) * x dt + sqrt(beta(t)) dW");
    for t in [1e-6f64, 0.01, 0.3, 1.0] {
        let b = 0.1 * t + 9.95 * t * t;
        close(&p, &format!("q.signal({t:?})"), &[(-b / 2.0).exp()]);
        close(&p, &format!("q.var({t:?}) / {:?}", -(-b).exp_m1()), &[1.0]);
    }
    println!("{:?}", value(&p, "q(x(0.5) | x(0.2) = [1.0, 2.0]).mean"));
}
