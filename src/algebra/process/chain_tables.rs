//! Gaussian chains x[t] = a(t) x[t-1] + c(t) + noise of variance v(t): tables over t of one step, and of x[t] given the first member,
//!
//! ```text
//! signal(t) = a(t) signal(t-1)
//! shift(t)  = a(t) shift(t-1) + c(t)
//! var(t)    = a(t) var(t-1) a(t)ᵀ + v(t)
//! ```
//!
//! (Sohl-Dickstein et al.: Deep unsupervised learning using nonequilibrium thermodynamics, 2015, appendix B; Ho, Jain, Abbeel: Denoising
//! diffusion probabilistic models, 2020, equation 4). Where nothing is learned and nothing given, the tables are numbers: computed once,
//! while compiling, by the reference interpreter in f64. Otherwise the recursion is a loop of the program, through which derivatives pass.

use super::super::chain::{Inside, Steps, Turn};
use super::super::gaussian::affine;
use super::super::gaussian::factor::Covariance;
use super::super::lowering::Lowering;
use super::super::value::Array;
use super::chain::{Chain, Kernel};
use super::coefficient::Coefficient;
use super::finite::interpreted;
use super::transition::Transition;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType};
use crate::base::{Code, Diagnostic};
use crate::check::model::{DensityId, VarId};
use crate::graph::{Graph, Literal, NodeId, Op};
use std::collections::HashMap;

/// Tables with a leading axis of times.
#[derive(Clone, Debug)]
pub(super) struct ChainTables {
    /// The number of the first member
    pub first: i64,
    /// x[t] given x[t-1], for t from the second member on
    pub step: Transition,
    /// x[t] given the first member, for t from the first member on
    pub total: Transition,
}

/// The tables of the chains that were asked for.
#[derive(Default)]
pub struct ChainCache {
    constant: HashMap<(DensityId, VarId), (ChainTables, Vec<Literal>)>,
    learned: HashMap<(DensityId, VarId, bool), ChainTables>,
}

impl ChainTables {
    fn arrays(&self) -> Vec<Array> {
        [self.step.arrays(), self.total.arrays()].concat()
    }

    fn map(&self, mut f: impl FnMut(&Array) -> Array) -> ChainTables {
        ChainTables { first: self.first, step: self.step.map(&mut f), total: self.total.map(&mut f) }
    }
}

impl<'m> Lowering<'m> {
    /// The tables of a chain, in the graph that is being built.
    pub(super) fn chain_tables(&mut self, chain: &Chain<'m>) -> Result<ChainTables> {
        let key = (chain.density, chain.var);
        if let Some((tables, literals)) = self.chains.constant.get(&key) {
            let (tables, literals) = (tables.clone(), literals.clone());
            return Ok(self.as_literals(&tables, &literals));
        }
        if chain.has_givens() {
            return self.built_tables(chain);
        }
        if let Some((tables, literals)) = self.constant_tables(chain)? {
            self.chains.constant.insert(key, (tables.clone(), literals.clone()));
            return Ok(self.as_literals(&tables, &literals));
        }
        let key = (chain.density, chain.var, self.frozen);
        if let Some(tables) = self.chains.learned.get(&key) {
            return Ok(tables.clone());
        }
        // Once for the whole program, not in every turn of a loop around.
        let bodies = self.frames.suspend();
        let tables = self.built_tables(chain);
        self.frames.resume(bodies);
        let tables = tables?;
        self.chains.learned.insert(key, tables.clone());
        Ok(tables)
    }

    fn as_literals(&mut self, tables: &ChainTables, literals: &[Literal]) -> ChainTables {
        let mut next = literals.iter();
        tables.map(|array| match next.next() {
            Some(literal) => {
                let node = self.b().literal(literal.dtype, &literal.shape, &literal.values);
                self.array(node, vec![])
            }
            None => array.clone(),
        })
    }

    /// The tables as numbers, if they depend on nothing else.
    fn constant_tables(&mut self, chain: &Chain<'m>) -> Result<Option<(ChainTables, Vec<Literal>)>> {
        let none = HashMap::new();
        let mut inner = Lowering::new(self.model, &none, None);
        let tables = inner.built_tables(chain)?;
        if !inner.inputs().is_empty() {
            return Ok(None);
        }
        let arrays = tables.arrays();
        let literals = interpreted(inner, &arrays)?;
        self.refuse_degenerate(chain, &tables, &literals)?;
        Ok(Some((tables, literals)))
    }

    /// Every step has a finite signal and adds noise.
    fn refuse_degenerate(&self, chain: &Chain<'m>, tables: &ChainTables, literals: &[Literal]) -> Result<()> {
        let [signal, var] = [0, 1].map(|i| &literals[i]);
        let steps = signal.shape.first().copied().unwrap_or(0);
        let of = |literal: &Literal, t: usize| -> Vec<f64> {
            let width = literal.values.len() / steps.max(1);
            literal.values[t * width..(t + 1) * width].to_vec()
        };
        let side = if tables.step.var.is_matrix() { (var.values.len() / steps.max(1)).isqrt() } else { 0 };
        let on_diagonal = |i: usize| side == 0 || i.is_multiple_of(side + 1);
        for t in 0..steps {
            let bad_signal = of(signal, t).into_iter().find(|a| !a.is_finite()).map(|a| ("coefficient", a));
            let variances = of(var, t).into_iter().enumerate().filter(|(i, _)| on_diagonal(*i));
            let bad_var = variances.map(|(_, v)| v).find(|v| !(v.is_finite() && *v > 0.0)).map(|v| ("variance", v));
            if let Some((what, value)) = bad_signal.or(bad_var) {
                return Err(self.degenerate_step(chain, tables.first + 1 + t as i64, what, value));
            }
        }
        Ok(())
    }

    fn degenerate_step(&self, chain: &Chain<'m>, t: i64, what: &str, value: f64) -> Diagnostic {
        let (q, x) = (&self.model.densities[chain.density].name, &self.model.vars[chain.var].name);
        let kernel = chain.kernels.iter().find(|kernel| t < kernel.from + kernel.count as i64);
        let span = kernel.map_or_else(|| chain.span(), |kernel| kernel.factor.dist.span);
        let wanted = if what == "variance" { "finite and above 0" } else { "finite" };
        let value = if value.is_nan() { "not a number".to_owned() } else { value.to_string() };
        Diagnostic::new(Code::SupportMismatch, format!("the {what} of {q}({x}[{t}] | {x}[{}]) is {value}", t - 1))
            .label(span, format!("it must be {wanted} in every step; this is t = {t}"))
            .help("of `Normal(sqrt(1 - beta[t]) * x[t-1], sqrt(beta[t]))`, all beta[t] lie between 0 and 1")
    }

    fn built_tables(&mut self, chain: &Chain<'m>) -> Result<ChainTables> {
        let pieces = chain.kernels.iter().map(|kernel| self.kernel_table(chain, kernel)).collect::<Result<Vec<_>>>()?;
        let step = self.joined_tables(&pieces, &self.state_shape(chain.var)?)?;
        let total = self.accumulated(&step)?;
        Ok(ChainTables { first: chain.first, step, total })
    }

    /// One kernel as x[t] = a x[t-1] + c + noise, over its members.
    fn kernel_table(&mut self, chain: &Chain<'m>, kernel: &Kernel<'m>) -> Result<Transition> {
        let shape = self.state_shape(chain.var)?;
        let z = self.placeholder(&shape, None);
        let plate = self.plate(kernel.count);
        let d = self.kernel_along(chain, kernel, plate, &z)?;
        let Some(family) = self.gaussian_family(d.dist) else {
            return Err(self.no_chain_law(chain, kernel, &format!("it is {}", self.model.dists[d.dist].name), None));
        };
        let y = self.full_mean(&d);
        let mut mean = |this: &mut Lowering<'m>, values: &[Array]| {
            let d = this.kernel_along(chain, kernel, plate, &values[0])?;
            Ok(this.full_mean(&d))
        };
        let placeholders = [z.clone()];
        let mut mean = match self.affine_at(&placeholders, &y, &mut mean)? {
            Ok(mean) => mean,
            Err(found) => {
                return Err(self.no_chain_law(chain, kernel, &format!("its mean passes through {}", found.operation), Some(found.span)));
            }
        };
        if self.leads_to(&z, &d.params[1]) {
            return Err(self.no_chain_law(chain, kernel, "its spread depends on the member before", None));
        }
        let signal = match mean.coefficients.remove(0) {
            Some(affine::Coefficient::Diagonal(a)) if self.shape(&a).is_empty() => Coefficient::Scalar(a),
            Some(affine::Coefficient::Diagonal(a)) => Coefficient::Diagonal(a),
            Some(affine::Coefficient::Matrix(a)) => Coefficient::Matrix(a),
            None => Coefficient::Scalar(self.real(0.0)),
        };
        let var = match self.covariance(&d, &family)? {
            Covariance::Diagonal(std) => {
                let var = self.mul(&std, &std)?;
                if self.shape(&var).is_empty() { Coefficient::Scalar(var) } else { Coefficient::Diagonal(var) }
            }
            Covariance::Full(cov) => Coefficient::Matrix(cov),
        };
        let shift = (!self.vanishes_with(&z, &y)).then_some(mean.offset);
        let shift = shift.map(|shift| {
            let node = self.expand(&shift, &shift.plates, &shape);
            self.array(node, shift.plates)
        });
        Ok(Transition { signal, shift, var }.map(|array| self.lower_plates(array, &[plate])))
    }

    /// Whether a linear function has no constant part: y is zero where z is.
    fn vanishes_with(&mut self, z: &Array, y: &Array) -> bool {
        let (z, y) = (self.node(z), self.node(y));
        let graph = self.b().graph();
        let mut zero = vec![false; y.index() + 1];
        for index in 0..=y.index() {
            zero[index] = NodeId(index as u32) == z || is_zero_where(graph, NodeId(index as u32), &zero);
        }
        zero[y.index()]
    }

    /// The tables of consecutive kernels as one.
    fn joined_tables(&mut self, pieces: &[Transition], shape: &[usize]) -> Result<Transition> {
        let mut pieces = pieces.to_vec();
        let matrix = pieces.iter().any(Transition::has_matrix);
        let diagonal = |c: &Coefficient| matches!(c, Coefficient::Diagonal(_));
        let (signals, vars) = (pieces.iter().any(|p| diagonal(&p.signal)), pieces.iter().any(|p| diagonal(&p.var)));
        let shifted = pieces.iter().any(|piece| piece.shift.is_some());
        for piece in &mut pieces {
            piece.signal = self.widened(&piece.signal, shape, matrix, signals)?;
            piece.var = self.widened(&piece.var, shape, matrix, vars)?;
            if shifted && piece.shift.is_none() {
                let count = self.shape(piece.signal.array())[0];
                let zero = self.b().fill(0.0, DType::Real, &[&[count], shape].concat());
                piece.shift = Some(self.array(zero, vec![]));
            }
        }
        let column = |at: usize| pieces.iter().map(|piece| piece.arrays()[at].clone()).collect::<Vec<Array>>();
        let mut at = 0;
        Ok(pieces[0].map(|_| {
            at += 1;
            self.joined(&column(at - 1))
        }))
    }

    /// A table of coefficients of a wider kind.
    fn widened(&mut self, c: &Coefficient, shape: &[usize], matrix: bool, diagonal: bool) -> Result<Coefficient> {
        let array = c.array().clone();
        Ok(match c {
            Coefficient::Matrix(_) => c.clone(),
            Coefficient::Diagonal(_) if !matrix => c.clone(),
            Coefficient::Scalar(_) if !matrix && !diagonal => c.clone(),
            Coefficient::Scalar(_) if !matrix => {
                let rows = self.shape(&array)[0];
                Coefficient::Diagonal(self.placed(&array, &[&[rows], shape].concat(), &[0]))
            }
            Coefficient::Scalar(_) | Coefficient::Diagonal(_) => {
                let (lifted, plates) = self.lift(&array, 1);
                let vector = self.vector(&lifted, shape);
                let matrix = self.diagonal_matrix(&vector)?;
                Coefficient::Matrix(self.lower_plates(&matrix, &plates))
            }
        })
    }

    /// x[t] given the first member, from the steps.
    fn accumulated(&mut self, step: &Transition) -> Result<Transition> {
        let count = self.shape(step.signal.array())[0];
        let steps = Steps { plate: self.plate(count), first: 0 };
        let inputs: Vec<Array> = step.arrays().iter().map(|table| self.lift_onto(table, &[steps.plate])).collect();
        let start = self.at_the_start(step)?;
        let matrix = step.has_matrix();
        let done = self.over_steps(steps, &start.arrays(), &inputs, |this, inside: Inside| {
            let (a, v) = (&inside.inputs[0], &inside.inputs[1]);
            let times = |this: &mut Self, x: &Array| if matrix { this.matmul(a, x) } else { this.mul(a, x) };
            let signal = times(this, &inside.carries[0])?;
            let kept = times(this, &inside.carries[1])?;
            let transposed = this.transpose_last(a);
            let kept = if matrix { this.matmul(&kept, &transposed)? } else { this.mul(&kept, a)? };
            let mut now = vec![signal, this.add(&kept, v)?];
            if let (Some(shift), Some(c)) = (inside.carries.get(2), inside.inputs.get(2)) {
                let moved = if matrix { this.coefficient_times(&Coefficient::Matrix(a.clone()), shift)? } else { this.mul(a, shift)? };
                now.push(this.add(&moved, c)?);
            }
            Ok(Turn { carries: now.clone(), kept: now })
        })?;
        let mut kept = done.kept.into_iter();
        Ok(start.map(|first| match kept.next() {
            Some(later) => {
                let later = self.lower_plates(&later, &[steps.plate]);
                let first = self.with_member_axis(first);
                self.joined(&[first, later])
            }
            None => first.clone(),
        }))
    }

    /// x[0] given itself: signal 1, no shift, no variance; of the shapes and plates of all later members.
    fn at_the_start(&mut self, step: &Transition) -> Result<Transition> {
        let one = step.map(|table| self.one_element(table, 0, 0));
        let (a, v) = (one.signal.array().clone(), one.var.array().clone());
        if step.has_matrix() {
            let n = self.shape(&a)[0];
            let like = self.matmul(&a, &v)?;
            let zero = self.filled_like(0.0, &like);
            let identity = self.identity(n);
            let unit = self.filled_like(0.0, &a);
            let unit = self.add(&unit, &identity)?;
            let shift = one.shift.as_ref().map(|c| self.filled_like(0.0, c));
            return Ok(Transition { signal: Coefficient::Matrix(unit), shift, var: Coefficient::Matrix(zero) });
        }
        let like = self.mul(&a, &v)?;
        let zero = self.filled_like(0.0, &like);
        let wide = !self.shape(&zero).is_empty();
        let var = if wide { Coefficient::Diagonal(zero) } else { Coefficient::Scalar(zero) };
        let shift = match &one.shift {
            Some(c) => {
                let like = self.mul(&a, c)?;
                Some(self.filled_like(0.0, &like))
            }
            None => None,
        };
        Ok(Transition { signal: one.signal.with(self.filled_like(1.0, &a)), shift, var })
    }

    fn filled_like(&mut self, value: f64, like: &Array) -> Array {
        let node = self.node(like);
        let node = self.b().fill_like(value, node);
        self.array(node, like.plates.clone())
    }
}

/// Whether a node is zero where those of its operands are that are marked.
fn is_zero_where(graph: &Graph, id: NodeId, zero: &[bool]) -> bool {
    let node = graph.node(id);
    let arg = |i: usize| node.args.get(i).is_some_and(|arg| zero[arg.index()]);
    match &node.op {
        Op::Fill { bits, .. } => f64::from_bits(*bits) == 0.0,
        Op::Unary(op) => *op == crate::base::op::UnaryOp::Neg && arg(0),
        Op::Binary(BinaryOp::Add | BinaryOp::Sub) => arg(0) && arg(1),
        Op::Binary(BinaryOp::Mul) | Op::Contract { .. } => arg(0) || arg(1),
        Op::Binary(BinaryOp::Div) | Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Pad { .. } => arg(0),
        Op::Reverse { .. } | Op::Reduce { .. } | Op::CumSum { .. } | Op::Gather { .. } | Op::Stop => arg(0),
        Op::Join { .. } => (0..node.args.len()).all(arg),
        Op::Select => arg(1) && arg(2),
        _ => false,
    }
}
