//! One step of a `train` block as a graph: losses, their gradients, clipping, the optimisers' updates, moving averages.

use super::lowering::{InputRole, Lowering, RowCounts};
use super::program::Program;
use super::value::{Array, Value};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Expr, ExprKind, Model, Optimise, ParamId, Settings, Train, TrainStmt};
use crate::graph::{NodeId, TensorType};
use crate::pass::derivative;

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
}

/// The step of a training block over `rows` rows.
pub fn lower_step(model: &Model, train: &Train, row_counts: &RowCounts, rows: Option<usize>) -> Result<StepProgram> {
    let mut step = Step {
        lowering: Lowering::new(model, row_counts, rows),
        losses: vec![],
        negated: vec![],
        turns: vec![],
        state: vec![],
        earlier: vec![],
    };
    step.lowering.differentiated = true;
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
    /// The `maximize`/`minimize` of the file and how often each has run in this step
    turns: Vec<(Span, usize)>,
    /// The nodes of parameters before each of their updates
    earlier: Vec<(ParamId, NodeId)>,
}

impl Step<'_> {
    /// `times`: how often a step runs the body.
    fn run(&mut self, body: &[TrainStmt], times: usize, settings: &Settings) -> Result<()> {
        for stmt in body {
            match stmt {
                TrainStmt::Plain(stmt) => self.lowering.run(std::slice::from_ref(stmt))?,
                TrainStmt::Repeat { times: turns, body } => (0..*turns).try_for_each(|_| self.run(body, times * turns, settings))?,
                TrainStmt::Optimise(optimise) => self.optimise(optimise, times, settings).map_err(|e| e.at(optimise.span))?,
            }
        }
        Ok(())
    }

    fn optimise(&mut self, optimise: &Optimise, times: usize, settings: &Settings) -> Result<()> {
        let statement = self.take_turn(optimise.span, times);
        let lowering = &mut self.lowering;
        let value = lowering.eval(&optimise.value)?.array()?;
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
            self.update(&statement, id, gradient, &finite, optimise)?;
        }
        self.losses.push(loss);
        self.negated.push(optimise.maximize);
        // What was computed from the old values is stale.
        self.lowering.params.clear();
        Ok(())
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
    fn update(&mut self, statement: &Statement, id: ParamId, gradient: NodeId, finite: &Array, optimise: &Optimise) -> Result<()> {
        let lowering = &mut self.lowering;
        let optimiser = &lowering.model.optimisers[optimise.optimiser];
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
            let node = match self.state.iter().find(|(known, ..)| *known == role) {
                Some((.., node)) => *node,
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
        // The statements after this one take the new value as it is: their gradients do not pass the update.
        let updated = lowering.array(nodes[0], vec![]);
        let updated = lowering.stop(&updated);
        lowering.raw_params.insert(id, updated);
        self.earlier.push((id, old.node));
        for ((role, start), &node) in roles.into_iter().zip(&nodes[1..]) {
            self.state.retain(|(known, ..)| *known != role);
            self.state.push((role, ty.clone(), start, node));
        }
        Ok(())
    }

    fn finish(mut self, settings: &Settings) -> Result<StepProgram> {
        let lowering = &mut self.lowering;
        let mut updates: Vec<(InputRole, NodeId)> = vec![];
        let mut touched: Vec<ParamId> = vec![];
        for &(id, _) in &self.earlier {
            if touched.contains(&id) {
                continue;
            }
            touched.push(id);
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
        let outputs: Vec<NodeId> = self.losses.iter().copied().chain(updates.iter().map(|(_, node)| *node)).collect();
        let updates = updates.into_iter().map(|(role, _)| role).collect();
        Ok(StepProgram { program: self.lowering.close(&outputs)?, negated: self.negated, updates, state_starts })
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
