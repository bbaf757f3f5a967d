//! Types, variables and parameters: what may follow a `:`.

use super::ast::*;
use super::grammar::Rule;
use super::parse::Builder;
use super::syntax_error;
use crate::base::diagnostic::Result;
use pest::iterators::Pair;

impl Builder {
    pub fn ident(&self, pair: Pair<Rule>) -> Ident {
        Ident { name: pair.as_str().to_string(), span: self.span(&pair) }
    }

    pub fn type_expr(&self, pair: Pair<Rule>) -> Result<TypeExpr> {
        let span = self.span(&pair);
        let form = self.parts(pair).need()?;
        let is_named = form.as_rule() == Rule::named_type;
        let kind = if is_named { self.named_type(form)? } else { self.paren_type(form)? };
        Ok(TypeExpr { kind, span })
    }

    fn named_type(&self, pair: Pair<Rule>) -> Result<TypeExprKind> {
        let mut parts = self.parts(pair);
        let name = self.ident(parts.need()?);
        let bound = match parts.optional(Rule::bound) {
            Some(bound) => Some(Box::new(self.expr(self.parts(bound).need()?)?)),
            None => None,
        };
        let shape = match parts.optional(Rule::shape) {
            Some(shape) => self.parts(shape).many(Rule::axis, |axis| self.axis(axis))?,
            None => vec![],
        };
        Ok(TypeExprKind::Named { name, bound, shape })
    }

    fn axis(&self, pair: Pair<Rule>) -> Result<Axis> {
        let mut parts = self.parts(pair);
        let ragged = parts.optional(Rule::at_most).is_some();
        Ok(Axis { size: self.expr(parts.need()?)?, ragged })
    }

    /// `(A)` is `A` itself, `(A, B)` a tuple, `(A) -> B` a function.
    fn paren_type(&self, pair: Pair<Rule>) -> Result<TypeExprKind> {
        let mut parts = self.parts(pair);
        let mut types = parts.many(Rule::type_expr, |ty| self.type_expr(ty))?;
        match parts.optional(Rule::result) {
            Some(result) => Ok(TypeExprKind::Fn { params: types, result: Box::new(self.result(result)?) }),
            None if types.len() == 1 => Ok(types.swap_remove(0).kind),
            None => Ok(TypeExprKind::Tuple(types)),
        }
    }

    /// `-> T`
    pub fn result(&self, pair: Pair<Rule>) -> Result<TypeExpr> {
        self.type_expr(self.parts(pair).need()?)
    }

    /// `: T`, which may be absent
    pub fn type_note(&self, pair: Option<Pair<Rule>>) -> Result<Option<TypeExpr>> {
        pair.map(|note| self.type_expr(self.parts(note).need()?)).transpose()
    }

    /// The only expression of a part that may be absent: `= e`, `~ e`, `as e`.
    pub fn only_expr(&self, pair: Option<Pair<Rule>>) -> Result<Option<Expr>> {
        pair.map(|part| self.expr(self.parts(part).need()?)).transpose()
    }

    pub fn variable(&self, pair: Pair<Rule>) -> Result<VarDecl> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        let name = self.ident(parts.need()?);
        let family = if let Some(index) = parts.optional(Rule::at_bracket) {
            let index = self.expr(self.parts(index).need()?)?;
            match index.kind {
                ExprKind::Range { from, to } => VarFamily::Chain { from: *from, to: *to },
                kind => VarFamily::AtIndex(Expr { kind, span: index.span }),
            }
        } else if let Some(process) = parts.optional(Rule::process_index) {
            let mut parts = self.parts(process);
            let time = self.ident(parts.need()?);
            let over = self.expr(parts.need()?)?;
            match over.kind {
                ExprKind::Range { from, to } => VarFamily::Process { time, from: *from, to: *to },
                _ => return Err(syntax_error::process_needs_range(over.span)),
            }
        } else if let Some(time) = self.only_expr(parts.optional(Rule::at_paren))? {
            VarFamily::AtTime(time)
        } else {
            VarFamily::Single
        };
        let ty = self.type_note(parts.optional(Rule::type_note))?;
        Ok(VarDecl { name, family, ty, span })
    }

    pub fn param_def(&self, pair: Pair<Rule>) -> Result<ParamDef> {
        let mut parts = self.parts(pair);
        let name = self.ident(parts.need()?);
        let ty = self.type_expr(self.parts(parts.need()?).need()?)?;
        let init_dist = self.only_expr(parts.optional(Rule::init_dist))?;
        let init_value = self.only_expr(parts.optional(Rule::init_value))?;
        Ok(ParamDef { name, ty, init_dist, init_value })
    }

    /// `[sizes]` of a function or a distribution; none when absent
    pub fn size_params(&self, pair: Option<Pair<Rule>>) -> Result<Vec<SizeParam>> {
        let Some(pair) = pair else { return Ok(vec![]) };
        self.parts(pair).many(Rule::size_param, |pair| {
            let mut parts = self.parts(pair);
            let name = self.ident(parts.need()?);
            let variadic = parts.optional(Rule::dots).is_some();
            let default = self.only_expr(parts.optional(Rule::size_default))?;
            Ok(SizeParam { name, variadic, default })
        })
    }

    /// `(params)` of a function; none when absent
    pub fn params(&self, pair: Option<Pair<Rule>>) -> Result<Vec<FnParam>> {
        let Some(pair) = pair else { return Ok(vec![]) };
        self.parts(pair).many(Rule::param, |pair| {
            let mut parts = self.parts(pair);
            let name = self.ident(parts.need()?);
            let ty = self.type_note(parts.optional(Rule::type_note))?;
            let default = self.only_expr(parts.optional(Rule::param_default))?;
            Ok(FnParam { name, ty, default })
        })
    }

    pub fn clause(&self, pair: Pair<Rule>) -> Result<Clause> {
        let mut parts = self.parts(pair);
        Ok(Clause { index: self.ident(parts.need()?), over: self.expr(parts.need()?)? })
    }
}
