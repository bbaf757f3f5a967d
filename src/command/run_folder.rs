//! The folder of a run: parameters for other programs, the state to resume from, the log, pictures.

use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic};
use crate::check::model::Model;
use crate::runtime::checkpoint::Checkpoint;
use crate::runtime::engine::Engine;
use crate::runtime::output;
use crate::runtime::parameters::{self, Parameters};
use crate::runtime::train::State;
use std::path::{Path, PathBuf};

pub struct RunFolder {
    pub path: PathBuf,
}

impl RunFolder {
    pub fn create(path: &Path) -> Result<RunFolder> {
        output::create_folder(path)?;
        Ok(RunFolder { path: path.to_path_buf() })
    }

    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    fn state(&self) -> PathBuf {
        self.path.join("state.safetensors")
    }

    /// Both files are replaced as wholes, the one from which a run goes on last.
    pub fn save(&self, model: &Model, state: &State, fingerprint: &str, engine: &Engine) -> Result<()> {
        parameters::to_checkpoint(model, &state.trained(), engine)?.write(&self.path.join(PARAMETERS))?;
        state.to_checkpoint(model, fingerprint).write(&self.state())
    }

    /// The state of an earlier run.
    pub fn resume(&self, model: &Model, fingerprint: &str, engine: &Engine) -> Result<State> {
        let checkpoint = Checkpoint::read(&self.state())?;
        State::from_checkpoint(model, &checkpoint, fingerprint, engine)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        output::replace_with(&path, bytes)?;
        Ok(path)
    }
}

const PARAMETERS: &str = "params.safetensors";

/// The trained parameters in a run's folder, or in a file named directly.
pub fn trained_parameters(model: &Model, from: &Path, engine: &Engine) -> Result<Parameters> {
    let path = if from.is_dir() { from.join(PARAMETERS) } else { from.to_path_buf() };
    parameters::from_checkpoint(model, &Checkpoint::read(&path)?, engine)
}

/// `runs/vae` for `examples/vae.tilde`.
pub fn default_path(file: &Path) -> Result<PathBuf> {
    let stem = file.file_stem().ok_or_else(|| Diagnostic::new(Code::Output, "the file has no name"))?;
    Ok(Path::new("runs").join(stem))
}
