//! HLS: from the address of a playlist to ordered segments (RFC 8216).
//! What is decided is decided in pure files; `feed/` is the loop that acts,
//! `presentation.rs` loads playlists, and both reach bytes only through the store.

pub mod abr;
pub mod attributes;
pub mod codecs;
pub mod dial;
pub mod export;
pub mod feed;
pub mod infinite;
pub mod journal;
pub mod key;
pub mod language;
pub mod listing;
pub mod live;
pub mod load;
pub mod media;
pub mod meter;
pub mod multivariant;
pub mod planner;
pub mod playlist;
pub mod presentation;
pub mod quality;
pub mod renewal;
pub mod repair;
pub mod replay;
pub mod sanitise;
pub mod stored;
pub mod survey;
pub mod taste;
pub mod timeline;
pub mod variant;
pub mod wishes;
pub mod writing;
