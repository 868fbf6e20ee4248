//! Reproducible randomness: a hash of text, a stream of numbers, and smooth noise.

/// A 64-bit hash of bytes (FNV-1a, mixed), the same on every machine and in every version.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mixed(fnv)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of numbers that depends on its seed only (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A new stream. With a stream of its own, a part that draws more numbers does not change the other parts.
    pub(super) fn branch(&mut self) -> Self {
        Self(self.next())
    }

    /// A number in 0.0..1.0.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// A number in `low..high`.
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A number in `0..count`; `count` must not be zero.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }
}

/// Smooth noise in -1.0..=1.0 over a line.
pub(super) fn noise(seed: u64, x: f32) -> f32 {
    let cell = x.floor();
    let share = x - cell;
    let at = |cell: f32| {
        let bits = mixed(seed ^ (cell as i64 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (bits >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    let eased = share * share * (3.0 - 2.0 * share);
    at(cell) + (at(cell + 1.0) - at(cell)) * eased
}

/// Noise of several octaves, each half as strong and twice as fine, in about -1.0..=1.0.
pub(super) fn fractal(seed: u64, x: f32, octaves: u32) -> f32 {
    let (mut sum, mut weight, mut total, mut x) = (0.0, 1.0, 0.0, x);
    for octave in 0..octaves {
        sum += weight * noise(seed.wrapping_add(u64::from(octave)), x);
        total += weight;
        weight *= 0.5;
        x *= 2.03;
    }
    sum / total
}
