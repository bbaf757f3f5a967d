//! Lines of a formula: where it breaks when it is too long. Breaks stand before plus, minus and relations; what follows a break is
//! aligned with the start of the group in which it stands.

/// A piece of a set formula.
#[derive(Clone, Debug)]
pub enum Piece {
    /// What is written, and how many columns it takes as read
    Text(String, usize),
    /// A space, or a new line where the group does not fit
    Break,
    Group(Vec<Piece>),
    /// What stands in brackets: the brackets as written when all fits, and when it is broken
    Bracketed {
        open: [String; 2],
        close: [String; 2],
        inside: Vec<Piece>,
    },
}

/// One line: how far it is indented, in columns, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub indent: usize,
    pub text: String,
}

impl Piece {
    pub fn text(text: impl Into<String>) -> Piece {
        let text = text.into();
        let width = text.chars().count();
        Piece::Text(text, width)
    }

    /// How many columns it takes on one line.
    pub fn width(&self) -> usize {
        match self {
            Piece::Text(_, width) => *width,
            Piece::Break => 1,
            Piece::Group(pieces) => pieces.iter().map(Piece::width).sum(),
            Piece::Bracketed { inside, .. } => 2 + inside.iter().map(Piece::width).sum::<usize>(),
        }
    }

    /// On one line, however long.
    pub fn flat(&self) -> String {
        let mut lines = Lines::new(usize::MAX);
        lines.piece(self);
        lines.finish().into_iter().map(|line| line.text).collect()
    }

    /// On lines of at most `width` columns where it has the breaks for it.
    pub fn lines(&self, width: usize) -> Vec<Line> {
        let mut lines = Lines::new(width);
        lines.piece(self);
        lines.finish()
    }
}

struct Lines {
    width: usize,
    done: Vec<Line>,
    line: Line,
    column: usize,
}

impl Lines {
    fn new(width: usize) -> Lines {
        Lines { width, done: vec![], line: Line { indent: 0, text: String::new() }, column: 0 }
    }

    fn finish(mut self) -> Vec<Line> {
        self.done.push(self.line);
        self.done
    }

    fn fits(&self, columns: usize) -> bool {
        self.column.saturating_add(columns) <= self.width
    }

    fn piece(&mut self, piece: &Piece) {
        match piece {
            Piece::Text(text, width) => {
                self.line.text.push_str(text);
                self.column += width;
            }
            Piece::Break => {
                self.line.text.push(' ');
                self.column += 1;
            }
            Piece::Group(pieces) => self.pieces(pieces, piece.width()),
            Piece::Bracketed { open, close, inside } => {
                let broken = usize::from(!self.fits(piece.width()) && inside.iter().any(Piece::breaks));
                self.line.text.push_str(&open[broken]);
                self.column += 1;
                self.pieces(inside, piece.width() - 1);
                self.line.text.push_str(&close[broken]);
                self.column += 1;
            }
        }
    }

    /// A group on this line if it fits; otherwise a new line at each break after which too much would follow.
    fn pieces(&mut self, pieces: &[Piece], width: usize) {
        let whole = self.fits(width);
        let start = self.column;
        for (at, piece) in pieces.iter().enumerate() {
            let next: usize = pieces[at + 1..].iter().take_while(|piece| !matches!(piece, Piece::Break)).map(Piece::width).sum();
            if matches!(piece, Piece::Break) && !whole && !self.fits(1 + next) && self.column > start {
                let line = Line { indent: start, text: String::new() };
                self.done.push(std::mem::replace(&mut self.line, line));
                self.column = start;
            } else {
                self.piece(piece);
            }
        }
    }
}

impl Piece {
    fn breaks(&self) -> bool {
        match self {
            Piece::Text(..) => false,
            Piece::Break => true,
            Piece::Group(pieces) => pieces.iter().any(Piece::breaks),
            Piece::Bracketed { inside, .. } => inside.iter().any(Piece::breaks),
        }
    }
}
