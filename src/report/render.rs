//! Diagnostics as people and programs read them.
//!
//! The user's own line comes first. A problem inside the library is shown at the innermost call in a user's file, with the calls around it
//! and the place in the library after it; a snippet a file.

use crate::base::{Diagnostic, Diagnostics, FileId, Sources, Span};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity};
use serde::Serialize;
use std::fmt;
use std::io::IsTerminal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours, by ANSI sequences
    pub colour: bool,
    /// Box drawing characters rather than ASCII
    pub unicode: bool,
    /// Columns of text
    pub width: usize,
}

impl Style {
    /// For files, pipes and tests.
    pub const PLAIN: Style = Style { colour: false, unicode: false, width: 120 };

    /// As standard error takes it: plain unless it is a terminal; without colour where NO_COLOR is set (no-color.org).
    pub fn of_stderr() -> Style {
        if !std::io::stderr().is_terminal() {
            return Style::PLAIN;
        }
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var("TERM").is_ok_and(|terminal| terminal == "dumb");
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Style { colour: !dumb && !set("NO_COLOR"), unicode: !dumb, width: columns.unwrap_or(100).clamp(40, 120) }
    }

    fn handler(self) -> GraphicalReportHandler {
        let theme = match (self.colour, self.unicode) {
            (true, true) => GraphicalTheme::unicode(),
            (true, false) => GraphicalTheme::ascii(),
            (false, true) => GraphicalTheme::unicode_nocolor(),
            (false, false) => GraphicalTheme::none(),
        };
        GraphicalReportHandler::new_themed(theme).with_width(self.width).with_links(false).with_primary_span_start()
    }
}

/// All problems in the order of the text, a blank line between, and a last line that counts them. Empty if there are none.
pub fn render(diagnostics: &Diagnostics, sources: &Sources, style: Style) -> String {
    let ordered = ordered(diagnostics, sources);
    let Some((first, _)) = ordered.first() else {
        return String::new();
    };
    let mut text = String::new();
    for (diagnostic, places) in &ordered {
        text += &block(diagnostic, places, sources, style);
        text.push('\n');
    }
    let count = if ordered.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", ordered.len()) };
    text + &format!("{count}; `tilde explain {}` says more\n", first.code)
}

/// A place and what stands there.
type Place = (Span, String);

fn ordered<'a>(diagnostics: &'a Diagnostics, sources: &Sources) -> Vec<(&'a Diagnostic, Vec<Place>)> {
    let mut ordered: Vec<_> = diagnostics.0.iter().map(|diagnostic| (diagnostic, places(diagnostic, sources))).collect();
    ordered.sort_by_key(|(_, places)| places.first().map_or_else(Span::default, |(span, _)| *span));
    ordered
}

/// The place to look at first, then all others.
fn places(diagnostic: &Diagnostic, sources: &Sources) -> Vec<Place> {
    let in_library = |span: Span| sources.get(span.file).library;
    let calls = diagnostic.chain.iter().rev().cloned();
    let labels = diagnostic.labels.iter().cloned();
    if diagnostic.labels.first().is_some_and(|(span, _)| in_library(*span)) {
        let (library, user): (Vec<Place>, Vec<Place>) = calls.partition(|(span, _)| in_library(*span));
        user.into_iter().chain(labels).chain(library).collect()
    } else {
        labels.chain(calls).collect()
    }
}

fn block(diagnostic: &Diagnostic, places: &[Place], sources: &Sources, style: Style) -> String {
    let mut files: Vec<FileId> = vec![];
    for (span, _) in places {
        if !files.contains(&span.file) {
            files.push(span.file);
        }
    }
    let snippet = |file: FileId| {
        let here = places.iter().filter(|(span, _)| span.file == file);
        let labels = here.enumerate().map(|(i, (span, text))| label(*span, text, i == 0, sources)).collect();
        (NamedSource::new(&sources.get(file).name, sources.get(file).text.to_string()), labels)
    };
    let mut text = String::new();
    // Only the first snippet carries the message, only the last the help.
    for number in 0..files.len().max(1) {
        let shown = Shown {
            code: (number == 0).then(|| diagnostic.code.to_string()),
            message: if number == 0 { diagnostic.message.clone() } else { elsewhere(sources, files[number]) },
            help: diagnostic.help.clone().filter(|_| number + 1 >= files.len()),
            snippet: files.get(number).map(|file| snippet(*file)),
        };
        // Writing into a String does not fail.
        let _ = style.handler().render_report(&mut text, &shown);
    }
    text
}

fn elsewhere(sources: &Sources, file: FileId) -> String {
    let source = sources.get(file);
    if source.library { format!("in the library, {}", source.name) } else { format!("in {}", source.name) }
}

fn label(span: Span, text: &str, primary: bool, sources: &Sources) -> LabeledSpan {
    let length = sources.get(span.file).text.len();
    let (start, end) = (span.range().start.min(length), span.range().end.min(length));
    let range = (start, end.saturating_sub(start));
    let text = (!text.is_empty()).then(|| text.to_owned());
    if primary { LabeledSpan::new_primary_with_span(text, range) } else { LabeledSpan::new_with_span(text, range) }
}

/// A snippet of one file, as miette asks for it.
#[derive(Debug)]
struct Shown {
    /// Absent for the snippets after the first
    code: Option<String>,
    message: String,
    help: Option<String>,
    snippet: Option<(NamedSource<String>, Vec<LabeledSpan>)>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.code.is_some() { Severity::Error } else { Severity::Advice })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.snippet.as_ref().map(|(source, _)| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.snippet.as_ref().map(|(_, labels)| Box::new(labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

/// For programs: an array of objects `{code, message, file, line, column, end: {line, column}, help, labels}` in the order of the text.
/// Lines and columns count from 1, columns in characters; all of a place is null where a problem has none. `labels` holds every place, the
/// first included, as `{file, line, column, end, text}`.
pub fn json(diagnostics: &Diagnostics, sources: &Sources) -> serde_json::Value {
    let problem = |(diagnostic, places): &(&Diagnostic, Vec<Place>)| {
        let labels: Vec<JsonLabel> = places.iter().map(|place| JsonLabel::new(place, sources)).collect();
        let first = labels.first();
        serde_json::json!({
            "code": diagnostic.code.as_str(),
            "message": diagnostic.message,
            "file": first.map(|label| label.file),
            "line": first.map(|label| label.line),
            "column": first.map(|label| label.column),
            "end": first.map(|label| &label.end),
            "help": diagnostic.help,
            "labels": labels,
        })
    };
    ordered(diagnostics, sources).iter().map(problem).collect()
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end: JsonEnd,
    text: &'a str,
}

#[derive(Serialize)]
struct JsonEnd {
    line: usize,
    column: usize,
}

impl<'a> JsonLabel<'a> {
    fn new((span, text): &'a Place, sources: &'a Sources) -> JsonLabel<'a> {
        let (line, column) = sources.line_column(*span);
        let (end_line, end_column) = sources.line_column(Span { start: span.end, ..*span });
        JsonLabel { file: &sources.get(span.file).name, line, column, end: JsonEnd { line: end_line, column: end_column }, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Code;

    /// A user's file, a second one, and the library.
    fn sources() -> (Sources, [FileId; 3]) {
        let mut sources = Sources::default();
        let user = sources.add("vae.tilde", "dim D = 2\nlet μ = 1\np(x) = Normal(mu, s)\n", false);
        let other = sources.add("nets.tilde", "net f(x : Real[D]) -> Real = x\n", false);
        let library = sources.add("dists.tilde", "dist Normal(mean : Real, std : Positive)\n", true);
        (sources, [user, other, library])
    }

    fn of(sources: &Sources, file: FileId, word: &str) -> Span {
        let start = sources.get(file).text.find(word).unwrap();
        Span::new(file, start, start + word.len())
    }

    #[test]
    fn a_problem_shows_message_places_of_every_file_and_help() {
        let (sources, [user, other, _]) = sources();
        let problem = Diagnostic::new(Code::ShapeMismatch, "Real[2] is given, Real[D] expected")
            .label(of(&sources, user, "mu, s"), "this is Real[2]")
            .label(of(&sources, other, "x : Real[D]"), "declared here")
            .help("write mu[0]");
        insta::assert_snapshot!(render(&problem.into(), &sources, Style::PLAIN));
    }

    #[test]
    fn a_problem_in_the_library_begins_at_the_users_line() {
        let (sources, [user, _, library]) = sources();
        let mut problem =
            Diagnostic::new(Code::TypeMismatch, "`std` is to be positive").label(of(&sources, library, "std"), "declared here");
        problem.chain = vec![(of(&sources, user, "p(x)"), "needed here".into()), (of(&sources, user, "Normal"), "called from here".into())];
        let diagnostics = problem.into();
        insta::assert_snapshot!(render(&diagnostics, &sources, Style::PLAIN));
        let json = json(&diagnostics, &sources);
        assert_eq!((&json[0]["file"], &json[0]["line"], &json[0]["column"]), (&"vae.tilde".into(), &3.into(), &8.into()));
        assert_eq!(json[0]["end"], serde_json::json!({ "line": 3, "column": 14 }));
        assert_eq!(
            json[0]["labels"][2],
            serde_json::json!({ "file": "dists.tilde", "line": 1, "column": 26, "end": { "line": 1, "column": 29 }, "text": "declared here" })
        );
    }

    #[test]
    fn problems_come_in_the_order_of_the_text_with_their_number() {
        let (sources, [user, other, _]) = sources();
        let at = |file, word| Diagnostic::new(Code::UnknownName, format!("found {word}")).at(of(&sources, file, word));
        let mut diagnostics = Diagnostics::default();
        [at(other, "net"), at(user, "Normal"), at(user, "dim")].into_iter().for_each(|problem| diagnostics.push(problem));
        let text = render(&diagnostics, &sources, Style::PLAIN);
        let places = ["found dim", "found Normal", "found net"].map(|message| text.find(message).unwrap());
        assert!(places.is_sorted(), "{text}");
        assert!(text.ends_with("\n\n3 problems; `tilde explain E0101` says more\n"), "{text}");
        assert_eq!(render(&Diagnostics::default(), &sources, Style::PLAIN), "");
    }

    #[test]
    fn a_place_is_not_needed_nor_trusted() {
        let (sources, [user, ..]) = sources();
        let nowhere = Diagnostic::new(Code::Output, "the disk is full").into();
        assert!(render(&nowhere, &Sources::default(), Style::PLAIN).contains("the disk is full"));
        assert!(json(&nowhere, &Sources::default())[0]["file"].is_null());
        let beyond = Diagnostic::new(Code::Syntax, "the text ends too early").at(Span::new(user, 5000, 5001)).into();
        let text = render(&beyond, &sources, Style { colour: true, unicode: true, width: 80 });
        assert!(text.contains("the text ends too early") && !text.contains("Failed to read"), "{text}");
    }
}
