//! Derivations as numbered steps: for a terminal, in Markdown, as a LaTeX document.

mod latex;
mod layout;
mod precedence;
mod text;
mod typeset;
mod unicode;

use crate::algebra::{Formula, Step};
use typeset::Setter;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Unicode,
    Markdown,
    /// A whole document, with `amsmath` alone
    Latex,
}

/// What is derived, and how.
#[derive(Clone, Debug)]
pub struct Derivation {
    /// `train`, `metric iwae`
    pub title: String,
    /// What is derived, where the title does not say it
    pub goal: Option<Formula>,
    pub steps: Vec<Step>,
    /// The derivation, by its title, that has the same steps
    pub as_for: Option<String>,
}

/// The derivations as one text.
pub fn render(derivations: &[Derivation], format: Format) -> String {
    match format {
        Format::Unicode => text::unicode(derivations),
        Format::Markdown => text::markdown(derivations),
        Format::Latex => text::latex(derivations),
    }
}

/// A formula on one line of a terminal.
pub fn formula(formula: &Formula) -> String {
    Setter(&unicode::Unicode).set(formula).flat()
}
