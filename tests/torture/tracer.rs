//! strace as an instrument: which system calls a run makes on its cache, and a
//! run in which one of them is answered by a signal or an error instead.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use crate::stories::sandbox::{BINARY, Outcome, Run, Sandbox};

const PATIENCE: &str = "15"; // seconds; less than the sandbox has

/// One system call of a run: the `nth` of its name in some thread, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    pub name: String,
    pub nth: usize,
    /// It opens what is there: nothing changes.
    pub is_look: bool,
}

/// Whether strace can trace and inject here; says so if not.
pub fn is_usable() -> bool {
    let inject = ["-e", "inject=getcwd:error=EIO", "-o", "/dev/null"];
    let tried = Command::new("strace")
        .args(["-f", "-e", "trace=getcwd"])
        .args(inject)
        .args(["true"])
        .stderr(Stdio::null())
        .status();
    let is_usable = tried.is_ok_and(|status| status.success());
    if !is_usable {
        println!("skipped: strace is not here or may not trace (`make setup` installs it)");
    }
    is_usable
}

/// The calls of `names` that a whole run makes on its cache, each once, in
/// their order; and the run.
pub fn calls<I>(sandbox: &Sandbox, arguments: I, names: &[&str]) -> (Vec<Call>, Outcome)
where
    I: IntoIterator,
    I::Item: AsRef<OsStr>,
{
    let trace = sandbox.path("trace");
    let trace_name = trace.to_str().expect("UTF-8");
    let outcome = run(sandbox, arguments, trace_name, &names.join(","), &[]).run();
    let text = fs::read_to_string(trace).expect("a trace");
    let root = sandbox.cache_root();
    let root = root.to_str().expect("UTF-8");
    let mut counts = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((thread, name)) = entered(line) else {
            continue;
        };
        let nth = counts.entry((thread, name)).or_insert(0);
        *nth += 1;
        let call = Call {
            name: name.to_owned(),
            nth: *nth,
            is_look: name == "openat" && !line.contains("O_CREAT"),
        };
        if line.contains(root) && !calls.contains(&call) {
            calls.push(call);
        }
    }
    (calls, outcome)
}

/// A run in which `call` is answered as `answer` says (`signal=KILL`,
/// `error=EIO`), and all later ones of its name too if it `stays`. Whether it
/// struck the cache and nothing else, and how the run ended.
pub fn strike<I>(
    sandbox: &Sandbox,
    arguments: I,
    call: &Call,
    answer: &str,
    stays: bool,
) -> (bool, Outcome)
where
    I: IntoIterator,
    I::Item: AsRef<OsStr>,
{
    let trace = sandbox.path("trace");
    let plus = if stays { "+" } else { "" };
    let inject = format!("inject={}:{answer}:when={}{plus}", call.name, call.nth);
    let trace_name = trace.to_str().expect("UTF-8");
    let run = run(sandbox, arguments, trace_name, &call.name, &["-e", &inject]);
    let outcome = run.any_end().chatty().run();
    let text = fs::read_to_string(&trace).expect("a trace");
    fs::remove_file(trace).expect("it was there");
    let root = sandbox.cache_root();
    let root = root.to_str().expect("UTF-8");
    let mut hits = text
        .lines()
        .filter(|line| line.contains("(INJECTED)"))
        .peekable();
    let is_hit = hits.peek().is_some() && hits.all(|line| line.contains(root));
    (is_hit, outcome)
}

fn run<I>(sandbox: &Sandbox, arguments: I, trace: &str, names: &str, more: &[&str]) -> Run
where
    I: IntoIterator,
    I::Item: AsRef<OsStr>,
{
    let set = format!("trace={names}");
    // Killed with all it traces, should a call that is not of the cache be struck:
    // a thread's call to another to wake up, for one.
    let mut strace = Command::new("timeout");
    strace.args([
        PATIENCE, "strace", "-f", "-qq", "-y", "-o", trace, "-e", &set,
    ]);
    strace.args(more).arg(BINARY);
    sandbox.run_of(strace, arguments).prints()
}

/// The thread and the name of the call that a line of a trace begins with.
fn entered(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(char::is_whitespace)?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((thread, name))
}
