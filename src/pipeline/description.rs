//! What a stream is, in words and numbers, as `info` shows it.

use crate::error::Problem;
use crate::hls::live;
use crate::hls::media::Media;
use crate::hls::presentation::Presentation;
use crate::hls::repair;
use crate::hls::variant::{Rung, Tier};
use crate::location::Location;
use crate::media::Format;
use crate::units::MediaTime;

/// What a stream is.
#[derive(Clone, Debug)]
pub struct Description {
    /// `hls-vod`, `hls-live`, `hls-event` or `file`.
    pub kind: &'static str,
    /// Address without secrets.
    pub url: String,
    /// What can be chosen, in the order of `-Q N`.
    pub variants: Vec<VariantRow>,
    /// What these are and why these; `None` for a file.
    pub tier: Option<(Tier, String)>,
    /// The languages of its audio renditions.
    pub languages: Vec<String>,
    /// Which would be played and why.
    pub chosen: Option<(usize, String)>,
    /// What would be said while it is opened.
    pub warnings: Vec<Problem>,
    /// Why nothing of it can be played.
    pub refusal: Option<String>,
    /// What was mended in its playlists.
    pub repairs: Vec<Repair>,
    /// How many repairs are not in the list.
    pub more_repairs: usize,
    /// How long it is.
    pub duration: Option<MediaTime>,
    /// What only a live stream has; its duration is not known.
    pub live: Option<LiveRow>,
    /// Where the publisher wants playing to begin; negative: from the end.
    pub start_offset: Option<MediaTime>,
    /// `none`, the method of its keys, or the key system they come from.
    pub encryption: String,
    /// What is decoded; only after a probe.
    pub codec: Option<Format>,
    /// The proxy it is reached through.
    pub proxy: Option<String>,
}

/// A place in a playlist that broke the rules.
#[derive(Clone, Debug)]
pub struct Repair {
    /// Address of the playlist, without secrets.
    pub playlist: String,
    /// The line in it, from 1.
    pub line: u32,
    /// What was wrong and what it is taken for.
    pub what: String,
}

/// The playlist of a live stream as it is now.
#[derive(Clone, Copy, Debug)]
pub struct LiveRow {
    /// How long the segments are that it lists.
    pub window: MediaTime,
    /// How many there are.
    pub segments: usize,
    /// The longest a segment may be; how often it is loaded again.
    pub target_duration: MediaTime,
    /// How far from its end playing begins.
    pub hold_back: MediaTime,
    /// It also lists parts of segments (low latency), which are not used.
    pub has_parts: bool,
}

/// A variant or rendition.
#[derive(Clone, Debug)]
pub struct VariantRow {
    /// Its number for `-Q N`.
    pub id: usize,
    /// Peak bits per second; 0 when nothing is stated.
    pub bandwidth: u64,
    /// The bandwidths are those of the sound and pictures together.
    pub with_pictures: bool,
    /// Average bits per second, when stated.
    pub average_bandwidth: Option<u64>,
    /// The CODECS attribute.
    pub codecs: Option<String>,
    /// Whether it can be played, as far as the playlist says.
    pub decodable: bool,
    /// Why it is not played, or only when asked for.
    pub reason: Option<String>,
    /// NAME.
    pub name: Option<String>,
    /// LANGUAGE.
    pub language: Option<String>,
    /// CHANNELS.
    pub channels: Option<u64>,
    /// How many other places it has.
    pub alternatives: usize,
    /// `fmp4` when its media playlist was read and says so.
    pub container: Option<&'static str>,
}

impl Description {
    /// Of one file: what its decoder says is filled in later.
    pub fn of_file(location: &Location) -> Self {
        Self {
            kind: "file",
            url: location.to_string(),
            refusal: None,
            variants: Vec::new(),
            tier: None,
            languages: Vec::new(),
            chosen: None,
            warnings: Vec::new(),
            repairs: Vec::new(),
            more_repairs: 0,
            duration: None,
            live: None,
            start_offset: None,
            encryption: "none".to_owned(),
            codec: None,
            proxy: None,
        }
    }

    /// Of the playlists that were read so far.
    pub fn of_hls(location: &Location, presentation: &Presentation) -> Self {
        let chosen = presentation.chosen.as_ref();
        let media = chosen.and_then(|chosen| presentation.media(chosen.rung));
        let row = |rung: &Rung| VariantRow {
            id: rung.id,
            bandwidth: rung.bandwidth.0,
            with_pictures: rung.with_pictures,
            average_bandwidth: rung.average_bandwidth.map(|rate| rate.0),
            codecs: rung.codecs.clone(),
            decodable: rung.is_decodable(),
            reason: rung.reason().map(str::to_owned),
            name: rung.name.clone(),
            language: rung.language.clone(),
            channels: rung.channels,
            alternatives: rung.alternatives.len(),
            container: presentation
                .media(rung.id)
                .and_then(|media| container(media)),
        };
        let (repairs, ladder) = (presentation.repairs.iter(), &presentation.ladder);
        Self {
            kind: presentation.kind(),
            url: location.to_string(),
            variants: ladder.rungs.iter().map(row).collect(),
            tier: Some((ladder.tier, ladder.why.clone())),
            languages: ladder.languages.clone(),
            chosen: chosen.map(|chosen| (chosen.rung, chosen.reason.clone())),
            warnings: Vec::new(),
            refusal: None,
            more_repairs: repairs.clone().map(|(_, repairs)| repairs.more).sum(),
            repairs: repairs
                .flat_map(|(base, repairs)| repairs.list.iter().map(|one| Repair::of(base, one)))
                .collect(),
            duration: media
                .filter(|media| media.ended)
                .map(|media| media.duration()),
            live: media
                .filter(|media| !media.ended)
                .map(|media| window(media)),
            start_offset: media
                .and_then(|media| media.start_offset)
                .map(|start| start.offset),
            encryption: "none".to_owned(),
            codec: None,
            proxy: None,
        }
    }
}

impl Repair {
    fn of(base: &Location, repair: &repair::Repair) -> Self {
        Self {
            playlist: base.to_string(),
            line: repair.line,
            what: repair.what.clone(),
        }
    }
}

fn window(media: &Media) -> LiveRow {
    LiveRow {
        window: media.duration(),
        segments: media.len(),
        target_duration: media.target_duration,
        hold_back: live::hold_back(media),
        has_parts: media.has_parts,
    }
}

/// An initialisation section means fragmented MP4 (that of a transport stream is
/// hardly ever seen); anything else only its bytes can tell.
fn container(media: &Media) -> Option<&'static str> {
    (!media.maps.is_empty()).then_some("fmp4")
}
