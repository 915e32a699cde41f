//! A multivariant playlist as values: variants and audio renditions, nothing
//! that has no sound.

use std::borrow::Cow;

use hls_m3u8::MasterPlaylist;
use hls_m3u8::tags::{ExtXMedia, VariantStream};
use hls_m3u8::types::MediaType;

use crate::error::Problem;
use crate::hls::playlist::guarded;
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
    /// A picture size is stated.
    pub has_resolution: bool,
    /// The group of its audio renditions.
    pub audio: Option<String>,
}

/// One `#EXT-X-MEDIA` of type AUDIO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// The group it belongs to.
    pub group: String,
    /// For people.
    pub name: String,
    /// An RFC 5646 tag, such as `en`.
    pub language: Option<String>,
    /// The number of channels.
    pub channels: Option<u64>,
    /// To be played unless the user says otherwise.
    pub is_default: bool,
    /// May be played without being asked for.
    pub is_autoselect: bool,
    /// Speaks for those who do not see the picture.
    pub describes_video: bool,
    /// Where its media playlist lies; `None`: inside the variants' own.
    pub uri: Option<String>,
}

impl Multivariant {
    /// Types a sanitised playlist that was found at `base`.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Malformed`] should the crate refuse it all the same.
    pub fn of(clean: &str, base: &Location) -> Result<Self, Problem> {
        let typed = guarded(|| MasterPlaylist::try_from(clean))?;
        let audio = typed
            .media
            .iter()
            .filter(|media| media.media_type == MediaType::Audio);
        Ok(Self {
            variants: typed
                .variant_streams
                .iter()
                .filter_map(Variant::of)
                .collect(),
            renditions: audio.map(Rendition::of).collect(),
            independent_segments: typed.has_independent_segments,
            base: base.clone(),
        })
    }

    /// The address that `uri`, of a variant or rendition of this playlist, means.
    ///
    /// # Errors
    ///
    /// As [`Location::join`].
    pub fn location(&self, uri: &str) -> Result<Location, Problem> {
        self.base.join(uri)
    }
}

impl Variant {
    fn of(stream: &VariantStream<'_>) -> Option<Self> {
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
            has_resolution: stream_data.resolution().is_some(),
            audio: audio.clone().map(Cow::into_owned),
        })
    }
}

impl Rendition {
    fn of(media: &ExtXMedia<'_>) -> Self {
        let owned = |text: Option<&Cow<'_, str>>| text.map(|text| text.clone().into_owned());
        let characteristics = media.characteristics().map_or("", |text| text.as_ref());
        Self {
            group: media.group_id().clone().into_owned(),
            name: media.name().clone().into_owned(),
            language: owned(media.language()),
            channels: media.channels.map(|channels| channels.number()),
            is_default: media.is_default,
            is_autoselect: media.is_autoselect,
            describes_video: characteristics.contains("describes-video"),
            uri: owned(media.uri()),
        }
    }
}
