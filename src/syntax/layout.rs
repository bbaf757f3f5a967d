//! The lines of a file: which newlines end a declaration or a statement, and where each declaration stands.
//!
//! Comments and insignificant newlines become blanks, byte for byte, so that every place in the prepared text is the same
//! place in the file. A newline means nothing inside `(` and `[`, after a binary operator, `=`, `,`, `->` or an opening
//! bracket, and before `else` and `then`; inside `{` it ends a statement again.

use super::syntax_error as error;
use crate::base::{Diagnostic, Diagnostics, FileId, Span};
use std::ops::Range;

/// Brackets and `if`s may be nested this deep, so that no recursion over the tree exhausts the stack.
pub(super) const DEEPEST: usize = 256;

/// Words that start a declaration and never a statement: at the start of a line they end whatever is still open.
pub(super) const DECLARATIONS: [&str; 18] = [
    "use",
    "dim",
    "data",
    "var",
    "global",
    "fn",
    "layer",
    "net",
    "objective",
    "metric",
    "train",
    "sample",
    "dist",
    "bijector",
    "optimizer",
    "kernel",
    "rule",
    "process",
];

/// Of a part of a file. Ranges are those of the file.
pub(super) struct Layout {
    pub file: FileId,
    /// Where the part starts.
    pub offset: usize,
    /// The part with comments and insignificant newlines blanked.
    text: String,
    /// Each declaration whose brackets agree.
    pub declarations: Vec<Range<usize>>,
    pub comments: Vec<Range<usize>>,
    pub problems: Diagnostics,
}

struct Open {
    bracket: u8,
    at: usize,
    /// How many `if`s stand in this bracket since the last separator: each may nest in the one before.
    ifs: usize,
}

struct Scanner<'a> {
    text: &'a str,
    bytes: Vec<u8>,
    file: FileId,
    offset: usize,
    at: usize,
    /// Where the current declaration begins, and whether something is wrong with its brackets.
    start: Option<usize>,
    damaged: bool,
    /// The end of the last token.
    end: usize,
    line_start: usize,
    open: Vec<Open>,
    ifs: usize,
    declarations: Vec<Range<usize>>,
    comments: Vec<Range<usize>>,
    problems: Diagnostics,
}

/// Prepares a part of a file that starts and ends between declarations.
pub(super) fn scan(text: &str, part: Range<usize>, file: FileId) -> Layout {
    let offset = part.start;
    let text = &text[part];
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes().to_vec(),
        file,
        offset,
        at: 0,
        start: None,
        damaged: false,
        end: 0,
        line_start: 0,
        open: vec![],
        ifs: 0,
        declarations: vec![],
        comments: vec![],
        problems: Diagnostics::default(),
    };
    if let Err(too_deep) = scanner.run() {
        scanner.problems.push(too_deep);
    }
    // Only whole tokens were replaced by blanks, so the bytes are still UTF-8.
    let prepared = String::from_utf8_lossy(&scanner.bytes).into_owned();
    let in_file = |ranges: Vec<Range<usize>>| ranges.into_iter().map(|range| range.start + offset..range.end + offset).collect();
    let (declarations, comments) = (in_file(scanner.declarations), in_file(scanner.comments));
    Layout { file, offset, text: prepared, declarations, comments, problems: scanner.problems }
}

impl Layout {
    /// The prepared text of a range of the file.
    pub fn text(&self, range: Range<usize>) -> &str {
        &self.text[range.start - self.offset..range.end - self.offset]
    }
}

impl Scanner<'_> {
    fn run(&mut self) -> Result<(), Diagnostic> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' => self.at += 1,
                b'\r' => self.blank(self.at..self.at + 1),
                b'\n' => self.newline(),
                b'/' if self.bytes.get(self.at + 1) == Some(&b'/') => self.comment(),
                b'"' => self.string(),
                b'(' | b'[' | b'{' => self.open(byte)?,
                b')' | b']' | b'}' => self.close(byte),
                b',' | b';' => {
                    *self.ifs() = 0;
                    self.token(1);
                }
                _ if is_word(byte) => self.word()?,
                _ => self.token(1),
            }
        }
        if let Some(open) = self.open.last() {
            let end = self.span(self.end..self.end);
            self.problems.push(error::never_closed(open.bracket, self.span(open.at..open.at + 1), end, "the file ends here"));
            self.damaged = true;
        }
        self.finish();
        Ok(())
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, self.offset + range.start, self.offset + range.end)
    }

    fn token(&mut self, length: usize) {
        self.start.get_or_insert(self.at);
        self.at += length;
        self.end = self.at;
    }

    fn blank(&mut self, range: Range<usize>) {
        self.at = range.end;
        self.bytes[range].fill(b' ');
    }

    /// The `if` counter of the innermost bracket.
    fn ifs(&mut self) -> &mut usize {
        self.open.last_mut().map_or(&mut self.ifs, |open| &mut open.ifs)
    }

    fn comment(&mut self) {
        let end = self.text[self.at..].find('\n').map_or(self.text.len(), |length| self.at + length);
        let trimmed = self.at + self.text[self.at..end].trim_end().len();
        self.comments.push(self.at..trimmed);
        self.blank(self.at..end);
    }

    fn string(&mut self) {
        let rest = &self.bytes[self.at + 1..];
        let mut length = 0;
        loop {
            match rest.get(length) {
                Some(b'"') => return self.token(length + 2),
                Some(b'\\') if rest.get(length + 1).is_some_and(|byte| *byte != b'\n') => length += 2,
                None | Some(b'\n') => break,
                Some(_) => length += 1,
            }
        }
        self.problems.push(error::unterminated_text(self.span(self.at..self.at + 1 + length)));
        self.damaged = true;
        self.token(length + 1);
    }

    fn word(&mut self) -> Result<(), Diagnostic> {
        let length = self.bytes[self.at..].iter().take_while(|byte| is_word(**byte)).count();
        let word = &self.text[self.at..self.at + length];
        if self.at == self.line_start && !self.open.is_empty() && self.starts_declaration(self.at) {
            self.restart(self.at);
        }
        if word == "if" {
            *self.ifs() += 1;
            self.check_depth()?;
        }
        self.token(length);
        Ok(())
    }

    /// A declaration's keyword, a blank and a name: not an expression that goes on, nor a statement. Inside braces `let` and
    /// `param` are statements.
    fn starts_declaration(&self, at: usize) -> bool {
        let line = &self.text[at..];
        let Some((word, rest)) = line.split_once(' ') else { return false };
        let in_braces = self.open.iter().any(|open| open.bracket == b'{');
        let keyword = DECLARATIONS.contains(&word) || !in_braces && matches!(word, "let" | "param");
        let next = rest.bytes().next();
        keyword && next.is_some_and(is_word) || word == "train" && next == Some(b'{') || word == "data" && next == Some(b'(')
    }

    fn restart(&mut self, at: usize) {
        if let Some(open) = self.open.last() {
            let here = self.span(at..at + 1);
            self.problems.push(error::never_closed(
                open.bracket,
                self.span(open.at..open.at + 1),
                here,
                "the next declaration starts here",
            ));
        }
        self.open.clear();
        self.damaged = true;
        self.finish();
    }

    fn open(&mut self, bracket: u8) -> Result<(), Diagnostic> {
        self.open.push(Open { bracket, at: self.at, ifs: 0 });
        self.check_depth()?;
        self.token(1);
        Ok(())
    }

    fn check_depth(&mut self) -> Result<(), Diagnostic> {
        let depth = self.open.len() + self.ifs + self.open.iter().map(|open| open.ifs).sum::<usize>();
        if depth > DEEPEST { Err(error::too_deep(self.span(self.at..self.at + 1))) } else { Ok(()) }
    }

    fn close(&mut self, bracket: u8) {
        let here = self.span(self.at..self.at + 1);
        let problem = match self.open.last() {
            Some(open) if closing(open.bracket) == bracket => None,
            Some(open) => Some(error::wrong_closing(bracket, here, open.bracket, self.span(open.at..open.at + 1))),
            None => Some(error::stray_closing(bracket, here)),
        };
        if let Some(problem) = problem {
            self.problems.push(problem);
            self.damaged = true;
        }
        // Close up to the bracket that this one fits; where there is none, it stands for the right one.
        let fitting = self.open.iter().rposition(|open| closing(open.bracket) == bracket);
        self.open.truncate(fitting.unwrap_or(self.open.len().saturating_sub(1)));
        self.token(1);
    }

    fn newline(&mut self) {
        let line_has_tokens = self.end > self.line_start;
        let insignificant = self.open.last().is_some_and(|open| open.bracket != b'{')
            || continues(&self.text[..self.end]) && !(self.open.is_empty() && self.starts_declaration(self.at + 1))
            || line_has_tokens && self.next_line_continues();
        let ends_statement = line_has_tokens && !insignificant;
        if insignificant {
            self.blank(self.at..self.at + 1);
        } else {
            self.at += 1;
        }
        self.line_start = self.at;
        if ends_statement {
            *self.ifs() = 0;
            if self.open.is_empty() {
                self.finish();
            }
        }
    }

    /// The next line with tokens goes on with this one: `else`, `then`; at the outer level also an opening brace, the source
    /// of a rule, and the settings of a data source.
    fn next_line_continues(&self) -> bool {
        let next = skip_blank_lines(&self.text[self.at..]);
        let (word, after) = next.split_at(next.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(next.len()));
        if matches!(word, "else" | "then") {
            return true;
        }
        if !self.open.is_empty() {
            return false;
        }
        let is_data = self.start.is_some_and(|start| self.text[start..].starts_with("data"));
        let line = after.lines().next().unwrap_or("").trim_start();
        next.starts_with('{') || word == "from" && line.starts_with('"') || is_data && line.starts_with(':') && !line.contains('=')
    }

    fn finish(&mut self) {
        if let Some(start) = self.start.take()
            && !self.damaged
        {
            self.declarations.push(start..self.end);
        }
        self.damaged = false;
        self.ifs = 0;
    }
}

fn skip_blank_lines(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        if !text.starts_with("//") {
            return text;
        }
        text = text.find('\n').map_or("", |end| &text[end..]);
    }
}

/// The text so far ends in a token that wants an operand.
fn continues(before: &str) -> bool {
    let bytes = before.as_bytes();
    let second = bytes.len().checked_sub(2).map(|i| bytes[i]);
    match bytes.last() {
        Some(b'+' | b'-' | b'*' | b'/' | b'@' | b'^' | b'=' | b',' | b'|' | b'~' | b'<' | b'(' | b'[' | b'{' | b':') => true,
        Some(b'.') => second == Some(b'.'),
        // Not the end of a type such as `Cat<K>`.
        Some(b'>') => matches!(second, Some(b'-' | b' ' | b'\t')),
        Some(byte) if is_word(*byte) => {
            let start = bytes.iter().rposition(|byte| !is_word(*byte)).map_or(0, |i| i + 1);
            let word = &before[start..];
            matches!(word, "and" | "or" | "not" | "then" | "else") || word.ends_with(['∝', '≤', '≥', '≠', '·'])
        }
        Some(_) | None => false,
    }
}

/// Bytes of a word; those beyond ASCII count, since letters of other scripts are letters.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

pub(super) fn closing(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}
