//! Processes: families of states x[t] or x(t) whose law given an earlier state is known.
//!
//! | file | |
//! | --- | --- |
//! | [`coefficient`] | what multiplies a state: a number, a diagonal, a matrix |
//! | [`transition`] | the law of one state given an earlier one |
//! | [`chain`] | which factors of a density make a chain; its kernels at a running time |
//! | [`chain_tables`] | Gaussian chains: signal and variance of all members given the first, as tables |
//! | [`chain_law`] | their transitions and bridges between running times |
//! | [`chain_query`] | `q(x[t] | x[0])`, `q(x[t-1] | x[t], x[0])` as distributions |
//! | [`chain_record`] | what the printed derivation says of them |

pub mod chain;
mod chain_law;
mod chain_query;
mod chain_record;
mod chain_tables;
pub mod coefficient;
pub mod transition;

pub(super) use chain_tables::ChainCache;
