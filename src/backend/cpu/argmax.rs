//! Where a line of numbers has its maximum: without branches over the lanes of a vector, compiled for the widest ones, and chosen when
//! it is called.

/// Elements that are looked at together.
const LANES: usize = 64;

/// The first place of the maximum of each line of `size` elements. NaN is above all numbers.
pub fn first_maxima<T: Copy + PartialOrd, I>(x: &[T], size: usize, places: &mut [I], int: impl Fn(usize) -> I) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the processor has AVX-512.
            return unsafe { avx512(x, size, places, int) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { avx2(x, size, places, int) };
        }
    }
    every(x, size, places, int);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn avx512<T: Copy + PartialOrd, I>(x: &[T], size: usize, places: &mut [I], int: impl Fn(usize) -> I) {
    every(x, size, places, int);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<T: Copy + PartialOrd, I>(x: &[T], size: usize, places: &mut [I], int: impl Fn(usize) -> I) {
    every(x, size, places, int);
}

#[inline(always)]
fn every<T: Copy + PartialOrd, I>(x: &[T], size: usize, places: &mut [I], int: impl Fn(usize) -> I) {
    for (line, place) in x.chunks_exact(size).zip(places) {
        *place = int(first_maximum(line));
    }
}

#[inline(always)]
fn is_nan<T: PartialOrd>(x: T) -> bool {
    x.partial_cmp(&x).is_none()
}

#[inline(always)]
fn greater<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if (b > a) | is_nan(b) { b } else { a }
}

/// The maximum lane by lane, then among the lanes, then the first block that has it, and the place in that.
#[inline(always)]
fn first_maximum<T: Copy + PartialOrd>(line: &[T]) -> usize {
    let Some(&first) = line.first() else { return 0 };
    let (blocks, rest) = line.as_chunks::<LANES>();
    let mut lanes = [first; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane = greater(*lane, x));
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        let (low, high) = lanes.split_at_mut(width);
        low.iter_mut().zip(high).for_each(|(lane, &mut x)| *lane = greater(*lane, x));
    }
    let maximum = lanes[0];
    let is_maximum = |x: T| (x == maximum) | (is_nan(maximum) & is_nan(x));
    let mut start = 0;
    for block in blocks {
        if block.iter().fold(false, |any, &x| any | is_maximum(x)) {
            break;
        }
        start += LANES;
    }
    start + line[start..].iter().position(|&x| is_maximum(x)).unwrap_or(0)
}
