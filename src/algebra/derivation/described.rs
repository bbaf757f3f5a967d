//! Distributions in derivations: parameters that are more than a symbol get one, and what it stands for becomes a where-clause; rules of
//! the library are read for these symbols, element by element where a distribution is repeated.

use super::{Big, Formula, Names, Step};
use crate::algebra::leaves::tensor_type;
use crate::algebra::lowering::Lowering;
use crate::base::Span;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::check::model::{DensityId, DistId, Expr, ExprKind, Factor, FunctionId, PushforwardId, Rule, RuleKind, VarId};
use crate::check::types::Type;

/// A distribution of the library with symbols for its parameters.
pub struct Described {
    pub dist: DistId,
    /// The formula that stands for it: N(μ, σ²)
    pub formula: Formula,
    params: Vec<Param>,
    /// Over how many axes it is repeated
    repeated: usize,
    /// (μ, σ) = enc(x)
    pub remarks: Vec<Formula>,
}

struct Param {
    formula: Formula,
    /// It has the repeated axes
    varies: bool,
}

const CHANGE_OF_VARIABLES: &str = "Rezende, Mohamed: Variational inference with normalizing flows (2015), equation 5";

/// The letters of indices over repeated axes.
const LETTERS: [&str; 4] = ["i", "j", "k", "l"];

impl Lowering<'_> {
    /// A factor's distribution, its symbols told apart from those of other factors.
    pub(in crate::algebra) fn described_factor(&self, id: DensityId, factor: &Factor) -> Option<Described> {
        self.described(&factor.dist, factor.targets.first().map(|&target| (id, target)))
    }

    /// A distribution as written: of a family of the library, or of a declared factor. None of others.
    pub(in crate::algebra) fn described(&self, expr: &Expr, of: Option<(DensityId, VarId)>) -> Option<Described> {
        let mut names = Names::new(self.model);
        let (dist, args) = match &expr.kind {
            ExprKind::Dist(dist, args) => (*dist, args),
            // `Normal(enc(x))` binds the parts of a tuple first.
            ExprKind::Block(stmts, tail) => {
                let ExprKind::Dist(dist, args) = &tail.kind else { return None };
                stmts.iter().for_each(|stmt| names.statement(stmt));
                (*dist, args)
            }
            ExprKind::Conditional(query) => {
                let [(target, _)] = query.targets[..] else { return None };
                let factor = self.model.densities[query.density].factor_of(target)?;
                let mut given = query.given.iter().map(|(var, value)| value.is_none().then_some(*var));
                let as_declared = query.given.len() == factor.given.len() && given.all(|g| g.is_some_and(|g| factor.given.contains(&g)));
                return if as_declared { self.described_factor(query.density, factor) } else { None };
            }
            _ => return None,
        };
        let Type::Distribution(value) = &expr.ty else { return None };
        let family = &self.model.dists[dist];
        let repeated = tensor_type(value).ok()?.rank() - tensor_type(&family.event).ok()?.rank();
        let formulas: Vec<Formula> = args.iter().map(|arg| names.expr(arg)).collect();
        let mut remarks = vec![];
        let symbols = self.symbols(dist, &formulas, of, &mut remarks);
        let names: Vec<&str> = family.params.iter().map(|&local| self.model.locals[local].name.as_str()).collect();
        let mut params = vec![];
        for ((formula, arg), &local) in symbols.iter().zip(args).zip(&family.params) {
            let own = tensor_type(&self.model.locals[local].ty).ok()?.rank();
            let varies = tensor_type(&arg.ty).ok()?.rank() > own;
            params.push(Param { formula: formula.clone(), varies });
        }
        Some(Described { dist, formula: Formula::family(&family.name, &names, symbols), params, repeated, remarks })
    }

    /// Symbols for parameters that have none of their own.
    fn symbols(&self, dist: DistId, formulas: &[Formula], of: Option<(DensityId, VarId)>, remarks: &mut Vec<Formula>) -> Vec<Formula> {
        let locals = &self.model.dists[dist].params;
        let symbol = |at: usize| self.symbol(&self.model.locals[locals[at]].name, of);
        if let Some(whole) = parts_of_one(formulas) {
            let names: Vec<Formula> = (0..formulas.len()).map(symbol).collect();
            remarks.push(Formula::Tuple(names.clone()).equals(whole));
            return names;
        }
        let each = |(at, formula): (usize, &Formula)| {
            if is_symbol(formula) {
                return formula.clone();
            }
            let name = symbol(at);
            remarks.push(name.clone().equals(formula.clone()));
            name
        };
        formulas.iter().enumerate().map(each).collect()
    }

    /// μ for a mean; with the variable as a subscript where several factors of the file have one.
    fn symbol(&self, param: &str, of: Option<(DensityId, VarId)>) -> Formula {
        let letter = match param {
            "mean" => "mu",
            "std" => "sigma",
            "var" | "variance" => "v",
            "cov" => "Sigma",
            "logits" => "ℓ",
            "probs" | "prob" => "pi",
            "rate" => "lambda",
            "scale" => "b",
            "concentration" | "shape" => "alpha",
            "dof" => "nu",
            "low" => "a",
            "high" => "b",
            other => other,
        };
        let symbol = Formula::from(letter);
        let model = self.model;
        let taken = model.vars.values().any(|v| v.name == letter)
            || model.params.values().any(|p| p.path == letter)
            || model.consts.values().any(|c| c.name == letter);
        let Some((density, target)) = of else { return symbol };
        let others = |f: &dyn Fn(DensityId, &Factor) -> bool| {
            model.densities.iter().flat_map(|(id, d)| d.factors.iter().map(move |factor| (id, factor))).any(|(id, factor)| {
                let own = id == density && factor.targets.contains(&target);
                !own && f(id, factor) && self.needs(factor, param)
            })
        };
        if others(&|_, factor| factor.targets.contains(&target)) {
            return symbol.index([Formula::name(model.densities[density].name.as_str()), self.var_formula(target)]);
        }
        if taken || others(&|_, _| true) { symbol.index([self.var_formula(target)]) } else { symbol }
    }

    /// Whether a factor has a parameter of this name that needs a symbol.
    fn needs(&self, factor: &Factor, param: &str) -> bool {
        let (dist, args) = match &factor.dist.kind {
            ExprKind::Dist(dist, args) => (dist, args),
            ExprKind::Block(_, tail) => {
                let ExprKind::Dist(dist, args) = &tail.kind else { return false };
                (dist, args)
            }
            _ => return false,
        };
        let locals = &self.model.dists[*dist].params;
        let unnamed = |arg: &Expr| matches!(arg.kind, ExprKind::Local(_)) || !is_symbol(&self.formula(arg));
        locals.iter().zip(args).any(|(&local, arg)| self.model.locals[local].name == param && unnamed(arg))
    }

    /// The log-density of a described distribution at a variable, as the library defines it.
    pub(in crate::algebra) fn log_density_of(&self, d: &Described, at: Formula) -> Formula {
        let function = self.model.dists[d.dist].log_prob;
        let value = d.element(&at);
        let args = std::iter::once(value).chain(d.elements()).collect::<Vec<_>>();
        d.summed(Names::new(self.model).inlined(function, args))
    }

    /// How a draw is made of standard noise: zᵢ = μᵢ + σᵢ εᵢ. None of those whose draw is more than arithmetic on noise.
    pub(in crate::algebra) fn draw_of(&self, d: &Described, of: Formula) -> Option<Formula> {
        let function = self.model.dists[d.dist].draw?;
        if !arithmetic(&self.model.functions[function].body) {
            return None;
        }
        let epsilon = Formula::from("epsilon");
        let mut names = Names::new(self.model);
        names.noise = d.element(&epsilon);
        Some(d.element(&of).equals(names.inlined(function, d.elements())))
    }

    /// The log-density of a declared factor, as the library defines its family.
    pub(in crate::algebra) fn derive_log_factor(&mut self, id: DensityId, factor: &Factor) {
        let ([target], Some(described)) = (&factor.targets[..], self.described_factor(id, factor)) else { return };
        if let ExprKind::LogPushforward(pushforward, _) = self.model.functions[self.model.dists[described.dist].log_prob].body.kind {
            self.derive_change_of_variables(pushforward, &described, (id, *target, factor));
            return;
        }
        let density = self.density_formula(id, &[*target], &factor.given);
        let rule = format!("log-density of {}", self.model.dists[described.dist].name);
        let after = self.log_density_of(&described, self.var_formula(*target));
        let mut step = Step::new(rule, Formula::log(density.clone()), after, factor.span);
        step.remarks.push(density.equals(described.formula.clone().at(self.var_formula(*target))));
        step.remarks.extend(described.remarks);
        self.derive(step);
    }

    /// log p(x) = log base(u) − log |∂f/∂u|, u = f⁻¹(x)
    fn derive_change_of_variables(
        &mut self,
        pushforward: PushforwardId,
        described: &Described,
        (id, target, factor): (DensityId, VarId, &Factor),
    ) {
        let pushed = &self.model.pushforwards[pushforward];
        let mut names = Names::new(self.model);
        let ExprKind::Dist(_, locals) = &pushed.base.kind else { return };
        for (local, param) in locals.iter().zip(&described.params) {
            if let ExprKind::Local(local) = local.kind {
                names.bind(local, param.formula.clone());
            }
        }
        let (x, u, f) = (self.var_formula(target), self.argument_name(), Formula::name(pushed.map.as_str()));
        let before = self.log_density_formula(id, &[target], &factor.given);
        let after = Formula::log(names.expr(&pushed.base).at(u.clone())) - self.log_determinant(pushforward);
        let mut step = Step::new("change of variables", before, after, factor.span).source(CHANGE_OF_VARIABLES);
        step.remarks.push(u.equals(Formula::apply(f.inverse(), [x])));
        step.remarks.extend(described.remarks.clone());
        self.derive(step);
    }

    /// What a pushforward maps: a letter that the file does not use.
    fn argument_name(&self) -> Formula {
        let taken = |letter: &&&str| self.model.vars.values().any(|var| var.name == **letter);
        (*["u", "v", "y", "s"].iter().find(|letter| !taken(letter)).unwrap_or(&"u")).into()
    }

    /// log |∂f(u)/∂u|
    pub(in crate::algebra) fn log_determinant(&self, pushforward: PushforwardId) -> Formula {
        let u = self.argument_name();
        let image = Formula::apply(Formula::name(self.model.pushforwards[pushforward].map.as_str()), [u.clone()]);
        Formula::log(Formula::partial(image, u).determinant())
    }

    pub(super) fn has_rule(&self, kind: RuleKind, ids: &[DistId]) -> bool {
        self.rule_for(kind, ids).1.is_some()
    }

    /// The `rule` for these distributions, and the function that computes it: of an entropy, it may be a member of the distribution.
    fn rule_for(&self, kind: RuleKind, ids: &[DistId]) -> (Option<&'_ Rule>, Option<FunctionId>) {
        let rule = self.model.rules.iter().find(|rule| rule.kind == kind && rule.dists == ids);
        let member = if kind == RuleKind::Entropy { self.model.dists[ids[0]].members.get("entropy").copied() } else { None };
        (rule, rule.map(|rule| rule.function).or(member))
    }

    /// `KL(a || b)` or `H(a)` by the rule of the library that computes it.
    pub(in crate::algebra) fn derive_closed_form(&mut self, kind: RuleKind, before: Formula, ds: &[&Described], span: Span) {
        let ids: Vec<DistId> = ds.iter().map(|d| d.dist).collect();
        let (rule, Some(function)) = self.rule_for(kind, &ids) else { return };
        let source = rule.and_then(|rule| rule.source.clone());
        let args: Vec<Formula> = ds.iter().flat_map(|d| d.elements()).collect();
        let after = ds[0].summed(Names::new(self.model).inlined(function, args));
        let families: Vec<&str> = ids.iter().map(|&id| self.model.dists[id].name.as_str()).collect();
        let name = match kind {
            RuleKind::Kl => format!("divergence of {} and {}", families[0], families.last().unwrap_or(&"")),
            RuleKind::CrossEntropy => format!("cross-entropy of {} and {}", families[0], families.last().unwrap_or(&"")),
            _ => format!("entropy of {}", families[0]),
        };
        let mut step = Step::new(name, before.clone(), after, span);
        if let Formula::Entropy(query) = &before
            && **query != ds[0].formula
        {
            step = step.with((**query).clone().equals(ds[0].formula.clone()));
        }
        if let Formula::Divergence(a, b) = &before {
            for (query, d) in [(a, ds[0]), (b, ds[ds.len() - 1])] {
                if **query != d.formula {
                    step = step.with((**query).clone().equals(d.formula.clone()));
                }
            }
        }
        step.remarks.extend(ds.iter().flat_map(|d| d.remarks.clone()));
        step.source = source;
        self.derive(step);
    }
}

impl Described {
    fn indices(&self) -> Vec<Formula> {
        LETTERS.iter().take(self.repeated).map(|&letter| letter.into()).collect()
    }

    /// One element of a value of the distribution's shape.
    fn element(&self, value: &Formula) -> Formula {
        if self.repeated == 0 { value.clone() } else { value.clone().index(self.indices()) }
    }

    fn elements(&self) -> Vec<Formula> {
        self.params.iter().map(|param| if param.varies { self.element(&param.formula) } else { param.formula.clone() }).collect()
    }

    /// The sum over the repeated axes.
    fn summed(&self, body: Formula) -> Formula {
        match self.repeated {
            0 => body,
            _ => Formula::Big { operator: Big::Sum, below: self.indices(), above: None, body: Box::new(body) },
        }
    }
}

/// The expression of which all parameters are parts in order: `Normal(enc(x))`.
fn parts_of_one(formulas: &[Formula]) -> Option<Formula> {
    let part = |(at, formula): (usize, &Formula)| match formula {
        Formula::Index(base, indices) if matches!(&indices[..], [index] if index.is_number(at as f64 + 1.0)) => Some((**base).clone()),
        _ => None,
    };
    let bases: Vec<Formula> = formulas.iter().enumerate().map(part).collect::<Option<_>>()?;
    let first = bases.first()?;
    (bases.len() > 1 && matches!(first, Formula::Apply(..)) && bases.iter().all(|base| base == first)).then(|| first.clone())
}

fn is_symbol(formula: &Formula) -> bool {
    match formula {
        Formula::Number(_) | Formula::Name(_) => true,
        Formula::Index(base, _) | Formula::Accent(_, base) => is_symbol(base),
        _ => false,
    }
}

/// Only sums, products and functions of parameters and noise.
fn arithmetic(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Real(_) | ExprKind::Int(_) | ExprKind::Local(_) | ExprKind::Noise(_) => true,
        ExprKind::Unary(UnaryOp::Neg | UnaryOp::Exp | UnaryOp::Log | UnaryOp::Sqrt, x) | ExprKind::ToReal(x) => arithmetic(x),
        ExprKind::Binary(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div, a, b) => arithmetic(a) && arithmetic(b),
        _ => false,
    }
}
