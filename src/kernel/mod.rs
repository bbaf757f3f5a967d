//! Graph -> Kernels: what is computed, not how; each back end chooses its own schedule.
//!
//! [`Kernels`] is a list of steps over buffers, run in order. A [`Loop`] is an index space, a scalar body over affine loads and
//! stores, and for each axis whether it is parallel or reduced. What is no loop over affine accesses is a library call:
//! contraction, indexing by values, sorting, factorisation, random numbers. Loops and branches of the graph are steps whose bodies
//! are [`Kernels`] again.
//!
//! - [`affine`]: index maps
//! - [`layout`]: in which order the axes of contractions' operands and results lie
//! - [`fuse`]: which nodes are stored in buffers, and which share a loop
//! - [`body`]: the scalar body of a loop, views folded into its index maps
//! - [`lower`]: the steps; [`library`], [`contract`], [`control`]: of operations that are no loops
//! - [`ending`]: loops whose rows end one by one
//! - [`hoist`]: operands rearranged before a loop
//! - [`chunks`]: long sums of products in two stages
//! - [`simplify`]: fewer and longer axes; long reductions in two stages
//! - [`call`]: what library calls read and write
//! - [`stage`]: which steps run side by side, and which block by block
//! - [`place`]: where each buffer lives; [`pack`]: buffers that are dead lend their memory to later ones
//! - [`slots`]: loops without their buffers, to be compiled once
//! - [`cost`]: elements moved and arithmetic of a step; [`origin`]: where in the source text it comes from
//! - [`print`]: the text of `tilde emit --stage kernels`

use crate::base::op::{BinaryOp, CompareOp, DType, RandomKind, ReduceOp, UnaryOp};
use crate::base::{Arena, Id, Span};
use std::collections::HashMap;
use std::sync::Arc;

pub mod affine;
pub mod body;
pub mod call;
pub mod chunks;
pub mod contract;
pub mod control;
pub mod cost;
pub mod ending;
pub mod fuse;
pub mod hoist;
pub mod layout;
pub mod library;
pub mod lower;
pub mod origin;
pub mod pack;
pub mod place;
pub mod print;
pub mod simplify;
pub mod slots;
pub mod stage;
pub mod triangle;

pub use affine::Affine;
pub use ending::Ending;
pub use lower::lower;
pub use stage::{Along, Rows, Split, Stage, Strand};
pub use triangle::Triangle;

/// A graph as steps over buffers.
#[derive(Clone, Debug)]
pub struct Kernels {
    pub buffers: Arena<Buffer>,
    /// In the order of their stages
    pub steps: Vec<Step>,
    pub stages: Vec<Stage>,
    /// Where each output of the graph stands after the last step
    pub outputs: Vec<BufferId>,
    /// Elements of memory that the buffers of [`Place::Arena`] share
    pub arena: usize,
    /// The source expressions whose values the buffers hold
    pub origins: HashMap<BufferId, Span>,
    /// Elements of memory that the buffers of [`Place::Block`] share in each thread
    pub scratch: usize,
}

pub type BufferId = Id<Buffer>;

/// A dense array. All element types are equally wide.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub dtype: DType,
    pub len: usize,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Input(usize),
    Output(usize),
    Constant(Arc<[f64]>),
    /// At that element of the arena
    Arena(usize),
    /// At that element of the memory of the thread that runs a block of rows: of each row so many elements, the block's first
    /// row first
    Block {
        offset: usize,
        row: usize,
    },
}

/// The elements of a buffer from an offset on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub buffer: BufferId,
    pub offset: usize,
}

#[derive(Clone, Debug)]
pub enum Step {
    Loop(Loop),
    Contract(Contract),
    Library(Library),
    Scan(Scan),
    While(While),
    Cond(Cond),
}

/// A loop nest. The order of the axes is not an order of evaluation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Loop {
    pub axes: Vec<Axis>,
    /// Each instruction uses earlier ones
    pub body: Vec<Instr>,
    pub stores: Vec<Store>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Axis {
    pub extent: usize,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Parallel,
    Reduced,
}

/// The result of an instruction of a body, by its position.
pub type ValueId = usize;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instr {
    pub dtype: DType,
    pub kind: InstrKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InstrKind {
    /// Bits of an f64
    Constant(u64),
    /// The value of an index map, as `Int`
    Index(Affine),
    Load {
        buffer: BufferId,
        index: Affine,
    },
    Unary(UnaryOp, ValueId),
    Binary(BinaryOp, ValueId, ValueId),
    Compare(CompareOp, ValueId, ValueId),
    Select(ValueId, ValueId, ValueId),
    Cast(ValueId),
}

/// Writes a value; with `reduce`, its reduction over the reduced axes, of which `index` is independent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    pub buffer: BufferId,
    pub index: Affine,
    pub value: ValueId,
    pub reduce: Option<ReduceOp>,
}

/// `out[..] = Σ a[..] · b[..]`: a batch of matrix products with arbitrary strides.
#[derive(Clone, Debug)]
pub struct Contract {
    pub dtype: DType,
    pub a: Region,
    pub b: Region,
    pub out: BufferId,
    /// In both operands and the result, or in one operand only but not merged into `rows` or `columns`
    pub batch: Vec<Dim>,
    /// Of `a` and the result
    pub rows: Dim,
    /// Of `b` and the result
    pub columns: Dim,
    /// Of `a` and `b`: summed, the last is the innermost
    pub inner: Vec<Dim>,
    /// Where an operand holds zeros that need not be multiplied
    pub triangle: Option<Triangle>,
}

/// A size and the strides along it; 0 in what does not have the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dim {
    pub size: usize,
    pub a: i64,
    pub b: i64,
    pub out: i64,
}

/// Calls of the back end's library over contiguous regions. Sizes are products of axes.
#[derive(Clone, Debug)]
pub enum Library {
    Copy {
        from: Region,
        to: Region,
        len: usize,
    },
    /// x\[batch, size, row\], index\[batch, picks\] -> out\[batch, picks, row\]
    Gather {
        x: Region,
        index: Region,
        out: BufferId,
        sizes: Indexing,
    },
    /// index\[batch, picks\], y\[batch, picks, row\] -> out\[batch, size, row\]
    ScatterAdd {
        dtype: DType,
        index: Region,
        y: Region,
        out: BufferId,
        sizes: Indexing,
    },
    /// out\[rows, row\]
    Random {
        kind: RandomKind,
        site: u32,
        keys: [Region; 4],
        out: BufferId,
        rows: usize,
        row: usize,
    },
    /// Along the middle of three axes
    Along {
        op: AlongOp,
        dtype: DType,
        x: Region,
        out: BufferId,
        outer: usize,
        size: usize,
        inner: usize,
    },
    Cholesky {
        x: Region,
        out: BufferId,
        count: usize,
        size: usize,
    },
    Assignment {
        x: Region,
        out: BufferId,
        count: usize,
        size: usize,
    },
    SymmetricEigen {
        x: Region,
        out: BufferId,
        count: usize,
        size: usize,
    },
    TriangularSolve {
        l: Region,
        b: Region,
        out: BufferId,
        count: usize,
        size: usize,
        columns: usize,
        transpose: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexing {
    pub batch: usize,
    pub size: usize,
    pub picks: usize,
    pub row: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlongOp {
    CumSum { reverse: bool },
    Sort,
    ArgSort,
    ArgMax,
}

/// The body's inputs are turn, carries, elements of the sequences, constants; its outputs carries, then elements to stack.
#[derive(Clone, Debug)]
pub struct Scan {
    pub body: Box<Kernels>,
    pub length: usize,
    pub reverse: bool,
    pub turn: BufferId,
    pub carries: Vec<Carry>,
    pub sequences: Vec<(Region, usize)>,
    pub constants: Vec<Region>,
    /// Buffers and the number of elements that a turn adds
    pub stacked: Vec<(BufferId, usize)>,
    /// Memory for the arena of the body
    pub arena: BufferId,
}

/// A value handed from turn to turn, between two buffers in alternation.
#[derive(Clone, Copy, Debug)]
pub struct Carry {
    pub initial: Region,
    pub result: BufferId,
    pub spare: BufferId,
    pub len: usize,
}

#[derive(Clone, Debug)]
pub struct While {
    pub condition: Box<Kernels>,
    pub body: Box<Kernels>,
    pub turn: BufferId,
    /// The result of `condition`
    pub flag: BufferId,
    pub carries: Vec<Carry>,
    pub constants: Vec<Region>,
    /// Memory for the arenas of both, one after the other in time
    pub arena: BufferId,
    /// Where rows end one by one; the body then lacks the last result, whether any goes on
    pub ending: Option<Ending>,
}

#[derive(Clone, Debug)]
pub struct Cond {
    pub condition: Region,
    pub then: Box<Kernels>,
    pub otherwise: Box<Kernels>,
    pub operands: Vec<Region>,
    pub results: Vec<BufferId>,
    pub arena: BufferId,
}
