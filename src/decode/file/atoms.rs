//! The boxes of ISO base media files, as plain bytes: finding one in another
//! and reading a number out of it. Pure; what they mean is said elsewhere.
//! Source: ISO 14496-12 section 4.2.

/// The contents of the boxes in `bytes`, by type. Ends at the first header
/// that is broken or leads out of `bytes`.
pub fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (name, header, size) = box_header(bytes)?;
        let size = size.map_or(Some(bytes.len()), |size| usize::try_from(size).ok())?;
        let content = bytes.get(usize::try_from(header).ok()?..size)?;
        bytes = &bytes[size..];
        Some((name, content))
    })
}

/// Type, header length and whole length of the box that `bytes` begin with.
/// No whole length means "to the end".
pub fn box_header(bytes: &[u8]) -> Option<([u8; 4], u64, Option<u64>)> {
    let name = field(bytes, 4)?;
    let (header, size) = match number(bytes, 0)? {
        0 => return Some((name, 8, None)),
        1 => (16, long(bytes, 8)?),
        size => (8, u64::from(size)),
    };
    (size >= header).then_some((name, header, Some(size)))
}

/// The contents of the first box of that type.
pub fn child<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find_map(|(found, content)| (found == *name).then_some(content))
}

/// The contents of a box inside boxes, outermost first.
pub fn path<'a>(bytes: &'a [u8], names: &[&[u8; 4]]) -> Option<&'a [u8]> {
    names
        .iter()
        .try_fold(bytes, |bytes, name| child(bytes, name))
}

/// The bytes at offset `at`, if they are all there.
pub fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// A big-endian 32-bit number at offset `at`.
pub fn number(bytes: &[u8], at: usize) -> Option<u32> {
    field(bytes, at).map(u32::from_be_bytes)
}

/// A big-endian 64-bit number at offset `at`.
pub fn long(bytes: &[u8], at: usize) -> Option<u64> {
    field(bytes, at).map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_states_a_short_a_long_or_no_size() {
        let long = b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0";
        assert_eq!(
            box_header(b"\0\0\0\x10free...."),
            Some((*b"free", 8, Some(16)))
        );
        assert_eq!(box_header(long), Some((*b"mdat", 16, Some(1 << 32))));
        assert_eq!(box_header(b"\0\0\0\0mdat"), Some((*b"mdat", 8, None)));
        for broken in [&b"\0\0\0\x07free"[..], &long[..15], b"\0\0\0"] {
            assert_eq!(box_header(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_box_is_found_by_its_path_and_one_that_leads_out_is_not() {
        let bytes = b"\0\0\0\x08free\0\0\0\x13moov\0\0\0\x0Bmvhdabc";
        assert_eq!(path(bytes, &[b"moov", b"mvhd"]), Some(&b"abc"[..]));
        assert_eq!(path(&bytes[..26], &[b"moov", b"mvhd"]), None);
        assert_eq!(child(bytes, b"mvhd"), None);
    }
}
