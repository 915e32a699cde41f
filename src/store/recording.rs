//! The playlist of a live stream that is being recorded: what was recorded of
//! it, one segment after another, in an entry of its own. The live list slides
//! on; this one only grows, and is read as that of a stream that has ended.

use std::io::Read;
use std::sync::Arc;

use crate::cache::{Entry, Head, Identity, Stream, Writer};
use crate::error::{Kind, Problem};
use crate::limits;
use crate::location::Location;
use crate::store::{Store, Text, Wanted, remote};

const HEADER: &str = "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-PLAYLIST-TYPE:VOD\n";
const END: &str = "#EXT-X-ENDLIST\n";

/// Where the lines of recorded segments go. While it lives no other process
/// records the same playlist into the same cache.
pub struct Tape {
    entry: Arc<Entry>,
    /// Never written: it holds the claim between two segments.
    _claim: Writer,
    position: u64,
}

impl Store {
    /// Begins to record the playlist at `wanted`, in place of what was recorded
    /// of it before.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when another process records it, or the disk refuses;
    /// [`Kind::LocalFile`] for a local playlist.
    pub fn tape(&self, wanted: &Wanted) -> Result<Tape, Problem> {
        let identity = Identity::of_recording(remote(wanted)?.as_str());
        let entry = self.disk.made()?.begin(&identity, Head::default())?;
        match entry.writer(0)? {
            Some(claim) if entry.known_bytes() == 0 => Ok(Tape {
                entry,
                _claim: claim,
                position: 0,
            }),
            _ => Err(Problem::new(
                Kind::Cache,
                format!("cannot record {}", wanted.location),
                "another run of kithara records it into the same cache",
                "wait for its end, or use another --cache-dir",
            )),
        }
    }

    /// The stream was stored as a whole: a recording of it would only be in the way.
    pub fn drop_recording(&self, location: &Location) {
        if let Location::Http(url) = location
            && let Some(stream) = self.disk.found()
            && let Err(problem) = stream.remove(&Identity::of_recording(url.as_str()))
        {
            tracing::warn!("{problem}");
        }
    }

    /// What was recorded of the playlist at `location`.
    pub fn recorded(&self, location: &Location) -> Option<Text> {
        recorded(self.disk.found()?, location)
    }
}

impl Tape {
    /// Adds the lines of a segment. They are noted at once: what is recorded
    /// until a kill can be played.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the disk refuses, [`Kind::Limit`] when the list
    /// would grow longer than one that can be read.
    pub fn add(&mut self, lines: &str) -> Result<(), Problem> {
        let end = self.position + lines.len() as u64;
        if end + (HEADER.len() + END.len()) as u64 + 64 > limits::PLAYLIST_BYTES {
            return Err(Problem::new(
                Kind::Limit,
                "cannot record any more",
                format!("the playlist grew to {} bytes", limits::PLAYLIST_BYTES),
                "begin another recording",
            ));
        }
        let mut writer = self.entry.writer(self.position)?.ok_or_else(lost)?;
        writer.write(lines.as_bytes())?;
        self.position = end;
        writer.close()
    }
}

fn lost() -> Problem {
    Problem::new(
        Kind::Cache,
        "cannot record any more",
        "another run of kithara took the recording over",
        "use another --cache-dir",
    )
}

/// The recording of the playlist at `location` in `stream`, as the playlist of
/// a stream that has ended. `None` when there is none or a part of it is lost.
pub(super) fn recorded(stream: &Stream, location: &Location) -> Option<Text> {
    let Location::Http(url) = location else {
        return None;
    };
    let entry = stream.find(&Identity::of_recording(url.as_str()))?;
    let known = entry.known_bytes();
    if known == 0 || known > limits::PLAYLIST_BYTES || entry.check() > 0 {
        return None;
    }
    entry.set_offline();
    let mut body = String::new();
    let read = entry.reader().take(known).read_to_string(&mut body);
    read.ok()?;
    let bytes = finished(whole_segments(&body))?.into_bytes();
    Some(Text {
        length: bytes.len() as u64,
        bytes,
        base: location.clone(),
        no_store: false,
        keep: None,
        content_type: None,
        etag: None,
        is_stored: true,
        first_byte: None,
    })
}

/// Cut behind the last segment: the lines of the next one may be torn.
fn whole_segments(body: &str) -> &str {
    let mut end = 0;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        at += line.len();
        if line.ends_with('\n') && !line.starts_with('#') {
            end = at;
        }
    }
    &body[..end]
}

/// The playlist around these segments; `None` when there is none.
fn finished(segments: &str) -> Option<String> {
    let seconds = |line: &str| {
        let length = line.strip_prefix("#EXTINF:")?.split(',').next()?;
        length
            .parse::<f64>()
            .ok()
            .filter(|length| length.is_finite())
    };
    let longest = segments.lines().filter_map(seconds).reduce(f64::max)?;
    let target = longest.round().max(1.0);
    Some(format!(
        "{HEADER}#EXT-X-TARGETDURATION:{target:.0}\n{segments}{END}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "#EXTINF:4.2,\nhttp://h/1\n";

    #[test]
    fn a_recording_is_read_as_a_stream_that_has_ended() {
        let text = finished(&format!("{ONE}#EXT-X-GAP\n#EXTINF:5.6,\nhttp://h/2\n"));
        let want = "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-TARGETDURATION:6\n\
                    #EXTINF:4.2,\nhttp://h/1\n#EXT-X-GAP\n#EXTINF:5.6,\nhttp://h/2\n#EXT-X-ENDLIST\n";
        assert_eq!(text.as_deref(), Some(want));
        assert_eq!(finished(""), None);
    }

    #[test]
    fn the_lines_of_a_segment_that_were_torn_do_not_count() {
        for torn in [
            "",
            "#",
            "#EXTINF:4",
            "#EXTINF:4,\n",
            "#EXTINF:4,\nhttp://h/",
            "#EXTINF:4,\nhttp://h/2",
        ] {
            assert_eq!(whole_segments(&format!("{ONE}{torn}")), ONE, "{torn:?}");
        }
    }
}
