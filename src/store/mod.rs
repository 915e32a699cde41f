//! Bytes of a URL, from the cache or from the network: what arrives is written
//! through into its cache entry and read back from there, a broken transfer is
//! resumed at the exact byte, and bytes of two versions are never mixed. Local
//! files are read where they lie.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::{Entry, Head, Identity, Reader, Stream, Writer};
use crate::error::{Kind, Problem, reason};
use crate::event::{Event, Events, RequestKind};
use crate::fetch::{Attempts, ByteRange, Client, Request, Response, Status, Verdict};
use crate::limits;
use crate::location::Location;
use crate::media::Source;
use crate::stats::{Stage, Stats};

/// Bytes looked at to tell a playlist from media.
const SNIFF_BYTES: usize = 512;

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
}

/// How the cache is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Never touch the network.
    pub offline: bool,
    /// Ask the server whether what is cached still holds.
    pub refresh: bool,
}

/// The bytes of one stream's resources.
#[derive(Clone)]
pub struct Store {
    client: Client,
    stream: Stream,
    policy: Policy,
    stats: Arc<Stats>,
    events: Events,
}

/// A resource whose bytes are here or on their way.
pub struct Opened {
    /// Where to read them.
    pub body: Body,
    /// The transfer that still has to run, when they are not all here.
    pub transfer: Option<Transfer>,
}

/// Where the bytes of a resource lie.
#[derive(Clone)]
pub enum Body {
    /// In a cache entry; the part of it that was wanted.
    Entry(Arc<Entry>, Option<Range<u64>>),
    /// In a local file; the part of it that was wanted.
    File(PathBuf, Option<Range<u64>>),
}

/// A playlist's bytes.
#[derive(Clone, Debug)]
pub struct Text {
    /// The body, decoded.
    pub bytes: Vec<u8>,
    /// What relative references in it are relative to.
    pub base: Location,
    /// What to keep it under, when it came from the network.
    keep: Option<(Identity, Head)>,
}

/// What a URL turned out to be.
pub enum First {
    /// An HLS playlist.
    Playlist(Text),
    /// Something else: media, we hope.
    Media(Opened),
}
