//! What a sound card complains about: which errors end the sound, and in which
//! words a person is told.

use std::sync::Arc;

use cpal::ErrorKind;

use super::super::super::callback::Remote;
use super::super::knock::Knock;
use crate::text;

const IN_A_ROW: u32 = 100; // with no block between: a pulled card can report for ever

/// Listens to the errors of a stream, passes on the one that ends it and is deaf
/// from then on.
pub(super) struct Complaints {
    remote: Remote,
    knock: Arc<Knock>,
    /// Blocks played when the last error came.
    blocks: u64,
    /// Errors since then.
    errors: u32,
    is_deaf: bool,
}

impl Complaints {
    pub fn new(remote: Remote, knock: Arc<Knock>) -> Self {
        Self {
            remote,
            knock,
            blocks: 0,
            errors: 0,
            is_deaf: false,
        }
    }

    pub fn hear(&mut self, error: &cpal::Error) {
        if !self.is_deaf && self.is_fatal(error.kind()) {
            self.is_deaf = true;
            self.knock.complain(why(error));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::callback::Callback;
    use crate::ring;
    use crate::units::{ChannelCount, SampleRate, Spec};

    fn complaints() -> (Complaints, Callback, Arc<Knock>) {
        let spec = Spec {
            rate: SampleRate::new(48_000).expect("an allowed rate"),
            channels: ChannelCount::new(2).expect("an allowed count"),
        };
        let (_producer, consumer) = ring::of_length(spec);
        let (callback, remote) = Callback::new(consumer, Arc::default());
        let knock = Arc::new(Knock::new().expect("a descriptor"));
        (Complaints::new(remote, Arc::clone(&knock)), callback, knock)
    }

    #[test]
    fn a_lost_card_is_told_once() {
        let (mut complaints, _callback, knock) = complaints();
        complaints.hear(&ErrorKind::DeviceNotAvailable.into());
        assert_eq!(
            knock.complaint().as_deref(),
            Some("the device is not there")
        );
        complaints.hear(&ErrorKind::DeviceNotAvailable.into());
        assert_eq!(knock.complaint(), None);
    }

    #[test]
    fn errors_between_which_sound_flows_are_no_end() {
        let (mut complaints, mut callback, knock) = complaints();
        for _ in 0..1_000 {
            callback.run(&mut [0.0; 8]);
            complaints.hear(&ErrorKind::Xrun.into());
        }
        assert_eq!(knock.complaint(), None);
        for _ in 0..1_000 {
            complaints.hear(&ErrorKind::BackendError.into());
        }
        assert!(knock.complaint().is_some());
    }
}
