//! What only a stream without end needs: its playlist is loaded again, on its
//! own clock, for as long as it is played. A load that fails changes nothing.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Instant;

use super::{Feed, Search};
use crate::error::{Kind, Problem};
use crate::event::{Event, State};
use crate::hls::key;
use crate::hls::listing::{self, Loaded};
use crate::hls::live::{self, Edge, Reloads};
use crate::hls::load::{Note, say};
use crate::hls::media::{Media, PlaylistType};
use crate::hls::presentation::Presentation;
use crate::hls::renewal::is_expired;
use crate::limits;
use crate::units::MediaTime;

const REFUSALS: u32 = 2; // of a playlist; then the stream is looked for anew

/// The state of a live stream.
pub(super) struct Broadcast {
    reloads: Reloads,
    /// The server's mark of the playlist loaded last.
    etag: Option<String>,
    has_ended: bool,
    is_stale: bool,
    /// The decode thread waits for what is not listed yet.
    is_dry: bool,
    /// It was said that the stream does not come.
    is_starved: bool,
    /// It was said that the list is too long.
    is_cut: bool,
    /// How often in a row the server said that the address holds no more.
    refusals: u32,
}

impl Broadcast {
    /// After `media` was loaded for the first time, and cut if it was too long.
    pub fn new(media: &Media, presentation: &Presentation, is_cut: bool) -> Self {
        Self {
            reloads: Reloads::new(media.target_duration, presentation.loaded_at),
            etag: presentation.etag.clone(),
            has_ended: false,
            is_stale: false,
            is_dry: false,
            is_starved: false,
            is_cut,
            refusals: 0,
        }
    }

    /// When the playlist is loaded again.
    pub fn due(&self) -> Option<Instant> {
        self.reloads.due().filter(|_| !self.has_ended)
    }

    /// Whether the stream is looked for anew before the playlist is tried again:
    /// its address was refused again and again, and every other time.
    fn is_expired(&self) -> bool {
        self.refusals >= REFUSALS && self.refusals.is_multiple_of(REFUSALS)
    }

    /// The list is loaded as soon as possible: an address in it was refused.
    pub fn hurry(&mut self) {
        self.reloads.hurry(Instant::now());
    }

    /// Another variant's playlist is loaded from now on.
    pub fn change_variant(&mut self) {
        self.etag = None;
    }
}

impl Feed {
    /// Loads the playlist again when it is time.
    pub(super) fn start_reload(&mut self) {
        let now = Instant::now();
        let Some(broadcast) = &mut self.broadcast else {
            return;
        };
        if broadcast.due().is_none_or(|due| due > now) {
            return;
        }
        broadcast.reloads.begin(now);
        if broadcast.is_expired() {
            return self.start_search(self.reference, Search::Root);
        }
        let etag = broadcast.etag.clone();
        let rung = self.reference;
        let (store, tell) = (self.store.clone(), self.tell.clone());
        let location = self.presentation.ladder.rungs[rung].location.clone();
        let common = self.presentation.common.clone();
        self.tasks.spawn(async move {
            let loaded = listing::reload(&store, location, rung, common.as_deref(), etag).await;
            say(&tell, Note::Reloaded(rung, loaded)).await;
        });
    }

    /// The playlist of `rung` came again, unchanged when `None`, or did not.
    pub(super) fn reloaded(
        &mut self,
        rung: usize,
        loaded: Result<Option<Loaded>, Problem>,
    ) -> Result<(), Problem> {
        match loaded {
            Err(problem) => self.reload_failed(problem),
            Ok(None) => self.settle_reload(rung, 0, None),
            Ok(Some(loaded)) => {
                key::refuse_undecipherable(&loaded.media)?;
                let elapsed = self.broadcast.as_ref().map(|it| it.reloads.between_loads());
                let at_most =
                    live::longest_loss(loaded.media.target_duration, elapsed.unwrap_or_default());
                let (list, change) = self.list(rung).reload(Arc::new(loaded.media), at_most);
                if change.is_restart {
                    self.refuse_reused_names(list.media())?;
                    self.events.send(Event::Warning(restarted()));
                }
                if list.media().ended {
                    self.stats.duration.set(list.end_time());
                }
                self.presentation.lists[rung] = Some(list);
                self.shorten(rung);
                self.settle_reload(rung, change.added, loaded.etag)
            }
        }
    }

    /// Forgets the oldest segments of a list that grew too long.
    pub(super) fn shorten(&mut self, rung: usize) {
        let demanded = self.demanded();
        let Some(list) = self.presentation.lists[rung].take() else {
            return;
        };
        let next = demanded.saturating_sub(list.places().start);
        let surplus = live::surplus(list.media(), next);
        let is_event = list.media().playlist_type == Some(PlaylistType::Event);
        self.presentation.lists[rung] = Some(match surplus {
            0 => list,
            _ => list.without_first(surplus),
        });
        if let Some(broadcast) = &mut self.broadcast
            && surplus > 0
            && !is_event
            && !std::mem::replace(&mut broadcast.is_cut, true)
        {
            self.events.send(Event::Warning(too_long()));
        }
    }

    fn settle_reload(
        &mut self,
        rung: usize,
        added: u64,
        etag: Option<String>,
    ) -> Result<(), Problem> {
        let list = self.list(rung);
        let (target, ended) = (list.media().target_duration, list.media().ended);
        self.stats.reloads.add(1);
        self.events.send(Event::Reload {
            variant: rung,
            added,
        });
        let is_reference = rung == self.reference;
        let Some(broadcast) = &mut self.broadcast else {
            return Ok(());
        };
        broadcast.refusals = 0;
        broadcast.reloads.loaded(target, added > 0 || ended);
        broadcast.has_ended = ended && is_reference;
        if is_reference && etag.is_some() {
            broadcast.etag = etag;
        }
        let now = Instant::now();
        let is_stale = !ended && broadcast.reloads.is_stale(now);
        let unchanged = broadcast.reloads.unchanged_for(now);
        if is_stale
            && self
                .wishes
                .patience
                .is_some_and(|patience| unchanged >= patience)
        {
            return Err(stale());
        }
        if is_stale && !broadcast.is_stale {
            self.events.send(Event::Warning(stale()));
        }
        broadcast.is_stale = is_stale;
        Ok(())
    }

    fn reload_failed(&mut self, problem: Problem) -> Result<(), Problem> {
        let now = Instant::now();
        let Some(broadcast) = &mut self.broadcast else {
            return Ok(());
        };
        broadcast
            .reloads
            .failed(now, RandomState::new().build_hasher().finish());
        broadcast.refusals += u32::from(is_expired(&problem));
        let failing = broadcast.reloads.failing_for(now).unwrap_or_default();
        if self
            .wishes
            .patience
            .is_some_and(|patience| failing >= patience)
        {
            return Err(problem);
        }
        if listing::may_be_elsewhere(problem.kind) {
            self.presentation.ladder.rungs[self.reference].turn();
            broadcast.change_variant();
        }
        if broadcast.reloads.is_first_failure() {
            let todo = "trying again";
            self.events
                .send(Event::Warning(Problem { todo, ..problem }));
        }
        Ok(())
    }

    /// A listener who waited is taken over what is missing or, with
    /// `--live-edge`, too old by then; a dump has all there is, and silence for
    /// the rest. Returns the place that goes on.
    pub(super) fn catch_up(&mut self, place: usize) -> usize {
        if self.wishes.keeps_time || self.handed.is_none() {
            return place;
        }
        let Some(jump) = self.over_loss(place).or_else(|| self.over_delay(place)) else {
            return place;
        };
        let back = MediaTime::ZERO - jump.length;
        for list in self.presentation.lists.iter_mut().flatten() {
            *list = list.clone().shifted(back);
        }
        for about in self.known.values_mut() {
            about.start = about.start + back;
        }
        self.jumped_to = Some(jump.to);
        self.count_loss(jump.length, jump.why);
        jump.to
    }

    /// Over segments that left the window.
    fn over_loss(&self, place: usize) -> Option<Jump> {
        let to = self.next_after_loss(place)?;
        let length = (self.start_of(to)? - self.frontier).max(MediaTime::ZERO);
        let why = left_behind(to - place);
        Some(Jump { to, length, why })
    }

    /// Over what came too late, if the sound is more than a target duration
    /// later than the user wants.
    fn over_delay(&self, place: usize) -> Option<Jump> {
        let Edge::Behind(distance) = self.wishes.edge else {
            return None;
        };
        let list = self.list(self.reference);
        if !self.broadcast.as_ref()?.is_dry || list.media().ended {
            return None;
        }
        let to = list.place_at(list.end_time() - distance)?;
        let length = list.segment(to)?.start - list.segment(place)?.start;
        let why = too_late();
        (length > list.media().target_duration).then_some(Jump { to, length, why })
    }

    /// Notes whether the decode thread waits for what does not come.
    pub(super) fn starve(&mut self, is_starved: bool) {
        let Some(broadcast) = &mut self.broadcast else {
            return;
        };
        broadcast.is_dry = is_starved;
        let now = Instant::now();
        let is_cut_off = broadcast.is_stale || broadcast.reloads.failing_for(now).is_some();
        let is_starved = is_starved && (is_cut_off || !self.later.is_empty());
        if is_starved != broadcast.is_starved && self.handed.is_some() {
            broadcast.is_starved = is_starved;
            let state = match is_starved {
                true => State::Reconnecting,
                false => State::Playing,
            };
            self.events.send(Event::State(state));
        }
    }
}

/// A way over what is not heard.
struct Jump {
    /// The place that goes on.
    to: usize,
    /// How much is passed over.
    length: MediaTime,
    /// Why.
    why: Problem,
}

/// Segments left the window before they were fetched.
pub(super) fn left_behind(segments: usize) -> Problem {
    let why = format!("{segments} segments left the playlist before they were fetched");
    lost(why)
}

fn too_late() -> Problem {
    lost("a part of it came too late after a stall")
}

fn lost(why: impl Into<String>) -> Problem {
    Problem::new(
        Kind::NoData,
        "cannot play all of the live stream",
        why,
        "going on behind it",
    )
}

fn restarted() -> Problem {
    Problem::new(
        Kind::Changed,
        "cannot tell what was lost",
        "the live stream counts its segments anew",
        "going on with the oldest one",
    )
}

pub(super) fn too_long() -> Problem {
    let why = format!("it lists more than {} segments", limits::LIVE_SEGMENTS);
    let todo = "going on with the newest ones";
    Problem::new(
        Kind::Limit,
        "cannot keep all of the live playlist",
        why,
        todo,
    )
}

fn stale() -> Problem {
    Problem::new(
        Kind::NoData,
        "cannot go on",
        "the playlist of the live stream brings nothing new",
        "waiting for it",
    )
}
