//! A folder with files in it, and `tilde` run there.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Two blocks, averages, minibatches, latent draws: everything that a run has to remember.
pub const MODEL: &str = "\
dim Z = 2, H = 8
let width = 1.0
data x : Real[2] = moons(n: 300)   split: 0.1
net enc(x : Real[2]) -> (Real[Z], Positive[Z]) {
  let h = tanh(dense[H](x))
  (dense[Z](h), exp(dense[Z](h)))
}
net dec(z : Real[Z]) -> Real[2] = dense[2](tanh(dense[H](z)))
p(z : Real[Z]) = Normal(0, width)
p(x | z)       = Normal(dec(z), 0.1)
q(z | x)       = Normal(enc(x))
train warm { maximize ELBO(p, q) with Adam(1e-3)   batch: 20 }
train { maximize ELBO(p, q) with Adam(1e-4)   batch: 50   ema: 0.9 }
metric elbo   = ELBO(p, q)
sample points = { z ~ p(z); p(x | z).mean } as scatter
";

pub const COIN: &str = "\
data x : Bit = [1, 0, 1, 0, 1, 1, 0]
param theta : Unit = 0.5
p(x) = Bernoulli(theta)
train { maximize log p(x) with Adam(1e-2)   steps: 60 }
";

pub struct Folder(TempDir);

/// What a command left behind.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tilde"));
        command.args(arguments).current_dir(self.0.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn tilde(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        Ended { code: output.status.code(), out: String::from_utf8(output.stdout).unwrap(), err: String::from_utf8(output.stderr).unwrap() }
    }

    /// A command that must do what it is asked.
    pub fn fine(&self, arguments: &[&str]) -> String {
        let ended = self.tilde(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.err);
        ended.out
    }

    /// One that must end with this code and say all these words.
    pub fn refused(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let ended = self.tilde(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.err);
        for word in words {
            assert!(ended.err.contains(word), "{arguments:?}: `{word}` is missing from\n{}", ended.err);
        }
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The header of a safetensors file, read by hand: eight bytes of length, then JSON; tensors fill the rest without gaps.
pub fn safetensors_header(bytes: &[u8]) -> Value {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut ranges: Vec<(u64, u64)> = vec![];
    for (name, tensor) in header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__") {
        let [start, end] = [0, 1].map(|at| tensor["data_offsets"][at].as_u64().unwrap());
        let numbers: u64 = tensor["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).product();
        assert_eq!((tensor["dtype"].as_str(), end - start), (Some("F32"), 4 * numbers), "{name}");
        ranges.push((start, end));
    }
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0), "{ranges:?}");
    assert_eq!(ranges.last().map_or(0, |range| range.1) as usize, bytes.len() - 8 - length);
    header
}

/// The numbers of one tensor.
pub fn tensor(bytes: &[u8], name: &str) -> Vec<f32> {
    let header = safetensors_header(bytes);
    let data = &bytes[8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize..];
    let [start, end] = [0, 1].map(|at| header[name]["data_offsets"][at].as_u64().unwrap() as usize);
    data[start..end].chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}
