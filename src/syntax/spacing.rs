//! The tokens of a declaration, and how many blanks stand between two of them.

use super::align::Anchor;
use super::grammar::Rule;
use pest::iterators::{Pair, Pairs};

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub rule: Rule,
    /// The construct that the token belongs to.
    pub parent: Rule,
    pub start: usize,
    pub end: usize,
    /// The name of a setting: three blanks set it apart on its line.
    pub is_setting: bool,
}

/// The leaves of a parse, which are all the tokens of the text, in order.
pub(super) fn tokens(tree: Pairs<Rule>, offset: usize) -> Vec<Token> {
    let mut found = vec![];
    for pair in tree {
        collect(pair, Rule::EOI, false, offset, &mut found);
    }
    found
}

fn collect(pair: Pair<Rule>, parent: Rule, is_setting: bool, offset: usize, found: &mut Vec<Token>) {
    let (rule, span) = (pair.as_rule(), pair.as_span());
    let mut inner = pair.into_inner().peekable();
    if inner.peek().is_none() {
        if !span.as_str().trim().is_empty() {
            found.push(Token { rule, parent, start: offset + span.start(), end: offset + span.end(), is_setting });
        }
        return;
    }
    for (i, child) in inner.enumerate() {
        collect(child, rule, rule == Rule::setting && i == 0, offset, found);
    }
}

impl Token {
    pub fn opens(&self) -> bool {
        matches!(self.rule, Rule::open_paren | Rule::open_bracket | Rule::open_brace)
    }

    pub fn closes(&self) -> bool {
        matches!(self.rule, Rule::close_paren | Rule::close_bracket | Rule::close_brace)
    }

    /// Where the user may align this token with the one above: `first` is the first token of its line.
    pub fn anchor(&self, position: usize, first: &Token) -> Option<Anchor> {
        use Rule::*;
        match self.rule {
            _ if position == 1 && first.parent.is_declaration() && first.rule.is_mark() => Some(Anchor::Name),
            type_colon => Some(Anchor::Type),
            equals | propto | tilde if !matches!(self.parent, substitution | param_default | size_default | arg) => Some(Anchor::Value),
            kw_as | kw_from => Some(Anchor::Ending),
            _ => None,
        }
    }

    /// Brackets that follow a name without a blank, as in `f(x)` and `x[i]`.
    fn is_attached(&self) -> bool {
        use Rule::*;
        match self.rule {
            open_paren => !matches!(self.parent, paren | data_vars | pattern | paren_type),
            open_bracket => self.parent != list,
            _ => false,
        }
    }

    fn is_arithmetic(&self) -> bool {
        use Rule::*;
        matches!(self.rule, add | sub | mul | div | pow) && self.parent != ito_sign
    }
}

/// The blanks between two tokens of a line.
pub(super) fn gap(before: &Token, token: &Token, written: &str) -> usize {
    use Rule::*;
    let is_apart = |operator: &Token| surrounded_by_blanks(operator, written);
    let tight_before = match token.rule {
        comma | semicolon | setting_colon | dot | path_sep | transpose | close_paren | close_bracket | open_angle | close_angle | dots => {
            true
        }
        open_paren | open_bracket => token.is_attached() || before.rule == log_name,
        close_brace => token.parent == use_names || before.rule == open_brace,
        _ => token.is_arithmetic() && !is_apart(token),
    };
    let tight_after = match before.rule {
        open_paren | open_bracket | open_angle | dot | dots | path_sep | neg | at_most => true,
        open_brace => before.parent == use_names,
        _ => before.is_arithmetic() && !is_apart(before),
    };
    match () {
        () if tight_before || tight_after => 0,
        () if token.is_setting && before.rule != open_brace => 3,
        () => 1,
    }
}

/// The user wrote the operator with a blank on either side.
fn surrounded_by_blanks(operator: &Token, text: &str) -> bool {
    text[..operator.start].ends_with(char::is_whitespace) || text[operator.end..].starts_with(char::is_whitespace)
}
