//! What the loop asks its tasks to load, and what they tell it.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::error::{Kind, Problem};
use crate::hls::feed::Search;
use crate::hls::listing::Loaded;
use crate::hls::media::Media;
use crate::hls::renewal::Renewed;
use crate::store::{Body, Kept, Moved, Store, Wanted};

/// What a task of the loop tells it.
pub enum Note {
    /// The response began (or the bytes were here): they can be read, and so many
    /// of them were here before.
    Opened(Load, Body, u64),
    /// All bytes are here; `None` when none had to be moved.
    Complete(Load, Option<Moved>),
    /// It will not come.
    Failed(Load, Problem),
    /// A key came, or will not come; named as in [`Load::Key`].
    Key(u64, Result<[u8; 16], Problem>),
    /// What was handed over lost bytes that are still wanted.
    Torn(Load),
    /// Another variant's media playlist.
    Playlist(usize, Result<Media, Problem>),
    /// The playlist of a live stream once more; `None` when it is unchanged.
    Reloaded(usize, Result<Option<Loaded>, Problem>),
    /// A media playlist was looked for again, this far; `None` when the server
    /// says that it is unchanged.
    Renewed(usize, Search, Box<Result<Option<Renewed>, Problem>>),
}

/// What a task loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Load {
    /// An initialisation section, by its name among those of the run.
    Init {
        /// Its name.
        id: u64,
    },
    /// A segment, in this variant.
    Segment {
        /// Its place.
        index: usize,
        /// The variant.
        rung: usize,
    },
    /// A key, by its name in the ring of keys.
    Key {
        /// Its name.
        key: u64,
    },
    /// The head of a segment in the variant before it, where they differ.
    Overlap {
        /// Its place.
        index: usize,
        /// The variant before it.
        rung: usize,
    },
    /// The head of the stream's first segment, in this variant.
    Anchor {
        /// The variant.
        rung: usize,
    },
}

/// One load from its request to its last byte.
pub async fn carry(store: Store, wanted: Wanted, load: Load, tell: mpsc::Sender<Note>) {
    let opened = match store.open(&wanted).await {
        Ok(opened) => opened,
        Err(problem) => return say(&tell, Note::Failed(load, problem)).await,
    };
    let base = opened.body.come(); // nothing of the answer was read yet
    say(&tell, Note::Opened(load, opened.body, base)).await;
    let note = match opened.transfer {
        None => Note::Complete(load, None),
        Some(transfer) => match transfer.run().await {
            Ok(moved) => Note::Complete(load, moved),
            Err(problem) => Note::Failed(load, problem),
        },
    };
    say(&tell, note).await;
}

/// Brings again what was lost of a body that is being read: a block that turned
/// out damaged, a file that was cut behind us. Its reader waits, or is told why
/// it waits in vain.
pub async fn mend(store: Store, wanted: Wanted, kept: Arc<Kept>) {
    let brought = async {
        if let Some(problem) = kept.entry().unreadable_file() {
            return store.bring_into_memory(&wanted, &kept, problem).await;
        }
        let opened = store.open(&wanted).await?;
        if let Some(carrier) = opened.transfer {
            carrier.run().await?;
        }
        match opened.body {
            Body::Entry(brought) if Arc::ptr_eq(brought.entry(), kept.entry()) => Ok(()),
            Body::Entry(_) | Body::File(..) => Err(other_version(&wanted)),
        }
    };
    if let Err(problem) = brought.await {
        kept.entry().fail(problem);
    }
}

fn other_version(wanted: &Wanted) -> Problem {
    Problem::new(
        Kind::Changed,
        format!("cannot go on with {}", wanted.name()),
        "what was stored of it is lost, and the server has another version",
        "start again",
    )
}

/// Tells the loop.
pub async fn say(tell: &mpsc::Sender<Note>, note: Note) {
    // A loop that is gone needs no answer.
    let _ = tell.send(note).await;
}
