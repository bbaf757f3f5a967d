//! A diagnostic: what was found, what was expected, why it was expected, one thing to try.
//!
//! Pure rules return `Diagnostic`s without a place; the caller adds one with [`Diagnostic::at`].

use super::{Code, Span};
use std::fmt::Display;

#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub code: Code,
    /// What was found, in one sentence.
    pub message: String,
    /// The places, the primary first; each says what stands there.
    pub labels: Vec<(Span, String)>,
    /// One thing to try.
    pub help: Option<String>,
    /// Calls that lead from the user's line to the place of the problem, outermost first.
    pub chain: Vec<(Span, String)>,
}

pub type Result<T> = std::result::Result<T, Diagnostic>;

impl Diagnostic {
    pub fn new(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, message: message.into(), labels: vec![], help: None, chain: vec![] }
    }

    /// "Not supported yet": a construct that the grammar knows and the compiler does not, so far.
    pub fn unsupported(construct: impl Display) -> Diagnostic {
        Diagnostic::new(Code::NotSupportedYet, format!("{construct} is not supported yet"))
    }

    /// A broken invariant of the compiler, shown as a request for a report rather than a panic.
    pub fn internal(message: impl Display) -> Diagnostic {
        Diagnostic::new(Code::Internal, format!("the compiler broke one of its own rules: {message}"))
            .help("please report this with the file that caused it")
    }

    /// Sets the primary place where none is set yet.
    pub fn at(self, span: Span) -> Diagnostic {
        if self.labels.is_empty() { self.label(span, "here") } else { self }
    }

    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push((span, text.into()));
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    pub fn span(&self) -> Span {
        self.labels.first().map_or_else(Span::default, |(span, _)| *span)
    }
}

/// Adds a place to the error of a pure rule.
pub trait At<T> {
    fn at(self, span: Span) -> Result<T>;
}

impl<T> At<T> for Result<T> {
    fn at(self, span: Span) -> Result<T> {
        self.map_err(|diagnostic| diagnostic.at(span))
    }
}

/// All problems of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// One problem is told once, however many goals lead to it.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let same =
            |known: &Diagnostic| known.code == diagnostic.code && known.message == diagnostic.message && known.span() == diagnostic.span();
        if !self.0.iter().any(same) {
            self.0.push(diagnostic);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of the text, the user's file first.
    pub fn sorted(mut self) -> Diagnostics {
        self.0.sort_by_key(|d| d.span());
        self
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics(vec![diagnostic])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FileId;

    #[test]
    fn one_problem_is_told_once() {
        let problem = || Diagnostic::new(Code::OutOfRange, "t is 3").at(Span::new(FileId(0), 4, 9));
        let mut problems = Diagnostics::default();
        problems.push(problem());
        problems.push(problem().label(Span::new(FileId(0), 20, 25), "asked for here"));
        problems.push(Diagnostic::new(Code::OutOfRange, "t is 4").at(Span::new(FileId(0), 4, 9)));
        assert_eq!(problems.0.len(), 2);
    }
}
