//! Media playlists written by us: of what was recorded, and of what is
//! exported. Values in, text out; nothing is opened here.

use std::fmt::Write;
use std::ops::Range;

use crate::text::date_time;
use crate::units::MediaTime;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Where a resource lies, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its URI.
    pub uri: String,
    /// The part of it, in bytes; all of it when `None`.
    pub range: Option<Range<u64>>,
}

/// An AES-128 key: its URI, and the vector that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Where the key lies.
    pub uri: String,
    /// The initialisation vector.
    pub iv: [u8; 16],
}

/// A segment as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where its bytes lie; for a gap only a name.
    pub place: Place,
    /// Its init section, and how that is encrypted.
    pub init: Option<(Place, Option<Lock>)>,
    /// How it is encrypted.
    pub lock: Option<Lock>,
    /// Its length.
    pub duration: MediaTime,
    /// Parameters or timestamps may jump before it.
    pub discontinuity: bool,
    /// There is nothing to fetch.
    pub gap: bool,
    /// The date of its start, in milliseconds since 1970.
    pub date: Option<i64>,
}

/// Writes segments one after another, each tag only where something changes.
#[derive(Debug)]
pub struct Lines {
    number: u64,
    lock: Option<(String, Option<[u8; 16]>)>,
    init: Option<(Place, Option<Lock>)>,
    longest: MediaTime,
}

impl Lines {
    /// Begins with the segment of this media sequence number.
    pub fn from(number: u64) -> Self {
        Self {
            number,
            lock: None,
            init: None,
            longest: MediaTime::ZERO,
        }
    }

    /// The lines of the next segment.
    pub fn segment(&mut self, line: &Line) -> String {
        let mut text = String::new();
        if line.discontinuity {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        // A gap has no bytes: what would open them is written before the next segment.
        if !line.gap {
            self.open(line, &mut text);
        }
        if let Some(date) = line.date {
            text += &format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", date_time(date));
        }
        if line.gap {
            text.push_str("#EXT-X-GAP\n");
        }
        text += &format!("#EXTINF:{},\n", seconds(line.duration));
        if let Some(range) = &line.place.range {
            let length = range.end.saturating_sub(range.start);
            text += &format!("#EXT-X-BYTERANGE:{length}@{}\n", range.start);
        }
        text += &line.place.uri;
        text.push('\n');
        self.longest = self.longest.max(line.duration);
        self.number = self.number.saturating_add(1);
        text
    }

    /// What EXT-X-TARGETDURATION must say: the longest segment, rounded
    /// (RFC 8216 section 4.3.3.1).
    pub fn target_duration(&self) -> i64 {
        let nanos = self.longest.nanos().saturating_add(NANOS_PER_SECOND / 2);
        (nanos / NANOS_PER_SECOND).max(1)
    }

    /// The tags that say how to read the init section and the segment. The key
    /// in force where EXT-X-MAP stands is that of the init section.
    fn open(&mut self, line: &Line, text: &mut String) {
        if let Some(init) = &line.init
            && self.init.as_ref() != Some(init)
        {
            let (place, lock) = init;
            let lock = lock.as_ref().map(|lock| (lock.uri.clone(), Some(lock.iv)));
            self.lock(lock, text);
            text.push_str(&map(place));
            self.init = Some(init.clone());
        }
        // The number of a segment is its vector unless one is stated (section 5.2).
        let implied = u128::from(self.number).to_be_bytes();
        let lock = line.lock.as_ref().map(|lock| {
            let iv = Some(lock.iv).filter(|iv| *iv != implied);
            (lock.uri.clone(), iv)
        });
        self.lock(lock, text);
    }

    fn lock(&mut self, lock: Option<(String, Option<[u8; 16]>)>, text: &mut String) {
        if self.lock == lock {
            return;
        }
        match &lock {
            None => text.push_str("#EXT-X-KEY:METHOD=NONE\n"),
            Some((uri, None)) => *text += &format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\"\n"),
            Some((uri, Some(iv))) => {
                *text += &format!(
                    "#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\",IV=0x{}\n",
                    hex(*iv)
                );
            }
        }
        self.lock = lock;
    }
}

fn map(place: &Place) -> String {
    let uri = &place.uri;
    match &place.range {
        None => format!("#EXT-X-MAP:URI=\"{uri}\"\n"),
        Some(range) => {
            let length = range.end.saturating_sub(range.start);
            let start = range.start;
            format!("#EXT-X-MAP:URI=\"{uri}\",BYTERANGE=\"{length}@{start}\"\n")
        }
    }
}

/// Seconds with as many decimals as it takes, three at least.
pub fn seconds(time: MediaTime) -> String {
    let (sign, nanos) = match time.nanos() {
        nanos @ ..0 => ("-", nanos.saturating_neg()),
        nanos => ("", nanos),
    };
    let (whole, part) = (nanos / NANOS_PER_SECOND, nanos % NANOS_PER_SECOND);
    let decimals = format!("{part:09}");
    let (first, rest) = decimals.split_at(3);
    format!("{sign}{whole}.{first}{}", rest.trim_end_matches('0'))
}

fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a string takes everything
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::media::Media;
    use crate::hls::playlist::{Playlist, parse};
    use crate::location::Location;

    fn place(uri: &str) -> Place {
        Place {
            uri: uri.to_owned(),
            range: None,
        }
    }

    fn lock(uri: &str, iv: u8) -> Option<Lock> {
        let mut vector = [0; 16];
        vector[15] = iv;
        Some(Lock {
            uri: uri.to_owned(),
            iv: vector,
        })
    }

    fn line(uri: &str) -> Line {
        Line {
            place: place(uri),
            init: None,
            lock: None,
            duration: MediaTime::from_nanos(4_000_000_000),
            discontinuity: false,
            gap: false,
            date: None,
        }
    }

    fn written(number: u64, segments: &[Line]) -> String {
        let mut lines = Lines::from(number);
        segments.iter().map(|line| lines.segment(line)).collect()
    }

    fn read(number: u64, body: &str) -> Media {
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{number}\n{body}#EXT-X-ENDLIST\n"
        );
        let base = Location::parse("https://h/list.m3u8").expect("a URL");
        let parsed = parse(text.as_bytes(), &base).expect("a playlist");
        assert_eq!(parsed.repairs.list.len(), 0, "{text}");
        match parsed.playlist {
            Playlist::Media(media) => media,
            Playlist::Multivariant(_) => panic!("a list of variants"),
        }
    }

    #[test]
    fn each_tag_stands_where_something_changes() {
        let init = |name: &str, lock| Some((place(name), lock));
        let segments = [
            Line {
                init: init("i0", None),
                lock: lock("k", 7),
                ..line("a")
            },
            Line {
                init: init("i0", None),
                lock: lock("k", 8),
                ..line("b")
            },
            Line {
                init: init("i0", None),
                lock: lock("k", 42),
                ..line("c")
            },
            Line {
                init: init("i1", lock("k", 1)),
                ..line("d")
            },
            Line {
                gap: true,
                lock: lock("other", 3),
                ..line("e")
            },
            Line {
                init: init("i1", lock("k", 1)),
                discontinuity: true,
                ..line("f")
            },
        ];
        let body = written(7, &segments);
        let tags: Vec<&str> = body
            .lines()
            .filter(|line| !line.starts_with("#EXTINF"))
            .collect();
        let want = [
            "#EXT-X-MAP:URI=\"i0\"",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"",
            "a",
            "b",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x0000000000000000000000000000002a",
            "c",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x00000000000000000000000000000001",
            "#EXT-X-MAP:URI=\"i1\"",
            "#EXT-X-KEY:METHOD=NONE",
            "d",
            "#EXT-X-GAP",
            "e",
            "#EXT-X-DISCONTINUITY",
            "f",
        ];
        assert_eq!(tags, want);
    }

    #[test]
    fn what_is_written_is_read_as_what_it_was() {
        let part = Place {
            uri: "all".to_owned(),
            range: Some(10..30),
        };
        let head = Place {
            uri: "all".to_owned(),
            range: Some(0..10),
        };
        let segments = [
            Line {
                place: part,
                init: Some((head, lock("k", 9))),
                lock: lock("k", 5),
                date: Some(1_767_225_600_123),
                ..line("")
            },
            Line {
                gap: true,
                duration: MediaTime::from_nanos(3_141_592_653),
                ..line("b")
            },
            Line {
                lock: lock("l", 200),
                discontinuity: true,
                ..line("c")
            },
        ];
        let media = read(5, &written(5, &segments));
        let read: Vec<_> = media.segments().collect();
        assert_eq!(
            read.iter().map(|one| one.uri).collect::<Vec<_>>(),
            ["all", "b", "c"]
        );
        let range = read[0].range.expect("a part");
        assert_eq!((range.start, range.end()), (10, 30));
        assert_eq!(read[0].date_time, Some(1_767_225_600_123));
        let map = &media.maps[0];
        assert_eq!(
            map.range.map(|range| (range.start, range.end())),
            Some((0, 10))
        );
        let iv = |key: Option<usize>, number| {
            crate::hls::key::segment_iv(&media.keys[key.expect("a key")], number)[15]
        };
        assert_eq!(iv(map.key, 0), 9);
        assert_eq!(iv(read[0].key, 5), 5);
        assert_eq!(iv(read[2].key, 7), 200);
        assert!(read[1].gap && read[2].discontinuity);
        assert_eq!(read[1].duration, MediaTime::from_nanos(3_141_592_653));
    }

    #[test]
    fn seconds_are_exact() {
        for (nanos, want) in [
            (4_000_000_000, "4.000"),
            (522_448_980, "0.52244898"),
            (-30_000_000_000, "-30.000"),
            (1, "0.000000001"),
        ] {
            assert_eq!(seconds(MediaTime::from_nanos(nanos)), want);
        }
    }
}
