//! Processes made from others: `reverse(q, noise: f)`, `flow(p)`.

use super::super::checker::{Callable, Checked, Checker};
use super::super::model::{DensityId, Process, ProcessKind, VarId};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind, Ident};

/// The functions that make a process from another.
pub const MAKERS: &[&str] = &["reverse", "flow", "guide", "drop"];

/// A process that was made from another, before its network is checked.
#[derive(Clone, Debug)]
pub struct Made<'a> {
    pub id: DensityId,
    pub(super) maker: &'a str,
    pub(super) args: &'a [ast::Arg],
    pub(super) of: DensityId,
    pub(super) span: Span,
}

/// `reverse(q, …)`: which maker, with what.
pub fn maker(e: &ast::Expr) -> Option<(&str, &[ast::Arg])> {
    match &e.kind {
        ast::ExprKind::Call { callee, args, given: None } => match &callee.kind {
            ast::ExprKind::Name(name) if MAKERS.contains(&name.name.as_str()) => Some((&name.name, args)),
            _ => None,
        },
        _ => None,
    }
}

impl<'a> Checker<'a> {
    /// The head of `p = reverse(q, noise: f)`; its network is checked with the densities.
    pub fn made_head(&mut self, name: &Ident, value: &'a ast::Expr, span: Span) -> Checked<DensityId> {
        let Some((maker, args)) = maker(value) else { return Err(Diagnostic::internal("no maker").at(span).into()) };
        let id = self.density_head(name, span);
        let made = self.source_of(maker, args, span).and_then(|of| {
            let family = self.family_of(of, value.span)?;
            self.heads[id.index()].process = Some(family);
            self.made.made_by.insert(id, (maker, of));
            self.made.processes.push(Made { id, maker, args, of, span });
            Ok(id)
        });
        if made.is_err() {
            self.made.poisoned.insert(id);
        }
        made
    }

    /// `flow(p)` where a process is wanted: made once.
    pub fn anonymous_process(&mut self, e: &'a ast::Expr) -> Option<Checked<Callable>> {
        let (maker, args) = maker(e)?;
        Some((|| {
            let of = self.source_of(maker, args, e.span)?;
            let rest: String = args[1..].iter().map(|arg| format!(", {:?}", arg.span)).collect();
            let name = format!("{maker}({}{rest})", self.heads[of.index()].name);
            // What a guide is given may stand in the scope of one use.
            let guided = matches!(maker, "guide" | "drop");
            let name = if guided { format!("{name} {}", self.heads.len()) } else { name };
            if let Some(id) = self.densities.get(&name) {
                return self.usable(*id).map(Callable::Density);
            }
            let id = self.made_head(&Ident { name, span: e.span }, e, e.span)?;
            self.finish_made(id)?;
            Ok(Callable::Density(id))
        })())
    }

    /// The process in the first argument.
    fn source_of(&mut self, maker: &str, args: &'a [ast::Arg], span: Span) -> Checked<DensityId> {
        let Some(ast::Arg { kind: ArgKind::Positional(of), .. }) = args.first() else {
            return Err(Diagnostic::new(Code::ArgumentCount, format!("`{maker}` is made of a process")).at(span).into());
        };
        self.process_named(of)
    }

    /// The density with a process that an expression names.
    pub fn process_named(&mut self, e: &'a ast::Expr) -> Checked<DensityId> {
        match self.as_callable(e) {
            Some(Ok(Callable::Density(id))) => {
                self.usable(id)?;
                self.family_of(id, e.span)?;
                Ok(id)
            }
            Some(Err(fault)) => Err(fault),
            Some(Ok(_)) | None => {
                let problem = Diagnostic::new(Code::WrongKind, "this is not a process").at(e.span);
                let frozen = matches!(&e.kind, ast::ExprKind::Call { callee, .. }
                    if matches!(&callee.kind, ast::ExprKind::Name(name) if name.name == "frozen"));
                Err(problem
                    .help(match frozen {
                        true => "declare it under a name, `r = frozen(p)`, and give that",
                        false => "give the name of a density that is declared as a process or made by `reverse`",
                    })
                    .into())
            }
        }
    }

    /// The forward process from which a process was made, itself if it is one.
    pub fn forward_of(&self, id: DensityId) -> DensityId {
        let id = self.made.frozen.get(&id).copied().unwrap_or(id);
        self.made.made_by.get(&id).map_or(id, |(_, of)| self.forward_of(*of))
    }

    /// Whether a process was made from another.
    pub fn is_made(&self, id: DensityId) -> bool {
        let id = self.made.frozen.get(&id).copied().unwrap_or(id);
        self.made.made_by.contains_key(&id)
    }

    /// The indexed family whose members a density relates.
    pub fn family_of(&self, id: DensityId, span: Span) -> Checked<VarId> {
        let source = self.made.frozen.get(&id).copied().unwrap_or(id);
        let head = &self.heads[source.index()];
        if let Some(family) = head.process {
            return Ok(family);
        }
        let mut families: Vec<VarId> =
            head.chain.iter().map(|factor| factor.target).filter(|var| self.model.vars[*var].members().is_some()).collect();
        families.dedup();
        match families[..] {
            [family] => Ok(family),
            _ => {
                let problem = Diagnostic::new(Code::WrongKind, format!("`{}` is not a process", head.name));
                let problem = problem.label(span, "a process is needed here").label(head.span, "declared here");
                Err(problem.help("a process is a chain `q(x[t] | x[t-1]) = …` or an equation `q : dx = f dt + g dW`").into())
            }
        }
    }

    /// A density of factors between the members of one chain is a process.
    pub fn chain_process(&mut self, id: DensityId) {
        let (head, density) = (&self.heads[id.index()], &self.model.densities[id]);
        if density.chain.is_empty() || head.process.is_some() {
            return;
        }
        if let Ok(var) = self.family_of(id, density.span) {
            let span = density.span;
            self.put_process(id, Process { var, kind: ProcessKind::Chain, span });
        }
    }

    /// Checks what processes made from others were given.
    pub fn finish_made_processes(&mut self) {
        let pending: Vec<DensityId> = self.made.processes.iter().map(|made| made.id).collect();
        for id in pending {
            let finished = self.finish_made(id);
            if self.settle(finished).is_none() {
                self.made.poisoned.insert(id);
            }
        }
    }

    fn finish_made(&mut self, id: DensityId) -> Checked<()> {
        let Some(at) = self.made.processes.iter().position(|made| made.id == id) else { return Ok(()) };
        let made = self.made.processes.swap_remove(at);
        let var = self.family_of(made.id, made.span)?;
        let kind = match made.maker {
            "reverse" => ProcessKind::Reverse(self.reverse(&made, var)?),
            "guide" => ProcessKind::Guided(self.guide(&made)?),
            "drop" => ProcessKind::Guided(self.drop_label(&made)?),
            _ => self.flow(&made, var)?,
        };
        self.put_process(id, Process { var, kind, span: made.span });
        Ok(())
    }

    fn flow(&self, made: &Made<'a>, var: VarId) -> Checked<ProcessKind> {
        let of = &self.heads[made.of.index()];
        let source = self.made.frozen.get(&made.of).copied().unwrap_or(made.of);
        let problem = match self.made.made_by.get(&source) {
            _ if self.model.vars[var].members().is_some() => {
                let problem = Diagnostic::new(Code::NoRule, format!("`{}` runs in discrete steps and has no probability flow", of.name));
                problem.help("use `ddim(p, eta: 0)`, which draws nothing after the first state, or declare an equation `q : dx = …`")
            }
            None => Diagnostic::new(Code::NoRule, format!("the flow of `{}` needs its score, which no network predicts", of.name))
                .help(format!("make a reverse process first: `p = reverse({}, score: f)`, then `flow(p)`", of.name)),
            Some(("flow", _)) => Diagnostic::new(Code::WrongKind, format!("`{}` is a flow already", of.name)).help("use it as it is"),
            Some(_) => return Ok(ProcessKind::Flow { of: made.of }),
        };
        Err(problem.label(made.span, "asked for here").label(of.span, format!("`{}` is declared here", of.name)).into())
    }
}
