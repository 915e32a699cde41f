//! The door from `net` to the decode thread: the next piece is asked for and
//! waited for on the bell. At most two pieces are under way.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use tokio::sync::watch;

use crate::bell::Bell;
use crate::error::{Kind, Problem};
use crate::media::{Demand, Piece};

/// Pieces held by the door: the demanded one, and the one the stream ends with.
const CAPACITY: usize = 2;

/// Both ends of a new door; `bell` is what the decode thread waits on.
pub fn door(bell: &Arc<Bell>) -> (Doors, Inbox) {
    let (pieces_in, pieces_out) = bounded(CAPACITY);
    let (demand_in, demand_out) = watch::channel(Demand::default());
    let bell = Arc::clone(bell);
    let doors = Doors {
        pieces: pieces_in,
        bell: Arc::clone(&bell),
        demand: demand_out,
    };
    (
        doors,
        Inbox {
            pieces: pieces_out,
            demand: demand_in,
            bell,
        },
    )
}

/// The net thread's side of the door.
#[derive(Clone)]
pub struct Doors {
    pieces: Sender<Piece>,
    bell: Arc<Bell>,
    demand: watch::Receiver<Demand>,
}

impl Doors {
    /// Hands over a piece. There is room: one is handed over for each demand.
    pub fn hand(&self, piece: Piece) {
        // A decode thread that is gone needs no piece.
        let _ = self.pieces.try_send(piece);
        self.bell.ring();
    }

    /// What the decode thread wants now.
    pub fn demand(&self) -> Demand {
        *self.demand.borrow()
    }

    /// Waits until it wants something else; `true` when it is gone.
    pub async fn changed(&mut self) -> bool {
        self.demand.changed().await.is_err()
    }

    /// Returns when the decode thread is gone.
    pub async fn are_left(&mut self) {
        while !self.changed().await {}
    }
}

/// The decode thread's side of the door.
pub struct Inbox {
    pieces: Receiver<Piece>,
    demand: watch::Sender<Demand>,
    bell: Arc<Bell>,
}

impl Inbox {
    /// Demands a piece and waits for it. Answers to older epochs are dropped.
    pub fn next(&mut self, demand: Demand) -> Piece {
        self.demand.send_replace(demand);
        loop {
            let seen = self.bell.count();
            match self.pieces.try_recv() {
                Ok(piece) if piece.epoch().is_some_and(|epoch| epoch != demand.epoch) => continue,
                Ok(piece) => return piece,
                Err(TryRecvError::Disconnected) if self.bell.check().is_ok() => {
                    return Piece::Failed(lost());
                }
                Err(_) => {}
            }
            if let Err(problem) = self.bell.check() {
                return Piece::Failed(problem);
            }
            self.bell.wait(seen, None);
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

    #[test]
    fn a_demand_is_published_before_the_wait_and_answered_by_the_piece() {
        let (doors, mut inbox) = door(&Arc::default());
        doors.hand(Piece::End { epoch: 0 });
        doors.hand(Piece::End { epoch: 1 });
        let demand = Demand {
            epoch: 1,
            number: Some(7),
            ..Demand::default()
        };
        assert!(matches!(inbox.next(demand), Piece::End { epoch: 1 }));
        assert_eq!(doors.demand(), demand);
    }

    #[test]
    fn a_stop_and_a_lost_network_end_the_wait() {
        let bell = Arc::new(Bell::default());
        let (doors, mut inbox) = door(&bell);
        drop(doors);
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
