//! Latent variables of which each class has its own, `theta[k]`: an observation of class k is one of member k, so that the sums of a
//! rule count it there with weight 1 and elsewhere with weight 0.

use super::super::lowering::Lowering;
use super::super::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::{CompareOp, DType};
use crate::check::model::{Expr, ExprKind, Subscript, VarId};

/// What `theta[k]` stands for while a likelihood is lowered: one member, whatever its class.
#[derive(Clone, Default)]
pub(in crate::algebra) struct Members {
    pub vars: Vec<VarId>,
    pub members: Vec<Array>,
    /// The class, as it was found in the subscripts
    pub class: Option<Array>,
    /// Subscripts that differ
    pub several: bool,
}

impl Lowering<'_> {
    /// `theta[k]`, if it stands for a member of any class.
    pub(in crate::algebra) fn member_of_class(&mut self, base: &Expr, subscripts: &[Subscript]) -> Result<Option<Array>> {
        let (ExprKind::Var(var), Some(Subscript::At(index))) = (&base.kind, subscripts.first()) else { return Ok(None) };
        let Some(members) = &self.members else { return Ok(None) };
        let Some(at) = members.vars.iter().position(|known| known == var) else { return Ok(None) };
        let member = members.members[at].clone();
        let class = self.eval_array(index)?;
        let class = self.cast(&class, DType::Int);
        if let Some(members) = &mut self.members {
            members.several |= members.class.as_ref().is_some_and(|known| (known.frame, known.node) != (class.frame, class.node));
            members.class = Some(class);
        }
        Ok(Some(member))
    }

    /// 1 where an observation is of the class that a plate counts, 0 elsewhere.
    pub(super) fn class_weight(&mut self, class: &Array, plate: PlateId) -> Result<Array> {
        let count = self.sizes(&[plate])[0];
        let node = self.b().iota(count);
        let number = self.array(node, vec![plate]);
        let same = self.compare(CompareOp::Eq, class, &number)?;
        Ok(self.cast(&same, DType::Real))
    }

    /// The first member of a value that is repeated over a plate, without the plate.
    pub(super) fn first_member(&mut self, value: &Array, plate: PlateId) -> Array {
        let lowered = self.lower_plates(value, &[plate]);
        let node = self.node(&lowered);
        let at = lowered.plates.len();
        let node = self.b().slice_axis(node, at, 0, 1);
        let mut shape = self.b().shape(node).to_vec();
        shape.remove(at);
        let node = self.b().reshape(node, &shape);
        self.array(node, lowered.plates)
    }
}
