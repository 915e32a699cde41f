//! Packed audio and MP4 in fragments as the field has them: cut anywhere,
//! tagged, wrapped, under wrong names, in one file, with titles.

mod cuts;

use std::fmt::Write as _;

use serde_json::Value;

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::{Sound, first_break, first_difference, snr_db};
use crate::{bytes, dump, expected_of, stage};

const WRAP: u64 = 1 << 33; // of the 90 kHz clock

/// The frames of a stream, and how long each lasts.
struct Frames {
    units: Vec<Vec<u8>>,
    seconds: f64,
}

impl Frames {
    /// 1024 frames a unit at the rate of the core codec.
    fn of_adts(fixture: &str, rate: f64) -> Self {
        let length = |at: &[u8]| {
            usize::from(at[3] & 3) << 11 | usize::from(at[4]) << 3 | usize::from(at[5] >> 5)
        };
        Self {
            units: chain(&bytes(fixture), length),
            seconds: 1024.0 / rate,
        }
    }

    /// Those of `files/lame.mp3`, the frame of information first.
    fn of_mp3() -> Self {
        let file = bytes("files/lame.mp3");
        let first = file.windows(2).position(|sync| sync == [0xFF, 0xFB]);
        // 96 kbit/s at 44.1 kHz
        let length = |at: &[u8]| 313 + usize::from(at[2] >> 1 & 1);
        Self {
            units: chain(&file[first.expect("a frame")..], length),
            seconds: 1152.0 / 44_100.0,
        }
    }

    /// Serves segments of `count` frames each with the bytes of `tags` before
    /// each below `folder`, and gives the address of their playlist. What is
    /// served once is kept by the run's cache: other segments, another folder.
    fn serve(
        &self,
        origin: &Origin,
        folder: &str,
        count: usize,
        tags: impl Fn(f64) -> Vec<u8>,
    ) -> String {
        let mut list = List::default();
        for (number, units) in self.units.chunks(count).enumerate() {
            let name = format!("{number}.bin");
            let begin = self.seconds * (number * count) as f64;
            let body = [tags(begin), units.concat()].concat();
            origin.serve(&format!("/{folder}/{name}"), "audio/mpeg", body);
            list.segment(&name, self.seconds * units.len() as f64);
        }
        list.serve(origin, &format!("/{folder}/list.m3u8"))
    }
}

fn chain(bytes: &[u8], length: impl Fn(&[u8]) -> usize) -> Vec<Vec<u8>> {
    let (mut rest, mut units) = (bytes, Vec::new());
    while !rest.is_empty() {
        assert_eq!(rest[0], 0xFF, "a frame");
        let (unit, behind) = rest.split_at(length(rest));
        units.push(unit.to_vec());
        rest = behind;
    }
    units
}

/// A media playlist being written.
#[derive(Default)]
struct List {
    text: String,
}

impl List {
    fn line(&mut self, line: &str) -> &mut Self {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }

    fn segment(&mut self, name: &str, seconds: f64) -> &mut Self {
        let _ = writeln!(self.text, "#EXTINF:{seconds:.5},\n{name}");
        self
    }

    fn serve(&self, origin: &Origin, path: &str) -> String {
        let head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n";
        let text = format!("{head}{}#EXT-X-ENDLIST\n", self.text);
        origin.serve(path, "application/vnd.apple.mpegurl", text.into_bytes());
        origin.url(path)
    }
}

/// An ID3 tag of version 2.4.
fn tag(frames: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let size = |length: usize| [0, 0, 0, u8::try_from(length).expect("short")];
    let frame = |(name, content): &(&[u8; 4], &[u8])| {
        [&name[..], &size(content.len()), &[0; 2], content].concat()
    };
    let body: Vec<u8> = frames.iter().flat_map(frame).collect();
    [&b"ID3\x04\0\0"[..], &size(body.len()), &body].concat()
}

fn title(text: &str) -> Vec<u8> {
    tag(&[(b"TIT2", &[b"\x03", text.as_bytes()].concat())])
}

/// When the frame behind it is due, on a clock that stood at `zero` at the beginning.
fn timestamp(zero: u64, seconds: f64) -> Vec<u8> {
    let ticks = (zero + (seconds * 90_000.0).round() as u64) % WRAP;
    let owner = b"com.apple.streaming.transportStreamTimestamp\0";
    tag(&[(b"PRIV", &[&owner[..], &ticks.to_be_bytes()].concat())])
}

fn untagged(_: f64) -> Vec<u8> {
    Vec::new()
}

/// Position in milliseconds and text of each title that a dump told.
fn titles(sandbox: &Sandbox, url: &str, arguments: &[&str]) -> Vec<(i64, String)> {
    let fixed = ["dump", url, "--json", "--force", "-o", "titles.wav"];
    let run = sandbox
        .kithara(fixed.iter().chain(arguments))
        .prints()
        .run();
    let lines = run.json_lines();
    let told = lines.iter().filter(|line| line["event"] == "title");
    let row = |line: &Value| Some((line["pos_ms"].as_i64()?, line["title"].as_str()?.to_owned()));
    told.map(|line| row(line).expect("a position and a text"))
        .collect()
}

#[track_caller]
fn assert_same(want: &Sound, got: &Sound, case: &str) {
    assert_eq!(want.frames(), got.frames(), "{case}: frames");
    assert_eq!(first_difference(want, got), None, "{case}: samples");
}

#[test]
fn s4_packed_aac_sounds_the_same_in_whatever_segments() {
    let (origin, sandbox) = stage();
    let whole = dump(&sandbox, &origin.url("/files/adts.aac"), &[]);
    let frames = Frames::of_adts("files/adts.aac", 44_100.0);
    let clocked = |zero| {
        move |at: f64| {
            [
                title("a song"),
                timestamp(zero, at),
                tag(&[(b"TENC", b"\x03me")]),
            ]
            .concat()
        }
    };
    for (case, url) in [
        ("no tags", frames.serve(&origin, "bare", 40, untagged)),
        (
            "a clock",
            frames.serve(&origin, "clock", 13, clocked(900_000)),
        ),
        (
            "a clock that wraps",
            frames.serve(&origin, "wrap", 29, clocked(WRAP - 90_000)),
        ),
    ] {
        assert_same(&whole, &dump(&sandbox, &url, &[]), case);
    }
}

#[test]
fn s4_packed_mp3_sounds_the_same_in_whatever_segments() {
    let (origin, sandbox) = stage();
    let whole = dump(&sandbox, &origin.url("/files/lame.mp3"), &[]);
    let mut frames = Frames::of_mp3();
    let delayed = dump(
        &sandbox,
        &frames.serve(&origin, "informed", 31, untagged),
        &[],
    );
    assert_same(
        &whole,
        &delayed.slice(0, whole.frames()),
        "with its frame of information",
    );
    frames.units.remove(0);
    let late = 576 + 529; // told by nothing now
    for count in [1, 7, 50] {
        let tags = |at| timestamp(WRAP - 1, at);
        let got = dump(
            &sandbox,
            &frames.serve(&origin, &format!("by-{count}"), count, tags),
            &[],
        );
        assert_eq!(
            got.frames(),
            frames.units.len() * 1152,
            "{count} frames a segment"
        );
        assert_same(&whole, &got.slice(late, whole.frames()), "without it");
    }
}

#[test]
fn s4_a_run_may_begin_anywhere_in_packed_audio() {
    let (origin, sandbox) = stage();
    let mut mp3 = Frames::of_mp3();
    mp3.units.remove(0);
    for (codec, frames) in [
        ("mp3", mp3),
        ("aac", Frames::of_adts("files/adts.aac", 44_100.0)),
    ] {
        let url = frames.serve(&origin, codec, 20, |at| timestamp(5_000_000, at));
        let whole = dump(&sandbox, &url, &[]);
        let part = dump(&sandbox, &url, &["--start", "1.5", "--length", "1"]);
        assert_eq!(part.frames(), 44_100, "{codec}");
        let want = whole.slice(66_150, 44_100);
        // Noise that AAC fills in is other noise.
        let snr = snr_db(&want.floats(), &part.floats());
        assert!(
            snr > 60.0,
            "{codec}: {snr} dB to the same part of the whole"
        );
    }
}

#[test]
fn s4_tags_at_the_end_of_a_segment_are_passed_over() {
    let (origin, sandbox) = stage();
    let mut frames = Frames::of_mp3();
    frames.units.remove(0);
    let ends = [b"TAG".to_vec(), vec![b' '; 125]].concat();
    for units in frames.units.chunks_mut(30) {
        units.last_mut().expect("not empty").extend(&ends);
    }
    let clean = dump(&sandbox, &frames.serve(&origin, "ends", 30, untagged), &[]);
    assert_eq!(clean.frames(), frames.units.len() * 1152);
}

#[test]
fn s5_packed_dolby_audio_is_refused_by_name() {
    let (origin, sandbox) = stage();
    for (version, name) in [
        (8_u8, "AC-3 (Dolby Digital)"),
        (16, "E-AC-3 (Dolby Digital Plus)"),
    ] {
        let frame = [&[0x0B, 0x77, 0, 0, 0, version << 3][..], &[0; 500]].concat();
        let frames = Frames {
            units: vec![frame; 4],
            seconds: 0.032,
        };
        for (folder, tags) in [
            ("bare", untagged as fn(f64) -> Vec<u8>),
            ("clock", |at| timestamp(0, at)),
        ] {
            let folder = format!("{folder}-{version}");
            let url = frames.serve(&origin, &folder, 4, tags);
            sandbox
                .kithara(["dump", &url, "-o", "x.wav"])
                .fails(5, &[name])
                .run();
        }
    }
}

#[test]
fn s6_a_muxed_stream_plays_its_sound() {
    let (origin, sandbox) = stage();
    let sound = dump(&sandbox, &origin.url("/mp4/muxed.m3u8"), &[]);
    expected_of("mp4/muxed.m3u8").check(&sound);
    let alone = dump(&sandbox, &origin.url("/hls/aac128.m3u8"), &[]);
    assert_same(&alone, &sound, "the same units without video");
}

#[test]
fn s6_what_has_no_decoder_in_mp4_is_refused_by_name() {
    let origin = Origin::start();
    let replaced = |from: &[u8], to: &[u8]| {
        let mut init = bytes("hls/aac128-init.mp4");
        let at = init.windows(from.len()).position(|place| place == from);
        let at = at.expect("the bytes are there");
        init[at..at + to.len()].copy_from_slice(to);
        init
    };
    let specific = [0x12, 0x10, 0x56, 0xE5, 0x00];
    let cases = [
        (replaced(b"mp4a", b"ac-3"), "AC-3, Dolby Digital"),
        (replaced(b"mp4a", b"ec-3"), "E-AC-3, Dolby Digital Plus"),
        (replaced(b"mp4a", b"enca"), "encrypted"),
        (replaced(&specific, &[0xF9, 0x48, 0x40, 0x20, 0]), "xHE-AAC"),
    ];
    for (init, name) in cases {
        origin.serve("/hls/aac128-init.mp4", "video/mp4", init);
        let arguments = ["dump", &origin.url("/hls/aac128.m3u8"), "-o", "x.wav"];
        Sandbox::new().kithara(arguments).fails(5, &[name]).run();
    }
}

#[test]
fn s7_the_initialisation_section_may_change() {
    let (origin, sandbox) = stage();
    origin.serve("/hls/again.mp4", "video/mp4", bytes("hls/flac-init.mp4"));
    let mut list = List::default();
    for (number, init) in ["flac-init", "again", "flac-init", "again"]
        .iter()
        .enumerate()
    {
        list.line(&format!("#EXT-X-MAP:URI=\"{init}.mp4\""));
        list.segment(&format!("flac-{number}.m4s"), 0.5);
    }
    let same = dump(&sandbox, &list.serve(&origin, "/hls/same.m3u8"), &[]);
    assert_eq!(
        (same.frames(), first_break(&same, 0)),
        (23_040 * 3 + 23_040, None)
    );

    let mut list = List::default();
    for (codec, numbers) in [("flac", 0..2), ("alac", 0..2), ("flac", 2..4)] {
        list.line("#EXT-X-DISCONTINUITY");
        list.line(&format!("#EXT-X-MAP:URI=\"{codec}-init.mp4\""));
        for number in numbers {
            list.segment(&format!("{codec}-{number}.m4s"), 0.5);
        }
    }
    let mixed = dump(&sandbox, &list.serve(&origin, "/hls/mixed.m3u8"), &[]);
    let (flac, alac) = (2 * 23_040, 24_576 + 20_480);
    let parts = [(0, flac, 0), (flac, alac, 0), (flac + alac, flac, flac)];
    assert_eq!(mixed.frames(), 2 * flac + alac);
    for (from, count, first) in parts {
        let part = mixed.slice(from, count);
        assert_eq!(first_break(&part, first), None, "from frame {from} on");
    }
}

#[test]
fn s7_a_large_initialisation_section_is_read_up_to_a_limit() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/flac.m3u8");
    let init = bytes("hls/flac-init.mp4");
    let padded = |size: u32| {
        let (brand, movie) = init.split_at(usize::from(init[3]));
        let free = [
            &size.to_be_bytes()[..],
            b"free",
            &vec![0; size as usize - 8],
        ]
        .concat();
        [brand, &free, movie].concat()
    };
    origin.serve("/hls/flac-init.mp4", "video/mp4", padded(3 << 20));
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &url, &[]));
    let fresh = Sandbox::new();
    origin.serve("/hls/flac-init.mp4", "video/mp4", padded(5 << 20));
    fresh
        .kithara(["dump", &url, "-o", "x.wav"])
        .fails(5, &["segment 0"])
        .run();
}

#[test]
fn s9_segments_and_their_map_may_be_ranges_of_one_file() {
    let (origin, sandbox) = stage();
    let init = bytes("hls/flac-init.mp4");
    let segments: Vec<_> = (0..6)
        .map(|number| bytes(&format!("hls/flac-{number}.m4s")))
        .collect();
    let file = [vec![0xEE; 100], init.clone(), segments.concat()].concat();
    origin.serve("/hls/all.mp4", "video/mp4", file);
    let mut list = List::default();
    list.line(&format!(
        "#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"{}@100\"",
        init.len()
    ));
    let mut at = 100 + init.len();
    let mut ranges = vec![format!("bytes=100-{}", at - 1)];
    for (number, segment) in segments.iter().enumerate() {
        let length = segment.len();
        list.line(&match number {
            0 | 3 => format!("#EXT-X-BYTERANGE:{length}@{at}"),
            _ => format!("#EXT-X-BYTERANGE:{length}"),
        });
        list.segment("all.mp4", 0.5);
        ranges.push(format!("bytes={at}-{}", at + length - 1));
        at += length;
    }
    let got = dump(&sandbox, &list.serve(&origin, "/hls/ranges.m3u8"), &[]);
    expected_of("hls/flac.m3u8").check(&got);
    let requests = origin.requests("/hls/all.mp4");
    let mut asked: Vec<_> = requests
        .iter()
        .filter_map(|request| request.header("range"))
        .collect();
    asked.sort_by_key(|range| {
        range
            .split(['=', '-'])
            .nth(1)
            .and_then(|at| at.parse::<u64>().ok())
    });
    assert_eq!(asked, ranges);
}

#[test]
fn s10_content_decides_and_neither_name_nor_type() {
    let (origin, sandbox) = stage();
    let wrong = [
        ("x.jpg", "image/jpeg"),
        ("x.ts", "video/mp2t"),
        ("x.php", "text/plain"),
    ];
    let packed = Frames::of_adts("files/adts.aac", 44_100.0).units.concat();
    let contents = [
        ("files/adts.aac", packed, None),
        (
            "hls/aac128.m3u8",
            bytes("hls/aac128-0.m4s"),
            Some("aac128-init.mp4"),
        ),
    ];
    for (name, kind) in wrong {
        for (fixture, body, init) in &contents {
            let mut list = List::default();
            if let Some(init) = init {
                origin.serve("/odd/init.txt", kind, bytes(&format!("hls/{init}")));
                list.line("#EXT-X-MAP:URI=\"init.txt\"");
            }
            origin.serve(&format!("/odd/{name}"), kind, body.clone());
            list.segment(name, 3.0);
            let url = list.serve(&origin, "/odd/list.m3u8");
            let got = dump(&Sandbox::new(), &url, &[]);
            let want = dump(&sandbox, &origin.url(&format!("/{fixture}")), &[]);
            let want = want.slice(0, got.frames());
            assert!(got.frames() > 20_000, "{fixture} as {name}");
            assert_same(&want, &got, &format!("{fixture} as {name}"));
        }
    }
}

#[test]
fn s11_a_hundred_joins_leave_no_trace() {
    let (origin, sandbox) = stage();
    let whole = dump(&sandbox, &origin.url("/files/adts.aac"), &[]);
    let frames = Frames::of_adts("files/adts.aac", 44_100.0);
    let url = frames.serve(&origin, "each", 1, |at| timestamp(0, at));
    assert_same(&whole, &dump(&sandbox, &url, &[]), "131 segments");
    // A playlist that rounds its lengths to whole seconds moves no sample.
    let wrong = Frames {
        seconds: 1.0,
        ..frames
    };
    let url = wrong.serve(&origin, "rounded", 3, untagged);
    assert_same(&whole, &dump(&sandbox, &url, &[]), "lengths that are wrong");
}

#[test]
fn s12_packed_he_aac_comes_at_its_full_rate() {
    let (origin, sandbox) = stage();
    for file in ["he/v1.aac", "he/v2.aac"] {
        let whole = dump(&sandbox, &origin.url(&format!("/{file}")), &[]);
        expected_of(file).check(&whole);
        let frames = Frames::of_adts(file, 22_050.0);
        let url = frames.serve(&origin, file.trim_end_matches(".aac"), 9, |at| {
            timestamp(WRAP - 70_000, at)
        });
        assert_same(&whole, &dump(&sandbox, &url, &[]), file);
    }
}

#[test]
fn s13_every_codec_of_mp4_comes_out_of_fragments() {
    let (origin, sandbox) = stage();
    for file in [
        "hls/flac.m3u8",
        "hls/alac.m3u8",
        "mp4/opus.m3u8",
        "mp4/mp3.m3u8",
    ] {
        expected_of(file).check(&dump(&sandbox, &origin.url(&format!("/{file}")), &[]));
    }
}

#[test]
fn d6_titles_of_packed_audio_come_at_their_sample() {
    let (origin, sandbox) = stage();
    let frames = Frames::of_adts("files/adts.aac", 44_100.0);
    let url = frames.serve(&origin, "titles", 43, |at| {
        let name = if at < 0.5 { b"\x03One" } else { b"\x03\x1b[2" };
        let song = tag(&[(b"TIT2", name), (b"TPE1", b"\x00Caf\xE9")]);
        [song, timestamp(WRAP - 45_000, at)].concat()
    });
    let (one, two) = ("Café - One".to_owned(), "Café - \\u{1b}[2".to_owned());
    let second = (0.998_458 * 1000.0) as i64; // 43 units of 1024 frames
    let told = titles(&sandbox, &url, &[]);
    assert_eq!(told, [(0, one.clone()), (second, two.clone())]);
    let late = titles(&sandbox, &url, &["--start", "0.5"]);
    let want = [(0, one), (second - 500, two)];
    assert_eq!(
        late, want,
        "what is heard where the run begins, and what follows"
    );
}

#[test]
fn d6_titles_of_event_messages_come_at_their_sample() {
    let (origin, sandbox) = stage();
    let message = |version: u8, when: &[u8], text: &str| {
        let scheme = b"https://aomedia.org/emsg/ID3\0\0";
        let scale = 1000_u32.to_be_bytes();
        let rest = [0; 8]; // duration and id
        let fields = match version {
            0 => [&scheme[..], &scale, when, &rest].concat(),
            _ => [&scale[..], when, &rest, scheme].concat(),
        };
        let payload = [&[version, 0, 0, 0], &fields[..], &title(text)].concat();
        let size = u32::try_from(payload.len() + 8).expect("short");
        [&size.to_be_bytes()[..], b"emsg", &payload].concat()
    };
    let relative = message(0, &100_u32.to_be_bytes(), "Second");
    let absolute = message(1, &250_u64.to_be_bytes(), "First");
    let segment = |number| bytes(&format!("hls/flac-{number}.m4s"));
    origin.serve(
        "/hls/flac-0.m4s",
        "video/mp4",
        [absolute, segment(0)].concat(),
    );
    origin.serve(
        "/hls/flac-1.m4s",
        "video/mp4",
        [relative, segment(1)].concat(),
    );
    let want = [(250, "First".to_owned()), (622, "Second".to_owned())];
    assert_eq!(titles(&sandbox, &origin.url("/hls/flac.m3u8"), &[]), want);
}
