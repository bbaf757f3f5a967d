//! Closed forms from `rule` declarations, for the distributions that occur in the program.

use super::checker::{Checked, Checker, Fault, Scope};
use super::declarations::RuleDecl;
use super::listed::Listed;
use super::model::{Dist, DistId, Expr, Function, FunctionId, LocalId, Rule, RuleKind};
use super::types::Type;
use super::{conjugate, dist};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

/// One distribution of a pattern: its name, and the names that stand for its parameters.
struct Side<'a> {
    /// The name of a draw from it: `x` in `maximum_likelihood(x ~ Normal(m, s))`
    draw: Option<&'a ast::Ident>,
    dist: &'a str,
    /// With the parameter's name where that chooses an overload: `Bernoulli(logits: a)`
    names: Vec<(Option<&'a str>, &'a ast::Ident)>,
}

/// The left side of a rule.
struct Pattern<'a> {
    kind: RuleKind,
    /// `maximum_likelihood[s](x ~ Normal(m, s))`: the names of the parameters that are fitted while the others are known
    fitted: Vec<&'a ast::Ident>,
    sides: Vec<Side<'a>>,
}

impl<'a> Checker<'a> {
    /// Instances of all rules that fit the distributions in the model. An instance needs equal sizes on both sides.
    pub fn rules(&mut self) {
        let declarations = self.declarations;
        // Predictive distributions may be of a kind that nothing else in the program is.
        for listed in &declarations.rules {
            if let Some(given) = conjugate::given_by(listed.name)
                && self.may_apply(listed)
            {
                let made = listed.get().and_then(|rule| self.conjugacy(rule, given));
                self.settle(made);
            }
        }
        for listed in declarations.rules.iter().filter(|listed| conjugate::given_by(listed.name).is_none()) {
            if self.may_apply(listed) {
                let made = listed.get().and_then(|rule| self.rule(rule));
                self.settle(made);
            }
        }
    }

    /// Whether the model has all distributions of a rule's left side, as far as its text tells: without them it has no instance.
    fn may_apply(&self, rule: &Listed<'a, RuleDecl<'a>>) -> bool {
        let left = rule.text().and_then(|text| text.split('=').next()).unwrap_or_default();
        let mut dists = called_in(left).filter(|name| !self.declarations.library_dists(name).is_empty());
        dists.all(|name| self.model.dists.values().any(|dist| dist.name == name))
    }

    fn rule(&mut self, rule: RuleDecl<'a>) -> Checked<()> {
        let Pattern { kind, fitted, sides } = pattern(rule.pattern)?;
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
            let function = self.rule_function(&rule, kind, &sides, &dists, &sizes)?;
            let fitted = self.positions(&fitted, &sides[0], dists[0]);
            let source = rule.source.clone();
            self.model.rules.push(Rule { kind, dists, fitted, function, source, span: rule.span });
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

    /// Which parameters of the distribution the names in the brackets stand for.
    fn positions(&self, names: &[&ast::Ident], side: &Side<'a>, dist: DistId) -> Vec<usize> {
        let params = self.model.dists[dist].params.iter().enumerate();
        let named = params.filter(|(position, param)| {
            let own = self.model.locals[**param].name.as_str();
            let by_name = side.names.iter().find(|(param, _)| *param == Some(own)).or(side.names.get(*position));
            by_name.is_some_and(|(_, name)| names.iter().any(|fitted| fitted.name == name.name))
        });
        named.map(|(position, _)| position).collect()
    }

    fn rule_function(
        &mut self,
        rule: &RuleDecl<'a>,
        kind: RuleKind,
        sides: &[Side<'a>],
        dists: &[DistId],
        sizes: &[(String, Size)],
    ) -> Checked<FunctionId> {
        let names = dist::size_bindings(sizes);
        let scope = Scope { library: rule.library, names, observing: kind == RuleKind::MaximumLikelihood, ..Scope::default() };
        self.in_scope(scope, None, |this| {
            let mut params: Vec<LocalId> = vec![];
            for (side, dist) in sides.iter().zip(dists) {
                let event = this.model.dists[*dist].event.clone();
                params.extend(side.draw.map(|draw| this.bind(&draw.name, event, draw.span)));
                for (position, &param) in this.model.dists[*dist].params.clone().iter().enumerate() {
                    let local = this.model.locals[param].clone();
                    let by_name = side.names.iter().find(|(named, _)| *named == Some(local.name.as_str()));
                    let Some((_, name)) = by_name.or(side.names.get(position)) else { return Err(Fault::Reported) };
                    params.push(this.bind(&name.name, local.ty, name.span));
                }
            }
            let body = match kind {
                RuleKind::Kl | RuleKind::Entropy | RuleKind::CrossEntropy => {
                    let body = this.expr(rule.value, None);
                    let body = this.scalar_real(body, "a closed form")?;
                    this.coerce(body, &Type::real([]), None)?
                }
                RuleKind::MaximumLikelihood => this.fitted(rule, dists[0])?,
            };
            let dists: Vec<&str> = dists.iter().map(|dist| this.model.dists[*dist].name.as_str()).collect();
            let function = Function { name: format!("rule {}", dists.join(" || ")), settled: vec![], params, body, span: rule.span };
            Ok(this.model.functions.push(function))
        })
    }
}

impl<'a> Checker<'a> {
    /// The value of a rule for the maximum of the likelihood: the same distribution, with the fitted parameters.
    fn fitted(&mut self, rule: &RuleDecl<'a>, dist: DistId) -> Checked<Expr> {
        let event = self.model.dists[dist].event.clone();
        let body = self.expect(rule.value, &Type::Distribution(Box::new(event)), None);
        match self.dist_of(&body) {
            _ if body.is_error() => Err(Fault::Reported),
            Some((found, _)) if found == dist => Ok(body),
            _ => {
                let name = &self.model.dists[dist].name;
                let problem = Diagnostic::new(Code::WrongKind, format!("what fits draws of `{name}` best is a `{name}`"));
                Err(problem.at(rule.value.span).help(format!("write `= {name}(…)`, with its parameters as in the pattern")).into())
            }
        }
    }
}

/// `KL(A(a1, a2) || B(b1, b2))`, `H(A(a))`, `maximum_likelihood(x ~ A(a))`
fn pattern<'a>(e: &'a ast::Expr) -> Checked<Pattern<'a>> {
    let malformed = |span: Span| -> Fault {
        let problem = Diagnostic::new(Code::WrongKind, "this is not the left side of a rule").at(span);
        problem
            .help(
                "write `rule KL(Normal(m1, s1) || Normal(m2, s2)) = …`, `rule H(Normal(m, s)) = …` or \
             `rule maximum_likelihood(x ~ Normal(m, s)) = …`",
            )
            .into()
    };
    let ast::ExprKind::Call { callee, args, given: None } = &e.kind else { return Err(malformed(e.span)) };
    let (callee, brackets) = match &callee.kind {
        ast::ExprKind::Bracket { base, args } => (&**base, &args[..]),
        _ => (&**callee, &[][..]),
    };
    let (ast::ExprKind::Name(name), [ast::Arg { kind, .. }]) = (&callee.kind, &args[..]) else {
        return Err(malformed(e.span));
    };
    let of = match (name.name.as_str(), kind) {
        ("KL" | "H" | "cross_entropy", ArgKind::Positional(of)) if brackets.is_empty() => of,
        ("maximum_likelihood", ArgKind::Draw(draw, of)) => {
            let ast::ExprKind::Name(draw) = &draw.kind else { return Err(malformed(draw.span)) };
            let of = side(of).ok_or_else(|| malformed(of.span))?;
            let named = brackets.iter().map(|arg| match &arg.kind {
                ArgKind::Positional(ast::Expr { kind: ast::ExprKind::Name(name), .. }) => Ok(name),
                _ => Err(malformed(arg.span)),
            });
            let named = named.collect::<Checked<Vec<_>>>()?;
            let fitted = if named.is_empty() { of.names.iter().map(|(_, name)| *name).collect() } else { named };
            return Ok(Pattern { kind: RuleKind::MaximumLikelihood, fitted, sides: vec![Side { draw: Some(draw), ..of }] });
        }
        _ => return Err(malformed(e.span)),
    };
    match (name.name.as_str(), &of.kind) {
        (form @ ("KL" | "cross_entropy"), ast::ExprKind::Binary { op: ast::BinaryOp::Parallel, left, right }) => {
            let kind = if form == "KL" { RuleKind::Kl } else { RuleKind::CrossEntropy };
            let sides = vec![side(left).ok_or_else(|| malformed(left.span))?, side(right).ok_or_else(|| malformed(right.span))?];
            Ok(Pattern { kind, fitted: vec![], sides })
        }
        ("H", _) => {
            let sides = vec![side(of).ok_or_else(|| malformed(of.span))?];
            Ok(Pattern { kind: RuleKind::Entropy, fitted: vec![], sides })
        }
        _ => Err(malformed(e.span)),
    }
}

/// The words before opening parentheses: `KL`, `Normal` and `Normal` of `KL(Normal(m1, s1) || Normal(m2, s2))`.
fn called_in(text: &str) -> impl Iterator<Item = &str> {
    let before = text.match_indices('(').map(|(at, _)| &text[..at]);
    before.filter_map(|before| before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next())
}

fn side(e: &ast::Expr) -> Option<Side<'_>> {
    let ast::ExprKind::Call { callee, args, given: None } = &e.kind else { return None };
    let ast::ExprKind::Name(name) = &callee.kind else { return None };
    let names = args.iter().map(|arg| match &arg.kind {
        ArgKind::Positional(ast::Expr { kind: ast::ExprKind::Name(name), .. }) => Some((None, name)),
        ArgKind::Named(param, ast::Expr { kind: ast::ExprKind::Name(name), .. }) => Some((Some(param.name.as_str()), name)),
        _ => None,
    });
    Some(Side { draw: None, dist: &name.name, names: names.collect::<Option<_>>()? })
}
