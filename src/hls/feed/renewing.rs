//! Addresses that expired while a stream with an end was played: its list is
//! loaded again, or the stream found again, and what was refused is asked for
//! where it is now. It stays what it was: in the cache it has its old name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Feed, Flight};
use crate::error::Problem;
use crate::hls::listing;
use crate::hls::load::{Load, Note, say};
use crate::hls::media::Media;
use crate::hls::renewal::{self, Renewed, is_expired, moved};
use crate::location::Location;
use crate::store::Wanted;

/// How often one thing that is refused is looked for at a new address.
const RENEWALS: u32 = 2;

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// The media playlist is loaded again.
    List,
    /// The stream is found again from its root.
    Root,
}

/// What is known of new addresses, by variant.
#[derive(Default)]
pub(super) struct Renewals {
    lists: HashMap<usize, Arc<Media>>,
    /// What was refused and waits for a search that is under way, and why.
    waiting: HashMap<usize, Vec<(Load, Problem)>>,
    /// Variants whose new addresses are the old ones, or are refused as well.
    futile: HashSet<usize>,
}

impl Feed {
    /// `wanted` with the address where it is now.
    pub(super) fn addressed(&self, wanted: Wanted) -> Wanted {
        let place = wanted.variant.and_then(|rung| {
            let new = self.renewals.lists.get(&rung)?;
            moved(self.presentation.media(rung)?, new, &wanted)
        });
        Wanted {
            moved_to: place,
            ..wanted
        }
    }

    /// Looks for a new address of what was refused; `false` when the refusal
    /// stands. Live streams do it with their reloads.
    pub(super) fn renew(&mut self, load: Load, problem: &Problem) -> bool {
        if !is_expired(problem) || self.broadcast.is_some() || self.store.is_offline() {
            return false;
        }
        let Some(Flight {
            wanted, renewals, ..
        }) = self.flights.get(&load)
        else {
            return false;
        };
        let (wanted, renewals) = (wanted.clone(), *renewals);
        let Some(rung) = wanted.variant else {
            return false;
        };
        let Some(search) = self.next_search(rung, &wanted, renewals) else {
            return false;
        };
        let now = self.addressed(wanted.clone());
        if now.address() != wanted.address() {
            // Found while this was under way.
            self.launch(load, now, renewals + 1);
            return true;
        }
        let flight = Flight::new(wanted, renewals + 1);
        self.flights.insert(load, flight);
        self.wait_for(rung, search, (load, problem.clone()));
        true
    }

    /// How to look for what was refused after so many renewals, if at all.
    fn next_search(&mut self, rung: usize, wanted: &Wanted, renewals: u32) -> Option<Search> {
        let is_signed = matches!(&wanted.location, Location::Http(url) if url.query().is_some());
        let has_root = self.presentation.has_root(rung);
        if self.renewals.futile.contains(&rung) {
            return None;
        }
        match renewals {
            0 => (is_signed || has_root).then_some(Search::List),
            1..RENEWALS if has_root => Some(Search::Root),
            _ => {
                self.renewals.futile.insert(rung);
                None
            }
        }
    }

    fn wait_for(&mut self, rung: usize, search: Search, refused: (Load, Problem)) {
        let waiting = self.renewals.waiting.entry(rung).or_default();
        waiting.push(refused);
        if waiting.len() == 1 {
            self.start_search(rung, search);
        }
    }

    /// Looks for the media playlist of `rung`.
    pub(super) fn start_search(&mut self, rung: usize, search: Search) {
        let (store, tell) = (self.store.clone(), self.tell.clone());
        let variant = self.presentation.ladder.rungs[rung].clone();
        let (root, common) = (
            self.presentation.root.clone(),
            self.presentation.common.clone(),
        );
        self.tasks.spawn(async move {
            let found = match search {
                Search::Root => renewal::find_again(&store, &root, &variant).await.map(Some),
                Search::List => {
                    let place = variant.location.clone();
                    let list = listing::reload(&store, place, rung, common.as_deref(), None).await;
                    let renewed = |loaded| Renewed {
                        loaded,
                        variants: None,
                    };
                    list.map(|loaded| loaded.map(renewed))
                }
            };
            say(&tell, Note::Renewed(rung, search, Box::new(found))).await;
        });
    }

    /// A search for the media playlist of `rung` is over.
    pub(super) fn renewed(
        &mut self,
        rung: usize,
        search: Search,
        found: Result<Option<Renewed>, Problem>,
    ) -> Result<(), Problem> {
        let loaded = found.map(|found| found.map(|renewed| self.adopt(renewed)));
        if self.broadcast.is_some() {
            return self.reloaded(rung, loaded);
        }
        match loaded {
            Ok(Some(loaded)) => {
                self.renewals.lists.insert(rung, Arc::new(loaded.media));
            }
            Ok(None) => {}
            Err(problem) => tracing::info!("{problem}"),
        }
        for (load, problem) in self.renewals.waiting.remove(&rung).unwrap_or_default() {
            self.resume(load, rung, search, problem)?;
        }
        Ok(())
    }

    /// Asks for what was refused at its new address; without one the search
    /// goes on, or the refusal stands.
    fn resume(
        &mut self,
        load: Load,
        rung: usize,
        search: Search,
        problem: Problem,
    ) -> Result<(), Problem> {
        let Some(Flight {
            wanted, renewals, ..
        }) = self.flights.remove(&load)
        else {
            return Ok(());
        };
        let now = self.addressed(wanted.clone());
        if now.address() != wanted.address() {
            self.launch(load, now, renewals);
            return Ok(());
        }
        if search == Search::Root || !self.presentation.has_root(rung) {
            self.renewals.futile.insert(rung);
            return self.refused(load, problem, true);
        }
        let flight = Flight::new(wanted, renewals);
        self.flights.insert(load, flight);
        self.wait_for(rung, Search::Root, (load, problem));
        Ok(())
    }

    /// Takes over what is new of where the variants are.
    fn adopt(&mut self, renewed: Renewed) -> listing::Loaded {
        if let Some((ladder, common)) = renewed.variants {
            self.presentation.adopt(&ladder, common);
        }
        renewed.loaded
    }
}
