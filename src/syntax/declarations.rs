//! Declarations, one function for each form that has parts of its own.

use super::ast::*;
use super::expressions::unescape;
use super::grammar::Rule;
use super::operators::unary;
use super::parse::Builder;
use super::syntax_error as error;
use crate::base::diagnostic::Result;
use crate::base::{Diagnostic, Span};
use pest::iterators::Pair;

impl Builder {
    pub fn declaration(&self, pair: Pair<Rule>) -> Result<Decl> {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        let kind = match rule {
            Rule::use_decl => self.use_decl(pair)?,
            Rule::dim_decl => DeclKind::Dim(self.parts(pair).many(Rule::dim_def, |def| {
                let mut parts = self.parts(def);
                Ok((self.ident(parts.need()?), self.expr(parts.need()?)?))
            })?),
            Rule::let_decl => DeclKind::Let(self.parts(pair).many(Rule::let_def, |def| self.let_def(def))?),
            Rule::data_decl => self.data(pair)?,
            Rule::var_decl => {
                let global = pair.clone().into_inner().any(|part| part.as_rule() == Rule::kw_global);
                DeclKind::Var { global, vars: self.parts(pair).many(Rule::variable, |var| self.variable(var))? }
            }
            Rule::param_decl => DeclKind::Param(self.parts(pair).many(Rule::param_def, |def| self.param_def(def))?),
            Rule::fn_decl => DeclKind::Fn(self.function(pair)?),
            Rule::layer_decl => DeclKind::Layer(self.function(pair)?),
            Rule::net_decl => DeclKind::Net(self.function(pair)?),
            Rule::factor_decl => DeclKind::Factor(self.factor(pair)?),
            Rule::equation_decl => {
                let mut parts = self.parts(pair);
                let density = self.ident(parts.need()?);
                DeclKind::Equation { equation: self.equation(parts.need()?, &density)?, density }
            }
            Rule::process_decl => DeclKind::Process(self.process(pair)?),
            Rule::density_decl => {
                let (name, value) = self.named_value(pair)?;
                DeclKind::Density { name, value }
            }
            Rule::objective_decl => {
                let (name, value) = self.named_value(pair)?;
                DeclKind::Objective { name, value }
            }
            Rule::metric_decl => {
                let (name, value) = self.named_value(pair)?;
                DeclKind::Metric { name, value }
            }
            Rule::train_decl => self.train(pair)?,
            Rule::sample_decl => self.sample(pair)?,
            Rule::dist_decl => DeclKind::Dist(self.declared(pair)?),
            Rule::bijector_decl => DeclKind::Bijector(self.declared(pair)?),
            Rule::optimizer_decl => DeclKind::Optimizer(self.declared(pair)?),
            Rule::kernel_decl => DeclKind::Kernel(self.declared(pair)?),
            Rule::rule_decl => {
                let mut parts = self.parts(pair);
                let (pattern, value) = (self.expr(parts.need()?)?, self.expr(parts.need()?)?);
                DeclKind::Rule { pattern, value, source: self.source(parts.optional(Rule::source))? }
            }
            other => return Err(Diagnostic::internal(format!("{} is no declaration", other.words())).at(span)),
        };
        Ok(Decl { kind, span })
    }

    fn named_value(&self, pair: Pair<Rule>) -> Result<(Ident, Expr)> {
        let mut parts = self.parts(pair);
        Ok((self.ident(parts.need()?), self.expr(parts.need()?)?))
    }

    fn use_decl(&self, pair: Pair<Rule>) -> Result<DeclKind> {
        let mut parts = self.parts(pair);
        let path = parts.many(Rule::ident, |part| Ok(self.ident(part)))?;
        let names = match parts.optional(Rule::use_names) {
            Some(names) => self.parts(names).map(|name| self.ident(name)).collect(),
            None => vec![],
        };
        Ok(DeclKind::Use { path, names })
    }

    fn let_def(&self, pair: Pair<Rule>) -> Result<LetDef> {
        let mut parts = self.parts(pair);
        let name = self.ident(parts.need()?);
        let indices = match parts.optional(Rule::table_head) {
            Some(head) => self.parts(head).many(Rule::clause, |clause| self.clause(clause))?,
            None => vec![],
        };
        let ty = self.type_note(parts.optional(Rule::type_note))?;
        Ok(LetDef { name, indices, ty, value: self.expr(parts.need()?)? })
    }

    fn data(&self, pair: Pair<Rule>) -> Result<DeclKind> {
        let mut parts = self.parts(pair);
        let vars = match parts.optional(Rule::data_vars) {
            Some(vars) => self.parts(vars).many(Rule::variable, |var| self.variable(var))?,
            None => vec![self.variable(parts.need()?)?],
        };
        let source = parts.optional(Rule::expr).map(|source| self.expr(source)).transpose()?;
        let settings = parts.many(Rule::setting, |setting| self.setting(setting))?;
        Ok(DeclKind::Data { vars, source, settings })
    }

    fn function(&self, pair: Pair<Rule>) -> Result<FnDecl> {
        let mut parts = self.parts(pair);
        let name = self.ident(parts.need()?);
        let sizes = self.size_params(parts.optional(Rule::size_params))?;
        let params = self.params(parts.optional(Rule::params))?;
        let result = parts.optional(Rule::result).map(|result| self.result(result)).transpose()?;
        Ok(FnDecl { name, sizes, params, result, body: self.body(parts.need()?)? })
    }

    /// `= e` or a block
    fn body(&self, pair: Pair<Rule>) -> Result<Expr> {
        if pair.as_rule() == Rule::block { self.primary(pair) } else { self.expr(self.parts(pair).need()?) }
    }

    fn factor(&self, pair: Pair<Rule>) -> Result<Factor> {
        let unnormalised = pair.clone().into_inner().any(|part| part.as_rule() == Rule::propto);
        let mut parts = self.parts(pair);
        let density = self.ident(parts.need()?);
        let targets = self.parts(parts.need()?).many(Rule::variable, |var| self.variable(var))?;
        let given = match parts.optional(Rule::factor_vars) {
            Some(given) => self.parts(given).many(Rule::variable, |var| self.variable(var))?,
            None => vec![],
        };
        Ok(Factor { density, targets, given, unnormalised, value: self.expr(parts.need()?)? })
    }

    fn process(&self, pair: Pair<Rule>) -> Result<ProcessDecl> {
        let mut parts = self.parts(pair);
        let name = self.ident(parts.need()?);
        let params = self.params(parts.optional(Rule::params))?;
        let equation = self.equation(parts.need()?, &name)?;
        Ok(ProcessDecl { name, params, equation, source: self.source(parts.optional(Rule::source))? })
    }

    fn equation(&self, pair: Pair<Rule>, density: &Ident) -> Result<Equation> {
        match pair.as_rule() {
            Rule::ito => self.ito(pair),
            Rule::markov => {
                let mut parts = self.parts(pair);
                let targets = self.parts(parts.need()?).many(Rule::variable, |var| self.variable(var))?;
                let given = self.parts(parts.need()?).many(Rule::variable, |var| self.variable(var))?;
                let value = self.expr(parts.need()?)?;
                Ok(Equation::Kernel(Factor { density: density.clone(), targets, given, unnormalised: false, value }))
            }
            _ => {
                let mut parts = self.parts(pair);
                Ok(Equation::Interpolant { left: self.expr(parts.need()?)?, value: self.expr(parts.need()?)? })
            }
        }
    }

    /// `dx = f dt + g dW`, either term absent, in any order, with signs
    fn ito(&self, pair: Pair<Rule>) -> Result<Equation> {
        let mut parts = self.parts(pair);
        let differential = self.ident(parts.need()?);
        let variable = Ident { name: differential.name.chars().skip(1).collect(), span: differential.span };
        let (mut drift, mut diffusion, mut minus) = (None, None, None);
        for part in parts {
            if part.as_rule() == Rule::ito_sign {
                minus = Some(self.span(&part)).filter(|_| part.as_str() == "-");
                continue;
            }
            let span = self.span(&part);
            let is_drift = part.clone().into_inner().any(|word| word.as_rule() == Rule::kw_dt);
            let factor = self.ito_factor(part, span)?;
            let factor = if let Some(sign) = minus.take() { unary(UnaryOp::Neg, sign, factor) } else { factor };
            let (term, word) = if is_drift { (&mut drift, "dt") } else { (&mut diffusion, "dW") };
            if term.replace(factor).is_some() {
                return Err(error::second_term(word, span));
            }
        }
        Ok(Equation::Ito { variable, drift, diffusion })
    }

    /// What stands before `dt` or `dW`; 1 where nothing does
    fn ito_factor(&self, pair: Pair<Rule>, span: Span) -> Result<Expr> {
        match self.parts(pair).optional(Rule::product) {
            Some(product) => self.expr(product),
            None => Ok(Expr { kind: ExprKind::Number { value: 1.0, integer: true, text: "1".to_string() }, span }),
        }
    }

    fn train(&self, pair: Pair<Rule>) -> Result<DeclKind> {
        let mut parts = self.parts(pair);
        let name = parts.optional(Rule::ident).map(|name| self.ident(name));
        let (body, settings) = self.train_block(parts.need()?)?;
        Ok(DeclKind::Train { name, body, settings })
    }

    fn sample(&self, pair: Pair<Rule>) -> Result<DeclKind> {
        let mut parts = self.parts(pair);
        let (name, value) = (self.ident(parts.need()?), self.expr(parts.need()?)?);
        Ok(DeclKind::Sample { name, value, picture: self.only_expr(parts.optional(Rule::picture))? })
    }

    fn declared(&self, pair: Pair<Rule>) -> Result<Declared> {
        let mut parts = self.parts(pair);
        let name = self.ident(parts.need()?);
        let sizes = self.size_params(parts.optional(Rule::size_params))?;
        let params = self.params(parts.optional(Rule::params))?;
        let ty = self.type_note(parts.optional(Rule::type_note))?;
        let members = self.parts(parts.need()?).many(Rule::member, |member| self.member(member))?;
        Ok(Declared { name, sizes, params, ty, members, source: self.source(parts.optional(Rule::source))? })
    }

    fn member(&self, pair: Pair<Rule>) -> Result<Member> {
        let mut parts = self.parts(pair);
        let state = parts.optional(Rule::state_word).is_some();
        let name = self.ident(parts.need()?);
        let params = self.params(parts.optional(Rule::params))?;
        Ok(Member { name, state, params, body: self.body(parts.need()?)? })
    }

    /// `from "source"`
    fn source(&self, pair: Option<Pair<Rule>>) -> Result<Option<String>> {
        pair.map(|source| Ok(unescape(self.parts(source).need()?.as_str()))).transpose()
    }
}
