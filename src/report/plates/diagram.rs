//! What a plate diagram shows of a model: variables, what is learned, which depends on which, and over what each is repeated.

use crate::algebra::Formula;
use crate::algebra::tensor_type;
use crate::check::model::{At, Expr, ExprKind, FunctionId, Model, ParamId, Source, Subscript, VarId};
use crate::report::derivation;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Latent,
    Observed,
    /// A parameter, or all those of a net
    Learned,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// As it is set: `z₁`, `θ`
    pub label: String,
    pub kind: Kind,
    /// A variable with one value for all rows
    pub global: bool,
    /// The plates it stands in, outermost first: indices into `Diagram::plates`
    pub plates: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrow {
    pub from: usize,
    pub to: usize,
    /// Of a density that is not the first of the file: the approximate posterior
    pub dashed: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagram {
    pub items: Vec<Item>,
    pub arrows: Vec<Arrow>,
    /// The labels of plates: `N`, `k = 1 … K`
    pub plates: Vec<String>,
}

struct Maker<'m> {
    model: &'m Model,
    diagram: Diagram,
    /// The variable, its member of a chain, and its item
    vars: Vec<(VarId, String, usize)>,
    learned: Vec<(String, usize)>,
    /// Runs over members of chains: letter, first, last, plate
    runs: Vec<(&'m str, i64, i64, usize)>,
}

/// The diagram of all densities of a file; the first is drawn with full lines.
pub fn diagram(model: &Model) -> Diagram {
    let mut maker = Maker { model, diagram: Diagram::default(), vars: vec![], learned: vec![], runs: vec![] };
    for (at, density) in model.densities.values().filter(|density| !density.frozen).enumerate() {
        for factor in &density.factors {
            let given: Vec<usize> = factor.given.iter().map(|&var| maker.var(var, None)).collect();
            let learned = maker.learned_by(&factor.dist);
            for &target in &factor.targets {
                let to = maker.var(target, None);
                maker.connect(given.iter().chain(&learned).copied(), to, at > 0);
            }
        }
        for factor in &density.chain {
            let letter = factor.index.as_ref().map(|index| model.locals[index.local].name.as_str());
            let mut given: Vec<usize> = factor.given.iter().map(|&var| maker.var(var, None)).collect();
            given.extend(factor.members.iter().map(|member| maker.member(member.var, member.at, letter, None)));
            given.extend(maker.learned_by(&factor.dist));
            let plate = factor.index.as_ref().map(|index| {
                let last = index.first + index.count as i64 - 1;
                maker.run(&model.locals[index.local].name, index.first, last)
            });
            let to = match factor.at {
                Some(at) => maker.member(factor.target, at, letter, plate),
                None => maker.var(factor.target, None),
            };
            maker.connect(given, to, at > 0);
        }
    }
    maker.diagram
}

impl<'m> Maker<'m> {
    fn var(&mut self, var: VarId, member: Option<Formula>) -> usize {
        let declared = &self.model.vars[var];
        let name = match member {
            Some(index) => Formula::from(declared.name.as_str()).index([index]),
            None => declared.name.as_str().into(),
        };
        let label = derivation::formula(&name);
        if let Some((.., item)) = self.vars.iter().find(|(known, member, _)| *known == var && *member == label) {
            return *item;
        }
        let kind = if declared.observed.is_some() { Kind::Observed } else { Kind::Latent };
        let plates = if self.by_row() && !declared.global { vec![self.rows_of(var)] } else { vec![] };
        self.diagram.items.push(Item { label: label.clone(), kind, global: declared.global, plates });
        let item = self.diagram.items.len() - 1;
        self.vars.push((var, label, item));
        item
    }

    /// x_t, x_{t−1}, x₀; in the plate over t if one is given.
    fn member(&mut self, var: VarId, at: At, letter: Option<&str>, plate: Option<usize>) -> usize {
        let index = match (at, letter) {
            (At::Number(number), _) => Formula::Number(number as f64),
            (At::Offset(offset), Some(letter)) => Formula::from(letter) + Formula::Number(offset as f64),
            (At::Offset(_), None) => "t".into(),
        };
        let item = self.var(var, Some(index));
        let plates = &mut self.diagram.items[item].plates;
        plates.extend(plate.filter(|plate| !plates.contains(plate)));
        item
    }

    /// Whether the data are rows, and not one object.
    fn by_row(&self) -> bool {
        let rank = |var: VarId| tensor_type(&self.model.vars[var].ty).map_or(0, |ty| ty.rank());
        self.model.data.values().any(|data| match &data.source {
            Source::Named { .. } => true,
            Source::Values { shape, .. } => data.vars.first().is_some_and(|&var| shape.len() > rank(var) && shape[0] > 1),
        })
    }

    /// The plate over the rows; data with different numbers of rows have plates of their own.
    fn rows_of(&mut self, var: VarId) -> usize {
        let rows = |source: &Source| if let Source::Values { shape, .. } = source { shape.first().copied() } else { None };
        let mut counts: Vec<Option<usize>> = self.model.data.values().map(|data| rows(&data.source)).collect();
        counts.dedup();
        let own = self.model.vars[var].observed.and_then(|data| rows(&self.model.data[data].source));
        match own {
            Some(count) if counts.len() > 1 => self.plate(format!("N = {count}")),
            Some(_) | None => self.plate("N".into()),
        }
    }

    fn plate(&mut self, label: String) -> usize {
        let plates = &mut self.diagram.plates;
        plates.iter().position(|known| *known == label).unwrap_or_else(|| {
            plates.push(label);
            plates.len() - 1
        })
    }

    /// The plate of all runs over one letter.
    fn run(&mut self, letter: &'m str, first: i64, last: i64) -> usize {
        if !self.runs.iter().any(|(known, ..)| *known == letter) {
            self.diagram.plates.push(String::new());
            self.runs.push((letter, first, last, self.diagram.plates.len() - 1));
        }
        let mut plate = 0;
        for (_, from, to, own) in self.runs.iter_mut().filter(|(known, ..)| *known == letter) {
            (*from, *to, plate) = ((*from).min(first), (*to).max(last), *own);
            self.diagram.plates[plate] = format!("{letter} = {from} … {to}");
        }
        plate
    }

    fn connect(&mut self, from: impl IntoIterator<Item = usize>, to: usize, dashed: bool) {
        for from in from {
            let arrow = Arrow { from, to, dashed };
            if from != to && !self.diagram.arrows.contains(&arrow) {
                self.diagram.arrows.push(arrow);
            }
        }
    }

    /// The parameters in a distribution, those of nets as one.
    fn learned_by(&mut self, dist: &Expr) -> Vec<usize> {
        let mut found = vec![];
        let (mut seen, mut chosen) = (BTreeSet::new(), BTreeSet::new());
        self.params_in(dist, &mut found, &mut chosen, &mut seen);
        let items: Vec<usize> = found.into_iter().map(|param| self.param(param, chosen.contains(&param))).collect();
        let mut unique = vec![];
        items.into_iter().for_each(|item| {
            if !unique.contains(&item) {
                unique.push(item);
            }
        });
        unique
    }

    /// `chosen`: those of which a finite variable chooses an entry, `mu[k]`.
    fn params_in(&self, expr: &Expr, found: &mut Vec<ParamId>, chosen: &mut BTreeSet<ParamId>, seen: &mut BTreeSet<FunctionId>) {
        match &expr.kind {
            ExprKind::Param(id) => found.push(*id),
            ExprKind::Subscript(base, subscripts) => {
                let by_var = matches!(&subscripts[..], [Subscript::At(at)] if matches!(at.kind, ExprKind::Var(_)));
                if let (ExprKind::Param(id), true) = (&base.kind, by_var) {
                    chosen.insert(*id);
                }
            }
            ExprKind::Call(function, _) if seen.insert(*function) => {
                self.params_in(&self.model.functions[*function].body, found, chosen, seen);
            }
            _ => {}
        }
        expr.each_part(&mut |part| self.params_in(part, found, chosen, seen));
    }

    fn param(&mut self, id: ParamId, chosen: bool) -> usize {
        let param = &self.model.params[id];
        let name = param.net.clone().unwrap_or_else(|| param.path.clone());
        if let Some((_, item)) = self.learned.iter().find(|(known, _)| *known == name) {
            return *item;
        }
        let size = tensor_type(&param.ty).ok().and_then(|ty| ty.shape.first().copied()).filter(|_| chosen);
        let plates = size.map(|size| vec![self.plate(self.size_name(size))]).unwrap_or_default();
        let label = derivation::formula(&name.as_str().into());
        self.diagram.items.push(Item { label, kind: Kind::Learned, global: false, plates });
        let item = self.diagram.items.len() - 1;
        self.learned.push((name, item));
        item
    }

    /// `K` for a size that one `dim` of the file has.
    fn size_name(&self, size: usize) -> String {
        let names: Vec<&String> = self.model.dims.iter().filter(|(_, known)| *known == size).map(|(name, _)| name).collect();
        if let [name] = names[..] { name.clone() } else { size.to_string() }
    }
}
