//! Philox4x32-10, a counter-based random generator (Salmon, Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3; 2011).
//! Every random number of the language is a function of (seed, site, step, turn, row, element): see `Op::Random`.

use super::op::RandomKind;

/// The ten rounds: 128 random bits for a counter under a key.
#[inline]
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// Uniform on (0, 1), exact in f32 and f64.
#[inline]
pub fn uniform(word: u32) -> f64 {
    (f64::from(word >> 9) + 0.5) * (1.0 / 8_388_608.0)
}

/// What all elements of one [`crate::graph::Op::Random`] share.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub seed: u32,
    pub site: u32,
    pub step: u32,
    pub turn: u32,
}

impl Stream {
    /// Elements `4 * block ..` of a row, up to four of them.
    #[inline]
    pub fn block(self, kind: RandomKind, row: u32, block: u32) -> [f64; 4] {
        let words = philox4x32([block, row, self.step, self.turn], [self.seed, self.site]);
        match kind {
            RandomKind::Uniform => words.map(uniform),
            RandomKind::Normal => {
                let [a, b] = box_muller(words[0], words[1]);
                let [c, d] = box_muller(words[2], words[3]);
                [a, b, c, d]
            }
        }
    }
}

/// Two independent standard normals from two words; the radius reaches 6.7.
#[inline]
fn box_muller(word: u32, angle: u32) -> [f64; 2] {
    let radius = (-2.0 * ((f64::from(word) + 0.5) / 4_294_967_296.0).ln()).sqrt();
    let (sin, cos) = (f64::from(angle) * (std::f64::consts::TAU / 4_294_967_296.0)).sin_cos();
    [radius * cos, radius * sin]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the reference implementation (Random123, `kat_vectors`, philox4x32 with 10 rounds).
    #[test]
    fn agrees_with_random123() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox4x32(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
