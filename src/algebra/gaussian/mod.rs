//! Linear-Gaussian algebra.
//!
//! Where every factor that mentions some latent variables is Gaussian, with a mean affine in them and a covariance without them,
//! everything about them has a closed form (Bishop: Pattern recognition and machine learning, 2006, equations 2.113 to 2.117):
//!
//! ```text
//! p(z) = N(m, S),  p(x | z) = N(A z + b, R)
//! p(x) = N(A m + b, A S Aᵀ + R)
//! p(z | x) = N(m + K (x − A m − b), (S⁻¹ + Aᵀ R⁻¹ A)⁻¹),  K = S Aᵀ (A S Aᵀ + R)⁻¹
//! ```
//!
//! | file | |
//! | --- | --- |
//! | [`affine`] | which function is affine in which variable, decided by symbolic derivatives; its coefficients |
//! | [`dependence`] | whether and how a value depends on a variable |
//! | [`invariant`] | coefficients lose the plates along which they do not vary, so that a matrix is factorised once and not for every row |
//! | [`factor`] | a factor as a mean that is affine in latent variables, and a covariance |
//! | [`board`] | the steps of a derivation, in the names of the file |
//! | [`convert`] | independent elements as a vector with a diagonal covariance |
//! | [`reduced`] | several latent variables, some given others, as affine functions of independent noises |
//! | [`system`] | evidence and posterior of independent unit noises under observations with unit noise |
//! | [`matrix`] | products, factorisations and solves of matrices in every cell of their plates |

pub mod affine;
mod board;
mod convert;
mod dependence;
pub mod factor;
mod invariant;
mod matrix;
pub mod reduced;
pub mod system;
