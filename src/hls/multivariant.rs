//! A multivariant playlist as values: variants and audio renditions, nothing
//! that has no sound.

use std::borrow::Cow;

use hls_m3u8::MasterPlaylist;
use hls_m3u8::tags::{ExtXMedia, VariantStream};
use hls_m3u8::types::MediaType;

use crate::error::Problem;
use crate::hls::codecs;
use crate::hls::language::Tag;
use crate::hls::media::{Key, Method};
use crate::hls::repair::guarded;
use crate::hls::sanitise::multivariant::{Clean, Traits};
use crate::location::Location;
use crate::units::BitRate;

/// A multivariant playlist (RFC 8216 section 4.3.4).
#[derive(Clone, Debug, PartialEq)]
pub struct Multivariant {
    /// In the order of the text, I-frame lists left out.
    pub variants: Vec<Variant>,
    /// Audio renditions, in the order of the text.
    pub renditions: Vec<Rendition>,
    /// Each segment can be decoded without those before it.
    pub independent_segments: bool,
    /// The keys it announces (`#EXT-X-SESSION-KEY`), in the order of the text;
    /// which media playlists use them only those tell.
    pub session_keys: Vec<Key>,
    base: Location,
}

/// One `#EXT-X-STREAM-INF`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Where its media playlist lies, relative to this one.
    pub uri: String,
    /// Its peak, with everything that belongs to it; 0 when not stated.
    pub bandwidth: BitRate,
    /// Its average.
    pub average_bandwidth: Option<BitRate>,
    /// The CODECS attribute, one entry each; empty when not stated.
    pub codecs: Vec<String>,
    /// The group of its audio renditions.
    pub audio: Option<String>,
    /// What else its tag tells.
    pub traits: Traits,
}

/// One `#EXT-X-MEDIA` of type AUDIO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// The group it belongs to.
    pub group: String,
    /// For people.
    pub name: String,
    /// What the publisher calls its language.
    pub language: Option<String>,
    /// The number of channels.
    pub channels: Option<u64>,
    /// To be played unless the user says otherwise.
    pub is_default: bool,
    /// May be played without being asked for.
    pub is_autoselect: bool,
    /// What sets it apart, such as `public.easy-to-read`.
    pub characteristics: Option<String>,
    /// Where its media playlist lies; `None`: inside the variants' own.
    pub uri: Option<String>,
}

impl Multivariant {
    /// Types a sanitised playlist that was found at `base`.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Malformed`] should the crate refuse it all the same.
    pub fn of(clean: Clean, base: &Location) -> Result<Self, Problem> {
        let typed = guarded(|| MasterPlaylist::try_from(clean.text.as_str()))?;
        let audio = typed
            .media
            .iter()
            .filter(|media| media.media_type == MediaType::Audio);
        Ok(Self {
            variants: typed
                .variant_streams
                .iter()
                .zip(clean.traits)
                .filter_map(|(stream, traits)| Variant::of(stream, traits))
                .collect(),
            renditions: audio.map(Rendition::of).collect(),
            independent_segments: typed.has_independent_segments,
            session_keys: clean.session_keys,
            base: base.clone(),
        })
    }

    /// Where it was found.
    pub fn base(&self) -> &Location {
        &self.base
    }

    /// The address that `uri`, of a variant or rendition of this playlist, means.
    ///
    /// # Errors
    ///
    /// As [`Location::join`].
    pub fn location(&self, uri: &str) -> Result<Location, Problem> {
        self.base.join(uri)
    }

    /// Whether it announces keys, but none that we can use (HLS.md K9). Its media
    /// playlists may still be clear; which are, only they tell.
    pub fn is_protected(&self) -> bool {
        let is_usable = |key: &Key| key.method == Method::Aes128 && key.format.is_none();
        !self.session_keys.is_empty() && !self.session_keys.iter().any(is_usable)
    }
}

impl Variant {
    fn of(stream: &VariantStream<'_>, traits: Traits) -> Option<Self> {
        let VariantStream::ExtXStreamInf {
            uri,
            audio,
            stream_data,
            ..
        } = stream
        else {
            return None;
        };
        let codecs = stream_data
            .codecs()
            .into_iter()
            .flat_map(|codecs| codecs.iter());
        Some(Self {
            uri: uri.clone().into_owned(),
            bandwidth: BitRate(stream_data.bandwidth()),
            average_bandwidth: stream_data.average_bandwidth().map(BitRate),
            codecs: codecs.map(|codec| codec.trim().to_owned()).collect(),
            audio: audio.clone().map(Cow::into_owned),
            traits,
        })
    }

    /// Whether it has pictures. One that states neither CODECS nor anything else
    /// about them is not taken for one with pictures.
    pub fn has_picture(&self) -> bool {
        self.traits.has_picture || codecs::has_picture(&self.codecs)
    }

    /// Whether it is `other` from another place (RFC 8216 section 6.2.4):
    /// everything that is stated is the same, but not the address.
    pub fn is_redundant_to(&self, other: &Self) -> bool {
        // Without a bandwidth nothing tells two qualities apart.
        let is_stated = self.bandwidth > BitRate(0);
        is_stated && self.traits.identity == other.traits.identity && self.uri != other.uri
    }
}

impl Rendition {
    fn of(media: &ExtXMedia<'_>) -> Self {
        let owned = |text: Option<&Cow<'_, str>>| text.map(|text| text.clone().into_owned());
        Self {
            group: media.group_id().clone().into_owned(),
            name: media.name().clone().into_owned(),
            language: owned(media.language()),
            channels: media.channels.map(|channels| channels.number()),
            is_default: media.is_default,
            is_autoselect: media.is_autoselect,
            characteristics: owned(media.characteristics()),
            uri: owned(media.uri()),
        }
    }

    /// Its language, when it is stated and names one.
    pub fn tag(&self) -> Option<Tag> {
        Tag::read(self.language.as_deref()?)
    }

    /// Speaks for those who do not see the picture.
    pub fn describes_video(&self) -> bool {
        let described = |text: &String| text.contains("describes-video");
        self.characteristics.as_ref().is_some_and(described)
    }
}
