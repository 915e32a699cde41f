//! Which stream of a program is heard: the tables PAT and PMT (ISO/IEC 13818-1
//! section 2.4.4), and names for what cannot be played.

use crate::decode::ts::section::content;
use crate::error::{Kind, Problem};

const PAT: u8 = 0;
const PMT: u8 = 2;
const PID_MASK: u16 = 0x1FFF;

/// How the frames of a stream follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// AAC behind ADTS headers.
    Adts,
    /// AAC in LATM, framed by LOAS.
    Latm,
    /// MPEG-1/2 layer I, II or III.
    Mpeg,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Adts, Self::Latm, Self::Mpeg];

    /// The name shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adts | Self::Latm => "AAC",
            Self::Mpeg => "MPEG audio",
        }
    }
}

/// The streams of a program that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where the sound is.
    pub pid: u16,
    /// What it is.
    pub format: Format,
    /// Where timed ID3 is.
    pub titles: Option<u16>,
}

/// The PIDs of the program maps that a PAT names.
pub fn map_pids(section: &[u8]) -> impl Iterator<Item = u16> {
    let programs = content(section, PAT).and_then(|pat| pat.get(5..));
    let (programs, _) = programs.unwrap_or_default().as_chunks::<4>();
    let is_program = |program: &&[u8; 4]| program[..2] != [0, 0];
    let maps = programs.iter().filter(is_program);
    maps.map(|&[_, _, high, low]| u16::from_be_bytes([high, low]) & PID_MASK)
}

/// Chooses the first stream of a PMT that can be played; `None` for a section
/// that is none.
///
/// # Errors
///
/// [`Kind::Unsupported`] or [`Kind::Encryption`], naming the sound that cannot
/// be played, or the pictures when there is no sound.
pub fn choose(section: &[u8]) -> Result<Option<Choice>, Problem> {
    let Some(map) = content(section, PMT) else {
        return Ok(None);
    };
    let streams = || Streams::of(map);
    let Some(pid_and_format) = streams().find_map(|stream| match stream.meaning() {
        Meaning::Sound(format) => Some((stream.pid, format)),
        _ => None,
    }) else {
        return Err(refusal(streams()));
    };
    let mut titles = streams().filter(|stream| stream.meaning() == Meaning::Titles);
    let (pid, format) = pid_and_format;
    Ok(Some(Choice {
        pid,
        format,
        titles: titles.next().map(|stream| stream.pid),
    }))
}

/// The streams that a PMT lists.
struct Streams<'a> {
    /// Made for Blu-ray discs, where some numbers mean something else.
    is_hdmv: bool,
    rest: &'a [u8],
}

impl<'a> Streams<'a> {
    fn of(map: &'a [u8]) -> Self {
        let (descriptors, rest) = map.get(7..).and_then(split_length).unwrap_or_default();
        Self {
            is_hdmv: registration(descriptors) == Some(b"HDMV"),
            rest,
        }
    }
}

impl<'a> Iterator for Streams<'a> {
    type Item = Stream<'a>;

    fn next(&mut self) -> Option<Stream<'a>> {
        let (&[kind, high, low], rest) = self.rest.split_first_chunk()?;
        let (descriptors, rest) = split_length(rest)?;
        self.rest = rest;
        Some(Stream {
            kind,
            pid: u16::from_be_bytes([high, low]) & PID_MASK,
            descriptors,
            is_hdmv: self.is_hdmv,
        })
    }
}

/// Splits off what a length of 12 bits before it counts.
fn split_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[high, low], rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes([high & 0x0F, low])))
}

/// One stream of a program.
struct Stream<'a> {
    kind: u8,
    pid: u16,
    descriptors: &'a [u8],
    is_hdmv: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Sound(Format),
    /// Sound without a decoder here.
    Undecoded(&'static str),
    /// Sound whose frames are encrypted each by itself.
    Encrypted(&'static str),
    Titles,
    Picture(&'static str),
    Other,
}

impl Stream<'_> {
    /// Source: ISO/IEC 13818-1 table 2-34, ATSC A/53-3, ETSI EN 300 468, and
    /// Apple's "MPEG-2 Stream Encryption Format for HTTP Live Streaming".
    fn meaning(&self) -> Meaning {
        match self.kind {
            0x03 | 0x04 => Meaning::Sound(Format::Mpeg),
            0x0F => Meaning::Sound(Format::Adts),
            0x11 => Meaning::Sound(Format::Latm),
            0x15 => Meaning::Titles,
            0x1C => Meaning::Undecoded("MPEG-4 audio without a transport syntax"),
            0x2D | 0x2E => Meaning::Undecoded("MPEG-H 3D audio"),
            0x80 | 0x83 if self.is_hdmv => Meaning::Undecoded("LPCM or TrueHD"),
            0x85 | 0x86 if self.is_hdmv => Meaning::Undecoded("DTS"),
            0x81 => Meaning::Undecoded("AC-3"),
            0x84 | 0x87 => Meaning::Undecoded("E-AC-3"),
            0x82 | 0x88 | 0x8A => Meaning::Undecoded("DTS"),
            0xC1 => Meaning::Encrypted("AC-3"),
            0xC2 => Meaning::Encrypted("E-AC-3"),
            0xCF => Meaning::Encrypted("AAC"),
            0x01 | 0x02 => Meaning::Picture("MPEG-2"),
            0x10 => Meaning::Picture("MPEG-4"),
            0x1B | 0xDB => Meaning::Picture("H.264"),
            0x24 => Meaning::Picture("H.265"),
            0x06 | 0x80.. => self.private_meaning(),
            _ => Meaning::Other,
        }
    }

    /// What the descriptors say of private data.
    fn private_meaning(&self) -> Meaning {
        let by_registration = registration(self.descriptors).and_then(|name| match name {
            b"AC-3" => Some("AC-3"),
            b"EAC3" => Some("E-AC-3"),
            b"AC-4" => Some("AC-4"),
            b"Opus" => Some("Opus in a transport stream"),
            b"BSSD" => Some("SMPTE 302M"),
            [b'D', b'T', b'S', _] => Some("DTS"),
            _ => None,
        });
        let by_tag = || descriptors(self.descriptors).find_map(named_by_tag);
        let name = by_registration.or_else(by_tag);
        name.map_or(Meaning::Other, Meaning::Undecoded)
    }
}

/// Descriptors of ETSI EN 300 468 that name a codec.
fn named_by_tag((tag, content): (u8, &[u8])) -> Option<&'static str> {
    match (tag, content.first()) {
        (0x6A, _) => Some("AC-3"),
        (0x7A, _) => Some("E-AC-3"),
        (0x7B, _) | (0x7F, Some(0x0E)) => Some("DTS"),
        (0x7F, Some(0x15)) => Some("AC-4"),
        (0x7F, Some(0x80)) => Some("Opus in a transport stream"),
        _ => None,
    }
}

/// The tags of descriptors, and what they hold.
fn descriptors(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&[tag, length], after) = rest.split_first_chunk()?;
        let (content, after) = after.split_at_checked(length.into())?;
        rest = after;
        Some((tag, content))
    })
}

/// Whose private data it is.
fn registration(bytes: &[u8]) -> Option<&[u8; 4]> {
    const REGISTRATION: u8 = 5;
    let mut found = descriptors(bytes).filter(|(tag, _)| *tag == REGISTRATION);
    found.next()?.1.first_chunk()
}

/// Why none of the streams is played.
fn refusal<'a>(streams: Streams<'a>) -> Problem {
    let mut picture = None;
    for stream in streams {
        match stream.meaning() {
            Meaning::Undecoded(name) => {
                let why = format!("its sound is {name}, which has no decoder here");
                return refused(Kind::Unsupported, why);
            }
            Meaning::Encrypted(name) => {
                let why =
                    format!("its sound is {name} encrypted by SAMPLE-AES, a key system is needed");
                return refused(Kind::Encryption, why);
            }
            Meaning::Picture(name) => picture = picture.or(Some(name)),
            Meaning::Sound(_) | Meaning::Titles | Meaning::Other => {}
        }
    }
    let why = match picture {
        Some(name) => format!("there is no sound in it, only {name} pictures"),
        None => "there is no sound in it".to_owned(),
    };
    refused(Kind::Unsupported, why)
}

fn refused(kind: Kind, why: String) -> Problem {
    let todo = "choose another variant with -Q";
    Problem::new(kind, "cannot play the transport stream", why, todo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ts::testkit::section;

    fn map(info: &[u8], streams: &[(u8, u16, &[u8])]) -> Vec<u8> {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
        let mut content = vec![0xE1, 0, 0xF0, length(info)];
        content.extend(info);
        for (kind, pid, descriptors) in streams {
            let [high, low] = (pid | 0xE000).to_be_bytes();
            content.extend([*kind, high, low, 0xF0, length(descriptors)]);
            content.extend(*descriptors);
        }
        section(2, 0, &content)
    }

    #[test]
    fn the_first_sound_that_can_be_played_is_chosen() {
        let none: &[u8] = &[];
        let cases = [
            (
                "ADTS",
                vec![(0x0F, 0x101, none)],
                Some((0x101, Format::Adts)),
            ),
            (
                "LATM",
                vec![(0x11, 0x101, none)],
                Some((0x101, Format::Latm)),
            ),
            (
                "MPEG-1",
                vec![(0x03, 0x101, none)],
                Some((0x101, Format::Mpeg)),
            ),
            (
                "MPEG-2",
                vec![(0x04, 0x101, none)],
                Some((0x101, Format::Mpeg)),
            ),
            (
                "among others",
                vec![
                    (0x1B, 1, none),
                    (0x81, 2, none),
                    (0x0F, 3, none),
                    (0x03, 4, none),
                ],
                Some((3, Format::Adts)),
            ),
            (
                "with descriptors",
                vec![(0x1B, 1, &[9; 40][..]), (0x0F, 3, &[10, 2, 0, 0])],
                Some((3, Format::Adts)),
            ),
            (
                "encrypted and clear",
                vec![(0xCF, 1, none), (0x04, 3, none)],
                Some((3, Format::Mpeg)),
            ),
        ];
        for (case, streams, want) in cases {
            let choice = choose(&map(&[], &streams)).expect(case);
            assert_eq!(
                choice.map(|choice| (choice.pid, choice.format)),
                want,
                "{case}"
            );
        }
    }

    #[test]
    fn what_a_number_means_depends_on_the_descriptors() {
        const SILENT: &str = "there is no sound in it";
        let cases: [(u8, &[u8], &[u8], &str); 10] = [
            (0x06, &[], &[0x6A, 0], "AC-3"),
            (0x06, &[], &[0x7A, 1, 0], "E-AC-3"),
            (0x06, &[], &[0x7B, 0], "DTS"),
            (0x06, &[], &[0x7F, 1, 0x15], "AC-4"),
            (0x06, &[], &[0x7F, 2, 0x80, 2], "Opus"),
            (0x06, &[], b"\x05\x04EAC3", "E-AC-3"),
            (0x86, b"\x05\x04HDMV", &[], "DTS"),
            (0x86, b"\x05\x04CUEI", &[], SILENT), // a splice
            (0x06, &[], &[0x0A, 4, 0, 0, 0, 0], SILENT),
            (0x06, &[], &[0x6A, 9], SILENT), // a descriptor that is cut off
        ];
        for (kind, info, descriptors, want) in cases {
            let problem = choose(&map(info, &[(kind, 1, descriptors)])).expect_err(want);
            assert!(
                problem.why.contains(want),
                "{kind} {descriptors:?}: {problem}"
            );
        }
    }

    #[test]
    fn maps_are_named_by_the_association_table() {
        let pat = section(
            0,
            0,
            &[0, 0, 0xE0, 0x10, 0, 1, 0xF0, 0x00, 0, 2, 0xE1, 0x23],
        );
        assert_eq!(map_pids(&pat).collect::<Vec<_>>(), [0x1000, 0x123]);
        assert_eq!(map_pids(&section(2, 0, &[0, 1, 0xF0, 0])).count(), 0);
        assert_eq!(choose(&pat), Ok(None));
    }
}
