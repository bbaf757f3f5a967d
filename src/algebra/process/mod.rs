//! Processes: forward kernels of chains, of Itô equations and of interpolants, one algebra between them; what is made from them.
//!
//! Whatever says a forward process answers for two things. Its [`Transition`]: x(t) given x(s) is normal, affine in x(s). Its [`Dynamics`]:
//! dx = (F x + u) dt + g dW. Everything else, marginals, bridges, reverse kernels and equations, follows from these.

mod bound;
mod bound_draws;
mod calculus;
mod chain;
mod chain_law;
mod chain_query;
mod chain_record;
mod chain_tables;
mod coefficient;
mod dynamics;
mod finite;
mod finite_law;
mod guidance;
mod guidance_record;
mod interpolant;
mod ito;
mod kernel;
mod member;
mod path;
mod prediction;
mod record;
mod reverse;
mod schedule;
mod transition;
mod validity;

pub(super) use chain_tables::ChainCache;
pub(super) use finite::FiniteCache;
pub(super) use ito::EquationCache;

pub use schedule::Schedule;
pub(super) use validity::LookedAt;
