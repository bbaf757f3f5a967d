//! `rule posterior(theta ~ Beta(a, b), x ~ Bernoulli(theta)) = Beta(a + total(x), …)`: conjugate pairs, for the distributions that
//! occur in the program.

use super::checker::{Checked, Checker, Fault, Scope};
use super::declarations::RuleDecl;
use super::dist;
use super::model::{Conjugate, ConjugateArgument as Argument, ConjugateKind, DistId, LocalId, Marginal};
use super::types::Type;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

/// `theta ~ Beta(a, b)`: names of draws, and a distribution by its name and arguments.
struct Drawn<'a> {
    names: Vec<&'a ast::Ident>,
    dist: &'a ast::Ident,
    args: &'a [ast::Arg],
}

/// What a rule about conjugate pairs gives.
#[derive(Clone, Copy)]
pub enum Given {
    Pair(ConjugateKind),
    Marginal,
}

/// What a rule of this name gives, if it is one about conjugate pairs.
pub fn given_by(name: &str) -> Option<Given> {
    match name {
        "posterior" => Some(Given::Pair(ConjugateKind::Posterior)),
        "predictive" => Some(Given::Pair(ConjugateKind::Predictive)),
        "marginal" => Some(Given::Marginal),
        _ => None,
    }
}

impl<'a> Checker<'a> {
    /// The rule for all instances that it fits.
    pub fn conjugacy(&mut self, rule: RuleDecl<'a>, given: Given) -> Checked<()> {
        match given {
            Given::Pair(kind) => self.conjugate_pairs(rule, kind),
            Given::Marginal => self.marginals(rule),
        }
    }

    fn marginals(&mut self, rule: RuleDecl<'a>) -> Checked<()> {
        let ast::ExprKind::Call { args, given: None, .. } = &rule.pattern.kind else { return Err(malformed(rule.pattern.span)) };
        let [member, joint] = &args[..] else { return Err(malformed(rule.pattern.span)) };
        let ast::ExprKind::Name(name) = &value_of(member).kind else { return Err(malformed(member.span)) };
        let drawn = drawn(joint)?;
        let position = drawn.names.iter().position(|other| other.name == name.name);
        let Some(member) = position else { return Err(malformed(member.span)) };
        for joint in self.instances(&drawn)? {
            let Type::Tuple(types) = self.model.dists[joint].event.clone() else { return Err(malformed(drawn.dist.span)) };
            let of = types.get(member).cloned().ok_or_else(|| malformed(drawn.dist.span))?;
            let names = dist::size_bindings(&self.made.dist_sizes[&joint]);
            let scope = Scope { library: rule.library, names, ..Scope::default() };
            let made = self.in_scope(scope, None, |this| {
                let parameters = this.prior_parameters(&drawn, joint)?;
                let result = this.expect(rule.value, &Type::Distribution(Box::new(of)), None);
                if result.is_error() {
                    return Err(Fault::Reported);
                }
                Ok(Marginal { joint, parameters, member, result, source: rule.source.clone(), span: rule.span })
            })?;
            self.model.marginals.push(made);
        }
        Ok(())
    }

    /// The rule for every pair of instances that it fits.
    fn conjugate_pairs(&mut self, rule: RuleDecl<'a>, kind: ConjugateKind) -> Checked<()> {
        let ast::ExprKind::Call { args, given: None, .. } = &rule.pattern.kind else { return Err(malformed(rule.pattern.span)) };
        let [prior, likelihood] = &args[..] else { return Err(malformed(rule.pattern.span)) };
        let (prior, likelihood) = (drawn(prior)?, drawn(likelihood)?);
        for of_prior in self.instances(&prior)? {
            for of_likelihood in self.instances(&likelihood)? {
                let sizes = self.made.dist_sizes[&of_prior].clone();
                if self.made.dist_sizes[&of_likelihood] == sizes {
                    let made = self.pair(&rule, kind, (&prior, of_prior), (&likelihood, of_likelihood), &sizes)?;
                    self.model.conjugates.push(made);
                }
            }
        }
        Ok(())
    }

    /// The instances of the distribution of a pattern, of the overload that a call like it would choose.
    fn instances(&self, drawn: &Drawn<'a>) -> Checked<Vec<DistId>> {
        let declared = self.declarations.dists.iter().filter(|dist| dist.name == drawn.dist.name);
        let mut declared = declared.map(|dist| Ok(&dist.get()?.params));
        let fits = |params: &Vec<ast::FnParam>| {
            let named = drawn.args.iter().all(|arg| match &arg.kind {
                ArgKind::Named(name, _) => params.iter().any(|param| param.name.name == name.name),
                _ => true,
            });
            named && params.len() == drawn.args.len()
        };
        let Some(params) = declared.find(|params: &Checked<_>| params.as_ref().map_or(true, |params| fits(params))).transpose()? else {
            return Ok(vec![]);
        };
        let params: Vec<&str> = params.iter().map(|param| param.name.name.as_str()).collect();
        let same = |id: &DistId| {
            let dist = &self.model.dists[*id];
            dist.name == drawn.dist.name
                && dist.params.iter().map(|param| self.model.locals[*param].name.as_str()).eq(params.iter().copied())
        };
        Ok(self.model.dists.ids().filter(same).collect())
    }

    fn pair(
        &mut self,
        rule: &RuleDecl<'a>,
        kind: ConjugateKind,
        (prior, of_prior): (&Drawn<'a>, DistId),
        (likelihood, of_likelihood): (&Drawn<'a>, DistId),
        sizes: &[(String, Size)],
    ) -> Checked<Conjugate> {
        let observing = kind == ConjugateKind::Posterior;
        let scope = Scope { library: rule.library, names: dist::size_bindings(sizes), observing, ..Scope::default() };
        self.in_scope(scope, None, |this| {
            let parameters = this.prior_parameters(prior, of_prior)?;
            let latents = this.latents(prior, of_prior)?;
            let event = this.model.dists[of_likelihood].event.clone();
            let [x] = likelihood.names[..] else { return Err(malformed(likelihood.dist.span)) };
            let observed = this.bind(&x.name, event.clone(), x.span);
            let params = this.model.dists[of_likelihood].params.clone();
            let arguments = params.into_iter().enumerate().map(|(at, param)| this.pattern_argument(likelihood, at, param));
            let arguments = arguments.collect::<Checked<_>>()?;
            let of = match kind {
                ConjugateKind::Posterior => this.model.dists[of_prior].event.clone(),
                ConjugateKind::Predictive => event,
            };
            let result = this.expect(rule.value, &Type::Distribution(Box::new(of)), None);
            if result.is_error() {
                return Err(Fault::Reported);
            }
            let source = rule.source.clone();
            let (prior, likelihood) = (of_prior, of_likelihood);
            Ok(Conjugate { kind, prior, parameters, latents, likelihood, observed, arguments, result, source, span: rule.span })
        })
    }

    /// The names that stand for the parameters of the prior.
    fn prior_parameters(&mut self, prior: &Drawn<'a>, of: DistId) -> Checked<Vec<LocalId>> {
        let params = self.model.dists[of].params.clone();
        let bind = |(at, param): (usize, LocalId)| {
            let local = self.model.locals[param].clone();
            match &argument_of(prior, at, &local.name).kind {
                ast::ExprKind::Name(name) => Ok(self.bind(&name.name, local.ty, name.span)),
                _ => Err(malformed(prior.dist.span)),
            }
        };
        params.into_iter().enumerate().map(bind).collect()
    }

    /// One name for a draw, or one for each member of a tuple.
    fn latents(&mut self, prior: &Drawn<'a>, of: DistId) -> Checked<Vec<LocalId>> {
        let types = match self.model.dists[of].event.clone() {
            Type::Tuple(types) => types,
            one => vec![one],
        };
        if types.len() != prior.names.len() {
            return Err(malformed(prior.dist.span));
        }
        Ok(prior.names.iter().zip(types).map(|(name, ty)| self.bind(&name.name, ty, name.span)).collect())
    }

    fn pattern_argument(&mut self, likelihood: &Drawn<'a>, at: usize, param: LocalId) -> Checked<Argument> {
        let local = self.model.locals[param].clone();
        let e = argument_of(likelihood, at, &local.name);
        let in_scope = |this: &Self, name: &ast::Ident| this.scope.names.iter().any(|(known, _)| *known == name.name);
        if let ast::ExprKind::Name(name) = &e.kind
            && !in_scope(self, name)
        {
            return Ok(Argument::Known(self.bind(&name.name, local.ty, name.span)));
        }
        let coefficient = match &e.kind {
            ast::ExprKind::Binary { op: ast::BinaryOp::Mul, left, .. } => match &left.kind {
                ast::ExprKind::Name(name) if !in_scope(self, name) => Some(self.bind(&name.name, local.ty.clone(), name.span)),
                _ => None,
            },
            _ => None,
        };
        let value = self.expect(e, &local.ty, None);
        match (value.is_error(), coefficient) {
            (true, _) => Err(Fault::Reported),
            (false, Some(coefficient)) => Ok(Argument::Scaled(value, coefficient)),
            (false, None) => Ok(Argument::Latent(value)),
        }
    }
}

/// The argument for a parameter: by its name, otherwise by its position.
fn argument_of<'a>(drawn: &Drawn<'a>, at: usize, param: &str) -> &'a ast::Expr {
    let named = drawn.args.iter().find(|arg| matches!(&arg.kind, ArgKind::Named(name, _) if name.name == param));
    value_of(named.unwrap_or(&drawn.args[at.min(drawn.args.len() - 1)]))
}

fn value_of(arg: &ast::Arg) -> &ast::Expr {
    match &arg.kind {
        ArgKind::Positional(e) | ArgKind::Named(_, e) | ArgKind::Substituted(_, e) | ArgKind::Draw(_, e) => e,
        ArgKind::Comprehension { body, .. } => body,
    }
}

fn drawn(arg: &ast::Arg) -> Checked<Drawn<'_>> {
    let ArgKind::Draw(target, dist) = &arg.kind else { return Err(malformed(arg.span)) };
    let name = |e: &'_ ast::Expr| matches!(e.kind, ast::ExprKind::Name(_));
    let parts: Vec<&ast::Expr> = match &target.kind {
        ast::ExprKind::Tuple(parts) => parts.iter().collect(),
        _ => vec![target],
    };
    if !parts.iter().all(|part| name(part)) {
        return Err(malformed(target.span));
    }
    let names = parts.into_iter().filter_map(|part| match &part.kind {
        ast::ExprKind::Name(name) => Some(name),
        _ => None,
    });
    let ast::ExprKind::Call { callee, args, given: None } = &dist.kind else { return Err(malformed(dist.span)) };
    let ast::ExprKind::Name(of) = &callee.kind else { return Err(malformed(dist.span)) };
    if args.is_empty() {
        return Err(malformed(dist.span));
    }
    Ok(Drawn { names: names.collect(), dist: of, args })
}

fn malformed(span: Span) -> Fault {
    let problem = Diagnostic::new(Code::WrongKind, "this is not the left side of a rule about a conjugate pair").at(span);
    problem.help("write `rule posterior(theta ~ Beta(a, b), x ~ Bernoulli(theta)) = …`, or `rule predictive(…) = …`").into()
}
