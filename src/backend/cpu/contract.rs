//! Contractions: batches of matrix products by the `gemm` crate, in tasks whose sizes depend on the shapes alone.
//! (The crate allocates the memory into which it packs large operands at each call.)

use super::memory::Table;
use super::pool::Pool;
use crate::backend::Precision;
use crate::base::op::DType;
use crate::kernel::{Contract, Dim, Region};
use std::ops::{Add, Mul};

/// Multiplications below which a product is computed by plain loops.
const TINY: usize = 1024;
/// Multiplications that are worth a task of their own, for batches and for parts of one product.
const TASK: usize = 1 << 16;
const PART: usize = 8 << 20;
/// Parts of a product start at multiples of this many rows or columns.
const TILE: usize = 32;

/// How a contraction is cut into tasks.
struct Tasks {
    matrices: usize,
    /// Products of one task
    group: usize,
    /// Tasks of one product, along its rows or columns
    parts: usize,
    by_rows: bool,
}

impl Tasks {
    fn new(c: &Contract) -> Tasks {
        let matrices: usize = c.batch.iter().map(|dim| dim.size).product();
        let inner: usize = c.inner.iter().map(|dim| dim.size).product();
        let work = c.rows.size * c.columns.size * inner;
        let by_rows = c.rows.size >= c.columns.size;
        let longest = c.rows.size.max(c.columns.size);
        let parts = (work / PART).clamp(1, 8).min(longest.div_ceil(TILE)).max(1);
        let group = if parts > 1 { 1 } else { (TASK / work.max(1)).clamp(1, matrices.max(1)) };
        Tasks { matrices, group, parts, by_rows }
    }

    fn count(&self) -> usize {
        self.matrices.div_ceil(self.group) * self.parts
    }
}

/// Runs a contraction.
pub fn contract(c: &Contract, table: Table<'_>, precision: Precision, pool: &mut Pool) {
    match (c.dtype, precision) {
        (DType::Real, Precision::F32) => run(c, table, pool, &product::<f32>),
        (DType::Real, Precision::F64) => run(c, table, pool, &product::<f64>),
        (DType::Int | DType::Bool, Precision::F32) => run(c, table, pool, &plain::<i32>),
        (DType::Int | DType::Bool, Precision::F64) => run(c, table, pool, &plain::<i64>),
    }
}

/// Pointers to the first elements of a, b and the result.
struct Operands<T> {
    a: *const T,
    b: *const T,
    out: *mut T,
}

impl<T> Clone for Operands<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Operands<T> {}

impl<T> Operands<T> {
    fn advanced(self, dim: &Dim, by: usize) -> Operands<T> {
        let by = by as isize;
        Operands {
            a: self.a.wrapping_offset(by * dim.a as isize),
            b: self.b.wrapping_offset(by * dim.b as isize),
            out: self.out.wrapping_offset(by * dim.out as isize),
        }
    }
}

type Product<T> = dyn Fn(&Contract, Dim, Dim, Operands<T>) + Sync;

fn run<T>(c: &Contract, table: Table<'_>, pool: &mut Pool, product: &Product<T>) {
    let tasks = Tasks::new(c);
    let task = |task: usize| {
        let table: Table<'_> = table;
        let out = table.at(Region { buffer: c.out, offset: 0 });
        let all = Operands { a: table.at(c.a).cast::<T>().cast_const(), b: table.at(c.b).cast::<T>().cast_const(), out: out.cast() };
        let (group, part) = (task / tasks.parts, task % tasks.parts);
        for matrix in group * tasks.group..((group + 1) * tasks.group).min(tasks.matrices) {
            let mut operands = all;
            let mut rest = matrix;
            for dim in c.batch.iter().rev() {
                operands = operands.advanced(dim, rest % dim.size);
                rest /= dim.size;
            }
            let (mut rows, mut columns) = (c.rows, c.columns);
            let cut = if tasks.by_rows { &mut rows } else { &mut columns };
            let size = cut.size.div_ceil(tasks.parts).next_multiple_of(TILE);
            let (from, to) = if tasks.parts == 1 { (0, cut.size) } else { (part * size, ((part + 1) * size).min(cut.size)) };
            if from < to {
                operands = operands.advanced(cut, from);
                cut.size = to - from;
                product(c, rows, columns, operands);
            }
        }
    };
    pool.run(tasks.count(), &task);
}

/// One matrix product, by `gemm` unless it is tiny.
fn product<T: Number>(c: &Contract, rows: Dim, columns: Dim, x: Operands<T>) {
    let (last, outer) = match c.inner.split_last() {
        Some((last, outer)) => (*last, outer),
        None => return,
    };
    let sums: usize = outer.iter().map(|dim| dim.size).product();
    if rows.size * columns.size * last.size * sums <= TINY || last.size * sums == 0 {
        return plain(c, rows, columns, x);
    }
    for sum in 0..sums {
        let mut at = x;
        let mut rest = sum;
        for dim in outer.iter().rev() {
            at = at.advanced(dim, rest % dim.size);
            rest /= dim.size;
        }
        // SAFETY: strides and sizes are those of the operands' and the result's axes, so every element lies in its buffer; the
        // result's elements belong to this task alone.
        unsafe {
            gemm::gemm(
                rows.size,
                columns.size,
                last.size,
                at.out,
                columns.out as isize,
                rows.out as isize,
                sum > 0,
                at.a,
                last.a as isize,
                rows.a as isize,
                at.b,
                columns.b as isize,
                last.b as isize,
                T::ONE,
                T::ONE,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

/// Elements that can be multiplied and added.
trait Number: Copy + Default + Add<Output = Self> + Mul<Output = Self> + 'static {
    const ONE: Self;
}

macro_rules! numbers {
    ($($ty:ty = $one:literal),*) => { $(impl Number for $ty { const ONE: $ty = $one; })* };
}
numbers!(f32 = 1.0, f64 = 1.0, i32 = 1, i64 = 1);

/// One matrix product by loops.
fn plain<T: Number>(c: &Contract, rows: Dim, columns: Dim, x: Operands<T>) {
    let sums: usize = c.inner.iter().map(|dim| dim.size).product();
    let (last, outer) = match c.inner.split_last() {
        Some((last, outer)) => (*last, outer),
        None => return,
    };
    for row in 0..rows.size {
        for column in 0..columns.size {
            let at = x.advanced(&rows, row).advanced(&columns, column);
            let mut total = T::default();
            for sum in 0..sums {
                let mut term = at.advanced(&last, sum % last.size);
                let mut rest = sum / last.size;
                for dim in outer.iter().rev() {
                    term = term.advanced(dim, rest % dim.size);
                    rest /= dim.size;
                }
                // SAFETY: as in `product`, positions within the axes' sizes.
                total = total + unsafe { *term.a * *term.b };
            }
            // SAFETY: likewise; this task alone writes the element.
            unsafe { *at.out = total };
        }
    }
}
