//! What stands in blocks.

use super::ast::*;
use super::grammar::Rule;
use super::parse::Builder;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use pest::iterators::Pair;

impl Builder {
    pub fn block(&self, pair: Pair<Rule>) -> Result<Vec<Stmt>> {
        let mut body = vec![];
        for part in self.parts(pair) {
            self.statement(part, &mut body)?;
        }
        Ok(body)
    }

    /// The statements and the settings of a `train` block.
    pub fn train_block(&self, pair: Pair<Rule>) -> Result<(Vec<Stmt>, Vec<Setting>)> {
        let (mut body, mut settings) = (vec![], vec![]);
        for part in self.parts(pair) {
            match part.as_rule() {
                Rule::setting => settings.push(self.setting(part)?),
                _ => self.statement(part, &mut body)?,
            }
        }
        Ok((body, settings))
    }

    pub fn setting(&self, pair: Pair<Rule>) -> Result<Setting> {
        let mut parts = self.parts(pair);
        Ok(Setting { name: self.ident(parts.need()?), value: self.expr(parts.need()?)? })
    }

    /// Appends a statement; `let a = 1, b = 2` makes two.
    fn statement(&self, pair: Pair<Rule>, body: &mut Vec<Stmt>) -> Result<()> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::let_stmt => {
                body.extend(self.parts(pair).many(Rule::let_binding, |binding| self.let_binding(binding))?);
                return Ok(());
            }
            Rule::param_decl => StmtKind::Param(self.parts(pair).many(Rule::param_def, |def| self.param_def(def))?),
            Rule::repeat_stmt => self.repeat(pair)?,
            Rule::for_stmt => {
                let mut parts = self.parts(pair);
                StmtKind::For { index: self.ident(parts.need()?), range: self.expr(parts.need()?)?, body: self.block(parts.need()?)? }
            }
            Rule::while_stmt => {
                let mut parts = self.parts(pair);
                StmtKind::While { condition: self.expr(parts.need()?)?, body: self.block(parts.need()?)? }
            }
            Rule::optimise_stmt => StmtKind::Optimise(self.optimise(pair)?),
            Rule::update_stmt => {
                let mut parts = self.parts(pair);
                StmtKind::Update { target: self.expr(parts.need()?)?, value: self.expr(parts.need()?)? }
            }
            Rule::simple_stmt => self.simple(pair)?,
            other => return Err(Diagnostic::internal(format!("{} is no statement", other.words())).at(span)),
        };
        body.push(Stmt { kind, span });
        Ok(())
    }

    fn let_binding(&self, pair: Pair<Rule>) -> Result<Stmt> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        let pattern = self.pattern(parts.need()?)?;
        let ty = self.type_note(parts.optional(Rule::type_note))?;
        let value = self.expr(parts.need()?)?;
        Ok(Stmt { kind: StmtKind::Let { pattern, ty, value }, span })
    }

    fn pattern(&self, pair: Pair<Rule>) -> Result<Pattern> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        if let Some(name) = parts.optional(Rule::ident) {
            return Ok(Pattern::Name(self.ident(name)));
        }
        let mut inner = parts.many(Rule::pattern, |pattern| self.pattern(pattern))?;
        Ok(if inner.len() == 1 { inner.swap_remove(0) } else { Pattern::Tuple(inner, span) })
    }

    fn repeat(&self, pair: Pair<Rule>) -> Result<StmtKind> {
        let mut parts = self.parts(pair);
        let index = match parts.optional(Rule::repeat_index) {
            Some(index) => Some(self.ident(self.parts(index).need()?)),
            None => None,
        };
        Ok(StmtKind::Repeat { index, times: self.expr(parts.need()?)?, body: self.block(parts.need()?)? })
    }

    fn optimise(&self, pair: Pair<Rule>) -> Result<Optimise> {
        let has = |rule| pair.clone().into_inner().any(|part| part.as_rule() == rule);
        let (maximize, exactly) = (has(Rule::kw_maximize), has(Rule::kw_exactly));
        let mut parts = self.parts(pair);
        let value = self.expr(parts.need()?)?;
        let over = match parts.optional(Rule::over) {
            Some(over) => self.parts(over).many(Rule::ident, |name| Ok(self.ident(name)))?,
            None => vec![],
        };
        let method = match self.only_expr(parts.optional(Rule::by_method))? {
            Some(method) => Method::By(method),
            None if exactly => Method::Exactly,
            None => Method::Unstated,
        };
        let optimiser = self.only_expr(parts.optional(Rule::with_optimiser))?;
        Ok(Optimise { maximize, value, over, method, optimiser })
    }

    /// A draw, an assignment, or an expression; an `if` with blocks is then a statement.
    fn simple(&self, pair: Pair<Rule>) -> Result<StmtKind> {
        let mut parts = self.parts(pair);
        let first = parts.need()?;
        if let Some(second) = parts.next() {
            let target = self.expr(first)?;
            let is_draw = second.as_rule() == Rule::draw_value;
            let value = self.expr(self.parts(second).need()?)?;
            return Ok(if is_draw { StmtKind::Draw { target, dist: value } } else { StmtKind::Assign { target, value } });
        }
        match only_if(&first) {
            Some(branches) => self.if_stmt(branches),
            None => Ok(StmtKind::Expr(self.expr(first)?)),
        }
    }

    fn if_stmt(&self, pair: Pair<Rule>) -> Result<StmtKind> {
        self.deeper(1, self.span(&pair), || {
            let mut parts = self.parts(pair.clone());
            let condition = self.expr(parts.need()?)?;
            let then = self.block(parts.need()?)?;
            let otherwise = match parts.optional(Rule::else_part) {
                Some(part) => self.else_branch(self.parts(part).need()?)?,
                None => vec![],
            };
            Ok(StmtKind::If { condition, then, otherwise })
        })
    }

    /// `else { … }`, `else if c { … }`, or `else e`
    fn else_branch(&self, pair: Pair<Rule>) -> Result<Vec<Stmt>> {
        let span = self.span(&pair);
        if let Some(nested) = only_if(&pair) {
            return Ok(vec![Stmt { kind: self.if_stmt(nested)?, span }]);
        }
        let value = self.expr(pair)?;
        Ok(match value.kind {
            ExprKind::Block(body) => body,
            kind => vec![Stmt { kind: StmtKind::Expr(Expr { kind, span }), span }],
        })
    }
}

/// The `if` with blocks that an expression consists of, if it does.
fn only_if<'a>(expr: &Pair<'a, Rule>) -> Option<Pair<'a, Rule>> {
    let mut row = expr.clone().into_inner();
    let first = row.next().filter(|first| first.as_rule() == Rule::if_expr && row.next().is_none())?;
    let with_blocks = first.clone().into_inner().any(|part| part.as_rule() == Rule::block);
    with_blocks.then_some(first)
}
