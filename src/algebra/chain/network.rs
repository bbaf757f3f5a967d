//! The members of a density's chains as nodes of a directed graph: which have values, and which must be summed or integrated out.

use super::super::value::Array;
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Density, DensityId, MemberFactor, Model, VarId};

/// A member, or a single variable, by its number among all nodes.
pub(super) type Node = usize;

/// Members of a chain that have values: `from ..` along the leading axis of `value`. A single variable has one member, 0.
pub(super) struct Known {
    pub var: VarId,
    pub from: i64,
    pub count: usize,
    /// None of members that are asked for without a value
    pub value: Option<Array>,
    pub target: bool,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// To be summed or integrated out, where it matters
    Latent,
    /// An entry of [`Network::known`]
    Known(usize),
}

/// The variables of a density that its member factors relate, and what a query says about them.
pub(super) struct Network<'m> {
    pub model: &'m Model,
    pub density: &'m Density,
    pub known: Vec<Known>,
    pub span: Span,
    /// Variable, number of its first member, its first node
    vars: Vec<(VarId, i64, Node)>,
    states: Vec<State>,
    /// The factor of each node and the value of its index
    made_by: Vec<Option<(usize, i64)>>,
}

/// A joint density to be computed: of the active nodes that have values, with the others summed out.
pub(super) struct Joint {
    /// The nodes whose factors take part
    pub active: Vec<bool>,
    /// Otherwise the targets of the query are summed out as well
    pub targets_have_values: bool,
}

/// `d(targets | given)` as a ratio of two joint densities.
pub(super) struct Ratio {
    pub joint: Joint,
    /// Of the given members that depend on a target or a latent one; none where there are no such
    pub evidence: Option<Joint>,
}

impl<'m> Network<'m> {
    pub fn new(model: &'m Model, id: DensityId, known: Vec<Known>, span: Span) -> Network<'m> {
        let density = &model.densities[id];
        let mut network = Network { model, density, known, span, vars: vec![], states: vec![], made_by: vec![] };
        for factor in &density.chain {
            let related = factor.members.iter().map(|m| m.var).chain(factor.given.iter().copied());
            related.chain([factor.target]).for_each(|var| network.add(var));
        }
        for (i, known) in network.known.iter().enumerate() {
            let nodes: Vec<Option<Node>> = (0..known.count as i64).map(|k| network.node(known.var, known.from + k)).collect();
            nodes.into_iter().flatten().for_each(|node| network.states[node] = State::Known(i));
        }
        for (i, factor) in density.chain.iter().enumerate() {
            for index in factor.indices() {
                let target = factor.at.map_or(0, |at| at.member(index));
                if let Some(node) = network.node(factor.target, target) {
                    network.made_by[node] = Some((i, index));
                }
            }
        }
        network
    }

    fn add(&mut self, var: VarId) {
        if self.vars.iter().any(|(known, ..)| *known == var) {
            return;
        }
        let (from, to) = self.model.vars[var].members().unwrap_or((0, 0));
        self.vars.push((var, from, self.states.len()));
        let count = (to - from + 1) as usize;
        self.states.extend(std::iter::repeat_n(State::Latent, count));
        self.made_by.extend(std::iter::repeat_n(None, count));
    }

    pub fn node(&self, var: VarId, number: i64) -> Option<Node> {
        let (_, from, first) = self.vars.iter().find(|(known, ..)| *known == var)?;
        let number = if self.model.vars[var].members().is_some() { number } else { 0 };
        Some(first + usize::try_from(number - from).ok()?)
    }

    /// Whether a member's factor takes part in a joint density.
    pub fn is_active(&self, joint: &Joint, var: VarId, number: i64) -> bool {
        self.node(var, number).is_some_and(|node| joint.active.get(node) == Some(&true))
    }

    /// What a joint density knows of a member.
    pub fn state(&self, joint: &Joint, var: VarId, number: i64) -> State {
        match self.node(var, number).map_or(State::Latent, |node| self.states[node]) {
            State::Known(k) if self.known[k].target && !joint.targets_have_values => State::Latent,
            state => state,
        }
    }

    pub fn factor(&self, at: usize) -> &'m MemberFactor {
        &self.density.chain[at]
    }

    /// The nodes that a node's factor is given; of variables given as a whole, only single ones.
    fn parents(&self, node: Node) -> Result<Vec<Node>> {
        let Some((factor, index)) = self.made_by[node] else { return Err(self.no_member_factor(node)) };
        let factor = self.factor(factor);
        let members = factor.members.iter().filter_map(|m| self.node(m.var, m.at.member(index)));
        let single = factor.given.iter().filter(|&&var| self.model.vars[var].members().is_none()).filter_map(|&var| self.node(var, 0));
        Ok(members.chain(single).collect())
    }

    /// The query as a ratio of joint densities.
    pub fn ratio(&self) -> Result<Ratio> {
        let below = self.children();
        let (mut inner, mut reached) = (vec![false; self.states.len()], vec![false; self.states.len()]);
        let mut open: Vec<Node> = (0..self.states.len()).filter(|&node| self.is_target(node)).collect();
        let mut evidence = vec![];
        // What depends on a target or a latent member is evidence; its own ancestors may make more of the given evidence.
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut inner[node], true) {
                continue;
            }
            open.extend(self.parents(node)?.into_iter().filter(|&parent| !self.is_given(parent)));
            let mut descendants = below[node].clone();
            while let Some(child) = descendants.pop() {
                if std::mem::replace(&mut reached[child], true) {
                    continue;
                }
                if self.is_given(child) {
                    evidence.push(child);
                    open.push(child);
                }
                descendants.extend(&below[child]);
            }
        }
        let of_evidence = if evidence.is_empty() { None } else { Some(self.evidence(evidence)?) };
        Ok(Ratio { joint: Joint { active: inner, targets_have_values: true }, evidence: of_evidence })
    }

    /// The joint density of given nodes that are evidence, with their ancestors summed out.
    fn evidence(&self, nodes: Vec<Node>) -> Result<Joint> {
        let mut active = vec![false; self.states.len()];
        let mut open = nodes.clone();
        nodes.iter().for_each(|&node| active[node] = true);
        while let Some(node) = open.pop() {
            for parent in self.parents(node)? {
                if !self.is_given(parent) && !std::mem::replace(&mut active[parent], true) {
                    open.push(parent);
                }
            }
        }
        Ok(Joint { active, targets_have_values: false })
    }

    fn is_target(&self, node: Node) -> bool {
        matches!(self.states[node], State::Known(k) if self.known[k].target)
    }

    fn is_given(&self, node: Node) -> bool {
        matches!(self.states[node], State::Known(k) if !self.known[k].target)
    }

    fn children(&self) -> Vec<Vec<Node>> {
        let mut below = vec![vec![]; self.states.len()];
        for node in 0..self.states.len() {
            for parent in self.parents(node).unwrap_or_default() {
                below[parent].push(node);
            }
        }
        below
    }

    fn no_member_factor(&self, node: Node) -> Diagnostic {
        let (var, number) = self
            .vars
            .iter()
            .rev()
            .find(|(.., first)| *first <= node)
            .map_or((self.known[0].var, 0), |(v, from, first)| (*v, from + (node - first) as i64));
        let (p, declared) = (&self.density.name, &self.model.vars[var]);
        let name = match declared.members() {
            Some(_) => format!("{}[{number}]", declared.name),
            None => declared.name.clone(),
        };
        Diagnostic::new(Code::UnknownVariable, format!("{p} has no factor for {name}"))
            .label(self.span, format!("{name} is needed here"))
            .label(declared.span, "declared here")
            .help(format!("declare `{p}({name} | …) = …`"))
    }
}
