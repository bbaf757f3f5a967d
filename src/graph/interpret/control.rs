//! Loops and branches over sub-graphs.

use super::{Lifetimes, Observer, Value, interpret_observed};
use crate::base::op::DType;
use crate::graph::{Graph, TensorType};

/// The turns of a loop of known length.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    pub carries: usize,
    pub sequences: usize,
    pub length: usize,
    pub reverse: bool,
}

/// (carries…, sequences…, constants…) -> (carries…, stacked…)
pub fn scan(body: &Graph, turns: Turns, operands: &[&Value], observer: Observer<'_>) -> Vec<Value> {
    let (carries, rest) = operands.split_at(turns.carries);
    let (sequences, constants) = rest.split_at(turns.sequences);
    let mut carries: Vec<Value> = carries.iter().map(|&carry| carry.clone()).collect();
    let mut stacks: Vec<Vec<Value>> = vec![Vec::with_capacity(turns.length); body.outputs.len() - turns.carries];
    let prepared = Lifetimes::of(body);
    for turn in 0..turns.length {
        let place = if turns.reverse { turns.length - 1 - turn } else { turn };
        let elements = sequences.iter().map(|sequence| element(sequence, place));
        let inputs: Vec<Value> = std::iter::once(Value::scalar(turn as f64, DType::Int))
            .chain(carries)
            .chain(elements)
            .chain(constants.iter().map(|&constant| constant.clone()))
            .collect();
        carries = prepared.interpret(&inputs, &mut *observer);
        let stacked = carries.split_off(turns.carries);
        stacks.iter_mut().zip(stacked).for_each(|(stack, value)| stack.push(value));
    }
    if turns.reverse {
        stacks.iter_mut().for_each(|stack| stack.reverse());
    }
    let types = body.output_types().split_off(turns.carries);
    carries.extend(stacks.iter().zip(types).map(|(stack, ty)| stacked(stack, ty)));
    carries
}

/// One element of a sequence along its first axis.
fn element(sequence: &Value, place: usize) -> Value {
    let ty = TensorType::new(sequence.ty.dtype, &sequence.shape()[1..]);
    let size = ty.len();
    Value::new(ty, &sequence.elements[place * size..(place + 1) * size])
}

fn stacked(stack: &[Value], ty: TensorType) -> Value {
    let elements: Vec<f64> = stack.iter().flat_map(|value| value.elements.iter().copied()).collect();
    Value::new(TensorType::new(ty.dtype, [&[stack.len()], &ty.shape[..]].concat()), elements)
}

/// (carries…, constants…) -> (carries…)
pub fn while_loop(condition: &Graph, body: &Graph, carries: usize, operands: &[&Value], observer: Observer<'_>) -> Vec<Value> {
    let mut inputs: Vec<Value> = std::iter::once(Value::scalar(0.0, DType::Int)).chain(operands.iter().map(|&v| v.clone())).collect();
    let [condition, body] = [condition, body].map(Lifetimes::of);
    for turn in 1u64.. {
        if condition.interpret(&inputs, &mut *observer)[0].first() == 0.0 {
            break;
        }
        let results = body.interpret(&inputs, &mut *observer);
        inputs.splice(0..=carries, std::iter::once(Value::scalar(turn as f64, DType::Int)).chain(results));
    }
    inputs.drain(1..=carries).collect()
}

/// (condition, operands…) -> results of the branch taken
pub fn cond(then: &Graph, otherwise: &Graph, operands: &[&Value], observer: Observer<'_>) -> Vec<Value> {
    let branch = if operands[0].first() != 0.0 { then } else { otherwise };
    let inputs: Vec<Value> = operands[1..].iter().map(|&v| v.clone()).collect();
    interpret_observed(branch, &inputs, observer)
}
