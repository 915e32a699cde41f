//! The keyboard while playing: single keys without Enter, read without
//! waiting. Only while standard input is a terminal and we are in its
//! foreground; a background job must neither read nor change the terminal.

use std::io;
use std::os::fd::AsFd;

use rustix::process::getpgrp;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};

const ESCAPE: &u8 = &0x1b;

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `q`: the end.
    Quit,
    /// `v`: the next variant.
    NextVariant,
}

/// The terminal in single-key mode; dropping it puts everything back, also
/// when a panic unwinds.
#[derive(Debug)]
pub struct Keyboard {
    before: Termios,
}

impl Keyboard {
    /// Takes the keyboard, if there is one to take.
    pub fn take() -> Option<Self> {
        if !is_ours() {
            return None;
        }
        let before = termios::tcgetattr(io::stdin()).ok()?;
        let keyboard = Self { before };
        keyboard.single_keys();
        Some(keyboard)
    }

    /// Single-key mode again, after the shell had the terminal (`fg`).
    pub fn single_keys(&self) {
        let mut modes = self.before.clone();
        // Signals stay on: Ctrl-C and Ctrl-Z mean what they always mean.
        modes
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        modes.special_codes[SpecialCodeIndex::VMIN] = 0;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        set(&modes);
    }

    /// What was pressed since the last call, in order.
    pub fn pressed(&self) -> Vec<Key> {
        let mut bytes = [0; 64];
        let count = match is_ours() {
            true => rustix::io::read(io::stdin(), &mut bytes).unwrap_or(0),
            false => 0,
        };
        keys(&bytes[..count])
    }
}

/// The keys that `bytes` of a terminal say; those that mean nothing are left out.
fn keys(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        match first {
            b'q' => keys.push(Key::Quit),
            b'v' => keys.push(Key::NextVariant),
            ESCAPE => bytes = behind_sequence(rest),
            _ => {}
        }
    }
    keys
}

/// What follows an escape sequence (ECMA-48): an arrow is not its letters.
fn behind_sequence(bytes: &[u8]) -> &[u8] {
    let body = match bytes {
        [b'[' | b'O', body @ ..] => body,
        _ => return bytes,
    };
    let last = body.iter().position(|byte| (0x40..=0x7e).contains(byte));
    last.map_or(&[], |last| &body[last + 1..])
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
        let cases: [(&[u8], &[Key]); 7] = [
            (b"", &[]),
            (b"vxq", &[Key::NextVariant, Key::Quit]),
            (b"\x1b[Cv", &[Key::NextVariant]),
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
