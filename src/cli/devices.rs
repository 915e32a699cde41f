//! `kithara devices`: the audio outputs.

use std::fmt::Display;

use serde::Serialize;

use super::args::Devices;
use super::events::json_line;
use super::exit;
use super::listing::columns;
use crate::error::Problem;
use crate::pipeline::{self, DeviceRow};
use crate::text;

#[derive(Serialize)]
struct Listing {
    schema: u32,
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    devices: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    host: &'static str,
    default: bool,
    rates: Vec<u32>,
    channels: Vec<usize>,
}

/// Lists the outputs.
///
/// # Errors
///
/// What the audio system says, and a listing that cannot be written.
pub fn devices(flags: &Devices) -> Result<(), Problem> {
    let rows: Vec<Row> = pipeline::devices()?.into_iter().map(row).collect();
    if flags.json.json {
        let listing = Listing {
            schema: 1,
            kind_of_line: "devices",
            devices: rows,
        };
        return exit::data(&json_line(&listing));
    }
    let mut lines = vec![["", "name", "host", "rates", "channels"].map(str::to_owned)];
    lines.extend(rows.into_iter().map(line));
    exit::data(&columns(&lines))
}

fn row(device: DeviceRow) -> Row {
    Row {
        name: text::safe(&device.name),
        host: device.host,
        default: device.default,
        rates: device.rates,
        channels: device.channels,
    }
}

fn line(row: Row) -> [String; 5] {
    let mark = if row.default { "*" } else { "" };
    [
        mark.to_owned(),
        row.name,
        row.host.to_owned(),
        range(&row.rates, " Hz"),
        range(&row.channels, ""),
    ]
}

/// `8000-192000 Hz`, or the only value there is.
fn range<T: Display>(values: &[T], unit: &str) -> String {
    match values {
        [] => String::new(),
        [only] => format!("{only}{unit}"),
        [first, .., last] => format!("{first}-{last}{unit}"),
    }
}
