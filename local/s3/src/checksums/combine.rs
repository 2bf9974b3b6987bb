//! Joining CRCs: the CRC of two contents in a row, from the CRCs of both and the
//! length of the second. Bytes that follow shift the first CRC as so many zeros
//! would, which is linear over the bits, so it is a matrix.

/// Columns of a matrix over bits: what each bit becomes.
type Matrix = Vec<u64>;

/// A CRC that is made longer by others.
#[derive(Debug, Clone)]
pub(super) struct Crc {
    /// The polynomial, with its bits reversed.
    polynomial: u64,
    /// Bits.
    width: usize,
    value: u64,
    /// The matrix for a length. Most parts of an upload are of one length.
    shift: Option<(u64, Matrix)>,
}

impl Crc {
    pub(super) const ISO_HDLC: Self = Self::new(0xEDB8_8320, 32);
    pub(super) const ISCSI: Self = Self::new(0x82F6_3B78, 32);
    pub(super) const NVME: Self = Self::new(0x9A6C_9329_AC4B_C9B5, 64);

    const fn new(polynomial: u64, width: usize) -> Self {
        Self { polynomial, width, value: 0, shift: None }
    }

    /// Adds a content of which the CRC (big-endian) and the length are known.
    pub(super) fn push(&mut self, sum: &[u8], length: u64) {
        let added = sum.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        if length == 0 {
            return;
        }
        let matrix = match self.shift.take() {
            Some((known, matrix)) if known == length => matrix,
            _ => self.matrix(length),
        };
        self.value = times(&matrix, self.value) ^ added;
        self.shift = Some((length, matrix));
    }

    /// The CRC of all of it, big-endian.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let all = self.value.to_be_bytes();
        all.get(all.len() - self.width / 8..).unwrap_or_default().to_vec()
    }

    /// The matrix of a number of zero bytes.
    fn matrix(&self, mut length: u64) -> Matrix {
        // One zero bit: the lowest bit brings the polynomial, all others move down.
        let bit: Matrix =
            (0..self.width).map(|at| if at == 0 { self.polynomial } else { 1 << (at - 1) }).collect();
        let mut power = bit;
        for _ in 0..3 {
            power = after(&power, &power);
        }
        let mut whole: Matrix = (0..self.width).map(|at| 1 << at).collect();
        while length > 0 {
            if length & 1 == 1 {
                whole = after(&power, &whole);
            }
            length >>= 1;
            if length > 0 {
                power = after(&power, &power);
            }
        }
        whole
    }
}

/// What a matrix makes of bits.
fn times(matrix: &[u64], mut bits: u64) -> u64 {
    let mut sum = 0;
    for column in matrix {
        if bits & 1 == 1 {
            sum ^= column;
        }
        bits >>= 1;
        if bits == 0 {
            break;
        }
    }
    sum
}

/// One matrix after another.
fn after(second: &[u64], first: &[u64]) -> Matrix {
    first.iter().map(|column| times(second, *column)).collect()
}
