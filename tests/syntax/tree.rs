//! What text becomes which tree: precedence, newlines, and the forms that look alike.

use tilde_lang::base::FileId;
use tilde_lang::syntax::{parse, parse_expr, print, print_expr};

fn expr(text: &str) -> String {
    print_expr(&parse_expr(text, FileId(0)).unwrap_or_else(|problems| panic!("{text}: {problems:#?}")))
}

fn file(text: &str) -> String {
    print(&parse(text, FileId(0)).unwrap_or_else(|problems| panic!("{text}: {problems:#?}")))
}

#[track_caller]
fn check(cases: &[(&str, &str)], tree: fn(&str) -> String) {
    for (text, expected) in cases {
        assert_eq!(tree(text).trim_end(), *expected, "{text}");
    }
}

#[test]
fn operators_bind_as_in_a_textbook() {
    let cases = [
        ("a + b * c", "(+ a (* b c))"),
        ("a - b - c", "(- (- a b) c)"),
        ("x' @ W @ z", "(@ (@ (transpose x) W) z)"),
        ("a^b^c", "(^ a (^ b c))"),
        ("-x^2", "(- (^ x 2))"),
        ("-1/2 * b", "(* (/ (- 1) 2) b)"),
        ("2^-x", "(^ 2 (- x))"),
        ("x ++ y + z == w", "(== (++ x (+ y z)) w)"),
        ("not a == b and c or d", "(or (and (not (== a b)) c) d)"),
        ("a + 1..b - 1", "(.. (+ a 1) (- b 1))"),
        ("a · b ≤ c ≠ false", "chained"),
        ("(a < b) == c", "(== (< a b) c)"),
        ("if a then b else c + 1", "(if a b (+ c 1))"),
        ("KL(a || b)", "(call KL (|| a b))"),
    ];
    let tree = |text: &str| match parse_expr(text, FileId(0)) {
        Ok(tree) => print_expr(&tree),
        Err(problems) if problems.0[0].message.contains("chained") => "chained".to_string(),
        Err(problems) => panic!("{text}: {problems:#?}"),
    };
    check(&cases, tree);
}

#[test]
fn log_is_a_prefix_word_and_a_function() {
    let cases = [
        ("log 2", "(log 2)"),
        ("D * log 2", "(* D (log 2))"),
        ("log p(x) + 1", "(+ (log (call p x)) 1)"),
        ("log sigmoid(-C(x))", "(log (call sigmoid (- (call C x))))"),
        ("log x^2", "(log (^ x 2))"),
        ("log(x)^2", "(^ (log x) 2)"),
        ("-log x", "(- (log x))"),
        ("log -x", "(log (- x))"),
        ("map(log, x)", "(call map log x)"),
        ("logit(x)", "(call logit x)"),
    ];
    check(&cases, expr);
}

#[test]
fn arguments_and_comprehensions() {
    let cases = [
        ("log p(x = y | z = w)", "(log (call p (= x y) | (= z w)))"),
        ("E[z ~ q(z | x), samples: 8](z)", "(call (bracket E (~ z (call q z | x)) (samples: 8)) z)"),
        ("sum(e[i] for i in 1..D, j in K if i < j)", "(call sum (each (bracket e i) (in i (.. 1 D)) (in j K) if (< i j)))"),
        ("[e for i in D]", "(array e (in i D))"),
        ("∇[x](f(x))", "(call (bracket grad x) (call f x))"),
        ("𝔼[x ~ data](x)", "(call (bracket E (~ x data)) x)"),
        ("p(x | z).mean'", "(transpose (member (call p x | z) mean))"),
        ("()", "(tuple)"),
        ("\"a\\\"b\"", "\"a\\\"b\""),
        ("20_000 * 1e-4", "(* 20_000 1e-4)"),
    ];
    check(&cases, expr);
}

#[test]
fn newlines_end_statements_unless_something_is_open() {
    let cases = [
        ("let a = 1 +\n  2\nlet b = 3", "(let (a (+ 1 2)))\n(let (b 3))"),
        ("let a = f(1,\n\n  // between\n  2)\n", "(let (a (call f 1 2)))"),
        ("let a = {\n  x\n  (y)\n}", "(let (a (block\n  x\n  y)))"),
        ("let a = f({\n  let b = 1\n  b\n})", "(let (a (call f (block\n  (let b 1)\n  b))))"),
        ("let a = if c\n  then 1\n  else 2", "(let (a (if c 1 2)))"),
        ("var x : Cat<K>\nlet a = b >\n  c", "(var (x : (Cat < K)))\n(let (a (> b c)))"),
        ("data x : Real = f()\n  split: 0.1\nq : dx = x dt", "(data (x : Real) = (call f) (split: 0.1))\n(ito q x dt x)"),
        ("rule H(a) = b\n  from \"book\"", "(rule (call H a) b from \"book\")"),
        ("let a = \"no // comment (\" // one\r\nlet b = 2", "(let (a \"no // comment (\"))\n(let (b 2))"),
    ];
    check(&cases, file);
}

#[test]
fn processes_and_densities() {
    let cases = [
        ("q : dx = -1/2 * x dt - g(t) dW", "(ito q x dt (* (/ (- 1) 2) x) dW (- (call g t)))"),
        ("q : dx = dW", "(ito q x dW 1)"),
        ("q : x(t) = a(t) * x(0)", "(interpolant q (call x t) (* (call a t) (call x 0)))"),
        ("process f(x, a = 1) : dx = a * x dt\n  from \"book\"", "(process f (x) (a = 1) (ito f x dt (* a x)) from \"book\")"),
        ("process f(x) : x(t) = t * noise", "(process f (x) (interpolant f (call x t) (* t noise)))"),
        ("process f(x) : x[t] | x[t-1] ~ g", "(process f (x) (factor f (x (index t)) | (x (index (- t 1))) = g))"),
        ("process : dx = dW", "(ito process x dW 1)"),
        ("p(x, z : Bit[H]) propto exp(x)", "(factor p x (z : (Bit H)) ∝ (call exp x))"),
        ("q(x[t] | x[t-1]) = f", "(factor q (x (index t)) | (x (index (- t 1))) = f)"),
        ("global θ : Real", "(global (θ : Real))"),
        ("data(x) = 3", "(data x = 3)"),
        ("dim L = 2\nnet f(x : Cat<K>[<=2*L]) -> (A) -> B = x", "(dim (L 2))\n(net f (x : (Cat < K (<= (* 2 L)))) -> (-> A B) x)"),
    ];
    check(&cases, file);
}

#[test]
fn blocks_hold_statements_and_settings() {
    let train = "train gen {\n  let (a, b) = c, d = 2\n  y ~ p(y)\n  y = 3\n  repeat w in hidden { h = w }\n  for t in T..1 { x = t }\n  \
                 while c { x = 1 }\n  if c { x = 1 } else if d { x = 2 }\n  update s = 1\n  maximize e over a, b by em with SGD(1)  steps: 3\n  \
                 batch: 5\n}";
    let expected = "(train gen (steps: 3) (batch: 5)\n  (let (tuple a b) c)\n  (let d 2)\n  (~ y (call p y))\n  (= y 3)\n  (repeat w hidden\n    \
                    (= h w))\n  (for t (.. T 1)\n    (= x t))\n  (while c\n    (= x 1))\n  (if c\n    (= x 1) (else\n    (if d\n      (= x 2))))\n  \
                    (update s 1)\n  (maximize e (over a b) (by em) with (call SGD 1)))";
    check(&[(train, expected)], file);
}

#[test]
fn spans_cover_what_they_name() {
    let text = "let θ = 1 // é\nlet b = f(θ, y) + 2";
    let parsed = parse(text, FileId(0)).unwrap();
    let tilde_lang::syntax::ast::DeclKind::Let(defs) = &parsed.decls[1].kind else { panic!("{parsed:?}") };
    assert_eq!(&text[defs[0].name.span.range()], "b");
    assert_eq!(&text[defs[0].value.span.range()], "f(θ, y) + 2");
    assert_eq!(&text[parsed.decls[1].span.range()], "let b = f(θ, y) + 2");
}
