//! Random numbers as functions of their keys.

use super::Value;
use crate::base::op::RandomKind;
use crate::base::philox::Stream;
use crate::graph::TensorType;

/// `(seed, step, turn, rows: [r]) -> [r] ++ shape`. Keys count modulo 2^32.
pub fn random(kind: RandomKind, site: u32, shape: &[usize], keys: [&Value; 4]) -> Value {
    let [seed, step, turn, rows] = keys;
    let stream = Stream { seed: word(seed.first()), site, step: word(step.first()), turn: word(turn.first()) };
    let size: usize = shape.iter().product();
    let draw = |row: f64| (0..size).map(move |element| stream.block(kind, word(row), (element / 4) as u32)[element % 4]);
    let numbers = rows.elements.iter().flat_map(|&row| draw(row));
    Value::new(TensorType::real([rows.shape(), shape].concat()), numbers.collect::<Vec<_>>())
}

fn word(key: f64) -> u32 {
    key as i64 as u32
}
