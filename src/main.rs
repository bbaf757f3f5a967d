//! Flags -> a command -> what it prints and its exit code.

use clap::Parser;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::time::Instant;
use tilde_lang::command::{self, Command};
use tilde_lang::report::console;

/// A language for generative models: write what stands on the board, train and sample native code.
#[derive(Parser)]
#[command(name = "tilde", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let launched = Instant::now();
    match Arguments::try_parse() {
        Ok(arguments) => ExitCode::from(guarded(arguments.command, launched)),
        Err(error) => {
            // Help and the version are answers, anything else is a mistake on the command line.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}

/// A panic is a mistake of the compiler: it asks for a report, without a trace, and counts as a failure of running.
fn guarded(command: Command, launched: Instant) -> u8 {
    set_hook(Box::new(|panic| {
        console::remark(format_args!("E0999: the compiler broke one of its own rules: {panic}"));
        console::remark("please report this with the file that caused it; `tilde explain E0999` says more");
    }));
    catch_unwind(AssertUnwindSafe(|| command::execute(command, launched))).unwrap_or(3)
}
