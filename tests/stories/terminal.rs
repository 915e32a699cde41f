//! A real terminal: tmux draws the screen, takes the keys, and is asked what
//! stands there. Where there is no tmux the story says so and is not told.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sandbox::{BINARY, Sandbox};

const LIMIT: Duration = Duration::from_secs(20); // no screen takes a third of it
const COLUMNS: usize = 120;
/// Signs that a shell would take for its own are quoted.
const QUOTE: char = '\'';

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A terminal in which one program runs. Closed when dropped.
pub struct Terminal<'a> {
    sandbox: &'a Sandbox,
    socket: String,
}

impl<'a> Terminal<'a> {
    /// A terminal of its own with the real binary in it, whose standard output
    /// goes into the file `out`; `None` without tmux.
    pub fn with_kithara(sandbox: &'a Sandbox, arguments: &[&str]) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("skipped: there is no tmux (make setup)");
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let socket = format!("kithara-{}-{number}", std::process::id());
        let terminal = Self { sandbox, socket };
        std::fs::write(
            sandbox.path("tmux.conf"),
            "set -g remain-on-exit on\nset -g status off\n",
        )
        .expect("the working folder can be written");
        let words = [&BINARY].into_iter().chain(arguments);
        let words: Vec<_> = words.map(|word| format!("{QUOTE}{word}{QUOTE}")).collect();
        // The shell tells how it ended; tmux sometimes misses that.
        let _ = std::fs::remove_file(sandbox.path("code"));
        let command = format!("trap : INT; {} > out; echo $? > code", words.join(" "));
        let size = COLUMNS.to_string();
        terminal.tmux(
            &["-f", "tmux.conf"],
            &["new-session", "-d", "-x", &size, &command],
        );
        Some(terminal)
    }

    /// Presses these keys (`tmux send-keys`).
    pub fn press(&self, keys: &[&str]) {
        let words: Vec<_> = ["send-keys"].iter().chain(keys).copied().collect();
        self.tmux(&[], &words);
    }

    /// What stands on the screen, without empty lines.
    pub fn screen(&self) -> String {
        let text = self.tmux(&[], &["capture-pane", "-p"]);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Looks at the screen until it shows all of `words` on one line; that line.
    pub fn shows(&self, words: &[&str]) -> String {
        let is_it = |line: &&str| words.iter().all(|word| line.contains(word));
        self.until(|| {
            let screen = self.screen();
            screen.lines().find(is_it).map(str::to_owned).ok_or(screen)
        })
    }

    /// Waits for the end of the program; its exit code, or that of its signal as
    /// a shell shows it.
    pub fn code(&self) -> i32 {
        let code = self.until(|| {
            let text = std::fs::read_to_string(self.sandbox.path("code"));
            let text = text.ok().filter(|text| text.ends_with('\n'));
            text.ok_or_else(|| self.screen())
        });
        code.trim().parse().expect("an exit code")
    }

    /// Looks again and again; each look is a process, which is pause enough.
    fn until(&self, look: impl Fn() -> Result<String, String>) -> String {
        let began = Instant::now();
        loop {
            match look() {
                Ok(found) => return found,
                Err(seen) => assert!(began.elapsed() < LIMIT, "not on the screen:\n{seen}"),
            }
        }
    }

    fn tmux(&self, before: &[&str], words: &[&str]) -> String {
        let fixed = ["-L", &self.socket];
        let arguments = fixed.iter().chain(before).chain(words);
        let run = self.sandbox.run_of(Command::new("tmux"), arguments);
        run.prints().run().text()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let words = ["-L", &self.socket, "kill-server"];
        let run = self.sandbox.run_of(Command::new("tmux"), words);
        run.any_end().chatty().run();
    }
}
