//! ISO base media boxes (ISO/IEC 14496-12 section 4.2): the header of a box, and
//! a checked big-endian reader over the payload of one. Knows no box by name.

use crate::error::{Kind, Problem};
use crate::text;

/// Bytes of the shortest header: size and type.
pub const HEADER_BYTES: usize = 8;
/// Bytes of a header with a 64-bit size.
pub const LONG_HEADER_BYTES: usize = 16;

/// The header of one box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type: `moof`, `mdat`.
    pub kind: [u8; 4],
    /// Bytes of the header itself.
    pub length: usize,
    /// Bytes of the payload; `None` when the box reaches to the end of the file.
    pub payload: Option<u64>,
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` when it is cut off.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`] when the box says it is smaller than its header.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, Problem> {
        let Some((&short, rest)) = bytes.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let Some((&kind, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let (length, size) = match u32::from_be_bytes(short) {
            0 => (HEADER_BYTES, None),
            1 => match rest.first_chunk::<8>() {
                Some(&long) => (LONG_HEADER_BYTES, Some(u64::from_be_bytes(long))),
                None => return Ok(None),
            },
            size => (HEADER_BYTES, Some(u64::from(size))),
        };
        let payload = match size.map(|size| size.checked_sub(length as u64)) {
            Some(None) => return Err(malformed(kind, "is smaller than its header")),
            Some(payload) => payload,
            None => None,
        };
        Ok(Some(Self {
            kind,
            length,
            payload,
        }))
    }
}

/// The payload of one box, read from the front.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    kind: [u8; 4],
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The payload of a box of type `kind`.
    pub fn new(kind: [u8; 4], payload: &'a [u8]) -> Self {
        Self {
            kind,
            rest: payload,
        }
    }

    /// The type of the box.
    pub fn kind(&self) -> &[u8; 4] {
        &self.kind
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.broken("is cut off"));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Passes over `count` bytes.
    pub fn skip(&mut self, count: usize) -> Result<(), Problem> {
        self.bytes(count).map(|_| ())
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, Problem> {
        Ok(self.array::<1>()?[0])
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Result<u16, Problem> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Result<u32, Problem> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// The next four bytes, signed.
    pub fn i32(&mut self) -> Result<i32, Problem> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Result<u64, Problem> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// The next four bytes, or eight when `wide`: how a version 1 box grows its fields.
    pub fn u32_or_u64(&mut self, wide: bool) -> Result<u64, Problem> {
        if wide {
            self.u64()
        } else {
            self.u32().map(u64::from)
        }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let Some((&taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.broken("is cut off"));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Version and flags, the first word of a full box.
    pub fn version_and_flags(&mut self) -> Result<(u8, u32), Problem> {
        let [version, flags @ ..] = self.array::<4>()?;
        let [high, middle, low] = flags;
        Ok((version, u32::from_be_bytes([0, high, middle, low])))
    }

    /// The next box inside this one; `None` at the end. Less than a header at
    /// the end is padding, as QuickTime writes it.
    pub fn next_box(&mut self) -> Result<Option<Fields<'a>>, Problem> {
        if self.rest.len() < HEADER_BYTES {
            return Ok(None);
        }
        let header = Header::read(self.rest)?.ok_or_else(|| self.broken("is cut off"))?;
        self.skip(header.length)?;
        let payload = match header.payload.map(usize::try_from) {
            None => self.rest.len(),
            Some(Ok(payload)) => payload,
            Some(Err(_)) => usize::MAX,
        };
        let payload = self.bytes(payload)?;
        Ok(Some(Fields::new(header.kind, payload)))
    }

    /// The first box of type `kind` inside this one.
    pub fn find(&self, kind: &[u8; 4]) -> Result<Option<Fields<'a>>, Problem> {
        let mut children = *self;
        while let Some(child) = children.next_box()? {
            if child.kind == *kind {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// The first box of type `kind` inside this one, which must be there.
    pub fn require(&self, kind: &[u8; 4]) -> Result<Fields<'a>, Problem> {
        let missing = || self.broken(&format!("has no \"{}\"", name(*kind)));
        self.find(kind)?.ok_or_else(missing)
    }

    /// A problem with this box.
    pub fn broken(&self, why: &str) -> Problem {
        malformed(self.kind, why)
    }
}

/// A box type for people.
pub fn name(kind: [u8; 4]) -> String {
    let letters: String = kind.into_iter().map(char::from).collect();
    text::safe(&letters)
}

/// A problem with a box of type `kind`: `is cut off`.
pub fn malformed(kind: [u8; 4], why: &str) -> Problem {
    broken(format!("the box \"{}\" {why}", name(kind)))
}

/// A problem with the stream as a whole.
pub fn broken(why: impl Into<String>) -> Problem {
    Problem::new(
        Kind::Malformed,
        "cannot read the MP4 stream",
        why,
        "try another variant or source",
    )
}

/// A box of type `kind` is larger than we read.
pub fn too_large(kind: [u8; 4]) -> Problem {
    let why = format!("the box \"{}\" is larger than any real one", name(kind));
    Problem::new(
        Kind::Limit,
        "cannot read the MP4 stream",
        why,
        "try another source",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_a_short_a_long_or_no_size() {
        let long = [&[0, 0, 0, 1], &b"mdat"[..], &[0, 0, 0, 2, 0, 0, 0, 16]].concat();
        let cases: [(&[u8], usize, Option<u64>); 4] = [
            (b"\0\0\0\x0cfree", 8, Some(4)),
            (b"\0\0\0\x08free", 8, Some(0)),
            (b"\0\0\0\0mdat", 8, None),
            (&long, 16, Some(0x2_0000_0000)),
        ];
        for (bytes, length, payload) in cases {
            let header = Header::read(bytes).expect("sound").expect("whole");
            assert_eq!(
                (header.length, header.payload),
                (length, payload),
                "{bytes:?}"
            );
        }
        for cut in [&long[..15], b"\0\0\0\x0cfre", b""] {
            assert_eq!(Header::read(cut), Ok(None), "{cut:?}");
        }
    }

    #[test]
    fn a_box_smaller_than_its_header_is_refused() {
        for bytes in [&b"\0\0\0\x07free"[..], b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f"] {
            let problem = Header::read(bytes).expect_err("too small");
            assert_eq!(problem.why, "the box \"free\" is smaller than its header");
        }
    }

    #[test]
    fn a_child_that_reaches_out_of_its_parent_is_refused() {
        for child in [
            &b"\0\0\0\x11trak12345678"[..],
            b"\0\0\0\x01trak\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            let mut parent = Fields::new(*b"moov", child);
            let problem = parent.next_box().expect_err("reaches out");
            assert_eq!(problem.why, "the box \"moov\" is cut off");
        }
    }

    #[test]
    fn a_box_type_cannot_move_the_cursor() {
        assert_eq!(name(*b"\x1b[2J"), "\\u{1b}[2J");
    }
}
