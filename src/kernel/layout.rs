//! The order in which the axes of operands and results of contractions lie in memory.
//!
//! A contraction is one matrix product only where the axes of its rows, those of its columns and those that are summed each are walked
//! as one axis by both arrays that have them; else it falls apart into many small products. A result is written in the order that its
//! maker and its readers wish for, and others see it through a transposition, which index maps absorb. Any other operand is copied, if
//! it takes part in so many multiplications that this is cheap.

use super::fuse::is_elementwise;
use crate::graph::{Graph, Node, NodeId, Op, TensorType};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

/// Multiplications for each element of an operand that are worth a copy of it, and of one that a loop makes for contractions alone,
/// which costs no copy.
const WORTH: usize = 128;
const WORTH_MAKING: usize = 8;
/// Arrays with more axes stay as they are: they have too many orders.
const AXES: usize = 6;

/// Axes of an array that a contraction would walk as one, outermost first.
struct Wish {
    axes: Vec<usize>,
    /// They are those of rows or columns, not of terms of the sum
    kept: bool,
    /// Multiplications of the contraction
    weight: usize,
}

type Wishes = BTreeMap<NodeId, Vec<Wish>>;

/// A graph whose operands and results of contractions lie in the order of their axes, and the copies of operands, which must be stored.
pub struct Laid {
    pub graph: Graph,
    pub copies: HashSet<NodeId>,
}

/// The same function, where another layout makes fewer products of its contractions.
pub fn laid_out(graph: &Graph) -> Option<Laid> {
    let orders = orders(graph);
    if orders.is_empty() { None } else { Some(reordered(graph, &orders)) }
}

/// The arrays that are to lie in another order of their axes, and these, outermost first.
fn orders(graph: &Graph) -> BTreeMap<NodeId, Vec<usize>> {
    let mut wishes = Wishes::new();
    let mut seen: HashSet<NodeId> = graph.outputs.iter().copied().collect();
    for id in graph.ids() {
        match &graph.node(id).op {
            Op::Contract { a, b, out } => add_wishes(graph, id, [a, b, out], &mut wishes),
            _ => seen.extend(&graph.node(id).args),
        }
    }
    let order = |(id, wishes): (NodeId, Vec<Wish>)| {
        let Node { op, ty, .. } = graph.node(id);
        let made = matches!(op, Op::Contract { .. });
        let preference = match (made, seen.contains(&id)) {
            (false, _) => Preference::Lanes,
            (true, true) => Preference::Loops,
            (true, false) => Preference::Rows,
        };
        let order = best_order(ty, &wishes, preference)?;
        let worth = if is_elementwise(op) && !seen.contains(&id) { WORTH_MAKING } else { WORTH };
        (made || fulfilled(ty, &order, &wishes) >= worth * ty.len()).then_some((id, order))
    };
    wishes.into_iter().filter_map(order).collect()
}

/// What a contraction wishes of its operands and of its result.
fn add_wishes(graph: &Graph, id: NodeId, [a, b, out]: [&[u8]; 3], wishes: &mut Wishes) {
    let Node { args, ty, .. } = graph.node(id);
    let [x, y] = [args[0], args[1]].map(|arg| &graph.ty(arg).shape);
    let summed = a.iter().zip(x).filter(|(label, _)| !out.contains(label));
    let weight = ty.len() * summed.map(|(_, size)| size).product::<usize>();
    let long = |labels: &[u8], shape: &[usize]| -> Vec<(u8, usize)> {
        let axes = labels.iter().copied().zip(0..).filter(|&(_, axis)| shape[axis] > 1);
        axes.collect()
    };
    let arrays = [(args[0], long(a, x)), (args[1], long(b, y)), (id, long(out, &ty.shape))];
    for (first, second, other) in [(0, 2, b), (1, 2, a), (0, 1, out)] {
        let kept = second == 2;
        let mut pair = [&arrays[first], &arrays[second]];
        pair.sort_by_key(|(id, _)| Reverse(graph.ty(*id).len()));
        // In the order of the larger one
        let shared = |label: &u8| pair[1].1.iter().any(|(other, _)| other == label) && !other.contains(label);
        let group: Vec<u8> = pair[0].1.iter().map(|(label, _)| *label).filter(shared).collect();
        for (id, axes) in pair.into_iter().filter(|_| group.len() > 1) {
            let axis = |label: &u8| axes.iter().find(|(other, _)| other == label).map(|(_, axis)| *axis);
            wishes.entry(*id).or_default().push(Wish { axes: group.iter().filter_map(axis).collect(), kept, weight });
        }
    }
}

/// Multiplications of the contractions whose wishes an order fulfils.
fn fulfilled(ty: &TensorType, order: &[usize], wishes: &[Wish]) -> usize {
    let long: Vec<usize> = order.iter().copied().filter(|&axis| ty.shape[axis] > 1).collect();
    let holds = |wish: &&Wish| long.windows(wish.axes.len()).any(|axes| axes == wish.axes);
    wishes.iter().filter(holds).map(|wish| wish.weight).sum()
}

/// Which of the orders that fulfil as much.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Preference {
    /// That in which lanes of a product run along memory: rows or columns last
    Lanes,
    /// That of others who read the array in loops, its last axis last
    Loops,
    /// The first axis first: what is computed for different rows should lie apart
    Rows,
}

/// The order that fulfils the most, if it is more than the usual one does.
fn best_order(ty: &TensorType, wishes: &[Wish], preference: Preference) -> Option<Vec<usize>> {
    let usual: Vec<usize> = (0..ty.rank()).collect();
    let so_far = fulfilled(ty, &usual, wishes);
    if ty.rank() > AXES || so_far == wishes.iter().map(|wish| wish.weight).sum::<usize>() {
        return None;
    }
    let kept_last = |order: &[usize]| wishes.iter().any(|wish| wish.kept && order.ends_with(&wish.axes));
    let preferred = |order: &[usize]| match preference {
        Preference::Lanes => kept_last(order),
        Preference::Loops => order.last() == usual.last(),
        Preference::Rows => false,
    };
    let value = |order: &Vec<usize>| (fulfilled(ty, order, wishes), preferred(order), order[0] == 0);
    let best = permutations(ty.rank()).into_iter().rev().max_by_key(value)?;
    (fulfilled(ty, &best, wishes) > so_far).then_some(best)
}

/// All orders of so many things, sorted.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for _ in 0..count {
        let longer = |order: &Vec<usize>| {
            let next = (0..count).filter(|next| !order.contains(next));
            next.map(|next| order.iter().copied().chain([next]).collect()).collect::<Vec<Vec<usize>>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// Lays the arrays out in those orders.
fn reordered(graph: &Graph, orders: &BTreeMap<NodeId, Vec<usize>>) -> Laid {
    let mut laid = Laid { graph: Graph { inputs: graph.inputs.clone(), ..Graph::default() }, copies: HashSet::new() };
    // Where each node went: as contractions read it, and as all others do
    let mut places: Vec<[NodeId; 2]> = vec![];
    for id in graph.ids() {
        let mut node = graph.node(id).clone();
        let whose = usize::from(!matches!(node.op, Op::Contract { .. }));
        if let Op::Contract { a, b, .. } = &mut node.op {
            for (labels, arg) in [a, b].into_iter().zip(&node.args) {
                orders.get(arg).into_iter().for_each(|order| *labels = permuted(labels, order));
            }
        }
        node.args.iter_mut().for_each(|arg| *arg = places[arg.index()][whose]);
        let place = match (orders.get(&id), &mut node.op) {
            (Some(order), Op::Contract { out, .. }) => {
                *out = permuted(out, order);
                let ty = std::mem::replace(&mut node.ty.shape, permuted(&graph.ty(id).shape, order));
                let back = (0..order.len()).filter_map(|axis| order.iter().position(|&other| other == axis)).collect();
                let (span, made) = (node.span, laid.push(node));
                let seen =
                    Node { op: Op::Transpose(back), args: vec![made], ty: TensorType::new(graph.ty(id).dtype, ty), span, results: vec![] };
                [made, laid.push(seen)]
            }
            (Some(order), _) => {
                let ty = TensorType::new(node.ty.dtype, permuted(&node.ty.shape, order));
                let (span, read) = (node.span, laid.push(node));
                let copy = laid.push(Node { op: Op::Transpose(order.clone()), args: vec![read], ty, span, results: vec![] });
                laid.copies.insert(copy);
                [copy, read]
            }
            (None, _) => [laid.push(node); 2],
        };
        places.push(place);
    }
    laid.graph.outputs = graph.outputs.iter().map(|output| places[output.index()][1]).collect();
    laid
}

impl Laid {
    fn push(&mut self, node: Node) -> NodeId {
        self.graph.nodes.push(node);
        NodeId((self.graph.nodes.len() - 1) as u32)
    }
}

fn permuted<T: Copy>(of: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&axis| of[axis]).collect()
}
