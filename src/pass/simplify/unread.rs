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
    let whole = |id: NodeId| Window { start: vec![0; graph.ty(id).rank()], stop: graph.ty(id).shape.clone() };
    let mut add = |id: NodeId, part: Window| match &mut read[id.index()] {
        Some(window) => {
            window.start.iter_mut().zip(part.start).for_each(|(from, start)| *from = start.min(*from));
            window.stop.iter_mut().zip(part.stop).for_each(|(to, stop)| *to = stop.max(*to));
        }
        unread => *unread = Some(part),
    };
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = graph.node(id);
        match &node.op {
            Op::Slice { start, stop } => add(node.args[0], Window { start: start.clone(), stop: stop.clone() }),
            _ => node.args.iter().for_each(|&arg| add(arg, whole(arg))),
        }
    }
    graph.outputs.iter().for_each(|&output| add(output, whole(output)));
    let is_part = |id: NodeId, window: &Window| {
        let lengths = || window.start.iter().zip(&window.stop).map(|(start, stop)| stop - start);
        matches!(graph.node(id).op, Op::Contract { .. }) && !lengths().eq(graph.ty(id).shape.iter().copied())
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
