//! The tree as indented S-expressions, a line for each declaration and statement: what `tilde emit --stage ast` shows.

use super::ast::*;

/// Prints a file's tree; two files print the same exactly when their trees agree up to places.
pub fn print(file: &File) -> String {
    let mut printer = Printer::default();
    for decl in &file.decls {
        printer.decl(decl);
        printer.out.push('\n');
    }
    printer.out
}

/// Prints a single expression on one line, or more where it contains blocks.
pub fn print_expr(expr: &Expr) -> String {
    let mut printer = Printer::default();
    printer.expr(expr);
    printer.out.trim_start().to_string()
}

#[derive(Default)]
pub(super) struct Printer {
    out: String,
    indent: usize,
}

impl Printer {
    /// A word after a blank, unless it follows an opening parenthesis or begins a line.
    pub fn word(&mut self, word: &str) {
        if !self.out.is_empty() && !self.out.ends_with(['(', '\n', ' ']) {
            self.out.push(' ');
        }
        self.out.push_str(word);
    }

    /// `(head …)`
    pub fn list(&mut self, head: &str, parts: impl FnOnce(&mut Printer)) {
        self.word("(");
        self.out.push_str(head);
        parts(self);
        self.out.push(')');
    }

    /// A part that may be absent, after the word that introduces it
    pub fn maybe<T>(&mut self, word: &str, part: &Option<T>, print: impl FnOnce(&mut Printer, &T)) {
        if let Some(part) = part {
            self.word(word);
            print(self, part);
        }
    }

    pub fn each<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Printer, &T)) {
        for item in items {
            print(self, item);
        }
    }

    /// Each item on a line of its own, one step further in
    pub fn lines<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Printer, &T)) {
        self.indent += 1;
        for item in items {
            self.out.push('\n');
            self.out.push_str(&"  ".repeat(self.indent));
            print(self, item);
        }
        self.indent -= 1;
    }

    pub fn ident(&mut self, ident: &Ident) {
        self.word(&ident.name);
    }

    pub fn exprs(&mut self, exprs: &[Expr]) {
        self.each(exprs, Printer::expr);
    }

    pub fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number { text, .. } => self.word(text),
            ExprKind::Text(text) => self.word(&format!("{text:?}")),
            ExprKind::Bool(value) => self.word(&value.to_string()),
            ExprKind::Name(name) => self.ident(name),
            ExprKind::Unary { op, operand } => self.list(unary(*op), |p| p.expr(operand)),
            ExprKind::Binary { op, left, right } => self.list(binary(*op), |p| {
                p.expr(left);
                p.expr(right);
            }),
            ExprKind::Transpose(operand) => self.list("transpose", |p| p.expr(operand)),
            ExprKind::Range { from, to } => self.list("..", |p| {
                p.expr(from);
                p.expr(to);
            }),
            ExprKind::If { condition, then, otherwise } => self.list("if", |p| {
                p.expr(condition);
                p.expr(then);
                p.expr(otherwise);
            }),
            ExprKind::Tuple(items) => self.list("tuple", |p| p.exprs(items)),
            ExprKind::List(items) => self.list("list", |p| p.exprs(items)),
            ExprKind::Comprehension { body, clauses, condition } => {
                self.list("array", |p| p.comprehension(body, clauses, condition.as_deref()));
            }
            ExprKind::Call { callee, args, given } => self.list("call", |p| {
                p.expr(callee);
                p.each(args, Printer::arg);
                p.maybe("|", given, |p, given| p.each(given, Printer::arg));
            }),
            ExprKind::Bracket { base, args } => self.list("bracket", |p| {
                p.expr(base);
                p.each(args, Printer::arg);
            }),
            ExprKind::Member { base, name } => self.list("member", |p| {
                p.expr(base);
                p.ident(name);
            }),
            ExprKind::Block(body) => self.list("block", |p| p.lines(body, Printer::stmt)),
        }
    }

    fn arg(&mut self, arg: &Arg) {
        match &arg.kind {
            ArgKind::Positional(value) => self.expr(value),
            ArgKind::Named(name, value) => self.list(&format!("{}:", name.name), |p| p.expr(value)),
            ArgKind::Substituted(variable, value) => self.list("=", |p| {
                p.expr(variable);
                p.expr(value);
            }),
            ArgKind::Draw(target, dist) => self.list("~", |p| {
                p.expr(target);
                p.expr(dist);
            }),
            ArgKind::Comprehension { body, clauses, condition } => {
                self.list("each", |p| p.comprehension(body, clauses, condition.as_ref()));
            }
        }
    }

    fn comprehension(&mut self, body: &Expr, clauses: &[Clause], condition: Option<&Expr>) {
        self.expr(body);
        self.each(clauses, Printer::clause);
        self.maybe("if", &condition, |p, condition| p.expr(condition));
    }

    pub fn clause(&mut self, clause: &Clause) {
        self.list("in", |p| {
            p.ident(&clause.index);
            p.expr(&clause.over);
        });
    }

    pub fn ty(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Named { name, bound: None, shape } if shape.is_empty() => self.ident(name),
            TypeExprKind::Named { name, bound, shape } => self.list(&name.name, |p| {
                p.maybe("<", bound, |p, bound| p.expr(bound));
                p.each(shape, |p, axis| if axis.ragged { p.list("<=", |p| p.expr(&axis.size)) } else { p.expr(&axis.size) });
            }),
            TypeExprKind::Tuple(types) => self.list("tuple", |p| p.each(types, Printer::ty)),
            TypeExprKind::Fn { params, result } => self.list("->", |p| {
                p.each(params, Printer::ty);
                p.ty(result);
            }),
        }
    }

    pub fn params(&mut self, defs: &[ParamDef]) {
        self.list("param", |p| {
            p.each(defs, |p, def| {
                p.list(&def.name.name, |p| {
                    p.word(":");
                    p.ty(&def.ty);
                    p.maybe("~", &def.init_dist, Printer::expr);
                    p.maybe("=", &def.init_value, Printer::expr);
                });
            });
        });
    }

    pub fn stmts(&mut self, body: &[Stmt]) {
        self.lines(body, Printer::stmt);
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { pattern, ty, value } => self.list("let", |p| {
                p.pattern(pattern);
                p.maybe(":", ty, Printer::ty);
                p.expr(value);
            }),
            StmtKind::Param(defs) => self.params(defs),
            StmtKind::Draw { target, dist: value } => self.pair("~", target, value),
            StmtKind::Assign { target, value } => self.pair("=", target, value),
            StmtKind::Update { target, value } => self.pair("update", target, value),
            StmtKind::Optimise(optimise) => self.optimise(optimise),
            StmtKind::Repeat { index, times, body } => self.list("repeat", |p| {
                p.maybe("", index, |p, index| p.ident(index));
                p.expr(times);
                p.stmts(body);
            }),
            StmtKind::For { index, range, body } => self.list("for", |p| {
                p.ident(index);
                p.expr(range);
                p.stmts(body);
            }),
            StmtKind::While { condition, body } => self.list("while", |p| {
                p.expr(condition);
                p.stmts(body);
            }),
            StmtKind::If { condition, then, otherwise } => self.list("if", |p| {
                p.expr(condition);
                p.stmts(then);
                if !otherwise.is_empty() {
                    p.list("else", |p| p.stmts(otherwise));
                }
            }),
            StmtKind::Expr(value) => self.expr(value),
        }
    }

    fn pair(&mut self, head: &str, left: &Expr, right: &Expr) {
        self.list(head, |p| {
            p.expr(left);
            p.expr(right);
        });
    }

    fn pattern(&mut self, pattern: &Pattern) {
        match pattern {
            Pattern::Name(name) => self.ident(name),
            Pattern::Tuple(inner, _) => self.list("tuple", |p| p.each(inner, Printer::pattern)),
        }
    }

    fn optimise(&mut self, optimise: &Optimise) {
        self.list(if optimise.maximize { "maximize" } else { "minimize" }, |p| {
            p.expr(&optimise.value);
            if !optimise.over.is_empty() {
                p.list("over", |p| p.each(&optimise.over, |p, name| p.ident(name)));
            }
            match &optimise.method {
                Method::Unstated => {}
                Method::Exactly => p.word("exactly"),
                Method::By(method) => p.list("by", |p| p.expr(method)),
            }
            p.maybe("with", &optimise.optimiser, Printer::expr);
        });
    }
}

fn unary(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Neg => "-",
        UnaryOp::Not => "not",
        UnaryOp::Log => "log",
    }
}

fn binary(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Pow => "^",
        BinaryOp::MatMul => "@",
        BinaryOp::Join => "++",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::And => "and",
        BinaryOp::Or => "or",
        BinaryOp::Parallel => "||",
    }
}
