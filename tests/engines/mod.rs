//! Everything that runs graphs, for tests that hold for all of them. The interpreter is the definition.

use tilde_lang::graph::{Graph, Value, interpret};

pub struct Engine {
    pub name: &'static str,
    /// Largest error relative to the expected element
    pub relative: f64,
    /// Largest error where the expected element is small
    pub absolute: f64,
    pub run: fn(&Graph, &[Value]) -> Vec<Value>,
}

pub const ENGINES: &[Engine] = &[Engine { name: "interpreter", relative: 4e-15, absolute: 0.0, run: interpret }];

impl Engine {
    /// Runs a graph and describes each output that is not as expected.
    pub fn complaints(&self, title: &str, graph: &Graph, inputs: &[Value], expected: &[Value]) -> Vec<String> {
        let found = (self.run)(graph, inputs);
        let mut complaints = vec![];
        if found.len() != expected.len() {
            complaints.push(format!("{}: {title}: {} outputs, not {}", self.name, found.len(), expected.len()));
        }
        for (id, (found, expected)) in graph.outputs.iter().zip(found.iter().zip(expected)) {
            let pairs = found.elements.iter().zip(expected.elements.iter());
            if found.ty != expected.ty || !pairs.into_iter().all(|(&found, &expected)| self.agrees(found, expected)) {
                let op = tilde_lang::graph::print::op_name(&graph.node(*id).op);
                let (found, expected) = (&found.elements, &expected.elements);
                complaints.push(format!("{}: {title}, {id:?} = {op}:\n found {found:?}\n not   {expected:?}\n", self.name));
            }
        }
        complaints
    }

    fn agrees(&self, found: f64, expected: f64) -> bool {
        let bound = (self.relative * expected.abs()).max(self.absolute);
        found == expected || (found.is_nan() && expected.is_nan()) || (found - expected).abs() <= bound
    }
}
