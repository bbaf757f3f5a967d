//! `tilde sample FILE --from DIR`: what the file's `sample` declarations say, as pictures or arrays.

use super::benchmark::evaluation_times;
use super::{Context, EngineArguments, Failure, FileArguments, profile, run_folder};
use crate::backend::{Measured, Precision, Tensor};
use crate::base::diagnostic::{At, Result};
use crate::base::{Code, Diagnostic};
use crate::check::Type;
use crate::check::model::{Model, Picture, Sample};
use crate::graph::TensorType;
use crate::report::{console, picture};
use crate::runtime::dataset::Dataset;
use crate::runtime::engine::Engine;
use crate::runtime::evaluate::{self, Evaluated, Values};
use crate::runtime::output;
use crate::runtime::parameters::Parameters;
use clap::Args;
use serde_json::json;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: FileArguments,
    /// The folder of a run
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// How many draws [default: 64 images, 2000 points]
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub n: Option<u32>,
    /// A .png picture or a .npy array [default: pictures in the folder of the run]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Only the sample of this name
    #[arg(long)]
    pub name: Option<String>,
    /// Print one line of JSON for each sample that tells how long its draws took
    #[arg(long, hide = true)]
    pub bench_json: bool,
    /// Where the time goes, kernel by kernel
    #[arg(long, conflicts_with = "json")]
    pub profile: bool,
    #[command(flatten)]
    pub engine: EngineArguments,
}

pub fn execute(arguments: &Arguments, context: &mut Context) -> std::result::Result<(), Failure> {
    let launched = context.launched;
    let compiled = context.compile(&arguments.file, None)?;
    let checked = launched.elapsed();
    let model = &compiled.model;
    let chosen: Vec<&Sample> = model.samples.iter().filter(|s| arguments.name.as_ref().is_none_or(|name| *name == s.name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = model.samples.iter().map(|sample| sample.name.as_str()).collect();
        let message =
            if names.is_empty() { "the file has no `sample`".to_owned() } else { format!("the samples are {}", names.join(", ")) };
        return Err(Failure::CommandLine(message));
    }
    if arguments.out.is_some() && chosen.len() > 1 {
        return Err(Failure::CommandLine("several samples do not fit one file: choose one with --name".into()));
    }
    if let Some(path) = arguments.out.as_ref().filter(|path| !["png", "npy"].map(OsStr::new).map(Some).contains(&path.extension())) {
        return Err(Failure::CommandLine(format!("--out {}: the name must end in .png or .npy", path.display())));
    }
    let mut engine = arguments.engine.engine(&compiled.model, None)?;
    profile::check(arguments.profile, &engine)?;
    engine.measure = arguments.profile;
    let dataset = Dataset::load(model, &compiled.folder, engine.seed, engine.precision).map_err(|e| Failure::Program(e.into()))?;
    let parameters = run_folder::trained_parameters(model, &arguments.from, &engine).map_err(Failure::running)?;
    let mut answers = vec![];
    for sample in chosen {
        let drawn = draw(model, sample, arguments.n, &dataset, &parameters, &engine).map_err(Failure::running)?;
        let path = match &arguments.out {
            Some(path) => path.clone(),
            None => arguments.from.join(format!("{}.{}", sample.name, drawn.extension())),
        };
        drawn.write(&path).map_err(Failure::running)?;
        if arguments.bench_json {
            let line = evaluation_times(launched, checked + drawn.compile, drawn.run, json!(drawn.count()));
            console::answer(line).map_err(Failure::running)?;
        } else if arguments.file.json {
            answers.push(json!({ "name": sample.name, "draws": drawn.count(), "file": path.display().to_string() }));
        } else {
            console::answer(format_args!("{}: {} draws in {}", sample.name, drawn.count(), path.display())).map_err(Failure::running)?;
            if arguments.profile {
                profile::report_evaluation(&sample.name, drawn.kernels, drawn.run, &compiled.sources, &engine).map_err(Failure::running)?;
            }
        }
    }
    if arguments.file.json && !arguments.bench_json {
        console::answer(json!({ "samples": answers })).map_err(Failure::running)
    } else {
        Ok(())
    }
}

/// The draws of one `sample` declaration.
pub struct Drawn {
    name: String,
    values: Values,
    picture: Option<Picture>,
    /// Rows of data of the same shape, for comparison
    data: Option<Vec<f64>>,
    compile: Duration,
    run: Duration,
    /// What each kernel took, if it was to be measured
    kernels: Vec<Measured>,
}

pub fn draw(model: &Model, sample: &Sample, n: Option<u32>, dataset: &Dataset, parameters: &Parameters, engine: &Engine) -> Result<Drawn> {
    let count = n.map_or(default_count(sample), |n| n as usize);
    let Evaluated { values: mut outputs, compile, run, kernels } =
        evaluate::sample(model, &sample.value, count, dataset, parameters, engine).at(sample.span)?;
    if outputs.len() != 1 {
        return Err(Diagnostic::unsupported("a sample that is a tuple").at(sample.span));
    }
    let values = outputs.swap_remove(0);
    let data = beside(dataset, &values.shape, count);
    Ok(Drawn { name: sample.name.clone(), values, picture: sample.picture, data, compile, run, kernels })
}

fn default_count(sample: &Sample) -> usize {
    let size = match &sample.value.ty {
        Type::Array(array) => array.shape.iter().map(|size| size.known().unwrap_or(1)).product(),
        Type::Tuple(_) | Type::Distribution(_) | Type::Error => 1,
    };
    match sample.picture {
        Some(Picture::Image { height, width }) if size > height * width => 10,
        Some(Picture::Image { .. }) => 64,
        Some(Picture::Path | Picture::Text) => 8,
        Some(Picture::Scatter | Picture::Histogram) | None => 2000,
    }
}

/// As many rows of a data variable of that shape, if there is one.
fn beside(dataset: &Dataset, shape: &[usize], count: usize) -> Option<Vec<f64>> {
    let table = dataset.tables.values().find(|table| table.shape().get(1..) == Some(shape))?;
    let width: usize = shape.iter().product();
    let mut values = table.to_f64();
    values.truncate(count * width);
    Some(values)
}

/// Of points with so many coordinates, the first two.
fn in_the_plane(points: &[f64], width: usize) -> Vec<f64> {
    points.chunks_exact(width.max(1)).flat_map(|point| &point[..width.min(2)]).copied().collect()
}

impl Drawn {
    pub fn extension(&self) -> &'static str {
        if self.picture.is_some() { "png" } else { "npy" }
    }

    pub fn count(&self) -> usize {
        self.values.rows.unwrap_or(1)
    }

    /// By the ending of the path: a picture or an array.
    pub fn write(&self, path: &Path) -> Result<()> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("npy") => {
                let shape = [&[self.count()], &self.values.shape[..]].concat();
                let tensor = Tensor::new(TensorType::real(shape), Precision::F32, self.values.values.iter().copied());
                output::write_npy(path, &tensor)
            }
            Some("png") => output::replace_with(path, &self.png()?),
            _ => {
                Err(Diagnostic::new(Code::Output, format!("{} is neither .png nor .npy", path.display()))
                    .help("choose one of these endings"))
            }
        }
    }

    fn png(&self) -> Result<Vec<u8>> {
        let (values, n, data) = (&self.values.values, self.count(), self.data.as_deref());
        match self.picture {
            Some(Picture::Image { height, width }) => match self.values.shape[..] {
                [k, _] | [k, _, _] if values.len() > n * height * width => picture::image_rows(values, n, k, height, width),
                _ => picture::image_grid(values, n, height, width),
            },
            Some(Picture::Scatter) => {
                let width = self.values.shape.last().copied().unwrap_or(1);
                let data = data.map(|data| in_the_plane(data, width));
                picture::scatter(&self.name, &in_the_plane(values, width), data.as_deref())
            }
            Some(Picture::Histogram) => picture::histogram(&self.name, values, data),
            Some(Picture::Path) => {
                let (steps, dimension) = match self.values.shape[..] {
                    [steps, dimension] => (steps, dimension),
                    [steps] => (steps, 1),
                    _ => return Err(Diagnostic::new(Code::ShapeMismatch, "a path is an array [steps] or [steps, dimension]")),
                };
                picture::path(&self.name, values, n, steps, dimension)
            }
            Some(Picture::Text) => Err(Diagnostic::unsupported("`as text`")),
            None => Err(Diagnostic::new(Code::Output, format!("sample {} says no picture", self.name))
                .help("write a .npy file, or add `as scatter`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scatter_of_longer_vectors_shows_the_first_two_coordinates() {
        assert_eq!(in_the_plane(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [1.0, 2.0, 4.0, 5.0]);
    }
}
