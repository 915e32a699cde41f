//! kithara: a command-line audio streamer. A URL goes in, sound (or a WAV
//! file, or a filled cache, or a report) comes out.
//!
//! ```text
//! socket ─► fetch ─► store ─► cache entry ─► demux ─► decode ─► resample ══ ring ══► callback ─► DAC
//!           └─────── thread "net" ───────┘ └──────── thread "decode" ───┘          └ thread "audio" ┘
//! ```
//!
//! The modules below stand in the order of their levels: each may use those
//! above it and none below (`tests/levels.rs` checks it). The library exists
//! for the binary, the tests, the benches and the fuzzers; it is no API.

#![forbid(unsafe_code)]

// Level 0: words.
pub mod cues;
pub mod error;
pub mod limits;
pub mod location;
pub mod media;
pub mod text;
pub mod units;
// Level 1: instruments.
pub mod bell;
pub mod event;
pub mod ring;
pub mod stats;
// Level 2: rooms that do not know each other.
pub mod cache;
pub mod decode;
pub mod fetch;
pub mod lists;
pub mod network;
pub mod output;
// Level 3: bytes of a URL, from the cache or the network.
pub mod store;
// Level 4: from an address to ordered segments.
pub mod hls;
pub mod progressive;
pub mod radio;
// Level 5: the threads and the doors between them; their decisions in virtual time.
pub mod pipeline;
pub mod simulate;
// Level 6: the command line.
pub mod cli;
