//! `kithara info`: what a stream is.

use serde::Serialize;

use super::args::Info;
use super::events::json_line;
use super::exit::{self, End};
use super::listing::columns;
use super::queue::{Place, Queue};
use super::session::Session;
use crate::error::{Kind, Problem};
use crate::pipeline::{
    self, CacheChoice, Described, Description, Entry, LiveRow, Network, Quality, VariantRow,
};
use crate::text;
use crate::units::{BitRate, MediaTime};

#[derive(Serialize)]
struct Page {
    schema: u32,
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    kind: &'static str,
    url: String,
    variants: Vec<Row>,
    tier: Option<&'static str>,
    #[serde(skip)]
    tier_text: Option<String>,
    tier_reason: Option<String>,
    languages: Vec<String>,
    chosen: Option<Chosen>,
    decodable: bool,
    reason: Option<String>,
    repairs: Vec<Repair>,
    /// How many are not listed.
    more_repairs: usize,
    duration_ms: Option<i64>,
    #[serde(skip)]
    duration: Option<MediaTime>,
    start_offset_ms: Option<i64>,
    #[serde(skip)]
    start_offset: Option<MediaTime>,
    live: Option<Live>,
    encryption: String,
    codec: Option<&'static str>,
    rate: Option<u32>,
    channels: Option<usize>,
    proxy: Option<String>,
}

/// The window of a live stream.
#[derive(Serialize)]
struct Live {
    window_ms: i64,
    segments: usize,
    target_ms: i64,
    hold_back_ms: i64,
    parts: bool,
}

#[derive(Serialize)]
struct Row {
    id: usize,
    bandwidth: u64,
    with_pictures: bool,
    average_bandwidth: Option<u64>,
    codecs: Option<String>,
    decodable: bool,
    reason: Option<String>,
    name: Option<String>,
    language: Option<String>,
    channels: Option<u64>,
    alternatives: usize,
    container: Option<&'static str>,
}

#[derive(Serialize)]
struct Chosen {
    id: usize,
    reason: String,
}

#[derive(Serialize)]
struct Repair {
    playlist: String,
    line: u32,
    what: String,
}

/// Describes the stream, or one after another those of a list.
///
/// # Errors
///
/// What the stream or the network says; with `--lint`, a playlist that needed
/// a repair ([`Kind::Malformed`]).
pub fn info(flags: &Info, session: &Session<'_>) -> Result<End, Problem> {
    let (cache, network) = (session.global.cache()?, session.global.network()?);
    let mut queue = Queue::of(&[Ok(flags.url.clone())]);
    let mut worst = End::DONE;
    while let Some(place) = queue.next() {
        let run = place.as_ref().ok().filter(|place| place.is_listed());
        let run = run.map(|place| format!("cannot describe \"{}\"", place.location));
        let described = place.and_then(|place| {
            let entries = look(flags, &place, &cache, &network, session.global.quiet)?;
            entries.map_or(Ok(()), |entries| queue.expand(&place, &entries))
        });
        if let Err(problem) = described {
            worst = worst.max(exit::fail(&problem, run.as_deref(), session.bugs));
        }
        if matches!(worst, End::Signal(_)) {
            break; // nobody reads it
        }
    }
    Ok(worst)
}

/// Prints what is at `place`; returns the entries of what is a list.
fn look(
    flags: &Info,
    place: &Place,
    cache: &CacheChoice,
    network: &Network,
    is_quiet: bool,
) -> Result<Option<Vec<Result<Entry, Problem>>>, Problem> {
    let described = pipeline::describe(
        &place.location,
        place.typed.as_ref(),
        flags.choice.quality.unwrap_or(Quality::Auto),
        &flags.choice.taste(),
        cache,
        network,
        flags.probe,
    )?;
    let warn = |warnings: &[Problem]| {
        for warning in warnings.iter().filter(|_| !is_quiet) {
            exit::say(&format!("kithara: {}", exit::message(warning)));
        }
    };
    let found = match described {
        Described::Stream(found) => *found,
        Described::List(entries, warnings) => {
            warn(&warnings);
            return Ok(Some(entries));
        }
    };
    warn(&found.warnings);
    let page = page(found);
    let text = if flags.json.json {
        json_line(&page)
    } else {
        page.text()
    };
    exit::data(&text)?;
    match page.repairs.len() + page.more_repairs {
        count @ 1.. if flags.lint => Err(Problem::new(
            Kind::Malformed,
            format!("cannot call {:?} clean", page.url),
            format!("its playlists needed {count} repairs"),
            "see the lines that are listed",
        )),
        _ => Ok(None),
    }
}

fn page(found: Description) -> Page {
    let safe = |text: String| text::safe(&text);
    Page {
        schema: 1,
        kind_of_line: "info",
        kind: found.kind,
        url: text::short_url(&found.url),
        variants: found.variants.into_iter().map(row).collect(),
        tier: found.tier.as_ref().map(|(tier, _)| tier.name()),
        tier_text: found.tier.as_ref().map(|(tier, _)| tier.to_string()),
        tier_reason: found.tier.map(|(_, why)| safe(why)),
        languages: found.languages.into_iter().map(safe).collect(),
        chosen: found.chosen.map(|(id, reason)| Chosen {
            id,
            reason: safe(reason),
        }),
        decodable: found.refusal.is_none(),
        reason: found.refusal.map(safe),
        repairs: found
            .repairs
            .into_iter()
            .map(|repair| Repair {
                playlist: repair.playlist,
                line: repair.line,
                what: safe(repair.what),
            })
            .collect(),
        more_repairs: found.more_repairs,
        duration_ms: found.duration.map(|duration| duration.millis()),
        duration: found.duration,
        start_offset_ms: found.start_offset.map(|offset| offset.millis()),
        start_offset: found.start_offset,
        live: found.live.map(live),
        encryption: found.encryption,
        codec: found.codec.map(|format| format.codec.name()),
        rate: found.codec.map(|format| format.spec.rate.hertz()),
        channels: found.codec.map(|format| format.spec.channels.count()),
        proxy: found.proxy.map(|proxy| text::short_url(&proxy)),
    }
}

fn live(row: LiveRow) -> Live {
    Live {
        window_ms: row.window.millis(),
        segments: row.segments,
        target_ms: row.target_duration.millis(),
        hold_back_ms: row.hold_back.millis(),
        parts: row.has_parts,
    }
}

/// The window of a live stream, for people.
fn window(live: &Live) -> String {
    let seconds = |millis: i64| MediaTime::from_nanos(millis.saturating_mul(1_000_000));
    let parts = if live.parts { " (low latency)" } else { "" };
    format!(
        "window {} in {} segments{parts}, played {} behind its end",
        seconds(live.window_ms),
        live.segments,
        seconds(live.hold_back_ms)
    )
}

fn row(variant: VariantRow) -> Row {
    let safe = |text: Option<String>| text.map(|text| text::safe(&text));
    Row {
        id: variant.id,
        bandwidth: variant.bandwidth,
        with_pictures: variant.with_pictures,
        average_bandwidth: variant.average_bandwidth,
        codecs: safe(variant.codecs),
        decodable: variant.decodable,
        reason: safe(variant.reason),
        name: safe(variant.name),
        language: safe(variant.language),
        channels: variant.channels,
        alternatives: variant.alternatives,
        container: variant.container,
    }
}

impl Page {
    fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.url, self.facts());
        if let (Some(tier), Some(why)) = (&self.tier_text, &self.tier_reason) {
            text += &format!("{tier}: {why}\n");
        }
        if !self.languages.is_empty() {
            text += &format!("languages: {}\n", self.languages.join(", "));
        }
        if !self.variants.is_empty() {
            let head = [
                "id",
                "peak",
                "average",
                "codecs",
                "container",
                "channels",
                "language",
                "name",
                "",
            ];
            let mut rows = vec![head.map(str::to_owned)];
            rows.extend(self.variants.iter().map(line));
            text += &columns(&rows);
        }
        if let Some(chosen) = &self.chosen {
            text += &format!("would play {}: {}\n", chosen.id, chosen.reason);
        }
        if let Some(reason) = &self.reason {
            text += &format!("cannot be played: {reason}\n");
        }
        text + &self.repairs()
    }

    /// One line for each repair, below the playlist it was made in.
    fn repairs(&self) -> String {
        let mut text = String::new();
        let mut playlist = "";
        for repair in &self.repairs {
            if repair.playlist != playlist {
                playlist = &repair.playlist;
                text += &format!("repaired in {playlist}:\n");
            }
            text += &format!("  line {}: {}\n", repair.line, repair.what);
        }
        if self.more_repairs > 0 {
            text += &format!("  and {} more\n", self.more_repairs);
        }
        text
    }

    fn facts(&self) -> String {
        let facts = [
            Some(self.kind.to_owned()),
            self.duration.map(|duration| duration.to_string()),
            self.live.as_ref().map(window),
            self.start_offset.map(beginning),
            self.codec.map(str::to_owned),
            self.rate.map(|rate| format!("{rate} Hz")),
            self.channels.map(|channels| format!("{channels} channels")),
            Some(format!("encryption {}", self.encryption)),
            self.proxy.as_ref().map(|proxy| format!("through {proxy}")),
        ];
        let facts: Vec<_> = facts.into_iter().flatten().collect();
        facts.join(", ")
    }
}

/// Where the publisher wants playing to begin.
fn beginning(offset: MediaTime) -> String {
    match offset < MediaTime::ZERO {
        true => format!("begins {} before the end", MediaTime::ZERO - offset),
        false => format!("begins at {offset}"),
    }
}

fn line(row: &Row) -> [String; 9] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
    [
        row.id.to_string(),
        or_dash(&stated(Some(row.bandwidth), row)),
        or_dash(&stated(row.average_bandwidth, row)),
        or_dash(&row.codecs),
        or_dash(&row.container.map(str::to_owned)),
        or_dash(&row.channels.map(|channels| channels.to_string())),
        or_dash(&row.language),
        or_dash(&row.name),
        remark(row),
    ]
}

/// A rate, when there is one; with the pictures it is an upper bound.
fn stated(rate: Option<u64>, row: &Row) -> Option<String> {
    let rate = rate.filter(|rate| *rate > 0)?;
    let bound = if row.with_pictures { "≤ " } else { "" };
    Some(format!("{bound}{}", BitRate(rate)))
}

/// What is to be said of a variant beside what it states.
fn remark(row: &Row) -> String {
    let places = (row.alternatives > 0).then(|| format!("in {} places", row.alternatives + 1));
    let reason = row.reason.as_ref().map(|reason| match row.decodable {
        true => format!("not unless asked for: {reason}"),
        false => format!("not playable: {reason}"),
    });
    let remarks: Vec<String> = places.into_iter().chain(reason).collect();
    remarks.join(", ")
}
