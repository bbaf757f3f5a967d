//! Text -> tree: the lines are told apart, each declaration is parsed alone, so that one mistake does not hide the next.

use super::ast;
use super::grammar::{Grammar, Rule};
use super::layout::{self, DEEPEST, Layout};
use super::syntax_error as error;
use crate::base::diagnostic::Result;
use crate::base::{Diagnostic, Diagnostics, FileId, Span};
use pest::Parser;
use pest::iterators::{Pair, Pairs};
use std::cell::Cell;
use std::ops::Range;

/// Parses a whole file; on failure every syntax error of the file, in the order of the text.
pub fn parse(text: &str, file: FileId) -> std::result::Result<ast::File, Diagnostics> {
    Ok(ast::File { decls: declarations(text, 0..text.len(), file)? })
}

/// Parses a part of a file, as [`super::heads`] finds it: one declaration. Places in the tree are those of the file.
///
/// # Errors
/// The syntax errors of the part.
pub fn parse_declaration(text: &str, part: Range<usize>, file: FileId) -> std::result::Result<ast::Decl, Diagnostics> {
    let place = Span::new(file, part.start, part.end);
    let only: std::result::Result<[ast::Decl; 1], _> = declarations(text, part, file)?.try_into();
    only.map(|[decl]| decl).map_err(|_| Diagnostic::internal("one declaration was to stand here").at(place).into())
}

fn declarations(text: &str, part: Range<usize>, file: FileId) -> std::result::Result<Vec<ast::Decl>, Diagnostics> {
    let mut layout = layout::scan(text, part, file);
    let mut problems = std::mem::take(&mut layout.problems);
    let mut decls = Vec::with_capacity(layout.declarations.len());
    for range in &layout.declarations {
        match declaration(&layout, range.clone()) {
            Ok(decl) => decls.push(decl),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(decls) } else { Err(problems.sorted()) }
}

/// Parses a single expression, as `tilde eval` receives it.
pub fn parse_expr(text: &str, file: FileId) -> std::result::Result<ast::Expr, Diagnostics> {
    let layout = layout::scan(text, 0..text.len(), file);
    if !layout.problems.is_empty() {
        return Err(layout.problems.sorted());
    }
    let (Some(first), Some(last)) = (layout.declarations.first(), layout.declarations.last()) else {
        return Err(error::empty_expression(Span::new(file, 0, text.len())).into());
    };
    let range = first.start..last.end;
    let builder = Builder { file, offset: range.start, depth: Cell::new(0) };
    let tree = pairs(Rule::one_expression, &layout, range)?;
    Ok(builder.expr(first_of(tree)?)?)
}

fn declaration(layout: &Layout, range: Range<usize>) -> Result<ast::Decl> {
    let builder = Builder { file: layout.file, offset: range.start, depth: Cell::new(0) };
    builder.declaration(first_of(pairs(Rule::one_declaration, layout, range)?)?)
}

/// The tokens of one declaration or expression, for the tree and for the formatter.
pub(super) fn pairs(rule: Rule, layout: &Layout, range: Range<usize>) -> Result<Pairs<'_, Rule>> {
    let (start, text) = (range.start, layout.text(range));
    Grammar::parse(rule, text).map_err(|found| error::from_pest(rule, found, text, layout.file, start))
}

fn first_of(mut tree: Pairs<'_, Rule>) -> Result<Pair<'_, Rule>> {
    tree.next().ok_or_else(|| Diagnostic::internal("the parser gave an empty tree"))
}

/// Turns the parser's pairs into the tree.
pub(super) struct Builder {
    pub file: FileId,
    /// Where the parsed part stands in the file.
    offset: usize,
    /// How deep the expression being built stands in others, operators counted.
    depth: Cell<usize>,
}

impl Builder {
    pub fn span(&self, pair: &Pair<Rule>) -> Span {
        let span = pair.as_span();
        Span::new(self.file, self.offset + span.start(), self.offset + span.end())
    }

    /// Builds something that stands `levels` deeper than what surrounds it.
    pub fn deeper<T>(&self, levels: usize, place: Span, build: impl FnOnce() -> Result<T>) -> Result<T> {
        let outside = self.depth.get();
        if outside + levels > DEEPEST {
            return Err(error::too_deep(place));
        }
        self.depth.set(outside + levels);
        let built = build();
        self.depth.set(outside);
        built
    }

    /// The meaningful parts of a pair: keywords and punctuation left out.
    pub fn parts<'a>(&self, pair: Pair<'a, Rule>) -> Parts<'a> {
        Parts { of: pair.as_rule(), end: Span::new(self.file, self.offset, self.offset + pair.as_span().end()), pairs: pair.into_inner() }
    }
}

pub(super) struct Parts<'a> {
    of: Rule,
    end: Span,
    pairs: Pairs<'a, Rule>,
}

impl<'a> Parts<'a> {
    /// The next part, which the grammar promises to be there.
    pub fn need(&mut self) -> Result<Pair<'a, Rule>> {
        let of = self.of;
        let end = self.end;
        self.next().ok_or_else(|| Diagnostic::internal(format!("a part of `{}` is missing", of.words())).at(end))
    }

    /// The next part if it is of this kind.
    pub fn optional(&mut self, rule: Rule) -> Option<Pair<'a, Rule>> {
        while self.pairs.peek().is_some_and(|pair| pair.as_rule().is_mark()) {
            self.pairs.next();
        }
        if self.pairs.peek()?.as_rule() == rule { self.pairs.next() } else { None }
    }

    /// All the following parts of this kind.
    pub fn many<T>(&mut self, rule: Rule, mut build: impl FnMut(Pair<'a, Rule>) -> Result<T>) -> Result<Vec<T>> {
        let mut built = vec![];
        while let Some(pair) = self.optional(rule) {
            built.push(build(pair)?);
        }
        Ok(built)
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Pair<'a, Rule>;

    fn next(&mut self) -> Option<Pair<'a, Rule>> {
        self.pairs.by_ref().find(|pair| !pair.as_rule().is_mark())
    }
}
