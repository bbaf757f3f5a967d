//! A loop over the steps of a segment whose body sees one step at a time.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::part::Steps;
use crate::base::diagnostic::Result;
use crate::graph::{NodeId, TensorType};

/// What the body of a loop sees.
pub(in crate::algebra) struct Inside {
    /// 0, 1, …
    pub number: Array,
    pub carries: Vec<Array>,
    pub inputs: Vec<Array>,
}

/// What one turn makes: the new carries, and what is kept of every step.
pub(in crate::algebra) struct Turn {
    pub carries: Vec<Array>,
    pub kept: Vec<Array>,
}

impl Lowering<'_> {
    /// Runs `body` over all steps. It sees the carries and the inputs of one step; inputs that do not vary over the steps are constants
    /// of the loop. Carries keep their plates and shapes. What is kept varies over the steps in the result.
    pub(in crate::algebra) fn over_steps(
        &mut self,
        steps: Steps,
        carries: &[Array],
        inputs: &[Array],
        body: impl FnOnce(&mut Self, Inside) -> Result<Turn>,
    ) -> Result<Turn> {
        let length = self.sizes(&[steps.plate])[0];
        let start: Vec<NodeId> = carries.iter().map(|carry| self.node(carry)).collect();
        let sequences: Vec<Option<NodeId>> =
            inputs.iter().map(|input| input.varies_over(steps.plate).then(|| self.steps_first(input, steps))).collect();
        let types: Vec<TensorType> = start.iter().map(|&node| self.b().ty(node).clone()).collect();
        let elements: Vec<Option<TensorType>> = sequences.iter().map(|node| node.map(|node| self.element_type(node))).collect();

        self.frames.enter();
        let number = self.b().input("turn", TensorType::int([]));
        let outer = self.turn.clone();
        let mut inside = vec![];
        for (carry, ty) in carries.iter().zip(types) {
            let node = self.b().input("carry", ty);
            inside.push(self.array(node, carry.plates.clone()));
        }
        let mut here = vec![];
        for (input, element) in inputs.iter().zip(elements) {
            here.push(match element {
                Some(ty) => {
                    let node = self.b().input("step", ty);
                    self.array(node, input.plates.iter().copied().filter(|&p| p != steps.plate).collect())
                }
                None => input.clone(),
            });
        }
        self.enter_turn(number);
        let number = self.array(number, vec![]);
        let turn = body(self, Inside { number, carries: inside, inputs: here });
        self.turn = outer;
        let turn = turn?;
        let mut outputs = vec![];
        for (new, old) in turn.carries.iter().zip(carries) {
            let shape = self.shape(old);
            outputs.push(self.expand(new, &old.plates, &shape));
        }
        for kept in &turn.kept {
            outputs.push(self.node(kept));
        }
        let closed = self.frames.leave(&outputs)?;
        let sequences: Vec<NodeId> = sequences.into_iter().flatten().collect();
        let results = self.b().scan(closed.graph, &start, &sequences, &closed.constants, length, false);
        let (last, stacked) = results.split_at(carries.len());
        let carries = last.iter().zip(carries).map(|(&node, old)| self.array(node, old.plates.clone())).collect();
        let kept = stacked.iter().zip(&turn.kept).map(|(&node, kept)| self.sorted(node, [&[steps.plate], &kept.plates[..]].concat()));
        Ok(Turn { carries, kept: kept.collect() })
    }

    /// The node with the axis of the steps first.
    fn steps_first(&mut self, x: &Array, steps: Steps) -> NodeId {
        let at = x.plates.iter().position(|&p| p == steps.plate).unwrap_or(0);
        let node = self.node(x);
        let rank = self.b().ty(node).rank();
        let perm: Vec<usize> = std::iter::once(at).chain((0..rank).filter(|&axis| axis != at)).collect();
        self.b().transpose(node, &perm)
    }

    fn element_type(&mut self, sequence: NodeId) -> TensorType {
        let ty = self.b().ty(sequence).clone();
        TensorType::new(ty.dtype, &ty.shape[1..])
    }
}
