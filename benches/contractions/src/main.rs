//! Reads lines `rows inner columns batch layout` and prints for each a line of JSON: seconds of that product in f32 on all cores, by the crates
//! gemm and faer. The layout (`nn`, `tn`, `nt`) tells which operand lies in memory with its axes exchanged, row by row.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::io::{BufRead, stdin};
use std::time::Instant;

/// Of all blocks of one measurement
const SECONDS: f64 = 0.08;
const BLOCKS: usize = 8;

/// One shape; a matrix of the batch follows the other.
struct Product {
    rows: usize,
    inner: usize,
    columns: usize,
    batch: usize,
    /// Whether an operand lies with its axes exchanged
    turned: [bool; 2],
}

/// Strides of a matrix [rows, columns]: along rows, along columns.
fn strides(rows: usize, columns: usize, turned: bool) -> (isize, isize) {
    if turned { (1, rows as isize) } else { (columns as isize, 1) }
}

impl Product {
    fn parse(line: &str) -> Option<Product> {
        let mut words = line.split_whitespace();
        let mut number = || words.next()?.parse::<usize>().ok();
        let (rows, inner, columns, batch) = (number()?, number()?, number()?, number()?);
        let layout = words.next()?;
        let turned = [layout.starts_with('t'), layout.ends_with('t')];
        Some(Product { rows, inner, columns, batch, turned })
    }

    /// `one` computes a matrix of the batch, alone with all cores or beside others with one.
    fn every(&self, a: &[f32], b: &[f32], out: &mut [f32], one: impl Fn(&Product, &[f32], &[f32], &mut [f32], bool) + Sync) {
        if self.batch == 1 {
            return one(self, a, b, out, true);
        }
        let pieces = out.par_chunks_mut(self.rows * self.columns).zip(a.par_chunks(self.rows * self.inner));
        pieces.zip(b.par_chunks(self.inner * self.columns)).for_each(|((out, a), b)| one(self, a, b, out, false));
    }
}

fn by_gemm(p: &Product, a: &[f32], b: &[f32], out: &mut [f32], alone: bool) {
    let ((a_row, a_column), (b_row, b_column)) = (strides(p.rows, p.inner, p.turned[0]), strides(p.inner, p.columns, p.turned[1]));
    let parallelism = if alone { gemm::Parallelism::Rayon(rayon::current_num_threads()) } else { gemm::Parallelism::None };
    let (m, n, k) = (p.rows, p.columns, p.inner);
    // SAFETY: the slices hold whole matrices of these extents and strides, and `out` overlaps neither operand.
    unsafe {
        let (a, b, out) = (a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
        gemm::gemm(m, n, k, out, 1, n as isize, false, a, a_column, a_row, b, b_column, b_row, 0.0, 1.0, false, false, false, parallelism);
    }
}

fn by_faer(p: &Product, a: &[f32], b: &[f32], out: &mut [f32], alone: bool) {
    let matrix = |values, rows, columns, turned: bool| {
        if turned { MatRef::from_column_major_slice(values, rows, columns) } else { MatRef::from_row_major_slice(values, rows, columns) }
    };
    let (a, b) = (matrix(a, p.rows, p.inner, p.turned[0]), matrix(b, p.inner, p.columns, p.turned[1]));
    let out = MatMut::from_row_major_slice_mut(out, p.rows, p.columns);
    matmul(out, Accum::Replace, a, b, 1.0, if alone { Par::rayon(0) } else { Par::Seq });
}

/// Seconds of a call: the least of blocks, since other work on the machine only adds.
fn least(mut call: impl FnMut()) -> f64 {
    call();
    let start = Instant::now();
    call();
    let size = (SECONDS / BLOCKS as f64 / start.elapsed().as_secs_f64().max(1e-7)).max(1.0) as usize;
    let mut block = || {
        let start = Instant::now();
        (0..size).for_each(|_| call());
        start.elapsed().as_secs_f64() / size as f64
    };
    (0..BLOCKS).map(|_| block()).fold(f64::INFINITY, f64::min)
}

fn main() {
    for line in stdin().lock().lines().map_while(Result::ok) {
        let Some(p) = Product::parse(&line) else {
            eprintln!("not `rows inner columns batch layout`: {line}");
            std::process::exit(2);
        };
        let values = |count: usize| (0..count).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect::<Vec<f32>>();
        let (a, b) = (values(p.batch * p.rows * p.inner), values(p.batch * p.inner * p.columns));
        let mut out = vec![0.0; p.batch * p.rows * p.columns];
        let gemm = least(|| p.every(&a, &b, &mut out, by_gemm));
        let faer = least(|| p.every(&a, &b, &mut out, by_faer));
        println!("{{\"gemm\": {gemm:e}, \"faer\": {faer:e}}}");
    }
}
