//! One stream to a sound server: it says how much it wants, and gets it, in one
//! wake-up a request. What it holds is bounded, so that a stop is heard soon.

use std::ffi::CString;
use std::time::{Duration, Instant};

use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    ChannelMap, ChannelPosition, Command, CorkStreamParams, CreatePlaybackStreamReply,
    PlaybackStreamParams, Prop, Props, SampleFormat, SampleSpec,
};

use super::super::feed::Feed;
use super::super::knock::Knock;
use super::wire::{Fault, Wire};
use crate::stats::{Cause, Stats, Underrun};
use crate::units::{Frames, MediaTime, Spec};

/// What the server and the device hold together. Half of it may be late.
const HELD: Duration = Duration::from_millis(80);
/// The least it may ask for: 33 requests a second.
const REQUEST: Duration = Duration::from_millis(30);
/// While the ring is filled for the first time nobody tells when it is.
const LOOK: Duration = Duration::from_millis(5);
/// While it rests: a seek in a pause rings no bell here.
const NAP: Duration = Duration::from_millis(200);
/// What it may hold at most; a server that wants more talks nonsense.
const MOST: Duration = Duration::from_secs(2);
const MICROS: u64 = 1_000_000;

/// A stream that plays.
pub(in super::super) struct Stream {
    wire: Wire,
    channel: u32,
    spec: Spec,
    /// Bytes that were asked for and not sent.
    wanted: usize,
    /// From the last byte sent until it is heard.
    latency: Duration,
    block: Vec<f32>,
    has_begun: bool,
    /// Frames of silence sent since the fade of a pause.
    silence: u64,
    /// The server plays nothing of what it holds, and asks for nothing.
    is_corked: bool,
    /// Since when the server has had nothing to play, and where that was.
    dry: Option<(Instant, MediaTime)>,
}

impl Stream {
    pub(super) fn open(mut wire: Wire, spec: Spec, sink: Option<CString>) -> Result<Self, Fault> {
        let params = params(spec, sink);
        let opened: CreatePlaybackStreamReply = wire.ask(&Command::CreatePlaybackStream(params))?;
        let mut stream = Self {
            wire,
            channel: opened.channel,
            spec,
            wanted: 0,
            latency: Duration::ZERO,
            block: vec![0.0; samples(HELD, spec)],
            has_begun: false,
            silence: 0,
            is_corked: false,
            dry: None,
        };
        stream.want(opened.requested_bytes);
        stream.note_buffer(&opened.buffer_attr, opened.stream_latency);
        Ok(stream)
    }

    /// Plays what `feed` gives until `knock` says that it is over.
    ///
    /// # Errors
    ///
    /// Why the stream is lost.
    pub fn run(&mut self, feed: &mut Feed, knock: &Knock, stats: &Stats) -> Result<(), Fault> {
        while !knock.is_closing() {
            // What is given before there is sound would be silence in front of it.
            self.has_begun |= feed.has_sound();
            self.rest(feed)?;
            if self.has_begun && !self.is_corked {
                self.give(feed)?;
            }
            let limit = match (self.is_corked, self.has_begun) {
                (true, _) => Some(NAP),
                (false, false) => Some(LOOK),
                (false, true) => None,
            };
            if knock.wait(Some(self.wire.descriptor()), limit) {
                self.wire.receive()?;
            }
            while let Some(command) = self.wire.command()? {
                self.obey(command, stats)?;
            }
        }
        Ok(())
    }

    /// Corks the stream when all that the server holds is silence: before that it
    /// would cut the fade. Uncorks it when the pause is over.
    fn rest(&mut self, feed: &mut Feed) -> Result<(), Fault> {
        let is_resting = feed.is_resting();
        let held = MediaTime::from_seconds(self.latency.as_secs_f64()).frames(self.spec.rate);
        let cork = is_resting && self.silence > held.0;
        if cork != self.is_corked {
            self.is_corked = cork;
            let channel = self.channel;
            let params = CorkStreamParams { channel, cork };
            self.wire.tell(&Command::CorkPlaybackStream(params))?;
        }
        if cork {
            feed.look();
        }
        if !is_resting {
            self.silence = 0;
        }
        Ok(())
    }

    /// Sends all that is wanted.
    fn give(&mut self, feed: &mut Feed) -> Result<(), Fault> {
        let channels = self.spec.channels.count();
        loop {
            let frames = self.wanted / size_of::<f32>() / channels;
            let length = (frames * channels).min(self.block.len());
            if length == 0 {
                return Ok(());
            }
            let block = &mut self.block[..length];
            if feed.is_resting() {
                self.silence += (length / channels) as u64;
            }
            feed.fill(block, self.latency);
            self.wire.send(self.channel, block)?;
            self.wanted -= length * size_of::<f32>();
        }
    }

    fn obey(&mut self, command: Command, stats: &Stats) -> Result<(), Fault> {
        match command {
            Command::Request(request) => self.want(request.length),
            Command::Underflow(_) if self.has_begun && self.dry.is_none() => {
                self.dry = Some((Instant::now(), stats.position()));
            }
            Command::Started(_) => self.note_underrun(stats),
            Command::PlaybackBufferAttrChanged(new) => {
                self.note_buffer(&new.buffer_attr, new.sink_input_latency);
            }
            Command::PlaybackStreamMoved(new) => {
                self.note_buffer(&new.buffer_attr, new.configured_sink_latency);
            }
            Command::PlaybackStreamKilled(_) => {
                let why = "the sound server closed the stream";
                return Err(Fault::Broken(why.to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    fn want(&mut self, bytes: u32) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let most = samples(MOST, self.spec) * size_of::<f32>();
        self.wanted = self.wanted.saturating_add(bytes).min(most);
    }

    fn note_buffer(&mut self, buffer: &BufferAttr, device_micros: u64) {
        let frame = size_of::<f32>() * self.spec.channels.count();
        let bytes = usize::try_from(buffer.target_length).unwrap_or(usize::MAX);
        let held = Frames((bytes / frame) as u64)
            .time(self.spec.rate)
            .duration();
        self.latency = (held + Duration::from_micros(device_micros)).min(MOST);
    }

    /// The server had nothing to play though frames were there: we came late.
    fn note_underrun(&mut self, stats: &Stats) {
        if let Some((since, position)) = self.dry.take() {
            let silence = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            let rate = u64::from(self.spec.rate.hertz());
            stats.underrun(Underrun {
                position,
                frames: silence.saturating_mul(rate) / MICROS,
                cause: Cause::Scheduler,
            });
        }
    }
}

fn params(spec: Spec, sink: Option<CString>) -> PlaybackStreamParams {
    let mut about = Props::new();
    about.set(Prop::MediaName, c"kithara");
    about.set(Prop::MediaRole, c"music");
    let bytes = |time| {
        let bytes = samples(time, spec).saturating_mul(size_of::<f32>());
        u32::try_from(bytes).unwrap_or(u32::MAX)
    };
    PlaybackStreamParams {
        sample_spec: SampleSpec {
            format: SampleFormat::Float32Le,
            channels: map(spec).num_channels(),
            sample_rate: spec.rate.hertz(),
        },
        channel_map: map(spec),
        sink_name: sink,
        buffer_attr: BufferAttr {
            target_length: bytes(HELD),
            // After a hole it goes on at the frame where it stopped.
            pre_buffering: bytes(REQUEST),
            minimum_request_length: bytes(REQUEST),
            ..BufferAttr::default()
        },
        props: about,
        flags: StreamFlags {
            adjust_latency: true,
            ..StreamFlags::default()
        },
        ..PlaybackStreamParams::default()
    }
}

/// The loudspeakers of WAV order.
fn map(spec: Spec) -> ChannelMap {
    use ChannelPosition::{
        FrontCenter, FrontLeft, FrontRight, Lfe, Mono, RearCenter, RearLeft, RearRight, SideLeft,
        SideRight,
    };
    let positions: &[ChannelPosition] = match spec.channels.count() {
        1 => &[Mono],
        2 => &[FrontLeft, FrontRight],
        3 => &[FrontLeft, FrontRight, FrontCenter],
        4 => &[FrontLeft, FrontRight, RearLeft, RearRight],
        5 => &[FrontLeft, FrontRight, FrontCenter, RearLeft, RearRight],
        6 => &[FrontLeft, FrontRight, FrontCenter, Lfe, RearLeft, RearRight],
        7 => &[
            FrontLeft,
            FrontRight,
            FrontCenter,
            Lfe,
            RearCenter,
            SideLeft,
            SideRight,
        ],
        _ => &[
            FrontLeft,
            FrontRight,
            FrontCenter,
            Lfe,
            RearLeft,
            RearRight,
            SideLeft,
            SideRight,
        ],
    };
    ChannelMap::new(positions.iter().copied())
}

/// The samples of `time`, whole frames.
fn samples(time: Duration, spec: Spec) -> usize {
    let frames = time.as_micros() * u128::from(spec.rate.hertz()) / u128::from(MICROS);
    let frames = usize::try_from(frames).unwrap_or(usize::MAX);
    frames.saturating_mul(spec.channels.count())
}
