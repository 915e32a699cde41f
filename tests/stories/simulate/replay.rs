//! A second opinion on a log of `simulate`: bytes arrive where the link puts
//! them, the player hears what has arrived. Written from the rules alone.

use serde_json::Value;

/// Logs have microseconds.
const NEAR: f64 = 5e-6;
/// Round trips before the first answer of a session: TCP, TLS and the request.
const FIRST_TRIPS: f64 = 3.0;

/// A trace, in steps of: begin, bits per second, round trip.
pub struct Link {
    steps: Vec<(f64, f64, f64)>,
    length: f64,
}

impl Link {
    /// Reads the lines of a trace.
    pub fn parse(text: &str) -> Self {
        let row = |line: &str| {
            let numbers = line
                .split(' ')
                .map(|word| word.parse::<f64>().expect("a number"));
            let numbers: Vec<f64> = numbers.collect();
            let trip = numbers.get(2).copied().unwrap_or(50.0);
            (numbers[0], numbers[1] * 1e3, trip / 1e3)
        };
        let mut steps: Vec<_> = text.lines().map(row).collect();
        let (length, ..) = steps.pop().expect("a last line");
        Self { steps, length }
    }

    fn trip(&self, time: f64) -> f64 {
        let inside = time.rem_euclid(self.length);
        let step = self.steps.iter().rev().find(|(begin, ..)| *begin <= inside);
        step.expect("the first begins at 0").2
    }

    /// The moment at which `bits` have come since `from`, step by step.
    fn arrival(&self, from: f64, mut bits: f64) -> f64 {
        let mut round = (from / self.length).floor() * self.length;
        loop {
            for (place, (begin, rate, _)) in self.steps.iter().enumerate() {
                let end = self.steps.get(place + 1).map_or(self.length, |next| next.0);
                let begin = (round + begin).max(from);
                let room = (round + end - begin).max(0.0) * rate;
                if bits <= room {
                    return if bits > 0.0 {
                        begin + bits / rate
                    } else {
                        from
                    };
                }
                bits -= room;
            }
            round += self.length;
        }
    }
}

/// What is wrong in `log`, of a session over `link`.
pub fn check(log: &Value, link: &Link, ladder: &Value) -> Result<(), String> {
    let player = |name: &str| log["player"][name].as_f64().expect("a setting");
    let in_flight = player("in_flight");
    let mut ends: Vec<f64> = Vec::new();
    let mut parts: Vec<(f64, f64)> = Vec::new();
    let (mut last, mut before, mut next, mut bytes) = (0.0_f64, 0.0, 0, 0.0);
    for (place, request) in log["requests"]
        .as_array()
        .expect("a list")
        .iter()
        .enumerate()
    {
        let wrong = |what: &str| Err(format!("{what} of request {place}: {request}"));
        let at = |name: &str| request[name].as_f64();
        let asked = at("t_req").expect("it was asked for");
        if asked < before - NEAR {
            return wrong("time goes back");
        }
        before = asked;
        let size = size(request, ladder);
        if request["bytes"].as_f64() != Some(size) {
            return wrong("size");
        }
        let segment = request["segment"].as_u64().map(|number| number as usize);
        let is_stored = request["source"] == "cache";
        let (first, end) = match is_stored {
            true => (asked, asked),
            false => {
                ends.retain(|end| *end > asked + NEAR);
                if ends.len() as f64 >= in_flight {
                    return wrong("one too many under way");
                }
                let trips = if place == 0 { FIRST_TRIPS } else { 1.0 };
                let first = asked + link.trip(asked) * trips;
                let first = if in_flight > 1.0 {
                    first.max(last)
                } else {
                    first
                };
                (first, link.arrival(first, size * 8.0))
            }
        };
        let until = at("t_abort").unwrap_or(end);
        let is_near =
            |said: Option<f64>, want: f64| said.is_some_and(|it| (it - want).abs() < NEAR);
        match at("t_abort") {
            None if !is_near(at("t_end"), end) => return wrong("last byte"),
            Some(abort) if abort > end + NEAR => return wrong("abort"),
            _ => {}
        }
        if (at("t_abort").is_none() || first <= until) && !is_near(at("t_first"), first) {
            return wrong("first byte");
        }
        if let Some(segment) = segment {
            if segment > next {
                return wrong("a hole before the segment");
            }
            let seconds = |place: usize| ladder["segment_s"][place].as_f64().expect("a length");
            let start: f64 = (0..segment).map(seconds).sum();
            let count = (seconds(segment) / player("part_s") - 1e-9).ceil();
            for part in 1..=count as usize {
                let share = part as f64 / count;
                let time = match is_stored {
                    true => asked,
                    false => link.arrival(first, size * 8.0 * share),
                };
                if time <= until + NEAR {
                    parts.push((time, start + seconds(segment) * share));
                }
            }
            next += usize::from(segment == next && at("t_abort").is_none());
        }
        if !is_stored {
            last = until;
            ends.push(until);
            let come = |bits: f64| link.arrival(first, bits) <= until;
            let part = (0..=1000).map(|share| size * f64::from(share) / 1000.0);
            bytes += part.filter(|part| come(part * 8.0)).fold(0.0, f64::max);
        }
    }
    if next != ladder["segment_s"].as_array().map_or(0, Vec::len) {
        return Err(format!("it ends before segment {next}"));
    }
    let said = log["metrics"]["bytes"].as_f64().expect("a number");
    if (said - bytes).abs() > 0.002 * bytes {
        return Err(format!("{said} bytes came, not {bytes}"));
    }
    heard(log, parts, &player)
}

/// What the ladder says of a request's size.
fn size(request: &Value, ladder: &Value) -> f64 {
    let number = |name: &str| request[name].as_u64().map_or(0, |number| number as usize);
    let variant = &ladder["variants"][number("variant")];
    let size = match request["kind"].as_str() {
        Some("master") => &ladder["master_bytes"],
        Some("playlist") => &variant["playlist_bytes"],
        Some("init") => &variant["init_bytes"],
        _ => &variant["sizes"][number("segment")],
    };
    size.as_f64().expect("a size")
}

/// The start and the stalls that follow from when parts came.
fn heard(
    log: &Value,
    mut parts: Vec<(f64, f64)>,
    player: &impl Fn(&str) -> f64,
) -> Result<(), String> {
    parts.sort_by(|one, other| one.0.total_cmp(&other.0));
    let total = parts.iter().map(|(_, end)| *end).fold(0.0, f64::max);
    let (mut playable, mut ran_until, mut started) = (0.0_f64, 0.0_f64, None);
    let (mut wanted, mut stalls) = (player("startup_s"), Vec::new());
    // While it plays: when all that is playable will have been heard.
    let mut is_playing = false;
    let mut position = 0.0;
    for (time, end) in parts {
        if is_playing && time > ran_until + NEAR {
            is_playing = false;
            position = playable;
            wanted = player("resume_s");
        }
        let more = (end - playable).max(0.0);
        playable += more;
        if is_playing {
            ran_until += more;
        } else if playable - position >= wanted.min(total - position) - 1e-9 && playable > position
        {
            if started.is_none() {
                started = Some(time);
            } else {
                stalls.push((ran_until, time - ran_until));
            }
            is_playing = true;
            ran_until = time + playable - position;
        }
    }
    let said = &log["playback"];
    let is_near =
        |said: &Value, want: f64| said.as_f64().is_some_and(|it| (it - want).abs() < 2e-3);
    if !is_near(&said["started"], started.unwrap_or(f64::NAN)) {
        return Err(format!(
            "it started at {started:?}, not {}",
            said["started"]
        ));
    }
    let listed = said["stalls"].as_array().expect("a list");
    let is_same = |(one, (from, length)): (&Value, &(f64, f64))| {
        is_near(&one[0], *from) && is_near(&one[1], *length)
    };
    match listed.len() == stalls.len() && listed.iter().zip(&stalls).all(is_same) {
        true => Ok(()),
        false => Err(format!("it stalled {stalls:?}, not {listed:?}")),
    }
}
