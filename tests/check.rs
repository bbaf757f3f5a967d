//! From texts to checked programs: the canonical specifications, the standard library, options.

use tilde_lang::base::{Diagnostics, Sources, Span};
use tilde_lang::check::{CheckOptions, Checked, check, library};
use tilde_lang::syntax::{self, ast};

fn parsed_library(sources: &mut Sources) -> Vec<ast::File> {
    let parse = |(name, text): &(&str, &str)| {
        let file = sources.add(*name, *text, true);
        syntax::parse(text, file).unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
    };
    library::FILES.iter().map(parse).collect()
}

fn checked_with(text: &str, options: &CheckOptions) -> Result<Checked, (Diagnostics, Sources)> {
    let mut sources = Sources::default();
    let file = sources.add("test.tilde", text, false);
    let library = parsed_library(&mut sources);
    let file = syntax::parse(text, file).unwrap_or_else(|problems| panic!("{problems:?}"));
    check(&file, &library, options).map_err(|problems| (problems, sources))
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
