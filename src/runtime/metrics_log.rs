//! `metrics.jsonl`: a JSON object a line, each with its `step`.

use super::output::unwritable;
use crate::base::diagnostic::Result;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Starts an empty log.
    ///
    /// # Errors
    /// `Output`, here and below.
    pub fn create(path: &Path) -> Result<MetricsLog> {
        let file = File::create(path).map_err(|error| unwritable(path, &error))?;
        Ok(MetricsLog { path: path.to_owned(), file })
    }

    /// Goes on with a log after a step of a block: later lines, and a last line cut short by an interruption, are removed.
    pub fn resume(path: &Path, block: usize, step: u64) -> Result<MetricsLog> {
        let file = truncated(path, (block as u64, step)).map_err(|error| unwritable(path, &error))?;
        Ok(MetricsLog { path: path.to_owned(), file })
    }

    /// Appends a line without a step, such as the final metrics, to an existing log.
    pub fn append_to(path: &Path, fields: &[(&str, Value)]) -> Result<()> {
        let fields: serde_json::Map<String, Value> = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(|error| unwritable(path, &error))?;
        writeln!(file, "{}", Value::Object(fields)).map_err(|error| unwritable(path, &error))
    }

    /// Appends `{"step": …, fields…}` in this order. A number that is not finite is written as null.
    pub fn append(&mut self, step: u64, fields: &[(&str, Value)]) -> Result<()> {
        let mut line = format!("{{\"step\":{step}");
        for (name, value) in fields {
            line += &format!(",{}:{value}", Value::from(*name));
        }
        line += "}\n";
        self.file.write_all(line.as_bytes()).map_err(|error| unwritable(&self.path, &error))
    }
}

fn truncated(path: &Path, last: (u64, u64)) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let kept: usize = text.split_inclusive('\n').take_while(|line| line.ends_with('\n') && is_up_to(line, last)).map(str::len).sum();
    file.set_len(kept as u64)?;
    file.seek(io::SeekFrom::End(0))?;
    Ok(file)
}

/// Lines of a file with one `train` block do not name it.
fn is_up_to(line: &str, last: (u64, u64)) -> bool {
    let place = |line: Value| Some((line.get("block").and_then(Value::as_u64).unwrap_or(0), line.get("step")?.as_u64()?));
    serde_json::from_str(line).ok().and_then(place).is_some_and(|found| found <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resumes_after_the_step_of_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::create(&path).unwrap();
        for step in [10, 20, 30] {
            log.append(step, &[("loss", Value::from(0.5 * step as f64)), ("note", Value::from("warm \"up\""))]).unwrap();
        }
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "{\"step\":40,\"lo").unwrap();
        MetricsLog::resume(&path, 0, 20).unwrap().append(21, &[("loss", Value::from(f64::NAN))]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = r#"{"step":10,"loss":5.0,"note":"warm \"up\""}
{"step":20,"loss":10.0,"note":"warm \"up\""}
{"step":21,"loss":null}
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_log_that_was_lost_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        MetricsLog::resume(&path, 0, 5).unwrap().append(6, &[]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"step\":6}\n");
    }
}
