//! Damage to files, for the mutation test and the corpus benchmark alike.

/// A small generator, so that a failing input can be made again from its number.
pub(crate) struct Random(u64);

impl Random {
    /// The generator of input number `n`.
    pub(crate) fn of(n: u64) -> Self {
        let mut random = Random(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Damages `bytes` in one to five places.
pub(crate) fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        // Headers lie in front; most damage should hit them.
        let reach = if random.below(3) == 0 { bytes.len() } else { bytes.len().min(2048) };
        let at = random.below(reach);
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3 => {
                let lies: [[u8; 4]; 6] = [
                    [0; 4],
                    [0xff; 4],
                    [0x7f, 0xff, 0xff, 0xff],
                    [0, 0, 0, 1],
                    [0x80, 0, 0, 0],
                    [0, 1, 0, 0],
                ];
                let lie = lies[random.below(lies.len())];
                for (to, from) in bytes[at..].iter_mut().zip(lie) {
                    *to = from;
                }
            }
            4 => {
                let len = random.below(64).min(bytes.len() - at);
                let piece = bytes[at..at + len].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            5 => {
                let len = random.below(64).min(bytes.len() - at);
                bytes.drain(at..at + len);
            }
            _ => {
                let far = random.below(bytes.len());
                bytes.swap(at, far);
            }
        }
    }
}
