//! Mathematics as on the board: a tree that says what is meant and leaves to the report how it is set.

use super::name;

/// A term, an equation or a statement. Constructors are on this type; sums, differences, products and quotients are written with
/// Rust's operators.
#[derive(Clone, Debug, PartialEq)]
pub enum Formula {
    Number(f64),
    /// A variable, a parameter, a function: `x`, `theta` (set as θ), `enc`
    Name(String),
    /// Words between symbols: `otherwise`
    Words(String),
    /// x with subscripts: x_k, S_{ij}, x_{t−1}
    Index(Box<Formula>, Vec<Formula>),
    Accent(Accent, Box<Formula>),

    Neg(Box<Formula>),
    Add(Vec<Formula>),
    /// Side by side: products with scalars and products of matrices, in order
    Mul(Vec<Formula>),
    /// Elementwise: a ⊙ b
    Elementwise(Vec<Formula>),
    Div(Box<Formula>, Box<Formula>),
    Pow(Box<Formula>, Box<Formula>),
    Transpose(Box<Formula>),
    Inverse(Box<Formula>),
    /// |A|
    Determinant(Box<Formula>),
    Abs(Box<Formula>),
    /// ‖x‖
    Norm(Box<Formula>),
    /// f(x, y); of `log`, `exp`, `sin` and the like without brackets where none are needed
    Apply(Box<Formula>, Vec<Formula>),
    /// Named parts beside the arguments: f(x; probs: w)
    Labelled(String, Box<Formula>),

    /// p(x | z)
    Density {
        name: String,
        targets: Vec<Formula>,
        given: Vec<Formula>,
    },
    /// N(m, s²), or its density at a value: N(x; m, s²)
    Distribution {
        family: String,
        value: Option<Box<Formula>>,
        params: Vec<Formula>,
    },
    /// Σ_k e, Π_n e, ∫ e dz, max_k e
    Big {
        operator: Big,
        below: Vec<Formula>,
        above: Option<Box<Formula>>,
        body: Box<Formula>,
    },
    /// E_{z ∼ q(z | x)}[e]: the draws are relations
    Expectation {
        draws: Vec<Formula>,
        body: Box<Formula>,
    },
    /// KL(a ‖ b)
    Divergence(Box<Formula>, Box<Formula>),
    /// H(a)
    Entropy(Box<Formula>),
    /// ∇_x e
    Gradient {
        wrt: Box<Formula>,
        body: Box<Formula>,
    },
    /// ∂e/∂x
    Partial {
        of: Box<Formula>,
        wrt: Box<Formula>,
    },

    /// `then` if `condition`, else `otherwise`
    Cases {
        condition: Box<Formula>,
        then: Box<Formula>,
        otherwise: Box<Formula>,
    },
    Relation(Box<Formula>, Relation, Box<Formula>),
    Tuple(Vec<Formula>),
    List(Vec<Formula>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accent {
    Hat,
    Bar,
    Tilde,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Big {
    Sum,
    Product,
    /// The names below are those integrated over: ∫ e dz
    Integral,
    Max,
    Min,
    ArgMax,
    ArgMin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    Equal,
    /// Equal by definition
    Defined,
    Proportional,
    Approximate,
    /// Distributed as
    Distributed,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    In,
    /// Is replaced by: iterations
    Becomes,
}

impl Formula {
    pub fn name(name: impl Into<String>) -> Formula {
        Formula::Name(name.into())
    }

    pub fn words(text: impl Into<String>) -> Formula {
        Formula::Words(text.into())
    }

    /// x_{i, j}
    pub fn index<I: Into<Formula>>(self, indices: impl IntoIterator<Item = I>) -> Formula {
        let indices = indices.into_iter().map(Into::into);
        match self {
            Formula::Index(base, first) => Formula::Index(base, first.into_iter().chain(indices).collect()),
            // All elements are the same.
            Formula::Number(number) => Formula::Number(number),
            base => Formula::Index(Box::new(base), indices.collect()),
        }
    }

    pub fn hat(self) -> Formula {
        Formula::Accent(Accent::Hat, Box::new(self))
    }

    pub fn bar(self) -> Formula {
        Formula::Accent(Accent::Bar, Box::new(self))
    }

    pub fn tilde(self) -> Formula {
        Formula::Accent(Accent::Tilde, Box::new(self))
    }

    /// f(x, y)
    pub fn apply(function: impl Into<Formula>, args: impl IntoIterator<Item = Formula>) -> Formula {
        Formula::Apply(Box::new(function.into()), args.into_iter().collect())
    }

    pub fn log(of: impl Into<Formula>) -> Formula {
        match of.into() {
            Formula::Number(1.0) => Formula::Number(0.0),
            of => Formula::apply("log", [of]),
        }
    }

    pub fn exp(of: impl Into<Formula>) -> Formula {
        Formula::apply("exp", [of.into()])
    }

    pub fn sqrt(of: impl Into<Formula>) -> Formula {
        Formula::apply("sqrt", [of.into()])
    }

    /// p(x | z), by names.
    pub fn density(name: &str, targets: &[&str], given: &[&str]) -> Formula {
        let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
        Formula::Density { name: name.into(), targets: names(targets), given: names(given) }
    }

    /// p(x_t | x_0): targets and givens that are more than names.
    pub fn density_of(name: &str, targets: Vec<Formula>, given: Vec<Formula>) -> Formula {
        Formula::Density { name: name.into(), targets, given }
    }

    /// N(mean, variance): mind that the family `Normal` of the library takes a standard deviation, see `Formula::distribution`.
    pub fn normal(mean: impl Into<Formula>, variance: impl Into<Formula>) -> Formula {
        Formula::Distribution { family: "Normal".into(), value: None, params: vec![mean.into(), variance.into()] }
    }

    /// A distribution by its name in the library and the parameters that it takes there.
    pub fn distribution(family: &str, params: impl IntoIterator<Item = Formula>) -> Formula {
        let mut params: Vec<Formula> = params.into_iter().collect();
        if let ("Normal", [_, std]) = (family, &mut params[..]) {
            *std = std.clone().squared();
        }
        Formula::Distribution { family: family.into(), value: None, params }
    }

    /// The density of a distribution at a value: N(x; m, s²).
    pub fn at(self, at: impl Into<Formula>) -> Formula {
        match self {
            Formula::Distribution { family, params, .. } => Formula::Distribution { family, value: Some(Box::new(at.into())), params },
            other => Formula::apply(other, [at.into()]),
        }
    }

    pub fn sum_over(index: impl Into<Formula>, body: impl Into<Formula>) -> Formula {
        Formula::big(Big::Sum, index, body)
    }

    pub fn product_over(index: impl Into<Formula>, body: impl Into<Formula>) -> Formula {
        Formula::big(Big::Product, index, body)
    }

    /// ∫ body d`over`
    pub fn integral(over: impl Into<Formula>, body: impl Into<Formula>) -> Formula {
        Formula::big(Big::Integral, over, body)
    }

    pub fn big(operator: Big, below: impl Into<Formula>, body: impl Into<Formula>) -> Formula {
        Formula::Big { operator, below: vec![below.into()], above: None, body: Box::new(body.into()) }
    }

    /// Σ from `index = first` to `last`, and the like.
    pub fn big_range(operator: Big, index: &str, first: Formula, last: Formula, body: Formula) -> Formula {
        let below = vec![Formula::name(index).equals(first)];
        Formula::Big { operator, below, above: Some(Box::new(last)), body: Box::new(body) }
    }

    /// E_{draw}[body], the draw as `Formula::drawn("z", q(z | x))`.
    pub fn expectation(draws: impl IntoIterator<Item = Formula>, body: Formula) -> Formula {
        Formula::Expectation { draws: draws.into_iter().collect(), body: Box::new(body) }
    }

    /// z ∼ distribution
    pub fn drawn(name: impl Into<Formula>, from: impl Into<Formula>) -> Formula {
        name.into().related(Relation::Distributed, from)
    }

    pub fn kl(a: impl Into<Formula>, b: impl Into<Formula>) -> Formula {
        Formula::Divergence(Box::new(a.into()), Box::new(b.into()))
    }

    pub fn entropy(a: impl Into<Formula>) -> Formula {
        Formula::Entropy(Box::new(a.into()))
    }

    pub fn gradient(wrt: impl Into<Formula>, body: impl Into<Formula>) -> Formula {
        Formula::Gradient { wrt: Box::new(wrt.into()), body: Box::new(body.into()) }
    }

    pub fn partial(of: impl Into<Formula>, wrt: impl Into<Formula>) -> Formula {
        Formula::Partial { of: Box::new(of.into()), wrt: Box::new(wrt.into()) }
    }

    pub fn cases(condition: Formula, then: Formula, otherwise: Formula) -> Formula {
        Formula::Cases { condition: Box::new(condition), then: Box::new(then), otherwise: Box::new(otherwise) }
    }

    pub fn related(self, relation: Relation, right: impl Into<Formula>) -> Formula {
        Formula::Relation(Box::new(self), relation, Box::new(right.into()))
    }

    pub fn equals(self, right: impl Into<Formula>) -> Formula {
        self.related(Relation::Equal, right)
    }

    pub fn tuple(parts: impl IntoIterator<Item = Formula>) -> Formula {
        Formula::Tuple(parts.into_iter().collect())
    }

    pub fn transpose(self) -> Formula {
        match self {
            Formula::Transpose(inner) => *inner,
            Formula::Number(_) => self,
            other => Formula::Transpose(Box::new(other)),
        }
    }

    pub fn inverse(self) -> Formula {
        match self {
            Formula::Inverse(inner) => *inner,
            other => Formula::Inverse(Box::new(other)),
        }
    }

    pub fn determinant(self) -> Formula {
        Formula::Determinant(Box::new(self))
    }

    pub fn norm(self) -> Formula {
        Formula::Norm(Box::new(self))
    }

    pub fn abs(self) -> Formula {
        Formula::Abs(Box::new(self))
    }

    /// A number as such, `x2` as x₂; a Greek letter by its name.
    pub fn parse_name(text: &str) -> Formula {
        name::parse(text)
    }
}
