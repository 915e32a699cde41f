//! What is to be run, one after another: addresses that were typed, and in the
//! place of a list its entries. Pure.

use std::collections::VecDeque;

use crate::error::{Kind, Problem};
use crate::limits;
use crate::location::Location;
use crate::pipeline::Entry;

/// A stream to run, or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub location: Location,
    /// What was typed, where lists led from there to here.
    pub typed: Option<Location>,
    /// What the list calls it, made safe.
    pub title: Option<String>,
    /// How many lists led here.
    depth: usize,
}

/// What is left to run.
#[derive(Clone, Debug)]
pub struct Queue {
    coming: VecDeque<Result<Place, Problem>>,
}

impl Place {
    /// What was typed.
    pub fn typed(location: &Location) -> Self {
        Self {
            location: location.clone(),
            typed: None,
            title: None,
            depth: 0,
        }
    }

    /// Whether a list led here.
    pub fn is_listed(&self) -> bool {
        self.depth > 0
    }

    fn below(&self, entry: &Entry) -> Self {
        let title = entry.title.clone().or_else(|| self.title.clone());
        Self {
            location: entry.location.clone(),
            typed: Some(self.typed.as_ref().unwrap_or(&self.location).clone()),
            title,
            depth: self.depth + 1,
        }
    }
}

impl Queue {
    /// Addresses that were typed; one that cannot be used is a problem.
    pub fn of(typed: &[Result<Location, Problem>]) -> Self {
        let place = |typed: &Result<Location, Problem>| match typed {
            Ok(location) => Ok(Place::typed(location)),
            Err(problem) => Err(problem.clone()),
        };
        Self {
            coming: typed.iter().map(place).collect(),
        }
    }

    /// Puts the entries of the list at `place` in front: they come in its stead.
    ///
    /// # Errors
    ///
    /// [`Kind::Limit`] for more than [`limits::LIST_DEPTH`] lists in lists.
    pub fn expand(
        &mut self,
        place: &Place,
        entries: &[Result<Entry, Problem>],
    ) -> Result<(), Problem> {
        if place.depth == limits::LIST_DEPTH {
            return Err(Problem::new(
                Kind::Limit,
                format!("cannot use the list \"{}\"", place.location),
                format!("lists lead to lists, more than {} deep", place.depth),
                "give the address of a stream",
            ));
        }
        for entry in entries.iter().rev() {
            let below = entry.as_ref().map(|entry| place.below(entry));
            self.coming.push_front(below.map_err(Clone::clone));
        }
        Ok(())
    }
}

impl Iterator for Queue {
    type Item = Result<Place, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.coming.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Location {
        Location::parse(address).expect("an address")
    }

    fn entry(address: &str) -> Result<Entry, Problem> {
        Ok(Entry {
            location: at(address),
            title: None,
        })
    }

    #[test]
    fn the_entries_of_a_list_come_in_its_stead() {
        let mut queue = Queue::of(&[Ok(at("http://h/a.pls")), Ok(at("http://h/z"))]);
        let list = queue.next().expect("a place").expect("an address");
        assert!(!list.is_listed());
        let broken = Problem::new(Kind::Unsafe, "cannot a", "b", "c");
        queue
            .expand(
                &list,
                &[
                    entry("http://g/1"),
                    Err(broken.clone()),
                    entry("http://h/2"),
                ],
            )
            .expect("it is not deep");
        let told: Vec<_> = queue
            .map(|place| place.map(|place| (place.location.to_string(), place.typed)))
            .collect();
        let typed = Some(list.location);
        let want = [
            Ok(("http://g/1".to_owned(), typed.clone())),
            Err(broken),
            Ok(("http://h/2".to_owned(), typed)),
            Ok(("http://h/z".to_owned(), None)),
        ];
        assert_eq!(told, want);
    }

    #[test]
    fn a_list_that_leads_to_itself_ends() {
        let mut queue = Queue::of(&[Ok(at("http://h/a.pls"))]);
        let mut lists = 0;
        let problem = loop {
            let place = queue.next().expect("a place").expect("an address");
            match queue.expand(&place, &[entry("http://h/a.pls")]) {
                Ok(()) => lists += 1,
                Err(problem) => break problem,
            }
        };
        assert_eq!((lists, problem.kind), (limits::LIST_DEPTH, Kind::Limit));
    }
}
