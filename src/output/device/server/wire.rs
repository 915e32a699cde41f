//! The connection to a sound server that speaks PulseAudio's protocol (PipeWire
//! does, too): messages there and back over a Unix socket. Nothing waits longer
//! than [`TIMEOUT`].

use std::env;
use std::ffi::CString;
use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use pulseaudio::protocol::{
    AuthParams, AuthReply, Command, CommandReply, DESCRIPTOR_SIZE, MAX_VERSION, Prop, Props,
    ProtocolError, SetClientNameReply, TagStructReader, encode_command_message, read_descriptor,
};

use crate::error;

const TIMEOUT: Duration = Duration::from_secs(2); // for an answer: a server may hang
const COOKIE_BYTES: usize = 256; // servers drop a client whose cookie has another length
const LARGEST_MESSAGE: u32 = 1 << 20; // a list of a hundred sinks is far below
const READ_BYTES: usize = 4096;
/// The channel number of messages that are commands.
const COMMANDS: u32 = u32::MAX;

/// Why the server does not do what was asked.
#[derive(Debug)]
pub(in super::super) enum Fault {
    /// There is none.
    Absent,
    /// It said no.
    Refused(String),
    /// It is gone, hangs or talks nonsense.
    Broken(String),
}

impl Fault {
    /// In plain words.
    pub fn why(self) -> String {
        match self {
            Self::Absent => "the sound server is not there".to_owned(),
            Self::Refused(why) | Self::Broken(why) => why,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Broken(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                "the sound server does not answer".to_owned()
            }
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => "the sound server went away".to_owned(),
            _ => error::reason(&error),
        })
    }
}

impl From<ProtocolError> for Fault {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Io(error) => error.into(),
            other => Self::Broken(other.to_string().to_lowercase()),
        }
    }
}

/// A connection over which both sides have introduced themselves.
#[derive(Debug)]
pub(super) struct Wire {
    socket: UnixStream,
    version: u16,
    /// Number of the next command.
    next: u32,
    /// What came and was not taken apart.
    inbox: Vec<u8>,
    outbox: Vec<u8>,
}

impl Wire {
    /// Connects to the server of this session.
    pub fn connect() -> Result<Self, Fault> {
        let paths = places().into_iter();
        let socket = paths.filter_map(|path| UnixStream::connect(path).ok());
        let socket = { socket }.next().ok_or(Fault::Absent)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        let mut wire = Self {
            socket,
            version: MAX_VERSION,
            next: 0,
            inbox: Vec::new(),
            outbox: Vec::new(),
        };
        wire.introduce()?;
        Ok(wire)
    }

    fn introduce(&mut self) -> Result<(), Fault> {
        let server: AuthReply = self.ask(&Command::Auth(AuthParams {
            version: MAX_VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie: cookie(),
        }))?;
        self.version = server.version.min(MAX_VERSION);
        let mut about = Props::new();
        about.set(Prop::ApplicationName, c"kithara");
        about.set(Prop::ApplicationProcessBinary, c"kithara");
        let id = CString::new(std::process::id().to_string()).expect("digits hold no zero");
        about.set(Prop::ApplicationProcessId, id);
        let _: SetClientNameReply = self.ask(&Command::SetClientName(about))?;
        Ok(())
    }

    /// For whoever waits until something comes.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends a command and waits for its answer; what the server says by itself
    /// meanwhile is nothing to us.
    pub fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, Fault> {
        let number = self.tell(command)?;
        loop {
            while let Some(message) = self.take()? {
                let mut body = Cursor::new(message);
                match Command::read_tag_prefixed(&mut body, self.version) {
                    Ok((of, Command::Reply)) if of == number => {
                        return Ok(TagStructReader::new(&mut body, self.version).read()?);
                    }
                    Ok((of, Command::Error(error))) if of == number => {
                        return Err(Fault::Refused(error.to_string().to_lowercase()));
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            self.receive()?;
        }
    }

    /// Sends a command whose answer nobody waits for; its number.
    pub fn tell(&mut self, command: &Command) -> Result<u32, Fault> {
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.outbox.clear();
        encode_command_message(&mut self.outbox, number, command, self.version)?;
        self.socket.write_all(&self.outbox)?;
        Ok(number)
    }

    /// Sends sound to a stream, as it is in `samples`.
    pub fn send(&mut self, channel: u32, samples: &[f32]) -> Result<(), Fault> {
        const BYTES: usize = size_of::<f32>();
        let length = u32::try_from(samples.len() * BYTES).expect("a block is short");
        self.outbox.clear();
        for word in [length, channel, 0, 0, 0] {
            self.outbox.extend(word.to_be_bytes());
        }
        let head = self.outbox.len();
        self.outbox.resize(head + samples.len() * BYTES, 0);
        let body = self.outbox[head..].chunks_exact_mut(BYTES);
        for (bytes, sample) in body.zip(samples) {
            bytes.copy_from_slice(&sample.to_le_bytes());
        }
        self.socket.write_all(&self.outbox)?;
        Ok(())
    }

    /// Reads what came; waits for it where nothing did.
    pub fn receive(&mut self) -> Result<(), Fault> {
        let held = self.inbox.len();
        self.inbox.resize(held + READ_BYTES, 0);
        let count = loop {
            match self.socket.read(&mut self.inbox[held..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.inbox.truncate(held + *count.as_ref().unwrap_or(&0));
        match count? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }

    /// The next command that came whole and is known to us.
    pub fn command(&mut self) -> Result<Option<Command>, Fault> {
        while let Some(message) = self.take()? {
            if let Ok((_, command)) =
                Command::read_tag_prefixed(&mut Cursor::new(message), self.version)
            {
                return Ok(Some(command));
            }
        }
        Ok(None)
    }

    /// The body of the next message that came whole.
    fn take(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        while self.inbox.len() >= DESCRIPTOR_SIZE {
            let head = read_descriptor(&mut self.inbox.as_slice())?;
            if head.length > LARGEST_MESSAGE {
                return Err(Fault::Broken("the sound server talks nonsense".to_owned()));
            }
            let end = DESCRIPTOR_SIZE + usize::try_from(head.length).expect("below 1 MiB");
            if self.inbox.len() < end {
                break;
            }
            let message: Vec<u8> = self.inbox.drain(..end).skip(DESCRIPTOR_SIZE).collect();
            if head.channel == COMMANDS {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }
}

/// Where the socket may be, as libpulse looks for it. A server on another
/// machine is not ours: sound would cross the network.
fn places() -> Vec<PathBuf> {
    if let Some(server) = env::var_os("PULSE_SERVER") {
        let server = server.to_string_lossy().into_owned();
        let path = server.strip_prefix("unix:").unwrap_or(&server);
        return Vec::from_iter(path.starts_with('/').then(|| path.into()));
    }
    let runtime = env::var_os("PULSE_RUNTIME_PATH").map(PathBuf::from);
    let session = env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("pulse"));
    let folders = [runtime, session].into_iter().flatten();
    folders.map(|folder| folder.join("native")).collect()
}

/// What proves who we are to a server that does not know it from the socket.
fn cookie() -> Vec<u8> {
    let named = env::var_os("PULSE_COOKIE").map(PathBuf::from);
    let home = env::var_os("HOME").map(PathBuf::from);
    let config = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| home.as_ref().map(|home| home.join(".config")));
    let usual = config.map(|config| config.join("pulse/cookie"));
    let old = home.map(|home| home.join(".pulse-cookie"));
    let places = [named, usual, old].into_iter().flatten();
    let cookies = places.filter_map(|path| fs::read(path).ok());
    { cookies }
        .find(|cookie| cookie.len() == COOKIE_BYTES)
        .unwrap_or_else(|| vec![0; COOKIE_BYTES])
}
