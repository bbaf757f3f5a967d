//! Loops and branches over random sub-graphs.

use super::Generator;
use crate::base::op::{CompareOp, DType};
use crate::graph::{Graph, NodeId, TensorType};

impl Generator<'_> {
    pub(super) fn control(&mut self) -> NodeId {
        let results = match self.source.below(3) {
            0 => self.scan(),
            1 => self.while_loop(),
            _ => self.cond(),
        };
        let result = self.source.choose(&results);
        self.pool.extend(results);
        result
    }

    /// A carry, a sequence, a constant; the carry and one more value are returned.
    fn scan(&mut self) -> Vec<NodeId> {
        let length = 1 + self.source.below(4);
        let shape = self.shape();
        let sequence_shape = [&[length], &self.shape()[..]].concat();
        let carry = self.of_type(DType::Real, &shape);
        let sequence = self.of_type(DType::Real, &sequence_shape);
        let constant = self.any_real();
        let inputs =
            [TensorType::int([]), TensorType::real(shape), TensorType::real(&sequence_shape[1..]), self.builder.ty(constant).clone()];
        let body = self.body(&inputs, &inputs[1..3]);
        let reverse = self.source.coin();
        self.builder.scan(body, &[carry], &[sequence], &[constant], length, reverse)
    }

    /// A few turns, counted.
    fn while_loop(&mut self) -> Vec<NodeId> {
        let (carry, constant) = (self.any_real(), self.any_real());
        let inputs = [TensorType::int([]), self.builder.ty(carry).clone(), self.builder.ty(constant).clone()];
        let body = self.body(&inputs, &inputs[1..2]);
        let turns = self.source.below(4) as i64;
        let mut condition = Generator::new(self.source, self.depth + 1);
        let turn = condition.input("turn", &inputs[0]);
        inputs[1..].iter().for_each(|ty| {
            condition.input("x", ty);
        });
        let last = condition.builder.int(turns);
        let more = condition.builder.compare(CompareOp::Lt, turn, last);
        let condition = condition.builder.finish(&[more]).expect("a condition is well typed");
        self.builder.while_loop(condition, body, &[carry], &[constant])
    }

    fn cond(&mut self) -> Vec<NodeId> {
        let condition = self.of_type(DType::Bool, &[]);
        let operands = [self.any_real(), self.any(DType::Int)];
        let inputs = operands.map(|id| self.builder.ty(id).clone());
        let outputs = [inputs[0].clone(), TensorType::real(self.shape())];
        let (then, otherwise) = (self.body(&inputs, &outputs), self.body(&inputs, &outputs));
        self.builder.cond(condition, then, otherwise, &operands)
    }

    /// A sub-graph with these types, all outputs `Real`.
    fn body(&mut self, inputs: &[TensorType], outputs: &[TensorType]) -> Graph {
        let mut body = Generator::new(self.source, self.depth + 1);
        for (number, ty) in inputs.iter().enumerate() {
            body.input(&format!("x{number}"), ty);
        }
        (0..4).for_each(|_| body.step());
        let outputs: Vec<NodeId> = outputs.iter().map(|ty| body.output(ty)).collect();
        body.builder.finish(&outputs).expect("random bodies are well typed")
    }

    /// Something that depends on the last steps, of the type.
    fn output(&mut self, ty: &TensorType) -> NodeId {
        let x = self.of_type(DType::Real, &ty.shape);
        let last = self.any_real();
        let axes: Vec<usize> = (0..self.builder.shape(last).len()).collect();
        let last = self.builder.sum(last, &axes);
        let last = self.builder.spread(last, &ty.shape);
        let sum = self.builder.add(x, last);
        self.tame(sum)
    }
}
