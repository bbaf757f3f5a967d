//! The mean and variance equations of a scalar linear stochastic differential equation dx = (f x + u) dt + g dW, in closed form.
//!
//! Särkkä and Solin: Applied stochastic differential equations (2019), section 6.1: with Φ = exp ∫ f, the mean is
//! Φ(t) / Φ(s) x(s) + M(t) - Φ(t) / Φ(s) M(s), where M solves M' = f M + u; the variance is E(t) - (Φ(t) / Φ(s))² E(s), where E solves
//! E' = 2 f E + g².

use super::integral::Integrator;
use super::sum::{Base, Factors, Function, Sum, Variable};

/// Of x' = f x + c: any solution Φ of x' = f x, and any of the whole equation.
#[derive(Clone, Debug)]
pub struct Linear {
    pub homogeneous: Sum,
    pub particular: Sum,
}

impl Integrator {
    /// `None` where an integral is not elementary.
    pub fn linear(&self, slope: &Sum, source: &Sum) -> Option<Linear> {
        let homogeneous = Sum::exp(&self.primitive(slope)?);
        let weight = homogeneous.recip();
        let integral = self.primitive(&cancelled(&(source * &weight)))?;
        Some(Linear { particular: cancelled(&(&integral * &homogeneous)), homogeneous })
    }
}

impl Linear {
    /// Φ(t) / Φ(s)
    pub fn factor(&self) -> Sum {
        let mut factor = Sum::one();
        for (factors, _) in self.homogeneous.terms() {
            for (base, &power) in factors {
                let ratio = match base {
                    Base::Apply(Function::Exp, exponent) => Sum::exp(&exponent.scale(power).difference()),
                    _ if base.is_free_of(Variable::Time) => Sum::one(),
                    _ => {
                        let value = Sum::term(super::number::Number::ONE, Factors::from([(base.clone(), power)]));
                        &value * &Sum::power(base, -power).at_start()
                    }
                };
                factor = &factor * &ratio;
            }
        }
        factor
    }

    /// The solution that is zero at s: E(t) - Φ(t) / Φ(s) E(s) = E(t) - E(s) - (Φ(t) - Φ(s)) E(s) / Φ(s).
    pub fn accumulated(&self) -> Sum {
        let relative = &self.homogeneous.difference() * &self.homogeneous.recip().at_start();
        let sum = &self.particular.difference() - &(&relative * &self.particular.at_start());
        super::difference::gathered(&sum)
    }
}

/// Sums below a fraction that divide what stands above it.
fn cancelled(sum: &Sum) -> Sum {
    sum.clone()
}
