//! Products with a square matrix that is known: a permutation, a triangular matrix (told by its zeros), or a product of such.

use super::dependence::Dependence;
use super::elementwise::log_abs;
use super::solver::Solver;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::graph::{NodeId, Op};

/// The labels of a product `M x` as an einsum.
struct Labels {
    matrix: Vec<u8>,
    x: Vec<u8>,
    out: Vec<u8>,
    row: u8,
    column: u8,
}

/// A square matrix that can be undone. Its last two axes are rows and columns, what stands before are shared axes.
enum Factor {
    Permutation(Vec<usize>),
    Triangular { node: NodeId, lower: bool },
}

impl Solver<'_, '_> {
    /// y = M x
    pub(super) fn undo_contract(&mut self, id: NodeId) -> Result<bool> {
        let node = self.map.node(id).clone();
        let Op::Contract { a, b, out } = &node.op else { return Ok(false) };
        let [left, right] = node.args[..] else { return Ok(false) };
        let (matrix, x, of_matrix, of_x) = match (self.is_known(left), self.is_known(right)) {
            (true, false) => (left, right, a, b),
            (false, true) => (right, left, b, a),
            _ => return Ok(false),
        };
        let Some(labels) = square(of_matrix, of_x, out) else { return Ok(false) };
        let batch = labels.matrix.len() - 2;
        let order = |last: [u8; 2]| -> Vec<usize> {
            let front = labels.x.iter().filter(|label| !last.contains(label));
            front.chain(&last).filter_map(|label| labels.matrix.iter().position(|other| other == label)).collect()
        };
        let perm = order([labels.row, labels.column]);
        let Some(factors) = self.factors(matrix, &perm, batch)? else { return Ok(false) };
        let mut value = if self.is_given() { None } else { Some(self.value(id)?) };
        for factor in &factors {
            if let Some(y) = value {
                value = Some(self.undo_factor(factor, y, &labels)?);
            }
        }
        // From the labels of the result to those of x
        let value = value.map(|value| {
            let renamed: Vec<u8> = labels.out.iter().map(|&label| if label == labels.row { labels.column } else { label }).collect();
            let perm: Vec<usize> = labels.x.iter().filter_map(|label| renamed.iter().position(|other| other == label)).collect();
            self.b().transpose(value, &perm)
        });
        self.establish(x, value)?;
        for factor in &factors {
            self.factor_slope(id, factor, &labels)?;
        }
        Ok(true)
    }

    /// The factors of a matrix, first the one on the left: A B x = y is undone by A, then by B.
    fn factors(&mut self, matrix: NodeId, perm: &[usize], batch: usize) -> Result<Option<Vec<Factor>>> {
        let node = self.map.node(matrix).clone();
        match &node.op {
            Op::Contract { a, b, out } if batch == 0 && out.len() == 2 && a.len() == 2 && b.len() == 2 => {
                let rows_first = perm == [0, 1];
                let (row, column) = if rows_first { (out[0], out[1]) } else { (out[1], out[0]) };
                let place = |labels: &[u8], label: u8| labels.iter().position(|other| *other == label);
                // The operand that has the rows stands on the left.
                let (left, right) =
                    if a.contains(&row) { ((a, node.args[0]), (b, node.args[1])) } else { ((b, node.args[1]), (a, node.args[0])) };
                let (Some(row), Some(column)) = (place(left.0, row), place(right.0, column)) else { return Ok(None) };
                let first = self.factors(left.1, &[row, 1 - row], 0)?;
                let second = self.factors(right.1, &[1 - column, column], 0)?;
                Ok(first.zip(second).map(|(first, second)| first.into_iter().chain(second).collect()))
            }
            Op::Transpose(inner) => {
                let perm: Vec<usize> = perm.iter().map(|&axis| inner[axis]).collect();
                self.factors(node.args[0], &perm, batch)
            }
            _ => Ok(self.factor(matrix, perm)?.map(|factor| vec![factor])),
        }
    }

    fn factor(&mut self, matrix: NodeId, perm: &[usize]) -> Result<Option<Factor>> {
        let shape = self.map.shape(matrix).to_vec();
        let [.., row, column] = perm[..] else { return Ok(None) };
        if shape[row] != shape[column] {
            return Ok(None);
        }
        let n = shape[row];
        if let (2, Some(values)) = (shape.len(), self.constant(matrix))
            && let Some(order) = permutation(n, |i, j| if row == 0 { values[i * n + j] } else { values[j * n + i] })
        {
            return Ok(Some(Factor::Permutation(order)));
        }
        let zeros = Dependence::on(self.lowering, self.map, None).zeros(matrix, row, column);
        let lower = (0..n).all(|i| (i + 1..n).all(|j| zeros(i, j)));
        let upper = (0..n).all(|i| (0..i).all(|j| zeros(i, j)));
        if !lower && !upper {
            return Ok(None);
        }
        let node = self.value(matrix)?;
        let node = self.b().transpose(node, perm);
        Ok(Some(Factor::Triangular { node, lower }))
    }

    /// y with the labels of the result, F x = y solved for x.
    fn undo_factor(&mut self, factor: &Factor, y: NodeId, labels: &Labels) -> Result<NodeId> {
        let at = labels.out.iter().position(|&label| label == labels.row).unwrap_or(0);
        match factor {
            // (F x)ᵢ = x[order[i]]
            Factor::Permutation(order) => {
                let places: Vec<f64> = (0..order.len()).filter_map(|j| order.iter().position(|&i| i == j)).map(|i| i as f64).collect();
                let rank = self.b().ty(y).rank();
                let mut perm: Vec<usize> = (0..rank).filter(|&axis| axis != at).collect();
                perm.insert(0, at);
                let moved = self.b().transpose(y, &perm);
                let index = self.b().literal(DType::Int, &[places.len()], &places);
                let taken = self.b().gather(moved, index, 0);
                let back: Vec<usize> = (0..rank).map(|axis| perm.iter().position(|&p| p == axis).unwrap_or(axis)).collect();
                Ok(self.b().transpose(taken, &back))
            }
            Factor::Triangular { node, lower } => Ok(self.triangular(*node, *lower, y, labels)),
        }
    }

    /// Shared axes lead, the rows follow, all other axes are columns of the right side.
    fn triangular(&mut self, matrix: NodeId, lower: bool, y: NodeId, labels: &Labels) -> NodeId {
        let shared: Vec<u8> = labels.x.iter().copied().filter(|label| labels.matrix.contains(label) && *label != labels.column).collect();
        let columns: Vec<u8> = labels.out.iter().copied().filter(|label| !labels.matrix.contains(label)).collect();
        let order: Vec<u8> = shared.iter().chain([&labels.row]).chain(&columns).copied().collect();
        let perm: Vec<usize> = order.iter().filter_map(|label| labels.out.iter().position(|other| other == label)).collect();
        let b = self.b();
        let moved = b.transpose(y, &perm);
        let full = b.shape(moved).to_vec();
        let lead = shared.len() + 1;
        let flat = [&full[..lead], &[full[lead..].iter().product()]].concat();
        let right = b.reshape(moved, &flat);
        let solved = if lower {
            b.push(Op::TriangularSolve { transpose: false }, &[matrix, right])
        } else {
            // U x = y is Lᵀ x = y with L = Uᵀ
            let rank = b.ty(matrix).rank();
            let mut swap: Vec<usize> = (0..rank).collect();
            swap.swap(rank - 1, rank - 2);
            let transposed = b.transpose(matrix, &swap);
            b.push(Op::TriangularSolve { transpose: true }, &[transposed, right])
        };
        let unflat = b.reshape(solved, &full);
        let back: Vec<usize> = (0..perm.len()).map(|axis| perm.iter().position(|&p| p == axis).unwrap_or(axis)).collect();
        b.transpose(unflat, &back)
    }

    /// The logarithms of the diagonal, for every element of y.
    fn factor_slope(&mut self, id: NodeId, factor: &Factor, labels: &Labels) -> Result<()> {
        let Factor::Triangular { node, .. } = factor else { return Ok(()) };
        let shared: Vec<u8> = labels.x.iter().copied().filter(|label| labels.matrix.contains(label) && *label != labels.column).collect();
        let log = self.log_diagonal(*node);
        let order: Vec<u8> = shared.into_iter().chain([labels.row]).collect();
        self.spread_slope(id, log, &order, &labels.out)
    }

    /// Slopes along some axes of a node, repeated over its others.
    fn spread_slope(&mut self, id: NodeId, slopes: NodeId, order: &[u8], out: &[u8]) -> Result<()> {
        let place = |label: &u8| out.iter().position(|other| other == label);
        let mut sorted: Vec<usize> = (0..order.len()).collect();
        sorted.sort_by_key(|&i| place(&order[i]));
        let axes: Vec<usize> = sorted.iter().filter_map(|&i| place(&order[i])).collect();
        let shape = self.map.shape(id).to_vec();
        let moved = self.b().transpose(slopes, &sorted);
        let full = self.b().broadcast(moved, &shape, &axes);
        self.slope(id, Some(full)).map(|_| ())
    }

    /// log |diagonal| of the last two axes.
    fn log_diagonal(&mut self, matrix: NodeId) -> NodeId {
        let b = self.b();
        let shape = b.shape(matrix).to_vec();
        let (rank, n) = (shape.len(), shape[shape.len() - 1]);
        let identity: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
        let identity = b.literal(DType::Real, &[n, n], &identity);
        let identity = b.broadcast(identity, &shape, &[rank - 2, rank - 1]);
        let masked = b.mul(matrix, identity);
        let diagonal = b.sum(masked, &[rank - 1]);
        log_abs(b, diagonal)
    }

    /// y = L⁻¹ x or L⁻ᵀ x, which is undone by a product.
    pub(super) fn undo_solve(&mut self, id: NodeId, transpose: bool) -> Result<bool> {
        let args = self.map.node(id).args.clone();
        let (matrix, x) = (args[0], args[1]);
        let node = self.value(matrix)?;
        let rank = self.b().ty(node).rank();
        let shape = self.b().shape(node).to_vec();
        let n = shape[rank - 1];
        // The operation reads the lower triangle only.
        let lower: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n >= i % n))).collect();
        let lower = self.b().literal(DType::Real, &[n, n], &lower);
        let lower = self.b().broadcast(lower, &shape, &[rank - 2, rank - 1]);
        let node = self.b().mul(node, lower);
        let lead: Vec<u8> = (0..rank as u8 - 2).collect();
        let [row, inner, column] = [rank as u8, rank as u8 + 1, rank as u8 + 2];
        let labels = |last: [u8; 2]| [&lead[..], &last].concat();
        let of_matrix = if transpose { labels([inner, row]) } else { labels([row, inner]) };
        let value = if self.is_given() {
            None
        } else {
            let y = self.value(id)?;
            Some(self.b().contract(node, y, &of_matrix, &labels([inner, column]), &labels([row, column])))
        };
        self.establish(x, value)?;
        let log = self.log_diagonal(node);
        let log = self.b().neg(log);
        self.spread_slope(id, log, &labels([row, column])[..rank - 1], &labels([row, column]))?;
        Ok(true)
    }
}

/// The labels of a product with one summed label and one row in its place.
fn square(matrix: &[u8], x: &[u8], out: &[u8]) -> Option<Labels> {
    let summed: Vec<u8> = matrix.iter().copied().filter(|label| x.contains(label) && !out.contains(label)).collect();
    let rows: Vec<u8> = matrix.iter().copied().filter(|label| !x.contains(label)).collect();
    let lost = x.iter().any(|label| !out.contains(label) && !summed.contains(label));
    match (&summed[..], &rows[..], lost) {
        ([column], [row], false) => Some(Labels { matrix: matrix.to_vec(), x: x.to_vec(), out: out.to_vec(), row: *row, column: *column }),
        _ => None,
    }
}

/// Where each row of a permutation matrix has its one.
fn permutation(n: usize, entry: impl Fn(usize, usize) -> f64) -> Option<Vec<usize>> {
    let mut order = vec![];
    for i in 0..n {
        let ones: Vec<usize> = (0..n).filter(|&j| entry(i, j) != 0.0).collect();
        match ones[..] {
            [j] if entry(i, j) == 1.0 && !order.contains(&j) => order.push(j),
            _ => return None,
        }
    }
    Some(order)
}
