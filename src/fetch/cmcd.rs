//! CMCD (CTA-5004, version 1): what a player tells a CDN with each request, when
//! the user wants it. Figures of playback and of the stream, nothing of the user:
//! the session is named by chance, anew in each run. Every server a stream leads
//! to is told, as the edge behind a redirect is the one that counts.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::{Url, form_urlencoded};

use crate::event::RequestKind;
use crate::stats::Stats;
use crate::units::MediaTime;

use super::Request;

const ARGUMENT: &str = "CMCD";

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmcdMode {
    /// In four request headers.
    Header,
    /// In one argument of the query.
    Query,
}

/// What is told of one run.
#[derive(Debug)]
pub struct Cmcd {
    mode: CmcdMode,
    session: String,
    is_played: bool,
    /// Waits for data that were told.
    stalls: AtomicU64,
}

/// What one request is told with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    buffer_ms: Option<u64>,
    bit_rate_kbps: Option<u64>,
    is_starved: bool,
    duration_ms: Option<u64>,
    deadline_ms: Option<u64>,
    throughput_kbps: Option<u64>,
    object: Option<&'static str>,
    format: Option<&'static str>,
    kind: Option<&'static str>,
    is_urgent: bool,
    top_rate_kbps: Option<u64>,
}

/// The header that a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Object,
    Request,
    Session,
    Status,
}

/// A key and its value as they are sent; of a flag the key alone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    group: Group,
    text: String,
}

impl Cmcd {
    /// A new session of what is played, or only fetched.
    pub fn new(mode: CmcdMode, is_played: bool) -> Self {
        Self {
            mode,
            session: random_uuid(),
            is_played,
            stalls: AtomicU64::new(0),
        }
    }

    /// Adds to the request that is about to be sent to `target`.
    pub(super) fn add_to(
        &self,
        request: &Request,
        stats: &Stats,
        target: &mut Url,
        headers: &mut HeaderMap,
    ) {
        let pairs = self.facts(request, stats).pairs(&self.session);
        match self.mode {
            CmcdMode::Query => set_argument(target, &joined(pairs.iter())),
            CmcdMode::Header => {
                for (group, name) in Group::ALL {
                    let text = joined(pairs.iter().filter(|pair| pair.group == group));
                    if let Ok(value) = HeaderValue::from_str(&text)
                        && !text.is_empty()
                    {
                        headers.insert(name, value);
                    }
                }
            }
        }
    }

    fn facts(&self, request: &Request, stats: &Stats) -> Facts {
        let is_media = request.kind == RequestKind::Segment;
        let (position, estimate) = (stats.position(), stats.estimate().kilobits());
        let buffer = millis(stats.fetched_until.now() - position);
        let is_silent = stats.frames_played.total() == 0 || buffer == 0;
        let of_media = |value: Option<u64>| value.filter(|_| is_media);
        let of_player = |value: Option<u64>| of_media(value).filter(|_| self.is_played);
        let lists = stats.lists();
        let rate = |row: &crate::stats::VariantRow| {
            let is_known = row.bandwidth > 0 && !row.with_pictures;
            is_known.then(|| row.bandwidth.div_ceil(1000))
        };
        let own = request.variant.and_then(|index| lists.variants.get(index));
        let playable = lists.variants.iter().filter(|row| row.decodable);
        let heard = request.heard.as_ref();
        let total = stats.rebuffers.total();
        Facts {
            buffer_ms: of_player(Some(hundreds(buffer))),
            bit_rate_kbps: of_media(own.and_then(rate)),
            is_starved: self.is_played && self.stalls.swap(total, Ordering::Relaxed) < total,
            duration_ms: of_media(heard.map(|heard| millis(heard.end - heard.start))),
            deadline_ms: of_player(heard.map(|heard| hundreds(millis(heard.start - position)))),
            throughput_kbps: Some(hundreds(estimate)).filter(|rate| *rate > 0),
            object: object(request.kind, lists.kind),
            format: format(request.kind, lists.kind),
            kind: match lists.kind {
                "hls-vod" | "file" => Some("v"),
                "hls-live" | "hls-event" => Some("l"),
                _ => None,
            },
            is_urgent: self.is_played && is_silent,
            top_rate_kbps: of_media(playable.filter_map(rate).max()),
        }
    }
}

/// What is asked for, in a letter.
fn object(kind: RequestKind, stream: &str) -> Option<&'static str> {
    match kind {
        RequestKind::Multivariant | RequestKind::Media => Some("m"),
        RequestKind::Init => Some("i"),
        RequestKind::Key => Some("k"),
        RequestKind::Segment => Some("a"),
        RequestKind::File => (stream == "file").then_some("a"),
    }
}

/// The streaming format; what a URL is, is not known before its first answer.
fn format(kind: RequestKind, stream: &str) -> Option<&'static str> {
    match (kind, stream) {
        (RequestKind::File, "file") => Some("o"),
        (RequestKind::File, _) => None,
        _ => Some("h"),
    }
}

fn millis(time: MediaTime) -> u64 {
    u64::try_from(time.millis()).unwrap_or(0)
}

/// Rounded to the nearest hundred.
fn hundreds(value: u64) -> u64 {
    value.saturating_add(50) / 100 * 100
}

impl Facts {
    /// Everything there is to tell, sorted by key.
    fn pairs(&self, session: &str) -> Vec<Pair> {
        let number = |group, key: &str, value: Option<u64>| {
            value.map(|value| Pair {
                group,
                text: format!("{key}={value}"),
            })
        };
        let token = |group, key: &str, value: Option<&str>| {
            value.map(|value| Pair {
                group,
                text: format!("{key}={value}"),
            })
        };
        let flag = |group, key: &str, is_set: bool| {
            is_set.then(|| Pair {
                group,
                text: key.to_owned(),
            })
        };
        let quoted = format!("\"{session}\"");
        let all = [
            number(Group::Request, "bl", self.buffer_ms),
            number(Group::Object, "br", self.bit_rate_kbps),
            flag(Group::Status, "bs", self.is_starved),
            number(Group::Object, "d", self.duration_ms),
            number(Group::Request, "dl", self.deadline_ms),
            number(Group::Request, "mtp", self.throughput_kbps),
            token(Group::Object, "ot", self.object),
            token(Group::Session, "sf", self.format),
            token(Group::Session, "sid", Some(&quoted)),
            token(Group::Session, "st", self.kind),
            flag(Group::Request, "su", self.is_urgent),
            number(Group::Object, "tb", self.top_rate_kbps),
        ];
        all.into_iter().flatten().collect()
    }
}

impl Group {
    const ALL: [(Self, HeaderName); 4] = [
        (Self::Object, HeaderName::from_static("cmcd-object")),
        (Self::Request, HeaderName::from_static("cmcd-request")),
        (Self::Session, HeaderName::from_static("cmcd-session")),
        (Self::Status, HeaderName::from_static("cmcd-status")),
    ];
}

fn joined<'a>(pairs: impl Iterator<Item = &'a Pair>) -> String {
    let texts: Vec<_> = pairs.map(|pair| pair.text.as_str()).collect();
    texts.join(",")
}

/// Puts the argument behind what the query says; one that a redirect sent back
/// is replaced.
fn set_argument(target: &mut Url, text: &str) {
    let is_other = |pair: &&str| pair.split('=').next() != Some(ARGUMENT);
    let query = target.query().unwrap_or_default();
    let others: Vec<&str> = query.split('&').filter(is_other).collect();
    let mut longer = others.join("&");
    if !longer.is_empty() {
        longer.push('&');
    }
    longer.extend([ARGUMENT, "="]);
    longer.extend(form_urlencoded::byte_serialize(text.as_bytes()));
    target.set_query(Some(&longer));
}

/// A version 4 UUID (RFC 9562): two hashers of the standard library are keyed by
/// the system's chance.
fn random_uuid() -> String {
    let half = || RandomState::new().build_hasher().finish();
    uuid(half(), half())
}

fn uuid(high: u64, low: u64) -> String {
    let high = high & !0xF000 | 0x4000; // version
    let low = low & (u64::MAX >> 2) | 1 << 63; // variant
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF,
    )
}

#[cfg(test)]
mod tests;
