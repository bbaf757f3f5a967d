//! The binary as people run it: exit codes, the decisive words of messages, and that no work is lost.

mod commands;
mod data;
mod estimation;
mod profile;
mod program;
mod steps;
mod training;
