//! `kithara play`: streams to the sound card, one after another.

use std::io;

use super::args::Play;
use super::events::Lines;
use super::exit::End;
use super::parts::Ao;
use super::session::{Report, Selection, Session, Wish};
use super::urls;
use crate::error::{Kind, Problem};
use crate::pipeline::{Algorithm, OutputChoice, Quality, Task};

/// Plays every stream.
///
/// # Errors
///
/// Flags that contradict each other, and what [`Session::run`] says.
pub fn play(flags: &Play, session: &Session<'_>) -> Result<End, Problem> {
    let task = Task::Play {
        output: output(flags)?,
        volume: flags.volume,
        speed: flags.speed,
    };
    let selection = Selection {
        quality: flags.choice.quality.unwrap_or(Quality::Auto),
        taste: flags.choice.taste(),
        start: flags.part.start,
        length: flags.part.length,
        buffer: flags.ahead.buffer,
        edge: flags.live.edge()?,
        patience: None,
        algorithm: Algorithm::Default,
    };
    let wish = Wish {
        verb: "play",
        events: flags.json.json.then_some(Lines::Output),
        report: Report::Nothing,
        trace: flags.trace.trace_out.as_deref(),
        has_keys: true,
        takes_one: false,
        is_looped: flags.r#loop,
    };
    let list = urls::list(&flags.urls, &mut io::stdin().lock())?;
    session.run_list(&list, &task, &selection, &wish)
}

fn output(flags: &Play) -> Result<OutputChoice, Problem> {
    match (flags.ao, &flags.device) {
        (Ao::Default, device) => Ok(OutputChoice::Default {
            device: device.clone(),
        }),
        (Ao::Null, None) => Ok(OutputChoice::Null),
        (Ao::Null, Some(_)) => Err(Problem::new(
            Kind::Arguments,
            "cannot use --device with --ao null",
            "the null output has no device",
            "leave one of them out",
        )),
    }
}
