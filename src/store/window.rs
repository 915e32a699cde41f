//! A body for which there is no room: what was read of it goes, what is fetched
//! ahead waits, and the rest passes through memory.

use std::sync::Arc;

use crate::error::{Kind, Problem};
use crate::store::Transfer;
use crate::store::follow::LOOK;

/// How much of a file is held in memory ahead of its reader.
const MEMORY_WINDOW: u64 = 8 << 20;

impl Transfer {
    /// Goes on in spite of a disk that refuses, or ends what is fetched ahead.
    pub(super) async fn refused(&mut self, problem: Problem) -> Result<(), Problem> {
        if self.target.is_memory() {
            return Err(problem); // nothing is left to turn to
        }
        if problem.kind == Kind::Full {
            let is_read = self.kept.entry().read_until().is_some();
            if self.is_ahead && !is_read {
                return Err(problem);
            }
            if self.kept.is_rolling() && self.makes_room().await {
                return Ok(());
            }
        }
        self.go_on_in_memory(problem)
    }

    /// Gives up what was read, or waits until more of it was; `false` when
    /// neither helps: the reader waits for the very bytes that have no room.
    async fn makes_room(&self) -> bool {
        let Some(read) = self.kept.entry().read_until() else {
            return false;
        };
        let position = self.writer.position();
        for range in [0..read, position..u64::MAX] {
            match self.target.forget(range) {
                Ok(0) => {}
                Ok(_) => {
                    self.kept.set_given_up();
                    return true;
                }
                Err(_) => return false, // the file system knows no holes
            }
        }
        if self.kept.is_starved() {
            return false;
        }
        self.wait_for_reader().await;
        true
    }

    /// In memory a file is only a window around its reader.
    pub(super) async fn spare_memory(&self) -> Result<(), Problem> {
        if !self.kept.is_rolling() || !self.target.is_memory() {
            return Ok(());
        }
        while let Some(read) = self.kept.entry().read_until() {
            if self.target.forget(0..read)? > 0 {
                self.kept.set_given_up();
            }
            let ahead = self.writer.position().saturating_sub(read);
            if ahead < MEMORY_WINDOW || self.kept.is_starved() {
                return Ok(());
            }
            self.wait_for_reader().await;
        }
        Ok(())
    }

    async fn wait_for_reader(&self) {
        // A reader that begins to wait does not say so here.
        let _ = tokio::time::timeout(LOOK, self.kept.read()).await;
    }

    /// Readers of the entry pass to one in memory at the first byte it lacks.
    /// Without room only this entry is meant: there may be some for the next.
    fn go_on_in_memory(&mut self, problem: Problem) -> Result<(), Problem> {
        let position = self.writer.position();
        let entry = self.kept.entry();
        self.store.go_without(problem.clone());
        let spare = self
            .store
            .spare
            .made()?
            .begin(entry.identity(), entry.head().clone())?;
        let Some(writer) = spare.writer(position)? else {
            return Err(problem);
        };
        self.writer = writer;
        self.target = Arc::clone(&spare);
        self.kept.go_on_in(spare);
        entry.fail(problem);
        Ok(())
    }
}
