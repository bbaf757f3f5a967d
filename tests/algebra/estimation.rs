//! Estimates in closed form: against independent systems (references/evidence.json), and by their gradient, which vanishes at a maximum.

mod mean_field;

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use tilde_lang::backend::{Precision, Tensor};
use tilde_lang::base::Diagnostic;
use tilde_lang::driver::{self, Request};
use tilde_lang::report::render::{Style, render};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::engine::Engine;
use tilde_lang::runtime::train::{Control, Observer, Progress, State, Training};
use tilde_lang::runtime::{evaluate, parameters};

/// The value of every step.
#[derive(Default)]
struct Values(Vec<f64>);

impl Observer for Values {
    fn step(&mut self, progress: &Progress<'_>) -> Control {
        self.0.push(progress.values[0]);
        Control::Continue
    }

    fn save(&mut self, _: &State) -> Result<(), Diagnostic> {
        Ok(())
    }
}

/// Trains; the objective of each step, and an expression averaged over the rows at the end.
fn estimated(program: &str, expression: &str, seed: u32) -> Result<(Vec<f64>, Vec<f64>), String> {
    estimated_from(program, expression, seed, &[])
}

/// The same, where some parameters start at other unconstrained numbers.
fn estimated_from(program: &str, expression: &str, seed: u32, starts: &[(&str, Vec<f64>)]) -> Result<(Vec<f64>, Vec<f64>), String> {
    let mut file = tempfile::Builder::new().suffix(".tilde").tempfile().unwrap();
    file.write_all(program.as_bytes()).unwrap();
    let request = Request { path: file.path().to_path_buf(), overrides: vec![], expression: Some(expression.into()) };
    let compiled = driver::compile(&request).map_err(|rejected| render(&rejected.problems, &rejected.sources, Style::PLAIN))?;
    let told = |diagnostic: Diagnostic| render(&diagnostic.into(), &compiled.sources, Style::PLAIN);
    let engine = Engine { precision: Precision::F64, threads: 2, seed, ..Engine::default() };
    let model = &compiled.model;
    let dataset = Dataset::load(model, Path::new("."), seed, engine.precision).map_err(told)?;
    let mut state = State::new(parameters::initial(model, &dataset, &engine).map_err(told)?);
    for (id, param) in model.params.iter() {
        if let Some((_, start)) = starts.iter().find(|(name, _)| *name == param.path) {
            let ty = state.parameters[&id].ty.clone();
            state.parameters.insert(id, Tensor::new(ty, engine.precision, start.iter().copied()));
        }
    }
    let mut training = Training { model, dataset: &dataset, engine: &engine, steps: None, timing: Default::default() };
    let mut values = Values::default();
    training.run(&mut state, &mut values).map_err(told)?;
    let expr = compiled.expression.as_ref().unwrap();
    let found = evaluate::evaluate(model, expr, &dataset, &dataset.split.train, &state.parameters, &engine).map_err(told)?;
    Ok((values.0, found.values.iter().flat_map(|values| values.mean()).collect()))
}

fn after(program: &str, expression: &str) -> Vec<f64> {
    estimated(program, expression, 0).unwrap_or_else(|problems| panic!("{program}\n{problems}")).1
}

fn close(program: &str, expression: &str, expected: &[f64]) {
    let found = after(program, expression);
    let agree = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1.0));
    assert!(agree, "{expression}: found {found:?}, expected {expected:?}");
}

/// Where the program has no maximum in closed form, the words that say so.
fn refused(program: &str, words: &[&str]) {
    let told = estimated(program, "1", 0).map(|_| ()).unwrap_err();
    // Lines are broken where the terminal ends.
    let flat = told.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ");
    assert!(words.iter().all(|word| flat.contains(word)), "{told}");
}

fn reference(path: &str) -> Value {
    let whole: Value = serde_json::from_str(include_str!("../references/evidence.json")).unwrap();
    whole["models"].pointer(path).unwrap_or_else(|| panic!("{path}")).clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

const COIN: &str = "data x : Bit = [1, 0, 1, 0, 1, 1, 0]\nparam theta : Unit = 0.5\np(x) = Bernoulli(theta)\n";

#[test]
fn a_coin_is_as_biased_as_its_flips() {
    let exactly = &format!("{COIN}train {{ maximize log p(x) exactly }}");
    close(exactly, "theta", &[4.0 / 7.0]);
    // The objective of the only step is that at the maximum.
    let entropy = 4.0 / 7.0 * f64::ln(4.0 / 7.0) + 3.0 / 7.0 * f64::ln(3.0 / 7.0);
    assert!((estimated(exactly, "1", 0).unwrap().0[0] - entropy).abs() < 1e-12);
    close(&format!("{COIN}objective loss = -log p(x)\ntrain {{ minimize loss exactly }}"), "theta", &[4.0 / 7.0]);
    close(&format!("{COIN}train {{ maximize log p(x) by em   steps: 2 }}"), "theta", &[4.0 / 7.0]);
    let always = "data x : Bit = [1, 1]\nparam theta : Unit = 0.5\np(x) = Bernoulli(theta)\ntrain { maximize log p(x) exactly }";
    close(always, "theta", &[1.0]);
}

/// The gradient of the mean log-density vanishes, for every rule of the library.
#[test]
fn every_rule_finds_where_the_gradient_vanishes() {
    let models = [
        ("Real", "[0.3, -1.2, 2.5, 0.9]", "param a : Real, b : Positive", "Normal(a, b)", "a, b"),
        ("Real", "[0.3, -1.2, 2.5, 0.9]", "param a : Real", "Normal(a, 0.7)", "a"),
        ("Real", "[0.3, -1.2, 2.5, 0.9]", "param b : Positive", "Normal(0.4, b)", "b"),
        ("Positive", "[0.3, 1.2, 2.5]", "param a : Positive", "Exponential(a)", "a"),
        ("Bit", "[1, 0, 0, 1, 1]", "param a : Unit", "Bernoulli(a)", "a"),
        ("Bit", "[1, 0, 0, 1, 1]", "param a : Real", "Bernoulli(logits: a)", "a"),
        ("Int", "[1, 0, 4, 2]", "param a : Positive", "Poisson(a)", "a"),
        ("Int", "[1, 0, 4, 2]", "param a : Unit", "Binomial(5, a)", "a"),
        ("Cat<3>", "[1, 0, 2, 2]", "param a : Real[3]", "Categorical(logits: a)", "a"),
        ("Real[2]", "[[1, 2], [0.5, -1], [3, 0.2], [-2, 0]]", "param a : Real[2]", "MvNormal(a, [[2, 0.5], [0.5, 1]])", "a"),
        ("Real[2]", "[[1, 2], [0.5, -1], [3, 0.2], [-2, 0]]", "param a : Real[2], b : Positive", "Normal(a, b)", "a, b"),
        ("Real[2]", "[[1, 2], [0.5, -1], [3, 0.2], [-2, 0]]", "param a : Real, b : Positive", "Normal(a, b)", "a, b"),
    ];
    for (ty, data, params, dist, names) in models {
        let program = format!("data x : {ty} = {data}\n{params}\np(x) = {dist}\ntrain {{ maximize log p(x) exactly }}");
        for name in names.split(", ") {
            let slope = after(&program, &format!("grad[{name}](log p(x))"));
            assert!(slope.iter().all(|slope| slope.abs() < 1e-9), "{dist}: the slope at {name} is {slope:?}");
        }
    }
}

#[test]
fn covariances_are_those_of_numpy() {
    let program = "data x : Real[4] = iris().features\nparam m : Real[4], S : Cov[4]\np(x) = MvNormal(m, S)\n\
                   train { maximize log p(x) exactly }";
    close(program, "m", &numbers(&reference("/mvn_mle/values/mean")));
    close(program, "S", &numbers(&reference("/mvn_mle/values/cov")));
    close(program, "log p(x)", &numbers(&reference("/mvn_mle/values/mean_log_likelihood")));
}

#[test]
fn naive_bayes_is_that_of_scikit_learn() {
    let program = "data (x : Real[4], y : Cat<3>) = iris()\nparam w : Simplex[3], m : Real[3, 4], s : Positive[3, 4]\n\
                   p(y) = Categorical(w)\np(x | y) = Normal(m[y], s[y])\ntrain { maximize log p(x, y) exactly }";
    close(program, "m", &numbers(&reference("/naive_bayes/inputs/means")));
    close(program, "log p(x, y)", &numbers(&reference("/naive_bayes/values/mean_log_joint")));
}

#[test]
fn least_squares_are_those_of_scikit_learn() {
    let (x, y) = (reference("/bayes_linear_regression/inputs/x"), reference("/bayes_linear_regression/inputs/y"));
    let rows: Vec<String> = x.as_array().unwrap().iter().zip(y.as_array().unwrap()).map(|(x, y)| row(x, y)).collect();
    let program = format!(
        "data (x : Real[3], y : Real) = [{}]\nparam w : Real[3], s : Positive\np(y | x) = Normal(dot(w, x), s)\n\
         train {{ maximize log p(y | x) exactly }}",
        rows.join(", ")
    );
    close(&program, "w", &numbers(&reference("/bayes_linear_regression/values/maximum_likelihood_w")));
    close(&program, "s", &numbers(&reference("/bayes_linear_regression/values/maximum_likelihood_noise")));
}

fn row(x: &Value, y: &Value) -> String {
    let numbers: Vec<String> = numbers(x).iter().chain(&numbers(y)).map(f64::to_string).collect();
    format!("[{}]", numbers.join(", "))
}

const MIXTURE: &str = "data x : Real[4] = iris().features\nparam w : Simplex[3] = {w}, m : Real[3, 4] = {m}, S : Cov[3, 4] = {S}\n\
                       p(k : Cat<3>) = Categorical(w)\np(x | k) = MvNormal(m[k], S[k])\n";

/// Every iteration, from the same start.
#[test]
fn em_goes_where_that_of_scikit_learn_goes() {
    let [weights, means, covs] = ["weights", "means", "covs"].map(|name| numbers(&reference(&format!("/gmm/inputs/{name}"))));
    let starts = [
        ("w", weights.into_iter().map(f64::ln).collect()),
        ("m", means),
        ("S", covs.chunks(16).flat_map(unconstrained_cov).collect::<Vec<f64>>()),
    ];
    let program = MIXTURE.replace(" = {w}", "").replace(" = {m}", "").replace("{S}", "identity");
    let program = format!("{program}train {{ maximize log p(x) by em   steps: 11 }}\n");
    let (values, _) = estimated_from(&program, "1", 0, &starts).unwrap();
    let expected = numbers(&reference("/gmm/values/mean_log_likelihood_after_em_steps_0_1_2_3_10"));
    for (step, expected) in [0, 1, 2, 3, 10].into_iter().zip(expected) {
        assert!((values[step] - expected).abs() < 1e-5, "after {step} steps: {} and {expected}", values[step]);
    }
    assert!(values.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12), "{values:?}");
}

/// The Cholesky factor of a matrix of 4 by 4, with the logarithm of its diagonal.
fn unconstrained_cov(matrix: &[f64]) -> Vec<f64> {
    let mut l = vec![0.0; 16];
    for i in 0..4 {
        for j in 0..=i {
            let rest = matrix[i * 4 + j] - (0..j).map(|k| l[i * 4 + k] * l[j * 4 + k]).sum::<f64>();
            l[i * 4 + j] = if i == j { rest.sqrt() } else { rest / l[j * 4 + j] };
        }
    }
    (0..4).for_each(|i| l[i * 5] = l[i * 5].ln());
    l
}

/// The covariance of the data is that of the model along the leading directions, and its mean beyond them.
#[test]
fn principal_components_are_those_of_scikit_learn() {
    let model = "data x : Real[4] = iris().features\nparam W : Real[4, 2], m : Real[4], s : Positive\n\
                 p(z : Real[2]) = Normal(0, 1)\np(x | z) = Normal(W @ z + m, s)\n";
    let program = &format!("{model}train {{ maximize log p(x) exactly }}");
    close(program, "s", &numbers(&reference("/ppca/values/maximum/noise")));
    close(program, "W @ W' + s^2 * identity[4]", &numbers(&reference("/ppca/values/maximum/covariance")));
    close(program, "log p(x)", &numbers(&reference("/ppca/values/maximum/mean_log_likelihood")));
    // EM ends at the same place.
    let start = model.replace("W : Real[4, 2]", "W : Real[4, 2] ~ Normal(0, 1)").replace("m : Real[4]", "m : Real[4] = [5, 3, 3, 1]");
    let (values, end) = estimated(&format!("{start}train {{ maximize log p(x) by em   steps: 800 }}"), "log p(x)", 1).unwrap();
    assert!(values.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12));
    let expected = numbers(&reference("/ppca/values/maximum/mean_log_likelihood"))[0];
    assert!((end[0] - expected).abs() < 1e-6, "{} and {expected}", end[0]);
}

#[test]
fn iterations_end_when_they_change_little() {
    let start = MIXTURE.replace(" = {w}", "").replace("= {m}", "~ rows(x)").replace("{S}", "identity");
    let (values, _) = estimated(&format!("{start}train {{ maximize log p(x) by em   steps: 500   tolerance: 1e-6 }}"), "1", 8).unwrap();
    assert!(values.len() < 100, "{} iterations", values.len());
    assert!((values[values.len() - 1] + 1.2012365).abs() < 1e-4);
}

/// One iteration of Baum and Welch: the first member and the others share their emissions.
#[test]
fn chains_are_estimated_as_by_hmmlearn() {
    let input = |name: &str| reference(&format!("/hmm/inputs/{name}"));
    let program = format!(
        "data y[1..8] : Int = {}\nvar z[1..8] : Cat<2>\nparam w : Simplex[2] = {}, A : Simplex[2, 2], rate : Positive[2] = {}\n\
         p(z[1]) = Categorical(w)\np(z[t] | z[t-1]) = Categorical(A[z[t-1]])\np(y[t] | z[t]) = Poisson(rate[z[t]])\n\
         train {{ maximize log p(y) by em   steps: ",
        input("y"),
        input("start"),
        input("rates")
    );
    let starts = [("A", numbers(&input("transition")).into_iter().map(f64::ln).collect())];
    for (name, of) in [("w", "start"), ("A", "transition"), ("rate", "rates")] {
        let (_, found) = estimated_from(&format!("{program}1 }}"), name, 0, &starts).unwrap();
        let expected = numbers(&reference(&format!("/hmm/values/after_one_em_step/{of}")));
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{name}: {found:?} and {expected:?}");
    }
    let (values, _) = estimated_from(&format!("{program}11 }}"), "1", 0, &starts).unwrap();
    let expected = numbers(&reference("/hmm/values/log_likelihood_after_em_steps_0_1_2_10"));
    let found = [0, 1, 2, 10].map(|step| values[step]);
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-8), "{found:?} and {expected:?}");
}

/// What no rule knows follows its gradient, the rest its rules.
#[test]
fn generalised_em() {
    let program = "data x : Real = [0.3, -1.2, 2.5, 0.9]\nparam w : Simplex[2], m : Real[2] = [0, 1], s : Positive\n\
                   p(k : Cat<2>) = Categorical(w)\np(x | k) = Laplace(m[k], s)\n\
                   train { maximize log p(x) by em with Adam(0.01)   steps: 50 }";
    let (values, _) = estimated(program, "1", 0).unwrap();
    assert!(values[49] > values[0] + 0.05, "{values:?}");
}

#[test]
fn what_has_no_exact_maximum_is_said() {
    let all = "train { maximize log p(x) exactly }";
    let laplace = "data x : Real = [1, 2, 4]\nparam m : Real, s : Positive\np(x) = Laplace(m, s)\n";
    refused(&format!("{laplace}{all}"), &["E0302", "is in the way", "with Adam(1e-2)"]);
    let mixture = MIXTURE.replace(" = {w}", "").replace("= {m}", "~ rows(x)").replace("{S}", "identity");
    refused(&format!("{mixture}{all}"), &["E0302", "k is not observed", "by em"]);
    refused(&format!("{COIN}train {{ maximize log p(x) + theta exactly }}"), &["E0302", "is for log-densities"]);
    let net = "data x : Real = [1, 2, 4]\nparam a : Real\np(x) = Normal(exp(a), 1)\n";
    refused(&format!("{net}{all}"), &["E0302", "`a` is in the way", "not quadratic"]);
    let per_axis = "data x : Real[2] = [[1, 2], [2, 1], [0, 5]]\nparam a : Real, s : Positive[2]\np(x) = Normal(a, s)\n";
    refused(&format!("{per_axis}{all}"), &["E0302", "the best `a` depends on `s`"]);
    // Observations of another factor have another scale: with both taken as 1, the mean would be wrong.
    let two = "data (x : Real, y : Real) = [[1, 0.2], [2, 1], [0, 0.3]]\nparam m : Real, s : Positive, r : Positive\n\
               p(x) = Normal(m, s)\np(y) = Normal(m, r)\ntrain { maximize log p(x, y) exactly }";
    refused(two, &["E0302", "the best `m` depends on `s`"]);
    refused(&two.replace("Normal(m, r)", "Normal(m, 0.1)"), &["E0302", "the best `m` depends on `s`"]);
    let classifier = "data (x : Real[4], y : Cat<3>) = iris()\nparam w : Simplex[3], m : Real[3, 4]\n\
                      p(y) = Categorical(w)\np(x | y) = Normal(m[y], 1)\ntrain { maximize log p(y | x) exactly }";
    refused(classifier, &["E0302", "Bayes' rule"]);
}

#[test]
fn estimates_that_do_not_exist_are_said() {
    let line = "data x : Real[2] = [[1, 5], [2, 5], [4, 5]]\nparam m : Real[2], S : Cov[2]\np(x) = MvNormal(m, S)\n\
                train { maximize log p(x) exactly }";
    refused(line, &["E0605", "covariance `S` is singular", "smallest eigenvalue is 0.0000, its largest", "column 1 of x is constant"]);
    let point = "data x : Real = [2, 2, 2]\nparam m : Real, s : Positive\np(x) = Normal(m, s)\ntrain { maximize log p(x) exactly }";
    refused(point, &["E0605", "`s` became 0"]);
    let collapse = "data x : Real[2] = [[0, 0], [0.1, 0.2], [0.2, 0.1], [9, 9]]\nparam m : Real[2, 2] = [[0, 0], [9, 9]], S : Cov[2, 2]\n\
                    p(k : Cat<2>) = Categorical([0.5, 0.5])\np(x | k) = MvNormal(m[k], S[k])\ntrain { maximize log p(x) by em }";
    refused(collapse, &["E0605", "covariance `S[1]` is singular", "this component collapsed"]);
    let missing = "data (x : Real, y : Cat<3>) = [[1, 0], [2, 0], [4, 2], [5, 2]]\nparam m : Real[3], s : Positive[3]\n\
                   p(x | y) = Normal(m[y], s[y])\ntrain { maximize log p(x | y) exactly }";
    refused(missing, &["E0605", "`m[1]` cannot be estimated"]);
    // One scale for all classes: their means are found together, and it is not the first class that lacks observations.
    let tied = missing.replace("Positive[3]", "Positive").replace("s[y]", "s");
    refused(&tied, &["E0605", "equations for `m` have no unique solution", "nothing is observed of some entry"]);
    let twice = "data (x : Real[2], y : Real) = [[1, 2, 3], [2, 4, 5], [3, 6, 1]]\nparam w : Real[2], s : Positive\n\
                 p(y | x) = Normal(dot(w, x), s)\ntrain { maximize log p(y | x) exactly }";
    refused(twice, &["E0605", "no unique solution"]);
}
