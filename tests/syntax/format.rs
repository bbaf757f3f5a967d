//! The formatter's blanks, indentation and columns.

use tilde_lang::syntax::format;

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(format(text).as_deref(), Ok(expected));
    assert_eq!(format(expected).as_deref(), Ok(expected), "a second time");
}

#[test]
fn blanks_are_normal() {
    check("dim   D=2,K = 3", "dim D = 2, K = 3\n");
    check("data x:Bit[ D ]=mnist( ).binary split:0.1", "data x : Bit[D] = mnist().binary   split: 0.1\n");
    check("p( x,z:Bit[H]|y )∝exp( x ' @W@z )", "p(x, z : Bit[H] | y) ∝ exp(x' @ W @ z)\n");
    check("q:dx=- x dt+sqrt( b )dW", "q : dx = -x dt + sqrt(b) dW\n");
    check("use a :: { b , c }", "use a::{b, c}\n");
    check("fn f(x : Cat < K > [<= L],g:(A)->B)=g( x )", "fn f(x : Cat<K>[<=L], g : (A) -> B) = g(x)\n");
    check("train{maximize log p(x)by em batch:100;x=1}", "train { maximize log p(x) by em   batch: 100; x = 1 }\n");
}

#[test]
fn arithmetic_stays_as_tight_as_it_was_written() {
    check("let a = x[t-1]*2 + 1", "let a = x[t-1]*2 + 1\n");
    check("let a = x+ 1 .. T", "let a = x + 1..T\n");
}

#[test]
fn spellings_stay() {
    check("p(θ) propto ∇[x](log (x) + log(2))", "p(θ) propto ∇[x](log (x) + log(2))\n");
    check("p(θ) ∝ grad[x](20_000 · 1e-4)", "p(θ) ∝ grad[x](20_000 · 1e-4)\n");
}

#[test]
fn lines_are_indented_by_brackets_and_continuations() {
    check(
        "net f(x) -> A {\nlet a = g(\nx,\nh({\ny\n})\n)\na +\nb\n}\n",
        "net f(x) -> A {\n  let a = g(\n    x,\n    h({\n      y\n    })\n  )\n  a +\n    b\n}\n",
    );
    check("rule H(a) = b +\nc\nfrom \"d\"", "rule H(a) = b +\n  c\n  from \"d\"\n");
    check("train {\nif a {\nx = 1\n} else {\nx = 2\n}\n}", "train {\n  if a {\n    x = 1\n  } else {\n    x = 2\n  }\n}\n");
}

#[test]
fn comments_and_single_blank_lines_stay() {
    check("\n\n/// doc\n\n\n\ndim D=2// two\n\n", "/// doc\n\ndim D = 2  // two\n");
    check("let a = {\n// inside\nb\n// last\n}", "let a = {\n  // inside\n  b\n  // last\n}\n");
    check("// only a comment\r\n", "// only a comment\n");
    check("", "");
}

#[test]
fn columns_that_were_aligned_stay_aligned() {
    check("var  x : A\ndata y : A = f", "var  x : A\ndata y : A = f\n");
    check("p(k)     = a // 1\np(x | k) = b // 2", "p(k)     = a  // 1\np(x | k) = b  // 2\n");
    check("p(k)   = a\nq(x | k) = b", "p(k) = a\nq(x | k) = b\n");
    check("sample a = f     as scatter\nsample b = g(x)  as path", "sample a = f    as scatter\nsample b = g(x) as path\n");
}
