//! The keys of a run: each is asked for once, whoever needs it, and what became
//! of it is noted here.

use std::collections::VecDeque;

use super::{Address, KEY_BYTES};
use crate::error::{Kind, Problem};
use crate::limits;
use crate::location::Location;

/// What is known of a key.
pub enum State {
    /// Asked for; whether a segment that is wanted now waits for it.
    Coming {
        /// Somebody waits.
        is_waited_for: bool,
    },
    /// Here.
    Here([u8; KEY_BYTES]),
    /// Not to be had; whether it is to be asked for once more.
    Lost {
        /// Why.
        problem: Problem,
        /// The network failed while nobody waited for it.
        may_come: bool,
    },
}

/// The keys asked for in one run, the newest [`limits::KEYS`] of them.
#[derive(Default)]
pub struct Ring {
    keys: VecDeque<(u64, Location, State)>,
    next: u64,
}

impl Ring {
    /// What is known of the key at `location`, for a segment that is wanted now.
    pub fn wait_for(&mut self, location: &Location) -> Option<&State> {
        let place = self.place(location)?;
        let state = &mut self.keys[place].2;
        match state {
            State::Lost { may_come: true, .. } => {
                self.keys.remove(place);
                return None;
            }
            State::Coming { is_waited_for } => *is_waited_for = true,
            State::Here(_) | State::Lost { .. } => {}
        }
        Some(&self.keys[place].2)
    }

    /// The key at `address`, when it is here.
    pub fn key(&self, address: &Address) -> Option<[u8; KEY_BYTES]> {
        let location = match address {
            Address::Inline(key) => return Some(*key),
            Address::At(location) => location,
        };
        match self.keys[self.place(location)?].2 {
            State::Here(key) => Some(key),
            State::Coming { .. } | State::Lost { .. } => None,
        }
    }

    /// Forgets the key at `location`, so that it is asked for again.
    pub fn forget(&mut self, location: &Location) {
        self.keys.retain(|(_, this, _)| this != location);
    }

    /// Whether the key at `location` was asked for.
    pub fn has(&self, location: &Location) -> bool {
        self.place(location).is_some()
    }

    /// Notes that the key at `location` was asked for; returns its name.
    pub fn ask(&mut self, location: &Location, is_waited_for: bool) -> u64 {
        if self.keys.len() == limits::KEYS {
            self.keys.pop_front();
        }
        let id = self.next;
        self.next += 1;
        let state = State::Coming { is_waited_for };
        self.keys.push_back((id, location.clone(), state));
        id
    }

    /// Notes what came of the request named `id`.
    pub fn note(&mut self, id: u64, result: Result<[u8; KEY_BYTES], Problem>) {
        let Some((_, _, state)) = self.keys.iter_mut().find(|(this, ..)| *this == id) else {
            return; // forgotten meanwhile: asked for again when it is wanted
        };
        let was_waited_for = matches!(
            state,
            State::Coming {
                is_waited_for: true
            }
        );
        *state = match result {
            Ok(key) => State::Here(key),
            Err(problem) => State::Lost {
                may_come: !was_waited_for && is_network(&problem),
                problem,
            },
        };
    }

    fn place(&self, location: &Location) -> Option<usize> {
        self.keys.iter().position(|(_, this, _)| this == location)
    }
}

fn is_network(problem: &Problem) -> bool {
    matches!(problem.kind, Kind::Resolve | Kind::Connect | Kind::NoData)
}
