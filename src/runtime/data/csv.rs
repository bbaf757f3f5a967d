//! Text tables: numeric columns under an optional line of names.

use super::builtin::no_such_field;
use super::{Array, Values, file};
use crate::base::diagnostic::{Diagnostic, Result};
use crate::base::{Code, nearest};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use std::path::Path;

/// All columns as [rows, columns], or [rows] where there is one; some columns, in the order asked for; or one as `field`.
pub(super) fn load(path: &Path, columns: Option<&[String]>, field: Option<&str>) -> Result<Array> {
    let bytes = file::read(path)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let delimiter = if path.extension().is_some_and(|extension| extension == "tsv") { b'\t' } else { b',' };
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).delimiter(delimiter).from_reader(text);
    let mut records = reader.records().map(|record| record.map_err(|error| not_a_table(path, &error)));
    let empty = || Diagnostic::new(Code::DataEmpty, format!("{} has no rows", path.display()));
    let first = records.next().ok_or_else(empty)??;
    let header = is_header(path, &first)?.then_some(&first);
    let picked = match (columns, field) {
        (None, None) => (0..first.len()).collect(),
        (Some(names), None) => names.iter().map(|name| column(path, header, name)).collect::<Result<Vec<_>>>()?,
        (None, Some(name)) => vec![column(path, header, name)?],
        (Some(_), Some(name)) => return Err(no_such_field("a choice of columns", name, &[])),
    };

    let mut values = vec![];
    let first_row = header.is_none().then(|| Ok(first.clone()));
    for record in first_row.into_iter().chain(records) {
        let record = record?;
        for &index in &picked {
            values.push(cell(path, header, &record, index)?);
        }
    }
    let rows = values.len().checked_div(picked.len()).unwrap_or(0);
    if rows == 0 {
        return Err(empty());
    }
    let shape = if picked.len() == 1 { vec![rows] } else { vec![rows, picked.len()] };
    let name = field.map_or_else(|| file::name(path), |field| format!("{}.{field}", file::name(path)));
    Ok(Array::new(name, shape, Values::Doubles(values)))
}

/// Whether the first line is one of names. A mixture of names and numbers is an error, so that no row is lost silently.
fn is_header(path: &Path, first: &StringRecord) -> Result<bool> {
    let numbers = first.iter().filter(|cell| cell.parse::<f64>().is_ok()).count();
    match numbers {
        0 => Ok(true),
        all if all == first.len() => Ok(false),
        _ => Err(file::damaged(path, "the first line mixes numbers with other text").help("name every column there, or none")),
    }
}

fn column(path: &Path, header: Option<&StringRecord>, name: &str) -> Result<usize> {
    let Some(header) = header else {
        let found = Diagnostic::new(Code::UnknownArgument, format!("{} has no column names", path.display()));
        return Err(found.help("add a first line with the names of the columns"));
    };
    header.iter().position(|column| column == name).ok_or_else(|| {
        let found = Diagnostic::new(Code::UnknownArgument, format!("{} has no column `{name}`", path.display()));
        match nearest(name, header) {
            Some(meant) => found.help(format!("did you mean `{meant}`?")),
            None => found.help(format!("the columns are {}", header.iter().collect::<Vec<_>>().join(", "))),
        }
    })
}

fn cell(path: &Path, header: Option<&StringRecord>, record: &StringRecord, index: usize) -> Result<f64> {
    let text = record.get(index).unwrap_or("");
    let place = || {
        let line = record.position().map_or(0, csv::Position::line);
        let title = header.and_then(|header| header.get(index)).map_or_else(String::new, |title| format!(" ({title})"));
        format!("line {line}, column {}{title}", index + 1)
    };
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(Diagnostic::new(Code::DataValue, format!("{}: {} holds {text}", path.display(), place()))
            .help("remove the row or fill in a finite number")),
        Err(_) if text.is_empty() => Err(file::damaged(path, format!("{} is empty", place()))),
        Err(_) => Err(file::damaged(path, format!("{} holds \"{text}\", which is not a number", place()))
            .help("choose the numeric columns: csv(…, columns: [\"…\"])")),
    }
}

fn not_a_table(path: &Path, error: &csv::Error) -> Diagnostic {
    match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            file::damaged(path, format!("line {line} has {len} columns; the lines before it have {expected_len}"))
        }
        ErrorKind::Utf8 { pos, .. } => {
            file::damaged(path, format!("line {} is not UTF-8 text", pos.as_ref().map_or(0, csv::Position::line)))
        }
        _ => file::damaged(path, error),
    }
}
