//! `make bench`: whole-process cost of decoding, beside ffmpeg in the same run.
//! Prints medians and ratios, asserts nothing. Needs ffmpeg, which also makes
//! the media: ten minutes of synthesised sound as files and as HLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const SECONDS: u32 = 600;
const TICKS_PER_SECOND: u64 = 100; // USER_HZ of every Linux

fn main() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        println!("ffmpeg is missing: apt-get install ffmpeg");
        return;
    }
    let folder = std::env::temp_dir().join(format!("kithara-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    println!("decode {SECONDS} s to WAV, medians of {ROUNDS} interleaved runs");
    println!(
        "{:<10} {:>12} {:>12} {:>7} {:>12} {:>12} {:>7}",
        "media", "kithara cpu", "ffmpeg cpu", "ratio", "kithara wall", "ffmpeg wall", "ratio"
    );
    for (name, path) in media(&folder) {
        compare(name, &path, &folder.join("out.wav"));
    }
    fs::remove_dir_all(&folder).expect("the folder is ours");
}

/// Makes the media; the name and what to open of each.
fn media(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let source = folder.join("source.wav");
    let sound = format!(
        "aevalsrc='0.2*sin(2*PI*220*t)+0.1*sin(2*PI*(300+200*sin(0.1*t))*t)|0.2*sin(2*PI*277*t)':s=44100:d={SECONDS}[a];\
         anoisesrc=color=pink:amplitude=0.1:seed=1:r=44100:d={SECONDS}[b];[a][b]amix=inputs=2:normalize=0"
    );
    ffmpeg(
        &["-filter_complex", &sound, "-c:a", "pcm_s16le"],
        None,
        &source,
    );
    let hls = [
        "-f",
        "hls",
        "-hls_time",
        "6",
        "-hls_playlist_type",
        "vod",
        "-hls_segment_type",
        "fmp4",
    ];
    let coded = [
        (
            "mp3",
            "song.mp3",
            ["-c:a", "libmp3lame", "-b:a", "128k"].as_slice(),
            [].as_slice(),
        ),
        ("flac", "song.flac", &["-c:a", "flac"], &[]),
        ("m4a", "song.m4a", &["-c:a", "aac", "-b:a", "128k"], &[]),
        (
            "hls aac",
            "list.m3u8",
            &["-c:a", "aac", "-b:a", "128k"],
            &hls,
        ),
    ];
    let make = |(name, file, codec, muxer): (&'static str, &str, &[&str], &[&str])| {
        let path = folder.join(file);
        ffmpeg(&[codec, muxer].concat(), Some(&source), &path);
        (name, path)
    };
    coded.into_iter().map(make).collect()
}

fn ffmpeg(arguments: &[&str], input: Option<&Path>, output: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]);
    if let Some(input) = input {
        command.arg("-i").arg(input);
    }
    let status = command
        .args(arguments)
        .arg(output)
        .status()
        .expect("ffmpeg starts");
    assert!(status.success(), "ffmpeg makes {}", output.display());
}

fn compare(name: &str, path: &Path, output: &Path) {
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..ROUNDS {
        let mut kithara = Command::new(env!("CARGO_BIN_EXE_kithara"));
        kithara
            .args(["dump", "-q", "-f", "--no-cache", "-o"])
            .arg(output)
            .arg(path);
        ours.push(cost(&mut kithara));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-v", "error", "-y", "-i"])
            .arg(path)
            .args(["-c:a", "pcm_s16le"])
            .arg(output);
        theirs.push(cost(&mut ffmpeg));
    }
    let ((our_cpu, our_wall), (cpu, wall)) = (medians(ours), medians(theirs));
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64().max(0.001);
    println!(
        "{name:<10} {our_cpu:>12.2?} {cpu:>12.2?} {:>7.2} {our_wall:>12.2?} {wall:>12.2?} {:>7.2}",
        ratio(our_cpu, cpu),
        ratio(our_wall, wall)
    );
}

/// Processor and wall time of one run.
fn cost(command: &mut Command) -> (Duration, Duration) {
    let (before, begun) = (children_cpu(), Instant::now());
    let status = command.stdin(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "{command:?}");
    (children_cpu() - before, begun.elapsed())
}

/// User and system time of all children that have ended.
fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    Duration::from_millis((ticks(14) + ticks(15)) * 1000 / TICKS_PER_SECOND)
}

fn medians(mut runs: Vec<(Duration, Duration)>) -> (Duration, Duration) {
    runs.sort_by_key(|run| run.0);
    let cpu = runs[ROUNDS / 2].0;
    runs.sort_by_key(|run| run.1);
    (cpu, runs[ROUNDS / 2].1)
}
