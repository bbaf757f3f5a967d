//! What this machine can do, measured on the spot: a plain copy's bandwidth, and multiply-additions.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

/// Of all threads together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes a second, read and written, of a copy that stays in the last level of cache
    pub cache: f64,
    /// Of a copy through memory
    pub memory: f64,
    /// Floating-point operations a second, in f32
    pub single: f64,
    /// In f64
    pub double: f64,
    pub threads: usize,
}

/// Bytes that a copy in the last level of cache reads and writes: more than the second level holds.
const NEAR: usize = 16 << 20;
/// Of a copy through memory: more than the last level holds.
pub const FAR: usize = 192 << 20;
/// How long each of them is repeated.
const WINDOW: Duration = Duration::from_millis(40);

impl Limits {
    /// Takes about a fifth of a second.
    pub fn measure(threads: usize) -> Limits {
        let threads = threads.max(1);
        let (single, double) = arithmetic();
        Limits {
            cache: together(threads, || copy(NEAR / threads)),
            memory: together(threads, || copy(FAR / threads)),
            single: together(threads, || repeated(OPERATIONS as f64, || single(black_box(0.5)).into())),
            double: together(threads, || repeated(OPERATIONS as f64 / 2.0, || double(black_box(0.5)))),
            threads,
        }
    }

    /// The bandwidth of a copy of that many bytes.
    pub fn bandwidth(&self, bytes: f64) -> f64 {
        if bytes < (FAR / 8) as f64 { self.cache } else { self.memory }
    }
}

/// The sum of the rates of all threads, which run at the same time.
fn together(threads: usize, rate: impl Fn() -> f64 + Sync) -> f64 {
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(&rate)).collect();
        let own = rate();
        // A thread that fails has no rate
        own + others.into_iter().filter_map(|other| other.join().ok()).sum::<f64>()
    })
}

/// The best rate of something of that size, tried again and again.
fn repeated(size: f64, mut run: impl FnMut() -> f64) -> f64 {
    let (started, mut best) = (Instant::now(), f64::INFINITY);
    while started.elapsed() < WINDOW || best == f64::INFINITY {
        let start = Instant::now();
        black_box(run());
        best = best.min(start.elapsed().as_secs_f64());
    }
    size / best
}

/// Bytes a second of a copy that reads and writes so many.
fn copy(bytes: usize) -> f64 {
    let from = vec![1u8; bytes / 2];
    let mut to = vec![2u8; bytes / 2];
    repeated(bytes as f64, || {
        to.copy_from_slice(black_box(&from));
        f64::from(black_box(&mut to)[0])
    })
}

/// Vectors of 64 bytes side by side: enough to hide the latency of two units.
const CHAINS: usize = 10;
const TURNS: usize = 2_000;
/// In f32.
const OPERATIONS: usize = TURNS * CHAINS * 16 * 2;

type Arithmetic = (fn(f32) -> f32, fn(f64) -> f64);

/// Multiply-additions in the widest vectors of this processor.
fn arithmetic() -> Arithmetic {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512.
            return (|x| unsafe { avx512_single(x) }, |x| unsafe { avx512_double(x) });
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has AVX2 and FMA.
            return (|x| unsafe { avx2_single(x) }, |x| unsafe { avx2_double(x) });
        }
    }
    (portable::<f32, 16>, portable::<f64, 8>)
}

/// # Safety
/// The processor has AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512_single(x: f32) -> f32 {
    chains::<f32, 16>(x, f32::mul_add)
}

/// # Safety
/// The processor has AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512_double(x: f64) -> f64 {
    chains::<f64, 8>(x, f64::mul_add)
}

/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_single(x: f32) -> f32 {
    chains::<f32, 16>(x, f32::mul_add)
}

/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_double(x: f64) -> f64 {
    chains::<f64, 8>(x, f64::mul_add)
}

fn portable<T: Copy + std::ops::Mul<Output = T> + std::ops::Add<Output = T>, const LANES: usize>(x: T) -> T {
    chains::<T, LANES>(x, |a, b, c| a * b + c)
}

/// `CHAINS` vectors, each the last one times x plus x, `TURNS` times.
#[inline(always)]
fn chains<T: Copy + std::ops::Add<Output = T>, const LANES: usize>(x: T, multiply_add: impl Fn(T, T, T) -> T) -> T {
    let mut sums = [[x; LANES]; CHAINS];
    for _ in 0..TURNS {
        for sum in &mut sums {
            for lane in sum {
                *lane = multiply_add(*lane, x, x);
            }
        }
    }
    // All of it is used, so that none of it is left out
    sums.iter().flatten().fold(x, |total, lane| total + *lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_of_a_machine() {
        let limits = Limits::measure(1);
        for rate in [limits.cache, limits.memory, limits.single, limits.double] {
            assert!(rate.is_finite() && rate > 1e6, "{limits:?}");
        }
    }
}
