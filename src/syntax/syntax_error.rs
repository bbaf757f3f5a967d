//! The messages of this folder: every way in which a text can fail to follow the grammar.

use super::grammar::Rule;
use super::layout::{DECLARATIONS, DEEPEST, closing};
use crate::base::{Code, Diagnostic, FileId, Span, nearest};
use pest::error::{Error, ErrorVariant, InputLocation};

/// Words that start a declaration here or a statement that stands like one, for suggestions.
fn keywords() -> impl Iterator<Item = &'static str> {
    DECLARATIONS.into_iter().chain(["let", "param", "update"])
}

/// Words that are never names.
const RESERVED: [&str; 15] =
    ["if", "then", "else", "and", "or", "not", "in", "for", "let", "true", "false", "while", "repeat", "maximize", "minimize"];

/// What other languages call a declaration, and what it is called here.
const FOREIGN: [(&str, &str); 12] = [
    ("def", "fn"),
    ("func", "fn"),
    ("function", "fn"),
    ("import", "use"),
    ("const", "let"),
    ("parameter", "param"),
    ("loss", "objective"),
    ("module", "net"),
    ("model", "net"),
    ("class", "layer"),
    ("distribution", "dist"),
    ("size", "dim"),
];

fn syntax(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::Syntax, message)
}

pub(super) fn too_deep(place: Span) -> Diagnostic {
    Diagnostic::new(Code::TooDeep, format!("this is nested more than {DEEPEST} levels deep"))
        .label(place, "one level too many")
        .help("name a part of the expression with `let` and use the name")
}

pub(super) fn unterminated_text(place: Span) -> Diagnostic {
    syntax("this text has no closing `\"` on its line").label(place, "opened here").help("close the text with `\"`")
}

pub(super) fn never_closed(bracket: u8, opened: Span, end: Span, what: &str) -> Diagnostic {
    let (open, close) = (bracket as char, closing(bracket) as char);
    syntax(format!("this `{open}` is never closed"))
        .label(opened, "opened here")
        .label(end, what)
        .help(format!("add `{close}` where the part that it opens ends"))
}

pub(super) fn wrong_closing(found: u8, here: Span, bracket: u8, opened: Span) -> Diagnostic {
    let (found, open, close) = (found as char, bracket as char, closing(bracket) as char);
    syntax(format!("found `{found}` where `{close}` was expected"))
        .label(here, format!("`{close}` expected before this"))
        .label(opened, format!("to close this `{open}`"))
        .help(format!("add `{close}`, or remove the `{open}`"))
}

pub(super) fn stray_closing(bracket: u8, here: Span) -> Diagnostic {
    let bracket = bracket as char;
    syntax(format!("this `{bracket}` closes nothing")).label(here, "no bracket is open here").help(format!("remove the `{bracket}`"))
}

pub(super) fn chained(operator: &str, place: Span) -> Diagnostic {
    let help = if operator == ".." { "a range has two ends" } else { "join two comparisons with `and`: `a < b and b < c`" };
    syntax(format!("`{operator}` cannot be chained")).label(place, "a second one in the same expression").help(help)
}

pub(super) fn parallel_outside_divergence(place: Span) -> Diagnostic {
    syntax("`||` stands between the two densities of a divergence, as in `KL(a || b)`")
        .label(place, "not inside the parentheses of a call")
        .help("write `or` for the logical operator")
}

pub(super) fn if_without_else(place: Span) -> Diagnostic {
    syntax("this `if` is used as a value and has no `else`").label(place, "no value when the condition is false").help("add `else …`")
}

pub(super) fn second_term(which: &str, place: Span) -> Diagnostic {
    syntax(format!("a second `{which}` term"))
        .label(place, format!("`{which}` appears before"))
        .help(format!("put the sum in parentheses: `(a + b) {which}`"))
}

pub(super) fn process_needs_range(place: Span) -> Diagnostic {
    syntax("the time of a process runs over a range").label(place, "not a range").help("write `x(t in 0..1) : T`")
}

pub(super) fn empty_expression(place: Span) -> Diagnostic {
    syntax("expected an expression, found nothing").label(place, "nothing to evaluate")
}

pub(super) fn bad_number(text: &str, place: Span) -> Diagnostic {
    syntax(format!("`{text}` is not a number")).label(place, "cannot be represented")
}

/// The error of the parser generator, in the user's words. `text` is what was parsed as `rule`, `offset` its place in the
/// file.
pub(super) fn from_pest(rule: Rule, error: Error<Rule>, text: &str, file: FileId, offset: usize) -> Diagnostic {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let found = token_at(text, at);
    let place = Span::new(file, offset + at, offset + at + found.len());
    let positives = match error.variant {
        ErrorVariant::ParsingError { positives, negatives: _ } => positives,
        // The only custom error that the parser makes itself is the one of its stack guard.
        ErrorVariant::CustomError { .. } => return too_deep(place),
    };
    if rule == Rule::one_declaration
        && let Some(diagnostic) = unknown_declaration(text, at, file, offset)
    {
        return diagnostic;
    }
    let expected = alternatives(&positives, text, at);
    let described = describe(found);
    let diagnostic = syntax(format!("expected {expected}, found {described}")).label(place, format!("expected {expected}"));
    match advice(text, at, found, &positives, &expected) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The token that starts at a place: a word, a number, or one of the operators that users bring from elsewhere.
fn token_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or("");
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    if word > 0 {
        return &rest[..word];
    }
    let long = [":=", "==", "&&", "||", "**", "->", "=>", "<-", "<=", ">=", "!=", "..", "::", "++"];
    match long.iter().find(|operator| rest.starts_with(**operator)) {
        Some(operator) => &rest[..operator.len()],
        None => rest.chars().next().map_or("", |c| &rest[..c.len_utf8()]),
    }
}

fn describe(found: &str) -> String {
    match found {
        "" => "the end of the declaration".to_string(),
        "\n" => "the end of the line".to_string(),
        "\"" => "a text".to_string(),
        "\u{a0}" => "a non-breaking space".to_string(),
        _ => format!("`{found}`"),
    }
}

/// The alternatives in the user's words, without those that would only distract.
fn alternatives(rules: &[Rule], text: &str, at: usize) -> String {
    let mut rules = rules.to_vec();
    // After an operand everything that prolongs it is possible too.
    let after_operand = rules.contains(&Rule::dot);
    if after_operand {
        rules.retain(|rule| !matches!(rule, Rule::dot | Rule::open_paren | Rule::open_bracket | Rule::open_angle));
    }
    // Where an operand may stand, every kind of operand may.
    if rules.contains(&Rule::number) {
        use Rule::*;
        rules.retain(|rule| !matches!(rule, text | name | ident | kw_if | open_paren | open_bracket | open_brace));
    }
    // Keywords are names elsewhere, so that `dim = 2` is possible, and never meant.
    let first = token_at(text, 0);
    if keywords().any(|keyword| keyword == first) && text.get(first.len()..at).is_some_and(|between| between.trim().is_empty()) {
        without(&mut rules, |rule| matches!(rule, Rule::equals | Rule::type_colon | Rule::open_paren | Rule::path_sep));
    }
    let mut words: Vec<String> = vec![];
    for word in rules.into_iter().map(Rule::words) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.iter().any(|word| word == "a declaration") {
        words.retain(|word| word == "a declaration");
    }
    without(&mut words, |word| word == "an operator" || word == "`..`");
    if after_operand && words.iter().all(|word| word == "`,`") {
        words.push("an operator".to_string());
        words.push("the end of the declaration".to_string());
    }
    if words.len() > 3 {
        let separators = ["`=`", "`,`", "`)`", "`]`", "`}`", "`:`", "`{`", "`then`", "`else`", "`in`"];
        without(&mut words, |word| !separators.contains(&word.as_str()));
    }
    match words.split_last() {
        None => "an operator".to_string(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Leaves out what a condition holds for, unless nothing would be left.
fn without<T>(items: &mut Vec<T>, left_out: impl Fn(&T) -> bool) {
    if !items.iter().all(&left_out) {
        items.retain(|item| !left_out(item));
    }
}

fn unknown_declaration(text: &str, at: usize, file: FileId, offset: usize) -> Option<Diagnostic> {
    let word = token_at(text, 0);
    let after = text[word.len()..].trim_start();
    let two_words = at <= text.len() - after.len() && after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '{');
    if !two_words || keywords().any(|keyword| keyword == word) || !word.starts_with(char::is_alphabetic) {
        return None;
    }
    let place = Span::new(file, offset, offset + word.len());
    let diagnostic = syntax(format!("`{word}` does not start a declaration")).label(place, "not a keyword");
    let foreign = FOREIGN.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours);
    Some(match foreign.or_else(|| nearest(word, keywords())) {
        Some(keyword) => diagnostic.help(format!("did you mean `{keyword}`?")),
        None => diagnostic.help("a declaration starts with a keyword such as `let`, `data`, `net`, or with a density: `p(x) = …`"),
    })
}

/// `maximise ELBO`, which reads as a setting's name: the word meant, if one of the last two words is nearly it.
fn misspelt_goal(before: &str) -> Option<&'static str> {
    let words = before.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.rev().take(2).find_map(|word| nearest(word, ["maximize", "minimize"]))
}

/// One thing to try, where the likely cause can be recognised.
fn advice(text: &str, at: usize, found: &str, positives: &[Rule], expected: &str) -> Option<String> {
    let before = text.get(..at).unwrap_or("").trim_end();
    if positives == [Rule::setting_colon]
        && let Some(goal) = misspelt_goal(before)
    {
        return Some(format!("did you mean `{goal}`?"));
    }
    let advice = match found {
        ":=" => "write `=`",
        "==" if positives.contains(&Rule::equals) => "a declaration has a single `=`; `==` compares",
        "&&" => "write `and`",
        "||" => "write `or`",
        "!" => "write `not`",
        "**" => "write `^` for powers",
        "*" if before.ends_with('*') => "write `^` for powers",
        "=" if before.ends_with(['+', '-', '*', '/']) => "write the new value out: `x = x + e`",
        "<-" => "write `~` for a draw and `=` for a value",
        "%" => "there is no operator `%`; use `rem(a, b)`",
        "'" => "texts stand in double quotes; `'` transposes what stands before it",
        "." => "a number starts with a digit: `0.5`",
        "\u{a0}" => "replace it with an ordinary space",
        "=" if positives.contains(&Rule::kw_dt) => "a sum needs parentheses before `dt` and `dW`",
        "+" | "-" if positives.contains(&Rule::kw_dt) => "a sum needs parentheses before `dt` and `dW`: `(a + b) dt`",
        _ if positives.contains(&Rule::kw_dt) => "an Itô process reads `q : dx = f dt + g dW`",
        _ if at == 0 && !found.starts_with(char::is_alphanumeric) => {
            "a line goes on when it ends with an operator or a comma, not when the next one starts with it"
        }
        _ if expected.contains("`=`") && expected.contains("`:`") => "give it a value with `=`, or a type with `:`",
        _ if positives == [Rule::setting_colon] => "a setting reads `name: value`; a type stands after `:`",
        _ if positives == [Rule::equals] => "write `=` before the value",
        _ if positives == [Rule::type_colon] => "give it a type: `name : Real[D]`",
        _ if found.starts_with(|c: char| c.is_ascii_digit()) && found.contains(char::is_alphabetic) => "write products with `*`: `2 * x`",
        _ if RESERVED.contains(&found) && positives.contains(&Rule::ident) => "this word is reserved; choose another name",
        _ => return None,
    };
    Some(advice.to_string())
}
