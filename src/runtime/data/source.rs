//! The sources by name, and what each yields.

use super::arguments::Arguments;
use super::builtin::{self, Builtin};
use super::synthetic::Synthetic;
use super::{Array, Values, csv, idx, npy};
use crate::base::diagnostic::{At, Diagnostic, Result};
use crate::base::{Code, nearest};
use crate::check::model::{Argument, Source};
use std::path::{Path, PathBuf};

/// Reads or draws the array [rows, …] that a `data` declaration names. Paths are relative to `folder`, that of the user's file; only
/// generated data depends on the seed.
///
/// # Errors
/// At the source's span: `DataMissing`, `DataFormat`, `DataShape`, `DataValue` and `DataEmpty` of a file; `UnknownName`,
/// `UnknownArgument`, `ArgumentCount`, `TypeMismatch` and `BadSetting` of the call.
pub fn load(source: &Source, folder: &Path, seed: u32) -> Result<Array> {
    match source {
        Source::Named { name, args, field, span } => {
            Reader::of(name, args, folder).and_then(|reader| reader.read(field.as_deref(), seed)).at(*span)
        }
        Source::Values { shape, values, span } => {
            let filled = shape.iter().product::<usize>() == values.len() && !shape.is_empty();
            let wrong = || Diagnostic::internal(format!("{} values cannot have shape {shape:?}", values.len()));
            let values = filled.then(|| Values::Doubles(values.clone())).ok_or_else(wrong).at(*span)?;
            Ok(Array::new("the array", shape.clone(), values))
        }
    }
}

/// The sources by name.
const NAMES: &[&str] = &["csv", "npy", "npz", "idx", "digits", "mnist", "iris", "moons", "gaussians", "swiss_roll", "checkerboard"];

/// A source with its arguments, not yet read.
enum Reader {
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
    Synthetic(Synthetic),
}

impl Reader {
    fn of(name: &str, arguments: &[(Option<String>, Argument)], folder: &Path) -> Result<Reader> {
        use Synthetic::*;
        let mut a = Arguments::new(name, arguments);
        let rows = Some(10_000);
        let source = match name {
            "csv" => Reader::Csv { path: folder.join(a.text("path")?), columns: a.names("columns")? },
            "npy" => Reader::Npy { path: folder.join(a.text("path")?) },
            "npz" => Reader::Npz { path: folder.join(a.text("path")?), key: a.optional_text("key")? },
            "idx" => Reader::Idx { path: folder.join(a.text("path")?) },
            "digits" => Reader::Builtin(Builtin::Digits),
            "mnist" => Reader::Builtin(Builtin::Mnist),
            "iris" => Reader::Builtin(Builtin::Iris),
            "moons" => Reader::Synthetic(Moons { n: a.count("n", rows)?, noise: a.number("noise", 0.05)? }),
            "gaussians" => Reader::Synthetic(Gaussians {
                k: a.count("k", None)?,
                n: a.count("n", rows)?,
                radius: a.number("radius", 2.0)?,
                std: a.number("std", 0.05)?,
            }),
            "swiss_roll" => Reader::Synthetic(SwissRoll { n: a.count("n", rows)?, noise: a.number("noise", 0.1)? }),
            "checkerboard" => Reader::Synthetic(Checkerboard { n: a.count("n", rows)? }),
            _ => return Err(unknown(name)),
        };
        a.finish()?;
        Ok(source)
    }

    fn read(&self, field: Option<&str>, seed: u32) -> Result<Array> {
        match self {
            Reader::Csv { path, columns } => csv::load(path, columns.as_deref(), field),
            Reader::Npy { path } => no_field(field, "npy").and_then(|()| npy::load_npy(path)),
            Reader::Npz { path, key } => npy::load_npz(path, key.as_deref().or(field)),
            Reader::Idx { path } => idx::load(path, field),
            Reader::Builtin(builtin) => builtin.load(field),
            Reader::Synthetic(set) => no_field(field, "generated data").map(|()| set.draw(seed)),
        }
    }
}

fn unknown(name: &str) -> Diagnostic {
    let found = Diagnostic::new(Code::UnknownName, format!("there is no data source `{name}`"));
    match nearest(name, NAMES.iter().copied()) {
        Some(meant) => found.help(format!("did you mean `{meant}`?")),
        None => found.help(format!("the sources are {}", NAMES.join(", "))),
    }
}

fn no_field(field: Option<&str>, what: &str) -> Result<()> {
    field.map_or(Ok(()), |field| Err(builtin::no_such_field(what, field, &[])))
}
