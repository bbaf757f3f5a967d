//! One step of a `train` block as a graph: losses, their gradients, clipping, the optimisers' updates, moving averages.

use super::estimation::Estimate;
use super::lowering::{InputRole, Lowering, RowCounts};
use super::program::Program;
use super::value::{Array, Value};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Expr, ExprKind, Method, Model, Optimise, OptimiserId, ParamId, Settings, Train, TrainStmt};
use crate::graph::{NodeId, TensorType};
use crate::pass::derivative;
use std::collections::{HashMap, HashSet};

/// One step of a `train` block. The first outputs are the losses (the quantities to be minimised), one for each `maximize` or
/// `minimize`; then the new values of the inputs listed in `updates`.
#[derive(Clone, Debug)]
pub struct StepProgram {
    pub program: Program,
    /// For each `maximize`/`minimize`: whether its loss is the negative of what the file names
    pub negated: Vec<bool>,
    pub updates: Vec<InputRole>,
    /// What the state of each optimiser starts with
    pub state_starts: Vec<(InputRole, TensorType, f64)>,
    /// The estimates of `exactly`, `by em` and `by vbem`, in their supports: outputs after those of `updates`. Where one of them lies outside of its
    /// support, the losses are not a number, and no parameter changes
    pub fitted: Vec<ParamId>,
    /// No step can make a loss grow: every parameter is found in closed form
    pub monotone: bool,
}

/// The step of a training block over `rows` rows.
pub fn lower_step<'m>(model: &'m Model, train: &'m Train, row_counts: &'m RowCounts, rows: Option<usize>) -> Result<StepProgram> {
    let mut step = Step {
        lowering: Lowering::new(model, row_counts, rows),
        losses: vec![],
        negated: vec![],
        turns: vec![],
        state: vec![],
        state_of: HashMap::new(),
        earlier: vec![],
        fitted: vec![],
        monotone: true,
    };
    step.lowering.differentiated = true;
    let whole = |rows: usize| row_counts.values().all(|count| count.all == rows && count.train == rows);
    step.lowering.rows_in_order = train.settings.batch.is_none() && rows.is_some_and(whole);
    step.run(&train.body, 1, &train.settings)?;
    if step.losses.is_empty() {
        let message = "a `train` block without `maximize` or `minimize`";
        return Err(Diagnostic::new(Code::BadSetting, message).label(train.span, "nothing to optimise").help("add `maximize log p(x)`"));
    }
    step.finish(&train.settings)
}

/// Which `maximize`/`minimize` runs, for which time in this step, of how many.
struct Statement {
    number: usize,
    turn: usize,
    times: usize,
}

struct Step<'m> {
    lowering: Lowering<'m>,
    losses: Vec<NodeId>,
    negated: Vec<bool>,
    /// Input, start value, current node
    state: Vec<(InputRole, TensorType, f64, NodeId)>,
    /// Where the state of each input stands among them
    state_of: HashMap<InputRole, usize>,
    /// The `maximize`/`minimize` of the file and how often each has run in this step
    turns: Vec<(Span, usize)>,
    /// The nodes of parameters before each of their updates
    earlier: Vec<(ParamId, NodeId)>,
    /// Estimates in closed form, in their supports
    fitted: Vec<(ParamId, NodeId)>,
    monotone: bool,
}

impl<'m> Step<'m> {
    /// `times`: how often a step runs the body.
    fn run(&mut self, body: &'m [TrainStmt], times: usize, settings: &Settings) -> Result<()> {
        for stmt in body {
            match stmt {
                TrainStmt::Plain(stmt) => self.lowering.run(std::slice::from_ref(stmt))?,
                TrainStmt::Repeat { times: turns, body } => (0..*turns).try_for_each(|_| self.run(body, times * turns, settings))?,
                TrainStmt::Optimise(optimise) => {
                    self.lowering.b().span = optimise.span;
                    match &optimise.method {
                        Method::Gradient { optimiser } => self.optimise(optimise, *optimiser, times, settings),
                        Method::Exactly | Method::Em { .. } | Method::Vbem => self.estimate(optimise, times),
                    }
                    .map_err(|e| e.at(optimise.span))?;
                }
            }
        }
        Ok(())
    }

    fn optimise(&mut self, optimise: &Optimise, optimiser: OptimiserId, times: usize, settings: &Settings) -> Result<()> {
        self.monotone = false;
        let statement = self.take_turn(optimise.span, times);
        let lowering = &mut self.lowering;
        let value = lowering.eval(&optimise.value)?.array()?;
        lowering.judge_estimates(&value);
        if !lowering.shape(&value).is_empty() {
            return Err(Diagnostic::new(Code::NotScalar, "what is optimised must be one number for each row")
                .label(optimise.value.span, "an array"));
        }
        let all = value.plates.clone();
        let mean = lowering.mean_over(&value, &all)?;
        let loss = if optimise.maximize { lowering.unary(UnaryOp::Neg, &mean) } else { mean };
        let loss = lowering.node(&loss);

        let params: Vec<ParamId> = match &optimise.over {
            Some(params) => params.clone(),
            None => lowering.model.params.ids().collect(),
        };
        let params: Vec<ParamId> = params.into_iter().filter(|id| lowering.raw_params.contains_key(id)).collect();
        lowering.refuse_lost_gradients(loss, &params, &self.earlier)?;
        let raw: Vec<NodeId> = params.iter().map(|id| lowering.raw_params[id].node).collect();
        let mut gradients = derivative::gradient(lowering.b(), loss, &raw, None)?;
        if let Some(bound) = settings.clip {
            gradients = clip(lowering, &gradients, bound)?;
        }
        let finite = lowering.b().unary(UnaryOp::IsFinite, loss);
        let finite = lowering.array(finite, vec![]);
        for (&id, gradient) in params.iter().zip(gradients) {
            self.update(&statement, id, gradient, &finite, optimiser)?;
        }
        self.losses.push(loss);
        self.negated.push(optimise.maximize);
        // What was computed from the old values is stale.
        self.lowering.params.clear();
        Ok(())
    }

    /// A step in closed form; by EM, what no rule knows follows its gradient. The objective is that at the new parameters where the step
    /// is exact, and otherwise that at the old ones, which the step has computed anyway.
    fn estimate(&mut self, optimise: &'m Optimise, times: usize) -> Result<()> {
        let statement = self.take_turn(optimise.span, times);
        let lowering = &mut self.lowering;
        let Estimate { value, fitted, unsolved } = match &optimise.method {
            Method::Vbem => lowering.ascend(optimise)?,
            Method::Exactly | Method::Em { .. } | Method::Gradient { .. } => lowering.estimate(optimise)?,
        };
        let value = lowering.node(&value);
        let mut sound = lowering.b().unary(UnaryOp::IsFinite, value);
        let mut news = vec![];
        for (id, value) in &fitted {
            let raw = lowering.unconstrain(*id, value)?;
            let whole = lowering.within_support(*id, &raw)?;
            sound = lowering.b().binary(BinaryOp::And, sound, whole);
            news.push((*id, raw));
        }
        let sound = lowering.array(sound, vec![]);
        let loss = lowering.b().unary(UnaryOp::Neg, value);
        let raw: Vec<NodeId> = unsolved.iter().map(|id| lowering.raw_params[id].node).collect();
        let gradients = derivative::gradient(lowering.b(), loss, &raw, None)?;
        self.monotone &= unsolved.is_empty();
        for (id, new) in news {
            let old = self.lowering.raw_params[&id].clone();
            let new = self.lowering.select(&sound, &new, &old)?;
            self.replace(id, &new);
        }
        if let Method::Em { otherwise } = optimise.method {
            for (&id, gradient) in unsolved.iter().zip(gradients) {
                self.update(&statement, id, gradient, &sound, otherwise)?;
            }
        }
        self.fitted.extend(fitted.iter().map(|(id, value)| (*id, value.node)));
        self.lowering.params.clear();
        let loss = if matches!(optimise.method, Method::Exactly) { self.loss_now(optimise)? } else { loss };
        let nothing = self.lowering.real(f64::NAN);
        let loss = self.lowering.array(loss, vec![]);
        let loss = self.lowering.select(&sound, &loss, &nothing)?;
        self.losses.push(loss.node);
        self.negated.push(optimise.maximize);
        Ok(())
    }

    /// What is optimised, as a loss, at the parameters as they are now.
    fn loss_now(&mut self, optimise: &Optimise) -> Result<NodeId> {
        let lowering = &mut self.lowering;
        let value = lowering.eval_array(&optimise.value)?;
        let value = lowering.mean_over(&value, &value.plates.clone())?;
        let loss = if optimise.maximize { lowering.unary(UnaryOp::Neg, &value) } else { value };
        self.lowering.params.clear();
        Ok(loss.node)
    }

    /// The turns of a `repeat` share the state of the optimiser, so they are counted as its steps.
    fn take_turn(&mut self, span: Span, times: usize) -> Statement {
        let number = self.turns.iter().position(|(known, _)| *known == span).unwrap_or(self.turns.len());
        if number == self.turns.len() {
            self.turns.push((span, 0));
        }
        self.turns[number].1 += 1;
        Statement { number, turn: self.turns[number].1, times }
    }

    /// One parameter's update, element by element; nothing changes in a step whose loss is not finite.
    fn update(&mut self, statement: &Statement, id: ParamId, gradient: NodeId, finite: &Array, optimiser: OptimiserId) -> Result<()> {
        let lowering = &mut self.lowering;
        let optimiser = &lowering.model.optimisers[optimiser];
        for (&param, arg) in optimiser.params.iter().zip(&optimiser.args) {
            let value = lowering.eval(arg)?;
            lowering.locals.insert(param, value);
        }
        let old = lowering.raw_params[&id].clone();
        let rank = lowering.shape(&old).len();
        let (x, plates) = lowering.lift(&old, rank);
        let gradient = lowering.array(gradient, vec![]);
        let gradient = lowering.lift_onto(&gradient, &plates);
        let step = lowering.step_number(statement.turn, statement.times)?;
        lowering.locals.insert(optimiser.x, x.clone().into());
        lowering.locals.insert(optimiser.gradient, gradient.into());
        lowering.locals.insert(optimiser.step, step.into());

        let ty = lowering.ty(&old);
        let mut olds = vec![x];
        let mut roles = vec![];
        for (index, (name, local, start)) in optimiser.states.iter().enumerate() {
            let role = InputRole::State(statement.number, id, index);
            let path = format!("{}.{name}", lowering.model.params[id].path);
            let start = constant_start(start)?;
            let node = match self.state_of.get(&role) {
                Some(&at) => self.state[at].3,
                None => lowering.root_input(role.clone(), &path, ty.clone()),
            };
            let array = lowering.array(node, vec![]);
            let array = lowering.lift_onto(&array, &plates);
            lowering.locals.insert(*local, array.clone().into());
            olds.push(array);
            roles.push((role, start));
        }
        let Value::Tuple(results) = lowering.eval(&optimiser.update)? else {
            return Err(Diagnostic::internal("an optimiser's step that is not a tuple"));
        };
        let mut nodes = vec![];
        for (new, old) in results.into_iter().zip(&olds) {
            let new = lowering.select(finite, &new.array()?, old)?;
            let new = lowering.lower_plates(&new, &plates);
            nodes.push(lowering.node(&new));
        }
        let updated = lowering.array(nodes[0], vec![]);
        self.replace(id, &updated);
        for ((role, start), &node) in roles.into_iter().zip(&nodes[1..]) {
            match self.state_of.get(&role) {
                Some(&at) => self.state[at].3 = node,
                None => {
                    self.state_of.insert(role.clone(), self.state.len());
                    self.state.push((role, ty.clone(), start, node));
                }
            }
        }
        Ok(())
    }

    /// The statements after this one take the new value as it is: their gradients do not pass the update.
    fn replace(&mut self, id: ParamId, new: &Array) {
        let updated = self.lowering.stop(new);
        let old = self.lowering.raw_params.insert(id, updated);
        self.earlier.extend(old.map(|old| (id, old.node)));
    }

    fn finish(mut self, settings: &Settings) -> Result<StepProgram> {
        let lowering = &mut self.lowering;
        let mut updates: Vec<(InputRole, NodeId)> = vec![];
        let mut touched: HashSet<ParamId> = HashSet::new();
        for &(id, _) in &self.earlier {
            if !touched.insert(id) {
                continue;
            }
            let new = lowering.raw_params[&id].node;
            updates.push((InputRole::Param(id), new));
            if let Some(decay) = settings.ema {
                let ty = lowering.ty(&lowering.raw_params[&id].clone());
                let path = format!("{}.average", lowering.model.params[id].path);
                let old = lowering.root_input(InputRole::Average(id), &path, ty);
                let b = lowering.b();
                let (keep, take) = (b.fill_like(decay, old), b.fill_like(1.0 - decay, old));
                let (kept, taken) = (b.mul(keep, old), b.mul(take, new));
                let average = b.add(kept, taken);
                updates.push((InputRole::Average(id), average));
            }
        }
        let state_starts = self.state.iter().map(|(role, ty, start, _)| (role.clone(), ty.clone(), *start)).collect();
        updates.extend(self.state.iter().map(|(role, _, _, node)| (role.clone(), *node)));
        let all = self.losses.iter().copied().chain(updates.iter().map(|(_, node)| *node)).chain(self.fitted.iter().map(|(_, node)| *node));
        let outputs: Vec<NodeId> = all.collect();
        let updates = updates.into_iter().map(|(role, _)| role).collect();
        let fitted = self.fitted.into_iter().map(|(id, _)| id).collect();
        let program = self.lowering.close(&outputs)?;
        Ok(StepProgram { program, negated: self.negated, updates, state_starts, fitted, monotone: self.monotone })
    }
}

fn constant_start(expr: &Expr) -> Result<f64> {
    match &expr.kind {
        ExprKind::Real(value) => Ok(*value),
        ExprKind::Int(value) => Ok(*value as f64),
        ExprKind::ToReal(inner) => constant_start(inner),
        _ => Err(Diagnostic::unsupported("a state of an optimiser that does not start with a number").at(expr.span)),
    }
}

/// Gradients scaled so that the Euclidean norm of all together is at most `bound`
/// (Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks, 2013).
fn clip(lowering: &mut Lowering<'_>, gradients: &[NodeId], bound: f64) -> Result<Vec<NodeId>> {
    let b = lowering.b();
    let mut total = b.real(0.0);
    for &gradient in gradients {
        let square = b.mul(gradient, gradient);
        let axes: Vec<usize> = (0..b.ty(gradient).rank()).collect();
        let sum = b.sum(square, &axes);
        total = b.add(total, sum);
    }
    let norm = b.unary(UnaryOp::Sqrt, total);
    let bound = b.real(bound);
    let largest = b.binary(BinaryOp::Max, norm, bound);
    let scale = b.div(bound, largest);
    let scaled = gradients.iter().map(|&gradient| {
        let shape = b.shape(gradient).to_vec();
        let scale = b.spread(scale, &shape);
        b.mul(gradient, scale)
    });
    Ok(scaled.collect())
}
