//! From texts to checked programs: the canonical specifications, the standard library, options.

use tilde_lang::base::{Code, Diagnostics, Sources, Span};
use tilde_lang::check::{CheckOptions, Checked, check, library};
use tilde_lang::syntax;

fn checked_with(text: &str, options: &CheckOptions) -> Result<Checked, (Diagnostics, Sources)> {
    let mut sources = Sources::default();
    let file = sources.add("test.tilde", text, false);
    let library = library::load(&mut sources).unwrap();
    let file = syntax::parse(text, file).unwrap_or_else(|problems| panic!("{problems:?}"));
    check(&file, library, options).map_err(|problems| (problems, sources))
}

fn told(problems: &Diagnostics, sources: &Sources) -> String {
    let line = |span: Span| format!("{}:{}", sources.get(span.file).name, sources.line_column(span).0);
    let tell = |d: &tilde_lang::base::Diagnostic| {
        let labels: Vec<String> = d.labels.iter().map(|(span, text)| format!("\n    {}: {text}", line(*span))).collect();
        format!("{} {}: {}{}\n", line(d.span()), d.code, d.message, labels.concat())
    };
    problems.0.iter().map(tell).collect()
}

fn checked(text: &str) -> Checked {
    checked_with(text, &CheckOptions::default()).unwrap_or_else(|(problems, sources)| panic!("\n{}", told(&problems, &sources)))
}

fn spec(name: &str) -> String {
    let path = format!("{}/tests/specs/{name}.tilde", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_autoencoder_checks() {
    let model = checked(&spec("vae")).model;
    assert_eq!(model.densities.len(), 2);
    let paths: Vec<_> = model.params.values().map(|param| format!("{} : {}", param.path, param.ty)).collect();
    assert_eq!(paths[0], "enc.dense1.W : Real[500, 784]");
    assert_eq!(paths.len(), 10);
}

#[test]
fn a_coin_checks() {
    let model = checked(
        "data x : Bit = [1, 0, 1, 0, 1, 1, 0]\nparam theta : Unit = 0.5\np(x) = Bernoulli(theta)\n\
         train { maximize log p(x) with Adam(1e-2)   steps: 10 }",
    )
    .model;
    assert!(model.params.values().all(|param| param.constraint.is_some()));
}

/// Canonical programs beyond the first: each is a model, or says only what is not supported yet.
#[test]
fn the_other_specifications_check_or_say_what_is_missing() {
    let mut report = String::new();
    for name in ["coin", "gmm", "ddpm", "score_sde", "rbm", "gan", "dpo"] {
        if let Err((problems, sources)) = checked_with(&spec(name), &CheckOptions::default()) {
            let others: Vec<_> = problems.0.into_iter().filter(|d| d.code != Code::NotSupportedYet).collect();
            report += &told(&Diagnostics(others), &sources);
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// The programs on the page of a code: the wrong one has that mistake, the right one none. Some mistakes show only later.
#[test]
fn the_pages_of_the_codes_are_true() {
    use Code::*;
    let later = [
        TooDeep,
        NoRule,
        NoEstimator,
        NoDerivative,
        NotInvertible,
        WrongBijector,
        NoKernel,
        NoProcess,
        DataMissing,
        DataFormat,
        DataShape,
        DataValue,
        DataEmpty,
        NonFinite,
        Degenerate,
        Fell,
        Required,
        Checkpoint,
        Output,
        Internal,
    ];
    let mut report = String::new();
    for &code in Code::ALL {
        let blocks = code.page().split("```").skip(1).step_by(2);
        let programs: Vec<&str> = blocks.filter_map(|block| block.strip_prefix("tilde\n")).collect();
        let (wrong, right) = match programs[..] {
            [wrong, right] => (wrong, right),
            // Some pages show commands instead.
            _ if later.contains(&code) => continue,
            _ => panic!("{code} shows {} programs", programs.len()),
        };
        let said = said_of(wrong);
        if !later.contains(&code) && said.iter().all(|(found, _)| *found != code) {
            report += &format!("{code}, wrong: {said:?}\n");
        }
        let said = said_of(right);
        if !said.is_empty() {
            report += &format!("{code}, right: {said:?}\n");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

fn said_of(text: &str) -> Vec<(Code, String)> {
    let mut sources = Sources::default();
    let file = sources.add("page.tilde", text, false);
    let library = library::load(&mut sources).unwrap();
    let said = syntax::parse(text, file).and_then(|ast| check(&ast, library, &CheckOptions::default()).map(|_| ()));
    said.err().map_or(vec![], |problems| problems.0.into_iter().map(|d| (d.code, d.message)).collect())
}

#[test]
fn dims_and_constants_can_be_set() {
    let text = "dim D = 2\nlet rate = 0.1\ndata x : Real[D] = moons()\nparam m : Real[D] = rate\np(x) = Normal(m, 1)";
    let set =
        |name: &str, value: &str| checked_with(text, &CheckOptions { overrides: vec![(name.into(), value.into())], expression: None });
    let model = set("D", "3").map_err(|(problems, _)| problems).unwrap().model;
    assert_eq!(model.dims, [("D".to_string(), 3)]);
    assert_eq!(model.params.values().next().unwrap().ty.to_string(), "Real[3]");
    assert!(set("rate", "-2.5").is_ok());
    for (name, value) in [("d", "3"), ("D", "1.5"), ("rate", "fast"), ("m", "1")] {
        assert!(set(name, value).is_err(), "--set {name}={value}");
    }
}

#[test]
fn a_model_prints_a_line_for_each_declaration() {
    let model = checked(
        "dim D = 2\ndata x : Real[D] = moons()\np(z : Real[D]) = Normal(0, 1)\np(x | z) = Normal(z, 1)\nsample draws = { z ~ p(z); x ~ p(x | z) } as scatter",
    )
    .model
    .to_string();
    let declarations: Vec<&str> = model.lines().filter(|line| !line.starts_with("fn ") && !line.starts_with("let ")).collect();
    assert_eq!(
        declarations,
        [
            "dim D = 2",
            "data x : Real[2] = moons split 0",
            "var z : Real[2]",
            "dist Normal : Real",
            "rule Kl Normal || Normal",
            "rule MaximumLikelihood Normal",
            "factor p(z) : distribution of Real[2]",
            "factor p(x | z) : distribution of Real[2]",
            "sample draws : Real[2] as Scatter",
        ]
    );
}

/// Each member of a family has its own weights, shared by its uses.
#[test]
fn a_family_of_nets_has_weights_for_each_member() {
    let model = checked(
        "net f[k](x : Real) -> Real = dense[1]([x])[0]\n\
         metric m = { let y = 1.0; repeat k in 3 { y = f[k](y) }; repeat k in 3 { y = f[2 - k](y) }; y }",
    )
    .model;
    let paths: Vec<&str> = model.params.values().map(|param| param.path.as_str()).collect();
    assert_eq!(paths, ["f0.dense1.W", "f0.dense1.b", "f1.dense1.W", "f1.dense1.b", "f2.dense1.W", "f2.dense1.b"]);
}
