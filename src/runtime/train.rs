//! Training: the blocks of a file in order, one compiled plan a step; checkpoints from which a run goes on bit for bit.

use super::ascent::Ascent;
use super::checkpoint::Checkpoint;
use super::dataset::Dataset;
use super::degenerate;
use super::engine::{Compiled, Engine};
use super::evaluate::bind_data;
use super::nonfinite;
use super::parameters::{self, Parameters};
use super::profile::Profile;
use super::shuffle::Batches;
use crate::algebra::{self, InputRole, StepProgram, tensor_type};
use crate::backend::Tensor;
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Method, Model, ParamId, Settings, Train};
use crate::graph::Graph;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Steps of a block that says neither `steps` nor `epochs`.
const DEFAULT_STEPS: u64 = 1000;
const DEFAULT_EPOCHS: u64 = 10;

/// Where a run stands: everything that the next step depends on besides the file and the data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The block that is running, and how many of its steps are done
    pub block: usize,
    pub step: u64,
    pub parameters: Parameters,
    pub averages: Parameters,
    /// The losses of the step before, where the block iterates in closed form
    pub losses: Vec<f64>,
    /// Optimiser state by (which `maximize`/`minimize`, parameter, which of its states)
    pub optimiser: BTreeMap<(usize, ParamId, usize), Tensor>,
}

impl State {
    pub fn new(parameters: Parameters) -> State {
        State { parameters, ..State::default() }
    }

    /// What metrics and samples are computed with: the moving averages where the file asks for them.
    pub fn trained(&self) -> Parameters {
        let mut parameters = self.parameters.clone();
        parameters.extend(self.averages.iter().map(|(id, tensor)| (*id, tensor.clone())));
        parameters
    }

    pub fn to_checkpoint(&self, model: &Model, fingerprint: &str) -> Checkpoint {
        let path = |id: &ParamId| &model.params[*id].path;
        let mut tensors = BTreeMap::new();
        tensors.extend(self.parameters.iter().map(|(id, tensor)| (format!("param/{}", path(id)), tensor.clone())));
        tensors.extend(self.averages.iter().map(|(id, tensor)| (format!("average/{}", path(id)), tensor.clone())));
        tensors.extend(self.optimiser.iter().map(|((goal, id, state), t)| (format!("optimiser/{goal}/{state}/{}", path(id)), t.clone())));
        let losses: Vec<String> = self.losses.iter().map(|loss| loss.to_bits().to_string()).collect();
        let (block, step, losses) = (self.block.to_string(), self.step.to_string(), losses.join(" "));
        let metadata = [("block", block), ("step", step), ("losses", losses), ("model", fingerprint.to_owned())];
        Checkpoint { tensors, metadata: metadata.map(|(k, v)| (k.to_owned(), v)).into() }
    }

    /// # Errors
    /// `Checkpoint` where the file belongs to another model or other settings.
    pub fn from_checkpoint(model: &Model, checkpoint: &Checkpoint, fingerprint: &str, engine: &Engine) -> Result<State> {
        let entry = |name: &str| checkpoint.metadata.get(name).map(String::as_str);
        let started_with = entry("model").ok_or_else(|| damaged("model"))?;
        if started_with != fingerprint {
            let message = format!("the run in this folder was started with another {}", difference(started_with, fingerprint));
            return Err(Diagnostic::new(Code::Checkpoint, message)
                .help("resume with the file, the data, the seed and the --set values of that run, or choose another --out"));
        }
        let number = |name: &str| entry(name).and_then(|text| text.parse().ok()).ok_or_else(|| damaged(name));
        let mut state = State { block: number("block")? as usize, step: number("step")?, ..State::default() };
        for bits in entry("losses").unwrap_or_default().split_whitespace() {
            state.losses.push(f64::from_bits(bits.parse().map_err(|_| damaged("losses"))?));
        }
        let by_path: BTreeMap<&str, ParamId> = model.params.iter().map(|(id, param)| (param.path.as_str(), id)).collect();
        let find = |path: &str| by_path.get(path).copied().ok_or_else(|| damaged(path));
        for (name, tensor) in &checkpoint.tensors {
            let tensor = parameters::in_precision(tensor, engine);
            match name.split('/').collect::<Vec<_>>()[..] {
                ["param", path] => state.parameters.insert(find(path)?, tensor),
                ["average", path] => state.averages.insert(find(path)?, tensor),
                ["optimiser", goal, index, path] => {
                    let numbers = (goal.parse().map_err(|_| damaged(name))?, find(path)?, index.parse().map_err(|_| damaged(name))?);
                    state.optimiser.insert(numbers, tensor)
                }
                _ => return Err(damaged(name)),
            };
        }
        Ok(state)
    }
}

/// The first line in which two fingerprints differ. `#` marks a value that says nothing to a reader.
fn difference(old: &str, new: &str) -> String {
    let changed = old.lines().zip(new.lines()).find(|(old, new)| old != new);
    match changed.and_then(|(old, new)| Some((old.split_once(": ")?, new.split_once(": ")?))) {
        Some(((what, _), (_, new))) if new.starts_with('#') => what.to_owned(),
        Some(((what, old), (_, new))) => format!("{what}: `{old}`, here `{new}`"),
        None => "model".to_owned(),
    }
}

fn damaged(what: &str) -> Diagnostic {
    Diagnostic::new(Code::Checkpoint, format!("the checkpoint's entry `{what}` cannot be understood")).help("train anew")
}

/// What a run tells whoever started it, after every step.
pub struct Progress<'a> {
    pub block: usize,
    pub step: u64,
    pub steps: u64,
    pub steps_per_epoch: Option<u64>,
    /// Each `maximize`/`minimize` of the block: its value on this step's rows, with the sign that the file gives it
    pub values: &'a [f64],
    /// The block ends with this step, since the next one would change too little
    pub converged: bool,
}

/// Whether training goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Continue,
    /// Hand the state out to be saved, then continue
    Save,
    /// Hand the state out and stop
    Stop,
}

pub trait Observer {
    fn step(&mut self, progress: &Progress<'_>) -> Control;
    fn save(&mut self, state: &State) -> Result<()>;
}

/// How long a run took, for benchmarks and profiles.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// Algebra, derivatives, passes and native code of the last block
    pub compile: Duration,
    /// When the first step of the last block was done
    pub first_step: Option<Instant>,
    /// Each kernel is to be measured
    pub measure: bool,
    /// Of each block, if measured
    pub profiles: Vec<Profile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Finished,
    Stopped,
}

pub struct Training<'a> {
    pub model: &'a Model,
    pub dataset: &'a Dataset,
    pub engine: &'a Engine,
    /// Replaces the number of steps of every block
    pub steps: Option<u64>,
    pub timing: Timing,
}

impl Training<'_> {
    /// Runs all blocks from where the state stands.
    pub fn run(&mut self, state: &mut State, observer: &mut dyn Observer) -> Result<Outcome> {
        while state.block < self.model.trains.len() {
            let block = &self.model.trains[state.block];
            let outcome = self.run_block(block, state, observer).map_err(|problem| match problem.code {
                // Where a file cannot be written is no place in the program.
                Code::Output => problem,
                _ => problem.at(block.span),
            })?;
            if outcome == Outcome::Stopped {
                return Ok(Outcome::Stopped);
            }
            // The last block keeps its state: resumed with more steps, it goes on.
            if state.block + 1 == self.model.trains.len() {
                break;
            }
            state.block += 1;
            state.step = 0;
            state.optimiser.clear();
            state.losses.clear();
        }
        observer.save(state)?;
        Ok(Outcome::Finished)
    }

    fn run_block(&mut self, block: &Train, state: &mut State, observer: &mut dyn Observer) -> Result<Outcome> {
        let start = Instant::now();
        let mut batches = self.batches(&block.settings, state.block)?;
        let steps = self.steps_of(block, batches.as_ref());
        let rows = match (&batches, self.dataset.counts.is_empty()) {
            (Some(_), _) => block.settings.batch,
            (None, false) => Some(self.dataset.split.train.len()),
            (None, true) => block.settings.batch,
        };
        let program = algebra::lower_step(self.model, block, &self.dataset.counts, rows)?;
        let closed_form = block.closed_form().is_some();
        let ascent = Ascent { monotone: program.monotone, tolerance: block.settings.tolerance, precision: self.engine.precision };
        let mut stepper = Stepper::new(program, self, state)?;
        if let (None, Some(rows)) = (&batches, rows) {
            let numbers: Vec<f64> = match self.dataset.counts.is_empty() {
                true => (0..rows).map(|i| i as f64).collect(),
                false => self.dataset.split.train.iter().map(|&row| f64::from(row)).collect(),
            };
            stepper.compiled.write(&InputRole::Rows, &numbers);
        }
        self.timing.compile = start.elapsed();
        if self.timing.measure {
            stepper.compiled.plan.measure();
        }
        let (looping, mut done, mut outcome) = (Instant::now(), 0, Outcome::Finished);

        let mut numbers = vec![0.0; rows.unwrap_or(0)];
        while state.step < steps {
            if let Some(batches) = &mut batches {
                numbers.iter_mut().zip(batches.rows(state.step)).for_each(|(to, &row)| *to = f64::from(row));
                stepper.compiled.write(&InputRole::Rows, &numbers);
            }
            // Blocks of one file draw different numbers.
            stepper.step(state.step + 1 + ((state.block as u64) << 26))?;
            if self.timing.first_step.is_none() {
                self.timing.first_step = Some(Instant::now());
            }
            if let Some(which) = stepper.values.iter().position(|value| !value.is_finite()) {
                let diagnostic = stepper.explain(self, which, state.step + 1);
                stepper.read_back(state);
                observer.save(state)?;
                return Err(diagnostic);
            }
            state.step += 1;
            let losses = stepper.losses();
            let converged = if closed_form { ascent.advance(&state.losses, &losses, state.step)? } else { false };
            state.losses = losses;
            let steps_per_epoch = batches.as_ref().map(Batches::steps_per_epoch);
            let progress = Progress { block: state.block, step: state.step, steps, steps_per_epoch, values: &stepper.values, converged };
            let control = observer.step(&progress);
            if control != Control::Continue {
                stepper.read_back(state);
                observer.save(state)?;
            }
            done += 1;
            if control == Control::Stop {
                outcome = Outcome::Stopped;
                break;
            }
            if converged {
                state.step = steps;
            }
        }
        if self.timing.measure {
            let kernels = stepper.compiled.plan.measured();
            self.timing.profiles.push(Profile { block: state.block, steps: done, elapsed: looping.elapsed(), kernels });
        }
        stepper.read_back(state);
        Ok(outcome)
    }

    fn batches(&self, settings: &Settings, block: usize) -> Result<Option<Batches>> {
        if self.dataset.counts.is_empty() {
            return Ok(None);
        }
        let batch = settings.batch.map(|batch| Batches::new(self.dataset.split.train.clone(), batch, self.engine.seed, block as u32));
        batch.transpose()
    }

    fn steps_of(&self, block: &Train, batches: Option<&Batches>) -> u64 {
        let epoch = batches.map_or(1, Batches::steps_per_epoch);
        let method = block.closed_form();
        let asked = if matches!(method, Some(Method::Exactly)) { None } else { self.steps };
        match (asked, block.settings.steps_by(method.as_ref()), block.settings.epochs) {
            (Some(steps), _, _) | (None, Some(steps), _) => steps,
            (None, None, Some(epochs)) => epochs * epoch,
            (None, None, None) if batches.is_some() => DEFAULT_EPOCHS * epoch,
            (None, None, None) => DEFAULT_STEPS,
        }
    }
}

/// A compiled step with its state in place.
struct Stepper {
    compiled: Compiled,
    /// Before optimisation, for explanations
    source: Graph,
    negated: Vec<bool>,
    updates: Vec<InputRole>,
    fitted: Vec<ParamId>,
    values: Vec<f64>,
}

impl Stepper {
    fn new(step: StepProgram, training: &Training<'_>, state: &mut State) -> Result<Stepper> {
        let StepProgram { program, negated, updates, state_starts, fitted, monotone: _ } = step;
        let source = program.graph.clone();
        let losses = negated.len();
        let positions: HashMap<&InputRole, usize> = program.inputs.iter().zip(0..).collect();
        let in_place = updates.iter().enumerate().filter_map(|(i, role)| Some((*positions.get(role)?, losses + i))).collect();
        let mut compiled = training.engine.compile(program, in_place)?;
        parameters::bind(&mut compiled, &state.parameters);
        bind_data(&mut compiled, training.dataset);
        for (role, ty, start) in state_starts {
            let InputRole::State(goal, id, index) = role else { continue };
            let fresh = || Tensor::new(ty.clone(), training.engine.precision, std::iter::repeat_n(start, ty.len()));
            let tensor = state.optimiser.get(&(goal, id, index)).cloned().unwrap_or_else(fresh);
            if let Some(at) = compiled.position(&role) {
                compiled.plan.set_input(at, tensor);
            }
        }
        for (at, role) in compiled.inputs.clone().into_iter().enumerate() {
            if let InputRole::Average(id) = role {
                let start = state.averages.get(&id).or(state.parameters.get(&id)).cloned();
                let start = start.ok_or_else(|| Diagnostic::internal("a moving average of nothing"))?;
                tensor_type(&training.model.params[id].ty)?;
                compiled.plan.set_input(at, start);
            }
        }
        // The plan owns these now: only then are they updated in place without a copy.
        state.optimiser.clear();
        Ok(Stepper { compiled, source, values: vec![0.0; losses], negated, updates, fitted })
    }

    fn step(&mut self, number: u64) -> Result<()> {
        self.compiled.write(&InputRole::Step, &[number as f64]);
        self.compiled.run()?;
        for (i, value) in self.values.iter_mut().enumerate() {
            let loss = self.compiled.plan.output(i).first();
            *value = if self.negated[i] { -loss } else { loss };
        }
        Ok(())
    }

    /// What is minimised
    fn losses(&self) -> Vec<f64> {
        self.values.iter().zip(&self.negated).map(|(value, negated)| if *negated { -value } else { *value }).collect()
    }

    /// Why a value is not finite: an estimate that does not exist, or the expression that went wrong.
    fn explain(&self, training: &Training<'_>, which: usize, step: u64) -> Diagnostic {
        let first = self.negated.len() + self.updates.len();
        let fitted: Vec<(ParamId, &Tensor)> =
            self.fitted.iter().enumerate().map(|(i, id)| (*id, self.compiled.plan.output(first + i))).collect();
        degenerate::explain(training.model, training.dataset, &fitted, step)
            .unwrap_or_else(|| nonfinite::explain(training.model, &self.source, &self.compiled, which, step))
    }

    /// Copies parameters and optimiser state out of the plan.
    fn read_back(&self, state: &mut State) {
        for role in &self.updates {
            let Some(index) = self.compiled.position(role) else { continue };
            let tensor = self.compiled.plan.input(index).clone();
            match role {
                InputRole::Param(id) => {
                    state.parameters.insert(*id, tensor);
                }
                InputRole::Average(id) => {
                    state.averages.insert(*id, tensor);
                }
                InputRole::State(goal, id, index) => {
                    state.optimiser.insert((*goal, *id, *index), tensor);
                }
                InputRole::Data(_) | InputRole::Rows | InputRole::TrainingRows(_) | InputRole::Seed | InputRole::Step => {}
            }
        }
    }
}
