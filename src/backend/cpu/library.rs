//! Library calls: indexing, ordering, random numbers, factorisation.

use super::argmax::first_maxima;
use super::memory::Table;
use super::random::Random;
use super::scratch::Scratch;
use super::{eigen, linear};
use crate::backend::Precision;
use crate::base::assignment::Solver;
use crate::base::op::DType;
use crate::kernel::{AlongOp, BufferId, Indexing, Library, Region};
use std::cmp::Ordering;
use std::ops::AddAssign;

/// Runs a call whose result begins `shift` elements after the beginning of its buffer.
pub fn call(call: &Library, shift: usize, table: Table<'_>, precision: Precision, scratch: &mut Scratch) {
    let whole = |buffer: BufferId| Region { buffer, offset: shift };
    match *call {
        Library::Copy { from, to, len } => copy(table, from, to, len),
        Library::Gather { x, index, out, sizes } => match precision {
            Precision::F32 => gather::<i32>(table, x, index, whole(out), sizes),
            Precision::F64 => gather::<i64>(table, x, index, whole(out), sizes),
        },
        Library::ScatterAdd { dtype, index, y, out, sizes } => match (precision, dtype) {
            (Precision::F32, DType::Real) => scatter_add::<f32, i32>(table, index, y, whole(out), sizes),
            (Precision::F64, DType::Real) => scatter_add::<f64, i64>(table, index, y, whole(out), sizes),
            (Precision::F32, DType::Int | DType::Bool) => scatter_add::<i32, i32>(table, index, y, whole(out), sizes),
            (Precision::F64, DType::Int | DType::Bool) => scatter_add::<i64, i64>(table, index, y, whole(out), sizes),
        },
        Library::Random { kind, site, keys, out, rows, row } => {
            let random = Random { kind, site, keys, out: whole(out), rows, row };
            match precision {
                Precision::F32 => random.fill_f32(table),
                Precision::F64 => random.fill_f64(table),
            }
        }
        Library::Along { op, dtype, x, out, outer, size, inner } => {
            let along = Along { op, x, out: whole(out), outer, size, inner };
            match (precision, dtype) {
                (Precision::F32, DType::Real) => along.run::<f32, i32>(table, |i| i as i32),
                (Precision::F64, DType::Real) => along.run::<f64, i64>(table, |i| i as i64),
                (Precision::F32, DType::Int | DType::Bool) => along.run::<i32, i32>(table, |i| i as i32),
                (Precision::F64, DType::Int | DType::Bool) => along.run::<i64, i64>(table, |i| i as i64),
            }
        }
        Library::Cholesky { x, out, count, size } => {
            let len = count * size * size;
            match precision {
                // SAFETY: both buffers hold `count` matrices of that size, in the plan's precision.
                Precision::F32 => unsafe { linear::cholesky::<f32>(table.slice(x, len), table.slice_mut(whole(out), len), size) },
                // SAFETY: likewise.
                Precision::F64 => unsafe { linear::cholesky::<f64>(table.slice(x, len), table.slice_mut(whole(out), len), size) },
            }
        }
        Library::Assignment { x, out, count, size } => {
            let (square, len) = (count * size * size, count * size);
            let solver = &mut scratch.assignment;
            match precision {
                // SAFETY: the buffers hold `count` matrices of that size, in the plan's precision, and the columns of their rows.
                Precision::F32 => unsafe {
                    let costs: &[f32] = table.slice(x, square);
                    assign(solver, costs, table.slice_mut(whole(out), len), size, f64::from, |column| column as i32)
                },
                // SAFETY: likewise.
                Precision::F64 => unsafe {
                    let costs: &[f64] = table.slice(x, square);
                    assign(solver, costs, table.slice_mut(whole(out), len), size, |cost| cost, |column| column as i64)
                },
            }
        }
        Library::SymmetricEigen { x, out, count, size } => {
            let (len, full) = (count * size * size, count * (size + 1) * size);
            match precision {
                // SAFETY: the buffers hold `count` matrices of these sizes, in the plan's precision.
                Precision::F32 => unsafe { eigen::symmetric::<f32>(table.slice(x, len), table.slice_mut(whole(out), full), size) },
                // SAFETY: likewise.
                Precision::F64 => unsafe { eigen::symmetric::<f64>(table.slice(x, len), table.slice_mut(whole(out), full), size) },
            }
        }
        Library::TriangularSolve { l, b, out, count, size, columns, transpose } => {
            let (square, len) = (count * size * size, count * size * columns);
            copy(table, b, whole(out), len);
            let shape = (size, columns);
            match precision {
                // SAFETY: the buffers hold `count` matrices of these sizes, in the plan's precision.
                Precision::F32 => unsafe {
                    linear::solve::<f32>(table.slice(l, square), table.slice_mut(whole(out), len), shape, transpose)
                },
                // SAFETY: likewise.
                Precision::F64 => unsafe {
                    linear::solve::<f64>(table.slice(l, square), table.slice_mut(whole(out), len), shape, transpose)
                },
            }
        }
    }
}

/// The assignments of least cost of matrices of that size, in double precision.
fn assign<T: Copy, I>(solver: &mut Solver, costs: &[T], out: &mut [I], size: usize, real: impl Fn(T) -> f64, place: impl Fn(usize) -> I) {
    for (matrix, row) in costs.chunks((size * size).max(1)).zip(out.chunks_mut(size.max(1))) {
        let columns = solver.solve(size, matrix.iter().map(|&cost| real(cost)));
        row.iter_mut().zip(columns).for_each(|(slot, &column)| *slot = place(column));
    }
}

fn copy(table: Table<'_>, from: Region, to: Region, len: usize) {
    // SAFETY: both regions hold `len` elements; distinct buffers that are alive at one step do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(table.at(from), table.at(to), len * table.bytes) }
}

/// The nearest of 0..n.
fn clamped<I: Into<i64>>(index: I, n: usize) -> usize {
    index.into().clamp(0, (n as i64 - 1).max(0)) as usize
}

fn gather<I: Copy + Into<i64>>(table: Table<'_>, x: Region, index: Region, out: Region, sizes: Indexing) {
    let Indexing { batch, size, picks, row } = sizes;
    // SAFETY: the index holds batch · picks integers, which nobody writes now.
    let index: &[I] = unsafe { table.slice(index, batch * picks) };
    let bytes = row * table.bytes;
    let (from, to) = (table.at(x), table.at(out));
    for (place, &pick) in index.iter().enumerate() {
        let row = place / picks * size + clamped(pick, size);
        // SAFETY: rows of x are batch · size, of the result batch · picks; the buffers are distinct.
        unsafe { std::ptr::copy_nonoverlapping(from.add(row * bytes), to.add(place * bytes), bytes) };
    }
}

fn scatter_add<T, I>(table: Table<'_>, index: Region, y: Region, out: Region, sizes: Indexing)
where
    T: Copy + Default + AddAssign,
    I: Copy + Into<i64>,
{
    let Indexing { batch, size, picks, row } = sizes;
    // SAFETY: the sizes are those of the three buffers, the types those of their elements; the result is a buffer of its own.
    let (index, y, out): (&[I], &[T], &mut [T]) =
        unsafe { (table.slice(index, batch * picks), table.slice(y, batch * picks * row), table.slice_mut(out, batch * size * row)) };
    out.fill(T::default());
    for (place, &pick) in index.iter().enumerate() {
        let to = place / picks * size + clamped(pick, size);
        let sums = &mut out[to * row..(to + 1) * row];
        sums.iter_mut().zip(&y[place * row..(place + 1) * row]).for_each(|(sum, &value)| *sum += value);
    }
}

/// An operation along the middle of three axes.
struct Along {
    op: AlongOp,
    x: Region,
    out: Region,
    outer: usize,
    size: usize,
    inner: usize,
}

impl Along {
    fn run<T: Copy + Default + PartialOrd + AddAssign, I: Copy + Into<i64>>(&self, table: Table<'_>, int: impl Fn(usize) -> I) {
        let &Along { op, x, out, outer, size, inner } = self;
        let len = outer * size * inner;
        // SAFETY: the operand has these three axes, of elements of that type.
        let x: &[T] = unsafe { table.slice(x, len) };
        let lines = (0..outer).flat_map(|i| (0..inner).map(move |j| (i, j)));
        let at = |(i, j): (usize, usize), k: usize| (i * size + k) * inner + j;
        match op {
            AlongOp::CumSum { reverse } => {
                // SAFETY: the result has the operand's type.
                let sums: &mut [T] = unsafe { table.slice_mut(out, len) };
                for line in lines {
                    let mut sum = T::default();
                    for k in 0..size {
                        let place = at(line, if reverse { size - 1 - k } else { k });
                        sum += x[place];
                        sums[place] = sum;
                    }
                }
            }
            AlongOp::Sort => {
                // SAFETY: the result has the operand's type.
                let sorted: &mut [T] = unsafe { table.slice_mut(out, len) };
                sorted.copy_from_slice(x);
                match inner {
                    1 => sorted.chunks_mut(size.max(1)).for_each(|line| line.sort_unstable_by(|&a, &b| compare(a, b))),
                    _ => lines.for_each(|line| insertion_sort(size, |k| at(line, k), sorted, compare)),
                }
            }
            AlongOp::ArgSort => {
                // SAFETY: the result has the operand's shape, of integers.
                let order: &mut [I] = unsafe { table.slice_mut(out, len) };
                for line in lines.clone() {
                    (0..size).for_each(|k| order[at(line, k)] = int(k));
                }
                let by_value = |line: (usize, usize), a: I, b: I| {
                    let [value_a, value_b] = [a, b].map(|k| x[at(line, clamped(k, size))]);
                    compare(value_a, value_b).then(a.into().cmp(&b.into()))
                };
                for line in lines {
                    match inner {
                        1 => order[line.0 * size..(line.0 + 1) * size].sort_unstable_by(|&a, &b| by_value(line, a, b)),
                        _ => insertion_sort(size, |k| at(line, k), order, |a, b| by_value(line, a, b)),
                    }
                }
            }
            AlongOp::ArgMax => {
                // SAFETY: the result has the operand's shape without the axis, of integers.
                let best: &mut [I] = unsafe { table.slice_mut(out, outer * inner) };
                if inner == 1 && size > 0 {
                    return first_maxima(x, size, best, int);
                }
                for line in lines {
                    let better = |a: usize, b: usize| compare(x[at(line, b)], x[at(line, a)]) == Ordering::Greater;
                    best[line.0 * inner + line.1] = int((1..size).fold(0, |a, b| if better(a, b) { b } else { a }));
                }
            }
        }
    }
}

/// Numbers by size, NaN last.
fn compare<T: PartialOrd>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.partial_cmp(&a).is_none().cmp(&b.partial_cmp(&b).is_none()))
}

/// Sorts elements that lie apart, stably and without memory of its own.
fn insertion_sort<T: Copy>(size: usize, at: impl Fn(usize) -> usize, x: &mut [T], compare: impl Fn(T, T) -> Ordering) {
    for k in 1..size {
        let value = x[at(k)];
        let mut hole = k;
        while hole > 0 && compare(x[at(hole - 1)], value) == Ordering::Greater {
            x[at(hole)] = x[at(hole - 1)];
            hole -= 1;
        }
        x[at(hole)] = value;
    }
}
