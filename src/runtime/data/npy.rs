//! NumPy's files: one array (.npy) or an archive of named arrays (.npz).

use super::builtin::no_such_field;
use super::{Array, Values, file};
use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use npyz::npz::{array_name_from_file_name, file_name_from_array_name};
use npyz::{DType, Deserialize, NpyFile, NpyHeader, Order, TypeChar};
use std::fmt::Display;
use std::io::{Cursor, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// Bytes for which memory is asked before they are there: what a header says need not be true.
const MOST_AT_ONCE: usize = 1 << 24;

pub(super) fn load_npy(path: &Path) -> Result<Array> {
    let bytes = file::read(path)?;
    let npy = NpyFile::new(&bytes[..]).map_err(|error| file::damaged(path, format!("this is not a .npy file ({error})")))?;
    decode(path, file::name(path), npy)
}

/// The array of that key; the key may be left out where the archive holds one array.
pub(super) fn load_npz(path: &Path, key: Option<&str>) -> Result<Array> {
    from_archive(path, &file::read(path)?, key)
}

/// As [`load_npz`], of an archive in memory; `path` is for messages.
pub(super) fn from_archive(path: &Path, bytes: &[u8], key: Option<&str>) -> Result<Array> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| file::damaged(path, format!("this is not a .npz archive ({error})")))?;
    let mut keys: Vec<String> = archive.file_names().filter_map(array_name_from_file_name).map(str::to_owned).collect();
    keys.sort();
    let key = match (key, &keys[..]) {
        (Some(key), _) => key.to_owned(),
        (None, [only]) => only.clone(),
        (None, _) => {
            let found = Diagnostic::new(Code::ArgumentCount, format!("{} holds {} arrays", path.display(), keys.len()));
            return Err(found.help(format!("name one with key: \"…\"; it holds {}", keys.join(", "))));
        }
    };
    let name = format!("{}.{key}", file::name(path));
    let unreadable = |error: &dyn Display| file::damaged(path, format!("the array `{key}` cannot be read ({error})"));
    match archive.by_name(&file_name_from_array_name(&key)) {
        Ok(entry) => decode(path, name, NpyFile::new(entry).map_err(|error| unreadable(&error))?),
        Err(ZipError::FileNotFound) => Err(no_such_field(&file::name(path), &key, &keys.iter().map(String::as_str).collect::<Vec<_>>())),
        Err(error) => Err(unreadable(&error)),
    }
}

fn decode(path: &Path, name: String, npy: NpyFile<impl Read>) -> Result<Array> {
    let header = npy.header().clone();
    let (kind, width) = element_type(path, &header)?;
    let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
    let truncated = || file::damaged(path, format!("shape {shape:?} needs more values than the file holds: it is truncated"));
    let wanted = shape.iter().try_fold(width, |product, &size| product.checked_mul(size)).ok_or_else(truncated)?;
    let mut bytes = Vec::with_capacity(wanted.min(MOST_AT_ONCE));
    npy.into_inner().read_to_end(&mut bytes).map_err(|error| file::damaged(path, error))?;
    if bytes.len() < wanted {
        return Err(truncated());
    }
    if shape.is_empty() {
        return Err(Diagnostic::new(Code::DataShape, format!("{name} is a single number; data needs an axis of rows")));
    }
    let order = header.order();
    let values = match (kind, width) {
        (TypeChar::Uint, 1) => {
            bytes.truncate(wanted);
            Values::Bytes(bytes)
        }
        _ => elements(path, NpyFile::with_header(header, &bytes[..]), kind, width)?,
    };
    let values = match order {
        Order::C => values,
        Order::Fortran => row_major(&values, &shape),
    };
    Ok(Array::new(name, shape, values))
}

fn element_type(path: &Path, header: &NpyHeader) -> Result<(TypeChar, usize)> {
    let dtype = header.dtype();
    let DType::Plain(element) = &dtype else {
        return Err(file::damaged(path, format!("elements of type {} are not supported", dtype.descr())));
    };
    match (element.type_char(), element.num_bytes()) {
        (kind, Some(width)) => Ok((kind, width)),
        (_, None) => Err(not_numbers(path, &dtype)),
    }
}

fn not_numbers(path: &Path, dtype: &DType) -> Diagnostic {
    file::damaged(path, format!("elements of type {} are not numbers that Tilde reads", dtype.descr()))
        .help("convert with NumPy first: x.astype(\"float32\"); floats of 4 or 8 bytes, integers and bool are read")
}

fn elements(path: &Path, npy: NpyFile<&[u8]>, kind: TypeChar, width: usize) -> Result<Values> {
    match (kind, width) {
        (TypeChar::Float, 4) => Ok(Values::Singles(vector(path, npy)?)),
        (TypeChar::Float, 8) => Ok(Values::Doubles(vector(path, npy)?)),
        (TypeChar::Uint, 2) => Ok(Values::Ints(widened::<u16>(path, npy)?)),
        (TypeChar::Uint, 4) => Ok(Values::Ints(widened::<u32>(path, npy)?)),
        (TypeChar::Int, 1) => Ok(Values::Ints(widened::<i8>(path, npy)?)),
        (TypeChar::Int, 2) => Ok(Values::Ints(widened::<i16>(path, npy)?)),
        (TypeChar::Int, 4) => Ok(Values::Ints(widened::<i32>(path, npy)?)),
        (TypeChar::Int, 8) => Ok(Values::Ints(vector(path, npy)?)),
        (TypeChar::Bool, 1) => Ok(Values::Bytes(vector::<bool>(path, npy)?.into_iter().map(u8::from).collect())),
        _ => Err(not_numbers(path, &npy.dtype())),
    }
}

fn vector<T: Deserialize>(path: &Path, npy: NpyFile<&[u8]>) -> Result<Vec<T>> {
    npy.into_vec().map_err(|error| file::damaged(path, error))
}

fn widened<T: Deserialize + Into<i64>>(path: &Path, npy: NpyFile<&[u8]>) -> Result<Vec<i64>> {
    Ok(vector::<T>(path, npy)?.into_iter().map(Into::into).collect())
}

/// From Fortran's order, the first axis running fastest.
fn row_major(values: &Values, shape: &[usize]) -> Values {
    let place = |mut index: usize| {
        let mut stride = values.len();
        let mut place = 0;
        for &size in shape.iter().rev() {
            stride /= size;
            place += index % size * stride;
            index /= size;
        }
        place
    };
    values.gather((0..values.len()).map(place))
}
