//! Questions about loops and processes that are easily answered with a wrong number.

mod evaluation;

use evaluation::{close, value};

/// A loop to a computed end has no turn where the end is just below its start; between two numbers it runs downward.
#[test]
fn loops_without_turns() {
    let p = "data x : Real = [1]\nfn up(x, n : Size) { let s = x\n for i in 1..n { s = s + 10 }\n s }\n\
             fn inside(x, n : Size) { let s = x\n for i in 1..n-1 { s = s + 10 }\n s }\n\
             fn down(x) { let s = x\n for i in 2..1 { s = 2 * s + i }\n s }\n";
    close(p, "up(x, 0)", &[1.0]);
    close(p, "up(x, 2)", &[21.0]);
    close(p, "inside(x, 1)", &[1.0]);
    close(p, "down(x)", &[9.0]);
}

/// One step of a consistency model is one evaluation of its function.
#[test]
fn one_step_of_a_consistency_model() {
    let p = "var x(t in 0..1) : Real\ndata x(0) = [0.5]\nq = vp(x)\nfn f(x : Real, t : Real) -> Real = 0 * x + t\n";
    close(p, "consistency_sampler(f, q)", &[1.0]);
}

/// Whole numbers are coefficients as well.
#[test]
fn whole_numbers_as_coefficients() {
    let start = "var x(t in 0..1) : Real[2]\ndata x(0) = [[1, 2]]\n";
    for (whole, real) in [
        ("-[1, 3] * x dt + dW", "-[1.0, 3.0] * x dt + 1.0 dW"),
        ("-x dt + [1, 2] dW", "-x dt + [1.0, 2.0] dW"),
        ("[[-1, 1], [0, -1]] @ x dt + [[1, 2], [2, 1]] dW", "[[-1.0, 1.0], [0.0, -1.0]] @ x dt + [[1.0, 2.0], [2.0, 1.0]] dW"),
    ] {
        let density = |equation: &str| value(&format!("{start}q : dx = {equation}\n"), "log q(x(0.7) = [0.3, 0.2] | x(0.2) = [0.5, 0.1])");
        assert_eq!(density(whole), density(real), "{whole}");
    }
}
