//! `require(condition, "text {}", value)`: an error while compiling where all is constant, otherwise outputs of the program that whoever
//! runs it looks at.

use super::lowering::{Lowering, union};
use super::value::Array;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::Require;
use crate::graph::{Builder, Graph, NodeId, Op, interpret};

/// A condition that a run must meet. Its outputs follow all others of a program, those of one requirement after those of another.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// What stands around the numbers
    text: Vec<String>,
    span: Span,
    calls: Vec<(Span, String)>,
}

/// A requirement with the nodes of its outputs, in the root graph.
#[derive(Clone)]
pub(super) struct Required {
    pub requirement: Requirement,
    pub outputs: Vec<Array>,
}

impl Requirement {
    /// The condition and the numbers of its text.
    pub fn outputs(&self) -> usize {
        self.text.len()
    }

    /// What is wrong, with these numbers. What stands behind a semicolon is the help.
    pub fn failed(&self, numbers: &[f64]) -> Diagnostic {
        let mut text = self.text[0].clone();
        for (number, rest) in numbers.iter().zip(&self.text[1..]) {
            text += &short(*number);
            text += rest;
        }
        let (message, help) = text.split_once("; ").map_or((text.as_str(), None), |(message, help)| (message, Some(help)));
        let mut diagnostic = Diagnostic::new(Code::Required, message).label(self.span, "required here");
        diagnostic.help = help.map(str::to_owned);
        diagnostic.chain = self.calls.clone();
        diagnostic
    }
}

/// With six digits at most.
fn short(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number}")
    } else if (1e-3..1e7).contains(&number.abs()) {
        let digits = (5 - number.abs().log10().floor() as i32).max(0) as usize;
        format!("{number:.digits$}").trim_end_matches('0').to_owned()
    } else {
        format!("{number:.4e}")
    }
}

impl Lowering<'_> {
    pub(super) fn require(&mut self, require: &Require, span: Span) -> Result<()> {
        let requirement = Requirement { text: require.text.clone(), span, calls: self.calls.clone() };
        let mut values = vec![self.eval_array(&require.condition)?];
        for value in &require.values {
            values.push(self.eval_array(value)?);
        }
        let plates = union(values.iter().map(|value| &value.plates[..]));
        let outputs: Vec<Array> = values.iter().map(|value| self.expanded(value, &plates)).collect();
        let nodes: Vec<NodeId> = outputs.iter().map(|output| self.node(output)).collect();
        if let Some(known) = constants(self.b().graph(), &nodes)? {
            return match failure(&known) {
                Some(numbers) => Err(requirement.failed(&numbers)),
                None => Ok(()),
            };
        }
        if outputs.iter().any(|output| output.frame != 0) {
            let problem = Diagnostic::unsupported("`require` inside a loop, of what is known only when the program runs").at(span);
            return Err(problem.help("carry what is needed out of the loop, and require it there"));
        }
        self.required.push(Required { requirement, outputs });
        Ok(())
    }
}

/// The numbers beside the first condition that does not hold; of each output the elements, the condition's first.
pub fn failure(outputs: &[Vec<f64>]) -> Option<Vec<f64>> {
    let (condition, numbers) = outputs.split_first()?;
    let cell = condition.iter().position(|holds| *holds == 0.0)?;
    Some(numbers.iter().map(|values| values.get(cell).copied().unwrap_or(f64::NAN)).collect())
}

/// The values of nodes that depend on no input of the graph.
fn constants(graph: &Graph, nodes: &[NodeId]) -> Result<Option<Vec<Vec<f64>>>> {
    let mut needed = vec![false; graph.nodes.len()];
    nodes.iter().for_each(|node| needed[node.index()] = true);
    for id in graph.ids().rev() {
        if needed[id.index()] {
            graph.node(id).args.iter().for_each(|arg| needed[arg.index()] = true);
        }
    }
    let mut b = Builder::new();
    let mut copies = vec![None; graph.nodes.len()];
    for id in graph.ids().filter(|id| needed[id.index()]) {
        let node = graph.node(id);
        if matches!(node.op, Op::Input(_)) {
            return Ok(None);
        }
        let args: Vec<NodeId> = node.args.iter().filter_map(|arg| copies[arg.index()]).collect();
        copies[id.index()] = Some(b.push(node.op.clone(), &args));
    }
    let outputs: Vec<NodeId> = nodes.iter().filter_map(|node| copies[node.index()]).collect();
    let outputs: Vec<NodeId> = outputs.into_iter().map(|node| b.cast(node, DType::Real)).collect();
    let values = interpret::interpret(&b.finish(&outputs)?, &[]);
    Ok(Some(values.into_iter().map(|value| value.elements.to_vec()).collect()))
}
