//! The interpreter beyond single operations: what an observer sees, what is kept in memory.

use std::sync::{Arc, Weak};
use tilde_lang::base::op::UnaryOp;
use tilde_lang::graph::interpret::interpret_observed;
use tilde_lang::graph::print::op_name;
use tilde_lang::graph::{Builder, Graph, TensorType, Value, interpret, parse};

fn read(text: &str) -> Graph {
    parse(text).unwrap_or_else(|error| panic!("{}", error.message))
}

/// The operations whose results were not finite, in order, with the first element of each operand.
fn culprits(graph: &Graph, inputs: &[Value]) -> Vec<(String, Vec<f64>)> {
    let mut found = vec![];
    interpret_observed(graph, inputs, &mut |seen| {
        if !seen.result.is_finite() {
            found.push((op_name(&seen.graph.node(seen.id).op), seen.operands.iter().map(|x| x.first()).collect()));
        }
    });
    found
}

#[test]
fn an_observer_finds_the_first_expression_that_is_not_finite() {
    let graph = read("input x : Real\n%0 = input 0 : Real\n%1 = log %0 : Real\n%2 = neg %1 : Real\noutput %2");
    let neg_infinity = f64::NEG_INFINITY;
    assert_eq!(culprits(&graph, &[Value::real(&[], [0.0])]), [("log".into(), vec![0.0]), ("neg".into(), vec![neg_infinity])]);
    assert_eq!(culprits(&graph, &[Value::real(&[], [1.0])]), []);
}

#[test]
fn an_observer_looks_into_loops() {
    let graph = read(
        "%0 = fill 2 : Real
         %1 = scan carries=1 sequences=0 length=2 reverse=false %0 : Real
           body {
             input turn : Int
             input x : Real
             %0 = input 1 : Real
             %1 = fill 1 : Real
             %2 = sub %0 %1 : Real
             %3 = recip %2 : Real
             output %3
           }
         %2 = project 0 %1 : Real
         output %2",
    );
    // 1 / (2 - 1) = 1, then 1 / (1 - 1)
    assert_eq!(culprits(&graph, &[]), [("recip".into(), vec![0.0]), ("project".into(), vec![f64::INFINITY])]);
}

#[test]
fn values_are_freed_after_their_last_use_and_unused_ones_not_made() {
    let mut builder = Builder::new();
    let mut x = builder.input("x", TensorType::real([4]));
    for _ in 0..50 {
        builder.unary(UnaryOp::Exp, x); // used by nobody
        x = builder.unary(UnaryOp::Sin, x);
    }
    let graph = builder.finish(&[x]).unwrap();
    let mut made: Vec<Weak<[f64]>> = vec![];
    let mut most = 0;
    interpret_observed(&graph, &[Value::real(&[4], [1.0; 4])], &mut |seen| {
        made.push(Arc::downgrade(&seen.result.elements));
        most = most.max(made.iter().filter(|value| value.strong_count() > 0).count());
    });
    assert_eq!((made.len(), most), (51, 3));
}

#[test]
fn an_output_may_be_given_twice_and_used_further() {
    let graph = read("%0 = fill 2 : Real\n%1 = exp %0 : Real\n%2 = log %1 : Real\noutput %1 %0 %1 %2");
    let found: Vec<f64> = interpret(&graph, &[]).iter().map(Value::first).collect();
    assert_eq!(found, [2f64.exp(), 2.0, 2f64.exp(), 2.0]);
}

#[test]
fn lanes_of_an_empty_array_keep_their_type() {
    let graph = read(
        "%0 = fill 2 : Real[0, 3]\n%1 = sort axis=1 %0 : Real[0, 3]\n%2 = cum_sum axis=0 reverse=true %0 : Real[0, 3]\n%3 = fill 1 : Real[3, 0]\n%4 = arg_max axis=1 %3 : Int[3]\noutput %1 %2 %4",
    );
    let types: Vec<TensorType> = interpret(&graph, &[]).into_iter().map(|value| value.ty).collect();
    assert_eq!(types, graph.output_types());
}
