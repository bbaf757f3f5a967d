//! Flags -> a command -> what it prints and its exit code.

use clap::Parser;
use std::process::ExitCode;
use tilde_lang::command::{self, Command};

/// A language for generative models: write what stands on the board, train and sample native code.
#[derive(Parser)]
#[command(name = "tilde", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let launched = std::time::Instant::now();
    match Arguments::try_parse() {
        Ok(arguments) => ExitCode::from(command::execute(arguments.command, launched)),
        Err(error) => {
            // Help and the version are answers, anything else is a mistake on the command line.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}
