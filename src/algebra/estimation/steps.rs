//! The steps of an estimate, as a derivation shows them.

use super::super::derivation::{Big, Formula, Names, Step, Total};
use super::super::distribution::finite_support;
use super::super::lowering::Lowering;
use super::Weighted;
use super::record::Record;
use super::slot::Slot;
use crate::check::model::{Expr, ExprKind, ParamId, Rule, VarId};
use crate::check::types::Type;

const E_STEP: &str = "Bishop: Pattern recognition and machine learning (2006), section 9.3";
const COMPONENTS: &str = "Tipping, Bishop: Probabilistic principal component analysis (1999), equations 7 and 8";
const NORMAL_EQUATIONS: &str = "Bishop: Pattern recognition and machine learning (2006), equation 3.15";

impl<'m> Lowering<'m> {
    /// The posterior probabilities of the latent variables of each factor that has some.
    pub(super) fn derive_weights(&mut self, factors: &[Weighted<'m>], objective: &Expr) {
        let ExprKind::LogDensity(query) = &objective.kind else { return };
        let observed: Vec<VarId> = query.targets.iter().chain(&query.given).map(|(var, _)| *var).collect();
        for factor in factors.iter().filter(|factor| !factor.learned.is_empty() && factor.record.factor.of_rows.is_some()) {
            let latents = self.hidden(&factor.record);
            if latents.is_empty() {
                continue;
            }
            let posterior = self.row_density(&factor.record, &latents, &observed);
            let joint = self.row_density(&factor.record, &[&latents[..], &observed].concat(), &[]);
            let bayes = joint / self.row_density(&factor.record, &observed, &[]);
            let step = match self.responsibility(&latents) {
                Some(name) => Step::new("E-step", name, posterior.clone(), objective.span).with(posterior.equals(bayes)),
                None => Step::new("E-step", posterior, bayes, objective.span),
            };
            self.derive(step.source(E_STEP));
        }
    }

    /// p(z | xₙ) of the density that a factor belongs to.
    fn row_density(&self, record: &Record<'m>, targets: &[VarId], given: &[VarId]) -> Formula {
        let Some((density, _)) = record.factor.of_rows else { return Formula::words("…") };
        let all = self.density_formula(density, targets, given);
        let observed = targets.iter().chain(given).filter(|&&var| self.model.vars[var].observed.is_some());
        observed.fold(all, |all, &var| {
            let name = self.var_formula(var);
            all.substitute(&name, &name.clone().index(["n"]))
        })
    }

    fn hidden(&self, record: &Record<'m>) -> Vec<VarId> {
        record.factor.vars.iter().copied().filter(|&var| self.model.vars[var].observed.is_none()).collect()
    }

    /// rₙ‚ₖ of finite latent variables.
    fn responsibility(&self, latents: &[VarId]) -> Option<Formula> {
        let finite = |var: &VarId| matches!(&self.model.vars[*var].ty, Type::Array(a) if finite_support(&a.support).is_some());
        let letters = std::iter::once("n".into()).chain(latents.iter().map(|&var| self.var_formula(var)));
        latents.iter().all(finite).then(|| Formula::name("r").index(letters))
    }

    /// What is summed for the entry of a parameter that `chosen` picks.
    fn total_over(&self, record: &Record<'m>, chosen: &[Formula]) -> Total {
        let observed = record.factor.vars.iter().copied().filter(|&var| self.model.vars[var].observed.is_some());
        let (entries, rows): (Vec<VarId>, Vec<VarId>) = observed.partition(|&var| chosen.contains(&self.var_formula(var)));
        let row = |var: VarId| (self.var_formula(var), self.var_formula(var).index(["n"]));
        let members = rows.into_iter().map(row).collect();
        let mut all = Total { below: vec!["n".into()], weight: None, draws: vec![], members, remarks: vec![] };
        let latents = self.hidden(record);
        match self.responsibility(&[&latents[..], &entries].concat()) {
            Some(weight) if latents.len() + entries.len() > 0 => {
                all.below.extend(latents.iter().map(|&var| self.var_formula(var)).filter(|var| !chosen.contains(var)));
                if let ([], [entry]) = (&latents[..], &entries[..]) {
                    let (name, member) = row(*entry);
                    all.remarks.push(weight.clone().equals(Formula::cases(member.equals(name), 1.into(), 0.into())));
                }
                all.weight = Some(weight);
            }
            _ if !latents.is_empty() => {
                let known: Vec<VarId> = record.factor.vars.iter().copied().filter(|&var| self.model.vars[var].observed.is_some()).collect();
                let names = Formula::tuple(latents.iter().map(|&var| self.var_formula(var)));
                let names = if let [one] = latents[..] { self.var_formula(one) } else { names };
                all.draws.push(Formula::drawn(names, self.row_density(record, &latents, &known)));
            }
            _ => {}
        }
        all
    }

    /// The logarithm of a factor for one row.
    fn log_row(&self, record: &Record<'m>, observed: &Total) -> Formula {
        match record.factor.of_rows {
            Some((density, factor)) => observed.member(self.log_density_formula(density, &factor.targets, &factor.given)),
            None => observed.member(Formula::log(self.formula(record.factor.dist).at(self.var_formula(record.factor.vars[0])))),
        }
    }

    /// argmax of a factor's expected logarithm, by a rule of the library.
    pub(super) fn derive_rule(&mut self, record: &Record<'m>, rule: &'m Rule, slots: &[&Slot]) {
        let Formula::Distribution { params: before, .. } = self.formula(record.factor.dist) else { return };
        let names: Vec<Formula> = rule
            .fitted
            .iter()
            .zip(slots)
            .filter_map(|(&at, slot)| Some(named_in(before.get(at)?, &Formula::parse_name(self.param_name(slot.param)))))
            .collect();
        if record.factor.of_rows.is_none() {
            self.derive_member_rule(record, rule, names);
            return;
        }
        let chosen: Vec<Formula> =
            names.iter().flat_map(|name| if let Formula::Index(_, at) = name { at.clone() } else { vec![] }).collect();
        let observed = self.total_over(record, &chosen);
        let mut args = vec![observed.member(self.var_formula(record.factor.vars[0]))];
        args.extend(before.iter().enumerate().map(|(at, param)| observed.member(self.library_parameter(record, at, param))));
        let likelihood = observed.sum(self.log_row(record, &observed));
        let mut read = Names::new(self.model);
        read.total = Some(observed.clone());
        let Formula::Distribution { params: after, .. } = read.inlined(rule.function, args) else { return };
        // Of N(m, s²) the variance is estimated: its square root is the best s.
        let over: Vec<Formula> = rule.fitted.iter().map(|&at| before[at].clone()).collect();
        let best = Formula::Big { operator: Big::ArgMax, below: over.clone(), above: None, body: Box::new(likelihood) };
        let mut step = match rule.fitted[..] {
            [at] => Step::new("maximum likelihood", best, after[at].clone(), record.factor.span),
            _ => {
                let hats: Vec<Formula> = over.iter().zip(&names).map(|(shown, name)| shown.substitute(name, &hat(name))).collect();
                let mut step = Step::new("maximum likelihood", best, Formula::tuple(hats.clone()), record.factor.span);
                let mut known: Vec<(Formula, Formula)> = vec![];
                for (&at, hat) in rule.fitted.iter().zip(hats) {
                    let value = known.iter().fold(after[at].clone(), |value, (from, to)| value.substitute(from, to));
                    step = step.with(hat.clone().equals(value));
                    known.push((after[at].clone(), hat));
                }
                step
            }
        };
        step.remarks.extend(observed.remarks);
        step.source.clone_from(&rule.source);
        self.derive(step);
    }

    /// The same of a factor of members of a chain. Its members have one name, so the sums are said in words.
    fn derive_member_rule(&mut self, record: &Record<'m>, rule: &Rule, names: Vec<Formula>) {
        let family = &self.model.dists[record.distribution.dist].name;
        let estimate =
            Formula::words(format!("the estimate of {family} from all members, each case weighted by its posterior probability"));
        let before = if let [one] = &names[..] { one.clone() } else { Formula::tuple(names) };
        let mut step = Step::new("maximum likelihood", before, estimate, record.factor.span);
        step.source.clone_from(&rule.source);
        self.derive(step);
    }

    /// A parameter as the library takes it: formulas show the variance of `Normal`.
    fn library_parameter(&self, record: &Record<'m>, at: usize, shown: &Formula) -> Formula {
        match (self.model.dists[record.distribution.dist].name.as_str(), at) {
            ("Normal", 1) => Formula::sqrt(shown.clone()),
            _ => shown.clone(),
        }
    }

    /// The normal equations of parameters in which the log-density is quadratic.
    pub(super) fn derive_least_squares(&mut self, factors: &[Weighted<'m>], group: &[ParamId]) {
        let names: Vec<Formula> = group.iter().map(|&id| Formula::parse_name(self.param_name(id))).collect();
        for factor in factors.iter().filter(|factor| factor.learned.iter().any(|id| group.contains(id))) {
            if factor.record.factor.of_rows.is_none() {
                continue;
            }
            let observed = self.total_over(&factor.record, &[]);
            let likelihood = observed.sum(self.log_row(&factor.record, &observed));
            let wrt = if let [one] = &names[..] { one.clone() } else { Formula::tuple(names.clone()) };
            let step = Step::new("normal equations", Formula::gradient(wrt, likelihood), Formula::from(0), factor.record.factor.span);
            let linear = Formula::words("linear in the parameters, since the log-density is quadratic");
            self.derive(step.with(linear).source(NORMAL_EQUATIONS));
        }
    }

    /// Probabilistic principal components.
    pub(super) fn derive_components(&mut self, observed: &Weighted<'m>, loading: ParamId) {
        let before = Formula::parse_name(self.param_name(loading));
        let variance = Formula::name("σ²");
        let after = Formula::name("U") * (Formula::name("Λ") - variance * Formula::name("I")).pow(0.5);
        let step = Step::new("principal components", before, after, observed.record.factor.span);
        let where_ =
            Formula::words("U, Λ: the leading eigenvectors and eigenvalues of the covariance; σ²: the mean of the other eigenvalues");
        self.derive(step.with(where_).source(COMPONENTS));
    }
}

/// A learned parameter as it stands in a distribution: μ, μₖ.
fn named_in(formula: &Formula, name: &Formula) -> Formula {
    let mut found = name.clone();
    formula.each(&mut |part| match part {
        Formula::Index(base, _) if **base == *name => found = part.clone(),
        _ => {}
    });
    found
}

/// μ̂, μ̂ₖ
fn hat(name: &Formula) -> Formula {
    match name {
        Formula::Index(base, at) => base.as_ref().clone().hat().index(at.clone()),
        other => other.clone().hat(),
    }
}
