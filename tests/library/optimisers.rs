//! Five steps on a quadratic in three dimensions, against PyTorch (`references/library.py`).

use crate::program::{compile, engine, parameters};
use crate::values::{numbers, references};
use tilde_lang::backend::Tensor;
use tilde_lang::base::Diagnostic;
use tilde_lang::check::model::Model;
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::train::{Control, Observer, Progress, State, Timing, Training};

/// Has the state handed out after every step.
#[derive(Default)]
struct Path(Vec<Vec<f64>>);

impl Observer for Path {
    fn step(&mut self, _: &Progress<'_>) -> Control {
        Control::Save
    }

    fn save(&mut self, state: &State) -> Result<(), Diagnostic> {
        self.0.push(state.parameters.values().next().map(Tensor::to_f64).unwrap_or_default());
        Ok(())
    }
}

fn path(model: &Model) -> Vec<Vec<f64>> {
    let (mut path, mut state) = (Path::default(), State::new(parameters(model, &[])));
    let (dataset, engine) = (Dataset::default(), engine(0));
    let mut training = Training { model, dataset: &dataset, engine: &engine, steps: None, timing: Timing::default() };
    training.run(&mut state, &mut path).unwrap();
    path.0
}

#[test]
fn optimisers_take_the_steps_of_pytorch() {
    for (optimiser, expected) in references()["optimisers"].as_object().unwrap() {
        let text = format!(
            "param x : Real[3] = [1.0, -2.0, 0.5]\n\
             train {{ minimize sum([1.0, 10.0, 0.1] * (x - [0.0, 0.5, 3.0])^2) with {optimiser}   steps: 5 }}"
        );
        let found = path(&compile(&text, None).unwrap_or_else(|error| panic!("{optimiser}: {error}")).model);
        for (step, (found, expected)) in found.iter().zip(expected.as_array().unwrap()).enumerate() {
            for (found, expected) in found.iter().zip(numbers(expected)) {
                // Five steps of a few roundings each
                assert!((found - expected).abs() < 1e-13, "{optimiser}, step {}: {found} instead of {expected}", step + 1);
            }
        }
        assert!(found.len() >= 5, "{optimiser}");
    }
}
