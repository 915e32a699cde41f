//! The only door to the network: one client for HTTP and HTTPS. It knows
//! nothing of caches and streams; it delivers the bytes of a URL from a
//! given one on, asks again where that can help, and says why where it cannot.
//!
//! ```text
//! Client::open ─► attempt ─► hop ─► head ─► Response::chunk … end
//!    ▲ retry         ▲ redirect             │ broke off
//!    └───────────────┴──── Client::pause ◄──┘ (the caller opens again with a range)
//! ```

mod client;
mod cmcd;
mod connect;
mod cookies;
mod failure;
mod hop;
mod icy;
mod origin;
mod pem;
mod proxy;
mod range;
mod redirect;
mod response;
mod retry;
mod secrets;
mod shoutcast;
mod tls;

#[cfg(test)]
mod tests;

pub use client::{Client, Document, Settings};
pub use cmcd::{Cmcd, CmcdMode};
pub use failure::{Cause, Failure};
pub use icy::Station;
pub use origin::Credentials;
pub use pem::{Authorities, Certificate};
pub use proxy::Proxies;
pub use range::{ByteRange, Status};
pub use response::{Head, Response, Whole};
pub use retry::Attempts;
pub use secrets::Secrets;

use std::ops::Range;

use url::Url;

use crate::event::RequestKind;
use crate::text;
use crate::units::MediaTime;

/// What to fetch.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where. User-info in it is not sent.
    pub url: Url,
    /// What for. Playlists may come compressed, everything else must not.
    pub kind: RequestKind,
    /// Which bytes; `None` is all.
    pub range: Option<ByteRange>,
    /// The [`Head::validator`] of the bytes that are already here: another
    /// version is answered from its beginning. Only with `range`.
    pub if_range: Option<String>,
    /// The length of the resource if it is known: a part of a resource of
    /// another length is refused.
    pub total: Option<u64>,
    /// The ETag of a copy: the answer may be [`Status::NotModified`].
    pub if_none_match: Option<String>,
    /// The Last-Modified date of a copy: the same, where there is no ETag.
    pub if_modified_since: Option<String>,
    /// The body may be that of a radio station: it may mix titles into it,
    /// which [`Response::take_titles`] gives.
    pub wants_titles: bool,
    /// Only the head of the answer is asked for (HEAD).
    pub is_head: bool,
    /// Which variant it belongs to, for the trace.
    pub variant: Option<usize>,
    /// Which segment it carries, for the trace and for messages.
    pub segment: Option<u64>,
    /// When that is heard in the run, for CMCD.
    pub heard: Option<Range<MediaTime>>,
}

impl Request {
    /// All of `url`.
    pub fn new(kind: RequestKind, url: Url) -> Self {
        Self {
            url,
            kind,
            range: None,
            if_range: None,
            total: None,
            if_none_match: None,
            if_modified_since: None,
            wants_titles: false,
            is_head: false,
            variant: None,
            segment: None,
            heard: None,
        }
    }

    /// Whether a copy is there, so that the answer may be that it still holds.
    fn has_copy(&self) -> bool {
        self.if_none_match.is_some() || self.if_modified_since.is_some()
    }

    /// Whether compression is asked for. Of media never: its offsets count.
    fn is_compressible(&self) -> bool {
        matches!(self.kind, RequestKind::Multivariant | RequestKind::Media)
    }

    /// Whether the answer may be compressed unasked: some servers keep
    /// playlists that way, and only the answer tells what a file is.
    fn may_come_compressed(&self) -> bool {
        let is_unknown = self.kind == RequestKind::File && self.range.is_none();
        is_unknown || self.is_compressible()
    }

    /// The first part of a problem: what cannot be done.
    fn what(&self) -> String {
        let object = match (self.kind, self.segment) {
            (RequestKind::Multivariant, _) => "the playlist ".to_owned(),
            (RequestKind::Media, _) => "the media playlist ".to_owned(),
            (RequestKind::Init, _) => "the init section ".to_owned(),
            (RequestKind::Key, _) => "the key ".to_owned(),
            (RequestKind::Segment, Some(number)) => format!("segment {number} "),
            (RequestKind::Segment, None) => "a segment ".to_owned(),
            (RequestKind::File, _) => String::new(),
        };
        format!(
            "cannot fetch {object}{}",
            text::short_url(self.url.as_str())
        )
    }
}
