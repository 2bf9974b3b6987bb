//! Decryption of files that open without a password: the standard security handler of
//! ISO 32000-2, 7.6, with the empty user password.

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes256};
use md5::{Digest as _, Md5};
use sha2::{Sha256, Sha384, Sha512};

use crate::document::pdf::object::Object;
use crate::source::{Parse, Stop};

/// What stands in for a password's missing letters.
const PAD: [u8; 32] = [
    0x28, 0xbf, 0x4e, 0x5e, 0x4e, 0x75, 0x8a, 0x41, 0x64, 0x00, 0x4e, 0x56, 0xff, 0xfa, 0x01, 0x08, 0x2e,
    0x2e, 0x00, 0xb6, 0xd0, 0x68, 0x3e, 0x80, 0x2f, 0x0c, 0xa9, 0xfe, 0x64, 0x53, 0x69, 0x7a,
];
const BAD: Stop = Stop::Malformed("damaged encryption dictionary");
const LOCKED: Stop = Stop::Unsupported("encrypted with a password");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cipher {
    Plain,
    Rc4,
    /// AES with 128 bits, and with 256.
    Aes128,
    Aes256,
}

/// The key of a file, and what it is used with.
pub struct Crypt {
    key: Vec<u8>,
    texts: Cipher,
    streams: Cipher,
    metadata: bool,
}

impl Crypt {
    /// The key of a file that opens without a password; None where it needs one, or is
    /// encrypted in another way.
    pub fn with_empty_password(encrypt: &Object, id: &[u8]) -> Option<Crypt> {
        Crypt::open(encrypt, id).ok()
    }

    /// Makes the key of the empty password from the dictionary and the file's identifier.
    pub(super) fn open(encrypt: &Object, id: &[u8]) -> Parse<Crypt> {
        if encrypt.name(b"Filter").is_some_and(|f| f != b"Standard") {
            return Err(Stop::Unsupported("encrypted by another security handler"));
        }
        let number = |name: &[u8]| encrypt.get(name).and_then(Object::number);
        let (version, revision) = (number(b"V").unwrap_or(0.0) as u32, number(b"R").unwrap_or(0.0) as u32);
        let metadata = number(b"EncryptMetadata").is_none_or(|b| b != 0.0);
        let text = |name: &[u8]| encrypt.get(name).and_then(Object::text).ok_or(BAD);
        let filter = |name: &[u8]| {
            let filter = encrypt.name(name).unwrap_or(b"Identity");
            let method = encrypt.get(b"CF").and_then(|c| c.get(filter)).and_then(|f| f.name(b"CFM"));
            match method {
                Some(b"V2") => Cipher::Rc4,
                Some(b"AESV2") => Cipher::Aes128,
                Some(b"AESV3") => Cipher::Aes256,
                _ => Cipher::Plain,
            }
        };
        let (texts, streams) = match version {
            1 | 2 => (Cipher::Rc4, Cipher::Rc4),
            4 | 5 => (filter(b"StrF"), filter(b"StmF")),
            _ => return Err(Stop::Unsupported("encrypted in a way that is not read")),
        };
        let user = text(b"U")?;
        let key = if version == 5 {
            long_key(revision, user, text(b"UE")?)?
        } else {
            let bits = number(b"Length").filter(|n| (40.0..=128.0).contains(n)).unwrap_or(40.0);
            let len = match version {
                1 => 5,
                4 => 16,
                _ => (bits / 8.0) as usize,
            };
            let permissions = (number(b"P").unwrap_or(0.0) as i64 as u32).to_le_bytes();
            let owner = text(b"O")?;
            let mut hash = Md5::new();
            hash.update(PAD);
            hash.update(owner.get(..32).ok_or(BAD)?);
            hash.update(permissions);
            hash.update(id);
            if revision >= 4 && !metadata {
                hash.update([0xff; 4]);
            }
            let mut key = hash.finalize().to_vec();
            if revision >= 3 {
                for _ in 0..50 {
                    key = Md5::digest(key.get(..len).unwrap_or_default()).to_vec();
                }
            }
            key.truncate(len);
            if !short_key_fits(&key, revision, user, id) {
                return Err(LOCKED);
            }
            key
        };
        Ok(Crypt { key, texts, streams, metadata })
    }

    /// Decrypts the texts of an object in place.
    pub fn texts(&self, id: u32, generation: u16, object: &mut Object) {
        match object {
            Object::Text(text) => *text = self.decrypted(self.texts, id, generation, text),
            Object::Array(items) => items.iter_mut().for_each(|item| self.texts(id, generation, item)),
            Object::Dict(entries) => {
                entries.iter_mut().for_each(|(_, item)| self.texts(id, generation, item))
            }
            _ => {}
        }
    }

    /// A stream's content; None where it is not encrypted.
    pub fn stream(&self, id: u32, generation: u16, dict: &Object, raw: &[u8]) -> Option<Vec<u8>> {
        let plain = dict.name(b"Type") == Some(b"Metadata") && !self.metadata;
        // A filter of its own names no cipher in nearly all files that have one.
        let own = match dict.get(b"Filter") {
            Some(Object::Name(name)) => name == b"Crypt",
            Some(Object::Array(names)) => names.first() == Some(&Object::Name(b"Crypt".to_vec())),
            _ => false,
        };
        let cipher = if plain || own { Cipher::Plain } else { self.streams };
        (cipher != Cipher::Plain).then(|| self.decrypted(cipher, id, generation, raw))
    }

    fn decrypted(&self, cipher: Cipher, id: u32, generation: u16, raw: &[u8]) -> Vec<u8> {
        let own = || {
            let mut hash = Md5::new();
            hash.update(&self.key);
            hash.update(id.to_le_bytes().get(..3).unwrap_or_default());
            hash.update(generation.to_le_bytes());
            if cipher == Cipher::Aes128 {
                hash.update(b"sAlT");
            }
            let mut key = hash.finalize().to_vec();
            key.truncate((self.key.len() + 5).min(16));
            key
        };
        match cipher {
            Cipher::Plain => raw.to_vec(),
            Cipher::Rc4 => rc4(&own(), raw),
            Cipher::Aes128 => unchained(&own(), raw),
            Cipher::Aes256 => unchained(&self.key, raw),
        }
    }
}

/// Whether the key of up to 128 bits is the one that the file was encrypted with.
fn short_key_fits(key: &[u8], revision: u32, user: &[u8], id: &[u8]) -> bool {
    if revision < 3 {
        return user.get(..32) == Some(rc4(key, &PAD).as_slice());
    }
    let mut hash = Md5::new();
    hash.update(PAD);
    hash.update(id);
    let mut value = hash.finalize().to_vec();
    for round in 0..20u8 {
        let turned: Vec<u8> = key.iter().map(|b| b ^ round).collect();
        value = rc4(&turned, &value);
    }
    user.get(..16) == Some(value.as_slice())
}

/// The key of 256 bits: hash, salt that proves it, salt of the key.
fn long_key(revision: u32, user: &[u8], packed: &[u8]) -> Parse<Vec<u8>> {
    let (hash, proof, salt) = match (user.get(..32), user.get(32..40), user.get(40..48)) {
        (Some(hash), Some(proof), Some(salt)) => (hash, proof, salt),
        _ => return Err(BAD),
    };
    let hashed = |salt: &[u8]| if revision >= 6 { strong_hash(salt) } else { Sha256::digest(salt).to_vec() };
    if hashed(proof) != hash {
        return Err(LOCKED);
    }
    let packed = packed.get(..32).ok_or(BAD)?;
    Ok(chained_back(&hashed(salt), &[0; 16], packed))
}

/// Algorithm 2.B for the empty password.
fn strong_hash(salt: &[u8]) -> Vec<u8> {
    let mut key = Sha256::digest(salt).to_vec();
    // It ends after 64 rounds and, by chance, a few more.
    for round in 1..=1024u32 {
        let (Some(cipher), Some(start)) = (key.get(..16), key.get(16..32)) else { break };
        let block = chained(cipher, start, &key.repeat(64));
        let sum: u32 = block.iter().take(16).map(|b| u32::from(*b)).sum();
        key = match sum % 3 {
            0 => Sha256::digest(&block).to_vec(),
            1 => Sha384::digest(&block).to_vec(),
            _ => Sha512::digest(&block).to_vec(),
        };
        if round >= 64 && block.last().is_some_and(|last| u32::from(*last) <= round - 32) {
            break;
        }
    }
    key.truncate(32);
    key
}

fn rc4(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|i| i as u8);
    let at = |state: &[u8; 256], i: u8| state.get(usize::from(i)).copied().unwrap_or(0);
    let mut j = 0u8;
    if key.is_empty() {
        return data.to_vec();
    }
    for (i, k) in (0..=255u8).zip(key.iter().cycle()) {
        j = j.wrapping_add(at(&state, i)).wrapping_add(*k);
        state.swap(usize::from(i), usize::from(j));
    }
    let (mut i, mut j) = (0u8, 0u8);
    data.iter()
        .map(|b| {
            i = i.wrapping_add(1);
            j = j.wrapping_add(at(&state, i));
            state.swap(usize::from(i), usize::from(j));
            b ^ at(&state, at(&state, i).wrapping_add(at(&state, j)))
        })
        .collect()
}

/// AES in CBC mode, the other way, with a key of 128 or 256 bits.
fn chained_back(key: &[u8], start: &[u8; 16], data: &[u8]) -> Vec<u8> {
    enum Key {
        Short(Box<Aes128>),
        Long(Box<Aes256>),
    }
    let cipher = match (Aes128::new_from_slice(key), Aes256::new_from_slice(key)) {
        (Ok(cipher), _) => Key::Short(Box::new(cipher)),
        (_, Ok(cipher)) => Key::Long(Box::new(cipher)),
        _ => return Vec::new(),
    };
    let mut out = Vec::with_capacity(data.len());
    let mut before = *start;
    for chunk in data.chunks_exact(16) {
        let mut block = GenericArray::clone_from_slice(chunk);
        match &cipher {
            Key::Short(cipher) => cipher.decrypt_block(&mut block),
            Key::Long(cipher) => cipher.decrypt_block(&mut block),
        }
        out.extend(block.iter().zip(before).map(|(b, before)| b ^ before));
        before.copy_from_slice(chunk);
    }
    out
}

/// AES-128 in CBC mode.
fn chained(key: &[u8], start: &[u8], data: &[u8]) -> Vec<u8> {
    let Ok(cipher) = Aes128::new_from_slice(key) else { return Vec::new() };
    let mut before = start.to_vec();
    let mut out = Vec::with_capacity(data.len());
    for chunk in data.chunks_exact(16) {
        let mixed: [u8; 16] =
            std::array::from_fn(|i| chunk.get(i).copied().unwrap_or(0) ^ before.get(i).copied().unwrap_or(0));
        let mut block = GenericArray::from(mixed);
        cipher.encrypt_block(&mut block);
        out.extend_from_slice(&block);
        before = block.to_vec();
    }
    out
}

/// Content whose first block is the start of the chain, and whose last bytes say how many
/// of them are padding.
fn unchained(key: &[u8], raw: &[u8]) -> Vec<u8> {
    let Some((start, data)) = raw.split_first_chunk::<16>() else { return Vec::new() };
    let mut out = chained_back(key, start, data);
    if let Some(pad) = out.last().copied().map(usize::from).filter(|n| (1..=16).contains(n)) {
        out.truncate(out.len().saturating_sub(pad));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers() {
        // RFC 6229 and FIPS 197.
        assert_eq!(rc4(&[1, 2, 3, 4, 5], &[0; 4]), [0xb2, 0x39, 0x63, 0x05]);
        let key: Vec<u8> = (0..16).collect();
        let plain: Vec<u8> = (0..16).map(|i| i * 0x11).collect();
        let packed = chained(&key, &[0; 16], &plain);
        assert_eq!(packed.get(..4), Some(&[0x69, 0xc4, 0xe0, 0xd8][..]));
        assert_eq!(chained_back(&key, &[0; 16], &packed), plain);
        assert_eq!(unchained(&key, b"short"), b"");
    }

    #[test]
    fn a_damaged_dictionary_is_no_panic() {
        let open = |encrypt: &[u8]| {
            let encrypt = crate::document::pdf::object::Lexer::new(encrypt).object().unwrap();
            Crypt::open(&encrypt, b"").err()
        };
        assert_eq!(open(b"<< /V 2 /R 3 >> "), Some(BAD));
        assert_eq!(open(b"<< /V 5 /R 6 /U (x) /UE (y) >> "), Some(BAD));
        assert_eq!(open(b"<< /V 9 >> ").map(|s| matches!(s, Stop::Unsupported(_))), Some(true));
        let user = "A".repeat(48);
        assert_eq!(open(format!("<< /V 5 /R 6 /U ({user}) /UE ({user}) >> ").as_bytes()), Some(LOCKED));
        assert_eq!(open(format!("<< /V 2 /R 3 /U ({user}) /O ({user}) >> ").as_bytes()), Some(LOCKED));
    }
}
