//! Of a contraction that is read through slices alone, what none of them reads is not computed. The derivative with respect to a part of
//! what a network is given is such a slice.

use crate::graph::{Builder, Graph, NodeId, Op};

/// The bounds along each axis of what is read of an array.
#[derive(Clone)]
pub(super) struct Window {
    start: Vec<usize>,
    stop: Vec<usize>,
}

/// For each node: the part that is read of it, if it is a contraction and that is not all.
pub(super) fn windows(graph: &Graph, live: &[bool]) -> Vec<Option<Window>> {
    let mut read: Vec<Option<Window>> = vec![None; graph.nodes.len()];
    let is_contraction = |id: &NodeId| matches!(graph.node(*id).op, Op::Contract { .. });
    let mut add = |id: NodeId, start: &[usize], stop: &[usize]| match &mut read[id.index()] {
        Some(window) => {
            window.start.iter_mut().zip(start).for_each(|(from, start)| *from = *start.min(from));
            window.stop.iter_mut().zip(stop).for_each(|(to, stop)| *to = *stop.max(to));
        }
        unread => *unread = Some(Window { start: start.to_vec(), stop: stop.to_vec() }),
    };
    for &output in graph.outputs.iter().filter(|output| is_contraction(output)) {
        add(output, &vec![0; graph.ty(output).rank()], &graph.ty(output).shape);
    }
    for node in graph.ids().filter(|id| live[id.index()]).map(|id| graph.node(id)) {
        for &arg in node.args.iter().filter(|arg| is_contraction(arg)) {
            match &node.op {
                Op::Slice { start, stop } => add(arg, start, stop),
                _ => add(arg, &vec![0; graph.ty(arg).rank()], &graph.ty(arg).shape),
            }
        }
    }
    let is_part = |id: NodeId, window: &Window| {
        let lengths = || window.start.iter().zip(&window.stop).map(|(start, stop)| stop - start);
        !lengths().eq(graph.ty(id).shape.iter().copied())
    };
    graph.ids().zip(read).map(|(id, window)| window.filter(|window| is_part(id, window))).collect()
}

/// A contraction of what its window needs of the operands, zero elsewhere.
pub(super) fn narrowed(b: &mut Builder, contraction: NodeId, window: &Window) -> NodeId {
    let node = b.graph().node(contraction).clone();
    let Op::Contract { a, b: of_second, out } = &node.op else { return contraction };
    let [x, y] = [(0, a), (1, of_second)].map(|(operand, labels)| {
        let shape = b.shape(node.args[operand]).to_vec();
        let place = |label: &u8| out.iter().position(|other| other == label);
        let start: Vec<usize> = labels.iter().map(|label| place(label).map_or(0, |i| window.start[i])).collect();
        let stop: Vec<usize> = labels.iter().zip(shape).map(|(label, size)| place(label).map_or(size, |i| window.stop[i])).collect();
        b.slice(node.args[operand], &start, &stop)
    });
    let part = b.contract(x, y, a, of_second, out);
    let after = window.stop.iter().zip(&node.ty.shape).map(|(stop, size)| size - stop).collect();
    b.push(Op::Pad { before: window.start.clone(), after }, &[part])
}
