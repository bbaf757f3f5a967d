//! `tilde explain CODE`

use super::Failure;
use crate::base::{Code, nearest};
use crate::report::console;
use clap::Args;

#[derive(Args)]
pub struct Arguments {
    /// As in E0201; without a code, the list of all
    pub code: Option<String>,
}

pub fn execute(arguments: &Arguments) -> Result<(), Failure> {
    let Some(text) = &arguments.code else {
        return Code::ALL.iter().try_for_each(|code| console::answer(format_args!("{code}  {}", code.title()))).map_err(Failure::running);
    };
    match text.parse::<Code>() {
        Ok(code) => console::answer(code.page().trim_end()).map_err(Failure::running),
        Err(()) => {
            let near = nearest(text, Code::ALL.iter().map(|code| code.as_str()));
            let hint = near.map_or("`tilde explain` lists all codes".to_owned(), |near| format!("did you mean {near}?"));
            Err(Failure::CommandLine(format!("there is no code {text}; {hint}")))
        }
    }
}
