//! Text -> graph: reads what [`print`](super::print()) writes. `//` starts a comment. Types are taken as written; [`verify`](super::verify()) judges them.

use super::infer::Rule;
use super::print::snake_case;
use super::{Graph, GraphInput, Literal, Node, NodeId, Op, TensorType};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType, RandomKind, ReduceOp, UnaryOp};
use crate::base::{Code, Diagnostic, FileId, Span};
use std::str::FromStr;
use std::sync::Arc;

/// The graph of a whole text; of what is wrong, the first line.
pub fn parse(text: &str) -> Result<Graph> {
    let mut lines = Lines { lines: meaningful_lines(text), next: 0 };
    let graph = lines.graph().and_then(|graph| match lines.peek() {
        Some(line) => Err(format!("`{line}` ends nothing")),
        None => Ok(graph),
    });
    graph.map_err(|message| {
        let place = lines.lines.get(lines.next).or(lines.lines.last());
        let (number, span) = place.map_or((1, Span::default()), |line| (line.number, line.span));
        Diagnostic::new(Code::Syntax, format!("line {number}: {message}")).at(span)
    })
}

struct Line<'a> {
    number: usize,
    text: &'a str,
    span: Span,
}

fn meaningful_lines(text: &str) -> Vec<Line<'_>> {
    let mut offset = 0;
    let mut lines = vec![];
    for (i, whole) in text.split('\n').enumerate() {
        let line = whole.split("//").next().unwrap_or_default().trim();
        if !line.is_empty() {
            lines.push(Line { number: i + 1, text: line, span: Span::new(FileId(0), offset, offset + whole.len()) });
        }
        offset += whole.len() + 1;
    }
    lines
}

struct Lines<'a> {
    lines: Vec<Line<'a>>,
    /// Stays on a line until it is understood, for messages
    next: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.next).map(|line| line.text)
    }

    /// Up to the end of the text or a `}`.
    fn graph(&mut self) -> Rule<Graph> {
        let mut graph = Graph::default();
        while let Some(line) = self.peek().filter(|&line| line != "}") {
            if let Some(input) = line.strip_prefix("input ") {
                let (name, ty) = input.rsplit_once(" : ").ok_or("an input is written `input name : type`")?;
                graph.inputs.push(GraphInput { name: name.trim().into(), ty: Cursor(ty).whole(Cursor::ty)? });
                self.next += 1;
            } else if let Some(outputs) = line.strip_prefix("output") {
                graph.outputs = Cursor(outputs).whole(Cursor::references)?;
                self.next += 1;
            } else {
                let node = self.node(graph.nodes.len())?;
                graph.nodes.push(node);
            }
        }
        Ok(graph)
    }

    /// `%3 = add %1 %2 : Real[4]`, and the sub-graphs that follow.
    fn node(&mut self, number: usize) -> Rule<Node> {
        let line = self.peek().unwrap_or_default();
        let (head, types) = line.split_once(':').ok_or("a node is written `%0 = operation operands : type`")?;
        let results = Cursor(types).whole(Cursor::types)?;
        let ty = results.first().cloned().unwrap_or(TensorType::real([]));
        let mut head = Cursor(head);
        head.expect("%")?;
        let written: usize = head.number()?;
        if written != number {
            return Err(format!("node %{written} stands where %{number} is next"));
        }
        head.expect("=")?;
        let name = head.word();
        let (op, args) = match name {
            "scan" | "while" | "cond" => self.control(name, head)?,
            _ => {
                let op = head.op(name, &ty)?;
                self.next += 1;
                (op, head.whole(Cursor::references)?)
            }
        };
        let results = if op.is_control() { results } else { vec![] };
        Ok(Node { op, args, ty, results, span: Span::default() })
    }

    fn control(&mut self, name: &str, mut head: Cursor<'a>) -> Rule<(Op, Vec<NodeId>)> {
        let carries = if name == "cond" { 0 } else { head.attribute("carries", Cursor::number)? };
        if name == "scan" {
            let sequences = head.attribute("sequences", Cursor::number)?;
            let length = head.attribute("length", Cursor::number)?;
            let reverse = head.attribute("reverse", Cursor::number)?;
            let args = head.whole(Cursor::references)?;
            self.next += 1;
            return Ok((Op::Scan { body: self.block("body")?, carries, sequences, length, reverse }, args));
        }
        let args = head.whole(Cursor::references)?;
        self.next += 1;
        let op = match name {
            "while" => Op::While { condition: self.block("condition")?, body: self.block("body")?, carries },
            _ => Op::Cond { then: self.block("then")?, otherwise: self.block("else")? },
        };
        Ok((op, args))
    }

    /// `role {`, a graph, `}`
    fn block(&mut self, role: &str) -> Rule<Arc<Graph>> {
        let opens = self.peek().and_then(|line| line.strip_suffix('{')).is_some_and(|line| line.trim() == role);
        if !opens {
            return Err(format!("`{role} {{` is expected"));
        }
        self.next += 1;
        let graph = self.graph()?;
        if self.peek().is_none() {
            return Err(format!("`}}` of {role} is missing"));
        }
        self.next += 1;
        Ok(Arc::new(graph))
    }
}

/// The rest of a line.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    /// All of the rest by one rule.
    fn whole<T>(mut self, rule: impl FnOnce(&mut Self) -> Rule<T>) -> Rule<T> {
        let value = rule(&mut self)?;
        match self.0.trim() {
            "" => Ok(value),
            rest => Err(format!("`{rest}` is not understood")),
        }
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.0.trim_start().strip_prefix(text) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Rule<()> {
        if self.eat(text) { Ok(()) } else { Err(format!("`{text}` is expected before `{}`", self.0.trim())) }
    }

    /// Letters, digits and the signs of numbers; may be empty.
    fn word(&mut self) -> &'a str {
        let text = self.0.trim_start();
        let end = text.find(|c: char| !(c.is_alphanumeric() || "_.+-".contains(c))).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        word
    }

    /// A number, or anything else that reads itself from a word.
    fn number<T: FromStr>(&mut self) -> Rule<T> {
        let word = self.word();
        word.parse().map_err(|_| format!("`{word}` is not a value that can stand here"))
    }

    fn list<T: FromStr>(&mut self) -> Rule<Vec<T>> {
        let mut values = vec![];
        self.expect("[")?;
        while !self.eat("]") {
            if !values.is_empty() {
                self.expect(",")?;
            }
            values.push(self.number()?);
        }
        Ok(values)
    }

    fn attribute<T>(&mut self, name: &str, rule: impl FnOnce(&mut Self) -> Rule<T>) -> Rule<T> {
        self.expect(name)?;
        self.expect("=")?;
        rule(self)
    }

    fn references(&mut self) -> Rule<Vec<NodeId>> {
        let mut references = vec![];
        while self.eat("%") {
            references.push(NodeId(self.number()?));
        }
        Ok(references)
    }

    fn ty(&mut self) -> Rule<TensorType> {
        let dtype = self.variant(&[DType::Real, DType::Int, DType::Bool], |dtype| format!("{dtype:?}"))?;
        let shape = if self.0.starts_with('[') { self.list()? } else { vec![] };
        Ok(TensorType::new(dtype, shape))
    }

    fn types(&mut self) -> Rule<Vec<TensorType>> {
        let mut types = vec![];
        while !self.0.trim().is_empty() {
            if !types.is_empty() {
                self.expect(",")?;
            }
            types.push(self.ty()?);
        }
        Ok(types)
    }

    /// The variant that has the next word as its name.
    fn variant<T: Copy>(&mut self, all: &[T], name: impl Fn(&T) -> String) -> Rule<T> {
        let word = self.word();
        find(all, word, name).ok_or_else(|| format!("`{word}` is unknown here"))
    }

    /// Einsum labels: letters, or numbers in braces.
    fn labels(&mut self) -> Rule<Vec<u8>> {
        let mut labels = vec![];
        self.0 = self.0.trim_start();
        while let Some(c) = self.0.chars().next() {
            let label = match c {
                'a'..='z' => c as u8 - b'a',
                'A'..='Z' => c as u8 - b'A' + 26,
                '{' => {
                    self.expect("{")?;
                    self.number()?
                }
                _ => break,
            };
            labels.push(label);
            self.0 = self.0.get(1..).ok_or("a label is not closed")?;
        }
        Ok(labels)
    }

    /// An operation without sub-graphs, up to its operands; what its result type says is taken from there.
    fn op(&mut self, name: &str, ty: &TensorType) -> Rule<Op> {
        if let Some(op) = scalar_op(name) {
            return Ok(op);
        }
        let TensorType { dtype, shape } = ty.clone();
        Ok(match name {
            "input" => Op::Input(self.number()?),
            "fill" => Op::Fill { bits: self.number::<f64>()?.to_bits(), dtype, shape },
            "literal" => Op::Literal(Literal { dtype, shape, values: self.list::<f64>()?.into() }),
            "iota" => Op::Iota(ty.len()),
            "select" => Op::Select,
            "cast" => Op::Cast(dtype),
            "broadcast" => Op::Broadcast { shape, axes: self.attribute("axes", Self::list)? },
            "reshape" => Op::Reshape(shape),
            "transpose" => Op::Transpose(self.attribute("perm", Self::list)?),
            "slice" => Op::Slice { start: self.attribute("start", Self::list)?, stop: self.attribute("stop", Self::list)? },
            "pad" => Op::Pad { before: self.attribute("before", Self::list)?, after: self.attribute("after", Self::list)? },
            "join" => Op::Join { axis: self.attribute("axis", Self::number)? },
            "reverse" => Op::Reverse { axes: self.attribute("axes", Self::list)? },
            "reduce" => {
                let op = self.variant(ReduceOp::ALL, snake_case)?;
                Op::Reduce { op, axes: self.attribute("axes", Self::list)? }
            }
            "cum_sum" => Op::CumSum { axis: self.attribute("axis", Self::number)?, reverse: self.attribute("reverse", Self::number)? },
            "sort" => Op::Sort { axis: self.attribute("axis", Self::number)? },
            "arg_sort" => Op::ArgSort { axis: self.attribute("axis", Self::number)? },
            "arg_max" => Op::ArgMax { axis: self.attribute("axis", Self::number)? },
            "contract" => {
                let a = self.labels()?;
                self.expect(",")?;
                let b = self.labels()?;
                self.expect("->")?;
                Op::Contract { a, b, out: self.labels()? }
            }
            "gather" => Op::Gather { batch: self.attribute("batch", Self::number)? },
            "scatter_add" => {
                let batch = self.attribute("batch", Self::number)?;
                Op::ScatterAdd { batch, size: shape.get(batch).copied().ok_or("the result has no axis to scatter along")? }
            }
            "random" => {
                let kind = self.variant(&[RandomKind::Uniform, RandomKind::Normal], snake_case)?;
                let shape = shape.get(1..).ok_or("random numbers have an axis of rows")?.to_vec();
                Op::Random { kind, site: self.attribute("site", Self::number)?, shape }
            }
            "cholesky" => Op::Cholesky,
            "assignment" => Op::Assignment,
            "symmetric_eigen" => Op::SymmetricEigen,
            "triangular_solve" => Op::TriangularSolve { transpose: self.attribute("transpose", Self::number)? },
            "project" => Op::Project(self.number()?),
            "stop" => Op::Stop,
            _ => return Err(format!("there is no operation `{name}`")),
        })
    }
}

fn scalar_op(name: &str) -> Option<Op> {
    let unary = find(UnaryOp::ALL, name, snake_case).map(Op::Unary);
    unary
        .or_else(|| find(BinaryOp::ALL, name, snake_case).map(Op::Binary))
        .or_else(|| find(CompareOp::ALL, name, snake_case).map(Op::Compare))
}

fn find<T: Copy>(all: &[T], word: &str, name: impl Fn(&T) -> String) -> Option<T> {
    all.iter().copied().find(|variant| name(variant) == word)
}
