//! Densities: the factors of a file, their variables, and the queries that ask for them.

use super::chain::ChainHead;
use super::checker::{Callable, Checked, Checker, Fault, Scope, State, circle};
use super::declarations::Global;
use super::message;
use super::model::{Density, DensityId, Expr, Factor, MemberQuery, Query, Var, VarId};
use super::names::Named;
use super::process::InitialHead;
use super::process::StateHead;
use super::types::Type;
use crate::base::{Code, Diagnostic, Span, nearest};
use crate::syntax::ast::{self, ArgKind};

/// A density before its factors are typed: which variables it relates.
#[derive(Clone)]
pub struct Head<'a> {
    pub name: String,
    pub span: Span,
    pub factors: Vec<FactorHead<'a>>,
    /// Factors between members of chains
    pub chain: Vec<ChainHead<'a>>,
    /// The indexed family of which it is a process
    pub process: Option<VarId>,
    /// Factors given the state of a process
    pub states: Vec<StateHead<'a>>,
    /// `q(x(0) | y) = …`
    pub initial: Option<InitialHead<'a>>,
}

/// One side of a query.
#[derive(Default)]
struct AskedVars {
    whole: Vec<(VarId, Option<Expr>)>,
    members: Vec<MemberQuery>,
}

/// What a query speaks of.
pub enum Asked {
    Variable(VarId, Option<Expr>),
    Members(Box<MemberQuery>),
}

#[derive(Clone)]
pub struct FactorHead<'a> {
    pub value: &'a ast::Expr,
    pub targets: Vec<VarId>,
    pub given: Vec<VarId>,
    pub dist: Option<Expr>,
    pub span: Span,
}

impl<'a> Checker<'a> {
    /// Notes which variables a factor relates. All variables are known before.
    pub fn factor_head(&mut self, factor: &'a ast::Factor, span: Span) {
        let id = self.density_head(&factor.density, factor.density.span);
        if factor.unnormalised {
            self.report(Diagnostic::unsupported("an unnormalised density `∝`").at(span));
            self.made.poisoned.insert(id);
            return;
        }
        if let [ast::VarDecl { family: ast::VarFamily::AtTime(at), .. }] = &factor.targets[..] {
            let made = self.initial_head(id, factor, at, span);
            if self.settle(made).is_none() {
                self.made.poisoned.insert(id);
            }
            return;
        }
        if let Some((state, time)) = self.given_state(factor) {
            let made = self.state_factor_head(id, factor, (state, time), span);
            if self.settle(made).is_none() {
                self.made.poisoned.insert(id);
            }
            return;
        }
        if factor.targets.iter().chain(&factor.given).any(|var| var.family != ast::VarFamily::Single) {
            let made = self.member_factor_head(id, factor, span);
            if self.settle(made).is_none() {
                self.made.poisoned.insert(id);
            }
            return;
        }
        let (targets, given) = (self.factor_vars(&factor.targets), self.factor_vars(&factor.given));
        let (Some(targets), Some(given)) = (targets, given) else {
            self.made.poisoned.insert(id);
            return;
        };
        self.global_given(&targets, &given, span);
        let head = &mut self.heads[id.index()];
        let shared = |other: &&FactorHead<'a>| other.targets.iter().any(|var| targets.contains(var));
        if let Some(first) = head.factors.iter().find(shared) {
            let both = first.targets.iter().find(|var| targets.contains(var));
            let name = &self.model.vars[*both.unwrap_or(&targets[0])].name;
            let problem = Diagnostic::new(Code::DuplicateFactor, format!("`{}` has two factors for `{name}`", head.name))
                .label(span, "the second factor")
                .label(first.span, "the first factor")
                .help("a density has one factor for each variable; give the other to a density of its own");
            self.report(problem);
            return;
        }
        head.factors.push(FactorHead { value: &factor.value, targets, given, dist: None, span });
    }

    /// One value for all rows cannot depend on what each row has its own of.
    fn global_given(&mut self, targets: &[VarId], given: &[VarId], span: Span) {
        let vars = &self.model.vars;
        let by_row = |var: &Var| !var.global && var.observed.is_none_or(|data| !self.model.data[data].object);
        let Some(global) = targets.iter().map(|&var| &vars[var]).find(|var| var.global) else { return };
        let Some(local) = given.iter().map(|&var| &vars[var]).find(|var| by_row(var)) else { return };
        let problem =
            Diagnostic::new(Code::GlobalByRow, format!("`{}` is one value for all rows, `{}` has one for each", global.name, local.name))
                .label(span, format!("`{}` would differ from row to row", global.name))
                .label(local.span, format!("`{}` is declared here", local.name))
                .help(format!("leave `{}` out, or declare `{}` without `global`", local.name, global.name));
        self.report(problem);
    }

    /// `ref = frozen(pi)`; other densities made from densities are not supported.
    pub fn density_from(&mut self, name: &'a ast::Ident, value: &'a ast::Expr, span: Span) {
        if let ast::ExprKind::Call { callee, args, given: None } = &value.kind
            && matches!(&callee.kind, ast::ExprKind::Name(name) if name.name == "frozen")
            && let [ast::Arg { kind: ArgKind::Positional(of), .. }] = &args[..]
            && let ast::ExprKind::Name(of) = &of.kind
        {
            let id = self.density_head(name, span);
            match self.densities.get(&of.name) {
                Some(source) => {
                    let source = self.made.frozen.get(source).copied().unwrap_or(*source);
                    self.made.frozen.insert(id, source);
                }
                None => {
                    self.made.poisoned.insert(id);
                    if !matches!(self.declarations.get(&of.name, false), Some(Global::Unsupported)) {
                        self.report(self.unknown_name(of));
                    }
                }
            }
            return;
        }
        if let ast::ExprKind::Call { callee, args, given: None } = &value.kind
            && matches!(&callee.kind, ast::ExprKind::Name(name) if name.name == "pushforward")
        {
            return self.density_of_pushforward(name, args, value, span);
        }
        if super::process::maker(value).is_some() {
            let made = self.made_head(name, value, span);
            self.settle(made);
            return;
        }
        let made = match &value.kind {
            ast::ExprKind::Call { callee, .. } => match &callee.kind {
                ast::ExprKind::Name(name)
                    if self.declarations.get(&name.name, false).is_none() && !super::builtin::is_builtin(&name.name) =>
                {
                    return self.report(self.unknown_name(name));
                }
                ast::ExprKind::Name(name) => format!("a density made by `{}`", name.name),
                _ => "a density made from another".to_string(),
            },
            _ => "a density made from another".to_string(),
        };
        self.report(Diagnostic::unsupported(made).at(span));
    }

    pub fn density_head(&mut self, name: &ast::Ident, span: Span) -> DensityId {
        if let Some(id) = self.densities.get(&name.name) {
            return *id;
        }
        let name = name.name.clone();
        let density = Density {
            name: name.clone(),
            factors: vec![],
            chain: vec![],
            process: None,
            states: vec![],
            initial: None,
            frozen: false,
            span,
        };
        let id = self.model.densities.push(density);
        self.densities.insert(name.clone(), id);
        self.heads.push(Head { name, span, factors: vec![], chain: vec![], process: None, states: vec![], initial: None });
        id
    }

    fn factor_vars(&mut self, vars: &'a [ast::VarDecl]) -> Option<Vec<VarId>> {
        let found: Vec<Option<VarId>> = vars
            .iter()
            .map(|var| {
                let found = self.var_named(&var.name);
                self.settle(found)
            })
            .collect();
        found.into_iter().collect()
    }

    pub fn var_named(&self, name: &ast::Ident) -> Checked<VarId> {
        if let Some(id) = self.indexed(name).or_else(|| self.vars.get(&name.name).copied()) {
            return Ok(id);
        }
        match self.declarations.get(&name.name, false) {
            Some(Global::Var | Global::Unsupported) => Err(Fault::Reported),
            _ => {
                let problem = Diagnostic::new(Code::UnknownName, format!("`{}` is not a random variable", name.name)).at(name.span);
                Err(match nearest(&name.name, self.model.vars.values().map(|var| var.name.as_str())) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => {
                        problem.help(format!("declare it with `data`, or give its type in its factor: `p({} : Real[D]) = …`", name.name))
                    }
                }
                .into())
            }
        }
    }

    /// The distribution of a factor, on demand.
    pub fn factor(&mut self, id: DensityId, at: usize, used: Span) -> Checked<Expr> {
        let head = self.heads[id.index()].factors[at].clone();
        match self.made.factors.get(&(id, at)) {
            Some(State::Done(())) => return head.dist.ok_or(Fault::Reported),
            Some(State::Busy) => return Err(circle(&self.heads[id.index()].name, used)),
            Some(State::Failed) => return Err(Fault::Reported),
            Some(State::New) | None => {}
        }
        self.made.factors.insert((id, at), State::Busy);
        let types: Vec<Type> = head.targets.iter().map(|&var| self.model.vars[var].ty.clone()).collect();
        let want = match <[Type; 1]>::try_from(types) {
            Ok([one]) => one,
            Err(several) => Type::Tuple(several),
        };
        let want = Type::Distribution(Box::new(want));
        let scope = Scope { bound: head.given.clone(), only_bound: true, instance: Some(Default::default()), ..Scope::default() };
        let dist = self.in_scope(scope, None, |this| {
            let dist = this.expr(head.value, Some(&want));
            match head.targets[..] {
                _ if dist.is_error() => Err(Fault::Reported),
                [target] => this.fit_event(dist, target),
                _ => this.coerce(dist, &want, Some((head.span, format!("a factor of {want}")))),
            }
        });
        let dist = self.settle(dist);
        self.heads[id.index()].factors[at].dist = dist.clone();
        self.made.factors.insert((id, at), if dist.is_some() { State::Done(()) } else { State::Failed });
        dist.ok_or(Fault::Reported)
    }

    /// Types all factors and puts the densities into the model.
    pub fn finish_densities(&mut self) {
        for id in self.model.densities.ids() {
            for at in 0..self.heads[id.index()].factors.len() {
                let used = self.heads[id.index()].factors[at].span;
                let factor = self.factor(id, at, used);
                self.settle(factor);
            }
            self.check_acyclic(id);
            let chain = self.finish_chain(id);
            self.check_members_acyclic(id, &chain);
            self.model.densities[id].chain = chain;
            self.chain_process(id);
            let initial = self.finish_initial(id);
            self.settle(initial);
        }
        self.finish_made_processes();
        for id in self.model.densities.ids() {
            self.finish_state_factors(id);
        }
        for id in self.model.densities.ids() {
            let (source, frozen) = match self.made.frozen.get(&id) {
                Some(of) => (*of, true),
                None => (id, false),
            };
            let factors = self.heads[source.index()].factors.iter().filter_map(|factor| {
                let (targets, given) = (factor.targets.clone(), factor.given.clone());
                Some(Factor { targets, given, dist: factor.dist.clone()?, span: factor.span })
            });
            let factors = factors.collect();
            let chain = self.model.densities[source].chain.clone();
            let Density { process, states, initial, .. } = self.model.densities[source].clone();
            let density = &mut self.model.densities[id];
            (density.process, density.states, density.initial) = (process, states, initial);
            (density.factors, density.chain, density.frozen) = (factors, chain, frozen);
        }
    }

    fn check_acyclic(&mut self, id: DensityId) {
        let factors = &self.heads[id.index()].factors;
        let mut done: Vec<VarId> = vec![];
        let mut left: Vec<&FactorHead<'a>> = factors.iter().collect();
        loop {
            let declared = |var: &VarId| factors.iter().any(|factor| factor.targets.contains(var));
            let ready = |factor: &&FactorHead<'a>| factor.given.iter().all(|var| done.contains(var) || !declared(var));
            let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(ready);
            if now.is_empty() {
                left = later;
                break;
            }
            done.extend(now.iter().flat_map(|factor| factor.targets.clone()));
            left = later;
        }
        if let Some(first) = left.first() {
            let name = &self.heads[id.index()].name;
            let mut problem = Diagnostic::new(Code::Cycle, format!("the factors of `{name}` depend on each other in a circle"));
            problem =
                left.iter().fold(problem.label(first.span, "this factor needs the other"), |p, factor| match factor.span == first.span {
                    true => p,
                    false => p.label(factor.span, "and this one in turn"),
                });
            self.report(problem.help("give one direction to a density of another name, such as `q`"));
        }
    }

    /// The density behind a name, if it is one.
    pub fn density_named(&mut self, name: &'a ast::Ident) -> Option<Checked<DensityId>> {
        let local = self.scope.names.iter().any(|(n, _)| *n == name.name);
        match self.declarations.get(&name.name, self.scope.library) {
            Some(Global::Density) if !local => Some(match self.name(name) {
                Ok(Named::Callable(Callable::Density(id))) => self.usable(id),
                Ok(_) => Err(Fault::Reported),
                Err(fault) => Err(fault),
            }),
            Some(Global::Unsupported) if !local => Some(Err(Fault::Reported)),
            _ => match self.name(name) {
                Ok(Named::Callable(Callable::Density(id))) => Some(self.usable(id)),
                _ => None,
            },
        }
    }

    /// A density some factor of which was reported says nothing more.
    pub fn usable(&self, id: DensityId) -> Checked<DensityId> {
        let source = self.made.frozen.get(&id).copied().unwrap_or(id);
        if self.made.poisoned.contains(&id) || self.made.poisoned.contains(&source) { Err(Fault::Reported) } else { Ok(id) }
    }

    /// `p(x | z)`, `p(x = y | z = w)`. In a log-density, every variable needs a value.
    pub fn query(
        &mut self,
        density: DensityId,
        targets: &'a [ast::Arg],
        given: Option<&'a [ast::Arg]>,
        log: bool,
        span: Span,
    ) -> Checked<Query> {
        self.usable(density)?;
        let AskedVars { whole: targets, members: member_targets } = self.query_vars(density, targets, true, log)?;
        let AskedVars { whole: given, members: member_given } = self.query_vars(density, given.unwrap_or(&[]), false, true)?;
        if targets.is_empty() && member_targets.is_empty() {
            return Err(Diagnostic::new(Code::UnknownVariable, "a query names the variables it asks for")
                .at(span)
                .help("write `p(x)`")
                .into());
        }
        self.each_once(targets.iter().chain(&given), span)?;
        let query = Query { density, targets, given, member_targets, member_given, span };
        if !query.member_targets.is_empty() {
            self.gaussian_answers(&self.query_type(&query), span)?;
        }
        Ok(query)
    }

    /// Variables as a whole, and members of chains.
    fn query_vars(&mut self, density: DensityId, args: &'a [ast::Arg], target: bool, needs_value: bool) -> Checked<AskedVars> {
        let mut asked = AskedVars::default();
        for arg in args {
            match self.query_var(density, arg, target, needs_value)? {
                Asked::Variable(var, value) => asked.whole.push((var, value)),
                Asked::Members(members) => asked.members.push(*members),
            }
        }
        Ok(asked)
    }

    /// A variable with two values has no meaning.
    fn each_once<'q>(&self, vars: impl Iterator<Item = &'q (VarId, Option<Expr>)>, span: Span) -> Checked<()> {
        let mut seen = vec![];
        for (var, _) in vars {
            if seen.contains(var) {
                let name = &self.model.vars[*var].name;
                let problem = Diagnostic::new(Code::DuplicateName, format!("`{name}` stands twice in this query")).at(span);
                return Err(problem.help("ask for each variable once, or have it given").into());
            }
            seen.push(*var);
        }
        Ok(())
    }

    fn query_var(&mut self, density: DensityId, arg: &'a ast::Arg, target: bool, needs_value: bool) -> Checked<Asked> {
        let (of, value) = match &arg.kind {
            ArgKind::Positional(of) => (of, None),
            ArgKind::Substituted(of, value) => (of, Some(value)),
            ArgKind::Named(..) | ArgKind::Draw(..) | ArgKind::Comprehension { .. } => {
                let problem = Diagnostic::new(Code::WrongKind, "a query names random variables").at(arg.span);
                return Err(problem.help("write `p(x | z)` or `p(x = y | z = w)`").into());
            }
        };
        let ast::ExprKind::Name(name) = &of.kind else {
            if let ast::ExprKind::Bracket { base, args } = &of.kind
                && let ast::ExprKind::Name(name) = &base.kind
            {
                let var = self.var_named(name)?;
                self.known_to(density, var, name)?;
                return self.query_members(var, args, value, needs_value, of.span);
            }
            if let ast::ExprKind::Call { callee, args, given: None } = &of.kind
                && let ast::ExprKind::Name(name) = &callee.kind
            {
                let var = self.var_named(name)?;
                self.known_to(density, var, name)?;
                return self.query_instant(var, args, value, needs_value, of.span);
            }
            return Err(Diagnostic::new(Code::WrongKind, "a query names random variables").at(of.span).into());
        };
        let var = self.var_named(name)?;
        self.known_to(density, var, name)?;
        let ty = self.model.vars[var].ty.clone();
        let why = Some((self.model.vars[var].span, format!("`{}` is declared {ty}", name.name)));
        if let Some(value) = value {
            let value = if target { self.point(value, &ty, why) } else { self.expect(value, &ty, why) };
            return Ok(Asked::Variable(var, Some(value)));
        }
        // A local of the same name is what the reader means.
        if needs_value && self.scope.names.iter().any(|(n, _)| *n == name.name) {
            let value = if target { self.point(of, &ty, why) } else { self.expect(of, &ty, why) };
            return Ok(Asked::Variable(var, Some(value)));
        }
        if needs_value {
            self.has_value(var, name.span)?;
        }
        Ok(Asked::Variable(var, None))
    }

    fn known_to(&self, density: DensityId, var: VarId, name: &ast::Ident) -> Checked<()> {
        let source = self.made.frozen.get(&density).copied().unwrap_or(density);
        let head = &self.heads[source.index()];
        let mentions = |factor: &FactorHead<'a>| factor.targets.contains(&var) || factor.given.contains(&var);
        let in_chain =
            |factor: &ChainHead<'a>| factor.target == var || factor.given.contains(&var) || factor.members.iter().any(|m| m.0 == var);
        let given_state = self.state_head(density, var).is_some();
        let initial = head.initial.as_ref().is_some_and(|initial| initial.given.contains(&var));
        let among_factors = head.factors.iter().any(mentions) || head.chain.iter().any(in_chain);
        if given_state || head.process == Some(var) || initial || among_factors {
            return Ok(());
        }
        let targets = head.factors.iter().flat_map(|f| &f.targets).chain(head.chain.iter().map(|f| &f.target));
        let vars: Vec<&str> = targets.map(|var| self.model.vars[*var].name.as_str()).collect();
        let problem = Diagnostic::new(Code::UnknownVariable, format!("`{}` has no factor for `{}`", head.name, name.name))
            .label(name.span, "asked for here")
            .label(head.span, format!("`{}` relates {}", head.name, vars.join(", ")));
        let first = vars.first().copied().unwrap_or("x");
        Err(problem
            .help(format!("declare `{}({} | …)`, or substitute: `{}({first} = {})`", head.name, name.name, head.name, name.name))
            .into())
    }

    /// A random variable has a value where it is bound, and where it is data.
    pub fn has_value(&self, var: VarId, span: Span) -> Checked<()> {
        let declared = &self.model.vars[var];
        if self.scope.bound.contains(&var) {
            return Ok(());
        }
        match declared.observed {
            Some(_) if !self.scope.only_bound => Ok(()),
            Some(_) => {
                let problem = Diagnostic::new(Code::LatentWithoutValue, format!("`{}` is not a given of this factor", declared.name))
                    .label(span, "used here")
                    .label(declared.span, "declared here");
                Err(problem.help(format!("condition on it: `p(… | {})`", declared.name)).into())
            }
            None => Err(message::latent(&declared.name, span, declared.span).into()),
        }
    }

    /// The type of a query as a value.
    pub fn query_type(&self, query: &Query) -> Type {
        let whole = query.targets.iter().map(|(var, _)| self.model.vars[*var].ty.clone());
        let members = query.member_targets.iter().map(|m| self.members_type(m.var, &m.which).unwrap_or(Type::Error));
        let types: Vec<Type> = whole.chain(members).collect();
        let of = match <[Type; 1]>::try_from(types) {
            Ok([one]) => one,
            Err(types) => Type::Tuple(types),
        };
        Type::Distribution(Box::new(of))
    }

    /// The distribution of the factor that answers a query as it stands.
    pub fn declared_factor(&mut self, query: &Query) -> Option<Expr> {
        let source = self.made.frozen.get(&query.density).copied().unwrap_or(query.density);
        let same =
            |asked: &[(VarId, Option<Expr>)], vars: &[VarId]| asked.len() == vars.len() && asked.iter().all(|(var, _)| vars.contains(var));
        let factors = &self.heads[source.index()].factors;
        let at = factors.iter().position(|factor| same(&query.targets, &factor.targets) && same(&query.given, &factor.given))?;
        self.factor(source, at, query.span).ok()
    }
}
