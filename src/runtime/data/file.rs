//! Reading a data file, and what to say when it is not there.

use crate::base::diagnostic::{Diagnostic, Result};
use crate::base::{Code, nearest};
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| missing(path, &error))
}

fn missing(path: &Path, error: &std::io::Error) -> Diagnostic {
    let shown = path.display();
    if error.kind() != ErrorKind::NotFound {
        return Diagnostic::new(Code::DataMissing, format!("{shown} cannot be read: {error}"));
    }
    let found = Diagnostic::new(Code::DataMissing, format!("there is no file {shown}"));
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found.help(format!("the folder {} does not exist", folder.display()));
    };
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(meant) => found.help(format!("did you mean \"{meant}\"?")),
        None => found.help("paths are relative to the folder of the .tilde file"),
    }
}

/// The file's contents are not what its format asks for.
pub(super) fn damaged(path: &Path, message: impl Display) -> Diagnostic {
    Diagnostic::new(Code::DataFormat, format!("{}: {message}", path.display()))
}

/// The name by which messages call an array of a file.
pub(super) fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
