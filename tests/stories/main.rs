//! kithara told by user stories: the real binary, in a home of its own, against
//! a scripted origin in this process. One file a theme; nothing here knows the
//! program's inside.

mod adapt;
mod cache;
mod care;
mod choice;
mod config;
mod dates;
mod dump;
mod encryption;
mod errors;
mod fixtures;
mod info;
mod input;
mod keys;
mod limits;
mod lists;
mod live;
mod networks;
mod origin;
mod packed;
mod play;
mod playlists;
mod radio;
mod requests;
mod resume;
mod sandbox;
mod signed;
mod simulate;
mod sine;
mod sound;
mod soundserver;
mod stats;
mod terminal;
mod timeline;
mod together;
mod ts;
mod warm;
mod wav;

use std::fs;

use fixtures::{bytes, fixture, fixture_path};
use origin::Origin;
use sandbox::Sandbox;
use wav::{Sample, Sound};

/// A row of fixtures/EXPECTED.tsv.
struct Row {
    file: String,
    codec: String,
    rate: u32,
    channels: usize,
    sample: Sample,
    frames: usize,
    /// Of the interleaved PCM; lossless fixtures only.
    sha256: Option<String>,
}

/// Every fixture that is sound, with what must come out of it.
fn expected() -> Vec<Row> {
    let table = String::from_utf8(bytes("EXPECTED.tsv")).expect("a text table");
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(row)
        .collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.split('\t').collect();
    let [file, codec, rate, channels, sample, frames, sum] = cells[..] else {
        panic!("seven cells: {line}")
    };
    Row {
        file: file.to_owned(),
        codec: codec.to_owned(),
        rate: rate.parse().expect("a rate"),
        channels: channels.parse().expect("a channel count"),
        sample: Sample::parse(sample),
        frames: frames.parse().expect("a frame count"),
        sha256: (sum != "-").then(|| sum.to_owned()),
    }
}

/// The row of one fixture.
fn expected_of(file: &str) -> Row {
    expected()
        .into_iter()
        .find(|row| row.file == file)
        .unwrap_or_else(|| panic!("no row {file}"))
}

impl Row {
    /// Whether the sound is one of the two signals of make.sh as chirp.
    fn is_chirp(&self) -> bool {
        let is_he = self.file.starts_with("he/") || self.file.starts_with("ts/he-");
        self.sha256.is_none() && !is_he
    }

    /// Frames of priming that a container without edit list lets out.
    fn priming(&self) -> usize {
        match (self.file.starts_with("ts/"), self.codec.as_str()) {
            (true, "mp3") => 1105,
            (true, _) => 1024,
            (false, _) if self.file.ends_with(".aac") => 1024,
            (false, _) => 0,
        }
    }

    /// Checks everything the table knows about a whole dump of this fixture.
    fn check(&self, sound: &Sound) {
        let file = &self.file;
        let layout = (sound.rate, sound.channels, sound.sample);
        assert_eq!(
            layout,
            (self.rate, self.channels, self.sample),
            "{file}: layout"
        );
        assert_eq!(sound.frames(), self.frames, "{file}: frames");
        if let Some(sum) = &self.sha256 {
            let broken = (self.sample == Sample::S16)
                .then(|| wav::first_break(sound, 0))
                .flatten();
            assert_eq!(broken, None, "{file}: (frame, what its sample tells)");
            assert_eq!(sound.sha256(), *sum, "{file}: PCM");
        } else if self.is_chirp() {
            let heard = sound.slice(self.priming(), 132_300);
            let (shift, at) = wav::worst_shift(&heard, 0);
            assert!(shift < 0.5, "{file}: {shift} samples off at frame {at}");
            let snr = wav::snr_db(&wav::true_chirp(self.rate, 0, 132_300), &heard.floats());
            assert!(snr > 20.0, "{file}: {snr} dB to the original");
        }
    }
}

/// Dumps `input` to a file in the sandbox with further arguments, silently, and reads it.
fn dump(sandbox: &Sandbox, input: &str, arguments: &[&str]) -> Sound {
    let path = sandbox.path("dumped.wav");
    // Reused name: a second dump in one sandbox is on purpose.
    let _ = fs::remove_file(&path);
    let fixed = ["dump", input, "-o", "dumped.wav"];
    sandbox.kithara(fixed.iter().chain(arguments)).run();
    Sound::open(&path)
}

/// Expects that nothing of `url` can be played without a network.
fn not_cached(sandbox: &Sandbox, url: &str) {
    sandbox
        .kithara(["dump", url, "-o", "none.wav", "-f", "--offline"])
        .fails(9, &[])
        .run();
}

/// The multivariant playlist at `path` as a file that leads to `origin`. Nothing is known of the
/// link then, and `auto` begins with the highest variant of at most 160 kbit/s.
fn local_list(origin: &Origin, sandbox: &Sandbox, path: &str) -> String {
    let text = String::from_utf8(bytes(path.trim_start_matches('/'))).expect("a playlist");
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let lines = text.lines().map(|line| match line {
        line if line.is_empty() || line.starts_with('#') => line.to_owned(),
        line => origin.url(&format!("{folder}/{line}")),
    });
    let lines: Vec<String> = lines.collect();
    fs::write(sandbox.path("list.m3u8"), lines.join("\n")).expect("written");
    "list.m3u8".to_owned()
}

/// A fresh origin and a fresh home.
fn stage() -> (Origin, Sandbox) {
    (Origin::start(), Sandbox::new())
}
