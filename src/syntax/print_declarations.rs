//! Declarations as S-expressions.

use super::ast::*;
use super::print::Printer;

impl Printer {
    pub fn decl(&mut self, decl: &Decl) {
        match &decl.kind {
            DeclKind::Use { path, names } => self.list("use", |p| {
                p.each(path, Printer::ident);
                if !names.is_empty() {
                    p.list("names", |p| p.each(names, Printer::ident));
                }
            }),
            DeclKind::Dim(defs) => self.list("dim", |p| p.each(defs, |p, (name, value)| p.list(&name.name, |p| p.expr(value)))),
            DeclKind::Let(defs) => self.list("let", |p| p.each(defs, Printer::let_def)),
            DeclKind::Data { vars, source, settings } => self.list("data", |p| {
                p.each(vars, Printer::variable);
                p.maybe("=", source, Printer::expr);
                p.settings(settings);
            }),
            DeclKind::Var { global, vars } => self.list(if *global { "global" } else { "var" }, |p| p.each(vars, Printer::variable)),
            DeclKind::Param(defs) => self.params(defs),
            DeclKind::Fn(function) => self.function("fn", function),
            DeclKind::Layer(function) => self.function("layer", function),
            DeclKind::Net(function) => self.function("net", function),
            DeclKind::Factor(factor) => self.factor(factor),
            DeclKind::Equation { density, equation } => self.equation(density, equation),
            DeclKind::Process(process) => self.list("process", |p| {
                p.ident(&process.name);
                p.fn_params(&process.params);
                p.equation(&process.name, &process.equation);
                p.source(&process.source);
            }),
            DeclKind::Density { name, value } => self.named("density", name, value),
            DeclKind::Objective { name, value } => self.named("objective", name, value),
            DeclKind::Metric { name, value } => self.named("metric", name, value),
            DeclKind::Train { name, body, settings } => self.list("train", |p| {
                p.maybe("", name, |p, name| p.ident(name));
                p.settings(settings);
                p.stmts(body);
            }),
            DeclKind::Sample { name, value, picture } => self.list("sample", |p| {
                p.ident(name);
                p.expr(value);
                p.maybe("as", picture, Printer::expr);
            }),
            DeclKind::Dist(declared) => self.declared("dist", declared),
            DeclKind::Bijector(declared) => self.declared("bijector", declared),
            DeclKind::Optimizer(declared) => self.declared("optimizer", declared),
            DeclKind::Kernel(declared) => self.declared("kernel", declared),
            DeclKind::Rule { pattern, value, source } => self.list("rule", |p| {
                p.expr(pattern);
                p.expr(value);
                p.source(source);
            }),
        }
    }

    fn factor(&mut self, factor: &Factor) {
        self.list("factor", |p| {
            p.ident(&factor.density);
            p.each(&factor.targets, Printer::variable);
            if !factor.given.is_empty() {
                p.word("|");
                p.each(&factor.given, Printer::variable);
            }
            p.word(if factor.unnormalised { "∝" } else { "=" });
            p.expr(&factor.value);
        });
    }

    fn equation(&mut self, density: &Ident, equation: &Equation) {
        match equation {
            Equation::Ito { variable, drift, diffusion } => self.list("ito", |p| {
                p.ident(density);
                p.ident(variable);
                p.maybe("dt", drift, Printer::expr);
                p.maybe("dW", diffusion, Printer::expr);
            }),
            Equation::Interpolant { left, value } => self.list("interpolant", |p| {
                p.ident(density);
                p.expr(left);
                p.expr(value);
            }),
            Equation::Kernel(factor) => self.factor(factor),
        }
    }

    fn named(&mut self, head: &str, name: &Ident, value: &Expr) {
        self.list(head, |p| {
            p.ident(name);
            p.expr(value);
        });
    }

    fn let_def(&mut self, def: &LetDef) {
        self.list(&def.name.name, |p| {
            p.each(&def.indices, Printer::clause);
            p.maybe(":", &def.ty, Printer::ty);
            p.expr(&def.value);
        });
    }

    fn settings(&mut self, settings: &[Setting]) {
        self.each(settings, |p, setting| p.list(&format!("{}:", setting.name.name), |p| p.expr(&setting.value)));
    }

    fn source(&mut self, source: &Option<String>) {
        self.maybe("from", source, |p, source| p.word(&format!("{source:?}")));
    }

    fn variable(&mut self, variable: &VarDecl) {
        if variable.family == VarFamily::Single && variable.ty.is_none() {
            return self.ident(&variable.name);
        }
        self.list(&variable.name.name, |p| {
            match &variable.family {
                VarFamily::Single => {}
                VarFamily::Chain { from, to } => p.list("chain", |p| p.exprs(&[from.clone(), to.clone()])),
                VarFamily::Process { time, from, to } => p.list("process", |p| {
                    p.ident(time);
                    p.exprs(&[from.clone(), to.clone()]);
                }),
                VarFamily::AtIndex(index) => p.list("index", |p| p.expr(index)),
                VarFamily::AtTime(time) => p.list("time", |p| p.expr(time)),
            }
            p.maybe(":", &variable.ty, Printer::ty);
        });
    }

    fn fn_params(&mut self, params: &[FnParam]) {
        self.each(params, |p, param| {
            p.list(&param.name.name, |p| {
                p.maybe(":", &param.ty, Printer::ty);
                p.maybe("=", &param.default, Printer::expr);
            });
        });
    }

    fn sizes(&mut self, sizes: &[SizeParam]) {
        if sizes.is_empty() {
            return;
        }
        self.list("sizes", |p| {
            p.each(sizes, |p, size| {
                p.word(&if size.variadic { format!("{}..", size.name.name) } else { size.name.name.clone() });
                p.maybe("=", &size.default, Printer::expr);
            });
        });
    }

    fn function(&mut self, head: &str, function: &FnDecl) {
        self.list(head, |p| {
            p.ident(&function.name);
            p.sizes(&function.sizes);
            p.fn_params(&function.params);
            p.maybe("->", &function.result, Printer::ty);
            p.expr(&function.body);
        });
    }

    fn declared(&mut self, head: &str, declared: &Declared) {
        self.list(head, |p| {
            p.ident(&declared.name);
            p.sizes(&declared.sizes);
            p.fn_params(&declared.params);
            p.maybe(":", &declared.ty, Printer::ty);
            p.source(&declared.source);
            p.lines(&declared.members, |p, member| {
                p.list(if member.state { "state" } else { "member" }, |p| {
                    p.ident(&member.name);
                    p.fn_params(&member.params);
                    p.expr(&member.body);
                });
            });
        });
    }
}
