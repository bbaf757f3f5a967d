//! How many rows a block has: a function of the shapes alone.

/// Bytes of activations that a block may touch: a part of a second-level cache.
const CACHE: usize = 256 << 10;
/// Bytes of an element, in the precision that is usual.
const ELEMENT: usize = 4;
/// Nanoseconds for which a block is worth handing out.
const WORTH: usize = 4_000;
/// Blocks start at multiples of this many rows, where nothing else is asked for.
const MULTIPLE: usize = 4;
/// Rows below which products of a block would read their other operand too often.
const FEW: usize = 64;
/// Rows below which blocks of single numbers would leave memory in too short pieces, and whole vectors of them.
const NUMBERS: usize = 256;
const LANES: usize = 16;

/// The rows of a block of a strand that touches `elements` of so many `buffers` for each row and takes `work` nanoseconds; its
/// products have so many rows for each of its own. A divisor of `divides`, where that is asked for.
pub fn block(rows: usize, product_rows: usize, [elements, buffers]: [usize; 2], work: usize, divides: Option<usize>) -> usize {
    // A row that is a single number is a lane of a vector
    let (few, multiple) = if elements == buffers { (NUMBERS, LANES) } else { (FEW.div_ceil(product_rows.max(1)), MULTIPLE) };
    let worth = rows.saturating_mul(WORTH).div_ceil(work.max(1)).min(rows);
    let fits = CACHE / (elements * ELEMENT).max(1);
    // Enough blocks for a few threads, as far as that leaves enough rows in each
    let spread = (rows / 8).max(few.min(rows / 4));
    let wanted = fits.max(few).min(spread).max(worth).max(1);
    match divides {
        Some(of) => (1..=of).filter(|block| of.is_multiple_of(*block)).min_by_key(|&block| distance(block, wanted)).unwrap_or(of),
        None => {
            // As many as a few threads share evenly
            let blocks = rows.div_ceil(wanted);
            let blocks = if blocks > 2 { blocks.next_multiple_of(4) } else { blocks };
            rows.div_ceil(blocks).next_multiple_of(multiple.min(few)).min(rows)
        }
    }
}

/// Whether sums over that many rows can be cut into blocks of one length.
pub fn divides_well(rows: usize) -> bool {
    (8..=rows / 2).any(|block| block <= 4096 && rows.is_multiple_of(block))
}

/// The ratio of two lengths, as a whole number that compares.
fn distance(a: usize, b: usize) -> usize {
    a.max(b) * 1024 / a.min(b).max(1)
}
