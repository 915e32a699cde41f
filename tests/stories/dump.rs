//! `dump`: every sample of the source, in the format that was asked for.

use std::fs;
use std::io::Read;

use serde_json::Value;

use crate::wav::{
    Sample, Sound, band, first_break, first_difference, hex, snr_db, tone, worst_shift,
};
use crate::{bytes, dump, expected, expected_of, fixture_path, sandbox, stage};

const FLAC: &str = "/files/s16.flac";
const AAC_SEGMENTS: usize = 6;

#[test]
fn every_fixture_comes_out_whole_over_http() {
    let (origin, sandbox) = stage();
    for row in expected() {
        row.check(&dump(&sandbox, &origin.url(&format!("/{}", row.file)), &[]));
    }
}

#[test]
fn every_fixture_comes_out_whole_from_a_local_path() {
    let (_, sandbox) = stage();
    for row in expected() {
        let path = fixture_path(&row.file);
        row.check(&dump(&sandbox, path.to_str().expect("UTF-8"), &[]));
    }
}

#[test]
fn start_and_length_are_exact_to_the_sample_for_lossless_sound() {
    let (origin, sandbox) = stage();
    for file in [
        "/files/s16.flac",
        "/files/alac.m4a",
        "/hls/flac.m3u8",
        "/hls/alac.m3u8",
    ] {
        let url = origin.url(file);
        let whole = dump(&sandbox, &url, &[]);
        let total = whole.frames();
        let cases: [(&[&str], usize, usize); 6] = [
            (&["--start", "0.5", "--length", "0.75"], 22_050, 33_075),
            (&["--start", "1.1"], 48_510, total - 48_510),
            (&["--length", "250ms"], 0, 11_025),
            (&["--start", "0:01", "--length", "10ms"], 44_100, 441),
            (&["--start=-1"], total - 44_100, 44_100),
            (
                &["--start", "1.5", "--length", "90s"],
                66_150,
                total - 66_150,
            ),
        ];
        for (arguments, first, count) in cases {
            let part = dump(&sandbox, &url, arguments);
            assert_eq!(part.frames(), count, "{file} {arguments:?}");
            assert_eq!(first_break(&part, first), None, "{file} {arguments:?}");
            assert_eq!(
                first_difference(&whole.slice(first, count), &part),
                None,
                "{file} {arguments:?}"
            );
        }
    }
}

#[test]
fn start_and_length_are_exact_to_the_sample_for_lossy_sound() {
    let (origin, sandbox) = stage();
    let files = [
        "files/moov-first.m4a",
        "files/moov-last.m4a",
        "files/smpb.m4a",
        "files/lame.mp3",
        "files/vorbis.ogg",
        "hls/aac128.m3u8",
    ];
    for file in files {
        let url = origin.url(&format!("/{file}"));
        let whole = dump(&sandbox, &url, &[]);
        for (start, length, first, count) in
            [("0.7", "1.3", 30_870, 57_330), ("2", "5", 88_200, 44_100)]
        {
            let part = dump(&sandbox, &url, &["--start", start, "--length", length]);
            assert_eq!(part.frames(), count, "{file} from {start}");
            let (shift, at) = worst_shift(&part, first);
            assert!(
                shift < 0.5,
                "{file} from {start}: {shift} samples off at {at}"
            );
            let snr = snr_db(&whole.slice(first, count).floats(), &part.floats());
            assert!(
                snr > 60.0,
                "{file} from {start}: {snr} dB to the same part of the whole"
            );
        }
    }
}

#[test]
fn a_start_past_the_end_says_so_and_ends_well() {
    let (origin, sandbox) = stage();
    let run = sandbox.kithara(["dump", &origin.url(FLAC), "-o", "x.wav", "--start", "1:00"]);
    run.warns(&[]).run();
    assert_eq!(Sound::open(&sandbox.path("x.wav")).frames(), 0);
}

#[test]
fn the_sample_format_is_the_one_asked_for() {
    let (origin, sandbox) = stage();
    let url = origin.url(FLAC);
    let plain = dump(&sandbox, &url, &[])
        .integers()
        .expect("s16 by default");
    let wide = dump(&sandbox, &url, &["--sample", "s24"]);
    assert_eq!(wide.sample, Sample::S24);
    assert!(
        wide.integers()
            .expect("s24")
            .iter()
            .zip(&plain)
            .all(|(wide, plain)| *wide == plain * 256)
    );
    let float = dump(&sandbox, &url, &["--sample", "f32"]);
    assert_eq!(float.sample, Sample::F32);
    assert!(
        float
            .floats()
            .iter()
            .zip(&plain)
            .all(|(float, plain)| *float == f64::from(*plain) / 32_768.0)
    );
}

#[test]
fn twenty_four_bits_become_sixteen_within_one_step() {
    let (origin, sandbox) = stage();
    let url = origin.url("/files/s24.flac");
    let wide = dump(&sandbox, &url, &[])
        .integers()
        .expect("s24 by default");
    let narrow = dump(&sandbox, &url, &["--sample", "s16"])
        .integers()
        .expect("s16");
    let far = wide
        .iter()
        .zip(&narrow)
        .position(|(wide, narrow)| (wide - narrow * 256).abs() > 256);
    assert_eq!(far, None, "sample");
}

#[test]
fn he_aac_comes_out_at_full_rate_and_in_full_width() {
    let (_, sandbox) = stage();
    for (file, own, other) in [("he/v1.m3u8", 0.15, 0.05), ("he/v2.m3u8", 0.05, 0.15)] {
        let path = fixture_path(file);
        let sound = dump(&sandbox, path.to_str().expect("UTF-8"), &[]);
        // 330 Hz left and 415 Hz right; parametric stereo leaves some of each in both.
        for (channel, here, there) in [(0, 330.0, 415.0), (1, 415.0, 330.0)] {
            let (here, there) = (tone(&sound, channel, here), tone(&sound, channel, there));
            assert!(
                here > own && there < other,
                "{file} {channel}: {here} {there}"
            );
            // Above half of the core's 22.05 kHz there is only what SBR makes.
            let high = band(&sound, channel, 11_500.0, 14_000.0);
            assert!(high > 0.004, "{file} {channel}: {high}");
        }
    }
}

#[test]
fn raw_pcm_is_the_wav_without_its_header() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/flac.m3u8");
    let whole = dump(&sandbox, &url, &[]);
    sandbox
        .kithara(["dump", &url, "--raw", "-o", "x.pcm"])
        .run();
    let raw = fs::read(sandbox.path("x.pcm")).expect("written");
    assert!(
        raw == whole.pcm,
        "{} and {} bytes",
        raw.len(),
        whole.pcm.len()
    );
    let piped = sandbox
        .kithara(["dump", &url, "--raw", "-o", "-"])
        .prints()
        .run();
    assert!(
        piped.stdout == whole.pcm,
        "{} bytes on stdout",
        piped.stdout.len()
    );
}

#[test]
fn a_wav_on_stdout_has_a_valid_header() {
    let (origin, sandbox) = stage();
    for file in [
        "files/s16.flac",
        "files/six.wav",
        "files/s24.wav",
        "hls/alac.m3u8",
    ] {
        let run = sandbox.kithara(["dump", &origin.url(&format!("/{file}")), "-o", "-"]);
        expected_of(file).check(&Sound::parse(&run.prints().run().stdout));
    }
}

#[test]
fn without_a_name_the_file_is_called_after_the_stream_and_never_overwritten() {
    let (origin, sandbox) = stage();
    let url = origin.url(FLAC);
    sandbox.kithara(["dump", &url]).run();
    let first = fs::read(sandbox.path("s16.wav")).expect("named after the last path element");
    sandbox
        .kithara(["dump", &url, "--length", "1"])
        .fails(2, &["s16.wav"])
        .run();
    assert!(fs::read(sandbox.path("s16.wav")).expect("still there") == first);
    sandbox.kithara(["dump", &url, "--length", "1", "-f"]).run();
    assert_eq!(Sound::open(&sandbox.path("s16.wav")).frames(), 44_100);
}

#[test]
fn a_chosen_variant_is_the_only_one_that_is_fetched() {
    let cases: [(&[&str], &str); 7] = [
        (&["-Q", "0"], "aac64"),
        (&["-Q", "1"], "aac128"),
        (&["-Q", "2"], "flac"),
        (&["-Q", "worst"], "aac64"),
        (&["-Q", "best"], "alac"),
        (&["-Q", "<=150k"], "aac128"),
        (&[], "alac"),
    ];
    for (arguments, variant) in cases {
        let (origin, sandbox) = stage();
        let sound = dump(&sandbox, &origin.url("/hls/master.m3u8"), arguments);
        expected_of(&format!("hls/{variant}.m3u8")).check(&sound);
        let stray: Vec<_> = origin
            .log()
            .into_iter()
            .map(|request| request.path)
            .filter(|path| !path.contains("master") && !path.contains(variant))
            .collect();
        assert!(stray.is_empty(), "{arguments:?} fetched {stray:?}");
    }
}

#[test]
fn the_adaptive_dump_has_no_seam() {
    let (origin, sandbox) = stage();
    expected_of("hls/aac128.m3u8").check(&dump(
        &sandbox,
        &origin.url("/hls/aac.m3u8"),
        &["-Q", "auto"],
    ));
}

/// The lines of the ledger of a dump of `path`, and the sound.
fn ledger(path: &str) -> (Vec<Value>, Sound) {
    let (origin, sandbox) = stage();
    let url = origin.url(&format!("{path}?token=hush"));
    let sound = dump(&sandbox, &url, &["--ledger", "ledger.jsonl"]);
    let text = fs::read_to_string(sandbox.path("ledger.jsonl")).expect("a ledger");
    assert!(!text.contains("hush"), "a query in the ledger: {text}");
    (sandbox::json_lines(&text), sound)
}

#[test]
fn the_ledger_accounts_for_every_frame_and_every_byte() {
    let (lines, sound) = ledger("/hls/aac128.m3u8");
    assert_eq!(lines.len(), AAC_SEGMENTS);
    let (mut next, mut trimmed) = (0, 0);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["segment"], number as u64, "{line}");
        assert_eq!(line["variant"], 0, "{line}");
        assert_eq!(line["first_frame"], next, "{line}");
        assert_eq!(line["silence"], false, "{line}");
        let name = format!("hls/aac128-{number}.m4s");
        assert_eq!(line["sha256"], hex(&bytes(&name)), "{line}");
        assert!(
            line["url"].as_str().is_some_and(|url| url.ends_with(&name)),
            "{line}"
        );
        next += line["frames"].as_u64().expect("a number");
        trimmed += line["trimmed"].as_u64().expect("a number");
    }
    assert_eq!(next, sound.frames() as u64);
    // 1024 frames of priming and 820 of padding: 131 units of 1024 frames in all.
    assert_eq!((next, trimmed), (132_300, 1_844));
}

#[test]
fn the_ledger_of_a_lossless_stream_trims_nothing() {
    let (lines, sound) = ledger("/hls/flac.m3u8");
    let frames: u64 = lines
        .iter()
        .filter_map(|line| line["frames"].as_u64())
        .sum();
    let trimmed: u64 = lines
        .iter()
        .filter_map(|line| line["trimmed"].as_u64())
        .sum();
    assert_eq!((frames, trimmed), (sound.frames() as u64, 0));
}

#[test]
fn events_on_stdout_end_with_a_summary() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/flac.m3u8");
    let run = sandbox
        .kithara(["dump", &url, "-o", "x.wav", "--json"])
        .prints()
        .run();
    let lines = run.json_lines();
    let of = |name: &str| lines.iter().filter(|line| line["event"] == name).count();
    assert!(of("state") > 0 && of("end") == 1, "{lines:?}");
    assert_eq!(of("segment"), 6);
    assert_eq!(of("error") + of("warning") + of("retry") + of("stall"), 0);
    for line in &lines[..lines.len() - 1] {
        assert_eq!(line["type"], "event", "{line}");
        assert!(
            line["t_ms"].is_number() && line["pos_ms"].is_number(),
            "{line}"
        );
    }
    assert_eq!(run.summary()["decode"]["frames"], 132_300);
}

#[test]
fn events_go_to_stderr_when_stdout_carries_pcm() {
    let (origin, sandbox) = stage();
    let run = sandbox
        .kithara(["dump", &origin.url(FLAC), "-o", "-", "--raw", "--json"])
        .prints()
        .chatty()
        .run();
    assert_eq!(run.stdout.len(), 88_200 * 4);
    let last = sandbox::json_lines(&run.stderr).pop().expect("lines");
    assert_eq!(last["type"], "summary");
}

#[test]
fn the_first_samples_come_before_the_first_segment_has_arrived() {
    let (origin, sandbox) = stage();
    let gate = origin.on("/hls/aac128-0.m4s").drip();
    let url = origin.url("/hls/aac128.m3u8");
    let running = sandbox
        .kithara(["dump", &url, "--raw", "-o", "-"])
        .prints()
        .spawn();
    gate.release(bytes("hls/aac128-0.m4s").len() as u64 * 2 / 5);
    // 40 % of 26 access units, less one of priming: at least eight units of 1024 frames.
    let early = running.stdout_bytes(4 * 1024 * 4);
    assert!(
        origin.requests("/hls/aac128-0.m4s")[0].sent < 4_000,
        "the rest is withheld"
    );
    gate.open();
    let sound = Sound::raw(running.finish().stdout, 44_100, 2, Sample::S16);
    assert!(sound.pcm.starts_with(&early));
    expected_of("hls/aac128.m3u8").check(&sound);
}

#[test]
fn the_first_samples_of_a_file_come_before_the_file_has_arrived() {
    for file in [
        "files/s16.flac",
        "files/lame.mp3",
        "files/moov-first.m4a",
        "files/s16.wav",
        "files/alac.m4a",
    ] {
        let (origin, sandbox) = stage();
        let path = format!("/{file}");
        let gate = origin.on(&path).drip();
        let running = sandbox
            .kithara(["dump", &origin.url(&path), "--raw", "-o", "-"])
            .prints()
            .spawn();
        gate.release(bytes(file).len() as u64 * 7 / 10);
        running.stdout_bytes(8 * 1024);
        gate.open();
        let row = expected_of(file);
        row.check(&Sound::raw(
            running.finish().stdout,
            row.rate,
            row.channels,
            row.sample,
        ));
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_dump_quietly() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/flac.m3u8");
    let (running, mut pipe) = sandbox
        .kithara(["dump", &url, "--raw", "-o", "-"])
        .code(141)
        .spawn_unread();
    let mut first = [0; 1000];
    pipe.read_exact(&mut first).expect("PCM comes");
    drop(pipe);
    running.finish();
}

#[test]
fn an_encoded_stream_is_downloaded_once() {
    let (origin, sandbox) = stage();
    dump(&sandbox, &origin.url("/hls/flac.m3u8"), &[]);
    for number in 0..6 {
        assert_eq!(
            origin.requests(&format!("/hls/flac-{number}.m4s")).len(),
            1,
            "segment {number}: {:#?}",
            origin.log()
        );
    }
    assert_eq!(origin.requests("/hls/flac-init.mp4").len(), 1);
    assert_eq!(origin.requests("/hls/flac.m3u8").len(), 1);
}
