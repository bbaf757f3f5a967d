//! Graph -> text, read back by [`parse`](super::parse()).
//!
//! ```text
//! input x : Real[4]
//! %0 = input 0 : Real[4]
//! %1 = fill 0.5 : Real[4]
//! %2 = add %0 %1 : Real[4]
//! %3 = reduce sum axes=[0] %2 : Real
//! output %3
//! ```
//!
//! What the result type says is not repeated: the shapes of `fill`, `broadcast`, `reshape`, …, the element type of `cast`.
//! Sub-graphs follow their node, indented, each under its role. Spans are not written.

use super::{Graph, Node, Op};
use crate::base::op::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use std::fmt::{Debug, Write};

/// The whole graph.
pub fn print(graph: &Graph) -> String {
    Printer { text: String::new(), longest: usize::MAX }.print(graph)
}

/// For people: long literals show their first values only, and cannot be read back.
pub fn print_brief(graph: &Graph) -> String {
    Printer { text: String::new(), longest: 8 }.print(graph)
}

/// The word for an operation: `add`, `log_gamma`, `reduce max`, `scatter_add`.
pub fn op_name(op: &Op) -> String {
    match op {
        Op::Unary(op) => snake_case(op),
        Op::Binary(op) => snake_case(op),
        Op::Compare(op) => snake_case(op),
        Op::Reduce { op, .. } => format!("reduce {}", snake_case(op)),
        Op::Random { kind, .. } => format!("random {}", snake_case(kind)),
        op => snake_case(op),
    }
}

/// The words of all operations: what tests walk.
pub fn op_names() -> Vec<String> {
    let unary = UnaryOp::ALL.iter().map(snake_case);
    let binary = BinaryOp::ALL.iter().map(snake_case);
    let compare = CompareOp::ALL.iter().map(snake_case);
    let reduce = ReduceOp::ALL.iter().map(|op| format!("reduce {}", snake_case(op)));
    let others = [
        &["input", "fill", "literal", "iota", "select", "cast", "broadcast", "reshape", "transpose", "slice", "pad", "join"][..],
        &["reverse", "cum_sum", "sort", "arg_sort", "arg_max", "contract", "gather", "scatter_add", "random uniform"],
        &["random normal", "cholesky", "triangular_solve", "symmetric_eigen", "scan", "while", "cond", "project", "stop"],
    ];
    unary.chain(binary).chain(compare).chain(reduce).chain(others.concat().into_iter().map(String::from)).collect()
}

/// The name of a variant in lower case, with an underscore between words.
pub(super) fn snake_case(variant: &impl Debug) -> String {
    let name = format!("{variant:?}");
    let mut text = String::new();
    for c in name.chars().take_while(|c| c.is_alphanumeric()) {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

impl Graph {
    /// How many nodes, those of sub-graphs included, apply the operation of that name, as [`op_name`] writes it.
    pub fn count(&self, name: &str) -> usize {
        let nodes = self.nodes.iter().filter(|node| op_name(&node.op) == name).count();
        let inner = self.nodes.iter().flat_map(|node| node.op.subgraphs()).map(|(_, graph)| graph.count(name));
        nodes + inner.sum::<usize>()
    }
}

struct Printer {
    text: String,
    /// Longer literals are abbreviated
    longest: usize,
}

impl Printer {
    fn print(mut self, graph: &Graph) -> String {
        self.graph(graph, 0);
        self.text
    }

    fn graph(&mut self, graph: &Graph, depth: usize) {
        for input in &graph.inputs {
            self.line(depth, &format!("input {} : {}", input.name, input.ty));
        }
        for id in graph.ids() {
            let node = graph.node(id);
            let args: String = node.args.iter().map(|arg| format!(" {arg:?}")).collect();
            let types: Vec<String> = if node.op.is_control() { &node.results[..] } else { std::slice::from_ref(&node.ty) }
                .iter()
                .map(ToString::to_string)
                .collect();
            let (name, attributes, types) = (op_name(&node.op), self.attributes(node), types.join(", "));
            self.line(depth, format!("{id:?} = {name}{attributes}{args} : {types}").trim_end());
            for (role, subgraph) in node.op.subgraphs() {
                self.line(depth + 1, &format!("{role} {{"));
                self.graph(subgraph, depth + 2);
                self.line(depth + 1, "}");
            }
        }
        let outputs: String = graph.outputs.iter().map(|output| format!(" {output:?}")).collect();
        self.line(depth, &format!("output{outputs}"));
    }

    fn line(&mut self, depth: usize, line: &str) {
        self.text.push_str(&"  ".repeat(depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// What the name and the types do not say, with a space before each word.
    fn attributes(&self, node: &Node) -> String {
        match &node.op {
            Op::Input(number) | Op::Project(number) => format!(" {number}"),
            Op::Fill { bits, .. } => format!(" {}", number(f64::from_bits(*bits))),
            Op::Literal(literal) => format!(" {}", self.values(&literal.values)),
            Op::Broadcast { axes, .. } | Op::Reduce { axes, .. } | Op::Reverse { axes } => format!(" axes={axes:?}"),
            Op::Transpose(perm) => format!(" perm={perm:?}"),
            Op::Slice { start, stop } => format!(" start={start:?} stop={stop:?}"),
            Op::Pad { before, after } => format!(" before={before:?} after={after:?}"),
            Op::Join { axis } | Op::Sort { axis } | Op::ArgSort { axis } | Op::ArgMax { axis } => format!(" axis={axis}"),
            Op::CumSum { axis, reverse } => format!(" axis={axis} reverse={reverse}"),
            Op::Contract { a, b, out } => format!(" {},{}->{}", labels(a), labels(b), labels(out)),
            Op::Gather { batch } | Op::ScatterAdd { batch, .. } => format!(" batch={batch}"),
            Op::Random { site, .. } => format!(" site={site}"),
            Op::TriangularSolve { transpose } => format!(" transpose={transpose}"),
            Op::Scan { carries, sequences, length, reverse, .. } => {
                format!(" carries={carries} sequences={sequences} length={length} reverse={reverse}")
            }
            Op::While { carries, .. } => format!(" carries={carries}"),
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast(_) | Op::Iota(_) | Op::Reshape(_) => String::new(),
            Op::Cholesky | Op::SymmetricEigen | Op::Assignment | Op::Cond { .. } | Op::Stop => String::new(),
        }
    }

    fn values(&self, values: &[f64]) -> String {
        let mut text = String::from("[");
        for (i, &value) in values.iter().enumerate().take(self.longest) {
            let comma = if i == 0 { "" } else { ", " };
            text.push_str(comma);
            text.push_str(&number(value));
        }
        if values.len() > self.longest {
            // Writing to a string cannot fail
            let _ = write!(text, ", … {} values", values.len());
        }
        text + "]"
    }
}

/// The shortest text that reads back to the same number.
fn number(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map(str::to_string).unwrap_or(text)
}

/// Labels 0 to 51 as letters, others in braces.
fn labels(labels: &[u8]) -> String {
    let letter = |&label: &u8| match label {
        0..26 => char::from(b'a' + label).to_string(),
        26..52 => char::from(b'A' + label - 26).to_string(),
        52.. => format!("{{{label}}}"),
    };
    labels.iter().map(letter).collect()
}
