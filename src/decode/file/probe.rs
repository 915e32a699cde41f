//! What a file is, by its first bytes alone: never by its name or by what a
//! server says. Pure functions; the readers themselves are in `demux.rs`.

use crate::decode::mpeg;
use crate::error::{Kind, Problem};

/// How much of a file [`sniff`] wants to see; less is enough for short files.
pub const HEAD_BYTES: usize = 4 << 10;
/// How far an MPEG audio stream without tags is searched for its first frame.
pub const MPEG_SEARCH_BYTES: usize = 64 << 10;

/// The containers of whole files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// AIFF and AIFF-C.
    Aiff,
    /// Apple's Core Audio Format.
    Caf,
    /// FLAC without a container.
    Flac,
    /// Matroska and WebM.
    Matroska,
    /// ISO base media: MP4, M4A, MOV.
    Mp4,
    /// MPEG audio frames (MP3) without a container.
    Mpeg,
    /// Ogg.
    Ogg,
    /// RIFF WAVE.
    Wav,
}

impl Container {
    /// The name shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aiff => "AIFF",
            Self::Caf => "CAF",
            Self::Flac => "FLAC",
            Self::Matroska => "Matroska",
            Self::Mp4 => "MP4",
            Self::Mpeg => "MP3",
            Self::Ogg => "Ogg",
            Self::Wav => "WAV",
        }
    }
}

/// Names the container that begins with `head`, the first bytes of a file
/// behind any ID3v2 tag.
///
/// # Errors
///
/// `NotAStream` for web pages, text and everything unknown, `Unsupported` for
/// media that is known but not played.
pub fn sniff(head: &[u8]) -> Result<Container, Problem> {
    if let Some(container) = by_magic(head) {
        return Ok(container);
    }
    if let Some(name) = foreign(head) {
        return Err(unsupported(name));
    }
    if is_web_page(head) {
        return Err(not_a_stream("it is a web page (HTML)"));
    }
    match mpeg::first_frame(head) {
        Some(_) => Ok(Container::Mpeg),
        None => Err(not_a_stream("it is not audio that kithara knows")),
    }
}

fn by_magic(head: &[u8]) -> Option<Container> {
    let form = head.get(8..12).unwrap_or_default();
    match head.first_chunk()? {
        b"fLaC" => Some(Container::Flac),
        b"OggS" => Some(Container::Ogg),
        b"caff" => Some(Container::Caf),
        b"RIFF" if form == b"WAVE" => Some(Container::Wav),
        b"FORM" if form == b"AIFF" || form == b"AIFC" => Some(Container::Aiff),
        b"\x1A\x45\xDF\xA3" => Some(Container::Matroska),
        _ if head.get(4..8) == Some(b"ftyp") => Some(Container::Mp4),
        _ => None,
    }
}

/// Media that is recognised only to be refused by name.
fn foreign(head: &[u8]) -> Option<&'static str> {
    const MARKS: [(usize, &[u8], &str); 18] = [
        (0, b"FLV\x01", "FLV"),
        (8, b"AVI ", "AVI"),
        (0, b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "Windows Media"),
        (0, b"RF64", "RF64"),
        (0, b"riff\x2E\x91\xCF\x11", "Wave64"),
        (0, b"wvpk", "WavPack"),
        (0, b"MAC ", "Monkey's Audio"),
        (0, b"MPCK", "Musepack"),
        (0, b"MP+", "Musepack"),
        (0, b"TTA1", "True Audio"),
        (0, b"DSD ", "DSF"),
        (0, b"FRM8", "DSDIFF"),
        (0, b"MThd", "MIDI"),
        (0, b".RMF", "RealMedia"),
        (0, b"#!AMR", "AMR"),
        (0, b".snd", "AU"),
        (0, b"\x0B\x77", "AC-3"),
        (0, b"\x00\x00\x01\xBA", "MPEG program stream"),
    ];
    let has = |at: usize, mark: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let found = MARKS.iter().find(|(at, mark, _)| has(*at, mark));
    found.map(|(_, _, name)| *name)
}

fn is_web_page(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let text = text.trim_ascii_start();
    let begins = |mark: &&[u8]| {
        text.get(..mark.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(mark))
    };
    let marks: [&[u8]; 7] = [
        b"<!doctype",
        b"<html",
        b"<head",
        b"<body",
        b"<script",
        b"<?xml",
        b"<!--",
    ];
    marks.iter().any(begins)
}

fn unsupported(name: &str) -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot play the file",
        format!("it is {name}, which kithara does not read"),
        "convert it to FLAC, MP3, M4A, Ogg or WAV",
    )
}

fn not_a_stream(why: &str) -> Problem {
    Problem::new(
        Kind::NotAStream,
        "cannot play the file",
        why,
        "check the address",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_known_by_its_first_bytes() {
        let cases: [(&[u8], Container); 9] = [
            (b"fLaC\0\0\0\x22", Container::Flac),
            (b"OggS\0\x02", Container::Ogg),
            (b"caff\0\x01", Container::Caf),
            (b"RIFF\x24\0\0\0WAVEfmt ", Container::Wav),
            (b"FORM\0\0\0\x2EAIFFCOMM", Container::Aiff),
            (b"FORM\0\0\0\x2EAIFCCOMM", Container::Aiff),
            (b"\x1A\x45\xDF\xA3\x9F", Container::Matroska),
            (b"\0\0\0\x18ftypM4A ", Container::Mp4),
            (b"\0\0\0\x14ftypqt  ", Container::Mp4),
        ];
        for (head, want) in cases {
            assert_eq!(sniff(head), Ok(want), "{head:?}");
        }
    }

    #[test]
    fn what_is_not_played_is_refused_by_name() {
        let cases: [(&[u8], Kind, &str); 7] = [
            (b"FLV\x01\x05", Kind::Unsupported, "FLV"),
            (b"RIFF\0\0\0\0AVI LIST", Kind::Unsupported, "AVI"),
            (b"wvpk\0\0", Kind::Unsupported, "WavPack"),
            (b"\n <!DOCTYPE html>", Kind::NotAStream, "a web page"),
            (b"\xEF\xBB\xBF<HTML>", Kind::NotAStream, "a web page"),
            (b"hello, world", Kind::NotAStream, "not audio"),
            (b"", Kind::NotAStream, "not audio"),
        ];
        for (head, kind, word) in cases {
            let problem = sniff(head).expect_err("not played");
            assert_eq!(problem.kind, kind, "{head:?}");
            assert!(problem.why.contains(word), "{head:?}: {}", problem.why);
        }
    }
}
