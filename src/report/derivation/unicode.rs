//! Formulas on a terminal: one line, with the subscripts and superscripts that Unicode has.

use super::layout::Piece;
use super::typeset::{Bracket, Notation, Symbol};
use crate::algebra::derivation::{Accent, Big, Relation, greek};

pub struct Unicode;

impl Notation for Unicode {
    fn number(&self, value: f64) -> Piece {
        Piece::text(number(value))
    }

    fn name(&self, name: &str) -> Piece {
        Piece::text(greek(name).map_or_else(|| name.to_owned(), String::from))
    }

    fn function(&self, name: &str) -> Piece {
        match name {
            "Normal" | "MvNormal" => Piece::text("N"),
            "sigmoid" => Piece::text("sigmoid"),
            "Gamma_function" => Piece::text("Γ"),
            name => self.name(name),
        }
    }

    fn words(&self, text: &str) -> Piece {
        Piece::text(text)
    }

    fn accent(&self, accent: Accent, of: Piece) -> Piece {
        let mark = match accent {
            Accent::Hat => '\u{302}',
            Accent::Bar => '\u{304}',
            Accent::Tilde => '\u{303}',
        };
        let width = of.width();
        let mut text = of.flat();
        // The mark stands on the first letter, before its subscript.
        let first = text.chars().next().map_or(0, char::len_utf8);
        text.insert(first, mark);
        Piece::Text(text, width)
    }

    fn subscript(&self, base: Piece, below: &str, _: usize) -> Piece {
        // Words are hard to read in small letters.
        let word = below.as_bytes().windows(2).any(|pair| pair.iter().all(u8::is_ascii_alphabetic));
        let small: Option<String> = below.chars().filter(|c| *c != ' ').map(|c| find(&SUBSCRIPTS, c)).collect();
        let small = small.filter(|_| !word);
        let below = small.unwrap_or_else(|| if below.chars().count() == 1 { format!("_{below}") } else { format!("_{{{below}}}") });
        Piece::Group(vec![base, Piece::text(below)])
    }

    fn superscript(&self, base: Piece, above: &str, _: usize) -> Piece {
        let small: Option<String> = above.chars().filter(|c| *c != ' ').map(|c| find(&SUPERSCRIPTS, c)).collect();
        let above = small.unwrap_or_else(|| if above.chars().count() == 1 { format!("^{above}") } else { format!("^({above})") });
        Piece::Group(vec![base, Piece::text(above)])
    }

    fn transposed(&self) -> &'static str {
        "T"
    }

    fn fraction(&self, _: &Piece, _: &Piece) -> Option<Piece> {
        None
    }

    fn root(&self, of: Piece, simple: bool) -> Piece {
        if simple {
            return Piece::Group(vec![Piece::text("√"), of]);
        }
        let (open, close) = self.brackets(Bracket::Round, &[]);
        Piece::Group(vec![Piece::text("√"), Piece::Bracketed { open, close, inside: vec![of] }])
    }

    fn big(&self, operator: Big, below: &str, above: Option<&str>, width: usize) -> Piece {
        let sign = match operator {
            Big::Sum => "Σ",
            Big::Product => "Π",
            Big::Integral => "∫",
            Big::Max => "max",
            Big::Min => "min",
            Big::ArgMax => "argmax",
            Big::ArgMin => "argmin",
        };
        let sign = if below.is_empty() { Piece::text(sign) } else { self.subscript(Piece::text(sign), below, width) };
        match above {
            Some(above) => self.superscript(sign, above, above.chars().count()),
            None => sign,
        }
    }

    fn symbol(&self, symbol: Symbol) -> &'static str {
        match symbol {
            Symbol::Relation(relation) => relation_symbol(relation),
            Symbol::Minus => "−",
            Symbol::Elementwise => " ⊙ ",
            Symbol::Given => " | ",
            Symbol::Expectation => "E",
            Symbol::Divergence => " ‖ ",
            Symbol::Differential => "d",
            Symbol::Nabla => "∇",
            Symbol::Partial => "∂",
            Symbol::Times => " · ",
        }
    }

    fn brackets(&self, kind: Bracket, _: &[Piece]) -> ([String; 2], [String; 2]) {
        let (open, close) = match kind {
            Bracket::Round => ("(", ")"),
            Bracket::Square => ("[", "]"),
            Bracket::Bars => ("|", "|"),
            Bracket::Norm => ("‖", "‖"),
        };
        let twice = |text: &str| [text.to_owned(), text.to_owned()];
        (twice(open), twice(close))
    }

    fn cases(&self, condition: Piece, then: Piece, otherwise: Piece) -> Piece {
        Piece::Group(vec![
            Piece::text("{ "),
            then,
            Piece::text(" if "),
            condition,
            Piece::text(";"),
            Piece::Break,
            otherwise,
            Piece::text(" otherwise }"),
        ])
    }

    fn beside(&self) -> Piece {
        Piece::text(" ")
    }
}

fn relation_symbol(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => " = ",
        Relation::Defined => " := ",
        Relation::Proportional => " ∝ ",
        Relation::Approximate => " ≈ ",
        Relation::Distributed => " ∼ ",
        Relation::NotEqual => " ≠ ",
        Relation::Less => " < ",
        Relation::LessEqual => " ≤ ",
        Relation::Greater => " > ",
        Relation::GreaterEqual => " ≥ ",
        Relation::And => " and ",
        Relation::Or => " or ",
        Relation::In => " ∈ ",
        Relation::Becomes => " ← ",
    }
}

/// As short as it can be read back; simple fractions as such.
pub fn number(value: f64) -> String {
    let simple = [(0.5, "½"), (0.25, "¼"), (0.75, "¾")].iter().find(|(known, _)| *known == value.abs());
    let text = match simple {
        Some((_, text)) => (*text).to_owned(),
        None if value.is_infinite() => "∞".to_owned(),
        None => digits(value.abs()),
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// A number with at most seven digits, as a page has it.
pub fn digits(value: f64) -> String {
    let exact = format!("{value}");
    if exact.chars().filter(char::is_ascii_digit).count() <= 7 {
        return exact;
    }
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    format!("{rounded}")
}

fn find(table: &[(char, char)], c: char) -> Option<char> {
    table.iter().find(|(plain, _)| *plain == c).map(|(_, small)| *small)
}

const SUBSCRIPTS: [(char, char); 36] = [
    ('0', '₀'),
    ('1', '₁'),
    ('2', '₂'),
    ('3', '₃'),
    ('4', '₄'),
    ('5', '₅'),
    ('6', '₆'),
    ('7', '₇'),
    ('8', '₈'),
    ('9', '₉'),
    ('+', '₊'),
    ('−', '₋'),
    ('=', '₌'),
    ('(', '₍'),
    (')', '₎'),
    (',', '‚'),
    ('a', 'ₐ'),
    ('e', 'ₑ'),
    ('h', 'ₕ'),
    ('i', 'ᵢ'),
    ('j', 'ⱼ'),
    ('k', 'ₖ'),
    ('l', 'ₗ'),
    ('m', 'ₘ'),
    ('n', 'ₙ'),
    ('o', 'ₒ'),
    ('p', 'ₚ'),
    ('r', 'ᵣ'),
    ('s', 'ₛ'),
    ('t', 'ₜ'),
    ('u', 'ᵤ'),
    ('v', 'ᵥ'),
    ('x', 'ₓ'),
    ('β', 'ᵦ'),
    ('γ', 'ᵧ'),
    ('ρ', 'ᵨ'),
];

const SUPERSCRIPTS: [(char, char); 20] = [
    ('0', '⁰'),
    ('1', '¹'),
    ('2', '²'),
    ('3', '³'),
    ('4', '⁴'),
    ('5', '⁵'),
    ('6', '⁶'),
    ('7', '⁷'),
    ('8', '⁸'),
    ('9', '⁹'),
    ('+', '⁺'),
    ('−', '⁻'),
    ('(', '⁽'),
    (')', '⁾'),
    ('i', 'ⁱ'),
    ('n', 'ⁿ'),
    ('s', 'ˢ'),
    ('t', 'ᵗ'),
    ('k', 'ᵏ'),
    ('T', 'ᵀ'),
];
