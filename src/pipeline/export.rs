//! `cache export`: what is stored of a stream as plain files, an HLS stream as a
//! folder that plays offline. How they get into the folder is the business of
//! `outfolder.rs`.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::cache::Stream;
use crate::decode::decrypt;
use crate::decode::file::{File, probe};
use crate::error::{Kind, Problem};
use crate::event::{self, RequestKind};
use crate::fetch::Credentials;
use crate::hls::export::{self as hls, Bytes, INDEX};
use crate::hls::key::{self, Address};
use crate::hls::stored::{List, Stock};
use crate::location::Location;
use crate::media::{Cipher, Codec};
use crate::pipeline::housekeeping::Shelf;
use crate::pipeline::outfolder::OutFolder;
use crate::pipeline::stored::complete;
use crate::pipeline::{CacheChoice, CacheMode, Network};
use crate::store::{self, Wanted};
use crate::{limits, text};

const HEAD_BYTES: usize = 64 << 10; // a tag with a small picture in front of the sound
const ADVICE: &str = "store all of it with \"kithara cache\" first";

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Writes what is stored of the stream at `location` into `folder`, over the
/// files of the same names with `force`. `is_stopped` is asked between files.
///
/// # Errors
///
/// [`Kind::Offline`] naming the first thing that is missing,
/// [`Kind::Arguments`] for a folder that is in use, [`Kind::Output`] when it
/// cannot be written, [`Kind::Stopped`].
pub fn cache_export(
    choice: &CacheChoice,
    network: &Network,
    location: &Location,
    folder: &Path,
    force: bool,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Exported, Problem> {
    let mut location = location.clone();
    let stream = stored(choice, network, &mut location)?;
    let plan = plan(&stream, &location)?;
    let mut out = OutFolder::open(folder, force)?;
    for (name, bytes) in &plan.files {
        if is_stopped() {
            return Err(Problem::stopped());
        }
        match bytes {
            Bytes::Key(key) => out.write(name, &mut key.as_slice())?,
            Bytes::Stored(wanted) => {
                let held = store::held(&stream, wanted).ok_or_else(|| missing(&wanted.name()))?;
                out.write(name, &mut held.source())
                    .map_err(|problem| named(problem, wanted))?;
            }
        }
    }
    // What leads to the others comes last.
    for (name, text) in plan.texts.iter().rev() {
        out.write(name, &mut text.as_bytes())?;
    }
    out.publish(plan.texts.first().map(|(name, _)| name.as_str()))
}

/// What is to be written.
#[derive(Default)]
struct Plan {
    files: Vec<(String, Bytes)>,
    /// Playlists; the one to open first.
    texts: Vec<(String, String)>,
}

/// The place of the stream, as those who have these credentials see it.
fn stored(
    choice: &CacheChoice,
    network: &Network,
    location: &mut Location,
) -> Result<Stream, Problem> {
    let credentials = network.credentials(location, None);
    let asker = credentials.as_ref().and_then(Credentials::summary);
    let choice = CacheChoice {
        mode: CacheMode::Offline,
        ..choice.clone()
    };
    // Nobody listens: what would be a warning becomes "not in the cache".
    let (events, _) = event::channel();
    let shelf = Shelf::open(&choice, true, &Arc::default(), &Arc::default(), &events)?;
    let disk = shelf.stream(location, asker.as_deref(), true, &events)?;
    match disk.found() {
        Some(stream) => Ok(stream.clone()),
        None => shelf.spare(location).made().cloned(),
    }
}

fn plan(stream: &Stream, location: &Location) -> Result<Plan, Problem> {
    let Some(stock) = Stock::read(stream, location)? else {
        return file(stream, location);
    };
    let lists = complete(stream, &stock).map_err(|lacking| match lacking {
        Some(name) => missing(&name),
        None => missing(&format!("a variant of \"{location}\"")),
    })?;
    let mut plan = Plan::default();
    if let ([list], _) | ([list, ..], None) = (lists.as_slice(), &stock.multivariant) {
        plan.add(stream, list, "", INDEX.to_owned())?;
        return Ok(plan);
    }
    let name = |number: usize| format!("variant-{number}.m3u8");
    if let Some(multivariant) = &stock.multivariant {
        let text = hls::multivariant(multivariant, &|uri| {
            let location = multivariant.location(uri).ok()?;
            let number = lists.iter().position(|list| list.location == location)?;
            Some(name(number))
        });
        plan.texts.push((INDEX.to_owned(), text));
    }
    for (number, list) in lists.iter().enumerate() {
        plan.add(stream, list, &format!("{number}-"), name(number))?;
    }
    Ok(plan)
}

impl Plan {
    fn add(
        &mut self,
        stream: &Stream,
        list: &List,
        prefix: &str,
        name: String,
    ) -> Result<(), Problem> {
        let (text, files) = hls::media(list, prefix, segment_extension(stream, list)?)?;
        self.texts.push((name, text));
        self.files
            .extend(files.into_iter().map(|file| (file.name, file.bytes)));
        Ok(())
    }
}

/// A stream that is one file.
fn file(stream: &Stream, location: &Location) -> Result<Plan, Problem> {
    let wanted = Wanted::whole(location.clone(), RequestKind::File);
    let whole = store::held(stream, &wanted).filter(store::Held::is_whole);
    let held = whole.ok_or_else(|| missing(&format!("\"{location}\"")))?;
    let extension = file_extension(&held)?;
    let stem = match location {
        Location::Http(url) => text::file_stem(url.path()),
        Location::File(path) => text::file_stem(&path.to_string_lossy()),
    };
    Ok(Plan {
        files: vec![(
            format!("{stem}.{extension}"),
            Bytes::Stored(Box::new(wanted)),
        )],
        texts: Vec::new(),
    })
}

/// What players expect the names of such files to end in.
fn file_extension(held: &store::Held) -> Result<&'static str, Problem> {
    use probe::Container::{Aiff, Caf, Flac, Matroska, Mp4, Mpeg, Ogg, Wav};
    let head = held.head(HEAD_BYTES)?;
    Ok(match probe::sniff(behind_tag(&head)) {
        Ok(Aiff) => "aiff",
        Ok(Caf) => "caf",
        Ok(Flac) => "flac",
        Ok(Matroska) => "mka",
        Ok(Mp4) => "m4a",
        Ok(Mpeg) => "mp3",
        Ok(Ogg) => "ogg",
        Ok(Wav) => "wav",
        // AAC without a container, or a tag longer than what was read.
        Err(_) => match File::open(held.source(), &Arc::default()) {
            Ok(file) if file.track().codec == Codec::Aac => "aac",
            Ok(_) => "mp3",
            Err(_) => "bin",
        },
    })
}

/// As [`file_extension`], by the first segment.
fn segment_extension(stream: &Stream, list: &List) -> Result<&'static str, Problem> {
    let Some(first) = list.first() else {
        return Ok("ts");
    };
    if first.has_init {
        return Ok("m4s");
    }
    let held = store::held(stream, &first.wanted).ok_or_else(|| missing(&first.wanted.name()))?;
    let cipher = match first.seal {
        None => None,
        Some((address, iv)) => Some(Cipher {
            key_name: address.to_string(),
            key: key_bytes(stream, address)?,
            iv,
        }),
    };
    let clear = decrypt::open(held.source(), cipher, decrypt::Part::Segment)?;
    let mut head = Vec::new();
    clear
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(|error| named(unreadable(error), &first.wanted))?;
    Ok(match behind_tag(&head) {
        [0x47, ..] => "ts",
        [0x0B, 0x77, ..] => "ac3",
        // ADTS has layer 0, where MPEG audio has another one.
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => "aac",
        [0xFF, ..] => "mp3",
        _ => "m4s",
    })
}

fn key_bytes(stream: &Stream, address: Address) -> Result<[u8; 16], Problem> {
    let location = match address {
        Address::Inline(key) => return Ok(key),
        Address::At(location) => location,
    };
    let wanted = key::wanted(location, 0);
    let held = store::held(stream, &wanted).ok_or_else(|| missing(&wanted.name()))?;
    let bytes = held.head(limits::KEYS)?;
    bytes.try_into().map_err(|_| missing(&wanted.name()))
}

/// What follows an ID3v2 tag; all of it when there is none, or no end of it.
fn behind_tag(head: &[u8]) -> &[u8] {
    let size = match head {
        [b'I', b'D', b'3', _, _, _, a, b, c, d, ..] => [a, b, c, d],
        _ => return head,
    };
    let length = size
        .iter()
        .fold(0, |length, byte| length << 7 | usize::from(**byte & 0x7F));
    head.get(10 + length..).unwrap_or(head)
}

fn missing(name: &str) -> Problem {
    let what = format!("cannot export {name}");
    Problem::new(Kind::Offline, what, "it is not in the cache", ADVICE)
}

fn unreadable(error: io::Error) -> Problem {
    Problem::from_io(
        error,
        Kind::Cache,
        "cannot read the cache",
        "check the disk",
    )
}

/// A byte that was lost since is missing like any other.
fn named(problem: Problem, wanted: &Wanted) -> Problem {
    match problem.kind {
        Kind::Offline => missing(&wanted.name()),
        _ => problem,
    }
}
