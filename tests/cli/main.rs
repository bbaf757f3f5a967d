//! The binary as people run it: exit codes, the decisive words of messages, and that no work is lost.

mod bench_json;
mod commands;
mod data;
mod derive;
mod derive_process;
mod estimation;
mod evidence;
mod mistakes;
mod profile;
mod program;
mod steps;
mod training;
