//! `tilde derive`: derivations as people read them, and that LaTeX takes them.

use std::path::Path;
use std::process::{Command, Output};

fn tilde(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(env!("CARGO_BIN_EXE_tilde")).current_dir(root).args(arguments).output().unwrap()
}

fn derive(arguments: &[&str]) -> String {
    let output = tilde(&[&["derive"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_variational_autoencoder() {
    insta::assert_snapshot!(derive(&["examples/vae.tilde"]));
}

#[test]
fn two_layers_of_latent_variables() {
    insta::assert_snapshot!(derive(&["examples/hierarchical_vae.tilde", "ELBO(p, q, samples: 16)"]));
}

#[test]
fn a_mixture() {
    insta::assert_snapshot!(derive(&["examples/mixture.tilde"]));
}

#[test]
fn responsibilities() {
    insta::assert_snapshot!(derive(&["examples/mixture.tilde", "p(k | x)"]));
}

#[test]
fn a_divergence() {
    insta::assert_snapshot!(derive(&["examples/vae.tilde", "KL(q(z | x) || p(z))", "--format", "markdown"]));
}

#[test]
fn backpropagation_through_a_classifier() {
    insta::assert_snapshot!(derive(&["examples/classifier.tilde", "grad[logits](log p(y | x))"]));
}

#[test]
fn the_gradient_of_a_log_density() {
    insta::assert_snapshot!(derive(&["examples/gaussian.tilde", "grad[mu, sigma](log p(x))"]));
}

#[test]
fn expectation_maximisation() {
    insta::assert_snapshot!(derive(&["examples/gmm_em.tilde"]));
}

/// In the names of the file, which knows its noise schedule by two numbers.
#[test]
fn the_kernel_of_an_ito_process() {
    let text = "let bmin = 0.1, bmax = 20.0\nfn beta(t) = bmin + t * (bmax - bmin)\nvar x(t in 0..1) : Real[2]\n\
                data x(0) = [[0.0, 1.0]]\nq : dx = -1/2 * beta(t) * x dt + sqrt(beta(t)) dW\n";
    let mut file = tempfile::Builder::new().suffix(".tilde").tempfile().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    insta::assert_snapshot!(derive(&[file.path().to_str().unwrap(), "q(x(0.5) | x(0))"]));
}

#[test]
fn a_change_of_variables() {
    insta::assert_snapshot!(derive(&["examples/realnvp_derived.tilde"]));
}

#[test]
fn the_gradient_of_one_mean_of_several() {
    let derivation = derive(&["examples/mixture.tilde", "grad[mu](log p(x))"]);
    assert!(derivation.contains("∂L/∂μᵢ‚ⱼ = ((chol(Sᵢ)ᵀ)⁻¹ δ_{u₁,i} chol(Sᵢ)⁻¹ (x − μᵢ))ⱼ"), "{derivation}");
}

#[test]
fn a_conjugate_update_goes_on_from_the_last() {
    let derivation = derive(&["examples/beta_bernoulli_test.tilde"]);
    assert!(derivation.contains("same(rate | a, b) = Beta(rate; 1 + Σₙ a + Σₙ b, 1 + Σₙ (1 − a) + Σₙ (1 − b))"), "{derivation}");
}

#[test]
fn what_has_no_formula_says_so() {
    let derivation = derive(&["examples/mixture.tilde", "grad[S](log p(x))"]);
    assert!(derivation.contains("∂L/∂S = (computed, but not yet supported as a formula)"), "{derivation}");
}

#[test]
fn a_gradient_by_what_is_not_there() {
    let output = tilde(&["derive", "examples/gaussian.tilde", "grad[sigm](log p(x))"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `sigma`?"));
}

/// Everything that derivations may use: LaTeX's own commands and those of amsmath.
const COMMANDS: &str = "documentclass usepackage allowdisplaybreaks setlength textwidth oddsidemargin parindent begin end section \
    paragraph emph noindent text textbackslash dots mathrm mathcal operatorname log exp sin cos tanh max min det frac tfrac sqrt sum \
    prod int infty top nabla partial cdot odot mid sim approx propto ne le ge in leftarrow to left right Bigl Bigr quad qquad hat bar \
    tilde alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega Gamma \
    Delta Theta Lambda Xi Pi Sigma Phi Psi Omega Upsilon ell";

#[test]
fn latex_takes_derivations() {
    let queries: [&[&str]; 6] = [
        &["examples/vae.tilde"],
        &["examples/hierarchical_vae.tilde"],
        &["examples/score_matching.tilde"],
        &["examples/mixture.tilde", "grad[mu](log p(x))"],
        &["examples/classifier.tilde", "grad[logits](log p(y | x))"],
        &["examples/ppca.tilde"],
    ];
    for query in queries {
        let text = derive(&[query, &["--format", "latex"]].concat());
        check_latex(&text, Path::new(query[0]));
    }
}

fn check_latex(text: &str, path: &Path) {
    assert!(text.is_ascii(), "{}: {:?}", path.display(), text.chars().find(|c| !c.is_ascii()));
    let mut open = vec![];
    let mut depth = 0i32;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[1..];
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            '\\' => {
                let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
                let known = COMMANDS.split_whitespace().any(|command| command == name);
                assert!(name.is_empty() || known, "{}: \\{name}", path.display());
                let argument = || rest[name.len() + 1..].split('}').next().unwrap().to_owned();
                match name.as_str() {
                    "begin" => open.push(argument()),
                    "end" => assert_eq!(open.pop(), Some(argument()), "{}", path.display()),
                    _ => {}
                }
                rest = &rest[name.len().max(1)..];
            }
            _ => {}
        }
        assert!(depth >= 0, "{}: a brace is closed that was not opened", path.display());
    }
    assert!(depth == 0 && open.is_empty(), "{}: {depth} {open:?}", path.display());
    assert_eq!(text.matches("\\left").count() - text.matches("\\leftarrow").count(), text.matches("\\right").count());
}

#[test]
fn the_page_shows_a_derivation_as_it_is() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/derivations.md")).unwrap();
    for arguments in [&["examples/vae.tilde", "ELBO(p, q)"][..], &["examples/classifier.tilde", "grad[logits](log p(y | x))"]] {
        assert!(page.contains(derive(arguments).trim_end()), "docs/derivations.md differs from tilde derive {arguments:?}");
    }
}

#[test]
fn a_plate_diagram_has_every_variable_and_plate() {
    let output = tilde(&["emit", "examples/mixture.tilde", "--stage", "plates"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for label in [">k<", ">x<", ">w<", ">μ<", ">S<", ">N<", ">K<"] {
        assert!(text.contains(label), "{label} in {text}");
    }
    assert_eq!(text.matches("<circle").count(), 5);
    assert_eq!(text.matches("class=\"arrow\"").count(), 4);
}
