//! A stored HLS stream as plain files: which files there are, what they are
//! called, and the playlists that lead to them. Names are made of numbers, and
//! nothing is opened here.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::Problem;
use crate::hls::feed::about::{About, Seal};
use crate::hls::key::{self, Address};
use crate::hls::multivariant::{Multivariant, Rendition, Variant};
use crate::hls::stored::List;
use crate::hls::writing::{self, Line, Lines, Place, seconds};
use crate::location::Location;
use crate::store::Wanted;

/// The playlist that is opened.
pub const INDEX: &str = "index.m3u8";
/// ffmpeg opens no key beside a playlist whose name does not end like media.
const KEY_EXTENSION: &str = "ts";

/// A file to write.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name in the folder.
    pub name: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// What is in a file.
#[derive(Clone)]
pub enum Bytes {
    /// A stored resource.
    Stored(Box<Wanted>),
    /// A key that stood in the playlist.
    Key([u8; 16]),
}

impl std::fmt::Debug for Bytes {
    /// Never shows a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stored(wanted) => write!(f, "Stored({})", wanted.location),
            Self::Key(_) => f.write_str("Key"),
        }
    }
}

/// The playlist of `list` over plain files, and those files. Each name begins
/// with `prefix`; segments end in `.extension`.
///
/// # Errors
///
/// What is wrong with a key of it.
pub fn media(list: &List, prefix: &str, extension: &str) -> Result<(String, Vec<File>), Problem> {
    let media = list.listed.media();
    let mut names = Names::of(prefix, extension);
    let mut lines = Lines::from(media.first_number());
    let mut body = String::new();
    for about in list.segments() {
        body += &lines.segment(&names.line(&about)?);
    }
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n",
        lines.target_duration(),
        media.first_number(),
    );
    if media.discontinuity_sequence > 0 {
        text += &format!(
            "#EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            media.discontinuity_sequence
        );
    }
    text.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    if let Some(start) = media.start_offset {
        let precise = if start.is_precise { ",PRECISE=YES" } else { "" };
        text += &format!(
            "#EXT-X-START:TIME-OFFSET={}{precise}\n",
            seconds(start.offset)
        );
    }
    text.push_str(&body);
    text.push_str("#EXT-X-ENDLIST\n");
    Ok((text, names.files))
}

/// What the files of one media playlist are called.
struct Names<'a> {
    prefix: &'a str,
    extension: &'a str,
    files: Vec<File>,
    known: HashMap<(Location, Option<Range<u64>>), String>,
    inline: Vec<([u8; 16], String)>,
    segments: usize,
    inits: usize,
    keys: usize,
}

impl<'a> Names<'a> {
    fn of(prefix: &'a str, extension: &'a str) -> Self {
        Self {
            prefix,
            extension,
            files: Vec::new(),
            known: HashMap::new(),
            inline: Vec::new(),
            segments: 0,
            inits: 0,
            keys: 0,
        }
    }

    fn line(&mut self, about: &About) -> Result<Line, Problem> {
        let number = self.segments;
        self.segments += 1;
        let (prefix, extension) = (self.prefix, self.extension);
        let name = format!("{prefix}segment-{number:05}.{extension}");
        let mut line = Line {
            place: whole(name),
            init: None,
            lock: None,
            duration: about.duration,
            discontinuity: about.discontinuity,
            gap: about.gap,
            date: about.date,
        };
        if about.gap {
            return Ok(line);
        }
        line.lock = self.lock(about.seal.as_ref())?;
        if let Some(init) = &about.init {
            let lock = self.lock(init.seal.as_ref())?;
            let name = format!("{prefix}init-{}.mp4", self.inits);
            let named = self.name(&init.wanted, name.clone());
            self.inits += usize::from(named == name);
            line.init = Some((whole(named), lock));
        }
        line.place = whole(self.name(&about.wanted, line.place.uri));
        Ok(line)
    }

    fn lock(&mut self, seal: Option<&Seal>) -> Result<Option<writing::Lock>, Problem> {
        let Some(Seal(seal)) = seal else {
            return Ok(None);
        };
        let (address, iv) = seal.clone()?;
        let name = format!("{}key-{}.{KEY_EXTENSION}", self.prefix, self.keys);
        let uri = match address {
            Address::At(location) => self.name(&key::wanted(location, 0), name.clone()),
            Address::Inline(key) => self.inline(key, name.clone()),
        };
        self.keys += usize::from(uri == name);
        Ok(Some(writing::Lock { uri, iv }))
    }

    /// The name of a resource: `name`, unless it has one already.
    fn name(&mut self, wanted: &Wanted, name: String) -> String {
        let place = (wanted.location.clone(), wanted.range.clone());
        if let Some(known) = self.known.get(&place) {
            return known.clone();
        }
        self.known.insert(place, name.clone());
        let bytes = Bytes::Stored(Box::new(wanted.clone()));
        self.files.push(File {
            name: name.clone(),
            bytes,
        });
        name
    }

    fn inline(&mut self, key: [u8; 16], name: String) -> String {
        if let Some((_, known)) = self.inline.iter().find(|(known, _)| *known == key) {
            return known.clone();
        }
        self.inline.push((key, name.clone()));
        let bytes = Bytes::Key(key);
        self.files.push(File {
            name: name.clone(),
            bytes,
        });
        name
    }
}

fn whole(uri: String) -> Place {
    Place { uri, range: None }
}

/// The multivariant playlist over those media playlists for which `name` gives
/// a file, by the URI that the stream's own playlist has for them.
pub fn multivariant(stream: &Multivariant, name: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n".to_owned();
    let mut groups: Vec<&str> = Vec::new();
    let mut variants = String::new();
    for variant in &stream.variants {
        let voices = voices(stream, variant, name);
        let own = name(&variant.uri);
        let is_new = variant
            .audio
            .as_deref()
            .is_some_and(|group| !groups.contains(&group));
        // Pictures are not stored: of the variants that differ in them one is enough.
        let Some(uri) = own.or_else(|| Some(voices.first().filter(|_| is_new)?.1.clone())) else {
            continue;
        };
        let group = variant.audio.as_deref().filter(|_| !voices.is_empty());
        if let Some(group) = group.filter(|_| is_new) {
            let number = groups.len();
            groups.push(group);
            text.extend(
                voices
                    .iter()
                    .map(|(rendition, uri)| voice(rendition, uri, number)),
            );
        }
        let number = group.and_then(|group| groups.iter().position(|known| *known == group));
        variants += &stream_inf(variant, number);
        variants += &format!("{uri}\n");
    }
    text + &variants
}

/// The renditions of a variant that are there, and where.
fn voices<'a>(
    stream: &'a Multivariant,
    variant: &Variant,
    name: &dyn Fn(&str) -> Option<String>,
) -> Vec<(&'a Rendition, String)> {
    let group = variant.audio.as_deref();
    let ours = stream
        .renditions
        .iter()
        .filter(|one| Some(one.group.as_str()) == group);
    ours.filter_map(|one| Some((one, name(one.uri.as_deref()?)?)))
        .collect()
}

fn voice(rendition: &Rendition, uri: &str, group: usize) -> String {
    let answer = |is_it| if is_it { "YES" } else { "NO" };
    let mut text = format!(
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio-{group}\",NAME=\"{}\",DEFAULT={},AUTOSELECT={}",
        quotable(&rendition.name),
        answer(rendition.is_default),
        answer(rendition.is_autoselect || rendition.is_default),
    );
    if let Some(language) = &rendition.language {
        text += &format!(",LANGUAGE=\"{}\"", quotable(language));
    }
    if let Some(channels) = rendition.channels {
        text += &format!(",CHANNELS=\"{channels}\"");
    }
    if let Some(characteristics) = &rendition.characteristics {
        text += &format!(",CHARACTERISTICS=\"{}\"", quotable(characteristics));
    }
    text + &format!(",URI=\"{uri}\"\n")
}

fn stream_inf(variant: &Variant, group: Option<usize>) -> String {
    let mut text = format!("#EXT-X-STREAM-INF:BANDWIDTH={}", variant.bandwidth.0);
    if let Some(average) = variant.average_bandwidth {
        text += &format!(",AVERAGE-BANDWIDTH={}", average.0);
    }
    if !variant.codecs.is_empty() {
        text += &format!(",CODECS=\"{}\"", quotable(&variant.codecs.join(",")));
    }
    if let Some(group) = group {
        text += &format!(",AUDIO=\"audio-{group}\"");
    }
    text + "\n"
}

/// Text from outside as it may stand between quotes.
fn quotable(text: &str) -> String {
    text.chars()
        .filter(|c| *c != '"' && !c.is_control())
        .collect()
}
