//! Processes: forward kernels of chains, of Itô equations and of interpolants, one algebra between them; what is made from them.
//!
//! Whatever says a forward process answers for two things. Its [`Transition`]: x(t) given x(s) is normal, affine in x(s). Its [`Dynamics`]:
//! dx = (F x + u) dt + g dW. Everything else, marginals, bridges, reverse kernels and equations, follows from these.

mod bound;
mod calculus;
mod chain;
mod chain_law;
mod chain_query;
mod chain_record;
mod chain_tables;
mod closed;
mod coefficient;
mod dynamics;
mod equation;
mod guidance;
mod interpolant;
mod ito;
mod kernel;
mod member;
mod numeric;
mod prediction;
mod probe;
mod quadrature;
mod reverse;
mod transition;

pub(super) use chain_tables::ChainCache;
