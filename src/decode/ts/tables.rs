//! PAT and PMT while they come: from packets to the streams that are heard.

use crate::decode::ts::packet::{NULL_PID, Packet};
use crate::decode::ts::program::{self, Choice};
use crate::decode::ts::section::Sections;
use crate::error::Problem;

const PAT_PID: u16 = 0;
const FIRST_FREE_PID: u16 = 0x20; // below are tables

/// Watches the tables of a source.
#[derive(Clone, Debug)]
pub struct Tables {
    pat: Sections,
    maps: Vec<Map>,
    /// Index of the map that is followed, and what it says.
    chosen: Option<(usize, Choice)>,
    /// Why the maps so far were of no use.
    refusal: Option<Problem>,
}

/// The map of one program.
#[derive(Clone, Debug)]
struct Map {
    pid: u16,
    sections: Sections,
    was_read: bool,
}

impl Tables {
    /// Nothing came yet.
    pub fn new() -> Self {
        Self {
            pat: Sections::new(),
            maps: Vec::new(),
            chosen: None,
            refusal: None,
        }
    }

    /// What is heard, once a map said it.
    pub fn choice(&self) -> Option<Choice> {
        self.chosen.map(|(_, choice)| choice)
    }

    /// Why nothing is heard, when a map said it and the source is over.
    pub fn take_refusal(&mut self) -> Option<Problem> {
        self.refusal.take()
    }

    /// Whether a packet with this PID may belong to what is heard.
    pub fn may_be_stream(&self, pid: u16) -> bool {
        let is_free = (FIRST_FREE_PID..NULL_PID).contains(&pid);
        is_free && self.maps.iter().all(|map| map.pid != pid)
    }

    /// Takes a packet of whatever PID.
    ///
    /// # Errors
    ///
    /// As [`program::choose`], when all programs of the source were refused.
    pub fn push(&mut self, packet: &Packet<'_>) -> Result<(), Problem> {
        if packet.pid == PAT_PID {
            self.push_pat(packet);
            return Ok(());
        }
        match self.maps.iter().position(|map| map.pid == packet.pid) {
            Some(index) => self.push_map(index, packet),
            None => Ok(()),
        }
    }

    fn push_pat(&mut self, packet: &Packet<'_>) {
        self.pat.push(packet);
        while let Some(section) = self.pat.next() {
            for pid in program::map_pids(section) {
                if self.maps.iter().all(|map| map.pid != pid) {
                    self.maps.push(Map {
                        pid,
                        sections: Sections::new(),
                        was_read: false,
                    });
                }
            }
        }
    }

    fn push_map(&mut self, index: usize, packet: &Packet<'_>) -> Result<(), Problem> {
        if self.chosen.is_some_and(|(chosen, _)| chosen != index) {
            return Ok(()); // another program
        }
        let map = &mut self.maps[index];
        map.sections.push(packet);
        while let Some(section) = map.sections.next() {
            match program::choose(section) {
                Ok(None) => continue,
                Ok(Some(choice)) => self.chosen = Some((index, choice)),
                Err(problem) => self.refusal = Some(problem),
            }
            map.was_read = true;
        }
        let is_refused = self.chosen.is_none() && self.maps.iter().all(|map| map.was_read);
        match self.refusal.take_if(|_| is_refused) {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }
}
