//! Sums as nodes of the graph: factors taken out, exp(u) - 1 as expm1(u).

use super::number::Number;
use super::sum::{Base, Factors, Function, Sum, Variable};
use crate::algebra::lowering::Lowering;
use crate::algebra::value::Array;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::graph::NodeId;
use std::collections::{BTreeMap, HashMap};

/// What variables and atoms stand for.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub variables: BTreeMap<Variable, Array>,
    pub atoms: HashMap<NodeId, Array>,
}

impl Lowering<'_> {
    pub(in crate::algebra) fn emit(&mut self, sum: &Sum, scope: &Scope) -> Result<Array> {
        if let Some(number) = sum.number() {
            return Ok(self.real(number.value()));
        }
        let (common, rest) = common_factor(sum);
        if !common.is_empty() {
            let product = self.emit_product(&common, scope)?;
            return match rest.number() {
                Some(number) => self.scaled_by(number, &product),
                None => {
                    let rest = self.emit(&rest, scope)?;
                    self.mul(&product, &rest)
                }
            };
        }
        if let Some((plain, exponentials)) = expm1_pairs(sum) {
            return self.emit_total(&exponentials, &plain, scope);
        }
        match most_shared(sum) {
            Some(base) => {
                let (with, without): (Vec<Sum>, Vec<Sum>) =
                    sum.split().partition(|term| term.single().is_some_and(|(factors, _)| factors.contains_key(&base)));
                let total = |terms: Vec<Sum>| terms.iter().fold(Sum::zero(), |total, term| &total + term);
                self.emit_total(&total(with), &total(without), scope)
            }
            None => {
                let terms: Vec<Sum> = sum.split().collect();
                let (first, rest) = terms.split_first().ok_or_else(|| Diagnostic::internal("an empty sum"))?;
                let rest = rest.iter().fold(Sum::zero(), |total, term| &total + term);
                self.emit_total(first, &rest, scope)
            }
        }
    }

    /// a + b
    fn emit_total(&mut self, a: &Sum, b: &Sum, scope: &Scope) -> Result<Array> {
        let first = self.emit(a, scope)?;
        if b.is_zero() {
            return Ok(first);
        }
        let negative = b.terms().all(|(_, coefficient)| coefficient < Number::ZERO);
        let second = self.emit(&if negative { -b } else { b.clone() }, scope)?;
        self.binary(if negative { BinaryOp::Sub } else { BinaryOp::Add }, &first, &second)
    }

    fn scaled_by(&mut self, number: Number, x: &Array) -> Result<Array> {
        match number.whole() {
            Some(1) => Ok(x.clone()),
            Some(-1) => Ok(self.unary(UnaryOp::Neg, x)),
            _ => {
                let factor = self.real(number.value());
                self.mul(&factor, x)
            }
        }
    }

    /// ∏ bᵉ, quotients where exponents are negative.
    fn emit_product(&mut self, factors: &Factors, scope: &Scope) -> Result<Array> {
        let (below, above): (Vec<_>, Vec<_>) = factors.iter().partition(|(_, power)| **power < Number::ZERO);
        let mut product: Option<Array> = None;
        for (base, power) in above {
            let value = self.emit_power(base, *power, scope)?;
            product = Some(match product {
                Some(product) => self.mul(&product, &value)?,
                None => value,
            });
        }
        for (base, power) in below {
            let value = self.emit_power(base, -*power, scope)?;
            product = Some(match product {
                Some(product) => self.binary(BinaryOp::Div, &product, &value)?,
                None => self.unary(UnaryOp::Recip, &value),
            });
        }
        Ok(product.unwrap_or_else(|| self.real(1.0)))
    }

    /// bᵉ, e positive.
    fn emit_power(&mut self, base: &Base, power: Number, scope: &Scope) -> Result<Array> {
        let value = self.emit_base(base, scope)?;
        if let Some(natural) = power.natural().filter(|&n| n <= 8) {
            return (1..natural).try_fold(value.clone(), |product, _| self.mul(&product, &value));
        }
        if power == Number::ratio(1, 2) {
            return Ok(self.unary(UnaryOp::Sqrt, &value));
        }
        let exponent = self.real(power.value());
        self.binary(BinaryOp::Pow, &value, &exponent)
    }

    fn emit_base(&mut self, base: &Base, scope: &Scope) -> Result<Array> {
        let missing = || Diagnostic::internal("a variable without value");
        match base {
            Base::Atom(node) => scope.atoms.get(node).cloned().ok_or_else(missing),
            Base::Variable(variable) => scope.variables.get(variable).cloned().ok_or_else(missing),
            Base::Sum(sum) => self.emit(sum, scope),
            Base::Apply(function, argument) => {
                // log(1 + x)
                let less = argument - &Sum::one();
                if *function == Function::Log && less.len() < argument.len() {
                    let x = self.emit(&less, scope)?;
                    return Ok(self.unary(UnaryOp::Log1p, &x));
                }
                let x = self.emit(argument, scope)?;
                match function {
                    Function::Exp => Ok(self.unary(UnaryOp::Exp, &x)),
                    Function::Expm1 => Ok(self.unary(UnaryOp::Expm1, &x)),
                    Function::Log => Ok(self.unary(UnaryOp::Log, &x)),
                    Function::Log1p => Ok(self.unary(UnaryOp::Log1p, &x)),
                    Function::Sin => Ok(self.unary(UnaryOp::Sin, &x)),
                    Function::Cos => Ok(self.unary(UnaryOp::Cos, &x)),
                    Function::Atan => self.inverse_tangent(&x),
                }
            }
        }
    }

    /// By three halvings of the angle, tan(a / 2) = x / (1 + √(1 + x²)), and the series.
    fn inverse_tangent(&mut self, x: &Array) -> Result<Array> {
        let one = self.real(1.0);
        let mut small = x.clone();
        for _ in 0..3 {
            let square = self.mul(&small, &small)?;
            let radius = self.add(&one, &square)?;
            let radius = self.unary(UnaryOp::Sqrt, &radius);
            let below = self.add(&one, &radius)?;
            small = self.binary(BinaryOp::Div, &small, &below)?;
        }
        let square = self.mul(&small, &small)?;
        let mut series = self.real(0.0);
        for k in (0..11).rev() {
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            let next = self.real(sign / f64::from(2 * k + 1));
            let product = self.mul(&series, &square)?;
            series = self.add(&product, &next)?;
        }
        let eight = self.real(8.0);
        let angle = self.mul(&small, &series)?;
        self.mul(&eight, &angle)
    }
}

/// What all terms have in common, and the rest.
pub(super) fn common_factor(sum: &Sum) -> (Factors, Sum) {
    let mut terms = sum.terms();
    let Some((first, _)) = terms.next() else { return (Factors::new(), sum.clone()) };
    let mut common = first.clone();
    for (factors, _) in terms {
        common.retain(|base, _| factors.contains_key(base));
        for (base, power) in &mut common {
            if let Some(other) = factors.get(base) {
                *power = (*power).min(*other);
            }
        }
    }
    let mut rest = Sum::zero();
    for (factors, coefficient) in sum.terms() {
        let mut left = factors.clone();
        for (base, power) in &common {
            let remaining = left.remove(base).unwrap_or(Number::ZERO) - *power;
            if !remaining.is_zero() {
                left.insert(base.clone(), remaining);
            }
        }
        rest = &rest + &Sum::term(coefficient, left);
    }
    (common, rest)
}

/// Each term c exp(u) with a term -c, as c expm1(u); and the other terms.
pub(super) fn expm1_pairs(sum: &Sum) -> Option<(Sum, Sum)> {
    for (factors, coefficient) in sum.terms() {
        let Some((base @ Base::Apply(Function::Exp, exponent), power)) =
            factors.iter().find(|(base, _)| matches!(base, Base::Apply(Function::Exp, _)))
        else {
            continue;
        };
        let mut rest = factors.clone();
        rest.remove(base);
        let opposite = Sum::term(coefficient, rest);
        let less = &(sum - &Sum::term(coefficient, factors.clone())) + &opposite;
        if power.is_one() && less.len() + 2 == sum.len() {
            let pair = &opposite * &Sum::apply(Function::Expm1, exponent);
            return Some((less, pair));
        }
    }
    None
}

/// The base that most terms contain, of those in two terms or more.
fn most_shared(sum: &Sum) -> Option<Base> {
    let mut counts: BTreeMap<&Base, usize> = BTreeMap::new();
    sum.terms().flat_map(|(factors, _)| factors.keys()).for_each(|base| *counts.entry(base).or_default() += 1);
    counts.into_iter().filter(|(_, count)| *count > 1).max_by_key(|(_, count)| *count).map(|(base, _)| base.clone())
}
