//! A model as text, one line per declaration: what `tilde emit --stage model` prints.

use super::model::{At, Data, Density, Family, Init, MemberFactor, Model, Param, Source, Var, VarId};
use std::fmt;

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, size) in &self.dims {
            writeln!(f, "dim {name} = {size}")?;
        }
        for constant in self.consts.values() {
            writeln!(f, "let {} : {}", constant.name, constant.ty)?;
        }
        self.data.values().try_for_each(|data| self.write_data(f, data))?;
        for var in self.vars.values().filter(|var| var.observed.is_none()) {
            write_var(f, var)?;
        }
        self.params.values().try_for_each(|param| self.write_param(f, param))?;
        for function in self.functions.values() {
            let params: Vec<String> = function.params.iter().map(|id| self.locals[*id].ty.to_string()).collect();
            writeln!(f, "fn {}({}) -> {}", function.name, params.join(", "), function.body.ty)?;
        }
        for dist in self.dists.values() {
            writeln!(f, "dist {} : {}", dist.name, dist.event)?;
        }
        let mut rules: Vec<String> = vec![];
        for rule in &self.rules {
            let names: Vec<&str> = rule.dists.iter().map(|id| self.dists[*id].name.as_str()).collect();
            let line = format!("rule {:?} {}", rule.kind, names.join(" || "));
            if !rules.contains(&line) {
                writeln!(f, "{line}")?;
                rules.push(line);
            }
        }
        self.densities.values().try_for_each(|density| self.write_density(f, density))?;
        for quantity in self.quantities.values() {
            writeln!(f, "{} {} : {}", if quantity.metric { "metric" } else { "objective" }, quantity.name, quantity.value.ty)?;
        }
        for train in &self.trains {
            writeln!(f, "train {} of {} statements, {:?}", train.name.as_deref().unwrap_or("all"), train.body.len(), train.settings)?;
        }
        for sample in &self.samples {
            let picture = sample.picture.map_or(String::new(), |picture| format!(" as {picture:?}"));
            writeln!(f, "sample {} : {}{picture}", sample.name, sample.value.ty)?;
        }
        Ok(())
    }
}

impl Model {
    fn write_data(&self, f: &mut fmt::Formatter<'_>, data: &Data) -> fmt::Result {
        let vars: Vec<String> = data.vars.iter().map(|id| format!("{} : {}", self.vars[*id].name, self.vars[*id].ty)).collect();
        let source = match &data.source {
            Source::Named { name, field: Some(field), .. } => format!("{name}.{field}"),
            Source::Named { name, field: None, .. } => name.clone(),
            Source::Values { shape, .. } => format!("values {shape:?}"),
        };
        writeln!(f, "data {} = {source} split {}", vars.join(", "), data.split)
    }

    fn write_param(&self, f: &mut fmt::Formatter<'_>, param: &Param) -> fmt::Result {
        let init = match &param.init {
            Init::Value(_) => "by value",
            Init::Draw(_) => "drawn",
            Init::Rows(_) => "rows of data",
        };
        let constrained = if param.constraint.is_some() { ", constrained" } else { "" };
        writeln!(f, "param {} : {} {init}{constrained}", param.path, param.ty)
    }

    fn write_density(&self, f: &mut fmt::Formatter<'_>, density: &Density) -> fmt::Result {
        let names = |vars: &[VarId]| vars.iter().map(|id| self.vars[*id].name.as_str()).collect::<Vec<_>>().join(", ");
        for factor in &density.factors {
            let bar = if factor.given.is_empty() { "" } else { " | " };
            let frozen = if density.frozen { " frozen" } else { "" };
            writeln!(f, "factor {}({}{bar}{}) : {}{frozen}", density.name, names(&factor.targets), names(&factor.given), factor.dist.ty)?;
        }
        for factor in &density.chain {
            let var = &self.vars[factor.target];
            let at = factor.at.map_or(String::new(), |at| format!("[{}]", self.member(factor, at)));
            let given = factor.members.iter().map(|m| format!("{}[{}]", self.vars[m.var].name, self.member(factor, m.at)));
            let given: Vec<String> = given.chain(factor.given.iter().map(|id| self.vars[*id].name.clone())).collect();
            let bar = if given.is_empty() { "" } else { " | " };
            let over = factor.index.as_ref().map_or(String::new(), |i| format!(" for {}..{}", i.first, i.first + i.count as i64 - 1));
            writeln!(f, "factor {}({}{at}{bar}{}) : {}{over}", density.name, var.name, given.join(", "), factor.dist.ty)?;
        }
        Ok(())
    }

    /// How a factor's member is written: `1`, `t`, `t - 1`.
    pub fn member(&self, factor: &MemberFactor, at: At) -> String {
        let index = factor.index.as_ref().map_or("t", |index| self.locals[index.local].name.as_str());
        match at {
            At::Number(number) => number.to_string(),
            At::Offset(0) => index.to_string(),
            At::Offset(offset) if offset < 0 => format!("{index}-{}", -offset),
            At::Offset(offset) => format!("{index}+{offset}"),
        }
    }
}

fn write_var(f: &mut fmt::Formatter<'_>, var: &Var) -> fmt::Result {
    match var.family {
        Family::Single => writeln!(f, "{} {} : {}", if var.global { "global" } else { "var" }, var.name, var.ty),
        Family::Chain { from, to } => writeln!(f, "var {}[{from}..{to}] : {}", var.name, var.ty),
        Family::Member { at, .. } => writeln!(f, "var {}[{at}] : {}", var.name, var.ty),
        Family::Instant { at, .. } => writeln!(f, "var {}({at}) : {}", var.name, var.ty),
        Family::Process { from, to } => writeln!(f, "var {}(t in {from}..{to}) : {}", var.name, var.ty),
    }
}
