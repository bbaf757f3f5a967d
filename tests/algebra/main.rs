//! What expressions, densities, chains and processes mean: closed forms against quadrature, enumeration, dense algebra and other systems.

mod adversary;
mod chain;
mod conjugate;
mod estimation;
mod evaluation;
mod expressions;
mod flows;
mod gaussian;
mod guidance;
mod interpolant;
mod ito;
mod langevin;
mod likelihood;
mod linear_sde;
mod mistakes;
mod mixture_diffusion;
mod objectives;
mod process;
mod process_adversary;
mod process_chain;
mod samplers;
