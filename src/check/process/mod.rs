//! Processes: families of random variables in continuous time, their equations, what is made from them, and what is asked of them.

mod declare;
mod declared;
mod guide;
mod instant;
mod made;
mod member;

pub use declared::Declared;
pub use instant::Instants;
pub use made::{MAKERS, Made, maker};
pub use member::{is_process, is_size};
