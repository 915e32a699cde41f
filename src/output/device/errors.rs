//! What a sound card complains about: which errors end the sound, and in which
//! words a person is told.

use cpal::ErrorKind;

use super::super::callback::Remote;
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, Thread};
use crate::text;

const IN_A_ROW: u32 = 100; // with no block between: a pulled card can report for ever
const SEE_NAMES: &str = "run \"kithara devices\" to see the names";
const WAYS_OUT: &str =
    "run \"kithara dump\" to write a file or \"kithara devices\" to see the names";

/// Listens to the errors of a stream, reports the one that ends it and is deaf
/// from then on.
pub(super) struct Complaints {
    remote: Remote,
    events: Events,
    /// Blocks played when the last error came.
    blocks: u64,
    /// Errors since then.
    errors: u32,
    is_deaf: bool,
}

impl Complaints {
    pub fn new(remote: Remote, events: Events) -> Self {
        Self {
            remote,
            events,
            blocks: 0,
            errors: 0,
            is_deaf: false,
        }
    }

    pub fn hear(&mut self, error: &cpal::Error) {
        if self.is_deaf || !self.is_fatal(error.kind()) {
            return;
        }
        self.is_deaf = true;
        // A card that is being closed may say so as an error.
        if !self.remote.is_stopping() {
            let problem = Problem::new(Kind::Audio, "cannot go on playing", why(error), WAYS_OUT);
            let done = Event::Done(Thread::Audio, Err(problem));
            self.events.send_last(done);
        }
    }

    /// Late blocks and the like are no end, unless nothing but errors comes.
    fn is_fatal(&mut self, kind: ErrorKind) -> bool {
        let blocks = self.remote.blocks();
        if blocks != self.blocks {
            self.blocks = blocks;
            self.errors = 0;
        }
        self.errors += 1;
        match kind {
            ErrorKind::DeviceNotAvailable
            | ErrorKind::HostUnavailable
            | ErrorKind::PermissionDenied
            | ErrorKind::StreamInvalidated => true,
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => false,
            _ => self.errors >= IN_A_ROW,
        }
    }
}

pub(super) fn is_absence(error: &cpal::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable
    )
}

/// The cause in plain words.
pub(super) fn why(error: &cpal::Error) -> String {
    let words = match error.kind() {
        ErrorKind::DeviceBusy => "another program is using it",
        ErrorKind::DeviceNotAvailable => "the device is not there",
        ErrorKind::HostUnavailable => "the sound server is not there",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::StreamInvalidated => "the sound server closed the stream",
        ErrorKind::UnsupportedConfig => "it takes no format we can give",
        _ => return text::safe(&error.to_string().to_lowercase()),
    };
    words.to_owned()
}

pub(super) fn cannot_open(name: Option<&str>, why: String) -> Problem {
    match name {
        Some(name) => {
            let what = format!("cannot open the sound card \"{}\"", text::safe(name));
            Problem::new(Kind::Audio, what, why, SEE_NAMES)
        }
        None => Problem::new(Kind::Audio, "cannot open the sound card", why, WAYS_OUT),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossbeam_channel::Receiver;

    use super::super::super::callback::Callback;
    use super::*;
    use crate::event;
    use crate::ring;
    use crate::units::{ChannelCount, SampleRate, Spec};

    fn complaints() -> (Complaints, Callback, Receiver<Event>) {
        let spec = Spec {
            rate: SampleRate::new(48_000).expect("an allowed rate"),
            channels: ChannelCount::new(2).expect("an allowed count"),
        };
        let (_producer, consumer) = ring::of_length(spec);
        let (callback, remote) = Callback::new(consumer, Arc::default());
        let (events, heard) = event::channel();
        (Complaints::new(remote, events), callback, heard)
    }

    fn reported(heard: &Receiver<Event>) -> usize {
        heard.try_iter().count()
    }

    #[test]
    fn a_lost_card_is_reported_once() {
        let (mut complaints, _callback, heard) = complaints();
        for _ in 0..3 {
            complaints.hear(&ErrorKind::DeviceNotAvailable.into());
        }
        assert_eq!(reported(&heard), 1);
    }

    #[test]
    fn errors_between_which_sound_flows_are_no_end() {
        let (mut complaints, mut callback, heard) = complaints();
        for _ in 0..1_000 {
            callback.run(&mut [0.0; 8]);
            complaints.hear(&ErrorKind::Xrun.into());
        }
        assert_eq!(reported(&heard), 0);
        for _ in 0..1_000 {
            complaints.hear(&ErrorKind::BackendError.into());
        }
        assert_eq!(reported(&heard), 1);
    }

    #[test]
    fn what_a_card_says_while_it_is_closed_is_not_reported() {
        let (mut complaints, _callback, heard) = complaints();
        complaints.remote.stop();
        complaints.hear(&ErrorKind::StreamInvalidated.into());
        assert_eq!(reported(&heard), 0);
    }
}
