//! A real sound server without a card: PulseAudio with a null sink in a folder of
//! its own, and a recorder on the monitor of that sink. Where it cannot start the
//! story says so and is not told.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20); // no wait takes a tenth of it
const SILENCE: f32 = 1.0 / 32_768.0; // below is no sound

/// What the null sink takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkSpec {
    /// Frames a second.
    pub rate: u32,
    /// Samples a frame.
    pub channels: usize,
    /// As PulseAudio names it.
    pub format: &'static str,
}

/// The most usual one; what is played in it comes out bit by bit.
pub const STUDIO: SinkSpec = SinkSpec {
    rate: 48_000,
    channels: 2,
    format: "float32le",
};

/// A running server. Killed when dropped.
pub struct SoundServer {
    /// Its own folder, and those of the servers whose place it took.
    places: Vec<TempDir>,
    /// Where clients find it.
    socket: PathBuf,
    spec: SinkSpec,
    server: Option<Child>,
}

impl SoundServer {
    /// A server whose default sink is [`STUDIO`]; `None` where there is none.
    pub fn start() -> Option<Self> {
        Self::with_sink(STUDIO)
    }

    /// A server whose default sink, called `null`, takes `spec`.
    pub fn with_sink(spec: SinkSpec) -> Option<Self> {
        let root = tempfile::tempdir().expect("a temporary folder");
        for name in ["home", "run"] {
            fs::create_dir(root.path().join(name)).expect("an empty folder takes folders");
        }
        let mut server = Self {
            socket: root.path().join("run/native"),
            places: vec![root],
            spec,
            server: None,
        };
        match server.launch() {
            Ok(()) => Some(server),
            Err(why) => {
                eprintln!("skipped: no sound server (make setup): {why}");
                None
            }
        }
    }

    /// What a client needs to find it.
    pub fn env(&self) -> (&'static str, String) {
        ("PULSE_SERVER", format!("unix:{}", self.socket.display()))
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("the server is alive");
            server.wait().expect("a child can be waited for");
        }
        // A server that crashed leaves its socket.
        assert!(self.socket.exists(), "the socket of a killed server");
    }

    /// Ends it at once; in the next moment `next` is found in its place.
    pub fn is_followed_by(&mut self, next: &mut Self) {
        self.kill();
        fs::rename(&next.socket, &self.socket).expect("a socket has a name");
        next.socket.clone_from(&self.socket);
        // Its folder has to outlive this server.
        next.places.append(&mut self.places);
    }

    /// Tells the server something (`pactl`), and what it said.
    pub fn pactl(&self, words: &[&str]) -> String {
        let said = self.command("pactl").args(words).output();
        let said = said.expect("pactl comes with the server");
        assert!(said.status.success(), "pactl {words:?}: {said:?}");
        String::from_utf8(said.stdout).expect("UTF-8")
    }

    /// Unloads the module that was loaded with `argument`.
    pub fn unload(&self, argument: &str) {
        let modules = self.pactl(&["list", "short", "modules"]);
        let module = modules.lines().find(|line| line.contains(argument));
        let number = module.and_then(|line| line.split_whitespace().next());
        self.pactl(&["unload-module", number.expect("such a module")]);
    }

    /// Begins to record the default sink; returns when the recorder runs.
    pub fn record(&self) -> Recording {
        self.record_sink("null", self.spec.channels)
    }

    /// Begins to record the sink `name` of the same rate.
    pub fn record_sink(&self, name: &str, channels: usize) -> Recording {
        let mut command = self.command("parec");
        command.args(["--raw", "--format=float32le", "--latency-msec=10"]);
        command.arg(format!("--device={name}.monitor"));
        command.arg(format!("--rate={}", self.spec.rate));
        command.arg(format!("--channels={channels}"));
        Recording::of(command, self.spec.rate, channels)
    }

    fn launch(&mut self) -> Result<(), String> {
        let SinkSpec {
            rate,
            channels,
            format,
        } = self.spec;
        let sink = format!(
            "module-null-sink sink_name=null rate={rate} channels={channels} format={format}"
        );
        let mut command = self.command("pulseaudio");
        command.args(["-n", "--daemonize=no", "--use-pid-file=no"]);
        command.args(["--exit-idle-time=-1", "--log-target=stderr"]);
        // As on a desktop: what plays on a sink that goes away is moved.
        for module in [
            sink.as_str(),
            "module-rescue-streams",
            "module-native-protocol-unix auth-anonymous=1",
        ] {
            command.arg(format!("--load={module}"));
        }
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut server = command.spawn().map_err(|error| error.to_string())?;
        match self.wait_for_socket(&mut server) {
            Ok(()) => {
                // Nobody reads what it says later, and it must not block on that.
                let log = server.stderr.take().expect("stderr is piped");
                thread::spawn(move || drain(log));
                self.server = Some(server);
                Ok(())
            }
            Err(why) => {
                // Gone by itself is as good.
                let _ = server.kill();
                let _ = server.wait();
                Err(why)
            }
        }
    }

    /// The server answers when `pactl` does.
    fn wait_for_socket(&self, server: &mut Child) -> Result<(), String> {
        let began = Instant::now();
        loop {
            if let Some(status) = server.try_wait().expect("a child can be waited for") {
                let mut said = String::new();
                let log = server.stderr.as_mut().expect("stderr is piped");
                log.read_to_string(&mut said).expect("UTF-8");
                return Err(format!("{status}: {said}"));
            }
            let asked = self.command("pactl").arg("info").output();
            match asked {
                Ok(said) if said.status.success() => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(error.to_string()),
                _ if began.elapsed() > LIMIT => return Err("it does not answer".to_owned()),
                _ => {}
            }
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let root = self.places[0].path();
        let run = root.join("run");
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", root.join("home"));
        command
            .env("XDG_RUNTIME_DIR", &run)
            .env("PULSE_RUNTIME_PATH", run);
        if program != "pulseaudio" {
            let (name, value) = self.env();
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It may have died; there is nothing more to do then.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn drain(mut log: impl Read) {
    let mut part = [0; 1024];
    while log.read(&mut part).is_ok_and(|count| count > 0) {}
}

#[derive(Default)]
struct Tape {
    bytes: Vec<u8>,
    ended: bool,
}

/// A recorder that runs. Ended when dropped.
pub struct Recording {
    recorder: Child,
    tape: Arc<(Mutex<Tape>, Condvar)>,
    reader: Option<JoinHandle<()>>,
    rate: u32,
    channels: usize,
}

impl Recording {
    fn of(mut command: Command, rate: u32, channels: usize) -> Self {
        command.stdout(Stdio::piped());
        let mut recorder = command.spawn().expect("parec comes with the server");
        let sound = recorder.stdout.take().expect("stdout is piped");
        let tape = Arc::new((Mutex::new(Tape::default()), Condvar::new()));
        let reader = thread::spawn({
            let tape = Arc::clone(&tape);
            move || wind(sound, &tape)
        });
        let recording = Self {
            recorder,
            tape,
            reader: Some(reader),
            rate,
            channels,
        };
        recording.wait("the recorder to start", |bytes| !bytes.is_empty());
        recording
    }

    /// Waits until at least `seconds` of sound were recorded, silence left out.
    pub fn hears(&self, seconds: f64) {
        let wanted = (seconds * f64::from(self.rate)) as usize * self.channels;
        self.wait("sound", |bytes| {
            let loud = bytes.chunks_exact(4).filter(|sample| is_loud(sample));
            loud.count() >= wanted * 9 / 10 // a sine goes through zero
        });
    }

    /// Waits until the last sound is followed by a tenth of a second of silence,
    /// ends the recorder and gives everything it heard, interleaved.
    pub fn recorded(self) -> Vec<f32> {
        let tail = self.rate as usize / 10 * self.channels * 4;
        self.wait("silence at the end", |bytes| {
            let whole = bytes.len() / 4 * 4;
            let end = bytes[..whole].rchunks_exact(4).take_while(|s| !is_loud(s));
            end.count() * 4 >= tail
        });
        self.all()
    }

    /// Ends the recorder and gives everything it heard, interleaved.
    pub fn all(mut self) -> Vec<f32> {
        self.end();
        let bytes = std::mem::take(&mut lock(&self.tape.0).bytes);
        bytes.chunks_exact(4).map(float).collect()
    }

    fn wait(&self, what: &str, is_enough: impl Fn(&[u8]) -> bool) {
        let lacking = |tape: &mut Tape| !tape.ended && !is_enough(&tape.bytes);
        let tape = lock(&self.tape.0);
        let waited = self.tape.1.wait_timeout_while(tape, LIMIT, lacking);
        let (tape, _) = waited.expect("no panic under this lock");
        assert!(
            tape.ended || is_enough(&tape.bytes),
            "waited in vain for {what}; {} bytes were recorded",
            tape.bytes.len()
        );
    }

    fn end(&mut self) {
        // It may have ended with its server.
        let _ = self.recorder.kill();
        let _ = self.recorder.wait();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end();
    }
}

fn wind(mut sound: ChildStdout, tape: &(Mutex<Tape>, Condvar)) {
    let mut part = vec![0; 1 << 16];
    loop {
        let count = sound.read(&mut part).unwrap_or(0);
        let mut state = lock(&tape.0);
        state.bytes.extend_from_slice(&part[..count]);
        state.ended = count == 0;
        tape.1.notify_all();
        if count == 0 {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn float(sample: &[u8]) -> f32 {
    f32::from_le_bytes(sample.try_into().expect("four bytes"))
}

fn is_loud(sample: &[u8]) -> bool {
    float(sample).abs() > SILENCE
}
