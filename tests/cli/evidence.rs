//! Evidences, likelihoods and posteriors of textbook models against independent systems: references/evidence.json, where evidence.py
//! says which. A model's inputs take the place of their names in braces.

use serde_json::{Map, Value};
use std::process::Command;

/// A model of the file: `inputs` and `values`.
fn reference(name: &str) -> Value {
    let whole: Value = serde_json::from_str(include_str!("../references/evidence.json")).unwrap();
    whole["models"][name].clone()
}

fn filled(program: &str, inputs: &Map<String, Value>) -> String {
    inputs.iter().fold(program.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), &value.to_string()))
}

/// All numbers of a value, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(numbers).collect(),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => vec![value.as_f64().unwrap_or(f64::NAN)],
    }
}

/// Each expression in the scope of the program is the value at the pointer, to 1e-9.
fn agrees(model: &str, program: &str, expected: &[(&str, &str)]) {
    agrees_within(1e-9, model, program, expected);
}

fn agrees_within(tolerance: f64, model: &str, program: &str, expected: &[(&str, &str)]) {
    let reference = reference(model);
    let inputs = reference["inputs"].as_object().unwrap_or_else(|| panic!("no model {model}"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{model}.tilde"));
    std::fs::write(&path, filled(program, inputs)).unwrap();
    // The 0 makes a tuple of one.
    let expressions: Vec<String> = expected.iter().map(|(_, expression)| filled(expression, inputs)).collect();
    let tuple = format!("({}, 0)", expressions.join(", "));
    let output = Command::new(env!("CARGO_BIN_EXE_tilde")).arg("eval").arg(&path).args([&tuple, "--json", "--precision", "f64"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let found: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{model}: {error}: {text}"));
    for (i, (key, expression)) in expected.iter().enumerate() {
        let wanted = numbers(reference["values"].pointer(&format!("/{key}")).unwrap_or_else(|| panic!("{model}: no value {key}")));
        let found = numbers(&found["value"][i]);
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * b.abs().max(1.0);
        assert!(
            found.len() == wanted.len() && found.iter().zip(&wanted).all(near),
            "{model}: {expression}: {found:?}, not {wanted:?}\n{text}"
        );
    }
}

#[test]
fn gaussian_mixture() {
    agrees(
        "gmm",
        "data x : Real[4] = iris().features
         param w : Simplex[3] = {weights}, mu : Real[3, 4] = {means}, S : Cov[3, 4] = {covs}
         p(k : Cat<3>) = Categorical(w)
         p(x | k)      = MvNormal(mu[k], cov: S[k])",
        &[
            ("mean_log_likelihood", "log p(x)"),
            ("log_likelihood_of_flower", "log p(x = [6.6, 3.0, 4.4, 1.4])"),
            ("responsibilities_of_flower", "p(k | x = [6.6, 3.0, 4.4, 1.4]).probs"),
        ],
    );
}

#[test]
fn naive_bayes() {
    let flower = "[6.6, 3.0, 4.4, 1.4]";
    agrees(
        "naive_bayes",
        "data (x : Real[4], y : Cat<3>) = iris()
         let means = {means}, stds = {stds}
         param w : Simplex[3] = {prior}
         p(y)     = Categorical(w)
         p(x | y) = Normal(means[y], stds[y])",
        &[
            ("mean_log_joint", "log p(x, y)"),
            ("log_evidence_of_flower", &format!("log p(x = {flower})")),
            ("log_posterior_of_flower", &format!("[log p(y = k | x = {flower}) for k in 3]")),
        ],
    );
}

#[test]
fn probabilistic_principal_components() {
    agrees(
        "ppca",
        "data x : Real[4] = iris().features
         p(z : Real[2]) = Normal(0, 1)
         p(x | z)       = Normal({W} @ z + {mean}, {noise})",
        &[("mean_log_likelihood", "log p(x)"), ("log_likelihood_of_flower", "log p(x = [6.6, 3.0, 4.4, 1.4])")],
    );
}

#[test]
fn factor_analysis() {
    agrees_within(
        1e-8,
        "factor_analysis",
        "data x : Real[4] = iris().features
         p(z : Real[2]) = Normal(0, 1)
         p(x | z)       = Normal({W} @ z + {mean}, {noise})",
        &[("mean_log_likelihood", "log p(x)"), ("posterior_mean_of_flower", "p(z | x = [6.6, 3.0, 4.4, 1.4]).mean")],
    );
}

#[test]
fn linear_gaussian() {
    agrees(
        "linear_gaussian",
        "data x : Real[3] = [{x}]
         p(z : Real[2]) = MvNormal({m0}, cov: {S0})
         p(x | z)       = Normal({A} @ z + {offset}, {std})",
        &[("log_evidence", "log p(x)"), ("posterior_mean", "p(z | x).mean"), ("posterior_var", "p(z | x).var")],
    );
}

#[test]
fn hidden_markov_model() {
    agrees(
        "hmm",
        "data x[1..8] : Int = {y}
         var z[1..8] : Cat<2>
         param w : Simplex[2] = {start}, A : Simplex[2, 2] = {transition}, rate : Positive[2] = {rates}
         p(z[1])          = Categorical(w)
         p(z[t] | z[t-1]) = Categorical(A[z[t-1]])
         p(x[t] | z[t])   = Poisson(rate[z[t]])",
        &[
            ("log_likelihood", "log p(x)"),
            ("smoothed", "[p(z[t] | x).probs for t in 1..8]"),
            ("filtered/2", "p(z[3] | x[1..3]).probs"),
            ("log_joint_of_most_likely_path", "log p(x, z = [0, 0, 0, 1, 1, 1, 0, 0])"),
        ],
    );
}

#[test]
fn local_level() {
    agrees(
        "local_level",
        "data x[1..8] : Real = {y}
         var z[1..8] : Real
         p(z[1])          = Normal({m0}, {s0})
         p(z[t] | z[t-1]) = Normal(z[t-1], {level_std})
         p(x[t] | z[t])   = Normal(z[t], {noise})",
        &[
            ("log_likelihood", "log p(x)"),
            ("log_likelihood_terms/2", "log p(x[3] | x[1..2])"),
            ("filtered_mean/2", "p(z[3] | x[1..3]).mean"),
            ("smoothed_mean", "[p(z[t] | x).mean for t in 1..8]"),
            ("smoothed_std", "[p(z[t] | x).std for t in 1..8]"),
        ],
    );
}

#[test]
fn two_groups() {
    agrees(
        "two_groups",
        "data a : Int = [{y1}]
         data b : Int = [{y2}]
         global s : Unit, t : Unit, u : Unit
         p(s)        = Beta(1, 1)
         p(t)        = Beta(1, 1)
         p(a | s)    = Binomial({n1}, s)
         p(b | t)    = Binomial({n2}, t)
         same(u)     = Beta(1, 1)
         same(a | u) = Binomial({n1}, u)
         same(b | u) = Binomial({n2}, u)",
        &[
            ("log_evidence_two_rates", "log p(a, b)"),
            ("log_evidence_one_rate", "log same(a, b)"),
            ("posterior_means", "[p(s | a).mean, p(t | b).mean]"),
        ],
    );
}

#[test]
fn bayesian_linear_regression() {
    agrees(
        "bayes_linear_regression",
        "data (u : Real[3], y : Real) = [
           [0.13, -0.13, 0.64, 0.15], [0.1, -0.54, 0.36, 0.55], [1.3, 0.95, -0.7, 1.46], [-1.27, -0.62, 0.04, -0.87],
           [-2.33, -0.22, -1.25, -4.09], [-0.73, -0.54, -0.32, -0.18], [0.41, 1.04, -0.13, 0.4], [1.37, -0.67, 0.35, 2.91],
           [0.9, 0.09, -0.74, 1.24], [-0.92, -0.46, 0.22, -1.14], [-1.01, -0.21, -0.16, -0.82], [0.54, 0.21, 0.36, 1.52]]
         global w : Real[3]
         p(w)        = Normal(0, {prior_std})
         p(y | w, u) = Normal(dot(w, u), {noise})",
        &[("log_evidence", "log p(y | u)"), ("posterior_mean", "p(w | y, u).mean"), ("posterior_var", "p(w | y, u).var")],
    );
}
