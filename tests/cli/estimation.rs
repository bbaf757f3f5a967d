//! Runs by EM: resumed bit for bit, and ended when they change little.

use super::program::Folder;

const MIXTURE: &str = "\
data x : Real[4] = iris().features
param w : Simplex[3], m : Real[3, 4] ~ rows(x), S : Cov[3, 4] = identity
p(k : Cat<3>) = Categorical(w)
p(x | k)      = MvNormal(m[k], S[k])
train { maximize log p(x) by em   steps: 40   tolerance: 1e-3   seed: 8 }
";

#[test]
fn em_goes_on_bit_for_bit_and_stays_where_it_converged() {
    let folder = Folder::new(&[("model.tilde", MIXTURE)]);
    let train = |run: &str, more: &[&str]| {
        folder.fine(&[&["train", "model.tilde", "--out", run][..], more].concat());
        (folder.read(&format!("{run}/params.safetensors")), folder.read(&format!("{run}/metrics.jsonl")))
    };
    let whole = train("whole", &[]);
    let steps = String::from_utf8(whole.1.clone()).unwrap().lines().count();
    assert!((5..40).contains(&steps), "it converged after {steps} steps");
    train("run", &["--steps", "4"]);
    assert_eq!(train("run", &["--resume", "--steps", "40"]).0, whole.0);
    assert_eq!(train("run", &["--resume"]).0, whole.0, "nothing is left to do");
}

#[test]
fn a_degenerate_estimate_ends_the_run() {
    let line = "data x : Real[2] = [[1, 5], [2, 5]]\nparam m : Real[2], S : Cov[2]\np(x) = MvNormal(m, S)\n\
                train { maximize log p(x) exactly }\n";
    let folder = Folder::new(&[("model.tilde", line)]);
    folder.refused(&["train", "model.tilde"], 3, &["E0605", "smallest eigenvalue"]);
}
