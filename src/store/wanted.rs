//! What is asked of the store: a resource or a part of one, and what for.

use std::ops::Range;

use url::Url;

use crate::cache::Identity;
use crate::event::RequestKind;
use crate::fetch::{ByteRange, Request};
use crate::location::Location;
use crate::units::MediaTime;

/// What is wanted: a resource or a part of it, and what for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where it is.
    pub location: Location,
    /// The part of it, in bytes; all of it when `None`.
    pub range: Option<Range<u64>>,
    /// What it is for.
    pub kind: RequestKind,
    /// The variant it belongs to.
    pub variant: Option<usize>,
    /// The segment it carries.
    pub segment: Option<u64>,
    /// When that is heard in the run.
    pub heard: Option<Range<MediaTime>>,
    /// It is fetched ahead of what is wanted now: without room for all of it,
    /// nothing of it is kept.
    pub is_ahead: bool,
    /// Where it is asked for, now that its own address does not hold any more;
    /// in the cache it keeps its name.
    pub moved_to: Option<Location>,
}

impl Wanted {
    /// All of a resource that belongs to no variant.
    pub fn whole(location: Location, kind: RequestKind) -> Self {
        Self {
            location,
            range: None,
            kind,
            variant: None,
            segment: None,
            heard: None,
            is_ahead: false,
            moved_to: None,
        }
    }

    /// Where it is asked for.
    pub fn address(&self) -> &Location {
        self.moved_to.as_ref().unwrap_or(&self.location)
    }

    /// What it is called in messages.
    pub fn name(&self) -> String {
        match self.segment {
            Some(number) => format!("segment {number} ({})", self.location),
            None => format!("\"{}\"", self.location),
        }
    }

    /// A part is an entry of its own: without a validator nothing else could
    /// tell whether two parts are of one version.
    pub(super) fn identity(&self, url: &Url) -> Identity {
        match &self.range {
            None => Identity::of_url(url.as_str()),
            Some(range) => Identity::of_part(url.as_str(), range),
        }
    }

    pub(super) fn request(&self, url: &Url) -> Request {
        let url = match self.address() {
            Location::Http(moved) => moved,
            Location::File(_) => url,
        };
        let range = self
            .range
            .as_ref()
            .and_then(|range| ByteRange::new(range.start, range.end));
        let (variant, segment) = (self.variant, self.segment);
        Request {
            range,
            variant,
            segment,
            heard: self.heard.clone(),
            ..Request::new(self.kind, url.clone())
        }
    }

    /// What is subtracted from an offset in the resource to get one in the entry.
    pub(super) fn base(&self) -> u64 {
        self.range.as_ref().map_or(0, |range| range.start)
    }
}
