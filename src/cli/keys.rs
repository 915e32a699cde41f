//! The keyboard while playing: single keys without Enter, read by a thread that
//! waits for nothing else. Only while standard input is a terminal and we are in
//! its foreground; a background job must neither read nor change the terminal.

use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};

use crate::pipeline;

const ESCAPE: &u8 = &0x1b;
/// Keys that were pressed and not obeyed yet.
const WAITING: usize = 64;
/// Between two looks whether the terminal is ours again.
const BACKGROUND: Duration = Duration::from_millis(200);
/// Per cent that a key makes it louder.
const VOLUME: i8 = 2;
/// Thousandths of its own pace that a key makes it faster.
const SPEED: i16 = 100;
/// Seconds that the arrows lead to the side,
const NEAR: i64 = 5;
/// and up and down.
const FAR: i64 = 60;

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `q`: the end.
    Quit,
    /// Space or `p`: holds the sound, or lets it go on.
    Pause,
    /// The arrows: so many seconds on, or back.
    Seek(i64),
    /// `9` and `0`: so many per cent louder, or softer.
    Volume(i8),
    /// `m`: silence and back.
    Mute,
    /// `[` and `]`: so many thousandths slower, or faster.
    Speed(i16),
    /// `n`: the next of several streams.
    Next,
    /// `v`: the next variant.
    NextVariant,
    /// `L`: to the edge of a live stream.
    Edge,
    /// `i`: the report so far.
    Report,
}

/// The terminal in single-key mode; dropping it puts everything back, also
/// when a panic unwinds.
#[derive(Debug)]
pub struct Keyboard {
    before: Termios,
    keys: Receiver<Key>,
}

impl Keyboard {
    /// Takes the keyboard, if there is one to take.
    pub fn take() -> Option<Self> {
        if !is_ours() {
            return None;
        }
        let before = termios::tcgetattr(io::stdin()).ok()?;
        let (sender, keys) = bounded(WAITING);
        let keyboard = Self { before, keys };
        keyboard.single_keys();
        // Ends with the process: a read of a terminal cannot be called off.
        pipeline::spawn_short("keys", move || read(&sender)).ok()?;
        Some(keyboard)
    }

    /// Single-key mode again, after the shell had the terminal (`fg`).
    pub fn single_keys(&self) {
        let mut modes = self.before.clone();
        // Signals stay on: Ctrl-C and Ctrl-Z mean what they always mean.
        modes
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        set(&modes);
    }

    /// Where keys come from, in the order in which they are pressed.
    pub fn keys(&self) -> &Receiver<Key> {
        &self.keys
    }
}

/// Reads keys for ever: the thread "keys".
fn read(sender: &Sender<Key>) {
    let mut bytes = [0; 64];
    loop {
        let stdin = io::stdin();
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        if !is_ours() {
            thread::sleep(BACKGROUND); // the keys are somebody else's
            continue;
        }
        match rustix::io::read(io::stdin(), &mut bytes) {
            Ok(0) => return, // it hung up
            Ok(count) => {
                for key in keys(&bytes[..count]) {
                    // Whoever holds a key down does not want it a hundred times.
                    let _ = sender.try_send(key);
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}

/// The keys that `bytes` of a terminal say; those that mean nothing are left out.
fn keys(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        let key = match first {
            ESCAPE => {
                let sequence;
                (sequence, bytes) = split_sequence(rest);
                of_sequence(sequence)
            }
            letter => of_letter(*letter),
        };
        keys.extend(key);
    }
    keys
}

fn of_letter(letter: u8) -> Option<Key> {
    Some(match letter {
        b'q' => Key::Quit,
        b' ' | b'p' => Key::Pause,
        b'9' => Key::Volume(-VOLUME),
        b'0' => Key::Volume(VOLUME),
        b'm' => Key::Mute,
        b'[' => Key::Speed(-SPEED),
        b']' => Key::Speed(SPEED),
        b'n' => Key::Next,
        b'v' => Key::NextVariant,
        b'L' => Key::Edge,
        b'i' => Key::Report,
        _ => return None,
    })
}

/// The arrows, as terminals send them in either of their modes.
fn of_sequence(sequence: &[u8]) -> Option<Key> {
    Some(Key::Seek(match sequence {
        b"[A" | b"OA" => FAR,
        b"[B" | b"OB" => -FAR,
        b"[C" | b"OC" => NEAR,
        b"[D" | b"OD" => -NEAR,
        _ => return None,
    }))
}

/// The escape sequence (ECMA-48) that `bytes` begin with, and what follows it:
/// its letters are no keys. A bare escape has none.
fn split_sequence(bytes: &[u8]) -> (&[u8], &[u8]) {
    let [b'[' | b'O', body @ ..] = bytes else {
        return bytes.split_at(0);
    };
    let last = body.iter().position(|byte| (0x40..=0x7e).contains(byte));
    bytes.split_at(last.map_or(bytes.len(), |last| last + 2))
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        set(&self.before);
    }
}

/// In the background the shell has set the terminal as it wants it, and asking
/// for a change would stop us (SIGTTOU).
fn set(modes: &Termios) {
    if is_ours() {
        // A terminal that hung up has no modes to put back.
        let _ = termios::tcsetattr(io::stdin().as_fd(), OptionalActions::Now, modes);
    }
}

/// Whether standard input is a terminal and we are in its foreground.
fn is_ours() -> bool {
    termios::tcgetpgrp(io::stdin()) == Ok(getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_order_and_sequences_are_no_letters() {
        let cases: [(&[u8], &[Key]); 9] = [
            (b"", &[]),
            (b"vxq", &[Key::NextVariant, Key::Quit]),
            (b"\x1b[Cv", &[Key::Seek(5), Key::NextVariant]),
            (
                b"\x1b[D\x1bOA\x1b[B",
                &[Key::Seek(-5), Key::Seek(60), Key::Seek(-60)],
            ),
            (
                b" p90m",
                &[
                    Key::Pause,
                    Key::Pause,
                    Key::Volume(-2),
                    Key::Volume(2),
                    Key::Mute,
                ],
            ),
            (b"\x1bOq\x1b[1;5v", &[]),
            (b"\x1b[200~v", &[Key::NextVariant]),
            (b"\x1bq", &[Key::Quit]),
            (b"\x1b[12;", &[]),
        ];
        for (bytes, want) in cases {
            assert_eq!(keys(bytes), want, "{bytes:?}");
        }
    }
}
