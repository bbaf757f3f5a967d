//! Processes: families of random variables in continuous time, their equations, what is made from them, and what is asked of them.

mod declare;
mod declared;
mod guide;
mod initial;
mod instant;
mod made;
mod member;
mod reverse;
mod state_factor;

pub use declared::Declared;
pub use initial::InitialHead;
pub use instant::Instants;
pub use made::{MAKERS, Made, maker};
pub use member::{is_process, is_size};
pub use state_factor::StateHead;
