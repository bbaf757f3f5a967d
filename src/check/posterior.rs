//! `p(k | x)` as a value where no factor declares it and k is finite: the distribution over its values by their log-probabilities,
//! each of which the density algebra answers by sums and Bayes' rule.

use super::checker::{Checked, Checker};
use super::model::{DistId, Expr, ExprKind, Index, MemberQuery, Query};
use super::types::{ArrayType, Support, Type};
use crate::base::op::BinaryOp;
use crate::base::size::Size;
use crate::base::{Diagnostic, Span};

impl<'a> Checker<'a> {
    /// A query as a value.
    pub fn conditional(&mut self, query: Query) -> Checked<Expr> {
        let span = query.span;
        let ty = self.query_type(&query);
        let finite = self.finite_target(&query);
        match finite {
            Some(_) if self.declared_factor(&query).is_some() => Ok(Expr::new(ExprKind::Conditional(query), ty, span)),
            Some(Support::Cat(size)) => self.over_classes(&query, size, ty),
            Some(_) => self.over_bits(&query, ty),
            None => {
                if self.declared_factor(&query).is_none() {
                    self.gaussian_answers(&ty, span)?;
                }
                Ok(Expr::new(ExprKind::Conditional(query), ty, span))
            }
        }
    }

    /// Instances of the distributions with which the algebra of Gaussian densities and of chains may answer a query of this type.
    pub fn gaussian_answers(&mut self, ty: &Type, span: Span) -> Checked<()> {
        let Type::Distribution(of) = ty else { return Ok(()) };
        let Type::Array(ArrayType { support, shape }) = &**of else { return Ok(()) };
        if support.is_real() {
            self.library_dist("Normal", &["mean", "std"], vec![], &Type::real([]), span)?;
            if let [size] = &shape[..] {
                self.library_dist("MvNormal", &["mean", "cov"], vec![size.clone()], &Type::real([size.clone()]), span)?;
            }
        }
        match support {
            Support::Cat(size) => {
                let class = Type::scalar(support.clone());
                self.library_dist("Categorical", &["probs"], vec![size.clone()], &class, span)?;
            }
            Support::Bit => drop(self.library_dist("Bernoulli", &["prob"], vec![], &Type::scalar(Support::Bit), span)?),
            _ => {}
        }
        Ok(())
    }

    /// The library's distribution of that name, over events of that type, with these parameters.
    pub fn library_dist(&mut self, name: &str, params: &[&str], sizes: Vec<Size>, event: &Type, span: Span) -> Checked<DistId> {
        for &id in self.declarations.library_dists(name) {
            let declared = self.declarations.dists[id].get()?;
            if declared.params.iter().map(|param| param.name.name.as_str()).eq(params.iter().copied()) {
                let names = declared.sizes.iter().map(|size| size.name.name.clone());
                let sizes: Vec<(String, Size)> = names.zip(sizes).collect();
                return self.dist_instance(id, &sizes, event, (span, "this distribution is needed here".into()));
            }
        }
        Err(Diagnostic::internal(format!("the library has no {name}")).at(span).into())
    }

    /// The support of the only target, where it is one class or one bit.
    fn finite_target(&self, query: &Query) -> Option<Support> {
        let ty = match (&query.targets[..], &query.member_targets[..]) {
            ([(var, None)], []) => self.model.vars[*var].ty.clone(),
            ([], [MemberQuery { var, which, value: None, .. }]) => self.members_type(*var, which)?,
            _ => return None,
        };
        match &ty {
            Type::Array(ArrayType { support: support @ (Support::Cat(_) | Support::Bit), shape }) if shape.is_empty() => {
                Some(support.clone())
            }
            _ => None,
        }
    }

    /// `Categorical(logits: [log p(k = i | x) for i in K])`
    fn over_classes(&mut self, query: &Query, size: Size, ty: Type) -> Checked<Expr> {
        let span = query.span;
        let local = self.local("i", Type::scalar(Support::Int), span);
        let class = Expr { ty: Type::scalar(Support::Cat(size.clone())), ..self.read(local, span) };
        let body = Box::new(log_probability(query, class));
        let indices = vec![Index { local, first: 0, count: size.known().unwrap_or(1) }];
        let logits = Expr::new(ExprKind::Array { indices, body }, Type::real([size.clone()]), span);
        let dist = self.by_logits("Categorical", Some(size), &ty, span)?;
        Ok(Expr::new(ExprKind::Dist(dist, vec![logits]), ty, span))
    }

    /// `Bernoulli(logits: log p(b = 1 | x) - log p(b = 0 | x))`
    fn over_bits(&mut self, query: &Query, ty: Type) -> Checked<Expr> {
        let span = query.span;
        let [one, zero] = [1.0, 0.0].map(|bit| log_probability(query, Expr::new(ExprKind::Real(bit), Type::scalar(Support::Bit), span)));
        let logits = self.arithmetic(BinaryOp::Sub, "-", one, zero, span)?;
        let dist = self.by_logits("Bernoulli", None, &ty, span)?;
        Ok(Expr::new(ExprKind::Dist(dist, vec![logits]), ty, span))
    }

    /// The library's distribution of that name with the parameter `logits`, for k classes.
    fn by_logits(&mut self, name: &str, classes: Option<Size>, ty: &Type, span: Span) -> Checked<DistId> {
        match ty {
            Type::Distribution(event) => self.library_dist(name, &["logits"], classes.into_iter().collect(), event, span),
            Type::Array(_) | Type::Tuple(_) | Type::Error => {
                Err(Diagnostic::internal(format!("a query gives {ty}, no distribution")).at(span).into())
            }
        }
    }
}

/// `log p(k = value | x)`
fn log_probability(query: &Query, value: Expr) -> Expr {
    let targets = query.targets.iter().map(|(var, _)| (*var, Some(value.clone()))).collect();
    let members = query.member_targets.iter().map(|member| MemberQuery { value: Some(value.clone()), ..member.clone() });
    let asked = Query { targets, member_targets: members.collect(), ..query.clone() };
    Expr::new(ExprKind::LogDensity(asked), Type::real([]), query.span)
}
