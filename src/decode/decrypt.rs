//! Encrypted resources (AES-128 in CBC mode, RFC 8216 section 4.3.2.4) read as
//! clear ones, while they are still arriving. What decrypts to no media is
//! refused before a byte of it is decoded.

mod proof;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use aes::Aes128;
use aes::cipher::{Array, BlockModeDecrypt, InnerIvInit, KeyInit};
use cbc::Decryptor;

use self::proof::Proof;
use crate::error::{Kind, Problem};
use crate::media::{Cipher, Source};

const BLOCK: usize = 16;
const SMALL: usize = 4 * BLOCK; // reads below this are served from a buffer of ours

/// What a resource is called in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A media segment.
    Segment,
    /// Its initialisation section.
    Init,
}

/// `source` in the clear: itself when there is no cipher. Waits for the first
/// bytes of an encrypted one, and leaves it at its beginning.
///
/// # Errors
///
/// [`Kind::Encryption`] when it decrypts to nothing that begins as media do; the
/// source's own problem.
pub fn open(
    source: Box<dyn Source>,
    cipher: Option<Cipher>,
    part: Part,
) -> Result<Box<dyn Source>, Problem> {
    let Some(cipher) = cipher else {
        return Ok(source);
    };
    let mut clear = Decrypting::new(source, &cipher, part);
    let complaint = clear.complaint.clone();
    let broken =
        |error| Problem::from_io(error, Kind::NoData, "cannot read the segment", "try again");
    match is_media(&mut clear).map_err(broken)? {
        true => Ok(Box::new(clear)),
        false => Err(complaint),
    }
}

/// Looks at no more of `clear` than it takes to tell, and goes back.
fn is_media(clear: &mut Decrypting) -> io::Result<bool> {
    let mut head = Vec::new();
    let mut is_end = false;
    loop {
        let wanted = match proof::judge(&head, is_end) {
            Proof::Media => break,
            Proof::Noise => return Ok(false),
            Proof::Unsure(wanted) => wanted,
        };
        let here = head.len();
        let missing = wanted.saturating_sub(here) as u64;
        clear.take(missing).read_to_end(&mut head)?;
        is_end = ((head.len() - here) as u64) < missing;
    }
    clear.rewind()?;
    Ok(true)
}

/// An encrypted source as a clear one. It is decrypted in the buffer of whoever
/// reads; its PKCS#7 padding is never seen.
pub struct Decrypting {
    source: Box<dyn Source>,
    aes: Aes128,
    iv: [u8; BLOCK],
    /// The block of ciphertext before the next to decrypt.
    chain: [u8; BLOCK],
    /// The chain is still to be read from the source, after a seek.
    is_apart: bool,
    /// Ciphertext read and not decrypted. A whole block is held back too: it
    /// may be the last, with the padding.
    held: [u8; BLOCK],
    held_bytes: usize,
    /// Clear bytes that a small read left over.
    rest: [u8; SMALL],
    rest_range: Range<usize>,
    /// Clear bytes between the beginning of a block and the target of a seek.
    skip: usize,
    /// Offset in the source of the next ciphertext.
    wire_position: u64,
    position: u64,
    /// Known once the padding was seen: nothing else tells it to the byte.
    length: Option<u64>,
    complaint: Problem,
}

impl Decrypting {
    /// Around `source`, which must stand at its beginning.
    pub fn new(source: Box<dyn Source>, cipher: &Cipher, part: Part) -> Self {
        Self {
            source,
            aes: Aes128::new(&cipher.key.into()),
            iv: cipher.iv,
            chain: cipher.iv,
            is_apart: false,
            held: [0; BLOCK],
            held_bytes: 0,
            rest: [0; SMALL],
            rest_range: 0..0,
            skip: 0,
            wire_position: 0,
            position: 0,
            length: None,
            complaint: complaint(&cipher.key_name, part),
        }
    }

    /// Reads ciphertext into `clear`, which has room for [`SMALL`] bytes, and
    /// decrypts it there. Returns how much is clear; 0 at the end.
    fn pull(&mut self, clear: &mut [u8]) -> io::Result<usize> {
        if self.is_apart && !self.rejoin()? {
            return Ok(0);
        }
        loop {
            let held = self.held_bytes;
            clear[..held].copy_from_slice(&self.held[..held]);
            let came = self.source.read(&mut clear[held..])?;
            if came == 0 {
                return self.last(clear);
            }
            self.wire_position += came as u64;
            let here = held + came;
            let whole = (here - 1) / BLOCK * BLOCK;
            self.held_bytes = here - whole;
            self.held[..self.held_bytes].copy_from_slice(&clear[whole..here]);
            self.decrypt(&mut clear[..whole]);
            let count = self.drop_skipped(clear, whole);
            if count > 0 {
                return Ok(count);
            }
        }
    }

    /// Reads the block before the one that a seek led to; `false` when the
    /// source ends before.
    fn rejoin(&mut self) -> io::Result<bool> {
        while self.held_bytes < BLOCK {
            match self.source.read(&mut self.held[self.held_bytes..])? {
                0 if self.held_bytes == 0 => return Ok(false),
                0 => return Err(self.complaint.clone().into()),
                came => {
                    self.held_bytes += came;
                    self.wire_position += came as u64;
                }
            }
        }
        (self.chain, self.held_bytes, self.is_apart) = (self.held, 0, false);
        Ok(true)
    }

    /// The source is at its end: what is held must be the padded block.
    fn last(&mut self, clear: &mut [u8]) -> io::Result<usize> {
        if self.held_bytes == 0 {
            return Ok(0); // the end was seen before, or there is nothing at all
        }
        let chain = self.chain;
        let mut block = self.held;
        if self.held_bytes == BLOCK {
            self.decrypt(&mut block);
        }
        let padding = usize::from(block[BLOCK - 1]);
        let is_padded = (1..=BLOCK).contains(&padding)
            && block[BLOCK - padding..]
                .iter()
                .all(|&byte| usize::from(byte) == padding);
        if self.held_bytes < BLOCK || !is_padded {
            self.chain = chain; // asked again, the answer is the same
            return Err(self.complaint.clone().into());
        }
        self.held_bytes = 0;
        self.length = Some(self.wire_position - padding as u64);
        clear[..BLOCK].copy_from_slice(&block);
        Ok(self.drop_skipped(clear, BLOCK - padding))
    }

    /// Decrypts whole blocks in place.
    fn decrypt(&mut self, bytes: &mut [u8]) {
        let Some(&last) = bytes.last_chunk::<BLOCK>() else {
            return;
        };
        let (blocks, _) = Array::slice_as_chunks_mut(bytes);
        Decryptor::inner_iv_init(&self.aes, &self.chain.into()).decrypt_blocks(blocks);
        self.chain = last;
    }

    /// What is left of `count` clear bytes when those before the target of a
    /// seek are gone.
    fn drop_skipped(&mut self, clear: &mut [u8], count: usize) -> usize {
        let skip = self.skip.min(count);
        self.skip -= skip;
        clear.copy_within(skip..count, 0);
        count - skip
    }

    /// Where a seek leads to, from the start.
    fn target(&self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self
                .length
                .ok_or_else(|| io::Error::other("the end of an encrypted source is not known yet"))?
                .checked_add_signed(by),
        };
        target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))
    }
}

impl Read for Decrypting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = if !self.rest_range.is_empty() || buffer.len() < SMALL {
            if self.rest_range.is_empty() {
                let mut small = [0; SMALL];
                self.rest_range = 0..self.pull(&mut small)?;
                self.rest = small;
            }
            let rest = &self.rest[self.rest_range.clone()];
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.rest_range.start += count;
            count
        } else {
            self.pull(buffer)?
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Decrypting {
    /// Any block can be decrypted when the ciphertext before it is known, so a
    /// seek reads 16 bytes more than it skips, and waits for none.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = self.target(to)?;
        if target == self.position {
            return Ok(target);
        }
        let block = target - target % BLOCK as u64;
        let front = block.saturating_sub(BLOCK as u64);
        self.source.seek(SeekFrom::Start(front))?;
        self.wire_position = front;
        self.is_apart = block > 0;
        self.chain = self.iv;
        self.held_bytes = 0;
        self.rest_range = 0..0;
        self.skip = usize::try_from(target - block).unwrap_or(0);
        self.position = target;
        Ok(target)
    }
}

impl Source for Decrypting {
    fn length(&self) -> Option<u64> {
        self.length
    }

    /// Only once the end is known: else a jump behind it would not be noticed.
    fn is_seekable(&self) -> bool {
        self.length.is_some() && self.source.is_seekable()
    }
}

/// One message for all that can be seen of a wrong key and of damage, because
/// they look the same.
fn complaint(key_name: &str, part: Part) -> Problem {
    let (what, it) = match part {
        Part::Segment => ("it", "the segment"),
        Part::Init => ("its init section", "the section"),
    };
    let why =
        format!("{what} does not decrypt with {key_name}: the key is wrong or {it} is damaged");
    let todo = "tell the publisher of the stream";
    Problem::new(Kind::Encryption, "cannot decrypt the stream", why, todo)
}
