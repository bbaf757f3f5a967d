//! No text makes the parser panic, overflow the stack, or take long.

use proptest::prelude::*;
use tilde_lang::base::{Code, FileId};
use tilde_lang::syntax::{format, parse, parse_expr};

/// The code of the first problem of a text that must have one.
fn code(text: &str) -> Code {
    parse(text, FileId(0)).expect_err("too deep").0[0].code
}

#[test]
fn bombs_are_diagnosed() {
    const MANY: usize = 100_000;
    let bombs = [
        format!("let a = {}1", "(".repeat(MANY)),
        format!("let a = {}1{}", "(".repeat(MANY), ")".repeat(MANY)),
        format!("let a = {}1", "-".repeat(MANY)),
        format!("let a = {}1", "not ".repeat(MANY)),
        format!("let a = {}1", "log ".repeat(MANY)),
        format!("let a = {}1", "if a then ".repeat(MANY)),
        format!("let a = {}1", "if a then 1 else ".repeat(MANY)),
        format!("let a = {}", "if a { 1 } else ".repeat(MANY)),
        format!("let a = 1{}", "^2".repeat(MANY)),
        format!("let a = 1{}", " + 2".repeat(MANY)),
        format!("let a = x{}", "'".repeat(MANY)),
        format!("let a = f{}", "(x)".repeat(MANY)),
        format!("let a = {}", "{".repeat(MANY)),
        format!("fn f(x : {}", "(".repeat(MANY)),
        format!("let a = {}", "[f(".repeat(MANY)),
    ];
    for bomb in bombs {
        assert_eq!(code(&bomb), Code::TooDeep, "{}", &bomb[..30]);
    }
}

#[test]
fn reasonable_depth_is_allowed() {
    let nested = |levels: usize| format!("let a = {}1{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&nested(64), FileId(0)).is_ok());
    assert!(parse(&format!("let a = 1{}", " + 2".repeat(200)), FileId(0)).is_ok());
    // Long rows are not deep.
    assert!(parse(&format!("let a = [{}]", "1, ".repeat(10_000)), FileId(0)).is_ok());
}

/// Fragments of the language in a random order.
fn soup() -> impl Strategy<Value = String> {
    let tokens = vec![
        "let ",
        "data ",
        "x",
        "p",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "|",
        "||",
        ":",
        "=",
        "∝",
        "~",
        ",",
        ";",
        "\n",
        " ",
        "+",
        "-",
        "*",
        "/",
        "^",
        "'",
        "..",
        ".",
        "->",
        "<=",
        "<",
        ">",
        "log ",
        "if ",
        " then ",
        " else ",
        " for ",
        " in ",
        "train ",
        "maximize ",
        "with ",
        "as ",
        "from ",
        "\"",
        "\"t\"",
        "//",
        "1",
        "0.5",
        "1e-3",
        "θ",
        "∇",
        "𝔼",
        "fn ",
        "dist ",
        "rule ",
        "not ",
        " and ",
        "dt",
        "dW",
        "dx",
        "q : ",
        "batch: ",
        "use ",
        "::",
    ];
    prop::collection::vec(prop::sample::select(tokens), 0..60).prop_map(|tokens| tokens.concat())
}

const PROGRAMS: [&str; 4] = [
    include_str!("../specs/gmm.tilde"),
    include_str!("../specs/score_sde.tilde"),
    include_str!("../specs/rbm.tilde"),
    include_str!("../specs/gan.tilde"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_text_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = (parse(&text, FileId(0)), parse_expr(&text, FileId(0)), format(&text));
    }

    #[test]
    fn every_problem_of_a_token_soup_has_a_place_in_the_text(text in soup()) {
        let _ = parse_expr(&text, FileId(0));
        if let Err(problems) = parse(&text, FileId(0)) {
            for problem in problems.0 {
                prop_assert!(text.get(problem.span().range()).is_some(), "{problem:?}");
                prop_assert!(problem.code != Code::Internal, "{problem:?}");
            }
        }
    }

    #[test]
    fn what_still_parses_after_a_cut_can_be_formatted(program in 0..PROGRAMS.len(), start in 0usize..1000, length in 0usize..12) {
        let cut = |i: usize| i < start || i >= start + length;
        let text: String = PROGRAMS[program].chars().enumerate().filter(|(i, _)| cut(*i)).map(|(_, c)| c).collect();
        if parse(&text, FileId(0)).is_ok() {
            let once = format(&text);
            prop_assert!(once.is_ok(), "{once:?}");
            prop_assert_eq!(once.clone().and_then(|once| format(&once)), once);
        }
    }
}
