//! The checksums of S3: which there are, how they are calculated, and how those
//! of parts become that of an object.

mod combine;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::Md5;
use s3s::S3ErrorCode;
use s3s::crypto::Checksum as _;
use s3s::dto::ChecksumType;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
use xxhash_rust::xxh3::Xxh3;
use xxhash_rust::xxh64::Xxh64;

use crate::error::{Doing, Fault, Outcome};
use combine::Crc;

/// An algorithm for checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
    Sha512,
    Md5,
    Xxhash64,
    Xxhash3,
    Xxhash128,
}

/// Names of the algorithms: in headers and documents, of the header that carries
/// the checksum, and its length in bytes.
const ALL: [(Algorithm, &str, &str, usize); 10] = [
    (Algorithm::Crc32, "CRC32", "x-amz-checksum-crc32", 4),
    (Algorithm::Crc32c, "CRC32C", "x-amz-checksum-crc32c", 4),
    (Algorithm::Crc64nvme, "CRC64NVME", "x-amz-checksum-crc64nvme", 8),
    (Algorithm::Sha1, "SHA1", "x-amz-checksum-sha1", 20),
    (Algorithm::Sha256, "SHA256", "x-amz-checksum-sha256", 32),
    (Algorithm::Sha512, "SHA512", "x-amz-checksum-sha512", 64),
    (Algorithm::Md5, "MD5", "x-amz-checksum-md5", 16),
    (Algorithm::Xxhash64, "XXHASH64", "x-amz-checksum-xxhash64", 8),
    (Algorithm::Xxhash3, "XXHASH3", "x-amz-checksum-xxhash3", 8),
    (Algorithm::Xxhash128, "XXHASH128", "x-amz-checksum-xxhash128", 16),
];

/// What S3 calculates where the client names nothing.
pub(crate) const DEFAULT: Algorithm = Algorithm::Crc64nvme;

impl Algorithm {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        ALL.into_iter().map(|(algorithm, ..)| algorithm)
    }

    fn entry(self) -> (&'static str, &'static str, usize) {
        let found = ALL.into_iter().find(|(algorithm, ..)| *algorithm == self);
        found.map_or(("", "", 0), |(_, name, header, length)| (name, header, length))
    }

    /// Its name, as in `x-amz-checksum-algorithm`.
    pub(crate) fn name(self) -> &'static str {
        self.entry().0
    }

    /// The header that carries such a checksum.
    pub(crate) fn header(self) -> &'static str {
        self.entry().1
    }

    /// Bytes of a checksum.
    pub(crate) fn length(self) -> usize {
        self.entry().2
    }

    /// Whether s3s has fields for such checksums.
    pub(crate) fn is_known(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64nvme | Self::Sha1 | Self::Sha256)
    }

    /// The algorithm of a name.
    pub(crate) fn parse(name: &str) -> Outcome<Self> {
        let found = ALL.into_iter().find(|(_, known, ..)| known.eq_ignore_ascii_case(name));
        found.map(|(algorithm, ..)| algorithm).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|(_, name, ..)| *name).collect();
            invalid_request(format!(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{}]",
                names.join(", ")
            ))
        })
    }

    /// Whether the checksum of an object follows from those of its parts.
    pub(crate) fn joins(self) -> bool {
        self.crc().is_some()
    }

    /// Where checksums of this kind can be joined: what joins them.
    fn crc(self) -> Option<Crc> {
        match self {
            Self::Crc32 => Some(Crc::ISO_HDLC),
            Self::Crc32c => Some(Crc::ISCSI),
            Self::Crc64nvme => Some(Crc::NVME),
            _ => None,
        }
    }
}

/// How the checksum of an object that was uploaded in parts is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SumType {
    /// Of the whole content, as if it had come at once.
    #[default]
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
    /// Of the checksums of the parts.
    #[serde(rename = "COMPOSITE")]
    Composite,
}

impl SumType {
    pub(crate) fn is_full(&self) -> bool {
        *self == Self::FullObject
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::FullObject => ChecksumType::FULL_OBJECT,
            Self::Composite => ChecksumType::COMPOSITE,
        }
    }

    pub(crate) fn dto(self) -> ChecksumType {
        ChecksumType::from_static(self.as_str())
    }

    fn parse(name: &str) -> Outcome<Self> {
        match name {
            ChecksumType::FULL_OBJECT => Ok(Self::FullObject),
            ChecksumType::COMPOSITE => Ok(Self::Composite),
            _ => Err(invalid_request("Value for x-amz-checksum-type header is invalid.")),
        }
    }
}

/// The checksums that the parts of an upload and its object have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) algorithm: Algorithm,
    #[serde(rename = "type")]
    pub(crate) sum_type: SumType,
}

impl Plan {
    /// Checks what CreateMultipartUpload asks for. Without an algorithm nothing is
    /// planned, and the object gets the default one.
    pub(crate) fn of(algorithm: Option<&str>, sum_type: Option<&str>) -> Outcome<Option<Self>> {
        let sum_type = sum_type.map(SumType::parse).transpose()?;
        let Some(algorithm) = algorithm.map(Algorithm::parse).transpose()? else {
            return match sum_type {
                None => Ok(None),
                Some(_) => Err(invalid_request(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
                )),
            };
        };
        let usual = if algorithm == DEFAULT { SumType::FullObject } else { SumType::Composite };
        let plan = Self { algorithm, sum_type: sum_type.unwrap_or(usual) };
        let is_possible = match plan.sum_type {
            SumType::FullObject => algorithm.crc().is_some(),
            SumType::Composite => algorithm != Algorithm::Crc64nvme,
        };
        if is_possible { Ok(Some(plan)) } else { Err(plan.impossible()) }
    }

    /// What an upload without a plan gets.
    pub(crate) const DEFAULT: Self = Self { algorithm: DEFAULT, sum_type: SumType::FullObject };

    fn impossible(self) -> Fault {
        invalid_request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            self.sum_type.as_str(),
            self.algorithm.name().to_ascii_lowercase()
        ))
    }

    /// The object's checksum, out of the checksums and sizes of its parts;
    /// nothing if a part has none.
    pub(crate) fn combine<'a>(
        self,
        parts: impl Iterator<Item = (Option<&'a String>, u64)>,
    ) -> Option<String> {
        let mut crc = self.algorithm.crc();
        let mut hashers = Hashers::of([self.algorithm]);
        let mut count = 0_usize;
        for (sum, size) in parts {
            let bytes = STANDARD.decode(sum?).ok()?;
            match (self.sum_type, &mut crc) {
                (SumType::FullObject, Some(crc)) => crc.push(&bytes, size),
                (SumType::FullObject, None) => return None,
                (SumType::Composite, _) => hashers.update(&bytes),
            }
            count += 1;
        }
        match self.sum_type {
            SumType::FullObject => Some(STANDARD.encode(crc?.bytes())),
            SumType::Composite => Some(format!("{}-{count}", hashers.finish().get(self.algorithm)?)),
        }
    }
}

/// Checksums in base64, as they travel in headers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sums(BTreeMap<Algorithm, String>);

impl Sums {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, algorithm: Algorithm) -> Option<&String> {
        self.0.get(&algorithm)
    }

    pub(crate) fn set(&mut self, algorithm: Algorithm, sum: String) {
        self.0.insert(algorithm, sum);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Algorithm, &String)> {
        self.0.iter().map(|(algorithm, sum)| (*algorithm, sum))
    }

    /// The first of them: an object has one.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.0.keys().next().copied()
    }

    /// One of them as bytes.
    pub(crate) fn bytes<const N: usize>(&self, algorithm: Algorithm) -> Outcome<[u8; N]> {
        self.get(algorithm)
            .and_then(|sum| STANDARD.decode(sum).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| Fault::internal("reading a checksum", "it was not calculated"))
    }

    /// One of them alone.
    pub(crate) fn only(&self, algorithm: Algorithm) -> Self {
        Self(self.get(algorithm).map(|sum| (algorithm, sum.clone())).into_iter().collect())
    }

    /// Those of checksums of parts without the number of parts.
    pub(crate) fn without_number(&self) -> Self {
        let bare = |sum: &String| sum.split('-').next().unwrap_or_default().to_owned();
        Self(self.0.iter().map(|(algorithm, sum)| (*algorithm, bare(sum))).collect())
    }

    /// What a request's headers say.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let found = ALL.into_iter().filter_map(|(algorithm, _, header, _)| {
            value(header).map(|text| (algorithm, text.trim().to_owned()))
        });
        Self(found.collect())
    }

    /// Those of a request that s3s has read.
    pub(crate) fn from_fields(fields: [(Algorithm, Option<String>); 5]) -> Self {
        Self(fields.into_iter().filter_map(|(algorithm, sum)| Some((algorithm, sum?))).collect())
    }

    /// Adds others, which count where both have one.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Adds them to an answer's headers.
    pub(crate) fn put(&self, sum_type: Option<SumType>, headers: &mut HeaderMap) {
        for (algorithm, sum) in self.iter() {
            if let Ok(value) = HeaderValue::try_from(sum.as_str()) {
                headers.insert(HeaderName::from_static(algorithm.header()), value);
            }
        }
        if let Some(sum_type) = sum_type.filter(|_| !self.is_empty()) {
            headers.insert("x-amz-checksum-type", HeaderValue::from_static(sum_type.as_str()));
        }
    }
}

enum Hasher {
    Crc32(s3s::crypto::Crc32),
    Crc32c(s3s::crypto::Crc32c),
    Crc64nvme(s3s::crypto::Crc64Nvme),
    Sha1(Box<s3s::crypto::Sha1>),
    Sha256(Box<s3s::crypto::Sha256>),
    Sha512(Box<Sha512>),
    Md5(Box<Md5>),
    Xxhash64(Box<Xxh64>),
    Xxhash3(Box<Xxh3>),
    Xxhash128(Box<Xxh3>),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(s3s::crypto::Crc32::new()),
            Algorithm::Crc32c => Self::Crc32c(s3s::crypto::Crc32c::new()),
            Algorithm::Crc64nvme => Self::Crc64nvme(s3s::crypto::Crc64Nvme::new()),
            Algorithm::Sha1 => Self::Sha1(Box::new(s3s::crypto::Sha1::new())),
            Algorithm::Sha256 => Self::Sha256(Box::new(s3s::crypto::Sha256::new())),
            Algorithm::Sha512 => Self::Sha512(Box::new(Sha512::new())),
            Algorithm::Md5 => Self::Md5(Box::default()),
            Algorithm::Xxhash64 => Self::Xxhash64(Box::new(Xxh64::new(0))),
            Algorithm::Xxhash3 => Self::Xxhash3(Box::new(Xxh3::new())),
            Algorithm::Xxhash128 => Self::Xxhash128(Box::new(Xxh3::new())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc32c(hasher) => hasher.update(bytes),
            Self::Crc64nvme(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => sha2::Digest::update(hasher.as_mut(), bytes),
            Self::Md5(hasher) => md5::Digest::update(hasher.as_mut(), bytes),
            Self::Xxhash64(hasher) => hasher.update(bytes),
            Self::Xxhash3(hasher) | Self::Xxhash128(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Crc32(hasher) => STANDARD.encode(hasher.finalize()),
            Self::Crc32c(hasher) => STANDARD.encode(hasher.finalize()),
            Self::Crc64nvme(hasher) => STANDARD.encode(hasher.finalize()),
            Self::Sha1(hasher) => STANDARD.encode(hasher.finalize()),
            Self::Sha256(hasher) => STANDARD.encode(hasher.finalize()),
            Self::Sha512(hasher) => STANDARD.encode(sha2::Digest::finalize(*hasher)),
            Self::Md5(hasher) => STANDARD.encode(md5::Digest::finalize(*hasher)),
            Self::Xxhash64(hasher) => STANDARD.encode(hasher.digest().to_be_bytes()),
            Self::Xxhash3(hasher) => STANDARD.encode(hasher.digest().to_be_bytes()),
            Self::Xxhash128(hasher) => STANDARD.encode(hasher.digest128().to_be_bytes()),
        }
    }
}

/// Calculates several checksums of the same bytes.
#[derive(Default)]
pub(crate) struct Hashers(Vec<(Algorithm, Hasher)>);

impl Hashers {
    pub(crate) fn of(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut wanted: Vec<Algorithm> = algorithms.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        Self(wanted.into_iter().map(|algorithm| (algorithm, Hasher::new(algorithm))).collect())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for (_, hasher) in &mut self.0 {
            hasher.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Sums {
        Sums(self.0.into_iter().map(|(algorithm, hasher)| (algorithm, hasher.finish())).collect())
    }
}

/// Copies up to a number of bytes and hashes them; answers how many there were.
pub(crate) fn copy_hashed(
    from: &mut impl Read,
    to: &mut impl Write,
    most: u64,
    hashers: &mut Hashers,
) -> Outcome<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut from = from.take(most);
    let mut size = 0;
    loop {
        let read = from.read(&mut buffer).doing("copying an object")?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(size) };
        hashers.update(bytes);
        to.write_all(bytes).doing("copying an object")?;
        size += bytes.len() as u64;
    }
}

pub(crate) fn invalid_request(message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::client(S3ErrorCode::InvalidRequest, message)
}

/// The checksums of a request that s3s has fields for.
macro_rules! fields {
    ($from:expr) => {{
        use $crate::checksums::Algorithm;
        $crate::checksums::Sums::from_fields([
            (Algorithm::Crc32, $from.checksum_crc32.clone()),
            (Algorithm::Crc32c, $from.checksum_crc32c.clone()),
            (Algorithm::Crc64nvme, $from.checksum_crc64nvme.clone()),
            (Algorithm::Sha1, $from.checksum_sha1.clone()),
            (Algorithm::Sha256, $from.checksum_sha256.clone()),
        ])
    }};
}
pub(crate) use fields;

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hashers = Hashers::of([algorithm]);
        hashers.update(bytes);
        hashers.finish().get(algorithm).cloned().unwrap_or_default()
    }

    /// Of "123456789", by other programs.
    #[test]
    fn checksums_are_those_of_other_programs() {
        for (algorithm, want) in [
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Crc64nvme, "rosUhgp5mIg="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
            (
                Algorithm::Sha512,
                "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==",
            ),
            (Algorithm::Md5, "JfnnlDI7RTiF9RgfG2JNCw=="),
            (Algorithm::Xxhash64, "jLhB20DmroM="),
        ] {
            assert_eq!(sum(algorithm, b"123456789"), want, "{algorithm:?}");
            assert_eq!(STANDARD.decode(want).map(|bytes| bytes.len()).ok(), Some(algorithm.length()));
        }
        for (algorithm, want) in [
            (Algorithm::Xxhash3, "2d06800538d394c2"),
            (Algorithm::Xxhash128, "99aa06d3014798d86001c324468d497f"),
        ] {
            let of_nothing = STANDARD.decode(sum(algorithm, b"")).unwrap_or_default();
            assert_eq!(hex::encode(of_nothing), want, "{algorithm:?}");
        }
    }

    #[test]
    fn sums_of_parts_become_those_of_the_whole() {
        let content: Vec<u8> =
            (0..20_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let parts: Vec<&[u8]> = content.chunks(3_001).collect();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64nvme] {
            let sums: Vec<String> = parts.iter().map(|part| sum(algorithm, part)).collect();
            let known = || sums.iter().map(Some).zip(parts.iter().map(|part| part.len() as u64));
            let full = Plan { algorithm, sum_type: SumType::FullObject };
            assert_eq!(full.combine(known()), Some(sum(algorithm, &content)), "{algorithm:?}");
            assert_eq!(full.combine(std::iter::once((None, 1))), None);
        }
        let sums: Vec<String> = parts.iter().map(|part| sum(Algorithm::Sha256, part)).collect();
        let composite = Plan { algorithm: Algorithm::Sha256, sum_type: SumType::Composite };
        let joined: Vec<u8> = sums.iter().flat_map(|sum| STANDARD.decode(sum).unwrap_or_default()).collect();
        assert_eq!(
            composite.combine(sums.iter().map(|sum| (Some(sum), 0))),
            Some(format!("{}-7", sum(Algorithm::Sha256, &joined)))
        );
    }

    #[test]
    fn plans_are_what_s3_allows() {
        let full = SumType::FullObject;
        let composite = SumType::Composite;
        for (algorithm, sum_type, want) in [
            (None, None, Some(None)),
            (None, Some("COMPOSITE"), None),
            (Some("CRC64NVME"), None, Some(Some((Algorithm::Crc64nvme, full)))),
            (Some("CRC64NVME"), Some("COMPOSITE"), None),
            (Some("CRC32"), None, Some(Some((Algorithm::Crc32, composite)))),
            (Some("crc32"), Some("FULL_OBJECT"), Some(Some((Algorithm::Crc32, full)))),
            (Some("SHA256"), None, Some(Some((Algorithm::Sha256, composite)))),
            (Some("SHA256"), Some("FULL_OBJECT"), None),
            (Some("XXHASH3"), None, Some(Some((Algorithm::Xxhash3, composite)))),
            (Some("CRC16"), None, None),
            (Some("CRC32"), Some("HALF"), None),
        ] {
            let got = Plan::of(algorithm, sum_type).ok();
            let got = got.map(|plan| plan.map(|plan| (plan.algorithm, plan.sum_type)));
            assert_eq!(got, want, "{algorithm:?} {sum_type:?}");
        }
    }
}
