//! The formatter: the tokens of the file, on the lines where the user put them, with normal blanks and indentation.
//!
//! Line breaks, comments, Unicode or ASCII spellings, columns that the user aligned and arithmetic written tight (`t-1`)
//! stay; runs of blank lines shrink to one.

use super::align::{Piece, align};
use super::grammar::Rule;
use super::layout::{self, Layout};
use super::parse::{pairs, parse};
use super::print::print;
use super::spacing::{Token, gap, tokens};
use crate::base::{Diagnostic, Diagnostics, FileId};
use std::ops::Range;

/// Blanks for each step of indentation.
const STEP: usize = 2;

/// Formats a file. Formatting twice changes nothing more, and the result has the same tree.
///
/// # Errors
/// The syntax errors of the text.
pub fn format(text: &str) -> Result<String, Diagnostics> {
    let file = FileId(0);
    let before = parse(text, file)?;
    let layout = layout::scan(text, 0..text.len(), file);
    let mut all = vec![];
    for range in &layout.declarations {
        all.extend(tokens(pairs(Rule::one_declaration, &layout, range.clone())?, range.start));
    }
    let mut lines = Indenter { text, layout: &layout, open: vec![], last_end: 0 }.lines(all);
    align(&mut lines);
    let formatted = join(&lines);
    let after = parse(&formatted, file)?;
    if print(&before) != print(&after) {
        return Err(Diagnostic::internal("formatting would change the meaning of this file").into());
    }
    Ok(formatted)
}

/// One line of the result; no pieces make a blank line.
pub(super) type Line<'a> = Vec<Piece<'a>>;

fn join(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        for piece in line {
            text.push_str(&" ".repeat(piece.gap));
            text.push_str(piece.text);
        }
        text.push('\n');
    }
    text
}

struct Indenter<'a> {
    text: &'a str,
    layout: &'a Layout,
    /// For each open bracket whether it is a brace, and the indentation of the line that opened it.
    open: Vec<(bool, usize)>,
    /// The end of the last token.
    last_end: usize,
}

impl<'a> Indenter<'a> {
    fn lines(mut self, tokens: Vec<Token>) -> Vec<Line<'a>> {
        let (mut tokens, mut comments) = (tokens.into_iter().peekable(), self.layout.comments.iter().peekable());
        let (mut lines, mut start, mut blank) = (vec![], 0, false);
        for source in self.text.split_inclusive('\n') {
            let end = start + source.len();
            let mut on_line = vec![];
            while let Some(token) = tokens.next_if(|token| token.start < end) {
                on_line.push(token);
            }
            let comment = comments.next_if(|comment| comment.start < end).cloned();
            if on_line.is_empty() && comment.is_none() {
                blank = !lines.is_empty();
            } else {
                if std::mem::take(&mut blank) {
                    lines.push(vec![]);
                }
                lines.push(self.line(on_line, comment, start));
            }
            start = end;
        }
        lines
    }

    fn line(&mut self, tokens: Vec<Token>, comment: Option<Range<usize>>, start: usize) -> Line<'a> {
        let (text, column) = (self.text, |at: usize| self.text[start..at].chars().count());
        let first = tokens.first().map_or_else(|| comment.clone().map_or(start, |comment| comment.start), |token| token.start);
        let indent = self.indent(first, tokens.first());
        let mut line: Line = vec![];
        for (i, token) in tokens.iter().enumerate() {
            let gap = if i == 0 { indent * STEP } else { gap(&tokens[i - 1], token, text) };
            line.push(Piece { text: &text[token.start..token.end], gap, column: column(token.start), anchor: token.anchor(i, &tokens[0]) });
        }
        if let Some(comment) = comment {
            line.push(Piece::comment(&text[comment.clone()], if line.is_empty() { indent * STEP } else { 2 }, column(comment.start)));
        }
        for token in &tokens {
            if token.opens() {
                self.open.push((token.rule == Rule::open_brace, indent));
            } else if token.closes() {
                self.open.pop();
            }
            self.last_end = token.end;
        }
        line
    }

    /// The indentation of a line by the brackets open around it; one step more where it continues a statement.
    fn indent(&self, at: usize, first: Option<&Token>) -> usize {
        let goes_on = !self.layout.text(self.last_end..at).contains('\n') && self.last_end > 0;
        match self.open.last() {
            Some((_, opener)) if first.is_some_and(Token::closes) => *opener,
            Some((true, opener)) if goes_on && !self.text[..self.last_end].ends_with('{') => opener + 2,
            Some((_, opener)) => opener + 1,
            None => usize::from(goes_on),
        }
    }
}
