//! Kernels as text.

use super::{Affine, BufferId, InstrKind, Kernels, Library, Loop, Place, Region, Role, Split, Step};
use std::fmt;

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.annotated(&|_| None))
    }
}

impl Kernels {
    /// The text, with a line after each step about which there is something to say.
    pub fn annotated(&self, note: &dyn Fn(&Step) -> Option<String>) -> String {
        let mut text = String::new();
        for (id, buffer) in self.buffers.iter() {
            text += &format!("{}: {:?}[{}] ", Name(id), buffer.dtype, buffer.len);
            text += &match &buffer.place {
                Place::Input(number) => format!("input {number}\n"),
                Place::Output(number) => format!("output {number}\n"),
                Place::Constant(_) => "constant\n".into(),
                Place::Arena(offset) => format!("arena {offset}\n"),
                Place::Block { offset, row } => format!("block {offset}, {row} a row\n"),
            };
        }
        for (number, stage) in self.stages.iter().enumerate() {
            for strand in &stage.strands {
                text += &format!("\nstage {number}: {}", strand.split);
                strand.steps.clone().for_each(|step| text += &self.step_text(step, note));
            }
        }
        let outputs: Vec<String> = self.outputs.iter().map(|&id| Name(id).to_string()).collect();
        text + &format!("\noutputs {}\n", outputs.join(", "))
    }

    fn step_text(&self, number: usize, note: &dyn Fn(&Step) -> Option<String>) -> String {
        let step = &self.steps[number];
        let mut text = format!("\nstep {number}: {step}");
        step.titled_bodies().into_iter().for_each(|(word, body)| {
            text += word;
            body.annotated(note).lines().for_each(|line| text += &format!("  {line}\n"));
        });
        text + &note(step).map(|note| format!("  {note}\n")).unwrap_or_default()
    }
}

impl Step {
    /// The kernels inside of the step, each with the line before it.
    fn titled_bodies(&self) -> Vec<(&str, &Kernels)> {
        match self {
            Step::Loop(_) | Step::Contract(_) | Step::Library(_) => vec![],
            Step::Scan(scan) => vec![("", &*scan.body)],
            Step::While(looped) => vec![("", &*looped.condition), ("  do\n", &*looped.body)],
            Step::Cond(cond) => vec![("", &*cond.then), ("  else\n", &*cond.otherwise)],
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Split::Rows(split) if split.section > split.block => {
                writeln!(f, "{} rows in sections of {} in blocks of {}", split.rows, split.section, split.block)
            }
            Split::Rows(split) => writeln!(f, "{} rows in blocks of {}", split.rows, split.block),
            Split::Serial => writeln!(f, "one thread"),
            Split::Parts => writeln!(f, "in parts"),
            Split::Control => writeln!(f, "control"),
        }
    }
}

struct Name(BufferId);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0.index())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Name(self.buffer))?;
        if self.offset > 0 { write!(f, "+{}", self.offset) } else { Ok(()) }
    }
}

/// `3 + 4 i0 + i1`
impl fmt::Display for Affine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut terms: Vec<String> = vec![];
        for (axis, &stride) in self.strides.iter().enumerate().filter(|(_, stride)| **stride != 0) {
            terms.push(if stride == 1 { format!("i{axis}") } else { format!("{stride} i{axis}") });
        }
        if self.offset != 0 || terms.is_empty() {
            terms.insert(0, self.offset.to_string());
        }
        f.write_str(&terms.join(" + "))
    }
}

/// Without what is inside of loops and branches.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Loop(nest) => write!(f, "{nest}"),
            Step::Contract(c) => {
                let sizes = |dims: &[super::Dim]| dims.iter().map(|dim| dim.size.to_string()).collect::<Vec<_>>().join(" × ");
                write!(f, "{} = contract {} {}: ", Name(c.out), c.a, c.b)?;
                write!(f, "batch [{}] rows {} columns {} inner [{}]", sizes(&c.batch), c.rows.size, c.columns.size, sizes(&c.inner))?;
                writeln!(f, "{}", if c.triangle.is_some() { ", of a triangle" } else { "" })
            }
            Step::Library(call) => writeln!(f, "{call}"),
            Step::Scan(scan) => writeln!(f, "scan of {} turns{}", scan.length, if scan.reverse { ", reversed" } else { "" }),
            Step::While(looped) => match looped.ending {
                Some(ending) => writeln!(f, "while, each of {} rows until it is done", ending.rows),
                None => writeln!(f, "while"),
            },
            Step::Cond(cond) => writeln!(f, "if {}", cond.condition),
        }
    }
}

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axis = |(number, axis): (usize, &super::Axis)| match axis.role {
            Role::Parallel => format!("i{number} in {}", axis.extent),
            Role::Reduced => format!("reduced i{number} in {}", axis.extent),
        };
        writeln!(f, "for {}", self.axes.iter().enumerate().map(axis).collect::<Vec<_>>().join(", "))?;
        for (id, instr) in self.body.iter().enumerate() {
            write!(f, "  v{id}: {:?} = ", instr.dtype)?;
            match &instr.kind {
                InstrKind::Constant(bits) => writeln!(f, "{}", f64::from_bits(*bits))?,
                InstrKind::Index(index) => writeln!(f, "index {index}")?,
                InstrKind::Load { buffer, index } => writeln!(f, "{}[{index}]", Name(*buffer))?,
                InstrKind::Unary(op, x) => writeln!(f, "{op:?} v{x}")?,
                InstrKind::Binary(op, a, b) => writeln!(f, "{op:?} v{a} v{b}")?,
                InstrKind::Compare(op, a, b) => writeln!(f, "{op:?} v{a} v{b}")?,
                InstrKind::Select(c, a, b) => writeln!(f, "Select v{c} v{a} v{b}")?,
                InstrKind::Cast(x) => writeln!(f, "Cast v{x}")?,
            }
        }
        for store in &self.stores {
            let reduce = store.reduce.map(|op| format!("{op:?} of ")).unwrap_or_default();
            writeln!(f, "  {}[{}] = {reduce}v{}", Name(store.buffer), store.index, store.value)?;
        }
        Ok(())
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Library::Copy { from, to, len } => write!(f, "{to} = copy {from}: {len}"),
            Library::Gather { x, index, out, sizes } => write!(f, "{} = gather {x} {index}: {sizes:?}", Name(*out)),
            Library::ScatterAdd { index, y, out, sizes, .. } => write!(f, "{} = scatter_add {index} {y}: {sizes:?}", Name(*out)),
            Library::Random { kind, site, out, rows, row, .. } => write!(f, "{} = random {kind:?} site {site}: {rows} × {row}", Name(*out)),
            Library::Along { op, x, out, outer, size, inner, .. } => {
                write!(f, "{} = {op:?} {x}: {outer} × {size} × {inner}", Name(*out))
            }
            Library::Assignment { x, out, count, size } => write!(f, "{} = assignment {x}: {count} of {size}", Name(*out)),
            Library::SymmetricEigen { x, out, count, size } => write!(f, "{} = eigen {x}: {count} of {size}", Name(*out)),
            Library::Cholesky { x, out, count, size } => write!(f, "{} = cholesky {x}: {count} of {size}", Name(*out)),
            Library::TriangularSolve { l, b, out, count, size, columns, transpose } => {
                let t = if *transpose { "'" } else { "" };
                write!(f, "{} = triangular_solve {l}{t} {b}: {count} of {size} × {columns}", Name(*out))
            }
        }
    }
}
