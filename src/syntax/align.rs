//! Columns: tokens that the user aligned on neighbouring lines are aligned in the result.

use super::format::Line;

/// The places of a line at which it may be aligned with its neighbours, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// What follows the keyword of a declaration
    Name,
    /// The `:` of a type
    Type,
    /// `=`, `∝` or `~`
    Value,
    /// `as` or `from`
    Ending,
    Comment,
}

const ANCHORS: [Anchor; 5] = [Anchor::Name, Anchor::Type, Anchor::Value, Anchor::Ending, Anchor::Comment];

/// A token or a comment on a line of the result.
pub(super) struct Piece<'a> {
    pub text: &'a str,
    /// Blanks before it
    pub gap: usize,
    /// Its column in the user's text
    pub column: usize,
    pub anchor: Option<Anchor>,
}

impl<'a> Piece<'a> {
    pub fn comment(text: &'a str, gap: usize, column: usize) -> Piece<'a> {
        Piece { text, gap, column, anchor: Some(Anchor::Comment) }
    }
}

/// Pads the anchors that stand in one column of neighbouring lines of the user's text to one column of the result.
///
/// Anchors are treated from left to right, so that padding one moves those after it before they are measured; a second run
/// finds every group at its column already.
pub(super) fn align(lines: &mut [Line]) {
    for anchor in ANCHORS {
        let places: Vec<Option<usize>> = lines.iter().map(|line| place(line, anchor)).collect();
        let mut start = 0;
        while start < lines.len() {
            let column = |i: usize| places[i].map(|place| lines[i][place].column);
            let length = (start..lines.len()).take_while(|i| column(*i).is_some() && column(*i) == column(start)).count();
            pad(&mut lines[start..start + length], &places[start..start + length]);
            start += length.max(1);
        }
    }
}

/// The first piece of a line, after the very first, with this anchor.
fn place(line: &Line, anchor: Anchor) -> Option<usize> {
    let (i, _) = line.iter().enumerate().skip(1).find(|(_, piece)| piece.anchor == Some(anchor))?;
    Some(i)
}

fn pad(lines: &mut [Line], places: &[Option<usize>]) {
    let columns: Vec<usize> = lines.iter().zip(places).map(|(line, place)| place.map_or(0, |place| column(line, place))).collect();
    let furthest = columns.iter().copied().max().unwrap_or(0);
    for ((line, place), column) in lines.iter_mut().zip(places).zip(columns) {
        if let Some(place) = place {
            line[*place].gap += furthest - column;
        }
    }
}

fn column(line: &Line, place: usize) -> usize {
    let before: usize = line[..place].iter().map(|piece| piece.gap + piece.text.chars().count()).sum();
    before + line[place].gap
}
