//! Linear-Gaussian rules as on the board: means and covariances in the names of the file, and the steps of a derivation.

use super::super::derivation::{Formula, Step};
use super::super::lowering::Lowering;
use super::super::query::Block;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::check::model::{Expr, ExprKind, Factor, VarId};
use crate::check::types::Type;

const MARGINAL: &str = "Bishop: Pattern recognition and machine learning (2006), equation 2.115";
const POSTERIOR: &str = "Bishop: Pattern recognition and machine learning (2006), equations 2.116 and 2.117";

/// x = Σ Gᵢ εᵢ + c + noise, in words of the file.
struct Line {
    var: VarId,
    /// By the number of the latent variable
    loadings: Vec<Option<Formula>>,
    /// The mean where all noises are at theirs
    mean: Formula,
    /// Of its own noise
    covariance: Formula,
}

/// What a variable's factor says: Σ Aᵢ zᵢ + b.
struct Parts {
    coefficients: Vec<(VarId, Formula)>,
    offset: Formula,
}

impl<'m> Lowering<'m> {
    /// p(x) = N(x; A m + b, A S Aᵀ + R), for the observations of a block.
    pub(in crate::algebra) fn derive_gaussian_evidence(&mut self, block: &Block<'m>) {
        let scalar = self.on_one_line(block);
        let lines = self.lines(block);
        let (latents, children): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| block.latents.contains(&line.var));
        let targets: Vec<VarId> = children.iter().map(|line| line.var).collect();
        let given = conditions(block, &targets);
        let before = self.density_formula(block.density, &targets, &given);
        let shared = self.shared_by_all_rows(block);
        if let ([child], false) = (&children[..], shared) {
            let value = self.var_formula(child.var);
            let after = Formula::normal(child.mean.clone(), covariance(child, &latents, scalar)).at(value);
            self.derive(Step::new("linear-Gaussian marginal", before, after, block.span).source(MARGINAL));
            return;
        }
        // p(x, y) = p(z) p(x | z) p(y | z) / p(z | x, y)
        let joint = block.factors.iter().map(|factor| {
            let one = self.density_formula(block.density, &factor.targets, &factor.given);
            if shared && factor.targets.iter().all(|var| targets.contains(var)) { Formula::product_over("n", one) } else { one }
        });
        let joint = Formula::product(joint.collect::<Vec<_>>());
        let posterior = self.density_formula(block.density, &block.latents, &[&targets[..], &given].concat());
        let after = joint / posterior;
        let step = Step::new("linear-Gaussian evidence", before, after, block.span).source(POSTERIOR);
        let step = children.iter().fold(step, |step, child| step.with(self.in_terms_of_latents(block, child, &latents)));
        self.derive(step);
    }

    /// p(z | x) = N(z; Λ⁻¹ (S⁻¹ m + Aᵀ R⁻¹ (x − b)), Λ⁻¹) with Λ = S⁻¹ + Aᵀ R⁻¹ A; without observations, a marginal.
    pub(in crate::algebra) fn derive_gaussian_posterior(&mut self, target: VarId, block: &Block<'m>) {
        let scalar = self.on_one_line(block);
        let lines = self.lines(block);
        let (latents, children): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| block.latents.contains(&line.var));
        let observed: Vec<VarId> = children.iter().map(|line| line.var).collect();
        let given = [&observed[..], &conditions(block, &[&observed[..], &[target]].concat())].concat();
        let before = self.density_formula(block.density, &[target], &given);
        let Some(own) = lines.iter().find(|line| line.var == target) else { return };
        let value = self.var_formula(target);
        if children.is_empty() {
            let others: Vec<&Line> = latents.iter().copied().filter(|line| line.var != target).collect();
            let after = Formula::normal(own.mean.clone(), covariance(own, &others, scalar)).at(value);
            self.derive(Step::new("linear-Gaussian marginal", before, after, block.span).source(MARGINAL));
            return;
        }
        let [latent] = latents[..] else {
            let outside = conditions(block, &[&observed[..], &[target]].concat());
            let joint = self.density_formula(block.density, &[&[target], &observed[..]].concat(), &outside);
            let quotient = joint / self.density_formula(block.density, &observed, &outside);
            let step = Step::new("conditioning of a joint Gaussian", before, quotient, block.span);
            let step = step.source("Bishop: Pattern recognition and machine learning (2006), equations 2.81 and 2.82");
            let step = children.iter().fold(step, |step, child| step.with(self.in_terms_of_latents(block, child, &latents)));
            self.derive(step);
            return;
        };
        let precision = Formula::name("Lambda");
        let (prior, mean) = (latent.covariance.clone(), latent.mean.clone());
        let mut total = inverse(prior.clone());
        let mut weighted = times(inverse(prior), mean);
        for child in &children {
            let a = child.loadings.first().cloned().flatten().unwrap_or(Formula::Number(0.0));
            let offset = self.offset_of(block, child.var);
            let residual = self.var_formula(child.var) - offset;
            let noise = child.covariance.clone();
            let all = |term: Formula| if self.shared_by_all_rows(block) { Formula::sum_over("n", term) } else { term };
            if scalar {
                total = total + all(a.clone().squared() / noise.clone());
                weighted = weighted + all(a * residual / noise);
            } else {
                let back = a.clone().transpose() * inverse(noise);
                total = total + all(back.clone() * a);
                weighted = weighted + all(back * residual);
            }
        }
        let after = Formula::normal(precision.clone().inverse() * weighted, precision.clone().inverse()).at(value);
        let step = Step::new("linear-Gaussian posterior", before, after, block.span).source(POSTERIOR);
        self.derive(step.with(precision.equals(total)));
    }

    /// Whether the observations are those of all rows.
    fn shared_by_all_rows(&self, block: &Block<'m>) -> bool {
        block.latents.iter().any(|&var| self.model.vars[var].global)
    }

    /// Whether all variables are single numbers or related element by element as far as their declarations say.
    fn on_one_line(&self, block: &Block<'m>) -> bool {
        block.factors.iter().flat_map(|factor| &factor.targets).all(|&var| self.is_number(var))
    }

    fn is_number(&self, var: VarId) -> bool {
        matches!(&self.model.vars[var].ty, Type::Array(array) if array.shape.is_empty())
    }

    /// Every variable of a block, parents first, with its parents substituted.
    fn lines(&self, block: &Block<'m>) -> Vec<Line> {
        let mut lines: Vec<Line> = vec![];
        for factor in &block.factors {
            let Some(&var) = factor.targets.first() else { continue };
            let Some((mean, covariance)) = self.family_parts(factor, self.is_number(var)) else { continue };
            let parts = self.parts(mean, &block.latents);
            let mut line = Line { var, loadings: vec![None; block.latents.len()], mean: parts.offset, covariance };
            for (parent, a) in parts.coefficients {
                let Some(inner) = lines.iter().find(|line| line.var == parent) else { continue };
                let moved = times(a.clone(), inner.mean.clone());
                line.mean = moved + line.mean;
                let own = block.latents.iter().position(|&var| var == parent);
                for (at, loading) in line.loadings.iter_mut().enumerate() {
                    let through = if Some(at) == own { Some(a.clone()) } else { inner.loadings[at].clone().map(|g| times(a.clone(), g)) };
                    *loading = match (loading.take(), through) {
                        (Some(g), Some(more)) => Some(g + more),
                        (g, more) => g.or(more),
                    };
                }
            }
            lines.push(line);
        }
        lines
    }

    /// The mean's expression, and the covariance: s² for a number, s² I for a vector with one standard deviation, diag(s²) with many.
    fn family_parts(&self, factor: &'m Factor, scalar: bool) -> Option<(&'m Expr, Formula)> {
        let ExprKind::Dist(dist, args) = &factor.dist.kind else { return None };
        let [mean, spread] = &args[..] else { return None };
        let formula = self.formula(spread);
        let covariance = match self.gaussian_family(*dist)? {
            super::factor::Family::MvNormal => formula,
            super::factor::Family::Normal if scalar => formula.squared(),
            super::factor::Family::Normal => match &spread.ty {
                Type::Array(array) if !array.shape.is_empty() => Formula::apply("diag", [formula.squared()]),
                Type::Array(_) | Type::Tuple(_) | Type::Distribution(_) | Type::Error => formula.squared() * Formula::name("I"),
            },
        };
        Some((mean, covariance))
    }

    /// b of a factor.
    fn offset_of(&self, block: &Block<'m>, var: VarId) -> Formula {
        let factor = block.factors.iter().find(|factor| factor.targets.contains(&var));
        let mean = factor.and_then(|factor| self.family_parts(factor, true));
        mean.map_or(Formula::Number(0.0), |(mean, _)| self.parts(mean, &block.latents).offset)
    }

    /// x = A z + b + noise with covariance R, as a where-clause.
    fn in_terms_of_latents(&self, block: &Block<'m>, child: &Line, latents: &[&Line]) -> Formula {
        let terms = child.loadings.iter().zip(latents).filter_map(|(g, line)| Some(g.clone()? * self.var_formula(line.var)));
        let mean = Formula::total(terms.chain([self.offset_of(block, child.var)]));
        Formula::drawn(self.var_formula(child.var), Formula::normal(mean, child.covariance.clone()))
    }

    /// The coefficients and the rest of a mean, where they can be read off; otherwise derivatives by their name.
    fn parts(&self, mean: &Expr, latents: &[VarId]) -> Parts {
        let mut parts = Parts { coefficients: vec![], offset: self.offset(mean, latents) };
        for &var in latents.iter().filter(|&&var| mentions(mean, var)) {
            let a = self.coefficient_of(mean, var).unwrap_or_else(|| Formula::partial(self.formula(mean), self.var_formula(var)));
            parts.coefficients.push((var, a));
        }
        parts
    }

    fn coefficient_of(&self, e: &Expr, var: VarId) -> Option<Formula> {
        if !mentions(e, var) {
            return Some(Formula::Number(0.0));
        }
        match &e.kind {
            ExprKind::Var(_) => Some(Formula::Number(1.0)),
            ExprKind::ToReal(x) | ExprKind::Reshape(x) => self.coefficient_of(x, var),
            ExprKind::Unary(UnaryOp::Neg, x) => Some(-self.coefficient_of(x, var)?),
            ExprKind::Binary(BinaryOp::Add, a, b) => Some(self.coefficient_of(a, var)? + self.coefficient_of(b, var)?),
            ExprKind::Binary(BinaryOp::Sub, a, b) => Some(self.coefficient_of(a, var)? - self.coefficient_of(b, var)?),
            ExprKind::Binary(BinaryOp::Mul, a, b) if !mentions(a, var) => Some(self.formula(a) * self.coefficient_of(b, var)?),
            ExprKind::Binary(BinaryOp::Mul, a, b) if !mentions(b, var) => Some(self.formula(b) * self.coefficient_of(a, var)?),
            ExprKind::Binary(BinaryOp::Div, a, b) if !mentions(b, var) => Some(self.coefficient_of(a, var)? / self.formula(b)),
            ExprKind::MatMul(a, b) if !mentions(a, var) => Some(self.formula(a) * self.coefficient_of(b, var)?),
            ExprKind::Call(function, args) if self.model.functions[*function].name == "dot" => match &args[..] {
                [a, b] if !mentions(a, var) => Some(self.formula(a).transpose() * self.coefficient_of(b, var)?),
                [a, b] if !mentions(b, var) => Some(self.formula(b).transpose() * self.coefficient_of(a, var)?),
                _ => None,
            },
            _ => None,
        }
    }

    /// The mean without all terms that mention a latent variable.
    fn offset(&self, e: &Expr, latents: &[VarId]) -> Formula {
        if !latents.iter().any(|&var| mentions(e, var)) {
            return self.formula(e);
        }
        match &e.kind {
            ExprKind::Binary(BinaryOp::Add, a, b) => self.offset(a, latents) + self.offset(b, latents),
            ExprKind::Binary(BinaryOp::Sub, a, b) => self.offset(a, latents) - self.offset(b, latents),
            ExprKind::ToReal(x) | ExprKind::Reshape(x) => self.offset(x, latents),
            ExprKind::Unary(UnaryOp::Neg, x) => -self.offset(x, latents),
            _ => Formula::Number(0.0),
        }
    }
}

/// G₁ S₁ G₁ᵀ + … + R
fn covariance(line: &Line, latents: &[&Line], scalar: bool) -> Formula {
    let explained = line.loadings.iter().zip(latents).filter_map(|(g, latent)| {
        let g = g.clone()?;
        let source = latent.covariance.clone();
        Some(match scalar {
            true => g.squared() * source,
            false => sandwich(g, source),
        })
    });
    Formula::total(explained.chain([line.covariance.clone()]))
}

/// G S Gᵀ, where the identity is left out.
fn sandwich(g: Formula, source: Formula) -> Formula {
    let transposed = g.clone().transpose();
    match source {
        Formula::Name(name) if name == "I" && !g.is_number(1.0) => g * transposed,
        source => g * source * transposed,
    }
}

fn times(a: Formula, b: Formula) -> Formula {
    if a.is_number(0.0) || b.is_number(0.0) { Formula::Number(0.0) } else { a * b }
}

fn inverse(covariance: Formula) -> Formula {
    match covariance {
        Formula::Name(name) if name == "I" => Formula::Name(name),
        Formula::Number(1.0) => Formula::Number(1.0),
        other => other.inverse(),
    }
}

fn mentions(e: &Expr, var: VarId) -> bool {
    let mut found = matches!(&e.kind, ExprKind::Var(own) if *own == var);
    e.each_part(&mut |part| found = found || mentions(part, var));
    found
}

/// What is given to the factors of a block and is none of its variables.
fn conditions(block: &Block<'_>, targets: &[VarId]) -> Vec<VarId> {
    let mut found: Vec<VarId> = vec![];
    for &var in block.factors.iter().flat_map(|factor| &factor.given) {
        if !block.latents.contains(&var) && !targets.contains(&var) && !found.contains(&var) {
            found.push(var);
        }
    }
    found
}
