//! Multivariant playlists in the strict form: variants with the attributes that
//! matter for sound, audio renditions, and nothing else. What the crate would
//! lose goes beside it.

use crate::error::{Kind, Problem};
use crate::hls::attributes::{Attributes, push_bare, push_quoted, quotable};
use crate::hls::repair::{self, Repairs};
use crate::hls::sanitise::keys::{Key, Keys};
use crate::hls::sanitise::tag::PADDED;
use crate::hls::sanitise::{Line, Tag, check_version};
use crate::limits;
use crate::location::Location;

/// Attributes of a variant that only a picture has.
const PICTURE_ATTRIBUTES: [&str; 5] = [
    "RESOLUTION",
    "FRAME-RATE",
    "VIDEO-RANGE",
    "VIDEO",
    "REQ-VIDEO-LAYOUT",
];
/// Attributes that may differ between redundant variants (RFC 8216 section
/// 6.2.4): each copy has groups, and with content steering a pathway, of its own.
const OWN_ATTRIBUTES: [&str; 5] = [
    "AUDIO",
    "VIDEO",
    "SUBTITLES",
    "CLOSED-CAPTIONS",
    "PATHWAY-ID",
];

/// A multivariant playlist in the strict form, and what the crate would lose of it.
#[derive(Debug)]
pub struct Clean {
    /// The text for the crate.
    pub text: String,
    /// One for each variant of the text, in its order.
    pub traits: Vec<Traits>,
    /// The keys of `#EXT-X-SESSION-KEY`, in order.
    pub session_keys: Vec<Key>,
}

/// What the crate would lose of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traits {
    /// It has an attribute that only a picture has.
    pub has_picture: bool,
    /// All attributes by which variants differ, sorted: the same in two
    /// variants that are redundant.
    pub identity: String,
}

/// Rewrites the lines of a multivariant playlist found at `base`.
///
/// # Errors
///
/// As [`crate::hls::playlist::parse`].
pub fn clean<'a>(
    lines: impl Iterator<Item = Line<'a>>,
    base: &'a Location,
    repairs: &'a mut Repairs,
) -> Result<Clean, Problem> {
    let mut cleaner = Cleaner {
        base,
        repairs,
        out: "#EXTM3U\n".to_owned(),
        groups: Vec::new(),
        variants: Vec::new(),
        traits: Vec::new(),
        session_keys: Keys::default(),
        pending: None,
        listed: 0,
    };
    for line in lines {
        match Tag::of(line) {
            Some(tag) => cleaner.tag(tag)?,
            None if line.text.starts_with('#') => cleaner.comment(line),
            None => cleaner.address(line)?,
        }
    }
    cleaner.finish()
}

struct Cleaner<'a> {
    base: &'a Location,
    repairs: &'a mut Repairs,
    out: String,
    /// The audio groups there are.
    groups: Vec<&'a str>,
    variants: Vec<Variant<'a>>,
    traits: Vec<Traits>,
    session_keys: Keys,
    /// A STREAM-INF whose URI has not come yet.
    pending: Option<Tag<'a>>,
    /// Variants and renditions so far, used or not.
    listed: usize,
}

struct Variant<'a> {
    tag: Tag<'a>,
    uri: &'a str,
}

impl<'a> Cleaner<'a> {
    fn tag(&mut self, tag: Tag<'a>) -> Result<(), Problem> {
        if tag.is_padded {
            self.note_padding(tag.line);
        }
        match tag.name {
            "EXT-X-STREAM-INF" => {
                self.count()?;
                self.drop_pending();
                self.pending = Some(tag);
            }
            "EXT-X-MEDIA" => self.media(tag)?,
            "EXT-X-I-FRAME-STREAM-INF" => self.count()?,
            "EXT-X-SESSION-KEY" => self.session_key(tag)?,
            "EXT-X-INDEPENDENT-SEGMENTS" => {
                self.out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
            }
            "EXT-X-VERSION" => check_version(tag, self.repairs),
            "EXTINF" => {
                return Err(tag.malformed("stands in a list of variants: it is neither kind"));
            }
            _ => {} // unknown tags are ignored (RFC 8216 section 6.3.1)
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Problem> {
        self.listed += 1;
        if self.listed > limits::PLAYLIST_VARIANTS {
            let cap = limits::PLAYLIST_VARIANTS;
            return Err(repair::over_limit(format!(
                "it has more than {cap} variants and renditions"
            )));
        }
        Ok(())
    }

    /// A session key only announces what media playlists say again, so one that
    /// cannot be read is left out; an address that may not be followed is refused.
    fn session_key(&mut self, tag: Tag<'a>) -> Result<(), Problem> {
        match self.session_keys.read(tag, self.base, self.repairs) {
            Err(problem) if problem.kind == Kind::Malformed => {
                self.repairs
                    .note(tag.line, || format!("{}: left out", problem.why));
                Ok(())
            }
            read => read,
        }
    }

    fn comment(&mut self, line: Line<'a>) {
        if self.pending.is_some() {
            self.repairs.note(line.number, || {
                "a comment stands between a variant and its address".to_owned()
            });
        }
    }

    fn address(&mut self, line: Line<'a>) -> Result<(), Problem> {
        if line.is_padded {
            self.note_padding(line.number);
        }
        let Some(tag) = self.pending.take() else {
            self.repairs.note(line.number, || {
                "an address without STREAM-INF is left out".to_owned()
            });
            return Ok(());
        };
        self.base.admits(line.text).map_err(|problem| {
            Tag {
                line: line.number,
                ..tag
            }
            .refused(problem)
        })?;
        self.variants.push(Variant {
            tag,
            uri: line.text,
        });
        Ok(())
    }

    fn note_padding(&mut self, line: u32) {
        self.repairs.note(line, || PADDED.to_owned());
    }

    fn drop_pending(&mut self) {
        if let Some(tag) = self.pending.take() {
            self.repairs.note(tag.line, || {
                "a variant without an address is left out".to_owned()
            });
        }
    }

    fn media(&mut self, tag: Tag<'a>) -> Result<(), Problem> {
        self.count()?;
        let attributes = tag.noted_attributes(self.repairs)?;
        let uri = attributes.find("URI").map(quotable);
        let uri = uri.filter(|uri| !uri.is_empty());
        if let Some(uri) = &uri {
            self.base
                .admits(uri)
                .map_err(|problem| tag.refused(problem))?;
        }
        if attributes.find("TYPE") != Some("AUDIO") {
            return Ok(());
        }
        let group = attributes.find("GROUP-ID").unwrap_or_default();
        let Some(name) = self.name_of(tag, &attributes, group) else {
            return Ok(());
        };
        self.groups.push(group);
        let out = &mut self.out;
        out.push_str("#EXT-X-MEDIA:");
        push_bare(out, "TYPE", "AUDIO");
        push_quoted(out, "GROUP-ID", group);
        push_quoted(out, "NAME", name);
        for attribute in ["LANGUAGE", "CHARACTERISTICS"] {
            if let Some(value) = attributes.find(attribute) {
                push_quoted(out, attribute, value);
            }
        }
        if let Some(uri) = uri {
            push_quoted(out, "URI", &uri);
        }
        self.media_choice(tag, &attributes);
        self.out.push('\n');
        Ok(())
    }

    /// The NAME of a rendition, or what stands in for it; `None` drops it.
    fn name_of(
        &mut self,
        tag: Tag<'a>,
        attributes: &Attributes<'a>,
        group: &'a str,
    ) -> Option<&'a str> {
        if group.is_empty() {
            self.repairs.note(tag.line, || {
                "a rendition without GROUP-ID is left out".to_owned()
            });
            return None;
        }
        let name = attributes.find("NAME").filter(|name| !name.is_empty());
        if name.is_none() {
            self.repairs.note(tag.line, || {
                "a rendition has no NAME: its language or group stands in".to_owned()
            });
        }
        name.or(attributes
            .find("LANGUAGE")
            .filter(|language| !language.is_empty()))
            .or(Some(group))
    }

    /// DEFAULT, AUTOSELECT and CHANNELS.
    fn media_choice(&mut self, tag: Tag<'a>, attributes: &Attributes<'a>) {
        let is_default = attributes.is_yes("DEFAULT");
        let is_autoselect = attributes.is_yes("AUTOSELECT");
        if is_default && !is_autoselect && attributes.find("AUTOSELECT").is_some() {
            self.repairs.note(tag.line, || {
                "DEFAULT=YES with AUTOSELECT=NO: taken for YES".to_owned()
            });
        }
        if is_default {
            push_bare(&mut self.out, "DEFAULT", "YES");
        }
        if is_default || is_autoselect {
            push_bare(&mut self.out, "AUTOSELECT", "YES");
        }
        let Some(channels) = attributes.find("CHANNELS") else {
            return;
        };
        let count = channels.split('/').next().unwrap_or_default();
        match count.parse::<u16>() {
            Ok(count) => push_quoted(&mut self.out, "CHANNELS", &count.to_string()),
            Err(_) => self.repairs.note(tag.line, || {
                "CHANNELS begins with no number: left out".to_owned()
            }),
        }
    }

    fn finish(mut self) -> Result<Clean, Problem> {
        self.drop_pending();
        if self.variants.is_empty() {
            return Err(repair::malformed("it lists no variant"));
        }
        for variant in std::mem::take(&mut self.variants) {
            self.write_variant(&variant)?;
        }
        Ok(Clean {
            text: self.out,
            traits: self.traits,
            session_keys: self.session_keys.into_list(),
        })
    }

    fn write_variant(&mut self, variant: &Variant<'a>) -> Result<(), Problem> {
        let tag = variant.tag;
        let attributes = tag.noted_attributes(self.repairs)?;
        let average = attributes.find("AVERAGE-BANDWIDTH").and_then(read_rate);
        let bandwidth = self.bandwidth(tag, attributes.find("BANDWIDTH"), average);
        self.out.push_str("#EXT-X-STREAM-INF:");
        push_bare(&mut self.out, "BANDWIDTH", &bandwidth.to_string());
        if let Some(average) = average {
            push_bare(&mut self.out, "AVERAGE-BANDWIDTH", &average.to_string());
        }
        if let Some(codecs) = attributes
            .find("CODECS")
            .filter(|codecs| !codecs.is_empty())
        {
            push_quoted(&mut self.out, "CODECS", codecs);
        }
        if let Some(size) = attributes.find("RESOLUTION").filter(|size| is_size(size)) {
            push_bare(&mut self.out, "RESOLUTION", size);
        }
        if let Some(group) = attributes.find("AUDIO") {
            self.audio_group(tag, group);
        }
        self.out.push('\n');
        self.out.push_str(variant.uri);
        self.out.push('\n');
        self.traits.push(Traits::of(&attributes));
        Ok(())
    }

    fn bandwidth(&mut self, tag: Tag<'a>, stated: Option<&str>, average: Option<u64>) -> u64 {
        let read = stated.and_then(read_rate);
        let rate = read.or(average).unwrap_or(0);
        if stated.is_none_or(|text| text.parse() != Ok(rate)) {
            self.repairs.note(tag.line, || {
                format!("BANDWIDTH is missing or no whole number: taken for {rate}")
            });
        }
        rate
    }

    fn audio_group(&mut self, tag: Tag<'a>, group: &str) {
        if self.groups.contains(&group) {
            push_quoted(&mut self.out, "AUDIO", group);
        } else {
            self.repairs.note(tag.line, || {
                "a variant names an audio group that is not there: ignored".to_owned()
            });
        }
    }
}

impl Traits {
    fn of(attributes: &Attributes<'_>) -> Self {
        // Some publishers write a size of nothing where there is no picture.
        let tells_picture =
            |(name, value): (&str, &str)| PICTURE_ATTRIBUTES.contains(&name) && value != "0x0";
        let mut pairs: Vec<(&str, &str)> = attributes
            .pairs()
            .filter(|(name, _)| !OWN_ATTRIBUTES.contains(name))
            .collect();
        pairs.sort_unstable();
        Self {
            has_picture: attributes.pairs().any(tells_picture),
            identity: format!("{pairs:?}"),
        }
    }
}

/// A rate in bits per second; a fraction is dropped, an absurd one is none.
fn read_rate(text: &str) -> Option<u64> {
    let whole = text.split('.').next().unwrap_or_default();
    whole.parse().ok()
}

/// `WIDTHxHEIGHT`.
fn is_size(text: &str) -> bool {
    let is_number = |side: &str| side.parse::<u32>().is_ok();
    text.split_once('x')
        .is_some_and(|(width, height)| is_number(width) && is_number(height))
}
