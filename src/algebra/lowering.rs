//! The state of lowering: graphs under construction, plates, what each name stands for; and alignment of plates, which is all of
//! vectorisation.

use super::bijection::{Application, Drawn};
use super::derivation::{Formula, Step};
use super::estimation::Record;
use super::expectation::Estimate;
use super::frame::Frames;
use super::lost::FixedDraw;
use super::observations::{FurtherSamples, Observations};
use super::observed::ObservedData;
use super::process::{ChainCache, EquationCache, FiniteCache, LookedAt, Schedule};
use super::query::Members;
use super::require::Required;
use super::stable;
use super::value::{Array, Plate, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType, UnaryOp};
use crate::base::{Arena, Diagnostic, Id, Span};
use crate::check::model::{Data, DensityId, Expr, LocalId, Model, ParamId, Place, VarId};
use crate::graph::{Builder, NodeId, Op, TensorType};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What an input of a finished graph is filled with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InputRole {
    /// All rows of one observed variable
    Data(VarId),
    /// The numbers of the rows that this run sees
    Rows,
    /// The numbers of all rows to train on, of a source that holds others out
    TrainingRows(Id<Data>),
    Seed,
    /// The number of the step, from 1
    Step,
    /// The unconstrained numbers of a parameter
    Param(ParamId),
    /// A moving average of a parameter
    Average(ParamId),
    /// State of an optimiser: which `maximize`/`minimize`, the parameter, which of its states
    State(usize, ParamId, usize),
}

/// How many rows each data source has; one that is a single object is not among them.
pub type RowCounts = HashMap<Id<Data>, RowCount>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCount {
    pub all: usize,
    /// Not held out
    pub train: usize,
}

/// One remark for `tilde check`: how an expectation or a divergence was computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    pub span: Span,
    pub text: String,
}

/// The keys of random numbers: nodes of the root graph.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    pub seed: NodeId,
    pub step: NodeId,
    /// Of rank 1; one row numbered 0 where there is no plate of rows
    pub rows: NodeId,
}

/// What a comprehension index counts: plate position + `first`.
#[derive(Clone, Copy)]
pub(super) struct IndexPlate {
    pub plate: PlateId,
    pub first: i64,
}

pub struct Lowering<'m> {
    pub model: &'m Model,
    pub(super) frames: Frames,
    pub(super) plates: Arena<Plate>,
    /// The plates over which fresh random numbers vary
    pub(super) scope: Vec<PlateId>,
    pub(super) locals: HashMap<LocalId, Value>,
    pub(super) indices: HashMap<LocalId, IndexPlate>,
    /// What random variables are bound to
    pub(super) vars: HashMap<VarId, Array>,
    /// What data variables stand for where they are not bound
    pub(super) data: ObservedData,
    /// Unconstrained numbers, as nodes of the root
    pub(super) raw_params: HashMap<ParamId, Array>,
    pub(super) params: HashMap<ParamId, Array>,
    /// Tables of Gaussian chains
    pub(super) chains: ChainCache,
    /// Numbers and parameters that were read by name, while an equation is read to be printed
    pub(super) symbols: Option<Vec<(NodeId, Formula)>>,
    /// Solutions of the equations of Itô processes
    pub(super) equations: EquationCache,
    /// Tables of finite chains
    pub(super) finite_chains: FiniteCache,
    /// Schedules in which nothing was found to be wrong
    pub(super) looked_at: LookedAt,
    pub(super) inputs: Vec<InputRole>,
    pub(super) rows: Option<PlateId>,
    /// A run sees all rows from the first on, so that their numbers need not be given
    pub(super) rows_in_order: bool,
    row_numbers: Option<NodeId>,
    pub(super) row_counts: &'m RowCounts,
    pub(super) keys: Option<Keys>,
    /// The number of turns of the enclosing loops, in the innermost graph
    pub(super) turn: Option<Array>,
    pub(super) sites: u32,
    /// A derivative will be taken: estimators without one are an error
    pub(super) differentiated: bool,
    pub(super) touched_data: bool,
    /// What the factors of a log-density leave, where an estimate is being made
    pub(super) records: Option<Vec<Record<'m>>>,
    /// What members of latent arrays stand for, while a rule about conjugate pairs is matched
    pub(super) members: Option<Members>,
    /// What `total` sums over, inside a rule about observations
    pub(super) observations: Option<Observations>,
    pub(super) further_samples: FurtherSamples,
    /// Inside a factor of a frozen density: parameters have derivative zero, variables keep theirs
    pub(super) frozen: bool,
    /// Names with respect to which the program differentiates: each binding is a node of its own
    pub(super) differentiable: HashSet<LocalId>,
    /// Draws of the training step through which no gradient flows
    pub(super) fixed_draws: Vec<FixedDraw>,
    /// Schedules of forward processes, as far as they are known
    pub(super) schedules: HashMap<DensityId, Option<Rc<Schedule>>>,
    /// Uses of bijectors in the graphs under construction
    pub(super) applications: Vec<Application>,
    /// Draws of pushforwards so far
    pub(super) drawn: Vec<Drawn>,
    /// Nodes that a graph inside another took over, with axes for plates
    plated: HashSet<NodeId>,
    /// The calls that lead to what is being lowered, outermost first
    pub(super) calls: Vec<(Span, String)>,
    pub(super) required: Vec<Required>,
    pub notes: Vec<Note>,
    /// Expectations of which the value that is asked for is made
    pub(super) estimates: Vec<Estimate>,
    /// Every rule that was applied, in order
    pub derivation: Vec<Step>,
    /// Values that a `let` names, for the derivation of gradients
    pub(super) named_nodes: Vec<(NodeId, String)>,
}

impl<'m> Lowering<'m> {
    /// `rows`: how many rows a run sees; none for quantities without data.
    pub fn new(model: &'m Model, row_counts: &'m RowCounts, rows: Option<usize>) -> Lowering<'m> {
        let mut lowering = Lowering {
            model,
            frames: Frames::new(),
            plates: Arena::default(),
            scope: vec![],
            locals: HashMap::new(),
            indices: HashMap::new(),
            vars: HashMap::new(),
            data: ObservedData::default(),
            raw_params: HashMap::new(),
            params: HashMap::new(),
            chains: ChainCache::default(),
            symbols: None,
            equations: EquationCache::default(),
            finite_chains: FiniteCache::default(),
            looked_at: LookedAt::default(),
            inputs: vec![],
            rows: None,
            rows_in_order: false,
            row_numbers: None,
            row_counts,
            keys: None,
            turn: None,
            sites: 0,
            differentiated: false,
            touched_data: false,
            records: None,
            members: None,
            observations: None,
            further_samples: FurtherSamples::default(),
            frozen: false,
            differentiable: differentiable(model, None),
            fixed_draws: vec![],
            schedules: HashMap::new(),
            applications: vec![],
            drawn: vec![],
            plated: HashSet::new(),
            calls: vec![],
            required: vec![],
            notes: vec![],
            estimates: vec![],
            derivation: vec![],
            named_nodes: vec![],
        };
        if let Some(size) = rows {
            let plate = lowering.plates.push(Plate { size });
            lowering.rows = Some(plate);
            lowering.scope.push(plate);
        }
        lowering
    }

    /// Which input of the graph holds what.
    pub fn inputs(&self) -> &[InputRole] {
        &self.inputs
    }

    pub(super) fn b(&mut self) -> &mut Builder {
        self.frames.builder()
    }

    /// A new input of the root graph.
    pub(super) fn root_input(&mut self, role: InputRole, name: &str, ty: TensorType) -> NodeId {
        self.inputs.push(role);
        self.frames.root().input(name, ty)
    }

    /// The node that holds the row numbers of this run, if there is a plate of rows.
    pub(super) fn rows_node(&mut self) -> Option<NodeId> {
        let size = self.plates[self.rows?].size;
        if self.row_numbers.is_none() {
            self.row_numbers = Some(match self.rows_in_order {
                true => self.frames.root().iota(size),
                false => self.root_input(InputRole::Rows, "rows", TensorType::int([size])),
            });
        }
        self.row_numbers
    }

    /// The node of an input of the root graph.
    pub(super) fn input_node(&mut self, at: usize) -> Option<NodeId> {
        let graph = self.frames.root().graph();
        graph.ids().find(|&id| graph.node(id).op == Op::Input(at))
    }

    pub(super) fn root_array(&self, node: NodeId, plates: Vec<PlateId>) -> Array {
        Array { frame: 0, node, plates }
    }

    pub(super) fn array(&self, node: NodeId, plates: Vec<PlateId>) -> Array {
        Array { frame: self.frames.current(), node, plates }
    }

    /// The array's node in the graph that is being built.
    pub(super) fn node(&mut self, array: &Array) -> NodeId {
        if array.frame != self.frames.current() && !array.plates.is_empty() {
            self.plated.insert(array.node);
        }
        self.frames.node(array.frame, array.node)
    }

    /// Whether a node that an inner graph uses may differ between cells of plates.
    pub(super) fn is_plated(&self, node: NodeId) -> bool {
        self.plated.contains(&node)
    }

    pub(super) fn ty(&self, array: &Array) -> TensorType {
        self.frames.ty(array.frame, array.node)
    }

    /// The shape of one example's value.
    pub(super) fn shape(&self, array: &Array) -> Vec<usize> {
        self.ty(array).shape.get(array.plates.len()..).unwrap_or_default().to_vec()
    }

    pub(super) fn dtype(&self, array: &Array) -> DType {
        self.ty(array).dtype
    }

    pub(super) fn plate(&mut self, size: usize) -> PlateId {
        self.plates.push(Plate { size })
    }

    pub(super) fn sizes(&self, plates: &[PlateId]) -> Vec<usize> {
        plates.iter().map(|&plate| self.plates[plate].size).collect()
    }

    pub(super) fn real(&mut self, value: f64) -> Array {
        let node = self.b().real(value);
        self.array(node, vec![])
    }

    pub(super) fn int(&mut self, value: i64) -> Array {
        let node = self.b().int(value);
        self.array(node, vec![])
    }

    /// Repeats an array over more plates, and a scalar over a shape.
    pub(super) fn expand(&mut self, array: &Array, plates: &[PlateId], shape: &[usize]) -> NodeId {
        let node = self.node(array);
        let own = self.shape(array);
        let target = [&self.sizes(plates)[..], shape].concat();
        let mut axes: Vec<usize> = array.plates.iter().filter_map(|p| plates.iter().position(|q| q == p)).collect();
        if !own.is_empty() {
            axes.extend((0..shape.len()).map(|i| plates.len() + i));
        }
        self.b().broadcast(node, &target, &axes)
    }

    pub(super) fn expanded(&mut self, array: &Array, plates: &[PlateId]) -> Array {
        let shape = self.shape(array);
        let node = self.expand(array, plates, &shape);
        self.array(node, plates.to_vec())
    }

    /// The nodes of all operands over the union of their plates and their common shape (scalars stretch).
    pub(super) fn align(&mut self, arrays: &[&Array]) -> Result<(Vec<NodeId>, Vec<PlateId>)> {
        let plates = union(arrays.iter().map(|a| &a.plates[..]));
        let mut shape: Vec<usize> = vec![];
        for array in arrays {
            let own = self.shape(array);
            if shape.is_empty() {
                shape = own;
            } else if !own.is_empty() && own != shape {
                return Err(Diagnostic::internal(format!("operands of shapes {shape:?} and {own:?}")));
            }
        }
        let nodes = arrays.iter().map(|array| self.expand(array, &plates, &shape)).collect();
        Ok((nodes, plates))
    }

    // Arithmetic on aligned arrays

    pub(super) fn unary(&mut self, op: UnaryOp, x: &Array) -> Array {
        let node = self.node(x);
        let node = stable::unary(self.b(), op, node);
        self.array(node, x.plates.clone())
    }

    pub(super) fn binary(&mut self, op: BinaryOp, a: &Array, b: &Array) -> Result<Array> {
        let (nodes, plates) = self.align(&[a, b])?;
        let node = self.b().binary(op, nodes[0], nodes[1]);
        Ok(self.array(node, plates))
    }

    pub(super) fn compare(&mut self, op: CompareOp, a: &Array, b: &Array) -> Result<Array> {
        let (nodes, plates) = self.align(&[a, b])?;
        let node = self.b().compare(op, nodes[0], nodes[1]);
        Ok(self.array(node, plates))
    }

    pub(super) fn add(&mut self, a: &Array, b: &Array) -> Result<Array> {
        self.binary(BinaryOp::Add, a, b)
    }

    pub(super) fn sub(&mut self, a: &Array, b: &Array) -> Result<Array> {
        self.binary(BinaryOp::Sub, a, b)
    }

    pub(super) fn mul(&mut self, a: &Array, b: &Array) -> Result<Array> {
        self.binary(BinaryOp::Mul, a, b)
    }

    pub(super) fn select(&mut self, condition: &Array, a: &Array, b: &Array) -> Result<Array> {
        let (nodes, plates) = self.align(&[condition, a, b])?;
        let node = self.b().select(nodes[0], nodes[1], nodes[2]);
        Ok(self.array(node, plates))
    }

    pub(super) fn cast(&mut self, x: &Array, dtype: DType) -> Array {
        let node = self.node(x);
        let node = self.b().cast(node, dtype);
        self.array(node, x.plates.clone())
    }

    pub(super) fn stop(&mut self, x: &Array) -> Array {
        let node = self.node(x);
        let node = self.b().stop(node);
        self.array(node, x.plates.clone())
    }

    /// The node's axes brought into the order of the sorted plates; `plates` names the leading axes as they stand.
    pub(super) fn sorted(&mut self, node: NodeId, plates: Vec<PlateId>) -> Array {
        let mut order: Vec<usize> = (0..plates.len()).collect();
        order.sort_by_key(|&i| plates[i]);
        let rank = self.b().ty(node).rank();
        let perm: Vec<usize> = order.iter().copied().chain(plates.len()..rank).collect();
        let node = self.b().transpose(node, &perm);
        self.array(node, order.into_iter().map(|i| plates[i]).collect())
    }

    /// Adds to a diagnostic the place of the expression being lowered.
    pub(super) fn note(&mut self, span: Span, text: impl Into<String>) {
        let note = Note { span, text: text.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// All plates of several lists, increasing, each once.
pub(super) fn union<'a>(lists: impl IntoIterator<Item = &'a [PlateId]>) -> Vec<PlateId> {
    let mut all: Vec<PlateId> = lists.into_iter().flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The locals with respect to which some expression differentiates.
pub(super) fn differentiable(model: &Model, extra: Option<&Expr>) -> HashSet<LocalId> {
    let mut found = HashSet::new();
    model.each_expr(extra, &mut |expr| {
        if let Some(Place::Local(local)) = expr.differentiated_place() {
            found.insert(local);
        }
    });
    found
}
