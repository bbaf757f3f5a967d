//! Names of programs as names on the board: `W1` is W₁, `x_hat` is x̂, `mu_0` is μ₀, `dense1.W` is W of dense1.

use super::formula::Formula;

/// The name as a formula. Digits at the end of a short name and what follows an underscore become subscripts.
pub fn parse(text: &str) -> Formula {
    if let Some((base, rest)) = text.split_once('_')
        && !base.is_empty()
        && !rest.is_empty()
    {
        return match rest {
            "hat" => parse(base).hat(),
            "bar" => parse(base).bar(),
            "tilde" => parse(base).tilde(),
            _ if is_symbol(base) => parse(base).index([parse(rest)]),
            _ => Formula::Name(text.to_owned()),
        };
    }
    let stem = text.trim_end_matches(|c: char| c.is_ascii_digit());
    match text[stem.len()..].parse::<u32>() {
        Ok(number) if is_symbol(stem) => Formula::Name(stem.to_owned()).index([Formula::Number(number.into())]),
        Ok(_) | Err(_) => Formula::Name(text.to_owned()),
    }
}

/// Whether a name is set as one letter.
fn is_symbol(name: &str) -> bool {
    name.chars().count() == 1 || greek(name).is_some()
}

/// The letter that a Greek name stands for.
pub fn greek(name: &str) -> Option<char> {
    GREEK.iter().find(|(known, _)| *known == name).map(|(_, letter)| *letter)
}

/// With the names that LaTeX has for them; capitals only where they differ from Latin ones.
const GREEK: [(&str, char); 35] = [
    ("alpha", 'α'),
    ("beta", 'β'),
    ("gamma", 'γ'),
    ("delta", 'δ'),
    ("epsilon", 'ε'),
    ("eps", 'ε'),
    ("zeta", 'ζ'),
    ("eta", 'η'),
    ("theta", 'θ'),
    ("iota", 'ι'),
    ("kappa", 'κ'),
    ("lambda", 'λ'),
    ("mu", 'μ'),
    ("nu", 'ν'),
    ("xi", 'ξ'),
    ("pi", 'π'),
    ("rho", 'ρ'),
    ("sigma", 'σ'),
    ("tau", 'τ'),
    ("upsilon", 'υ'),
    ("phi", 'φ'),
    ("chi", 'χ'),
    ("psi", 'ψ'),
    ("omega", 'ω'),
    ("Gamma", 'Γ'),
    ("Delta", 'Δ'),
    ("Theta", 'Θ'),
    ("Lambda", 'Λ'),
    ("Xi", 'Ξ'),
    ("Pi", 'Π'),
    ("Sigma", 'Σ'),
    ("Phi", 'Φ'),
    ("Psi", 'Ψ'),
    ("Omega", 'Ω'),
    ("Upsilon", 'Υ'),
];
