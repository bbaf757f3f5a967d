//! What a text declares, read off its lines: keyword, name and place of each declaration, without a parse.
//!
//! For texts that are laid out as the formatter does it: a line that starts with a letter starts a declaration, and every
//! declaration starts such a line.

use std::ops::Range;

/// The first two words of a declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct Head<'a> {
    /// `fn`, `dist`, `rule`, …
    pub keyword: &'a str,
    /// The word behind the keyword: what is declared, of a `rule` what it is about. Empty where another sign follows
    pub name: &'a str,
    /// Where the name stands
    pub name_range: Range<usize>,
    /// From the keyword to the next declaration: blanks and comments may end it
    pub range: Range<usize>,
}

/// The declarations of a text, in order.
pub fn heads(text: &str) -> Vec<Head<'_>> {
    let mut lines = 0;
    let mut starts: Vec<usize> = vec![];
    for line in text.split_inclusive('\n') {
        if line.starts_with(|c: char| c.is_alphabetic()) {
            starts.push(lines);
        }
        lines += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(&start, end)| head(text, start..end)).collect()
}

fn head(text: &str, range: Range<usize>) -> Head<'_> {
    let declaration = &text[range.clone()];
    let (keyword, rest) = declaration.split_at(word(declaration));
    let name = rest.trim_start_matches(' ');
    let start = range.end - name.len();
    let name = &name[..word(name)];
    Head { keyword, name, name_range: start..start + name.len(), range }
}

/// The length of the word at the start.
fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::heads;

    #[test]
    fn a_line_that_starts_with_a_letter_starts_a_declaration() {
        let text = "// comment\nfn f(\n  x,\n) {\n  x\n}\n\nrule KL(A(a) || A(b)) = 1\nlet μ  = 2";
        let found: Vec<_> = heads(text).into_iter().map(|head| (head.keyword, head.name, &text[head.name_range], head.range)).collect();
        assert_eq!(found, [("fn", "f", "f", 11..33), ("rule", "KL", "KL", 33..59), ("let", "μ", "μ", 59..70)]);
    }
}
