//! Each rule of the verifier, broken.

use tilde_lang::base::op::{BinaryOp, DType};
use tilde_lang::graph::{Builder, Graph, NodeId, Op, TensorType, parse, verify};

/// The message that verifying a text gives; nothing if all is well.
fn complaint(text: &str) -> String {
    let graph = parse(text).unwrap_or_else(|error| panic!("{}", error.message));
    verify(&graph).err().map(|error| error.message).unwrap_or_default()
}

/// That the text is refused with these words.
fn refused(words: &str, text: &str) {
    let message = complaint(text);
    assert!(message.contains(words), "`{message}` does not say `{words}`");
}

#[test]
fn a_correct_graph_passes() {
    let text = "input x : Real[2]\n%0 = input 0 : Real[2]\n%1 = exp %0 : Real[2]\noutput %1 %0\n";
    assert_eq!(complaint(text), "");
}

#[test]
fn operands_stand_before_users() {
    refused("%1: operand %2 does not stand before its user", "%0 = fill 1 : Real\n%1 = exp %2 : Real\n%2 = exp %0 : Real\noutput %1");
    refused("%1: operand %1 ", "%0 = fill 1 : Real\n%1 = exp %1 : Real\noutput %1");
    refused("operand %9 ", "%0 = exp %9 : Real\noutput %0");
}

#[test]
fn types_agree() {
    refused("is declared (Real[2]) and has type (Real)", "%0 = fill 1 : Real\n%1 = exp %0 : Real[2]\noutput %1");
    refused("Real and Int", "%0 = fill 1 : Real\n%1 = fill 1 : Int\n%2 = add %0 %1 : Real\noutput %2");
    refused("1 operands where 2 are needed", "%0 = fill 1 : Real\n%1 = add %0 : Real\noutput %1");
}

#[test]
fn constants_fit_their_types() {
    refused("3 values for shape [2]", "%0 = literal [1, 2, 3] : Real[2]\noutput %0");
    refused("0.5 is not of type Int", "%0 = fill 0.5 : Int\noutput %0");
    refused("2 is not of type Bool", "%0 = literal [0, 2] : Bool[2]\noutput %0");
}

#[test]
fn inputs_are_declared() {
    refused("there is no input 1", "input x : Real\n%0 = input 1 : Real\noutput %0");
    refused("is declared (Int)", "input x : Real\n%0 = input 0 : Int\noutput %0");
    refused("an input with operands", "input x : Real\n%0 = fill 1 : Real\n%1 = input 0 %0 : Real\noutput %1");
}

#[test]
fn outputs_are_values() {
    refused("output %1 is not a value", "%0 = fill 1 : Real\noutput %1");
    refused("output %1 is not a value", &branch("output %1"));
}

/// A branch on a constant, and more lines.
fn branch(rest: &str) -> String {
    let block = "{\n %0 = fill 1 : Real\n output %0\n }";
    format!("%0 = fill 1 : Bool\n%1 = cond %0 : Real\n then {block}\n else {block}\n{rest}")
}

#[test]
fn projections_and_control_nodes_belong_together() {
    assert_eq!(complaint(&branch("%2 = project 0 %1 : Real\noutput %2")), "");
    refused("operand %1 has several results", &branch("%2 = exp %1 : Real\noutput %2"));
    refused("projection of %0, which has one result", &branch("%2 = project 0 %0 : Real\noutput %2"));
    refused("%1 has no result 1", &branch("%2 = project 1 %1 : Real\noutput %2"));
}

#[test]
fn control_nodes_list_the_types_of_their_results() {
    let mut graph = parse(&branch("%2 = project 0 %1 : Real\noutput %2")).unwrap();
    graph.nodes[1].results = vec![TensorType::real([]), TensorType::real([])];
    assert!(verify(&graph).unwrap_err().message.contains("is declared"));
}

#[test]
fn sub_graphs_keep_the_same_rules() {
    let broken = branch("output").replacen("fill 1 : Real", "fill 1.5 : Int", 1);
    refused("then: ", &broken);
    let without_output = branch("output").replacen("output %0", "output %7", 1);
    refused("output %7 is not a value", &without_output);
}

#[test]
fn the_place_is_the_node_in_the_source() {
    let mut builder = Builder::new();
    builder.span.end = 7;
    let x = builder.real(1.0);
    let mut graph = builder.finish(&[x]).unwrap();
    graph.nodes[0].op = Op::Binary(BinaryOp::Add);
    assert_eq!(verify(&graph).unwrap_err().span().end, 7);
    let empty = Graph { outputs: vec![NodeId(0)], ..Graph::default() };
    assert!(verify(&empty).is_err());
}

#[test]
fn the_builder_makes_what_the_verifier_accepts() {
    let mut builder = Builder::new();
    let x = builder.input("x", TensorType::real([2]));
    let y = builder.cast(x, DType::Int);
    let graph = builder.finish(&[x, y]).unwrap();
    assert_eq!(verify(&graph), Ok(()));
}
