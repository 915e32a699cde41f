//! The HTTP client: built once, one connection pool, used by every request of
//! the run. Redirects and retries are decided in `redirect` and `retry` and
//! carried out here.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::redirect::Policy;
use url::Url;

use crate::error::{Kind, Problem};
use crate::event::{Event, Events};
use crate::stats::{Stats, Waste};
use crate::text;

use super::cmcd::Cmcd;
use super::connect::{Names, TimedLayer};
use super::cookies::Jar;
use super::failure::{Cause, Failure};
use super::hop::Hop;
use super::origin::{Credentials, drop_user_info, has_user_info};
use super::pem::{Authorities, Certificate};
use super::proxy::Proxies;
use super::response::{Head, Response, Whole};
use super::retry::{Attempts, Verdict};
use super::tls::Roots;
use super::{Request, redirect};

const POOL_IDLE: Duration = Duration::from_secs(90); // longer than any segment plays
const STREAM_WINDOW: u32 = 1 << 20; // HTTP/2: what may wait in memory; 80 Mbit/s at 100 ms
const CONNECTION_WINDOW: u32 = 4 << 20;

/// How to fetch.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `User-Agent` header, for every server; none when empty.
    pub user_agent: String,
    /// What the user typed for the server of the stream.
    pub credentials: Option<Credentials>,
    /// What is told to servers about playback, if anything.
    pub cmcd: Option<Arc<Cmcd>>,
    /// The way through proxies.
    pub proxies: Proxies,
    /// Whom to trust instead of the authorities of the system.
    pub authorities: Option<Authorities>,
    /// The longest wait for a connection: name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The longest silence: before the answer, and between two reads of it.
    pub stall_timeout: Duration,
    /// Requests after the first, for one resource.
    pub retries: u32,
    /// The wait before the first retry; it doubles from there.
    pub backoff_unit: Duration,
    /// Whether a redirect may lead from https to http.
    pub allow_downgrade: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_agent: concat!("kithara/", env!("CARGO_PKG_VERSION")).to_owned(),
            credentials: None,
            cmcd: None,
            proxies: Proxies::Environment,
            authorities: None,
            connect_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(10),
            retries: 5,
            backoff_unit: Duration::from_secs(1),
            allow_downgrade: false,
        }
    }
}

/// The client. Clones share everything.
#[derive(Clone, Debug)]
pub struct Client(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub settings: Settings,
    pub stats: Arc<Stats>,
    pub events: Events,
    /// For every server.
    pub http: reqwest::Client,
    /// For that of the credentials, where a client certificate is among them:
    /// it names the user, so no other server may ask for it.
    pub home: Option<reqwest::Client>,
    pub roots: Arc<Roots>,
    pub proxies: Matcher,
    /// Never held while anything is waited for.
    pub cookies: Mutex<Jar>,
    has_warned: AtomicBool,
}

/// A small resource, read whole.
#[derive(Clone, Debug)]
pub struct Document {
    /// The head of the answer.
    pub head: Head,
    /// The body, decompressed; empty when it was not modified.
    pub bytes: Bytes,
    /// How many bytes came.
    pub received: u64,
    /// From the request to the head of the answer, of the last try.
    pub first_byte: Duration,
}

impl Client {
    /// A client; costs well below a millisecond, connects to nothing and reads
    /// no certificates of the system.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when the user agent cannot be a header.
    pub fn new(settings: Settings, stats: Arc<Stats>, events: Events) -> Result<Self, Problem> {
        let roots = Roots::new(settings.authorities.clone());
        let build = |certificate| library(&settings, &roots, &stats, certificate);
        let credentials = settings.credentials.as_ref();
        let certificate = credentials.and_then(|own| own.secrets().certificate());
        Ok(Self(Arc::new(Shared {
            http: build(None)?,
            home: certificate.map(|own| build(Some(own))).transpose()?,
            proxies: settings.proxies.matcher(),
            settings,
            stats,
            events,
            roots,
            cookies: Mutex::default(),
            has_warned: AtomicBool::new(false),
        })))
    }

    /// A fresh retry budget for one resource.
    pub fn attempts(&self) -> Attempts {
        Attempts::new(self.0.settings.retries)
    }

    /// Asks for `request` until the head of an answer is there that can be
    /// used, following redirects and retrying within `attempts`.
    ///
    /// The answer may be [`super::Status::Fresh`] although a range was asked for: then
    /// the resource changed, or the server cannot do ranges.
    ///
    /// # Errors
    ///
    /// The problem of the last attempt.
    pub async fn open(
        &self,
        request: &Request,
        attempts: &mut Attempts,
    ) -> Result<Response, Problem> {
        let mut request = request.clone();
        loop {
            let failure = match self.attempt(&request).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            if failure.cause == Cause::Misplaced {
                (request.range, request.if_range) = (None, None);
            }
            self.pause(failure, attempts).await?;
        }
    }

    /// As [`Client::open`], but asks only once and says nothing of a failure.
    ///
    /// # Errors
    ///
    /// As [`Client::open`].
    pub async fn open_once(&self, request: &Request) -> Result<Response, Problem> {
        let answer = self.attempt(request).await;
        answer.map_err(|failure| failure.problem)
    }

    /// How many bytes `request` would bring, as the server says without sending
    /// them (HEAD); `None` when it does not say. Retried as [`Client::open`].
    ///
    /// # Errors
    ///
    /// As [`Client::open`].
    pub async fn length(&self, request: &Request) -> Result<Option<u64>, Problem> {
        let request = Request {
            is_head: true,
            ..request.clone()
        };
        let response = self.open(&request, &mut self.attempts()).await?;
        Ok(response.without_body().total)
    }

    /// Reads a small resource whole, starting over when it breaks off.
    ///
    /// # Errors
    ///
    /// As [`Client::open`]; [`Kind::Limit`] beyond `limit` bytes.
    pub async fn fetch(&self, request: &Request, limit: u64) -> Result<Document, Problem> {
        self.fetch_within(request, limit, self.attempts()).await
    }

    /// As [`Client::fetch`], but asks only once: for callers that ask again by
    /// themselves.
    ///
    /// # Errors
    ///
    /// As [`Client::fetch`].
    pub async fn fetch_once(&self, request: &Request, limit: u64) -> Result<Document, Problem> {
        self.fetch_within(request, limit, Attempts::new(0)).await
    }

    async fn fetch_within(
        &self,
        request: &Request,
        limit: u64,
        mut attempts: Attempts,
    ) -> Result<Document, Problem> {
        loop {
            let asked = Instant::now();
            let response = self.open(request, &mut attempts).await?;
            let first_byte = asked.elapsed();
            let head = response.head.clone();
            match response.read_all(limit).await {
                Ok(Whole { bytes, received }) => {
                    return Ok(Document {
                        head,
                        bytes,
                        received,
                        first_byte,
                    });
                }
                Err(failure) => {
                    let thrown_away = failure.received;
                    let received = 0; // so no progress
                    let failure = Failure {
                        received,
                        ..failure
                    };
                    self.pause(failure, &mut attempts).await?;
                    self.0.stats.waste(Waste::Repeated, thrown_away);
                }
            }
        }
    }

    /// Waits as long as it makes sense before asking again after `failure`.
    ///
    /// # Errors
    ///
    /// The failure's problem, when the budget is spent or no retry can help.
    pub async fn pause(&self, failure: Failure, attempts: &mut Attempts) -> Result<(), Problem> {
        let unit = self.0.settings.backoff_unit;
        match attempts.after(&failure, unit, RandomState::new().build_hasher().finish()) {
            Verdict::GiveUp => Err(failure.problem),
            Verdict::Wait(wait) => {
                self.0.stats.retries.add(1);
                self.0.events.send(Event::Retry {
                    attempt: attempts.failed(),
                    problem: failure.problem,
                });
                tokio::time::sleep(wait).await;
                Ok(())
            }
        }
    }

    /// Takes a server's or playlist's user-info out of `url`: only what the user
    /// typed is a login. Said once.
    fn ignore_user_info(&self, url: &mut Url) {
        if !has_user_info(url) {
            return;
        }
        drop_user_info(url);
        if !self.0.has_warned.swap(true, Ordering::Relaxed) {
            let what = format!("cannot log in to {}", text::short_url(url.as_str()));
            let why = "the login was not typed but comes from a server";
            let todo = "going on without it";
            let problem = Problem::new(Kind::Unsafe, what, why, todo);
            self.0.events.send(Event::Warning(problem));
        }
    }

    /// One attempt: the request and the redirects it meets.
    async fn attempt(&self, request: &Request) -> Result<Response, Failure> {
        let refuse = |problem: Problem| Failure::last(problem.during(request.what()));
        redirect::check(&request.url).map_err(refuse)?;
        let mut url = request.url.clone();
        let mut followed = 0;
        loop {
            self.ignore_user_info(&mut url);
            match self.hop(request, &url).await? {
                Hop::Answer(response) => return Ok(*response),
                Hop::Redirect(location) => {
                    let downgrade = self.0.settings.allow_downgrade;
                    url = redirect::next(&url, location.as_bytes(), followed, downgrade)
                        .map_err(refuse)?;
                    followed += 1;
                }
            }
        }
    }
}

/// The HTTP library, set up for `settings`.
fn library(
    settings: &Settings,
    roots: &Arc<Roots>,
    stats: &Arc<Stats>,
    certificate: Option<&Certificate>,
) -> Result<reqwest::Client, Problem> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        // A dead connection must not be given to the next attempt.
        .http2_keep_alive_interval(settings.stall_timeout / 2)
        .http2_keep_alive_timeout(settings.stall_timeout / 2)
        .tcp_nodelay(true)
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never()) // ours has backoff and a budget
        .tls_backend_preconfigured(Arc::clone(roots).config(certificate))
        .dns_resolver(Names::new(Arc::clone(stats)))
        .connector_layer(TimedLayer(Arc::clone(stats)));
    if !settings.user_agent.is_empty() {
        builder = builder.user_agent(settings.user_agent.as_str());
    }
    let built = settings.proxies.apply(builder).build();
    built.map_err(|_| bad_user_agent(settings))
}

fn bad_user_agent(settings: &Settings) -> Problem {
    let why = format!("\"{}\" cannot be sent", text::safe(&settings.user_agent));
    let todo = "use plain letters for the user agent";
    Problem::new(Kind::Arguments, "cannot set up the network", why, todo)
}
