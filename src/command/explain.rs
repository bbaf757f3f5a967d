//! `tilde explain CODE`

use super::Failure;
use crate::base::{Code, nearest};
use clap::Args;

#[derive(Args)]
pub struct Arguments {
    /// As in E0201; without a code, the list of all
    pub code: Option<String>,
}

pub fn execute(arguments: &Arguments) -> Result<(), Failure> {
    let Some(text) = &arguments.code else {
        Code::ALL.iter().for_each(|code| println!("{code}  {}", code.title()));
        return Ok(());
    };
    match text.parse::<Code>() {
        Ok(code) => {
            print!("{}", code.page());
            Ok(())
        }
        Err(()) => {
            let near = nearest(text, Code::ALL.iter().map(|code| code.as_str()));
            let hint = near.map_or("`tilde explain` lists all codes".to_owned(), |near| format!("did you mean {near}?"));
            Err(Failure::CommandLine(format!("there is no code {text}; {hint}")))
        }
    }
}
