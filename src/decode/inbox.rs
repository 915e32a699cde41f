//! The door from `net` to the decode thread: the next piece is asked for and
//! waited for on the bell. At most two pieces are under way.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError};

use crate::bell::Bell;
use crate::error::{Kind, Problem};
use crate::media::{Demand, Piece};

/// Pieces held by the door; the demanded one and one the stream ends with.
pub const CAPACITY: usize = 2;

/// The decode thread's side of the door.
pub struct Inbox {
    pieces: Receiver<Piece>,
    ask: Box<dyn Fn(Demand) + Send>,
    bell: Arc<Bell>,
}

impl Inbox {
    /// `ask` publishes a demand to `net`; `bell` rings when `pieces` has one.
    pub fn new(pieces: Receiver<Piece>, ask: Box<dyn Fn(Demand) + Send>, bell: Arc<Bell>) -> Self {
        Self { pieces, ask, bell }
    }

    /// Demands a piece and waits for it. Answers to older epochs are dropped.
    pub fn next(&mut self, demand: Demand) -> Piece {
        (self.ask)(demand);
        loop {
            let seen = self.bell.count();
            match self.pieces.try_recv() {
                Ok(Piece::Segment(segment)) if segment.epoch != demand.epoch => {}
                Ok(piece) => return piece,
                Err(_) if self.bell.is_stopped() => return Piece::Failed(Problem::stopped()),
                Err(TryRecvError::Empty) => {
                    self.bell.wait(seen, None);
                }
                Err(TryRecvError::Disconnected) => return Piece::Failed(lost()),
            }
        }
    }
}

fn lost() -> Problem {
    let why = "the network thread ended without a word";
    Problem::new(Kind::Bug, "cannot go on", why, "please report it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;
    use std::sync::Mutex;

    #[test]
    fn a_demand_is_published_before_the_wait_and_answered_by_the_piece() {
        let (sender, pieces) = bounded(CAPACITY);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let ask = move |demand| heard.lock().expect("no panic").push(demand);
        let mut inbox = Inbox::new(pieces, Box::new(ask), Arc::default());
        sender.send(Piece::End).expect("room");
        let demand = Demand {
            epoch: 0,
            number: Some(7),
        };
        assert!(matches!(inbox.next(demand), Piece::End));
        assert_eq!(*asked.lock().expect("no panic"), [demand]);
    }

    #[test]
    fn a_stop_and_a_lost_network_end_the_wait() {
        let bell = Arc::new(Bell::default());
        let (sender, pieces) = bounded(CAPACITY);
        let mut inbox = Inbox::new(pieces, Box::new(|_| ()), Arc::clone(&bell));
        drop(sender);
        let Piece::Failed(problem) = inbox.next(Demand::default()) else {
            panic!("a failure")
        };
        assert_eq!(problem.kind, Kind::Bug);
        bell.stop();
        let Piece::Failed(problem) = inbox.next(Demand::default()) else {
            panic!("a failure")
        };
        assert_eq!(problem.kind, Kind::Stopped);
    }
}
