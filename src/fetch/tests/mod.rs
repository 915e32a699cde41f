//! The whole room over real sockets: what is asked, what comes, what fails.

mod bodies;
mod failures;
mod requests;
mod script;
mod secrets;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use url::Url;

use crate::error::Problem;
use crate::event::{self, Event, Exchange, RequestKind};
use crate::stats::Stats;

use super::{Client, Request, Response, Settings, Status};
use script::{Act, answer};

const MIB: u64 = 1 << 20;

struct Bench {
    client: Client,
    stats: Arc<Stats>,
    events: Receiver<Event>,
}

fn bench() -> Bench {
    with(Settings::default())
}

fn with(settings: Settings) -> Bench {
    let stats = Arc::new(Stats::new(Instant::now()));
    let (sender, events) = event::channel();
    let settings = Settings {
        backoff_unit: Duration::from_millis(1),
        ..settings
    };
    let client = Client::new(settings, Arc::clone(&stats), sender).expect("good settings");
    Bench {
        client,
        stats,
        events,
    }
}

impl Bench {
    async fn open(&self, request: &Request) -> Result<Response, Problem> {
        self.client.open(request, &mut self.client.attempts()).await
    }

    /// The status, offset and body of `request`.
    async fn get(&self, request: &Request) -> Result<(Status, u64, String), Problem> {
        let response = self.open(request).await?;
        let (status, offset) = (response.head.status, response.head.offset);
        let body = response.read_all(MIB).await.map_err(|f| f.problem)?;
        let body = String::from_utf8_lossy(&body.bytes).into_owned();
        Ok((status, offset, body))
    }

    fn exchanges(&self) -> Vec<Exchange> {
        let exchange = |event| match event {
            Event::Exchange(exchange) => Some(exchange),
            _ => None,
        };
        self.events.try_iter().filter_map(exchange).collect()
    }
}

fn file(url: Url) -> Request {
    Request::new(RequestKind::File, url)
}

fn ok(body: &[u8]) -> Act {
    Act::Send(answer("200 OK", &[], body))
}

fn fail(status: &str) -> Act {
    Act::Send(answer(status, &[], b"sorry"))
}

fn redirect(location: &str) -> Act {
    let location = format!("Location: {location}");
    Act::Send(answer("302 Found", &[&location], b"moved"))
}

/// Request line and headers in lower case, sorted.
fn lines(head: &str) -> Vec<String> {
    let head = head.to_lowercase();
    sorted(
        &head
            .lines()
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>(),
    )
}

fn sorted(lines: &[&str]) -> Vec<String> {
    let mut lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    lines.sort();
    lines
}
