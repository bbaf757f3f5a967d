//! What people see: diagnostics, progress, pictures.
