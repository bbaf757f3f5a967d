//! Elementwise operations, each within its domain.

use super::Generator;
use crate::base::op::{BinaryOp, CompareOp, DType, UnaryOp};
use crate::graph::{NodeId, Op};

impl Generator<'_> {
    pub(super) fn elementwise(&mut self) -> NodeId {
        let x = self.any_real();
        match self.source.below(5) {
            0..3 => self.real_unary(x),
            _ => {
                let shape = self.builder.shape(x).to_vec();
                let y = self.of_type(DType::Real, &shape);
                self.real_binary(x, y)
            }
        }
    }

    fn real_unary(&mut self, x: NodeId) -> NodeId {
        use UnaryOp::*;
        let op = self.source.choose(UnaryOp::ALL);
        let argument = match op {
            Neg | Abs | Exp | Expm1 | Sin | Cos | Tanh | Sigmoid | Softplus | Erf => x,
            Log | Log1p | Sqrt | Recip | LogGamma | Digamma | Trigamma => self.positive(x),
            Sign | Floor | Ceil | Round => self.apart(x),
            ErfInv => {
                let x = self.tame(x);
                self.affine(x, 0.9, 0.0)
            }
            Not | IsFinite => return self.builder.stop(x),
        };
        let y = self.builder.unary(op, argument);
        match op {
            Neg | Abs | Log | Log1p | Sqrt | Recip | Sin | Cos | Tanh | Sigmoid | Erf | ErfInv | Sign | Digamma => y,
            Exp | Expm1 | Softplus | LogGamma | Trigamma | Floor | Ceil | Round | Not | IsFinite => self.tame(y),
        }
    }

    fn real_binary(&mut self, x: NodeId, y: NodeId) -> NodeId {
        use BinaryOp::*;
        match self.source.choose(&[Add, Sub, Mul, Div, Rem, Pow, Max, Min, Or]) {
            op @ (Add | Sub | Mul) => {
                let z = self.builder.binary(op, x, y);
                self.tame(z)
            }
            op @ (Max | Min) => self.builder.binary(op, x, y),
            Div => {
                let y = self.positive(y);
                let z = self.builder.div(x, y);
                self.tame(z)
            }
            Rem => {
                let x = self.apart(x);
                let divisor = self.builder.fill_like(1.7, x);
                self.builder.binary(Rem, x, divisor)
            }
            Pow => {
                let (x, y) = (self.positive(x), self.tame(y));
                let z = self.builder.binary(Pow, x, y);
                self.tame(z)
            }
            FloorDiv | And | Or => {
                let condition = self.comparison(x, y);
                self.builder.select(condition, x, y)
            }
        }
    }

    /// An order of reals that are apart.
    fn comparison(&mut self, x: NodeId, y: NodeId) -> NodeId {
        let y = self.apart(y);
        let op = self.source.choose(&[CompareOp::Lt, CompareOp::Le, CompareOp::Gt, CompareOp::Ge]);
        self.builder.compare(op, x, y)
    }

    pub(super) fn integers(&mut self) -> NodeId {
        use BinaryOp::*;
        let x = self.any(DType::Int);
        let shape = self.builder.shape(x).to_vec();
        match self.source.below(10) {
            0 => {
                let x = self.any_real();
                let x = self.apart(x);
                self.builder.cast(x, DType::Int)
            }
            1 => {
                let x = self.any(DType::Bool);
                self.builder.cast(x, DType::Int)
            }
            2 => {
                let n = 1 + self.source.below(5);
                self.builder.iota(n)
            }
            3 => {
                let op = self.source.choose(&[UnaryOp::Neg, UnaryOp::Abs, UnaryOp::Sign]);
                self.builder.unary(op, x)
            }
            _ => {
                let y = self.of_type(DType::Int, &shape);
                let op = self.source.choose(&[Add, Sub, Mul, FloorDiv, Rem, Max, Min]);
                let z = self.builder.binary(op, x, y);
                if matches!(op, Add | Sub | Mul) { self.small(z) } else { z }
            }
        }
    }

    pub(super) fn booleans(&mut self) -> NodeId {
        let x = self.any(DType::Bool);
        let shape = self.builder.shape(x).to_vec();
        match self.source.below(6) {
            0 => self.builder.unary(UnaryOp::Not, x),
            1 => {
                let x = self.any_real();
                self.builder.unary(UnaryOp::IsFinite, x)
            }
            2 => {
                let y = self.of_type(DType::Bool, &shape);
                let op = self.source.choose(&[BinaryOp::And, BinaryOp::Or]);
                self.builder.binary(op, x, y)
            }
            3 => {
                let x = self.any(DType::Int);
                let shape = self.builder.shape(x).to_vec();
                let y = self.of_type(DType::Int, &shape);
                let op = self.source.choose(CompareOp::ALL);
                self.builder.compare(op, x, y)
            }
            4 => {
                let x = self.any(DType::Int);
                self.builder.cast(x, DType::Bool)
            }
            _ => {
                let x = self.builder.cast(x, DType::Real);
                self.builder.push(Op::Stop, &[x])
            }
        }
    }
}
