//! What people see: diagnostics, progress, pictures.

pub mod console;
pub mod derivation;
pub mod picture;
pub mod plates;
pub mod profile;
pub mod progress;

pub mod render;
