//! Named tensors with text beside them, as a safetensors file.

use super::output;
use crate::backend::{Elements, Tensor};
use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use crate::base::op::DType;
use crate::graph::TensorType;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

/// The entry of the file's metadata that holds ours, as a JSON object.
const ENTRY: &str = "tilde";

/// Parameters, optimiser state, or whatever else a run goes on from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    pub tensors: BTreeMap<String, Tensor>,
    pub metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Replaces the file as a whole; the same contents give the same bytes.
    ///
    /// # Errors
    /// `Output`; an old file is then as it was.
    pub fn write(&self, path: &Path) -> Result<()> {
        // The library writes several entries of metadata in random order, so all go into one.
        let entries = serde_json::to_string(&self.metadata).map_err(Diagnostic::internal)?;
        let views = self.tensors.iter().map(|(name, tensor)| (name, Stored(tensor)));
        let bytes = safetensors::serialize(views, Some(HashMap::from([(ENTRY.into(), entries)]))).map_err(Diagnostic::internal)?;
        output::replace_with(path, &bytes)
    }

    /// Reads what [`Checkpoint::write`] wrote, or any safetensors file of the element types f32, f64, i32, i64 and bool.
    ///
    /// # Errors
    /// `Checkpoint` if the file is missing, damaged or of another format.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(path, error))?;
        let stored = SafeTensors::deserialize(&bytes).map_err(|error| damaged(path, error))?;
        let mut checkpoint = Checkpoint::default();
        for (name, view) in stored.iter() {
            checkpoint.tensors.insert(name.to_owned(), restored(path, name, &view)?);
        }
        if let Some(entries) = header.metadata().as_ref().and_then(|metadata| metadata.get(ENTRY)) {
            checkpoint.metadata = serde_json::from_str(entries).map_err(|error| damaged(path, error))?;
        }
        Ok(checkpoint)
    }

    /// The tensor of that name, which must have the shape and element type that the model gives it.
    ///
    /// # Errors
    /// `Checkpoint`, naming both.
    pub fn tensor(&self, name: &str, ty: &TensorType) -> Result<&Tensor> {
        let Some(found) = self.tensors.get(name) else {
            let found = Diagnostic::new(Code::Checkpoint, format!("the checkpoint has no `{name}`"));
            return Err(found.help("was it written by another version of the file?"));
        };
        if &found.ty != ty {
            let message =
                format!("`{name}` is {:?}{:?} in the checkpoint, {:?}{:?} here", found.ty.dtype, found.ty.shape, ty.dtype, ty.shape);
            return Err(Diagnostic::new(Code::Checkpoint, message).help("train anew, or use the sizes (--set) of the run that wrote it"));
        }
        Ok(found)
    }
}

/// A tensor as the format sees it: little-endian bytes.
struct Stored<'a>(&'a Tensor);

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match (self.0.ty.dtype, &self.0.elements) {
            (DType::Bool, _) => Dtype::BOOL,
            (DType::Real | DType::Int, Elements::F32(_)) => Dtype::F32,
            (DType::Real | DType::Int, Elements::F64(_)) => Dtype::F64,
            (DType::Real | DType::Int, Elements::I32(_)) => Dtype::I32,
            (DType::Real | DType::Int, Elements::I64(_)) => Dtype::I64,
        }
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match &self.0.elements {
            _ if self.0.ty.dtype == DType::Bool => self.0.to_f64().iter().map(|&v| u8::from(v != 0.0)).collect(),
            Elements::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Elements::F64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Elements::I32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Elements::I64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        })
    }

    fn data_len(&self) -> usize {
        self.0.len() * self.dtype().bitsize() / 8
    }
}

/// `bool` comes back in 32 bits; the format does not say how wide a plan holds it.
fn restored(path: &Path, name: &str, view: &TensorView) -> Result<Tensor> {
    let (dtype, elements) = match view.dtype() {
        Dtype::F32 => (DType::Real, Elements::F32(decoded(view.data(), f32::from_le_bytes))),
        Dtype::F64 => (DType::Real, Elements::F64(decoded(view.data(), f64::from_le_bytes))),
        Dtype::I32 => (DType::Int, Elements::I32(decoded(view.data(), i32::from_le_bytes))),
        Dtype::I64 => (DType::Int, Elements::I64(decoded(view.data(), i64::from_le_bytes))),
        Dtype::BOOL => (DType::Bool, Elements::I32(decoded(view.data(), |[byte]| i32::from(byte != 0)))),
        other => return Err(damaged(path, format!("`{name}` has elements of type {other:?}"))),
    };
    Ok(Tensor { ty: TensorType::new(dtype, view.shape()), elements })
}

fn decoded<T, const WIDTH: usize>(bytes: &[u8], value: impl Fn([u8; WIDTH]) -> T) -> Arc<Vec<T>> {
    Arc::new(bytes.as_chunks().0.iter().map(|&chunk| value(chunk)).collect())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no checkpoint {}", path.display()),
        _ => format!("the checkpoint {} cannot be read: {error}", path.display()),
    };
    Diagnostic::new(Code::Checkpoint, message).help("name the folder of a finished or interrupted run")
}

fn damaged(path: &Path, error: impl Display) -> Diagnostic {
    let message = format!("{} is damaged or not a safetensors file ({error})", path.display());
    Diagnostic::new(Code::Checkpoint, message).help("train again, or name another folder")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Precision;

    fn example() -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        let weights = Tensor::new(TensorType::real([2, 3]), Precision::F32, [0.1, -0.0, f64::INFINITY, 1e-40, 5.0, -6.5]);
        checkpoint.tensors.insert("W".into(), weights);
        checkpoint.tensors.insert("b".into(), Tensor::scalar(1.0 / 3.0, DType::Real, Precision::F64));
        checkpoint.tensors.insert("step".into(), Tensor::scalar(7e12, DType::Int, Precision::F64));
        checkpoint.tensors.insert("mask".into(), Tensor::new(TensorType::new(DType::Bool, [2]), Precision::F32, [1.0, 0.0]));
        checkpoint.metadata.insert("file".into(), "vae.tilde".into());
        checkpoint.metadata.insert("seed".into(), "0".into());
        checkpoint
    }

    #[test]
    fn comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("params.safetensors");
        example().write(&path).unwrap();
        let once = std::fs::read(&path).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), example());
        Checkpoint::read(&path).unwrap().write(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), once);
    }

    #[test]
    fn a_failing_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("params.safetensors");
        example().write(&path).unwrap();
        let half = output::replace(&path, |file| {
            file.write_all(b"half")?;
            Err(std::io::ErrorKind::StorageFull.into())
        });
        assert_eq!(half.unwrap_err().code, Code::Output);
        assert_eq!(Checkpoint::read(&path).unwrap(), example());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_said_to_be_full() {
        let full = example().write(Path::new("/dev/full")).unwrap_err();
        assert_eq!(full.code, Code::Output);
        assert!(full.message.contains("No space left"), "{}", full.message);
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("params.safetensors");
        assert!(Checkpoint::read(&path).unwrap_err().message.starts_with("there is no checkpoint"));
        example().write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for damage in [&b""[..], b"hello, this is no checkpoint", &bytes[..bytes.len() - 1], &bytes[..40]] {
            std::fs::write(&path, damage).unwrap();
            assert_eq!(Checkpoint::read(&path).unwrap_err().code, Code::Checkpoint);
        }
        assert_eq!(example().write(&folder.path().join("no/such/folder")).unwrap_err().code, Code::Output);
        assert_eq!(example().write(folder.path()).unwrap_err().code, Code::Output);
    }

    #[test]
    fn a_tensor_of_another_model_is_refused() {
        assert!(example().tensor("W", &TensorType::real([2, 3])).is_ok());
        assert!(example().tensor("W", &TensorType::real([3, 2])).unwrap_err().message.contains("[2, 3]"));
        assert_eq!(example().tensor("V", &TensorType::real([2, 3])).unwrap_err().code, Code::Checkpoint);
    }
}
