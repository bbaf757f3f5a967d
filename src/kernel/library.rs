//! Operations that are calls of the back end's library.

use super::lower::{Lowered, Lowering, broken};
use super::{AlongOp, Indexing, Library, Step};
use crate::graph::{Node, NodeId, Op};

impl Lowering<'_> {
    pub(super) fn library(&mut self, id: NodeId, node: &Node) -> Lowered {
        let out = self.out(id)?;
        let call = match &node.op {
            Op::Gather { batch } => {
                let sizes = self.indexing(&self.graph.ty(node.args[0]).shape, node.args[1], *batch);
                Library::Gather { x: self.region(node.args[0])?, index: self.region(node.args[1])?, out, sizes }
            }
            Op::ScatterAdd { batch, .. } => {
                let (index, y) = (self.region(node.args[0])?, self.region(node.args[1])?);
                let sizes = self.indexing(&node.ty.shape, node.args[0], *batch);
                Library::ScatterAdd { dtype: node.ty.dtype, index, y, out, sizes }
            }
            Op::Random { kind, site, shape } => {
                let rows = self.graph.ty(node.args[3]).len();
                let [seed, step, turn, row] = [0, 1, 2, 3].map(|i| self.region(node.args[i]));
                let keys = [seed?, step?, turn?, row?];
                Library::Random { kind: *kind, site: *site, keys, out, rows, row: shape.iter().product() }
            }
            Op::CumSum { axis, reverse } => return self.along(id, node, AlongOp::CumSum { reverse: *reverse }, *axis),
            Op::Sort { axis } => return self.along(id, node, AlongOp::Sort, *axis),
            Op::ArgSort { axis } => return self.along(id, node, AlongOp::ArgSort, *axis),
            Op::ArgMax { axis } => return self.along(id, node, AlongOp::ArgMax, *axis),
            Op::Cholesky => {
                let size = node.ty.shape[node.ty.rank() - 1];
                Library::Cholesky { x: self.region(node.args[0])?, out, count: node.ty.len() / (size * size).max(1), size }
            }
            Op::Assignment => {
                let size = node.ty.shape[node.ty.rank() - 1];
                Library::Assignment { x: self.region(node.args[0])?, out, count: node.ty.len() / size.max(1), size }
            }
            Op::SymmetricEigen => {
                let size = node.ty.shape[node.ty.rank() - 1];
                Library::SymmetricEigen { x: self.region(node.args[0])?, out, count: node.ty.len() / (size * (size + 1)).max(1), size }
            }
            Op::TriangularSolve { transpose } => {
                let [size, columns] = [node.ty.shape[node.ty.rank() - 2], node.ty.shape[node.ty.rank() - 1]];
                let (l, b) = (self.region(node.args[0])?, self.region(node.args[1])?);
                let count = node.ty.len() / (size * columns).max(1);
                Library::TriangularSolve { l, b, out, count, size, columns, transpose: *transpose }
            }
            _ => return Err(broken(self.graph, id).into()),
        };
        self.steps.push(Step::Library(call));
        Ok(())
    }

    /// Sizes of a gather from, or a scatter into, an array of that shape.
    fn indexing(&self, shape: &[usize], index: NodeId, batch: usize) -> Indexing {
        let picks = self.graph.ty(index).shape[batch..].iter().product();
        let row = shape[batch + 1..].iter().product();
        Indexing { batch: shape[..batch].iter().product(), size: shape[batch], picks, row }
    }

    fn along(&mut self, id: NodeId, node: &Node, op: AlongOp, axis: usize) -> Lowered {
        let ty = self.graph.ty(node.args[0]);
        let (outer, inner) = (ty.shape[..axis].iter().product(), ty.shape[axis + 1..].iter().product());
        let (x, out) = (self.region(node.args[0])?, self.out(id)?);
        self.steps.push(Step::Library(Library::Along { op, dtype: ty.dtype, x, out, outer, size: ty.shape[axis], inner }));
        Ok(())
    }
}
