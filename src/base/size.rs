//! Sizes of axes: polynomials with integer coefficients over named size variables. Every `dim` has a value, so variables
//! stand only for the lower-case sizes of generic functions while those are checked at their definition. Arithmetic saturates: no
//! size comes near the ends of i64, and the checker refuses what does.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Mul, Sub};

/// A product of variables, sorted: `n * n * d`. Empty for the constant term.
type Monomial = Vec<String>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Size {
    /// No zero coefficients
    terms: BTreeMap<Monomial, i64>,
}

impl Size {
    pub fn variable(name: impl Into<String>) -> Size {
        Size { terms: BTreeMap::from([(vec![name.into()], 1)]) }
    }

    /// The number, if no variable is left and it is not negative.
    pub fn known(&self) -> Option<usize> {
        usize::try_from(self.constant()?).ok()
    }

    /// The number, negative or not, if no variable is left.
    pub fn constant(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.terms.keys().flatten().map(String::as_str)
    }

    /// With variables replaced where `value` knows them.
    pub fn substitute(&self, value: &dyn Fn(&str) -> Option<Size>) -> Size {
        let term = |(monomial, &coefficient): (&Monomial, &i64)| {
            let factors = monomial.iter().map(|name| value(name).unwrap_or_else(|| Size::variable(name.as_str())));
            factors.fold(Size::from(coefficient), |product, factor| product * factor)
        };
        self.terms.iter().map(term).fold(Size::default(), |sum, term| sum + term)
    }

    /// Division without remainder, by a known number other than 0.
    pub fn divide(&self, by: i64) -> Option<Size> {
        let divides = by != 0 && self.terms.values().all(|c| c % by == 0);
        divides.then(|| Size { terms: self.terms.iter().map(|(m, c)| (m.clone(), c / by)).collect() })
    }

    fn combine(mut self, other: Size, sign: i64) -> Size {
        for (monomial, coefficient) in other.terms {
            let sum = self.terms.remove(&monomial).unwrap_or(0).saturating_add(coefficient.saturating_mul(sign));
            if sum != 0 {
                self.terms.insert(monomial, sum);
            }
        }
        self
    }
}

impl From<i64> for Size {
    fn from(value: i64) -> Size {
        Size::default().combine(Size { terms: BTreeMap::from([(vec![], value)]) }, 1)
    }
}

impl From<usize> for Size {
    fn from(value: usize) -> Size {
        Size::from(value as i64)
    }
}

impl Add for Size {
    type Output = Size;
    fn add(self, other: Size) -> Size {
        self.combine(other, 1)
    }
}

impl Sub for Size {
    type Output = Size;
    fn sub(self, other: Size) -> Size {
        self.combine(other, -1)
    }
}

impl Mul for Size {
    type Output = Size;
    fn mul(self, other: Size) -> Size {
        let mut product = Size::default();
        for (a, x) in &self.terms {
            for (b, y) in &other.terms {
                let mut monomial = [&a[..], &b[..]].concat();
                monomial.sort();
                product = product.combine(Size { terms: BTreeMap::from([(monomial, x.saturating_mul(*y))]) }, 1);
            }
        }
        product
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        // The constant term sorts first and reads better last.
        for (i, (monomial, &c)) in
            self.terms.iter().skip_while(|(m, _)| m.is_empty()).chain(self.terms.iter().take_while(|(m, _)| m.is_empty())).enumerate()
        {
            let sign = match (i, c < 0) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            f.write_str(sign)?;
            match (monomial.is_empty(), c.abs()) {
                (true, n) => write!(f, "{n}")?,
                (false, 1) => f.write_str(&monomial.join("*"))?,
                (false, n) => write!(f, "{n}*{}", monomial.join("*"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_that_of_polynomials() {
        let n = || Size::variable("n");
        let square = (n() + 1usize.into()) * (n() - 1usize.into());
        assert_eq!(square, n() * n() - 1usize.into());
        assert_eq!(square.to_string(), "n*n - 1");
        assert_eq!((n() - n()).known(), Some(0));
        assert_eq!((n() * 2usize.into()).divide(2), Some(n()));
        assert_eq!(square.substitute(&|_| Some(3usize.into())).known(), Some(8));
    }
    #[test]
    fn products_saturate() {
        let huge = Size::from(i64::MAX - 1);
        assert_eq!((huge.clone() * huge.clone() + huge).constant(), Some(i64::MAX));
    }
}
