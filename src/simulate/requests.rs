//! Requests of a session: put on the link, where they come one after the other,
//! and into the log.

use super::log::Request;
use super::session::{Load, NEAR, Session, round};
use crate::hls::planner::{Asked, overlap_bytes};

/// Round trips of the session's first request: TCP, TLS 1.3 and the request.
const FIRST_TRIPS: f64 = 3.0;

impl Session<'_> {
    /// Puts a request on the link and into the log; when it comes.
    pub(super) fn send(
        &mut self,
        kind: &'static str,
        bytes: u64,
        segment: Option<usize>,
        variant: Option<usize>,
    ) -> (f64, f64) {
        let trips = if self.requests.is_empty() {
            FIRST_TRIPS
        } else {
            1.0
        };
        let answered = self.now + self.trace.trip(self.now) * trips;
        let (first, end) = self.on_the_link(answered, bytes);
        self.bytes += bytes;
        self.requests.push(Request {
            kind,
            segment,
            variant,
            bytes,
            t_req: round(self.now),
            t_first: Some(round(first)),
            t_end: Some(round(end)),
            ..Request::default()
        });
        (first, end)
    }

    /// When a body comes that is answered at `answered` at the earliest: one
    /// after the other.
    fn on_the_link(&mut self, answered: f64, bytes: u64) -> (f64, f64) {
        let first = match self.setting.player.in_flight {
            1 => answered,
            _ => answered.max(self.last_end),
        };
        let bits = self.trace.bits(first) + 8.0 * bytes as f64;
        let end = first.max(self.trace.when(bits));
        self.last_end = end;
        (first, end)
    }

    pub(super) fn fetch(&mut self, asked: Asked) {
        let variants = &self.ladder.variants;
        let (kind, bytes, segment, rung) = match asked {
            Asked::Playlist(rung) => ("playlist", variants[rung].playlist_bytes, None, rung),
            Asked::Init(rung) => ("init", variants[rung].init_bytes, None, rung),
            Asked::Segment { place, rung } => {
                ("segment", variants[rung].sizes[place], Some(place), rung)
            }
            Asked::Overlap { place, rung } => return self.fetch_overlap(place, rung),
        };
        let (first, end) = self.send(kind, bytes, segment, Some(rung));
        let request = self.requests.len() - 1;
        // With more requests under way parts come within the rounding of a moment.
        if segment.is_some() && self.setting.player.in_flight == 1 {
            let buffer = self.playback.playable - self.playback.position;
            self.requests[request].buffer_s = Some(round(buffer));
        }
        let mut load = Load {
            asked,
            at: self.now,
            is_alone: self.loads.is_empty(),
            request,
            first,
            end,
            bytes,
            parts: Vec::new(),
        };
        if let Some(segment) = segment {
            load.parts = self.arrivals(&load, segment);
        }
        self.loads.push(load);
    }

    /// The head of a segment: a request that is ended when enough has come.
    fn fetch_overlap(&mut self, place: usize, rung: usize) {
        let variant = &self.ladder.variants[rung];
        let whole = variant.sizes[place];
        let rate = variant.average_bandwidth as f64 / 1e3;
        let bytes = overlap_bytes(rate, self.ladder.segment_s[place]).min(whole);
        let (first, end) = self.send("segment", bytes, Some(place), Some(rung));
        self.wasted += bytes;
        self.aborts += 1;
        let request = self.requests.len() - 1;
        let logged = &mut self.requests[request];
        logged.bytes = whole;
        logged.t_end = None;
        logged.t_abort = Some(round(end));
        logged.reason = Some("overlap");
        self.loads.push(Load {
            asked: Asked::Overlap { place, rung },
            at: self.now,
            is_alone: false,
            request,
            first,
            end,
            bytes,
            parts: Vec::new(),
        });
    }

    fn parts(&self, segment: usize) -> usize {
        let parts = self.ladder.segment_s[segment] / self.setting.player.part_s;
        // Saturating, and at least one.
        ((parts - NEAR).ceil() as usize).max(1)
    }

    /// When the parts of `segment` that are not here yet become playable.
    fn arrivals(&self, load: &Load, segment: usize) -> Vec<(f64, f64)> {
        let count = self.parts(segment);
        let before = self.trace.bits(load.first);
        let arrival = |part: usize| {
            let share = (part + 1) as f64 / count as f64;
            let bits = before + 8.0 * load.bytes as f64 * share;
            let at = match part + 1 == count {
                true => load.end,
                false => self.trace.when(bits).max(load.first),
            };
            (
                at,
                self.starts[segment] + self.ladder.segment_s[segment] * share,
            )
        };
        (self.heard[segment].len()..count).map(arrival).collect()
    }

    pub(super) fn reuse(&mut self, segment: usize, rung: usize) {
        let now = round(self.now);
        self.requests.push(Request {
            kind: "segment",
            segment: Some(segment),
            variant: Some(rung),
            source: Some("cache"),
            bytes: self.ladder.variants[rung].sizes[segment],
            t_req: now,
            t_first: Some(now),
            t_end: Some(now),
            ..Request::default()
        });
        let count = self.parts(segment);
        self.heard[segment].resize(count, rung);
        self.playback.add(self.now, self.starts[segment + 1]);
        self.whole.push(rung);
    }

    /// The loads from `first` on, which waited for the one before them, come
    /// as soon as the link is free.
    pub(super) fn move_up(&mut self, first: usize) {
        let mut waiting = self.loads.split_off(first.min(self.loads.len()));
        for load in &mut waiting {
            let answered = load.at + self.trace.trip(load.at);
            (load.first, load.end) = self.on_the_link(answered, load.bytes);
            let request = &mut self.requests[load.request];
            request.t_first = Some(round(load.first));
            match request.t_abort.is_some() {
                true => request.t_abort = Some(round(load.end)),
                false => request.t_end = Some(round(load.end)),
            }
            if let Asked::Segment { place, .. } = load.asked {
                load.parts = self.arrivals(load, place);
            }
        }
        self.loads.append(&mut waiting);
    }
}
