//! The text form: what it looks like, what is refused and where. Round trips of all operations are in `graph_random.rs`.

use tilde_lang::base::Code;
use tilde_lang::base::op::DType;
use tilde_lang::graph::{Builder, TensorType, parse, print, print_brief};

#[test]
fn one_line_a_node_and_sub_graphs_indented() {
    let mut body = Builder::new();
    let _turn = body.input("turn", TensorType::int([]));
    let carry = body.input("total", TensorType::real([]));
    let item = body.input("item", TensorType::real([]));
    let next = body.add(carry, item);
    let body = body.finish(&[next, item]).unwrap();

    let mut builder = Builder::new();
    let x = builder.input("x", TensorType::real([3]));
    let zero = builder.real(0.0);
    let results = builder.scan(body, &[zero], &[x], &[], 3, false);
    let graph = builder.finish(&results).unwrap();
    let text = "\
input x : Real[3]
%0 = input 0 : Real[3]
%1 = fill 0 : Real
%2 = scan carries=1 sequences=1 length=3 reverse=false %1 %0 : Real, Real[3]
  body {
    input turn : Int
    input total : Real
    input item : Real
    %0 = input 0 : Int
    %1 = input 1 : Real
    %2 = input 2 : Real
    %3 = add %1 %2 : Real
    output %3 %2
  }
%3 = project 0 %2 : Real
%4 = project 1 %2 : Real[3]
output %3 %4
";
    assert_eq!(print(&graph), text);
    assert!(parse(text).unwrap() == graph);
    assert_eq!((graph.count("add"), graph.count("input"), graph.count("exp")), (1, 4, 0));
}

#[test]
fn numbers_read_back_to_the_same_bits() {
    let values = [0.1, -0.0, 1e300, 5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0 / 3.0];
    let mut builder = Builder::new();
    let literal = builder.literal(DType::Real, &[8], &values);
    let graph = builder.finish(&[literal]).unwrap();
    assert_eq!(print(&graph).lines().next(), Some("%0 = literal [0.1, -0, 1e300, 5e-324, inf, -inf, NaN, 0.3333333333333333] : Real[8]"));
    assert!(parse(&print(&graph)).unwrap() == graph);
}

#[test]
fn long_literals_are_abbreviated_only_when_asked() {
    let mut builder = Builder::new();
    let literal = builder.literal(DType::Int, &[100], &[3.0; 100]);
    let graph = builder.finish(&[literal]).unwrap();
    assert!(print_brief(&graph).starts_with("%0 = literal [3, 3, 3, 3, 3, 3, 3, 3, … 100 values] : Int[100]\n"));
    assert!(parse(&print(&graph)).unwrap() == graph);
}

#[test]
fn labels_beyond_the_letters_are_numbers() {
    let mut builder = Builder::new();
    let x = builder.input("x", TensorType::real([2, 3]));
    let product = builder.contract(x, x, &[0, 200], &[51, 200], &[51, 0]);
    let graph = builder.finish(&[product]).unwrap();
    assert!(print(&graph).contains("%1 = contract a{200},Z{200}->Za %0 %0 : Real[2, 2]"));
    assert!(parse(&print(&graph)).unwrap() == graph);
}

#[test]
fn mistakes_name_their_line() {
    let cases = [
        ("%0 = fill 1 : Real\n\n%1 = frob %0 : Real", "line 3: there is no operation `frob`"),
        ("%1 = fill 1 : Real", "line 1: node %1 stands where %0 is next"),
        ("%0 = fill one : Real", "line 1: `one` is not a value that can stand here"),
        ("// nothing\n%0 = fill 1 : Rael", "line 2: `Rael` is unknown here"),
        ("%0 = fill 1 : Real\n%1 = sort %0 : Real", "line 2: `axis` is expected before `%0`"),
        ("%0 = fill 1 : Real[2", "line 1: `,` is expected before ``"),
        ("%0 = fill 1 : Real\n}", "line 2: `}` ends nothing"),
        ("%0 = fill 1 : Bool\n%1 = cond %0 : Real\n  then {\n  output", "line 4: `}` of then is missing"),
        ("%0 = fill 1 : Bool\n%1 = cond %0 : Real\noutput %1", "line 3: `then {` is expected"),
        ("%0 = exp %1 more : Real", "line 1: `more` is not understood"),
    ];
    for (text, message) in cases {
        let error = parse(text).expect_err(text);
        assert_eq!((error.code, error.message.as_str()), (Code::Syntax, message));
    }
}
