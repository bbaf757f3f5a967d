//! Derivations of processes, as people read them.

use std::io::Write;
use std::path::Path;
use std::process::Command;

fn derive(file: &str, query: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_tilde")).current_dir(root).args(["derive", file, query]).output().unwrap();
    assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const SONG: &str = "let bmin = 0.1, bmax = 20.0\nfn beta(t) = bmin + t * (bmax - bmin)\nvar x(t in 0..1) : Real[2]\n\
    data x(0) = [[0.0, 0.0]]\nq : dx = -1/2 * beta(t) * x dt + sqrt(beta(t)) dW\nnet f(x : Real[2], t : Real) -> Real[2] = x\n\
    p = reverse(q, noise: f)\n";

fn of_equation(query: &str) -> String {
    let mut file = tempfile::Builder::new().suffix(".tilde").tempfile().unwrap();
    file.write_all(SONG.as_bytes()).unwrap();
    derive(file.path().to_str().unwrap(), query)
}

#[test]
fn a_reverse_equation() {
    insta::assert_snapshot!(of_equation("p.drift(x, t)"));
}

#[test]
fn a_flow() {
    insta::assert_snapshot!(of_equation("flow(p).drift(x, t)"));
}

#[test]
fn a_kernel_back() {
    insta::assert_snapshot!(of_equation("p(x(s) | x(t))"));
}

#[test]
fn a_kernel_back_of_a_chain() {
    insta::assert_snapshot!(derive("examples/ddpm.tilde", "p(x[t-1] | x[t])"));
}

#[test]
fn a_forward_marginal_of_a_chain() {
    insta::assert_snapshot!(derive("examples/ddpm.tilde", "q(x[t] | x[0])"));
}
