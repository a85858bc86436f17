//! The envelope around every stored payload.
//!
//! Payloads are opaque bytes to a store: a tool may answer anything, `\u0000` included, and no database may choke on
//! it. Layout: format (1 byte), codec (1 byte: 0 plain JSON), length of the key id (1 byte) and the key id (empty while
//! nothing is encrypted), the first 8 bytes of the payload's SHA-256, the payload.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// The newest format that this program reads.
pub const READS_FORMAT: u8 = 1;
/// The format that it writes, unless the store says otherwise.
pub const WRITES_FORMAT: u8 = 1;

const CODEC_JSON: u8 = 0;
const HASH: usize = 8;

/// Why a stored payload cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Written by a newer program.
    #[error("format {found} is newer than this program, which reads up to {READS_FORMAT}: upgrade it")]
    Newer {
        /// The payload's format.
        found: u8,
    },
    /// Written with a codec or key that this program does not have.
    #[error("codec {codec} with key `{key}` is unknown to this program")]
    Unknown {
        /// The payload's codec.
        codec: u8,
        /// Its key's id.
        key: String,
    },
    /// Bytes are missing or were changed.
    #[error("the payload is damaged: {0}")]
    Damaged(String),
}

/// A payload's header and its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Version of the entry's shape.
    pub format: u8,
    /// The body, checked against its hash.
    pub body: &'a [u8],
}

/// Wraps a value for storage.
pub fn seal<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![WRITES_FORMAT, CODEC_JSON, 0];
    bytes.extend_from_slice(&[0; HASH]);
    let start = bytes.len();
    // Writing to memory cannot fail, and none of our types has a map with keys that are no strings. Should one ever,
    // the empty body is refused by its reader as damaged.
    if serde_json::to_writer(&mut bytes, value).is_err() {
        bytes.truncate(start);
    }
    let hash = Sha256::digest(&bytes[start..]);
    bytes[start - HASH..start].copy_from_slice(&hash[..HASH]);
    bytes
}

impl<'a> Envelope<'a> {
    /// Reads and checks a header.
    pub fn read(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let damaged = |why: &str| EnvelopeError::Damaged(why.to_owned());
        let [format, codec, key_len, rest @ ..] = bytes else {
            return Err(damaged("it is shorter than its header"));
        };
        if *format > READS_FORMAT {
            return Err(EnvelopeError::Newer { found: *format });
        }
        if *format == 0 {
            return Err(damaged("format 0 was never written"));
        }
        let (key, rest) =
            rest.split_at_checked(usize::from(*key_len)).ok_or_else(|| damaged("its key id is cut off"))?;
        if *codec != CODEC_JSON || !key.is_empty() {
            return Err(EnvelopeError::Unknown {
                codec: *codec,
                key: String::from_utf8_lossy(key).into_owned(),
            });
        }
        let (hash, body) = rest.split_at_checked(HASH).ok_or_else(|| damaged("its hash is cut off"))?;
        if Sha256::digest(body)[..HASH] != *hash {
            return Err(damaged("its hash does not match"));
        }
        Ok(Self { format: *format, body })
    }
}

/// Reads a stored payload of this or any older format.
pub fn open<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EnvelopeError> {
    let envelope = Envelope::read(bytes)?;
    serde_json::from_slice(envelope.body).map_err(|e| EnvelopeError::Damaged(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_and_quotes_survive() {
        let text = "a\u{0}b\"\\ü".to_owned();
        assert_eq!(open::<String>(&seal(&text)), Ok(text));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let sealed = seal(&"payload");
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 0x55;
            assert!(open::<String>(&bad).is_err(), "byte {at}");
            assert!(open::<String>(&sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let mut sealed = seal(&"payload");
        sealed[0] = READS_FORMAT + 1;
        assert_eq!(open::<String>(&sealed), Err(EnvelopeError::Newer { found: READS_FORMAT + 1 }));
    }
}
