//! The order of axes of products that are reduced right away. Over an axis that is short and innermost, the lanes of vectors would
//! have to be reduced among themselves, row by row; with another axis innermost, whole vectors are.

use super::simplify::sweep;
use crate::base::Diagnostic;
use crate::graph::{Builder, Graph, NodeId, Op};
use std::collections::HashMap;

/// Reduced axes up to that length count as short.
const SHORT: usize = 64;
/// An axis of that length fills the lanes of a vector.
const LANES: usize = 16;

/// Exchanges the two innermost axes of contractions of which nothing is read but a reduction over the last one.
pub fn across_lanes(graph: Graph) -> Result<Graph, Diagnostic> {
    let uses = uses(&graph);
    let cones: HashMap<NodeId, Cone> = graph.ids().filter_map(|id| Some((id, Cone::of_reduction(&graph, &uses, id)?))).collect();
    if cones.is_empty() {
        return Ok(graph);
    }
    let exchanged: HashMap<NodeId, Pair> = cones.values().flat_map(|cone| &cone.nodes).map(|(id, pair)| (*id, *pair)).collect();
    let mut b = Builder::new();
    let inputs: Vec<NodeId> = graph.inputs.iter().map(|input| b.input(input.name.clone(), input.ty.clone())).collect();
    let mut forms: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let node = graph.node(id);
        b.span = node.span;
        let mut operand = |number: usize, pair: Pair| {
            let (arg, form) = (node.args[number], forms[node.args[number].index()]);
            if exchanged.contains_key(&arg) { form } else { pair.transposed(&mut b, form) }
        };
        let form = match (&node.op, exchanged.get(&id), cones.get(&id)) {
            (Op::Input(number), ..) => inputs[*number],
            (Op::Contract { a, b: of_y, out }, Some(pair), _) => {
                let [x, y] = [0, 1].map(|number| forms[node.args[number].index()]);
                b.contract(x, y, a, of_y, &pair.exchanged(out))
            }
            // A transposition moves places, whatever stands in them
            (op, Some(pair), _) => {
                let inner = pair.of_operand(op);
                let args: Vec<NodeId> = (0..node.args.len()).map(|number| operand(number, inner)).collect();
                b.push(op.clone(), &args)
            }
            (Op::Reduce { op, .. }, None, Some(cone)) => {
                let arg = operand(0, cone.pair);
                b.reduce(*op, arg, &[cone.pair.lanes])
            }
            (op, ..) => {
                let args: Vec<NodeId> = node.args.iter().map(|arg| forms[arg.index()]).collect();
                b.push(op.clone(), &args)
            }
        };
        // What is left of a reduction keeps its order, but where the lanes went one place behind
        let form = cones.get(&id).map_or(form, |cone| cone.restored(&mut b, form));
        forms.push(form);
    }
    let outputs: Vec<NodeId> = graph.outputs.iter().map(|output| forms[output.index()]).collect();
    Ok(sweep(&b.finish(&outputs)?))
}

/// Two axes of a node that change places.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pair {
    lanes: usize,
    reduced: usize,
}

impl Pair {
    fn exchanged<T: Clone>(self, of: &[T]) -> Vec<T> {
        let mut list = of.to_vec();
        list.swap(self.lanes, self.reduced);
        list
    }

    /// A node with its axes exchanged; what is repeated is moved before it is repeated.
    fn transposed(self, b: &mut Builder, x: NodeId) -> NodeId {
        let shape = b.shape(x).to_vec();
        let node = b.graph().node(x);
        let Op::Broadcast { axes, .. } = &node.op else { return b.transpose(x, &self.exchanged(&(0..shape.len()).collect::<Vec<_>>())) };
        let (inner, places) = (node.args[0], axes.iter().map(|&axis| self.other(axis)).collect::<Vec<_>>());
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|&i| places[i]);
        let moved = if order.is_sorted() { inner } else { b.transpose(inner, &order) };
        b.broadcast(moved, &self.exchanged(&shape), &order.iter().map(|&i| places[i]).collect::<Vec<_>>())
    }

    /// Where an axis goes.
    fn other(self, axis: usize) -> usize {
        if axis == self.lanes {
            self.reduced
        } else if axis == self.reduced {
            self.lanes
        } else {
            axis
        }
    }

    /// Where the two axes stand in the operand of a node.
    fn of_operand(self, op: &Op) -> Pair {
        match op {
            Op::Transpose(perm) => Pair { lanes: perm[self.lanes], reduced: perm[self.reduced] },
            _ => self,
        }
    }
}

fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.nodes.len()];
    graph.nodes.iter().flat_map(|node| &node.args).chain(&graph.outputs).for_each(|id| uses[id.index()] += 1);
    uses
}

/// What a reduction is computed from, element by element, from contractions on: the nodes whose axes change places.
struct Cone {
    /// In the operand of the reduction
    pair: Pair,
    nodes: HashMap<NodeId, Pair>,
}

impl Cone {
    /// Where the reduction is over the innermost axis of contractions that nothing else reads.
    fn of_reduction(graph: &Graph, uses: &[usize], id: NodeId) -> Option<Cone> {
        let node = graph.node(id);
        let Op::Reduce { axes, .. } = &node.op else { return None };
        let [reduced] = axes[..] else { return None };
        let shape = &graph.ty(node.args[0]).shape;
        if !(2..=SHORT).contains(&shape[reduced]) {
            return None;
        }
        let pairs = (0..shape.len()).filter(|&lanes| lanes != reduced && shape[lanes] >= LANES).map(|lanes| Pair { lanes, reduced });
        pairs.into_iter().find_map(|pair| {
            let mut cone = Cone { pair, nodes: HashMap::new() };
            (cone.add(graph, node.args[0], pair) && cone.is_closed(graph, uses, node.args[0])).then_some(cone)
        })
    }

    /// Whether a node can be exchanged, with what it is computed from.
    fn add(&mut self, graph: &Graph, id: NodeId, pair: Pair) -> bool {
        if let Some(known) = self.nodes.get(&id) {
            return *known == pair;
        }
        let node = graph.node(id);
        match &node.op {
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast(_) | Op::Transpose(_) => {
                self.nodes.insert(id, pair);
                node.args.iter().all(|&arg| self.add(graph, arg, pair.of_operand(&node.op)))
            }
            Op::Contract { a, b, out } => {
                self.nodes.insert(id, pair);
                // Rows of the one operand by all columns of the other
                let last = [out[pair.lanes], out[pair.reduced]];
                let columns = |own: &[u8], other: &[u8]| last.iter().all(|label| own.contains(label) && !other.contains(label));
                pair.reduced + 1 == out.len() && pair.lanes + 2 == out.len() && (columns(a, b) || columns(b, a))
            }
            // Moved where it is read, at no cost
            Op::Broadcast { .. } | Op::Fill { .. } => true,
            _ => false,
        }
    }

    /// Whether nothing but the reduction reads what is exchanged, and a contraction is among it.
    fn is_closed(&self, graph: &Graph, uses: &[usize], operand: NodeId) -> bool {
        let read = |id: &NodeId| self.nodes.keys().flat_map(|user| &graph.node(*user).args).filter(|arg| *arg == id).count();
        let own = |id: &NodeId| read(id) + usize::from(*id == operand) == uses[id.index()];
        self.nodes.keys().any(|id| matches!(graph.node(*id).op, Op::Contract { .. })) && self.nodes.keys().all(own)
    }

    /// The result of the reduction with its axes in their old order: the axis of lanes stands where the reduced one stood.
    fn restored(&self, b: &mut Builder, result: NodeId) -> NodeId {
        let Pair { lanes, reduced } = self.pair;
        let rank = b.shape(result).len() + 1;
        // Axes of the exchanged operand that are left, by what they were before
        let mut now: Vec<usize> = self.pair.exchanged(&(0..rank).collect::<Vec<_>>());
        now.remove(lanes);
        let before: Vec<usize> = (0..rank).filter(|&axis| axis != reduced).collect();
        let order: Vec<usize> = before.iter().filter_map(|axis| now.iter().position(|other| other == axis)).collect();
        if order.iter().copied().eq(0..order.len()) { result } else { b.transpose(result, &order) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{parse, print};

    fn optimised(text: &str) -> String {
        let graph = parse(text).unwrap_or_else(|error| panic!("{}", error.message));
        print(&across_lanes(graph).unwrap_or_else(|error| panic!("{}", error.message)))
    }

    const SQUARES: &str = "input x : Real[400, 3]\ninput w : Real[20, 5, 3]\n%0 = input 0 : Real[400, 3]\n%1 = input 1 : Real[20, 5, 3]\n\
                           %2 = contract nd,kjd->nkj %0 %1 : Real[400, 20, 5]\n%3 = mul %2 %2 : Real[400, 20, 5]\n\
                           %4 = reduce sum axes=[2] %3 : Real[400, 20]\n";

    #[test]
    fn the_reduced_axis_is_not_the_innermost() {
        let text = optimised(&format!("{SQUARES}output %4"));
        assert!(text.contains("Real[400, 5, 20]") && text.contains("reduce sum axes=[1]"), "{text}");
    }

    #[test]
    fn what_others_read_stays() {
        let text = optimised(&format!("{SQUARES}output %4 %2"));
        assert!(text.contains("reduce sum axes=[2]"), "{text}");
    }
}
