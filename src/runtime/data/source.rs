//! The sources by name, and what each yields.

use super::arguments::{Argument, Arguments};
use super::builtin::{self, Builtin};
use super::{Array, csv, idx, npy, synthetic};
use crate::base::diagnostic::{Diagnostic, Result};
use crate::base::{Code, nearest};
use std::path::{Path, PathBuf};

/// A source with its arguments, not yet read.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Numeric columns, one row a line; all columns unless some are named
    Csv {
        path: PathBuf,
        columns: Option<Vec<String>>,
    },
    /// An array in NumPy's format
    Npy {
        path: PathBuf,
    },
    /// An archive of NumPy arrays; the key may be left out where it holds one array
    Npz {
        path: PathBuf,
        key: Option<String>,
    },
    /// The format of the MNIST files
    Idx {
        path: PathBuf,
    },
    Builtin(Builtin),
    Synthetic(synthetic::Synthetic),
}

impl Source {
    /// The names that [`Source::call`] knows.
    pub const NAMES: &[&str] = &["csv", "npy", "npz", "idx", "digits", "mnist", "iris", "moons", "gaussians", "swiss_roll", "checkerboard"];

    /// The source that a call `name(arguments)` means. Paths are relative to `folder`, that of the user's file.
    pub fn call(name: &str, arguments: &[(Option<String>, Argument)], folder: &Path) -> Result<Source> {
        use synthetic::Synthetic::*;
        let mut a = Arguments::new(name, arguments);
        let rows = Some(10_000);
        let source = match name {
            "csv" => Source::Csv { path: folder.join(a.text("path")?), columns: a.names("columns")? },
            "npy" => Source::Npy { path: folder.join(a.text("path")?) },
            "npz" => Source::Npz { path: folder.join(a.text("path")?), key: a.optional_text("key")? },
            "idx" => Source::Idx { path: folder.join(a.text("path")?) },
            "digits" => Source::Builtin(Builtin::Digits),
            "mnist" => Source::Builtin(Builtin::Mnist),
            "iris" => Source::Builtin(Builtin::Iris),
            "moons" => Source::Synthetic(Moons { n: a.count("n", rows)?, noise: a.number("noise", 0.05)? }),
            "gaussians" => Source::Synthetic(Gaussians {
                k: a.count("k", None)?,
                n: a.count("n", rows)?,
                radius: a.number("radius", 2.0)?,
                std: a.number("std", 0.05)?,
            }),
            "swiss_roll" => Source::Synthetic(SwissRoll { n: a.count("n", rows)?, noise: a.number("noise", 0.1)? }),
            "checkerboard" => Source::Synthetic(Checkerboard { n: a.count("n", rows)? }),
            _ => return Err(unknown(name)),
        };
        a.finish()?;
        Ok(source)
    }

    /// Reads or draws the array that `source` or `source.field` means. Only generated data depends on the seed.
    ///
    /// # Errors
    /// `DataMissing`, `DataFormat`, `DataValue` and `DataEmpty` of the file; `UnknownArgument` for a field it does not have.
    pub fn load(&self, field: Option<&str>, seed: u32) -> Result<Array> {
        match self {
            Source::Csv { path, columns } => csv::load(path, columns.as_deref(), field),
            Source::Npy { path } => no_field(field, "npy").and_then(|()| npy::load_npy(path)),
            Source::Npz { path, key } => npy::load_npz(path, key.as_deref().or(field)),
            Source::Idx { path } => idx::load(path, field),
            Source::Builtin(builtin) => builtin.load(field),
            Source::Synthetic(synthetic) => no_field(field, "generated data").map(|()| synthetic.draw(seed)),
        }
    }
}

fn unknown(name: &str) -> Diagnostic {
    let found = Diagnostic::new(Code::UnknownName, format!("there is no data source `{name}`"));
    match nearest(name, Source::NAMES.iter().copied()) {
        Some(meant) => found.help(format!("did you mean `{meant}`?")),
        None => found.help(format!("the sources are {}", Source::NAMES.join(", "))),
    }
}

fn no_field(field: Option<&str>, what: &str) -> Result<()> {
    field.map_or(Ok(()), |field| Err(builtin::no_such_field(what, field, &[])))
}
