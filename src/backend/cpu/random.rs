//! Random numbers: many blocks of the counter side by side, so that the compiler finds vector code.
//!
//! In f64 every block is that of `Stream::block`, the definition. In f32 the normal numbers come from polynomials in f32, within a few
//! units in the last place of the radius; the same operations in the same order on every processor, so the same bits.

use super::memory::Table;
use crate::base::op::RandomKind;
use crate::base::philox::{Stream, uniform};
use crate::kernel::Region;

/// Blocks side by side.
const LANES: usize = 16;

type Words = [u32; LANES];
type Reals = [f32; LANES];

pub struct Random {
    pub kind: RandomKind,
    pub site: u32,
    /// Seed, step and turn, each one integer, and the numbers of the rows
    pub keys: [Region; 4],
    /// Where the first row goes
    pub out: Region,
    pub rows: usize,
    /// How many numbers a row has
    pub row: usize,
}

impl Random {
    pub fn fill_f64(&self, table: Table<'_>) {
        self.by_rows::<f64, i64>(table, |stream, numbers, values| {
            for (&number, values) in numbers.iter().zip(values.chunks_mut(self.row.max(1))) {
                for (block, four) in values.chunks_mut(4).enumerate() {
                    four.copy_from_slice(&stream.block(self.kind, number as u32, block as u32)[..four.len()]);
                }
            }
        });
    }

    pub fn fill_f32(&self, table: Table<'_>) {
        let fill = vector_code();
        self.by_rows::<f32, i32>(table, |stream, numbers, values| {
            // SAFETY: the processor has the instructions for which the function was chosen.
            unsafe { fill(self.kind, stream, numbers, self.row, values) }
        });
    }

    /// The numbers of all rows, and where their values go.
    fn by_rows<T, I: Copy + Into<i64>>(&self, table: Table<'_>, fill: impl Fn(Stream, &[I], &mut [T])) {
        let [seed, step, turn, rows] = self.keys;
        // SAFETY: the first three keys hold one integer, the last one for each row.
        let key = |region: Region| unsafe { table.slice::<I>(region, 1)[0].into() as u32 };
        let stream = Stream { seed: key(seed), site: self.site, step: key(step), turn: key(turn) };
        // SAFETY: as above; the rows of the result belong to one task.
        let (numbers, values): (&[I], &mut [T]) =
            unsafe { (table.slice(rows, self.rows), table.slice_mut(self.out, self.rows * self.row)) };
        fill(stream, numbers, values);
    }
}

type Fill = unsafe fn(RandomKind, Stream, &[i32], usize, &mut [f32]);

/// The code for the widest vectors of this processor.
fn vector_code() -> Fill {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
            return fill_avx512;
        }
        if is_x86_feature_detected!("avx2") {
            return fill_avx2;
        }
    }
    fill
}

/// # Safety
/// The processor has AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
unsafe fn fill_avx512(kind: RandomKind, stream: Stream, numbers: &[i32], row: usize, values: &mut [f32]) {
    fill(kind, stream, numbers, row, values);
}

/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn fill_avx2(kind: RandomKind, stream: Stream, numbers: &[i32], row: usize, values: &mut [f32]) {
    fill(kind, stream, numbers, row, values);
}

/// All rows of a task, `LANES` blocks at a time; a row has `row` numbers in blocks of four.
#[inline(always)]
fn fill(kind: RandomKind, stream: Stream, numbers: &[i32], row: usize, values: &mut [f32]) {
    let blocks = row.div_ceil(4);
    let total = numbers.len() * blocks;
    for first in (0..total).step_by(LANES) {
        let count = (total - first).min(LANES);
        let mut counter = [[0; LANES], [0; LANES], [stream.step; LANES], [stream.turn; LANES]];
        let (mut at, mut block) = (first / blocks, first % blocks);
        let mut places = [0; LANES];
        for lane in 0..count {
            counter[0][lane] = block as u32;
            counter[1][lane] = numbers[at] as u32;
            places[lane] = at * row + 4 * block;
            block += 1;
            if block == blocks {
                (at, block) = (at + 1, 0);
            }
        }
        let words = philox(counter, [stream.seed, stream.site]);
        let drawn = match kind {
            RandomKind::Uniform => words.map(|words| words.map(|word| uniform(word) as f32)),
            RandomKind::Normal => {
                let (a, b) = box_muller(&words[0], &words[1]);
                // Rows of one or two numbers use half a block.
                let (c, d) = if row > 2 { box_muller(&words[2], &words[3]) } else { ([0.0; LANES], [0.0; LANES]) };
                [a, b, c, d]
            }
        };
        for lane in 0..count {
            let place = places[lane];
            let left = (row - place % row.max(1)).min(4);
            for (value, drawn) in values[place..place + left].iter_mut().zip(&drawn) {
                *value = drawn[lane];
            }
        }
    }
}

/// `base::philox::philox4x32` in every lane.
#[inline(always)]
fn philox(mut counter: [Words; 4], mut key: [u32; 2]) -> [Words; 4] {
    for _ in 0..10 {
        let [c0, c1, c2, c3] = counter;
        for lane in 0..LANES {
            let a = u64::from(c0[lane]) * 0xD251_1F53;
            let b = u64::from(c2[lane]) * 0xCD9E_8D57;
            counter[0][lane] = (b >> 32) as u32 ^ c1[lane] ^ key[0];
            counter[1][lane] = b as u32;
            counter[2][lane] = (a >> 32) as u32 ^ c3[lane] ^ key[1];
            counter[3][lane] = a as u32;
        }
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// `base::philox::box_muller` in every lane, in f32.
#[inline(always)]
fn box_muller(word: &Words, angle: &Words) -> (Reals, Reals) {
    let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let radius = (-2.0 * log_uniform(word[lane])).sqrt();
        let (sin, cos) = sin_cos_turn(angle[lane]);
        (a[lane], b[lane]) = (radius * cos, radius * sin);
    }
    (a, b)
}

/// log u of u = (word + 1/2) / 2³², of full relative accuracy at both ends.
#[inline(always)]
fn log_uniform(word: u32) -> f32 {
    let low = word < 1 << 31;
    let near = (word.min(!word) as i32 as f32 + 0.5) * (1.0 / 4_294_967_296.0);
    // 1 - x is rounded: `lost` is what it misses, and log(1 - x) = log w - lost / w to first order.
    let w = if low { near } else { 1.0 - near };
    let lost = if low { 0.0 } else { (w - 1.0) + near };
    log(w) - lost / w
}

/// Cephes logf, of a normal positive number.
#[inline(always)]
fn log(x: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3F35_04F3;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let exponent = (shifted as i32 >> 23) as f32;
    let m = f32::from_bits((shifted & 0x007F_FFFF).wrapping_add(SQRT_HALF_BITS)) - 1.0;
    let square = m * m;
    let mut p = 7.037_683_6e-2;
    for c in [-1.151_461e-1, 1.167_699_9e-1, -1.242_014_1e-1, 1.424_932_3e-1, -1.666_805_8e-1, 2.000_071_5e-1, -2.5e-1, 3.333_333e-1_f32] {
        p = p * m + c;
    }
    let tail = p * m * square + exponent * -2.121_944_4e-4 - 0.5 * square;
    exponent * 0.693_359_4 + (m + tail)
}

/// Sine and cosine of 2π `word` / 2³²: the nearest quarter turn, and a polynomial of Cephes on what is left.
#[inline(always)]
fn sin_cos_turn(word: u32) -> (f32, f32) {
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let x = word.wrapping_sub(quarter << 30) as i32 as f32 * (std::f32::consts::TAU / 4_294_967_296.0);
    let square = x * x;
    let sin = ((-1.951_529_6e-4 * square + 8.332_161e-3) * square - 1.666_665_5e-1) * square * x + x;
    let cos = ((2.443_315_7e-5 * square - 1.388_731_6e-3) * square + 4.166_664_6e-2) * square * square - 0.5 * square + 1.0;
    let (s, c) = if quarter & 1 == 1 { (cos, sin) } else { (sin, cos) };
    let flip = |value: f32, bit: u32| f32::from_bits(value.to_bits() ^ bit << 31);
    (flip(s, quarter >> 1 & 1), flip(c, (quarter.wrapping_add(1) >> 1) & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The radius reaches 6.7, so that a few units in the last place are 2e-6.
    #[test]
    fn agrees_with_the_definition() {
        let stream = Stream { seed: 7, site: 3, step: 11, turn: 2 };
        let numbers: Vec<i32> = (0..1000).collect();
        for (kind, row) in [(RandomKind::Normal, 1), (RandomKind::Normal, 2), (RandomKind::Normal, 7), (RandomKind::Uniform, 5)] {
            let mut values = vec![0.0; numbers.len() * row];
            // SAFETY: the code fits the processor.
            unsafe { vector_code()(kind, stream, &numbers, row, &mut values) };
            let mut portable = values.clone();
            fill(kind, stream, &numbers, row, &mut portable);
            assert_eq!(values, portable);
            for (at, value) in values.iter().enumerate() {
                let exact = stream.block(kind, (at / row) as u32, (at % row / 4) as u32)[at % row % 4];
                assert!((f64::from(*value) - exact).abs() < 2e-6, "{kind:?} {at}: {value} for {exact}");
            }
        }
    }

    #[test]
    fn the_logarithm_is_accurate_at_both_ends() {
        for word in [0, 1, 2, 1000, 1 << 20, (1 << 31) - 1, 1 << 31, 3 << 30, u32::MAX - 1000, u32::MAX - 1, u32::MAX] {
            let exact = ((f64::from(word) + 0.5) / 4_294_967_296.0).ln();
            let relative = (f64::from(log_uniform(word)) - exact) / exact;
            assert!(relative.abs() < 5e-7, "{word}: {relative}");
        }
    }

    #[test]
    fn sine_and_cosine_follow_the_circle() {
        for word in (0..64).map(|i: u32| i.wrapping_mul(0x0421_0843)) {
            let (sin, cos) = (f64::from(word) * (std::f64::consts::TAU / 4_294_967_296.0)).sin_cos();
            let (s, c) = sin_cos_turn(word);
            assert!((f64::from(s) - sin).abs() < 2e-7 && (f64::from(c) - cos).abs() < 2e-7, "{word}: {s} {c}");
        }
    }
}
