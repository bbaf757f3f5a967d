//! Lines for whoever started the command. A reader that goes away, as in `tilde emit … | head`, ends no work and is no error.

use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// A line of the answer, on standard output.
///
/// # Errors
/// `Output`, unless it is only that nobody reads on.
pub fn answer(line: impl Display) -> Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let problem = Diagnostic::new(Code::Output, format!("standard output cannot be written: {error}"));
            Err(problem.help("free some space, or send it elsewhere"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A line beside the answer, on standard error; where that cannot be written, there is no one left to tell.
pub fn remark(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
