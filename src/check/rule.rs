//! Closed forms from `rule` declarations, for the distributions that occur in the program.

use super::checker::{Checked, Checker, Fault, Scope};
use super::declarations::RuleDecl;
use super::dist;
use super::model::{Dist, DistId, Function, FunctionId, LocalId, Rule, RuleKind};
use super::types::Type;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

/// One distribution of a pattern: its name, and the names that stand for its parameters.
struct Side<'a> {
    dist: &'a str,
    /// With the parameter's name where that chooses an overload: `Bernoulli(logits: a)`
    names: Vec<(Option<&'a str>, &'a ast::Ident)>,
}

impl<'a> Checker<'a> {
    /// Instances of all rules that fit the distributions in the model. An instance needs equal sizes on both sides.
    pub fn rules(&mut self) {
        let declarations = self.declarations;
        for rule in &declarations.rules {
            let made = self.rule(rule);
            self.settle(made);
        }
    }

    fn rule(&mut self, rule: &'a RuleDecl<'a>) -> Checked<()> {
        let (kind, sides) = pattern(rule.pattern)?;
        let candidates: Vec<Vec<DistId>> = sides.iter().map(|side| self.matching(side)).collect();
        let pairs: Vec<Vec<DistId>> = match &candidates[..] {
            [only] => only.iter().map(|a| vec![*a]).collect(),
            [left, right] => left.iter().flat_map(|a| right.iter().map(|b| vec![*a, *b])).collect(),
            _ => vec![],
        };
        for dists in pairs {
            let sizes = self.made.dist_sizes[&dists[0]].clone();
            if dists
                .iter()
                .any(|dist| self.model.dists[*dist].event != self.model.dists[dists[0]].event || self.made.dist_sizes[dist] != sizes)
            {
                continue;
            }
            let function = self.rule_function(rule, &sides, &dists, &sizes)?;
            let source = rule.source.clone();
            self.model.rules.push(Rule { kind, dists, function, source, span: rule.span });
        }
        Ok(())
    }

    /// The instances whose declaration has the name and the parameters of a pattern.
    fn matching(&self, side: &Side<'a>) -> Vec<DistId> {
        let fits = |dist: &Dist| {
            let names: Vec<&str> = dist.params.iter().map(|param| self.model.locals[*param].name.as_str()).collect();
            let named = side.names.iter().all(|(param, _)| param.is_none_or(|param| names.contains(&param)));
            dist.name == side.dist && names.len() == side.names.len() && named
        };
        self.model.dists.iter().filter(|(_, dist)| fits(dist)).map(|(id, _)| id).collect()
    }

    fn rule_function(
        &mut self,
        rule: &'a RuleDecl<'a>,
        sides: &[Side<'a>],
        dists: &[DistId],
        sizes: &[(String, Size)],
    ) -> Checked<FunctionId> {
        let names = dist::size_bindings(sizes);
        let scope = Scope { library: rule.library, names, ..Scope::default() };
        self.in_scope(scope, None, |this| {
            let mut params: Vec<LocalId> = vec![];
            for (side, dist) in sides.iter().zip(dists) {
                for (position, &param) in this.model.dists[*dist].params.clone().iter().enumerate() {
                    let local = this.model.locals[param].clone();
                    let by_name = side.names.iter().find(|(named, _)| *named == Some(local.name.as_str()));
                    let Some((_, name)) = by_name.or(side.names.get(position)) else { return Err(Fault::Reported) };
                    params.push(this.bind(&name.name, local.ty, name.span));
                }
            }
            let body = this.expr(rule.value, None);
            let body = this.scalar_real(body, "a closed form")?;
            let body = this.coerce(body, &Type::real([]), None)?;
            let dists: Vec<&str> = dists.iter().map(|dist| this.model.dists[*dist].name.as_str()).collect();
            let function = Function { name: format!("rule {}", dists.join(" || ")), params, body, span: rule.span };
            Ok(this.model.functions.push(function))
        })
    }
}

/// `KL(A(a1, a2) || B(b1, b2))`, `H(A(a))`
fn pattern<'a>(e: &'a ast::Expr) -> Checked<(RuleKind, Vec<Side<'a>>)> {
    let malformed = |span: Span| -> Fault {
        let problem = Diagnostic::new(Code::WrongKind, "this is not the left side of a rule").at(span);
        problem.help("write `rule KL(Normal(m1, s1) || Normal(m2, s2)) = …` or `rule H(Normal(m, s)) = …`").into()
    };
    let ast::ExprKind::Call { callee, args, given: None } = &e.kind else { return Err(malformed(e.span)) };
    let (ast::ExprKind::Name(name), [ast::Arg { kind: ArgKind::Positional(of), .. }]) = (&callee.kind, &args[..]) else {
        return Err(malformed(e.span));
    };
    match (name.name.as_str(), &of.kind) {
        ("KL", ast::ExprKind::Binary { op: ast::BinaryOp::Parallel, left, right }) => {
            Ok((RuleKind::Kl, vec![side(left).ok_or_else(|| malformed(left.span))?, side(right).ok_or_else(|| malformed(right.span))?]))
        }
        ("H", _) => Ok((RuleKind::Entropy, vec![side(of).ok_or_else(|| malformed(of.span))?])),
        _ => Err(malformed(e.span)),
    }
}

fn side(e: &ast::Expr) -> Option<Side<'_>> {
    let ast::ExprKind::Call { callee, args, given: None } = &e.kind else { return None };
    let ast::ExprKind::Name(name) = &callee.kind else { return None };
    let names = args.iter().map(|arg| match &arg.kind {
        ArgKind::Positional(ast::Expr { kind: ast::ExprKind::Name(name), .. }) => Some((None, name)),
        ArgKind::Named(param, ast::Expr { kind: ast::ExprKind::Name(name), .. }) => Some((Some(param.name.as_str()), name)),
        _ => None,
    });
    Some(Side { dist: &name.name, names: names.collect::<Option<_>>()? })
}
