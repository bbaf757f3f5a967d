//! Backpropagation as a lecturer shows it: the forward equations with a name for each layer, then the derivatives of the result with
//! respect to these, from the last to the first, then those that were asked for. All of it is read from the graph that the reverse
//! mode made and from its record of the nodes it went through.

use super::of_graph::OfGraph;
use super::{Formula, Step};
use crate::algebra::leaves::tensor_type;
use crate::algebra::lowering::{InputRole, Lowering, RowCounts};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::BinaryOp;
use crate::check::model::{Expr, ExprKind, Model, Place};
use crate::graph::{Graph, NodeId, Op};
use crate::pass::derivative::{self, Applied, rule_name};
use std::collections::{HashMap, HashSet};

/// The steps of the gradient of a scalar, for one row of the data, with respect to parameters or variables.
pub fn gradient_derivation(model: &Model, wrt: &[Place], body: &Expr) -> Result<Vec<Step>> {
    let none = RowCounts::new();
    let mut lowering = Lowering::new(model, &none, None);
    lowering.differentiated = true;
    let mut names = lowering.symbolic_leaves()?;
    let sources: Vec<NodeId> = wrt.iter().map(|&place| lowering.source(place, &mut names)).collect::<Result<_>>()?;
    let value = lowering.eval_array(body)?;
    let y = lowering.node(&value);
    let result = match &body.kind {
        ExprKind::Quantity(id) => Formula::name(model.quantities[*id].name.as_str()),
        _ => "L".into(),
    };
    let (gradients, record) = derivative::gradient_with_record(lowering.b(), y, &sources)?;
    lowering.shorten(y, &mut names);
    let lets = std::mem::take(&mut lowering.named_nodes);
    let before = std::mem::take(&mut lowering.derivation);
    let graph = lowering.b().graph().clone();
    let found = Backward { graph: &graph, record: &record, sources: &sources, gradients: &gradients, y };
    let mut steps = before;
    steps.extend(found.steps(names, &lets, &result, body, &lowering.formula(body)));
    Ok(steps)
}

impl<'m> Lowering<'m> {
    /// Variables and parameters as inputs of the graph, each with its name; no rows.
    fn symbolic_leaves(&mut self) -> Result<HashMap<NodeId, Formula>> {
        let mut names = HashMap::new();
        for (id, var) in self.model.vars.iter() {
            let Ok(ty) = tensor_type(&var.ty) else { continue };
            let node = self.root_input(InputRole::Data(id), &var.name, ty);
            let value = self.root_array(node, vec![]);
            self.bind(Place::Var(id), value);
            names.insert(node, self.var_formula(id));
        }
        for (id, param) in self.model.params.iter() {
            // Its value itself: what it is computed from for an optimiser is no matter here.
            let node = self.root_input(InputRole::Param(id), &param.path, tensor_type(&param.ty)?);
            let value = self.root_array(node, vec![]);
            self.bind(Place::Param(id), value);
            names.insert(node, Formula::parameter(&param.path));
        }
        Ok(names)
    }

    /// Parameters without the name of their net, where all that `y` depends on are of one net.
    fn shorten(&mut self, y: NodeId, names: &mut HashMap<NodeId, Formula>) {
        let graph = self.b().graph().clone();
        let below = below(&graph, y);
        let mut found: Vec<(NodeId, &'m str)> = vec![];
        for (id, param) in self.model.params.iter() {
            let Some(array) = self.params.get(&id) else { continue };
            if below.contains(&array.node) {
                found.push((array.node, param.path.as_str()));
            }
        }
        let Some((_, first)) = found.first() else { return };
        let layers = |path: &'m str| path.split('.').rev().skip(2).collect::<Vec<_>>().into_iter().rev();
        let shared = |n: usize| found.iter().all(|(_, path)| layers(path).take(n).eq(layers(first).take(n)));
        let common = (0..=layers(first).count()).rev().find(|&n| shared(n)).unwrap_or(0);
        names.extend(found.iter().map(|(node, path)| {
            let rest: Vec<&str> = path.split('.').skip(common).collect();
            (*node, Formula::parameter(&rest.join(".")))
        }));
    }

    /// The node by which to differentiate.
    fn source(&mut self, place: Place, names: &mut HashMap<NodeId, Formula>) -> Result<NodeId> {
        let array = match place {
            Place::Var(id) => self.variable(id)?,
            Place::Param(id) => self.param(id)?,
            Place::Local(_) => return Err(Diagnostic::unsupported("the derivation of a gradient by a name that is bound inside of it")),
        };
        let node = self.node(&array);
        names.entry(node).or_insert_with(|| "u".into());
        Ok(node)
    }
}

impl Formula {
    /// A parameter by its path: `enc.dense1.W` is W with the subscript enc,1.
    pub fn parameter(path: &str) -> Formula {
        let parts: Vec<&str> = path.split('.').collect();
        let [outer @ .., last] = &parts[..] else { return path.into() };
        if outer.is_empty() {
            return (*last).into();
        }
        let number = |part: &str| part.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok();
        let subscript = |part: &&str| match number(part) {
            Some(number) if part.starts_with("dense") => Formula::Number(number.into()),
            _ => Formula::name(*part),
        };
        Formula::name(*last).index(outer.iter().map(subscript).collect::<Vec<_>>())
    }
}

/// What a node is computed from.
fn below(graph: &Graph, node: NodeId) -> HashSet<NodeId> {
    let mut found = HashSet::new();
    let mut open = vec![node];
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(&graph.node(id).args);
        }
    }
    found
}

struct Backward<'g> {
    graph: &'g Graph,
    /// Results first
    record: &'g [Applied],
    sources: &'g [NodeId],
    gradients: &'g [NodeId],
    y: NodeId,
}

/// Nodes whose formula has more parts than this get a name.
const LARGEST: usize = 24;

impl Backward<'_> {
    fn steps(
        &self,
        names: HashMap<NodeId, Formula>,
        lets: &[(NodeId, String)],
        result: &Formula,
        body: &Expr,
        shown: &Formula,
    ) -> Vec<Step> {
        let span = body.span;
        let top = self.record.first().map_or(self.y, |applied| applied.node);
        let mut of = OfGraph { graph: self.graph, names };
        let layers = self.layers(&of, lets, top);
        let mut steps = vec![];
        let mut named: Vec<NodeId> = vec![];
        for (node, name) in layers {
            let rule = format!("forward: {}", self.forward_rule(node, &of));
            let (left, right) = of.equation(name.clone(), node);
            steps.push(Step::new(rule, left, right, self.graph.node(node).span));
            of.names.insert(node, name);
            named.push(node);
        }
        let value = of.definition(top);
        let mut last = Step::new("forward: result", result.clone(), value.clone(), span);
        if !matches!(body.kind, ExprKind::Quantity(_)) && *shown != value {
            last = last.with(result.clone().equals(shown.clone()));
        }
        steps.push(last);
        let partial = |name: &Formula| Formula::partial(result.clone(), name.clone());
        for &node in named.iter().rev() {
            let Some(applied) = self.record.iter().find(|applied| applied.node == node) else { continue };
            let delta = Formula::from("delta").index([of.formula(node)]);
            let rule = format!("backward: {}", self.rules_above(node, &of));
            let (left, right) = of.equation(delta.clone(), applied.cotangent);
            let step = Step::new(rule, left, right, self.graph.node(node).span);
            steps.push(step.with(delta.clone().equals(partial(&of.formula(node)))));
            of.names.entry(applied.cotangent).or_insert(delta);
        }
        for (&source, &gradient) in self.sources.iter().zip(self.gradients) {
            let rule = format!("gradient: {}", self.rules_above(source, &of));
            let (left, right) = of.equation(of.formula(source), gradient);
            steps.push(Step::new(rule, partial(&left), right, span));
        }
        steps
    }

    /// The nodes that get a name, operands first: those that a `let` names, the inputs and the results of layers, and what would be
    /// too long written out.
    fn layers(&self, of: &OfGraph<'_>, lets: &[(NodeId, String)], top: NodeId) -> Vec<(NodeId, Formula)> {
        let active: Vec<NodeId> = self.record.iter().rev().map(|applied| applied.node).collect();
        let active: Vec<NodeId> = active.into_iter().filter(|id| !self.sources.contains(id) && *id != top).collect();
        let (inputs, results) = self.layer_ends(&active);
        let mut found = vec![];
        let (mut counts, mut taken): (HashMap<&str, usize>, HashSet<String>) = (HashMap::new(), HashSet::new());
        let mut scratch = OfGraph { graph: self.graph, names: of.names.clone() };
        for id in active.into_iter().filter(|id| !of.names.contains_key(id)) {
            let let_name = lets.iter().rev().find(|(node, _)| *node == id).map(|(_, name)| name.clone());
            let letter = match let_name {
                Some(ref name) if taken.insert(name.clone()) => {
                    let name: Formula = name.as_str().into();
                    scratch.names.insert(id, name.clone());
                    found.push((id, name));
                    continue;
                }
                _ if results.contains(&id) => "a",
                _ if inputs.contains(&id) => "h",
                _ if self.graph.ty(id).rank() > 0 && parts(&scratch.definition(id)) > LARGEST => "u",
                _ => continue,
            };
            let count = counts.entry(letter).or_insert(0);
            *count += 1;
            let name = Formula::from(letter).index([*count]);
            scratch.names.insert(id, name.clone());
            found.push((id, name));
        }
        found
    }

    /// What goes into products with matrices, and what comes out of them with their biases.
    fn layer_ends(&self, active: &[NodeId]) -> (HashSet<NodeId>, HashSet<NodeId>) {
        let (mut inputs, mut results) = (HashSet::new(), HashSet::new());
        for &id in active {
            let node = self.graph.node(id);
            if !matches!(node.op, Op::Contract { .. }) || node.ty.rank() == 0 {
                continue;
            }
            inputs.extend(node.args.iter().copied().filter(|&arg| self.graph.ty(arg).rank() == 1));
            let adds = |user: &&NodeId| {
                let user = self.graph.node(**user);
                user.op == Op::Binary(BinaryOp::Add) && user.args.contains(&id)
            };
            results.insert(active.iter().find(adds).copied().unwrap_or(id));
        }
        (inputs, results)
    }

    fn forward_rule(&self, node: NodeId, of: &OfGraph<'_>) -> String {
        let mut found = vec![];
        let mut open = vec![node];
        let mut seen = HashSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) || id != node && of.names.contains_key(&id) {
                continue;
            }
            let name = rule_name(&self.graph.node(id).op);
            found.extend(name.filter(|name| !found.contains(name)));
            open.extend(&self.graph.node(id).args);
        }
        listed(&found)
    }

    /// The names of the rules through which derivatives reach a node, from the named nodes above it.
    fn rules_above(&self, node: NodeId, of: &OfGraph<'_>) -> String {
        let mut found: Vec<&str> = vec![];
        let mut open = vec![node];
        let mut seen = HashSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) || id != node && of.names.contains_key(&id) {
                continue;
            }
            for applied in self.record.iter().filter(|applied| self.graph.node(applied.node).args.contains(&id)) {
                let name = rule_name(&self.graph.node(applied.node).op);
                found.extend(name.filter(|name| !found.contains(name)));
                open.push(applied.node);
            }
        }
        listed(&found)
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "addition".into(),
        [first @ .., _] if first.len() >= 4 => format!("{}, …", names[..4].join(", ")),
        names => names.join(", "),
    }
}

/// How many signs and names a formula has.
fn parts(formula: &Formula) -> usize {
    let mut count = 0;
    formula.each(&mut |_| count += 1);
    count
}
