//! Global variables inside expectations and bounds over the rows of a run.
//!
//! ELBO(p, q) = (1 / N) (Σ_n E[log p(x_n, z_n | θ) − log q(z_n | x_n)] − KL(q(θ) || p(θ))) with N rows to train on: each row carries
//! its own terms and one N-th of those of the global θ. So the mean over any rows, a minibatch too, is an unbiased estimate of the
//! whole bound over N, and the prior counts once (Hoffman, Blei, Wang, Paisley: Stochastic variational inference, 2013, section 2).

use super::lowering::Lowering;
use super::value::Array;
use crate::base::diagnostic::Result;
use crate::base::{Diagnostic, Span};
use crate::check::model::{Bound, DensityId, Place, VarId};

impl Lowering<'_> {
    /// What is drawn for a name: for a global variable, the same for all rows of the data.
    pub(super) fn for_name<T>(&mut self, place: Place, draw: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let shared = match place {
            Place::Var(var) => self.model.vars[var].global && !self.data.draws,
            Place::Local(_) | Place::Param(_) => false,
        };
        let at = self.scope.iter().position(|plate| shared && Some(*plate) == self.rows);
        let Some(at) = at else { return draw(self) };
        let rows = self.scope.remove(at);
        let x = draw(self);
        self.scope.insert(at, rows);
        x
    }

    /// A term of a bound about a variable: of a global one, the part of one row.
    pub(super) fn shared_by_rows(&mut self, p: DensityId, var: VarId, term: Array) -> Result<Array> {
        if !self.model.vars[var].global {
            return Ok(term);
        }
        self.part_of_one_row(p, term)
    }

    /// One N-th of what is about all N rows to train on, if a density is about rows.
    pub(super) fn part_of_one_row(&mut self, p: DensityId, term: Array) -> Result<Array> {
        match self.rows_to_train_on(p) {
            Some(rows) => {
                let part = self.real(1.0 / rows as f64);
                self.mul(&term, &part)
            }
            None => Ok(term),
        }
    }

    /// N, if a density is about rows.
    pub(super) fn rows_to_train_on(&self, p: DensityId) -> Option<usize> {
        let vars = self.model.densities[p].factors.iter().flat_map(|f| f.targets.iter().chain(&f.given));
        vars.filter_map(|&var| self.row_counts.get(&self.model.vars[var].observed?)).map(|count| count.train).max()
    }

    /// The logarithm of a mean of weights, each a product over all rows, is no mean over rows.
    pub(super) fn refuse_weighted_globals(&self, bound: &Bound, span: Span) -> Result<()> {
        let mut drawn = self.model.densities[bound.q].factors.iter().flat_map(|f| &f.targets).copied();
        match drawn.find(|&var| self.model.vars[var].global) {
            Some(var) => {
                let name = self.names(&[var]);
                Err(Diagnostic::unsupported(format!("IWAE over {name}, which all rows share")).at(span).help("use `ELBO(p, q)`"))
            }
            None => Ok(()),
        }
    }
}
