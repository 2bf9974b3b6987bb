//! The checksums of S3 under the interface of the `crc-fast` crate, which the
//! AWS SDK and `s3s` calculate them with.
//!
//! `crc-fast` knows fifty algorithms, and 664 KB of tables of all of them are
//! linked wherever one is used: half a megabyte of a function's zip, since
//! tables do not compress. S3 has three, for each of which a crate is at hand
//! that uses the processor's instructions as well. The root `Cargo.toml` puts
//! this crate in its place.

use std::fmt;

/// An algorithm, named as the catalogue of parametrised CRCs does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// `x-amz-checksum-crc32`.
    Crc32IsoHdlc,
    /// `x-amz-checksum-crc32c`.
    Crc32Iscsi,
    /// `x-amz-checksum-crc64nvme`.
    Crc64Nvme,
}

#[derive(Clone)]
enum State {
    IsoHdlc(crc32fast::Hasher),
    Iscsi(u32),
    Nvme(crc64fast_nvme::Digest),
}

/// A checksum of bytes that come one after the other.
#[derive(Clone)]
pub struct Digest(State);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.0 {
            State::IsoHdlc(_) => "CRC-32/ISO-HDLC",
            State::Iscsi(_) => "CRC-32/ISCSI",
            State::Nvme(_) => "CRC-64/NVME",
        };
        f.debug_tuple("Digest").field(&name).finish()
    }
}

impl Digest {
    /// The checksum of nothing yet.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        Self(match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => State::IsoHdlc(crc32fast::Hasher::new()),
            CrcAlgorithm::Crc32Iscsi => State::Iscsi(0),
            CrcAlgorithm::Crc64Nvme => State::Nvme(crc64fast_nvme::Digest::new()),
        })
    }

    /// The bytes that come next.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::IsoHdlc(hasher) => hasher.update(data),
            State::Iscsi(sum) => *sum = crc32c::crc32c_append(*sum, data),
            State::Nvme(digest) => digest.write(data),
        }
    }

    /// The checksum of all bytes so far, in the lowest bits.
    pub fn finalize(&self) -> u64 {
        match &self.0 {
            State::IsoHdlc(hasher) => hasher.clone().finalize().into(),
            State::Iscsi(sum) => (*sum).into(),
            State::Nvme(digest) => digest.sum64(),
        }
    }
}

/// The checksum of `data`, in the lowest bits.
pub fn checksum(algorithm: CrcAlgorithm, data: &[u8]) -> u64 {
    let mut digest = Digest::new(algorithm);
    digest.update(data);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "123456789", whose checksums the catalogue gives.
    #[test]
    fn the_catalogue_s_check_values() {
        for (algorithm, expected) in [
            (CrcAlgorithm::Crc32IsoHdlc, 0xcbf4_3926),
            (CrcAlgorithm::Crc32Iscsi, 0xe306_9283),
            (CrcAlgorithm::Crc64Nvme, 0xae8b_1486_0a79_9888),
        ] {
            assert_eq!(checksum(algorithm, b"123456789"), expected, "{algorithm:?}");
            let mut digest = Digest::new(algorithm);
            digest.update(b"1234");
            let begun = digest.finalize();
            digest.update(b"");
            assert_eq!(digest.finalize(), begun, "{algorithm:?}");
            digest.update(b"56789");
            assert_eq!(digest.finalize(), expected, "{algorithm:?}, in pieces");
        }
    }

    /// Longer than any block that is worked on at once, at every beginning.
    #[test]
    fn pieces_make_the_same_as_the_whole() {
        let data: Vec<u8> = (0..5000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for algorithm in [CrcAlgorithm::Crc32IsoHdlc, CrcAlgorithm::Crc32Iscsi, CrcAlgorithm::Crc64Nvme] {
            let whole = checksum(algorithm, &data);
            for at in 0..data.len() {
                let (first, second) = data.split_at(at);
                let mut digest = Digest::new(algorithm);
                digest.update(first);
                digest.update(second);
                assert_eq!(digest.finalize(), whole, "{algorithm:?} split at {at}");
            }
        }
    }
}
