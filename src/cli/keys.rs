//! The keyboard while playing: single keys without Enter, read without
//! waiting. Only while standard input is a terminal and we are in its
//! foreground; a background job must neither read nor change the terminal.

use std::io;
use std::os::fd::AsFd;

use rustix::process::getpgrp;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};

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

    /// Whether `key` is among those pressed since the last call.
    pub fn pressed(&self, key: u8) -> bool {
        let mut keys = [0; 64];
        is_ours()
            && rustix::io::read(io::stdin(), &mut keys)
                .is_ok_and(|count| keys[..count].contains(&key))
    }
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
