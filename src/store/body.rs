//! Where the bytes of a resource lie: in the cache, perhaps still arriving, or in
//! a local file.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Kind, Problem};
use crate::media::Source;
use crate::stats::Stats;
use crate::store::source::{LocalFile, Part};
use crate::store::{Carrier, Kept};

/// A resource whose bytes are here or on their way.
pub struct Opened {
    /// Where to read them.
    pub body: Body,
    /// What still has to run when they are not all here.
    pub transfer: Option<Carrier>,
}

/// Where the bytes of a resource lie.
#[derive(Clone)]
pub enum Body {
    /// In the cache.
    Entry(Arc<Kept>),
    /// In a local file; the part of it that was wanted.
    File(PathBuf, Option<Range<u64>>),
}

impl Body {
    /// A reader of its own, at the start.
    ///
    /// # Errors
    ///
    /// [`Kind::LocalFile`] when a local file cannot be opened.
    pub fn source(&self, stats: &Arc<Stats>) -> Result<Box<dyn Source>, Problem> {
        let (path, range) = match self {
            Self::Entry(kept) => return Ok(Box::new(kept.reader())),
            Self::File(path, range) => (path, range),
        };
        let open = || {
            let file = Box::new(LocalFile::open(path, Arc::clone(stats))?);
            Ok(match range {
                None => file as Box<dyn Source>,
                Some(range) => Box::new(Part::new(file, range.clone())?),
            })
        };
        open().map_err(|error| {
            let what = format!(
                "cannot open \"{}\"",
                crate::text::safe(&path.to_string_lossy())
            );
            Problem::from_io(error, Kind::LocalFile, what, "check the name")
        })
    }

    /// Whether some of its bytes are in memory, as long as someone holds it.
    pub fn is_memory(&self) -> bool {
        match self {
            Self::Entry(kept) => kept.target().is_memory(),
            Self::File(..) => false,
        }
    }

    /// Bytes of it that are here, without a hole from the first on.
    pub fn come(&self) -> u64 {
        match self {
            Self::Entry(kept) => kept.known_until(0),
            Self::File(..) => self.length().unwrap_or(0),
        }
    }

    /// Nobody brings the rest: who waits for it is told `why`, until someone does.
    pub fn break_off(&self, why: Problem) {
        if let Self::Entry(kept) = self {
            kept.target().fail(why.clone());
            kept.entry().fail(why);
        }
    }

    /// Its length in bytes, once it is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Entry(kept) => kept.entry().total(),
            Self::File(_, Some(range)) => Some(range.end - range.start),
            Self::File(path, None) => path.metadata().ok().map(|facts| facts.len()),
        }
    }
}
