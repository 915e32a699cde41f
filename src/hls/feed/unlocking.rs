//! Keys: asked for beside the init section, and looked up when a segment is
//! handed over. Nothing is handed over as clear while its key is missing.

use super::Feed;
use super::about::{About, Seal};
use crate::error::Problem;
use crate::hls::key::{self, Address, Keeping, Lock, State};
use crate::hls::load::{Load, Note, say};
use crate::hls::wishes::Purpose;
use crate::location::Location;
use crate::media::Cipher;
use crate::stats::Stage;
use crate::store::Wanted;

impl Feed {
    /// Asks for the key of a segment and that of its init section, unless they
    /// were asked for before.
    pub(super) fn start_keys(&mut self, about: &About) {
        let of_init = about.init.as_ref().and_then(|init| init.seal.as_ref());
        for seal in [about.seal.as_ref(), of_init].into_iter().flatten() {
            // What is wrong with an address is told when the segment is demanded.
            if let Ok((Address::At(location), _)) = &seal.0
                && !self.keys.has(location)
            {
                self.start_key(location.clone(), about.rung, false);
            }
        }
    }

    fn start_key(&mut self, location: Location, rung: usize, is_waited_for: bool) {
        let key = self.keys.ask(&location, is_waited_for);
        self.stats.begin(Stage::Key);
        self.start(Load::Key { key }, key::wanted(location, rung));
    }

    /// Sends the request for a key, unless one was sent ahead.
    pub(super) fn fetch_key(&mut self, key: u64, wanted: Wanted) {
        let (store, tell, events) = (self.store.clone(), self.tell.clone(), self.events.clone());
        let keeping = match self.wishes.purpose {
            Purpose::Cache { .. } => Keeping::Always,
            Purpose::Decode if self.broadcast.is_none() => Keeping::WhenPossible,
            Purpose::Decode => Keeping::Never,
        };
        let preload = self.presentation.preloads.take(&wanted.location);
        self.tasks.spawn(async move {
            let loaded = key::load(&store, &wanted, preload, keeping, &events).await;
            say(&tell, Note::Key(key, loaded)).await;
        });
    }

    /// A key came, or will not come.
    pub(super) fn key_came(
        &mut self,
        key: u64,
        loaded: Result<[u8; 16], Problem>,
    ) -> Result<(), Problem> {
        let load = Load::Key { key };
        if let Err(problem) = &loaded
            && self.renew(load, problem)
        {
            return Ok(());
        }
        self.flights.remove(&load);
        self.key_is_settled(key, loaded)
    }

    /// What came of a key, wherever it was asked for.
    pub(super) fn key_is_settled(
        &mut self,
        key: u64,
        loaded: Result<[u8; 16], Problem>,
    ) -> Result<(), Problem> {
        self.stats.end(Stage::Key);
        match loaded {
            Err(problem) if self.is_strict() => return Err(problem),
            loaded => self.keys.note(key, loaded),
        }
        Ok(())
    }

    /// What undoes the encryption of something that the segment at `place`,
    /// which is wanted now, needs.
    pub(super) fn lock(
        &mut self,
        place: usize,
        rung: usize,
        seal: Option<&Seal>,
    ) -> Result<Lock, Problem> {
        let Some(Seal(seal)) = seal else {
            return Ok(Lock::Open(None));
        };
        let (address, iv) = seal.clone()?;
        let key_name = address.to_string();
        let open = |key| Ok(Lock::Open(Some(Cipher { key, iv, key_name })));
        let location = match address {
            Address::Inline(key) => return open(key),
            Address::At(location) => location,
        };
        match self.keys.wait_for(&location) {
            Some(State::Here(key)) => open(*key),
            Some(State::Coming { .. }) => Ok(Lock::Shut),
            Some(State::Lost { problem, .. }) => {
                let problem = problem.clone();
                self.keys.forget(&location);
                self.lack(place, problem).map(|()| Lock::Shut)
            }
            None => {
                if !self.is_paused(place) {
                    self.start_key(location, rung, true);
                }
                Ok(Lock::Shut)
            }
        }
    }
}
