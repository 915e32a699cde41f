//! Every cap on what a stranger may make us do, in one table.
//! A number from outside is compared with its row here before it is used.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Runs between discontinuities whose zero is remembered for seeks back.
pub const RUNS: usize = 4096;
/// Decoded size of a playlist, compressed or not.
pub const PLAYLIST_BYTES: u64 = 16 << 20;
/// Segments of one media playlist.
pub const PLAYLIST_SEGMENTS: usize = 200_000;
/// Segments that are kept of a playlist without end, the newest ones: a day of
/// 10-second segments.
pub const LIVE_SEGMENTS: usize = 10_000;
/// Variants and renditions of one multivariant playlist.
pub const PLAYLIST_VARIANTS: usize = 512;
/// One line of a playlist.
pub const PLAYLIST_LINE_BYTES: usize = 64 << 10;
/// Attributes of one tag.
pub const TAG_ATTRIBUTES: usize = 64;
/// Date ranges of one media playlist.
pub const DATE_RANGES: usize = 10_000;
/// Length of one segment; RFC 8216 knows no limit, a day is absurd enough.
pub const SEGMENT_SECONDS: f64 = 86_400.0;

/// A list of addresses: what ten thousand entries with titles take.
pub const LIST_BYTES: usize = 4 << 20;
/// Entries of one list of addresses.
pub const LIST_ENTRIES: usize = 10_000;
/// Lists in lists: a directory of stations leads to the list of one.
pub const LIST_DEPTH: usize = 3;

/// What is read of the answer to a request for a key, whose 16 bytes are all
/// that is wanted: enough to say what came instead.
pub const KEY_BODY_BYTES: u64 = 64 << 10;
/// Keys held in memory; older ones are read again from the cache.
pub const KEYS: usize = 64;
/// An initialisation section (EXT-X-MAP).
pub const INIT_BYTES: u64 = 4 << 20;
/// One box that is read whole (moov, moof, sidx); media data is streamed.
pub const BOX_BYTES: u64 = 16 << 20;
/// How deep boxes may nest.
pub const BOX_DEPTH: u32 = 12;
/// Samples announced by one movie fragment.
pub const FRAGMENT_SAMPLES: u32 = 1 << 20;
/// One access unit; the largest real one is a FLAC frame of 8 channels.
pub const ACCESS_UNIT_BYTES: usize = 4 << 20;
/// Frames of one access unit; the largest real one is a FLAC frame.
pub const ACCESS_UNIT_FRAMES: u64 = 65_535;
/// Tags (ID3, Vorbis comments, ilst) that are kept; the rest is skipped in place.
pub const TAG_BYTES: usize = 64 << 10;

/// Sample rates that are played.
pub const SAMPLE_RATE: RangeInclusive<u32> = 8_000..=768_000;
/// Channels that are played.
pub const CHANNELS: u8 = 8;

/// What is kept of a stream without end, to go back in it: an hour of 580 kbit/s.
pub const RADIO_BYTES: u64 = 256 << 20;
/// How long it is kept.
pub const RADIO_KEPT: Duration = Duration::from_secs(3600);

/// A URL, before and after redirects.
pub const URL_BYTES: usize = 8 << 10;
/// Redirects followed for one request.
pub const REDIRECTS: usize = 10;
/// Cookies that servers may set in one run; a browser keeps as many for a host.
pub const COOKIES: usize = 180;
/// Name and value of a cookie.
pub const COOKIE_BYTES: usize = 4 << 10;
/// All cookies of one request: what common servers take.
pub const COOKIE_HEADER_BYTES: usize = 8 << 10;
/// The longest wait a server may ask for with Retry-After.
pub const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Columns of outside text shown on one line.
pub const TEXT_COLUMNS: usize = 120;
/// Titles announced ahead of what is decoded; the latest of more are dropped.
pub const TITLES_AHEAD: usize = 1000;
/// Gaps that each get a line of the ledger while nothing was decoded yet; of a
/// station that never comes, the last one grows.
pub const GAPS_OWED: usize = 1000;
/// A hole in the timestamps up to this length is missing sound and becomes
/// silence; a longer one is a clock that was set anew (so says ffmpeg, too).
pub const HOLE: Duration = Duration::from_secs(10);
/// Undecodable access units in a row before a stream is given up.
pub const BAD_UNITS_IN_A_ROW: u32 = 3;
/// No decoded frame for this long while bytes are waiting: the codec hangs.
pub const DECODE_STALL: Duration = Duration::from_secs(5);
/// From the request to stop until the process leaves, whatever hangs.
pub const STOP_DEADLINE: Duration = Duration::from_millis(400);

/// The configuration; it is read before anything else is done.
pub const CONFIG_BYTES: u64 = 1 << 20;
/// A trace or a ladder of `simulate`.
pub const SIMULATION_FILE_BYTES: u64 = 64 << 20;
/// Segments of a ladder of `simulate` that is made of a stream, each of which
/// may cost a request: a day of 5-second segments.
pub const SIMULATED_SEGMENTS: usize = 20_000;
/// Parts in which media is heard in `simulate`: half a second each, six days.
pub const SIMULATED_PARTS: f64 = 1e6;
/// One request of `simulate`; sums of these do not overflow.
pub const SIMULATED_BYTES: u64 = 4 << 30;
/// Variants of a ladder of `simulate`.
pub const SIMULATED_VARIANTS: usize = 64;

/// Look-ahead while the cache is only memory.
pub const MEMORY_AHEAD: Duration = Duration::from_secs(30);
/// Free space on the cache's disk that is never used.
pub const FREE_SPACE_FLOOR: u64 = 256 << 20;
