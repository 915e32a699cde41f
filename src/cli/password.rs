//! A password, asked for on the terminal and not shown while it is typed.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use signal_hook::consts::SIGINT;
use signal_hook::low_level;

use crate::error::{Kind, Problem};
use crate::text;

const LONGEST: usize = 1024;

/// The password of `user`: typed, or empty where nobody can be asked.
///
/// # Errors
///
/// [`Kind::Arguments`] when the terminal goes away meanwhile.
pub fn ask(user: &str) -> Result<String, Problem> {
    if !io::stdin().is_terminal() {
        return Ok(String::new());
    }
    let unasked = |error| {
        let what = format!("cannot ask for the password of \"{}\"", text::safe(user));
        let todo = "give it in KITHARA_USER";
        Problem::from_io(error, Kind::Arguments, what, todo)
    };
    let mut line = Line::default();
    let prompt = format!("password of \"{}\": ", text::safe(user));
    let silence = Silence::begin().map_err(unasked)?;
    // A terminal that cannot be written to can still be typed on.
    let _ = io::stderr().write_all(prompt.as_bytes());
    let mut byte = [0];
    let end = loop {
        let count = rustix::io::read(io::stdin(), &mut byte);
        match count.map_err(|error| unasked(error.into()))? {
            0 => break End::Typed,
            _ => match line.take(byte[0]) {
                None => {}
                Some(end) => break end,
            },
        }
    };
    drop(silence);
    let _ = io::stderr().write_all(b"\n");
    if end == End::Interrupted {
        // Nothing has begun that had to be ended in order. It does not return.
        let _ = low_level::emulate_default_handler(SIGINT);
    }
    String::from_utf8(line.0).map_err(|_| unasked(io::ErrorKind::InvalidData.into()))
}

/// What was typed so far.
#[derive(Debug, Default)]
struct Line(Vec<u8>);

/// How typing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Typed,
    Interrupted,
}

impl Line {
    /// Takes a key, with the few that edit and end a line on every terminal.
    fn take(&mut self, key: u8) -> Option<End> {
        match key {
            b'\r' | b'\n' | 4 => return Some(End::Typed), // Enter, Ctrl-D
            3 => return Some(End::Interrupted),           // Ctrl-C
            8 | 127 => {
                // A whole character, which may be several bytes.
                while self.0.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
            }
            21 => self.0.clear(), // Ctrl-U
            0..32 => {}
            _ if self.0.len() < LONGEST => self.0.push(key),
            _ => {}
        }
        None
    }
}

/// The terminal without echo, a key at a time; dropping it puts everything
/// back. Signals by key are off, or Ctrl-C would leave a silent terminal.
struct Silence {
    before: Termios,
}

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut modes = before.clone();
        modes
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        termios::tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &modes)?;
        Ok(Self { before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that hung up has no modes to put back.
        let _ = termios::tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_typed_corrected_and_ended() {
        let cases: [(&[u8], &str, Option<End>); 7] = [
            (b"secret\r", "secret", Some(End::Typed)),
            (b"secret\n", "secret", Some(End::Typed)),
            (b"secrets\x7f\n", "secret", Some(End::Typed)),
            ("grün\x08\x08u\n".as_bytes(), "gru", Some(End::Typed)),
            (b"wrong\x15right\x04", "right", Some(End::Typed)),
            (b"\x7f\x1b[A\x1a", "[A", None),
            (b"sec\x03", "sec", Some(End::Interrupted)),
        ];
        for (keys, want, end) in cases {
            let mut line = Line::default();
            let ended = keys.iter().find_map(|key| line.take(*key));
            assert_eq!(
                (line.0.as_slice(), ended),
                (want.as_bytes(), end),
                "{keys:?}"
            );
        }
    }
}
