//! The arguments of a call of a source, by position or by name.

use crate::base::diagnostic::{Diagnostic, Result};
use crate::base::{Code, nearest};
use crate::check::model::Argument;
use std::collections::VecDeque;

/// Takes arguments in the order of the parameters; what is left at the end was not asked for.
pub(super) struct Arguments<'a> {
    call: &'a str,
    positional: VecDeque<&'a Argument>,
    named: Vec<(&'a str, &'a Argument)>,
    parameters: Vec<&'static str>,
}

impl<'a> Arguments<'a> {
    pub fn new(call: &'a str, arguments: &'a [(Option<String>, Argument)]) -> Arguments<'a> {
        let positional = arguments.iter().filter(|(name, _)| name.is_none()).map(|(_, value)| value).collect();
        let named = arguments.iter().filter_map(|(name, value)| Some((name.as_deref()?, value))).collect();
        Arguments { call, positional, named, parameters: vec![] }
    }

    fn take(&mut self, parameter: &'static str) -> Option<&'a Argument> {
        self.parameters.push(parameter);
        match self.named.iter().position(|(name, _)| *name == parameter) {
            Some(index) => Some(self.named.remove(index).1),
            None => self.positional.pop_front(),
        }
    }

    fn wrong(&self, parameter: &str, wanted: &str) -> Diagnostic {
        Diagnostic::new(Code::TypeMismatch, format!("`{parameter}` of `{}` is to be {wanted}", self.call))
    }

    fn missing(&self, parameter: &str) -> Diagnostic {
        Diagnostic::new(Code::ArgumentCount, format!("`{}` needs `{parameter}`", self.call))
    }

    pub fn text(&mut self, parameter: &'static str) -> Result<String> {
        self.optional_text(parameter)?.ok_or_else(|| self.missing(parameter))
    }

    pub fn optional_text(&mut self, parameter: &'static str) -> Result<Option<String>> {
        match self.take(parameter) {
            Some(Argument::Text(text)) => Ok(Some(text.clone())),
            Some(Argument::Number(_) | Argument::List(_)) => Err(self.wrong(parameter, "a text in quotes")),
            None => Ok(None),
        }
    }

    pub fn names(&mut self, parameter: &'static str) -> Result<Option<Vec<String>>> {
        let wrong = self.wrong(parameter, "a list of names in quotes");
        let name = |item: &Argument| match item {
            Argument::Text(name) => Ok(name.clone()),
            Argument::Number(_) | Argument::List(_) => Err(wrong.clone()),
        };
        match self.take(parameter) {
            Some(Argument::List(items)) => items.iter().map(name).collect::<Result<_>>().map(Some),
            Some(item) => Ok(Some(vec![name(item)?])),
            None => Ok(None),
        }
    }

    /// A finite number, zero or above.
    pub fn number(&mut self, parameter: &'static str, default: f64) -> Result<f64> {
        match self.take(parameter) {
            Some(Argument::Number(value)) if value.is_finite() && *value >= 0.0 => Ok(*value),
            Some(Argument::Number(value)) => {
                Err(Diagnostic::new(Code::BadSetting, format!("`{parameter}` of `{}` is {value}; it must be 0 or above", self.call)))
            }
            Some(Argument::Text(_) | Argument::List(_)) => Err(self.wrong(parameter, "a number")),
            None => Ok(default),
        }
    }

    /// A whole number from 1 to 2^32.
    pub fn count(&mut self, parameter: &'static str, default: Option<usize>) -> Result<usize> {
        match self.take(parameter) {
            Some(Argument::Number(value)) if value.fract() == 0.0 && (1.0..=4_294_967_296.0).contains(value) => Ok(*value as usize),
            Some(Argument::Number(value)) => Err(Diagnostic::new(
                Code::BadSetting,
                format!("`{parameter}` of `{}` is {value}; it must be a whole number, 1 or above", self.call),
            )),
            Some(Argument::Text(_) | Argument::List(_)) => Err(self.wrong(parameter, "a whole number")),
            None => default.ok_or_else(|| self.missing(parameter)),
        }
    }

    /// An error for what no parameter took.
    pub fn finish(self) -> Result<()> {
        if let Some((name, _)) = self.named.first() {
            let found = Diagnostic::new(Code::UnknownArgument, format!("`{}` has no argument `{name}`", self.call));
            return Err(match nearest(name, self.parameters.iter().copied()) {
                Some(meant) => found.help(format!("did you mean `{meant}`?")),
                None => found.help(takes(self.call, &self.parameters)),
            });
        }
        if !self.positional.is_empty() {
            let count = self.parameters.len();
            let found = Diagnostic::new(Code::ArgumentCount, format!("`{}` takes at most {count} arguments", self.call));
            return Err(found.help(takes(self.call, &self.parameters)));
        }
        Ok(())
    }
}

fn takes(call: &str, parameters: &[&str]) -> String {
    if parameters.is_empty() { format!("write `{call}()`") } else { format!("`{call}` takes {}", parameters.join(", ")) }
}
