//! Where the bytes of a stream are kept: its folder in a cache, which is made
//! when the first of them is. A run that keeps nothing leaves nothing there.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::cache::{Cache, Entry, Identity, Stream};
use crate::error::Problem;

/// The place of one stream in a cache. Clones are the same place.
#[derive(Clone)]
pub struct Disk {
    cache: Cache,
    identity: Identity,
    stream: Arc<OnceLock<Stream>>,
}

impl Disk {
    /// The place of the stream of `identity`; nothing is made or opened yet.
    pub fn new(cache: Cache, identity: Identity) -> Self {
        let stream = Arc::default();
        Self {
            cache,
            identity,
            stream,
        }
    }

    /// A place for the same stream that is this run's own and goes with it, in
    /// a folder of its own in `parent`.
    ///
    /// # Errors
    ///
    /// Those of [`Cache::private`].
    pub fn hidden(&self, parent: &Path) -> Result<Self, Problem> {
        let cache = self.cache.beside(parent)?;
        Ok(Self::new(cache, self.identity.clone()))
    }

    /// Whether other runs may read what is kept here.
    pub fn is_shared(&self) -> bool {
        self.cache.is_shared()
    }

    /// Whether it is in memory.
    pub fn is_memory(&self) -> bool {
        self.cache.is_memory()
    }

    /// The stream, if it is there.
    pub fn found(&self) -> Option<&Stream> {
        if self.stream.get().is_none()
            && let Ok(Some(stream)) = self.cache.find(&self.identity)
        {
            // Whoever was first has opened the same.
            let _ = self.stream.set(stream);
        }
        self.stream.get()
    }

    /// The stream, made when it is not there.
    ///
    /// # Errors
    ///
    /// Those of [`Cache::stream`].
    pub fn made(&self) -> Result<&Stream, Problem> {
        if self.stream.get().is_none() {
            let _ = self.stream.set(self.cache.stream(&self.identity)?);
        }
        Ok(self.stream.get().expect("it was set above"))
    }

    /// See [`Stream::is_outdated`].
    pub fn is_outdated(&self) -> bool {
        self.found().is_some_and(Stream::is_outdated)
    }

    /// See [`Stream::set_outdated`].
    ///
    /// # Errors
    ///
    /// Those of [`Stream::set_outdated`].
    pub fn set_outdated(&self, is_outdated: bool) -> Result<(), Problem> {
        self.found()
            .map_or(Ok(()), |stream| stream.set_outdated(is_outdated))
    }

    /// The entry of `identity` in it, whole or in part.
    pub fn entry(&self, identity: &Identity) -> Option<Arc<Entry>> {
        self.found()?.find(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Head;

    #[test]
    fn a_place_is_made_by_what_is_kept_and_by_nothing_before() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("cache");
        let cache = Cache::open(&root, None, Arc::default(), Arc::default());
        let cache = cache.expect("a cache");
        let identity = Identity::of_url("https://h/live.m3u8");
        let disk = Disk::new(cache.clone(), identity.clone());
        assert!(disk.found().is_none() && disk.entry(&identity).is_none());
        assert!(!root.exists());
        let stream = disk.made().expect("a folder that can be written");
        let entry = stream.begin(&identity, Head::default()).expect("an entry");
        let found = disk.entry(&identity).expect("the entry");
        assert!(Arc::ptr_eq(&entry, &found));
        let again = Disk::new(cache, identity.clone());
        assert!(again.entry(&identity).is_some(), "found without being made");
    }
}
