//! Maps whose elements depend on those before them.

use super::solver::Solver;
use crate::base::diagnostic::Result;

impl Solver<'_, '_> {
    pub(super) fn sweep(&mut self) -> Result<bool> {
        Ok(false)
    }
}
