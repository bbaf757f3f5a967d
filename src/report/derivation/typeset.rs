//! Formulas set in a notation: what is the same on a terminal and in LaTeX.

use super::layout::Piece;
use super::precedence::{Binding, bare, binding, open_to_the_right};
use crate::algebra::Formula;
use crate::algebra::derivation::{Accent, Big, Relation};

/// How the parts of a formula are written.
pub trait Notation {
    fn number(&self, value: f64) -> Piece;
    fn name(&self, name: &str) -> Piece;
    /// The name of a function of several letters
    fn function(&self, name: &str) -> Piece;
    fn words(&self, text: &str) -> Piece;
    fn accent(&self, accent: Accent, of: Piece) -> Piece;
    fn subscript(&self, base: Piece, below: &str, width: usize) -> Piece;
    fn superscript(&self, base: Piece, above: &str, width: usize) -> Piece;
    fn transposed(&self) -> &'static str;
    /// Stacked, or none where fractions are written on the line
    fn fraction(&self, above: &Piece, below: &Piece) -> Option<Piece>;
    fn root(&self, of: Piece, simple: bool) -> Piece;
    fn big(&self, operator: Big, below: &str, above: Option<&str>, width: usize) -> Piece;
    fn symbol(&self, symbol: Symbol) -> &'static str;
    /// An opening and a closing bracket around this: where all fits on a line, and where it does not
    fn brackets(&self, kind: Bracket, inside: &[Piece]) -> ([String; 2], [String; 2]);
    fn cases(&self, condition: Piece, then: Piece, otherwise: Piece) -> Piece;
    /// Between factors side by side
    fn beside(&self) -> Piece;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    Relation(Relation),
    Minus,
    Elementwise,
    Given,
    Expectation,
    Divergence,
    Differential,
    Nabla,
    Partial,
    Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bracket {
    Round,
    Square,
    Bars,
    Norm,
}

pub struct Setter<'n>(pub &'n dyn Notation);

impl Setter<'_> {
    pub fn set(&self, formula: &Formula) -> Piece {
        let n = self.0;
        match formula {
            Formula::Number(value) => n.number(*value),
            Formula::Name(name) => n.name(name),
            Formula::Words(text) => n.words(text),
            Formula::Index(base, indices) => {
                let below = self.list(indices, ",").flat();
                n.subscript(self.bound(base, Binding::Atom), &below, below.chars().count())
            }
            Formula::Accent(accent, of) => n.accent(*accent, self.set(of)),
            Formula::Neg(of) => Piece::Group(vec![self.text(Symbol::Minus), self.bound(of, Binding::Product)]),
            Formula::Add(terms) => self.sum(terms),
            Formula::Mul(factors) => self.product(factors),
            Formula::Elementwise(factors) => self.infix(factors, Symbol::Elementwise, Binding::Prefix),
            Formula::Div(a, b) => self.quotient(a, b),
            Formula::Pow(base, power) => {
                let power = self.set(power);
                n.superscript(self.bound(base, Binding::Atom), &power.flat(), power.width())
            }
            Formula::Transpose(of) => n.superscript(self.bound(of, Binding::Atom), n.transposed(), 1),
            Formula::Inverse(of) => n.superscript(self.bound(of, Binding::Atom), &n.number(-1.0).flat(), 2),
            Formula::Determinant(of) | Formula::Abs(of) => self.bracketed(Bracket::Bars, vec![self.set(of)]),
            Formula::Norm(of) => self.bracketed(Bracket::Norm, vec![self.set(of)]),
            Formula::Apply(function, args) => self.apply(function, args),
            Formula::Labelled(label, of) => Piece::Group(vec![n.words(&format!("{label}: ")), self.set(of)]),
            Formula::Density { name, targets, given } => {
                let mut inside = vec![self.list(targets, ", ")];
                if !given.is_empty() {
                    inside.extend([self.text(Symbol::Given), self.list(given, ", ")]);
                }
                Piece::Group(vec![self.name_of(name), self.bracketed(Bracket::Round, inside)])
            }
            Formula::Distribution { family, value, params } => {
                let mut inside = vec![];
                if let Some(value) = value {
                    inside.extend([self.set(value), Piece::text("; ")]);
                }
                inside.push(self.list(params, ", "));
                Piece::Group(vec![n.function(family), self.bracketed(Bracket::Round, inside)])
            }
            Formula::Big { operator, below, above, body } => self.big(*operator, below, above.as_deref(), body),
            Formula::Expectation { draws, body } => {
                let below = self.list(draws, ", ");
                let sign = n.subscript(self.text(Symbol::Expectation), &below.flat(), below.width());
                Piece::Group(vec![sign, self.bracketed(Bracket::Square, vec![self.set(body)])])
            }
            Formula::Divergence(a, b) => {
                let inside = vec![self.set(a), self.text(Symbol::Divergence), self.set(b)];
                Piece::Group(vec![n.function("KL"), self.bracketed(Bracket::Round, inside)])
            }
            Formula::Entropy(of) => Piece::Group(vec![n.function("H"), self.bracketed(Bracket::Round, vec![self.set(of)])]),
            Formula::Gradient { wrt, body } => {
                let wrt = self.set(wrt);
                let nabla = n.subscript(self.text(Symbol::Nabla), &wrt.flat(), wrt.width());
                Piece::Group(vec![nabla, Piece::text(" "), self.bound(body, Binding::Prefix)])
            }
            Formula::Partial { of, wrt } => self.partial(of, wrt),
            Formula::Cases { condition, then, otherwise } => n.cases(self.set(condition), self.set(then), self.set(otherwise)),
            Formula::Relation(left, relation, right) => self.relation(left, *relation, right),
            Formula::Tuple(parts) => self.bracketed(Bracket::Round, vec![self.list(parts, ", ")]),
            Formula::List(parts) => self.bracketed(Bracket::Square, vec![self.list(parts, ", ")]),
        }
    }

    pub fn text(&self, symbol: Symbol) -> Piece {
        let text = self.0.symbol(symbol);
        let width = match symbol {
            Symbol::Given | Symbol::Divergence | Symbol::Elementwise | Symbol::Relation(_) | Symbol::Times => 3,
            Symbol::Minus | Symbol::Expectation | Symbol::Differential | Symbol::Nabla | Symbol::Partial => 1,
        };
        Piece::Text(text.into(), width)
    }

    fn name_of(&self, name: &str) -> Piece {
        self.set(&name.into())
    }

    /// In brackets where it binds looser than asked.
    fn bound(&self, formula: &Formula, least: Binding) -> Piece {
        if binding(formula) >= least { self.set(formula) } else { self.bracketed(Bracket::Round, vec![self.set(formula)]) }
    }

    fn bracketed(&self, kind: Bracket, inside: Vec<Piece>) -> Piece {
        let (open, close) = self.0.brackets(kind, &inside);
        // One group inside another would be aligned twice.
        let inside = match inside.len() {
            1 => inside.into_iter().flat_map(|piece| if let Piece::Group(pieces) = piece { pieces } else { vec![piece] }).collect(),
            _ => inside,
        };
        Piece::Bracketed { open, close, inside }
    }

    fn list(&self, formulas: &[Formula], separator: &str) -> Piece {
        let mut pieces = vec![];
        for (at, formula) in formulas.iter().enumerate() {
            if at > 0 {
                pieces.push(Piece::text(separator));
            }
            pieces.push(self.set(formula));
        }
        Piece::Group(pieces)
    }

    fn sum(&self, terms: &[Formula]) -> Piece {
        let mut pieces = vec![];
        for (at, term) in terms.iter().enumerate() {
            let (sign, term) = match term {
                Formula::Neg(of) => (Some(Symbol::Minus), self.bound(of, Binding::Product)),
                Formula::Number(value) if *value < 0.0 => (Some(Symbol::Minus), self.0.number(-value)),
                Formula::Cases { .. } if at + 1 < terms.len() => (None, self.bracketed(Bracket::Round, vec![self.set(term)])),
                other => (None, self.set(other)),
            };
            match (at, sign) {
                (0, Some(sign)) => pieces.push(self.text(sign)),
                (0, None) => {}
                (_, Some(sign)) => pieces.extend([Piece::Break, self.text(sign), Piece::text(" ")]),
                (_, None) => pieces.extend([Piece::Break, Piece::text("+ ")]),
            }
            pieces.push(term);
        }
        Piece::Group(pieces)
    }

    fn product(&self, factors: &[Formula]) -> Piece {
        let last = factors.len().saturating_sub(1);
        let mut pieces = vec![];
        for (at, factor) in factors.iter().enumerate() {
            let open = at < last && open_to_the_right(factor);
            let piece = match factor {
                _ if open => self.bracketed(Bracket::Round, vec![self.set(factor)]),
                // On the line, a / b c would be read as a / (b c).
                Formula::Div(a, b) if at < last && !numeric(a, b) && self.0.fraction(&Piece::Break, &Piece::Break).is_none() => {
                    self.bracketed(Bracket::Round, vec![self.set(factor)])
                }
                _ => self.bound(factor, Binding::Product),
            };
            if at > 0 {
                let numbers = matches!((&factors[at - 1], factor), (_, Formula::Number(_)));
                let tight = matches!(&factors[at - 1], Formula::Number(_)) && short(factor);
                match (numbers, tight) {
                    (true, _) => pieces.push(self.text(Symbol::Times)),
                    (false, false) => pieces.push(self.0.beside()),
                    (false, true) => {}
                }
            }
            pieces.push(piece);
        }
        Piece::Group(pieces)
    }

    fn infix(&self, factors: &[Formula], symbol: Symbol, least: Binding) -> Piece {
        let mut pieces = vec![];
        for (at, factor) in factors.iter().enumerate() {
            if at > 0 {
                pieces.push(self.text(symbol));
            }
            let open = at + 1 < factors.len() && open_to_the_right(factor);
            let bracketed = || self.bracketed(Bracket::Round, vec![self.set(factor)]);
            pieces.push(if open { bracketed() } else { self.bound(factor, least) });
        }
        Piece::Group(pieces)
    }

    fn quotient(&self, a: &Formula, b: &Formula) -> Piece {
        if let Some(fraction) = self.0.fraction(&self.set(a), &self.set(b)) {
            return fraction;
        }
        let above = if open_to_the_right(a) { self.bracketed(Bracket::Round, vec![self.set(a)]) } else { self.bound(a, Binding::Product) };
        let divided = if numeric(a, b) { Piece::text("/") } else { Piece::text(" / ") };
        Piece::Group(vec![above, divided, self.bound(b, Binding::Power)])
    }

    fn apply(&self, function: &Formula, args: &[Formula]) -> Piece {
        let n = self.0;
        if let (Formula::Name(name), [arg]) = (function, args)
            && name == "sqrt"
        {
            return n.root(self.set(arg), binding(arg) == Binding::Atom);
        }
        let name = match function {
            Formula::Name(name) => n.function(name),
            Formula::Inverse(inner) if matches!(**inner, Formula::Name(_)) => self.set(function),
            other => self.bound(other, Binding::Atom),
        };
        if bare(function, args) {
            return Piece::Group(vec![name, Piece::text(" "), self.set(&args[0])]);
        }
        let inside = match args {
            [Formula::Tuple(parts)] => vec![self.list(parts, ", ")],
            args => vec![self.list(args, ", ")],
        };
        Piece::Group(vec![name, self.bracketed(Bracket::Round, inside)])
    }

    fn big(&self, operator: Big, below: &[Formula], above: Option<&Formula>, body: &Formula) -> Piece {
        let names = self.list(below, ",");
        let above = above.map(|above| self.set(above).flat());
        let sign = |below: &str, width| self.0.big(operator, below, above.as_deref(), width);
        // Σ takes a product; a sum after it stands in brackets.
        let body = self.bound(body, Binding::Product);
        if operator == Big::Integral {
            let mut pieces = vec![sign("", 0), Piece::text(" "), body];
            for name in below {
                let apart = if short(name) { Piece::text("") } else { self.0.beside() };
                pieces.extend([Piece::text(" "), self.text(Symbol::Differential), apart, self.set(name)]);
            }
            return Piece::Group(pieces);
        }
        Piece::Group(vec![sign(&names.flat(), names.width()), Piece::text(" "), body])
    }

    fn partial(&self, of: &Formula, wrt: &Formula) -> Piece {
        let d = |formula| Piece::Group(vec![self.text(Symbol::Partial), self.bound(formula, Binding::Prefix)]);
        let (above, below) = (d(of), d(wrt));
        self.0.fraction(&above, &below).unwrap_or_else(|| Piece::Group(vec![above, Piece::text("/"), below]))
    }

    fn relation(&self, left: &Formula, relation: Relation, right: &Formula) -> Piece {
        let symbol = self.text(Symbol::Relation(relation));
        let side = |formula| match relation {
            Relation::And | Relation::Or => self.set(formula),
            _ => self.bound(formula, Binding::Sum),
        };
        Piece::Group(vec![side(left), symbol, side(right)])
    }
}

fn numeric(a: &Formula, b: &Formula) -> bool {
    matches!((a, b), (Formula::Number(_), Formula::Number(_)))
}

/// What may follow a number without a space: 2σ², 2πi.
fn short(formula: &Formula) -> bool {
    match formula {
        Formula::Name(name) => name.chars().count() == 1 || crate::algebra::derivation::greek(name).is_some(),
        Formula::Index(base, _) | Formula::Pow(base, _) | Formula::Accent(_, base) => short(base),
        _ => false,
    }
}
