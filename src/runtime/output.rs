//! Writing files so that a reader never finds half of one, and arrays as .npy.

use crate::backend::{Elements, Tensor};
use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use npyz::{AutoSerialize, WriterBuilder};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file as a whole or not at all: into a temporary file beside it, to the disk, then over the old one. What is not a regular
/// file (a device, a pipe) is written directly.
///
/// # Errors
/// `Output`, with the reason of the operating system; an old file is then as it was.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let result = match path.canonicalize() {
        Ok(target) if target.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        Ok(target) if target.is_file() => replace_regular(&target, write),
        Ok(target) => write_through(&target, write),
        Err(_) => replace_regular(path, write),
    };
    result.map_err(|error| unwritable(path, &error))
}

/// [`replace`] with these bytes.
pub fn replace_with(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |file| file.write_all(bytes))
}

fn replace_regular(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut temporary = new_file_in(folder)?;
    let mut buffer = BufWriter::new(temporary.as_file_mut());
    write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

fn write_through(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    write(&mut file)?;
    file.flush()
}

/// With the permissions of any new file; those of temporary files shut out other users.
fn new_file_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tilde-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// The new name itself reaches the disk with its folder. Other systems than Unix cannot open a folder.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes the folder of a run with all above it.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| unwritable(path, &error))
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Diagnostic {
    let found = Diagnostic::new(Code::Output, format!("{} cannot be written: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::StorageFull => found.help("free some space, or choose another folder with --out"),
        _ => found.help("choose another place with --out"),
    }
}

/// Writes an array in NumPy's format, in the tensor's own element type.
pub fn write_npy(path: &Path, tensor: &Tensor) -> Result<()> {
    let shape: Vec<u64> = tensor.shape().iter().map(|&size| size as u64).collect();
    replace(path, |file| match &tensor.elements {
        Elements::F32(values) => npy(file, &shape, values),
        Elements::F64(values) => npy(file, &shape, values),
        Elements::I32(values) => npy(file, &shape, values),
        Elements::I64(values) => npy(file, &shape, values),
    })
}

fn npy<T: AutoSerialize + Copy>(file: &mut dyn Write, shape: &[u64], values: &[T]) -> io::Result<()> {
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()
}
