//! Which function is affine in which variable, and its coefficients: y = A z + b.
//!
//! Decided by symbolic derivatives. The function is lowered with each variable bound to a node of its own, without plates; its
//! derivative with respect to a variable is A where, after simplification, it depends on none of them. A keeps only the plates along
//! which it really varies. Where element i of y depends on element i of z alone, A is kept as its diagonal.

use super::super::lowering::Lowering;
use super::super::value::{Array, PlateId};
use super::dependence::{operation, path};
use super::invariant::Invariance;
use crate::base::Span;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::graph::{Graph, NodeId, Op};
use crate::pass::{derivative, simplify};

/// The coefficient of one variable.
#[derive(Clone, Debug)]
pub enum Coefficient {
    /// A diagonal matrix: an array of the variable's shape, or a scalar that stands for all of its elements
    Diagonal(Array),
    /// `[m, n]`: m elements of the function by n elements of the variable, both in row-major order
    Matrix(Array),
}

/// A function A₁ z₁ + A₂ z₂ + … + b.
#[derive(Clone, Debug)]
pub struct Affine {
    /// Aᵢ; `None` where the function does not depend on the variable
    pub coefficients: Vec<Option<Coefficient>>,
    /// b
    pub offset: Array,
}

/// Where a function stops being affine.
#[derive(Clone, Debug)]
pub struct NotAffine {
    /// The variable, by its number
    pub variable: usize,
    /// The expression that is not
    pub span: Span,
    /// What it does, such as `exp`
    pub operation: String,
}

/// A function of the variables, lowered with them bound to the given arrays.
pub type Function<'f, 'm> = dyn FnMut(&mut Lowering<'m>, &[Array]) -> Result<Array> + 'f;

impl<'m> Lowering<'m> {
    /// The coefficients of a function of real variables, or where it is not affine.
    ///
    /// `variables` are [`Lowering::placeholder`]s and `y` the function's value there. `function` is called again for each variable
    /// whose coefficient is a full matrix, then with a plate over its elements. What it returns may vary over any plates.
    pub(in crate::algebra) fn affine_at(
        &mut self,
        variables: &[Array],
        y: &Array,
        function: &mut Function<'_, 'm>,
    ) -> Result<std::result::Result<Affine, NotAffine>> {
        let mut coefficients = vec![];
        for at in 0..variables.len() {
            match self.coefficient(at, variables, y, function)? {
                Ok(coefficient) => coefficients.push(coefficient),
                Err(node) => {
                    let node = self.b().graph().node(node);
                    return Ok(Err(NotAffine { variable: at, span: node.span, operation: operation(&node.op) }));
                }
            }
        }
        let offset = self.lean(y, &[]);
        Ok(Ok(Affine { coefficients, offset }))
    }

    /// The coefficient of one variable, or the node at which the function is not affine in it.
    fn coefficient(
        &mut self,
        at: usize,
        variables: &[Array],
        y: &Array,
        function: &mut Function<'_, 'm>,
    ) -> Result<std::result::Result<Option<Coefficient>, NodeId>> {
        let (z, shape) = (&variables[at], self.shape(&variables[at]));
        if !self.leads_to(z, y) {
            return Ok(Ok(None));
        }
        if let Some(jump) = self.jump(y, z) {
            return Ok(Err(jump));
        }
        let ones = self.b().fill(1.0, DType::Real, &shape);
        let slope = self.derivative_along(y, z, ones)?;
        if self.depends_really(&slope, variables)? {
            return Ok(Err(self.first_nonlinear(y, z)));
        }
        if self.elementwise(y, z) || (shape.is_empty() && self.shape(y).is_empty()) {
            let lean = self.lean(&slope, &[]);
            return Ok(Ok(Some(Coefficient::Diagonal(self.one_if_uniform(&lean)))));
        }
        if shape.is_empty() {
            // The slope of a function of a scalar is a column.
            let lean = self.lean(&slope, &[]);
            let count = self.count(&lean);
            return Ok(Ok(Some(Coefficient::Matrix(self.flattened(&lean, &[count, 1])))));
        }
        self.columns(at, variables, function)
    }

    /// The derivative along each element of a variable, as the columns of a matrix.
    fn columns(
        &mut self,
        at: usize,
        variables: &[Array],
        function: &mut Function<'_, 'm>,
    ) -> Result<std::result::Result<Option<Coefficient>, NodeId>> {
        let shape = self.shape(&variables[at]);
        let n: usize = shape.iter().product();
        let plate = self.plate(n);
        let mut moving = variables.to_vec();
        moving[at] = self.placeholder(&shape, Some(plate));
        self.scope.push(plate);
        let y = function(self, &moving);
        self.scope.pop();
        let y = y?;
        let units = self.identity(n);
        let units = self.flattened(&units, &[&[n], &shape[..]].concat());
        let along = self.derivative_along(&y, &moving[at], units.node)?;
        if self.depends_really(&along, &moving)? {
            return Ok(Err(self.first_nonlinear(&y, &moving[at])));
        }
        let lean = self.lean(&along, &[plate]);
        let lowered = self.lower_plates(&lean, &[plate]);
        let rows = self.count(&lowered) / n;
        let flat = self.flattened(&lowered, &[n, rows]);
        Ok(Ok(Some(Coefficient::Matrix(self.transpose_last(&flat)))))
    }

    /// A real array that is shared with no other and that no derivative passes; as a value, zero.
    pub(in crate::algebra) fn placeholder(&mut self, shape: &[usize], plate: Option<PlateId>) -> Array {
        let plates: Vec<PlateId> = plate.into_iter().collect();
        let full = [&self.sizes(&plates)[..], shape].concat();
        let zero = self.b().fill(0.0, DType::Real, &full);
        let hidden = self.b().stop(zero);
        let node = self.b().distinct(hidden);
        self.array(node, plates)
    }

    fn derivative_along(&mut self, y: &Array, z: &Array, direction: NodeId) -> Result<Array> {
        let (y_node, z_node) = (self.node(y), self.node(z));
        let found = derivative::tangent(self.b(), &[y_node], &[z_node], &[direction])?[0];
        let found = simplify::simplified(self.b(), &[z_node], &[found])[0];
        Ok(self.array(found, y.plates.clone()))
    }

    /// An array whose elements are all equal, as one number.
    pub(super) fn one_if_uniform(&mut self, x: &Array) -> Array {
        let node = self.node(x);
        let one = Invariance::default().scalar(self.b(), node, x.plates.len());
        self.array(one.unwrap_or(node), x.plates.clone())
    }

    /// The same array without the plates along which it does not vary, except those to `keep`.
    pub(in crate::algebra) fn lean(&mut self, x: &Array, keep: &[PlateId]) -> Array {
        let node = self.node(x);
        let mut array = self.array(node, x.plates.clone());
        for plate in x.plates.iter().filter(|plate| !keep.contains(plate)) {
            let axis = array.plates.iter().position(|p| p == plate).unwrap_or(0);
            if let Some(node) = Invariance::default().without(self.b(), array.node, axis) {
                let rest = array.plates.iter().copied().filter(|p| p != plate).collect();
                array = self.array(node, rest);
            }
        }
        array
    }

    /// Whether element i of y depends on element i of z alone, for all i: decided by following the axes of z.
    fn elementwise(&mut self, y: &Array, z: &Array) -> bool {
        self.shape(y) == self.shape(z) && self.follows_elements(y, z)
    }

    /// Whether the elements of y whose leading axes are i depend on element i of z alone.
    pub(in crate::algebra) fn follows_elements(&mut self, y: &Array, z: &Array) -> bool {
        let rank = self.shape(z).len();
        if !self.shape(y).starts_with(&self.shape(z)) {
            return false;
        }
        let own: Vec<usize> = (y.plates.len()..y.plates.len() + rank).collect();
        let (z, y) = (self.node(z), self.node(y));
        let graph = self.b().graph();
        let on_path = path(graph, z, y);
        // For each node on the way, which of its axes are those of z
        let mut axes: Vec<Option<Vec<usize>>> = vec![None; on_path.len()];
        axes[z.index()] = Some((0..rank).collect());
        for id in graph.ids().take(on_path.len()).filter(|id| on_path[id.index()] && *id != z) {
            let args: Vec<Option<&Vec<usize>>> =
                graph.node(id).args.iter().map(|arg| axes.get(arg.index()).and_then(Option::as_ref)).collect();
            let Some(followed) = follow(graph, id, &args) else { return false };
            axes[id.index()] = Some(followed);
        }
        axes[y.index()].as_ref() == Some(&own)
    }
}

/// The axes of z in a node, given those in its operands (`None`: the operand does not depend on z), where it is elementwise in z.
fn follow(graph: &Graph, id: NodeId, args: &[Option<&Vec<usize>>]) -> Option<Vec<usize>> {
    let node = graph.node(id);
    let mut moving = args.iter().flatten();
    let first = *moving.next()?;
    if moving.any(|other| *other != first) {
        return None;
    }
    match &node.op {
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast(_) | Op::Stop => Some(first.clone()),
        // Of an index, the axes stay where they are.
        Op::Gather { .. } if args[0].is_none() => Some(first.clone()),
        Op::Broadcast { axes, .. } => Some(first.iter().map(|&axis| axes[axis]).collect()),
        Op::Transpose(perm) => first.iter().map(|axis| perm.iter().position(|p| p == axis)).collect(),
        Op::Reshape(shape) if *shape == graph.ty(node.args[0]).shape => Some(first.clone()),
        Op::Reduce { axes, .. } => {
            let shift = |axis: &usize| (!axes.contains(axis)).then(|| axis - axes.iter().filter(|a| *a < axis).count());
            first.iter().map(shift).collect()
        }
        Op::Slice { start, stop } => {
            let shape = &graph.ty(node.args[0]).shape;
            first.iter().all(|&axis| start[axis] == 0 && stop[axis] == shape[axis]).then(|| first.clone())
        }
        Op::Contract { a, b, out } if args.iter().flatten().count() == 1 => {
            let labels = if args[0].is_some() { a } else { b };
            first.iter().map(|&axis| out.iter().position(|label| *label == labels[axis])).collect()
        }
        _ => None,
    }
}
