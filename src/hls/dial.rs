//! The listener's door to the choice of variants: turned by a key on the main
//! thread, felt by the feed.

use tokio::sync::watch;

/// What is turned.
pub struct Dial(watch::Sender<u32>);

/// What feels it.
pub struct Turns {
    steps: watch::Receiver<u32>,
    seen: u32,
}

/// Both ends of a new dial.
pub fn dial() -> (Dial, Turns) {
    let (sender, steps) = watch::channel(0);
    (Dial(sender), Turns { steps, seen: 0 })
}

impl Dial {
    /// One step on.
    pub fn turn(&self) {
        self.0.send_modify(|steps| *steps = steps.wrapping_add(1));
    }
}

impl Turns {
    /// Waits until the dial is turned; by how many steps. For ever when nobody
    /// can turn it any more.
    pub async fn turned(&mut self) -> u32 {
        loop {
            let now = *self.steps.borrow_and_update();
            let steps = now.wrapping_sub(self.seen);
            self.seen = now;
            if steps > 0 {
                return steps;
            }
            if self.steps.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_step_is_felt_once() {
        let (dial, mut turns) = dial();
        dial.turn();
        dial.turn();
        assert_eq!(turns.turned().await, 2);
        dial.turn();
        drop(dial);
        assert_eq!(turns.turned().await, 1);
    }
}
