//! Event messages (`emsg`, ISO/IEC 23009-1 section 5.10.3.3) that carry ID3
//! tags: the titles of CMAF radio.

use std::num::NonZeroU32;

use super::boxes::Fields;
use crate::decode::id3;
use crate::error::Problem;
use crate::limits;
use crate::units::MediaTime;

const SCHEMES: [&[u8]; 2] = [
    b"https://aomedia.org/emsg/ID3",
    b"https://developer.apple.com/streaming/emsg-id3",
];
const TITLES: usize = 64; // kept until they are asked for

/// The longest message that is read; what carries a title is far shorter.
pub const BYTES: u64 = limits::TAG_BYTES as u64;

/// The titles of one segment.
#[derive(Debug, Default)]
pub struct Titles {
    /// Told relative to the segment, whose first access unit is not known yet.
    waiting: Vec<(MediaTime, String)>,
    found: Vec<(MediaTime, String)>,
}

impl Titles {
    /// Notes the title of a message, if it has one. Moments of the presentation
    /// become media time by `edit`, where the edit list begins; `first` is the
    /// time of the segment's first access unit once that is known.
    pub fn note(&mut self, emsg: Fields<'_>, edit: MediaTime, first: Option<MediaTime>) {
        // A message that is cut off is worth no stream.
        let Ok(Some(message)) = Message::read(emsg) else {
            return;
        };
        let Some(title) = id3::read(message.data).title else {
            return;
        };
        let (list, time) = match (message.moment, first) {
            (Moment::At(time), _) => (&mut self.found, time + edit),
            (Moment::After(delay), Some(first)) => (&mut self.found, first + delay),
            (Moment::After(delay), None) => (&mut self.waiting, delay),
        };
        if list.len() < TITLES {
            list.push((time, title));
        }
    }

    /// The segment's first access unit is due at `first`.
    pub fn begin(&mut self, first: MediaTime) {
        let waiting = self.waiting.drain(..);
        let placed = waiting.map(|(delay, title)| (first + delay, title));
        self.found.extend(placed);
    }

    /// Those whose time is known, since this was last asked.
    pub fn take(&mut self) -> Vec<(MediaTime, String)> {
        std::mem::take(&mut self.found)
    }
}

enum Moment {
    /// From the start of the presentation (version 1).
    At(MediaTime),
    /// From the start of the segment (version 0).
    After(MediaTime),
}

struct Message<'a> {
    moment: Moment,
    /// An ID3 tag.
    data: &'a [u8],
}

impl<'a> Message<'a> {
    /// `None` for a message of another scheme or version.
    fn read(mut emsg: Fields<'a>) -> Result<Option<Self>, Problem> {
        let (version, _) = emsg.version_and_flags()?;
        let (scheme, moment) = match version {
            0 => {
                let scheme = text(&mut emsg)?;
                text(&mut emsg)?; // value
                let scale = emsg.u32()?;
                (scheme, time(emsg.u32()?.into(), scale).map(Moment::After))
            }
            1 => {
                let scale = emsg.u32()?;
                let moment = time(emsg.u64()?, scale).map(Moment::At);
                emsg.skip(8)?; // duration, id
                let scheme = text(&mut emsg)?;
                text(&mut emsg)?; // value
                (scheme, moment)
            }
            _ => return Ok(None),
        };
        if version == 0 {
            emsg.skip(8)?; // duration, id
        }
        let is_ours = SCHEMES.contains(&scheme);
        Ok(moment.filter(|_| is_ours).map(|moment| Self {
            moment,
            data: emsg.rest(),
        }))
    }
}

/// The next text, which ends with a zero.
fn text<'a>(fields: &mut Fields<'a>) -> Result<&'a [u8], Problem> {
    let length = fields.rest().iter().position(|&byte| byte == 0);
    let length = length.ok_or_else(|| fields.broken("is cut off"))?;
    let text = fields.bytes(length)?;
    fields.skip(1)?;
    Ok(text)
}

fn time(ticks: u64, scale: u32) -> Option<MediaTime> {
    let scale = NonZeroU32::new(scale)?;
    let ticks = i64::try_from(ticks).ok()?;
    Some(MediaTime::from_ticks(ticks, scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(title: &str) -> Vec<u8> {
        let length = u8::try_from(title.len() + 1).expect("short");
        let frame = [&b"TIT2\0\0\0"[..], &[length], &[0, 0, 3], title.as_bytes()].concat();
        let body = u8::try_from(frame.len()).expect("short");
        [&b"ID3\x04\0\0\0\0\0"[..], &[body], &frame].concat()
    }

    fn version_0(scheme: &[u8], scale: u32, delta: u32, data: &[u8]) -> Vec<u8> {
        let numbers = [scale, delta, 0xFFFF_FFFF, 7]
            .map(u32::to_be_bytes)
            .concat();
        [&[0; 4], scheme, b"\0value\0", &numbers, data].concat()
    }

    fn version_1(scheme: &[u8], scale: u32, time: u64, data: &[u8]) -> Vec<u8> {
        let when = [&scale.to_be_bytes()[..], &time.to_be_bytes()].concat();
        [&[1, 0, 0, 0], &when[..], &[0; 8], scheme, b"\0\0", data].concat()
    }

    fn titles(message: &[u8], first: Option<f64>) -> Vec<(MediaTime, String)> {
        let mut titles = Titles::default();
        let edit = MediaTime::from_seconds(0.5);
        let first = first.map(MediaTime::from_seconds);
        titles.note(Fields::new(*b"emsg", message), edit, first);
        let mut found = titles.take();
        titles.begin(MediaTime::from_seconds(20.0));
        found.extend(titles.take());
        found
    }

    #[test]
    fn a_message_says_when_its_title_begins() {
        let [scheme, apple] = SCHEMES;
        let song = tag("Song");
        let cases = [
            (
                "version 1",
                version_1(scheme, 48_000, 480_000, &song),
                None,
                Some(10.5),
            ),
            (
                "version 1, of Apple",
                version_1(apple, 1, 3, &song),
                Some(9.0),
                Some(3.5),
            ),
            (
                "version 0 before",
                version_0(scheme, 1000, 250, &song),
                None,
                Some(20.25),
            ),
            (
                "version 0 behind",
                version_0(scheme, 1000, 250, &song),
                Some(4.0),
                Some(4.25),
            ),
            (
                "another scheme",
                version_1(b"urn:scte:scte35:2013:bin", 1, 3, &song),
                None,
                None,
            ),
            ("no time scale", version_1(scheme, 0, 3, &song), None, None),
            ("no tag", version_0(scheme, 1, 0, b"Song"), None, None),
            (
                "cut off",
                version_1(scheme, 1, 3, &song)[..30].to_vec(),
                None,
                None,
            ),
            (
                "a version to come",
                [&[2][..], &version_1(scheme, 1, 3, &song)[1..]].concat(),
                None,
                None,
            ),
        ];
        for (case, message, first, want) in cases {
            let want = want.map(|time| (MediaTime::from_seconds(time), "Song".to_owned()));
            assert_eq!(titles(&message, first), Vec::from_iter(want), "{case}");
        }
    }

    #[test]
    fn a_flood_of_messages_is_bounded() {
        let message = version_1(SCHEMES[0], 1, 3, &tag("Song"));
        let mut titles = Titles::default();
        for _ in 0..1000 {
            titles.note(Fields::new(*b"emsg", &message), MediaTime::ZERO, None);
        }
        assert_eq!(titles.take().len(), TITLES);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(titles(&bytes, None).len() <= 1);
        }
    }
}
