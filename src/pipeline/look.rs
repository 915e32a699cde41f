//! A look at a stream that is not played: what `info` and `simulate` open it with.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use crate::bell::Bell;
use crate::error::Problem;
use crate::event::{self, Event, Events};
use crate::fetch::{Client, Credentials};
use crate::location::Location;
use crate::pipeline::housekeeping::Shelf;
use crate::pipeline::{CacheChoice, Network, net};
use crate::stats::Stats;
use crate::store::Store;

/// What a look works with.
pub struct Look {
    pub bell: Arc<Bell>,
    pub stats: Arc<Stats>,
    pub events: Events,
    heard: Receiver<Event>,
}

impl Look {
    /// With counters of its own.
    pub fn new() -> Self {
        let (events, heard) = event::channel();
        Self {
            bell: Arc::default(),
            stats: Arc::default(),
            events,
            heard,
        }
    }

    /// The bytes of `location`, whose user-info becomes one of the secrets; a
    /// list that was `typed` may have led there.
    /// Servers are asked whether stored playlists still hold.
    ///
    /// # Errors
    ///
    /// Those of [`Shelf::open`] and of a client that cannot be set up.
    pub fn open(
        &self,
        location: &mut Location,
        typed: Option<&Location>,
        cache: &CacheChoice,
        network: &Network,
    ) -> Result<(Client, Store), Problem> {
        let credentials = network.credentials(location, typed);
        let asker = credentials.as_ref().and_then(Credentials::summary);
        let (stats, events) = (&self.stats, &self.events);
        let client = net::client(network, credentials, false, stats, events)?;
        let shelf = Shelf::open(cache, false, &self.bell, &self.stats, &self.events)?;
        let (asker, policy) = (asker.as_deref(), net::policy(cache.mode, false, true));
        let store = shelf.store(client.clone(), location, asker, policy, stats, events)?;
        Ok((client, store))
    }

    /// What would be said on a terminal by now.
    pub fn warnings(&self) -> Vec<Problem> {
        let warnings = self.heard.try_iter().filter_map(|event| match event {
            Event::Warning(problem) => Some(problem),
            _ => None,
        });
        warnings.collect()
    }
}
