//! What the tables of declarations hold: declarations of the user's file as they were parsed, and those of the library, which are parsed
//! when something reaches them. Names are known of both.

use super::checker::Checked;
use super::declarations::{self, Definition, RuleDecl};
use super::library::Entry;
use crate::base::Diagnostic;
use crate::syntax::ast::{self, DeclKind, Declared, LetDef, ProcessDecl};

/// What the checker uses of a declaration's tree.
pub trait FromLibrary<'a>: Clone {
    /// `None` for a declaration of another kind.
    fn from_library(decl: &'a ast::Decl) -> Option<Self>;
}

impl<'a> FromLibrary<'a> for &'a LetDef {
    fn from_library(decl: &'a ast::Decl) -> Option<&'a LetDef> {
        match &decl.kind {
            DeclKind::Let(defs) => defs.first(),
            _ => None,
        }
    }
}

impl<'a> FromLibrary<'a> for &'a Declared {
    fn from_library(decl: &'a ast::Decl) -> Option<&'a Declared> {
        match &decl.kind {
            DeclKind::Dist(declared) | DeclKind::Bijector(declared) | DeclKind::Optimizer(declared) => Some(declared),
            _ => None,
        }
    }
}

impl<'a> FromLibrary<'a> for &'a ProcessDecl {
    fn from_library(decl: &'a ast::Decl) -> Option<&'a ProcessDecl> {
        match &decl.kind {
            DeclKind::Process(process) => Some(process),
            _ => None,
        }
    }
}

impl<'a> FromLibrary<'a> for Definition<'a> {
    fn from_library(decl: &'a ast::Decl) -> Option<Definition<'a>> {
        declarations::definition(decl, true)
    }
}

impl<'a> FromLibrary<'a> for RuleDecl<'a> {
    fn from_library(decl: &'a ast::Decl) -> Option<RuleDecl<'a>> {
        declarations::rule(decl, true)
    }
}

/// A declaration, of which the checker uses `T`.
#[derive(Clone)]
pub struct Listed<'a, T> {
    /// Of a rule what it is about: `KL`, `posterior`
    pub name: &'a str,
    pub library: bool,
    written: Written<'a, T>,
}

#[derive(Clone)]
enum Written<'a, T> {
    Parsed(T),
    InLibrary(&'a Entry),
}

impl<'a, T: FromLibrary<'a>> Listed<'a, T> {
    /// One of the user's file.
    pub fn parsed(name: &'a str, tree: T) -> Listed<'a, T> {
        Listed { name, library: false, written: Written::Parsed(tree) }
    }

    pub fn in_library(entry: &'a Entry) -> Listed<'a, T> {
        Listed { name: entry.name(), library: true, written: Written::InLibrary(entry) }
    }

    /// The declaration itself.
    ///
    /// # Errors
    /// The syntax error of a declaration of the library.
    pub fn get(&self) -> Checked<T> {
        match &self.written {
            Written::Parsed(tree) => Ok(tree.clone()),
            Written::InLibrary(entry) => {
                let malformed = || Diagnostic::internal("the library's declaration is incomplete").at(entry.span());
                Ok(T::from_library(entry.decl()?).ok_or_else(malformed)?)
            }
        }
    }

    /// The text of a declaration of the library: what does not stand in it need not be looked for in its tree.
    pub fn text(&self) -> Option<&'a str> {
        match &self.written {
            Written::Parsed(_) => None,
            Written::InLibrary(entry) => Some(entry.text()),
        }
    }

    /// Whether a word may stand in it: in one of the library it stands in its text.
    pub fn may_mention(&self, word: &str) -> bool {
        self.text().is_none_or(|text| text.contains(word))
    }
}
