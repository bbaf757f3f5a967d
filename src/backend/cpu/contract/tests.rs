//! Products against three plain loops: every layout, every size of a rest, every kind of vectors of this machine.

use super::kernels::{Instructions, Kernels};
use super::operands::{Matrix, Operands, Sum};
use super::product::{by_kernels, scratch_bytes};
use super::scratch::Scratch;
use super::{Piece, Split, parts, rows, run_part, terms};
use crate::backend::Precision;
use crate::backend::cpu::memory::Table;
use crate::base::Arena;
use crate::base::op::DType;
use crate::kernel::contract::ResultAxis;
use crate::kernel::{Buffer, Contract, Dim, Place, Region, Triangle};

/// How an operand lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Dense,
    Transposed,
    Spaced,
    Reversed,
}

const LAYOUTS: [Layout; 4] = [Layout::Dense, Layout::Transposed, Layout::Spaced, Layout::Reversed];

impl Layout {
    /// The first element and the steps of both axes, in memory of four times as many elements.
    fn steps(self, rows: usize, columns: usize) -> (usize, i64, i64) {
        let (m, n) = (rows as i64, columns as i64);
        match self {
            Layout::Dense => (0, n, 1),
            Layout::Transposed => (0, 1, m),
            Layout::Spaced => (1, 2 * n + 1, 2),
            Layout::Reversed => ((rows * columns).saturating_sub(1), -n, -1),
        }
    }
}

fn contraction([m, n, k]: [usize; 3], [a, b, out]: [Layout; 3]) -> Contract {
    let mut ids: Arena<Buffer> = Arena::default();
    let mut id = || ids.push(Buffer { dtype: DType::Real, len: 0, place: Place::Arena(0) });
    let ((a_start, a_row, a_term), (b_start, b_term, b_column)) = (a.steps(m, k), b.steps(k, n));
    let (_, out_row, out_column) = out.steps(m, n);
    Contract {
        dtype: DType::Real,
        a: Region { buffer: id(), offset: a_start },
        b: Region { buffer: id(), offset: b_start },
        out: id(),
        batch: vec![],
        rows: Dim { size: m, a: a_row, b: 0, out: out_row },
        columns: Dim { size: n, a: 0, b: b_column, out: out_column },
        inner: vec![Dim { size: k, a: a_term, b: b_term, out: 0 }],
        triangle: None,
    }
}

/// Numbers whose products and short sums are exact in f32.
fn numbers(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 7919 + seed * 31) % 17) as f64 - 8.0).collect()
}

struct Memory {
    a: Vec<f64>,
    b: Vec<f64>,
    len: usize,
}

impl Memory {
    fn of(c: &Contract) -> Memory {
        let batch: usize = c.batch.iter().map(|dim| dim.size).product();
        let terms: usize = c.inner.iter().map(|dim| dim.size).product();
        let size = |rows: usize, columns: usize| batch * rows * columns * 4 + 8;
        let (a, b) = (numbers(size(c.rows.size, terms), 1), numbers(size(terms, c.columns.size), 2));
        Memory { a, b, len: size(c.rows.size, c.columns.size) }
    }

    /// The result by plain loops, NaN in what is not written.
    fn expected(&self, c: &Contract) -> Vec<f64> {
        let mut out = vec![f64::NAN; self.len];
        let turns = |dims: &[Dim]| dims.iter().map(|dim| dim.size).product::<usize>();
        let at = |dims: &[Dim], mut turn: usize| {
            let mut at = [0; 3];
            for dim in dims.iter().rev() {
                let index = (turn % dim.size) as i64;
                at = [at[0] + index * dim.a, at[1] + index * dim.b, at[2] + index * dim.out];
                turn /= dim.size;
            }
            at
        };
        let outer: Vec<Dim> = c.batch.iter().copied().chain([c.rows, c.columns]).collect();
        for turn in 0..turns(&outer) {
            let start = at(&outer, turn);
            let term = |turn: usize| {
                let step = at(&c.inner, turn);
                let place = |region: Region, axis: usize| (region.offset as i64 + start[axis] + step[axis]) as usize;
                self.a[place(c.a, 0)] * self.b[place(c.b, 1)]
            };
            out[start[2] as usize] = (0..turns(&c.inner)).map(term).sum();
        }
        out
    }
}

/// Elements of one precision.
trait Real: Copy {
    const PRECISION: Precision;
    fn of(x: f64) -> Self;
    fn f64(self) -> f64;
}

impl Real for f32 {
    const PRECISION: Precision = Precision::F32;
    fn of(x: f64) -> f32 {
        x as f32
    }
    fn f64(self) -> f64 {
        self.into()
    }
}

impl Real for f64 {
    const PRECISION: Precision = Precision::F64;
    fn of(x: f64) -> f64 {
        x
    }
    fn f64(self) -> f64 {
        self
    }
}

fn filled<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&x| T::of(x)).collect()
}

/// Runs `job` over memory in a precision; the result as it stands in memory.
fn with_table<T: Real>(memory: &Memory, job: impl FnOnce(Table<'_>)) -> Vec<f64> {
    let (mut a, mut b) = (filled::<T>(&memory.a), filled::<T>(&memory.b));
    let mut out = vec![T::of(f64::NAN); memory.len];
    let pointers = [a.as_mut_ptr().cast(), b.as_mut_ptr().cast(), out.as_mut_ptr().cast()];
    job(Table { pointers: &pointers, bytes: size_of::<T>() });
    out.into_iter().map(T::f64).collect()
}

fn same(found: &[f64], expected: &[f64]) -> bool {
    found.iter().zip(expected).all(|(x, y)| x.to_bits() == y.to_bits() || x == y || x.is_nan() && y.is_nan())
}

fn check_kernels<T: Real + Default + std::ops::Add<Output = T> + std::ops::Mul<Output = T>>(c: &Contract, kernels: &Kernels<T>) {
    let memory = Memory::of(c);
    let mut scratch = Scratch::with_bytes(scratch_bytes(c));
    let found = with_table::<T>(&memory, |table| {
        let whole = Matrix { rows: c.rows, columns: c.columns, inner: &c.inner, sum: Sum::Whole, triangle: c.triangle };
        by_kernels(kernels, &whole, &whole, [Operands::of(c, table)].into_iter(), &mut scratch);
    });
    assert!(same(&found, &memory.expected(c)), "{} lanes, {}: {c:?}", kernels.lanes, size_of::<T>());
}

fn check(sizes: [usize; 3], layouts: [Layout; 3]) {
    let c = contraction(sizes, layouts);
    for instructions in Instructions::available() {
        check_kernels(&c, instructions.f32());
        check_kernels(&c, instructions.f64());
    }
}

#[test]
fn every_layout() {
    for sizes in [[5, 3, 4], [19, 35, 10], [2, 40, 17], [40, 2, 17]] {
        for a in LAYOUTS {
            for b in LAYOUTS {
                for out in [Layout::Dense, Layout::Transposed, Layout::Spaced] {
                    check(sizes, [a, b, out]);
                }
            }
        }
    }
}

#[test]
fn every_rest() {
    use Layout::{Dense, Transposed};
    for size in 1..=40 {
        for sizes in [[size, 7, 5], [5, size, 7], [7, 5, size], [size, 41 - size, 3]] {
            for layouts in [[Dense; 3], [Dense, Transposed, Dense], [Transposed, Dense, Dense], [Dense, Transposed, Transposed]] {
                check(sizes, layouts);
            }
        }
    }
}

#[test]
fn nothing_to_add_gives_zeros() {
    check([3, 4, 0], [Layout::Dense; 3]);
    check([0, 4, 3], [Layout::Dense; 3]);
}

#[test]
fn sums_over_several_axes_and_longer_than_a_segment() {
    let mut c = contraction([3, 5, 1200], [Layout::Dense, Layout::Transposed, Layout::Transposed]);
    c.inner = vec![Dim { size: 10, a: 120, b: 120, out: 0 }, Dim { size: 120, a: 1, b: 1, out: 0 }];
    for instructions in Instructions::available() {
        check_kernels(&c, instructions.f64());
        check_kernels(&contraction([40, 33, 2100], [Layout::Dense, Layout::Transposed, Layout::Transposed]), instructions.f64());
    }
}

#[test]
fn nan_and_infinity_reach_what_they_touch() {
    for layouts in [[Layout::Dense; 3], [Layout::Dense, Layout::Transposed, Layout::Dense]] {
        for sizes in [[20, 18, 19], [20, 1, 19]] {
            let c = contraction(sizes, layouts);
            let mut memory = Memory::of(&c);
            memory.a[sizes[2] * 3 + 18] = f64::NAN;
            memory.a[sizes[2] * 7 + 2] = f64::INFINITY;
            let mut scratch = Scratch::with_bytes(scratch_bytes(&c));
            let found = with_table::<f32>(&memory, |table| run_part(&c, table, Precision::F32, 0, &mut scratch));
            assert!(same(&found, &memory.expected(&c)), "{sizes:?} {layouts:?}");
        }
    }
}

/// Values that round, so that another order of additions shows.
fn rough(c: &Contract) -> Memory {
    let mut memory = Memory::of(c);
    memory.a.iter_mut().chain(&mut memory.b).enumerate().for_each(|(i, x)| *x = (i as f64 * 0.7).sin() * 3.0);
    memory
}

fn check_pieces<T: Real>(c: &Contract) {
    check_pieces_of::<T>(c, &rough(c));
}

fn check_pieces_of<T: Real>(c: &Contract, memory: &Memory) {
    let mut scratch = Scratch::with_bytes(scratch_bytes(c));
    let whole = with_table::<T>(memory, |table| {
        (0..parts(c)).for_each(|part| run_part(c, table, T::PRECISION, part, &mut scratch));
    });
    let size = c.row_axis().map_or(1, |axis| axis.dim(c).size);
    for block in [1, 16, 32, size] {
        let found = with_table::<T>(memory, |table| {
            for row in (0..size).step_by(block) {
                rows(c, table, T::PRECISION, row..(row + block).min(size), &mut scratch);
            }
        });
        assert!(found.iter().map(|x| x.to_bits()).eq(whole.iter().map(|x| x.to_bits())), "rows by {block} of {c:?}");
    }
}

#[test]
fn bits_do_not_depend_on_how_rows_are_cut() {
    for sizes in [[70, 50, 30], [64, 2, 128], [64, 1, 20], [1, 64, 40], [3, 40, 1100]] {
        for a in [Layout::Dense, Layout::Transposed] {
            for b in [Layout::Dense, Layout::Transposed] {
                for out in [Layout::Dense, Layout::Transposed] {
                    check_pieces::<f32>(&contraction(sizes, [a, b, out]));
                }
            }
        }
    }
    check_pieces::<f64>(&contraction([70, 50, 30], [Layout::Dense; 3]));
}

#[test]
fn batches() {
    let mut c = contraction([6, 5, 7], [Layout::Dense; 3]);
    c.batch = vec![Dim { size: 3, a: 4 * 42, b: 0, out: 4 * 30 }, Dim { size: 4, a: 42, b: 35, out: 30 }];
    let memory = Memory::of(&c);
    let mut scratch = Scratch::with_bytes(scratch_bytes(&c));
    let found = with_table::<f64>(&memory, |table| {
        (0..parts(&c)).for_each(|part| run_part(&c, table, Precision::F64, part, &mut scratch));
    });
    assert!(same(&found, &memory.expected(&c)));
    check_pieces::<f32>(&c);
}

#[test]
fn parts_cover_the_result_once() {
    let mut c = contraction([1000, 100, 500], [Layout::Dense; 3]);
    c.batch = vec![Dim { size: 3, a: 0, b: 0, out: 100_000 }];
    let split = Split::new(&c);
    let mut rows = 0;
    for part in 0..split.count() {
        let piece: Piece = split.piece(&c, part);
        rows += piece.matrices.len() * piece.matrix(&c).rows.size;
    }
    assert!(split.count() > 3 && rows == 3000, "{rows}");
}

#[test]
fn terms_add_up_to_the_sum_of_their_chunk() {
    for layouts in [[Layout::Dense; 3], [Layout::Transposed, Layout::Dense, Layout::Transposed]] {
        let mut c = contraction([6, 37, 96], layouts);
        c.inner[0].size = 24;
        c.batch = vec![Dim { size: 4, a: 24 * c.inner[0].a, b: 24 * c.inner[0].b, out: 6 * 37 }];
        let memory = Memory::of(&c);
        let mut scratch = Scratch::with_bytes(scratch_bytes(&c));
        let found = with_table::<f32>(&memory, |table| {
            (0..96).step_by(8).for_each(|start| terms(&c, table, Precision::F32, start..start + 8, &mut scratch));
        });
        assert!(same(&found, &memory.expected(&c)), "{layouts:?}");
    }
}

/// Writes the zeros of a triangle into its operand.
fn write_zeros(c: &Contract, memory: &mut Memory) {
    let Some(triangle) = c.triangle else { return };
    let ([terms], lines) = (&c.inner[..], triangle.lines.dim(c)) else { return };
    for line in 0..lines.size {
        let needed = triangle.terms(&(line..line + 1), terms.size);
        for term in (0..terms.size).filter(|term| !needed.contains(term)) {
            let at = |step: i64, along: i64, region: Region| (region.offset as i64 + step * line as i64 + along * term as i64) as usize;
            match triangle.lines {
                ResultAxis::Rows => memory.a[at(lines.a, terms.a, c.a)] = 0.0,
                ResultAxis::Columns | ResultAxis::Batch(_) => memory.b[at(lines.b, terms.b, c.b)] = 0.0,
            }
        }
    }
}

#[test]
fn zeros_of_triangles_are_left_out() {
    let (dense, turned) = (Layout::Dense, Layout::Transposed);
    for (size, width, lower) in [(10, 1, true), (10, 1, false), (6, 7, true), (3, 32, false), (16, 32, true)] {
        for (lines, sizes) in [(ResultAxis::Rows, [size * width, 37, size]), (ResultAxis::Columns, [37, size * width, size])] {
            for layouts in [[dense; 3], [dense, turned, dense], [turned, dense, turned]] {
                let c = Contract { triangle: Some(Triangle { lines, width, lower, before: 0 }), ..contraction(sizes, layouts) };
                let mut memory = rough(&c);
                write_zeros(&c, &mut memory);
                let mut scratch = Scratch::with_bytes(scratch_bytes(&c));
                let mut all = || {
                    with_table::<f64>(&memory, |table| {
                        (0..parts(&c)).for_each(|part| run_part(&c, table, Precision::F64, part, &mut scratch))
                    })
                };
                let close = |(x, y): (&f64, &f64)| x.is_nan() && y.is_nan() || (x - y).abs() < 1e-12;
                assert!(all().iter().zip(&memory.expected(&c)).all(close), "{c:?}");
                check_pieces_of::<f32>(&c, &memory);
            }
        }
    }
}

#[test]
fn terms_that_lines_of_a_triangle_need() {
    let lower = Triangle { lines: ResultAxis::Columns, width: 32, lower: true, before: 0 };
    assert_eq!(lower.terms(&(64..96), 16), 0..3);
    assert_eq!(lower.terms(&(90..100), 16), 0..4);
    assert_eq!(lower.from(64).terms(&(0..32), 16), 0..3);
    assert_eq!(Triangle { lower: false, ..lower }.terms(&(64..128), 16), 2..16);
}
