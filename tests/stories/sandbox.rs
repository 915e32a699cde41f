//! A private home for the real binary: every run has its own HOME, cache, config
//! and temporary folder, no sound server, a hard time limit, and says what it
//! expects on stdout, on stderr and as exit code. Silence is expected by default.

mod child;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub use child::Running;
use child::Stream;

/// The binary that is tested.
pub const BINARY: &str = env!("CARGO_BIN_EXE_kithara");
const LIMIT: Duration = Duration::from_secs(30); // no story needs a third of it

/// A private home. Removed when dropped.
pub struct Sandbox {
    root: TempDir,
}

impl Sandbox {
    /// An empty home with an empty working folder.
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        for name in ["home", "cache", "config", "tmp", "run", "work"] {
            fs::create_dir(root.path().join(name)).expect("an empty folder takes folders");
        }
        fs::write(root.path().join("alsa.conf"), "").expect("a file");
        Self { root }
    }

    /// A path in the working folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// Copies a fixture into the working folder under another name.
    pub fn copy(&self, fixture: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, crate::bytes(fixture)).expect("the working folder can be written");
        path
    }

    /// The cache of this home: `$XDG_CACHE_HOME/kithara`.
    pub fn cache_root(&self) -> PathBuf {
        self.root.path().join("cache/kithara")
    }

    /// Every regular file of the cache, with its size, less its holes.
    pub fn cache_files(&self) -> Vec<(PathBuf, u64)> {
        let mut files = Vec::new();
        walk(&self.cache_root(), &mut files);
        files.sort();
        files
    }

    /// Bytes of all files of the cache, and of what a run keeps for itself alone.
    pub fn kept_bytes(&self) -> u64 {
        let mut files = Vec::new();
        walk(&self.root.path().join("cache"), &mut files);
        files.iter().map(|(_, size)| size).sum()
    }

    /// Bytes of all files of the cache.
    pub fn cache_bytes(&self) -> u64 {
        self.cache_files().iter().map(|(_, size)| size).sum()
    }

    /// A run of the real binary with these arguments, in the working folder.
    pub fn kithara<I>(&self, arguments: I) -> Run
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.run_of(Command::new(BINARY), arguments)
    }

    /// The same behind shell commands, such as `ulimit`.
    pub fn kithara_after<I>(&self, commands: &str, arguments: I) -> Run
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut command = Command::new("/bin/sh");
        let script = format!("{commands}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, BINARY]);
        self.run_of(command, arguments)
    }

    /// A run of another command in this home, with the binary in its arguments.
    pub fn run_of<I>(&self, mut command: Command, arguments: I) -> Run
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let root = self.root.path();
        command
            .args(arguments)
            .current_dir(root.join("work"))
            .env_clear();
        command
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("RUST_BACKTRACE", "0");
        for (name, folder) in [
            ("HOME", "home"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_CONFIG_HOME", "config"),
            ("TMPDIR", "tmp"),
            ("XDG_RUNTIME_DIR", "run"), // no PulseAudio or PipeWire socket is here
            ("ALSA_CONFIG_PATH", "alsa.conf"), // and no card
        ] {
            command.env(name, root.join(folder));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Run {
            command,
            code: Some(0),
            is_any_end: false,
            stdout: Expect::Silence,
            stderr: Expect::Silence,
        }
    }
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(data) if data.is_dir() => walk(&entry.path(), files),
            Ok(data) => files.push((entry.path(), data.len().min(data.blocks() * 512))),
            Err(_) => {} // removed meanwhile
        }
    }
}

/// What a stream of the run must hold.
enum Expect {
    Silence,
    Anything,
    /// One line `kithara: cannot …: …, …` that holds each of these words.
    Error(Vec<String>),
    /// One or more lines `kithara: …`, the first holding each of these words.
    Warning(Vec<String>),
}

/// A run that is being described.
pub struct Run {
    command: Command,
    code: Option<i32>,
    is_any_end: bool,
    stdout: Expect,
    stderr: Expect,
}

/// What a run left behind.
pub struct Outcome {
    /// The exit code as a shell would show it.
    pub code: i32,
    /// Everything on standard output.
    pub stdout: Vec<u8>,
    /// Everything on standard error.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
}

impl Outcome {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("stdout is UTF-8")
    }

    /// Standard output as one JSON object.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Standard output as one JSON object a line.
    pub fn json_lines(&self) -> Vec<Value> {
        json_lines(&self.text())
    }

    /// The summary: the last JSON line.
    pub fn summary(&self) -> Value {
        let last = self.json_lines().pop().expect("at least one line");
        assert_eq!(last["type"], "summary", "{last}");
        last
    }
}

/// Each line of `text` as JSON.
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
        })
        .collect()
}

impl Run {
    /// Expects this exit code, as a shell would show it.
    pub fn code(mut self, code: i32) -> Self {
        self.code = Some(code);
        self
    }

    /// Allows every exit code of CLI.md but that of a bug.
    pub fn any_code(mut self) -> Self {
        self.code = None;
        self
    }

    /// Allows every end; the caller looks at it afterwards.
    pub fn any_end(mut self) -> Self {
        self.code = None;
        self.is_any_end = true;
        self
    }

    /// Expects something on stdout; the story looks at it afterwards.
    pub fn prints(mut self) -> Self {
        self.stdout = Expect::Anything;
        self
    }

    /// Allows anything on stderr.
    pub fn chatty(mut self) -> Self {
        self.stderr = Expect::Anything;
        self
    }

    /// Expects `code` and, on stderr, the one line of an error with these words.
    pub fn fails(mut self, code: i32, words: &[&str]) -> Self {
        self.code = Some(code);
        self.stderr = Expect::Error(words.iter().map(|&word| word.to_owned()).collect());
        self
    }

    /// Expects success with a warning on stderr that holds these words.
    pub fn warns(mut self, words: &[&str]) -> Self {
        self.stderr = Expect::Warning(words.iter().map(|&word| word.to_owned()).collect());
        self
    }

    /// Sets an environment variable of the run.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What the run reads on standard input.
    pub fn input(mut self, path: &Path) -> Self {
        let file = fs::File::open(path).expect("the input is there");
        self.command.stdin(file);
        self
    }

    /// Runs to the end and checks everything that was expected.
    pub fn run(self) -> Outcome {
        self.spawn().finish()
    }

    /// Starts the run; the story goes on meanwhile.
    pub fn spawn(mut self) -> Running {
        let began = Instant::now();
        let mut child = self.command.spawn().expect("the binary starts");
        let stdout = Stream::of(child.stdout.take().expect("stdout is piped"));
        let stderr = Stream::of(child.stderr.take().expect("stderr is piped"));
        Running {
            child,
            stdout,
            stderr,
            began,
            run: self,
        }
    }

    /// Starts the run with a stdout that nobody reads yet.
    pub fn spawn_unread(mut self) -> (Running, ChildStdout) {
        let began = Instant::now();
        let mut child = self.command.spawn().expect("the binary starts");
        let pipe = child.stdout.take().expect("stdout is piped");
        let stderr = Stream::of(child.stderr.take().expect("stderr is piped"));
        let running = Running {
            child,
            stdout: Stream::of(std::io::empty()),
            stderr,
            began,
            run: self,
        };
        (running, pipe)
    }
}

impl Run {
    fn check(&self, status: Option<ExitStatus>, outcome: &Outcome) {
        let (stderr, arguments) = (&outcome.stderr, self.command.get_args().collect::<Vec<_>>());
        let shown = format!("kithara {arguments:?}\n--- stderr\n{stderr}---");
        let status = status.unwrap_or_else(|| panic!("did not end within {LIMIT:?}: {shown}"));
        let code = Some(code_of(status));
        match self.code {
            Some(_) => assert_eq!(code, self.code, "exit code of {shown}"),
            None => assert!(
                self.is_any_end || matches!(code, Some(0 | 2..=9)),
                "exit code {code:?} of {shown}"
            ),
        }
        for bad in ["panicked", "RUST_BACKTRACE", "\r", "\x1b"] {
            assert!(!stderr.contains(bad), "{bad:?} on stderr of {shown}");
        }
        check_stream(
            "stdout",
            &self.stdout,
            &String::from_utf8_lossy(&outcome.stdout),
            &shown,
        );
        check_stream("stderr", &self.stderr, stderr, &shown);
    }
}

fn code_of(status: ExitStatus) -> i32 {
    let signal = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(signal).expect("it ended one way")
}

fn check_stream(name: &str, expect: &Expect, text: &str, shown: &str) {
    let lines: Vec<_> = text.lines().collect();
    let words = match expect {
        Expect::Anything => return,
        Expect::Silence => {
            let start: String = text.chars().take(200).collect();
            assert!(
                text.is_empty(),
                "{name} is not silent: {start:?} of {shown}"
            );
            return;
        }
        Expect::Error(words) => {
            assert_eq!(lines.len(), 1, "an error is one line: {shown}");
            assert!(
                is_error(lines[0]),
                "not `kithara: cannot what: why, what to do`: {shown}"
            );
            words
        }
        Expect::Warning(words) => {
            assert!(!lines.is_empty(), "no warning: {shown}");
            let ours = lines.iter().all(|line| line.starts_with("kithara: "));
            assert!(ours, "a warning is a line of ours: {shown}");
            words
        }
    };
    for word in words {
        assert!(
            lines[0].contains(word.as_str()),
            "{word:?} is missing: {shown}"
        );
    }
}

/// `kithara: cannot <what>: <why>, <what to do>`, lower case after the name, no full stop.
pub fn is_error(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("kithara: cannot ") else {
        return false;
    };
    let Some((what, why)) = rest.split_once(": ") else {
        return false;
    };
    let Some((why, todo)) = why.rsplit_once(", ") else {
        return false;
    };
    [what, why, todo].iter().all(|part| !part.trim().is_empty()) && !line.ends_with(['.', '!'])
}

#[test]
fn the_shape_of_an_error_is_known() {
    let cases = [
        (
            "kithara: cannot open \"x\": no such file, check the name",
            true,
        ),
        (
            "kithara: cannot fetch \"http://h/x\": the server answered 404, ask for a fresh link",
            true,
        ),
        ("kithara: cannot open it", false),
        ("kithara: cannot open it: it broke", false),
        ("error: cannot open it: it broke, repair it", false),
        ("kithara: cannot open it: it broke, repair it!", false),
    ];
    for (line, want) in cases {
        assert_eq!(is_error(line), want, "{line}");
    }
}

#[test]
fn any_end_is_told_as_a_shell_would() {
    let sandbox = Sandbox::new();
    let run = sandbox.kithara(["no-such-verb"]).any_end().chatty();
    assert_eq!(run.run().code, 2);
}
