//! Keys that stand in the playlist itself: `data:` URIs (RFC 2397) with bytes
//! in percent notation or in base64 (RFC 4648). Pure functions.

/// The bytes of a `data:` URI: `None` when it is another URI,
/// `Some(None)` when it cannot be read.
pub fn bytes_of(uri: &str) -> Option<Option<Vec<u8>>> {
    let scheme = uri.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let read = |rest: &str| {
        let (kind, data) = rest.split_once(',')?;
        let bytes = percent_decoded(data)?;
        match kind.rsplit(';').next() {
            Some(last) if last.trim().eq_ignore_ascii_case("base64") => base64(&bytes),
            _ => Some(bytes),
        }
    };
    Some(read(&uri[5..]))
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high << 4 | low).ok()?
            }
            plain => plain,
        });
    }
    Some(bytes)
}

/// Both alphabets of RFC 4648; the padding may be missing.
pub fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.trim_ascii();
    let end = digits.iter().rposition(|&byte| byte != b'=')? + 1;
    if digits.len() - end > 2 || end % 4 == 1 {
        return None;
    }
    let (mut bytes, mut held, mut bits) = (Vec::with_capacity(end), 0_u32, 0);
    for &digit in &digits[..end] {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = held << 6 & 0x3FFF | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xFF).ok()?);
        }
    }
    Some(bytes)
}
