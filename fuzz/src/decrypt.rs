//! Encrypted sources: noise is refused, what was encrypted comes back, and no
//! damage makes more bytes than there were.

use std::io::{Read, Seek, SeekFrom};

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use kithara::decode::decrypt::{self, Part};
use kithara::error::{Kind, Problem};
use kithara::media::{Cipher, Source};

use super::source::{self, Drip};

const BLOCK: usize = 16;

/// `bytes` as they come, and as clear media that are encrypted with one byte
/// damaged: the first three say which and how.
pub fn check(bytes: &[u8]) {
    check_wire(bytes);
    let Some((&[high, low, damage], clear)) = bytes.split_first_chunk() else {
        return;
    };
    let mut wire = encrypted(clear);
    if damage == 0 {
        return check_clear(clear, &wire);
    }
    let at = usize::from(u16::from_be_bytes([high, low])) % wire.len();
    wire[at] ^= damage;
    check_wire(&wire);
    wire.truncate(at);
    check_wire(&wire);
}

/// Nothing is known of these bytes.
fn check_wire(wire: &[u8]) {
    let step = source::step(wire);
    let whole = read(wire, usize::MAX, 4096);
    assert_eq!(whole, read(wire, step, 4096), "in steps of {step}");
    assert_eq!(whole, read(wire, usize::MAX, step), "by buffers of {step}");
    match whole {
        Ok(clear) => assert!(clear.len() < wire.len(), "the padding is left out"),
        Err(problem) => assert_eq!(problem.kind, Kind::Encryption, "{problem}"),
    }
}

/// These are known to be `clear`, which need not be media.
fn check_clear(clear: &[u8], wire: &[u8]) {
    let Ok(mut source) = open(wire, usize::MAX) else {
        return; // by what it begins with
    };
    let mut found = Vec::new();
    source.read_to_end(&mut found).expect("all of it is here");
    assert!(found == clear, "other bytes came back");
    assert_eq!(source.length(), Some(clear.len() as u64));
    for place in [clear.len() / 3, 0, clear.len() / 2 + 1, clear.len()] {
        source
            .seek(SeekFrom::Start(place as u64))
            .expect("a place in it");
        found.clear();
        source.read_to_end(&mut found).expect("all of it is here");
        assert!(
            found == clear.get(place..).unwrap_or_default(),
            "from {place} on"
        );
    }
}

/// All clear bytes, read into buffers of `buffer` bytes.
fn read(wire: &[u8], step: usize, buffer: usize) -> Result<Vec<u8>, Problem> {
    let mut source = open(wire, step)?;
    let mut clear = Vec::new();
    let mut piece = vec![0; buffer];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(clear),
            Ok(count) => clear.extend_from_slice(&piece[..count]),
            Err(error) => return Err(Problem::inside(&error).expect("a problem").clone()),
        }
    }
}

fn open(wire: &[u8], step: usize) -> Result<Box<dyn Source>, Problem> {
    let cipher = Cipher {
        key: KEY,
        iv: IV,
        key_name: "the key".to_owned(),
    };
    decrypt::open(Drip::new(wire, step), Some(cipher), Part::Segment)
}

const KEY: [u8; BLOCK] = *b"sixteen bytes it";
const IV: [u8; BLOCK] = [7; BLOCK];

fn encrypted(clear: &[u8]) -> Vec<u8> {
    let mut bytes = clear.to_vec();
    bytes.resize(clear.len() / BLOCK * BLOCK + BLOCK, 0);
    let encryptor = cbc::Encryptor::<Aes128>::new(&KEY.into(), &IV.into());
    let padded = encryptor.encrypt_padded::<Pkcs7>(&mut bytes, clear.len());
    padded.expect("there is room for the padding");
    bytes
}
