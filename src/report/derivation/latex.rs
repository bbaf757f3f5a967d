//! Formulas in LaTeX, for `amsmath`.

use super::layout::Piece;
use super::typeset::{Bracket, Notation, Symbol};
use super::unicode;
use crate::algebra::derivation::{Accent, Big, Relation, greek};

pub struct Latex;

impl Notation for Latex {
    fn number(&self, value: f64) -> Piece {
        let width = unicode::number(value).chars().count();
        let sign = if value < 0.0 { "-" } else { "" };
        let text = match value.abs() {
            0.5 => "\\tfrac{1}{2}".to_owned(),
            0.25 => "\\tfrac{1}{4}".to_owned(),
            0.75 => "\\tfrac{3}{4}".to_owned(),
            value if value.is_infinite() => "\\infty".to_owned(),
            value => unicode::digits(value),
        };
        Piece::Text(format!("{sign}{text}"), width)
    }

    fn name(&self, name: &str) -> Piece {
        let width = name.chars().count();
        if let Some(greek) = greek(name) {
            return Piece::Text(letter(greek), 1);
        }
        let mut letters = name.chars();
        match (letters.next(), letters.next()) {
            (Some(only), None) => Piece::Text(letter(only), 1),
            _ => Piece::Text(format!("\\mathrm{{{}}}", escaped(name)), width),
        }
    }

    fn function(&self, name: &str) -> Piece {
        let width = name.chars().count();
        match name {
            "Normal" | "MvNormal" => Piece::Text("\\mathcal{N}".into(), 1),
            "log" | "exp" | "sin" | "cos" | "tanh" | "max" | "min" | "det" => Piece::Text(format!("\\{name}"), width),
            _ if width == 1 || greek(name).is_some() => self.name(name),
            name => Piece::Text(format!("\\operatorname{{{}}}", escaped(name)), width),
        }
    }

    fn words(&self, text: &str) -> Piece {
        Piece::Text(format!("\\text{{{}}}", escaped(text)), text.chars().count())
    }

    fn accent(&self, accent: Accent, of: Piece) -> Piece {
        let command = match accent {
            Accent::Hat => "hat",
            Accent::Bar => "bar",
            Accent::Tilde => "tilde",
        };
        Piece::Text(format!("\\{command}{{{}}}", of.flat()), of.width())
    }

    fn subscript(&self, base: Piece, below: &str, width: usize) -> Piece {
        Piece::Group(vec![braced(base), Piece::Text(format!("_{{{below}}}"), width)])
    }

    fn superscript(&self, base: Piece, above: &str, width: usize) -> Piece {
        let (text, scripted) = (base.flat(), matches!(base, Piece::Group(_)));
        // A subscript and a superscript of one letter stand above each other.
        let single = scripted && text.matches("_{").count() == 1 && text.ends_with('}') && !text.contains('^');
        let base = if single { Piece::Text(text, base.width()) } else { braced(base) };
        Piece::Group(vec![base, Piece::Text(format!("^{{{above}}}"), width)])
    }

    fn transposed(&self) -> &'static str {
        "\\top"
    }

    fn fraction(&self, above: &Piece, below: &Piece) -> Option<Piece> {
        let width = above.width().max(below.width());
        Some(Piece::Text(format!("\\frac{{{}}}{{{}}}", above.flat(), below.flat()), width))
    }

    fn root(&self, of: Piece, _: bool) -> Piece {
        Piece::Text(format!("\\sqrt{{{}}}", of.flat()), of.width() + 1)
    }

    fn big(&self, operator: Big, below: &str, above: Option<&str>, width: usize) -> Piece {
        let sign = match operator {
            Big::Sum => "\\sum",
            Big::Product => "\\prod",
            Big::Integral => "\\int",
            Big::Max => "\\max",
            Big::Min => "\\min",
            Big::ArgMax => "\\operatorname*{arg\\,max}",
            Big::ArgMin => "\\operatorname*{arg\\,min}",
        };
        let below = if below.is_empty() { String::new() } else { format!("_{{{below}}}") };
        let above = above.map_or(String::new(), |above| format!("^{{{above}}}"));
        Piece::Text(format!("{sign}{below}{above}"), 2 + width / 2)
    }

    fn symbol(&self, symbol: Symbol) -> &'static str {
        match symbol {
            Symbol::Relation(relation) => relation_symbol(relation),
            Symbol::Minus => "-",
            Symbol::Elementwise => " \\odot ",
            Symbol::Given => " \\mid ",
            Symbol::Expectation => "\\operatorname{E}",
            Symbol::Divergence => " \\,\\|\\, ",
            Symbol::Differential => "\\,d",
            Symbol::Nabla => "\\nabla",
            Symbol::Partial => "\\partial ",
            Symbol::Times => " \\cdot ",
        }
    }

    fn brackets(&self, kind: Bracket, inside: &[Piece]) -> ([String; 2], [String; 2]) {
        let (open, close) = match kind {
            Bracket::Round => ("(", ")"),
            Bracket::Square => ("[", "]"),
            Bracket::Bars => ("|", "|"),
            Bracket::Norm => ("\\|", "\\|"),
        };
        let text: String = inside.iter().map(Piece::flat).collect();
        let tall = ["\\frac", "\\sum", "\\prod", "\\int", "\\begin"].iter().any(|command| text.contains(command));
        let (left, right) = if tall { ("\\left", "\\right") } else { ("", "") };
        // Brackets that grow with what is inside cannot be broken over lines.
        ([format!("{left}{open}"), format!("\\Bigl{open}")], [format!("{right}{close}"), format!("\\Bigr{close}")])
    }

    fn cases(&self, condition: Piece, then: Piece, otherwise: Piece) -> Piece {
        let width = then.width() + condition.width() + 6;
        let (then, condition, otherwise) = (then.flat(), condition.flat(), otherwise.flat());
        let text = format!("\\begin{{cases}} {then} & \\text{{if }} {condition} \\\\ {otherwise} & \\text{{otherwise}} \\end{{cases}}");
        Piece::Text(text, width)
    }

    fn beside(&self) -> Piece {
        Piece::Text("\\, ".into(), 1)
    }
}

/// A letter as LaTeX writes it.
fn letter(letter: char) -> String {
    match command(letter) {
        Some(command) => format!("\\{command} "),
        None => escaped(&letter.to_string()),
    }
}

/// The commands of letters that are not Latin.
fn command(letter: char) -> Option<&'static str> {
    const COMMANDS: [(char, &str); 35] = [
        ('α', "alpha"),
        ('β', "beta"),
        ('γ', "gamma"),
        ('δ', "delta"),
        ('ε', "epsilon"),
        ('ζ', "zeta"),
        ('η', "eta"),
        ('θ', "theta"),
        ('ι', "iota"),
        ('κ', "kappa"),
        ('λ', "lambda"),
        ('μ', "mu"),
        ('ν', "nu"),
        ('ξ', "xi"),
        ('π', "pi"),
        ('ρ', "rho"),
        ('σ', "sigma"),
        ('τ', "tau"),
        ('υ', "upsilon"),
        ('φ', "phi"),
        ('χ', "chi"),
        ('ψ', "psi"),
        ('ω', "omega"),
        ('Γ', "Gamma"),
        ('Δ', "Delta"),
        ('Θ', "Theta"),
        ('Λ', "Lambda"),
        ('Ξ', "Xi"),
        ('Π', "Pi"),
        ('Σ', "Sigma"),
        ('Φ', "Phi"),
        ('Ψ', "Psi"),
        ('Ω', "Omega"),
        ('Υ', "Upsilon"),
        ('ℓ', "ell"),
    ];
    COMMANDS.iter().find(|(known, _)| *known == letter).map(|(_, command)| *command)
}

/// Braces around what has a script of its own or is more than a letter.
fn braced(base: Piece) -> Piece {
    match base {
        Piece::Bracketed { .. } => base,
        base => Piece::Text(format!("{{{}}}", base.flat()), base.width()),
    }
}

/// Text with LaTeX's own signs as signs.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '_' | '%' | '&' | '#' | '$' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out.push_str("\\textbackslash{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '…' => out.push_str("\\dots{}"),
            '−' => out.push('-'),
            '–' => out.push_str("--"),
            '’' => out.push('\''),
            'é' => out.push_str("\\'e"),
            'è' => out.push_str("\\`e"),
            'ö' => out.push_str("\\\"o"),
            'ü' => out.push_str("\\\"u"),
            'ä' => out.push_str("\\\"a"),
            c if c.is_ascii() => out.push(c),
            '∼' => out.push_str("$\\sim$"),
            '→' => out.push_str("$\\to$"),
            'ᵀ' => out.push_str("$^\\top$"),
            '²' => out.push_str("$^2$"),
            c => match command(c) {
                Some(command) => out.push_str(&format!("$\\{command}$")),
                None => out.push('?'),
            },
        }
    }
    out
}

fn relation_symbol(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => " = ",
        Relation::Defined => " := ",
        Relation::Proportional => " \\propto ",
        Relation::Approximate => " \\approx ",
        Relation::Distributed => " \\sim ",
        Relation::NotEqual => " \\ne ",
        Relation::Less => " < ",
        Relation::LessEqual => " \\le ",
        Relation::Greater => " > ",
        Relation::GreaterEqual => " \\ge ",
        Relation::And => " \\text{ and } ",
        Relation::Or => " \\text{ or } ",
        Relation::In => " \\in ",
        Relation::Becomes => " \\leftarrow ",
    }
}
