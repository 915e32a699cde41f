//! One request and the head of its answer: what is sent, what the status and
//! the headers mean. Everything else starts from its result.

use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::error::{Kind, Problem};
use crate::text;

use super::client::Client;
use super::failure::{self, Attempt, Failure, Login};
use super::icy::{Splitter, Station};
use super::range::{self, Asked, Place, Status};
use super::response::{Head, Record, Response, patiently};
use super::retry::retry_after;
use super::secrets::Secrets;
use super::{ByteRange, Request, redirect, shoutcast};

const VALIDATOR_BYTES: usize = 1024; // kept with the cache entry and sent back

/// What one request led to.
#[derive(Debug)]
pub(super) enum Hop {
    /// An answer that can be used.
    Answer(Box<Response>),
    /// The `Location` of another place.
    Redirect(HeaderValue),
}

/// What the head of an answer means.
enum Meaning {
    Body(Place),
    Redirect(HeaderValue),
}

impl Client {
    /// Asks `url` for what `request` wants.
    pub(super) async fn hop(&self, request: &Request, url: &Url) -> Result<Hop, Failure> {
        let mut record = Record::begin(&self.0.stats, &self.0.events, request, url);
        match self.ask(request, url, &mut record).await {
            Ok((answer, Meaning::Body(place))) => {
                let response = self.response(request, url, answer, place, record);
                Ok(Hop::Answer(Box::new(response)))
            }
            Ok((_, Meaning::Redirect(location))) => {
                record.end(None);
                Ok(Hop::Redirect(location))
            }
            Err(failure) => {
                record.end(Some(failure.problem.why.clone()));
                Err(failure)
            }
        }
    }

    async fn ask(
        &self,
        request: &Request,
        url: &Url,
        record: &mut Record,
    ) -> Result<(reqwest::Response, Meaning), Failure> {
        self.warm_up(url);
        let settings = &self.0.settings;
        let own = settings.credentials.as_ref();
        let secrets = own.and_then(|own| own.for_url(url));
        let proxy = self.proxy_of(url);
        let attempt = Attempt {
            what: &request.what(),
            host: url.host_str().unwrap_or_default(),
            proxy: proxy.as_deref(),
            connect_timeout: settings.connect_timeout,
            login: match secrets {
                Some(secrets) if secrets.has_login() => Login::Sent,
                None if own.is_some_and(|own| own.are_withheld_from(url)) => Login::Withheld,
                _ => Login::None,
            },
        };
        let limit = settings.stall_timeout.max(settings.connect_timeout);
        let sent = self.prepared(request, url, secrets).send();
        let answer = match patiently(limit, sent).await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                let failure = Failure::of_library(&attempt, &error);
                let is_plain = url.scheme() == "http" && proxy.is_none();
                if !(request.wants_titles && is_plain && failure::is_no_http(&error)) {
                    return Err(failure);
                }
                let again = self.ask_station(request, url, secrets);
                patiently(limit, again).await.flatten().ok_or(failure)?
            }
            None => return Err(Failure::silent(attempt.what, limit)),
        };
        self.note_cookies(url, answer.headers());
        record.answered(answer.status().as_u16());
        let meaning = meaning(request, &attempt, &answer)?;
        Ok((answer, meaning))
    }

    /// Asks a server that does not speak HTTP whether it is an old station.
    async fn ask_station(
        &self,
        request: &Request,
        url: &Url,
        secrets: Option<&Secrets>,
    ) -> Option<reqwest::Response> {
        let settings = &self.0.settings;
        let prepared = self.prepared(request, url, secrets).build().ok()?;
        let asked = shoutcast::ask(&prepared, &settings.user_agent, settings.connect_timeout);
        let answer = asked.await;
        answer
            .inspect_err(|error| tracing::debug!("no old station: {error}"))
            .ok()
    }

    /// The request as it is sent, with `secrets` if they are for `url`.
    fn prepared(
        &self,
        request: &Request,
        url: &Url,
        secrets: Option<&Secrets>,
    ) -> reqwest::RequestBuilder {
        let mut headers = headers(request);
        let (mut target, mut http, mut typed) = (url.clone(), &self.0.http, &[][..]);
        if let Some(secrets) = secrets {
            secrets.add_to(&mut headers);
            target = secrets.with_query(url);
            http = self.0.home.as_ref().unwrap_or(http);
            typed = secrets.cookies();
        }
        if let Some(cmcd) = &self.0.settings.cmcd {
            cmcd.add_to(request, &self.0.stats, &mut target, &mut headers);
        }
        let cookies = self
            .0
            .cookies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let cookies = cookies.header(url, typed, SystemTime::now());
        if let Some(value) = cookies.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok())
        {
            headers.insert(header::COOKIE, value);
        }
        let method = match request.is_head {
            true => Method::HEAD,
            false => Method::GET,
        };
        http.request(method, target).headers(headers)
    }

    /// Keeps what the server sets, whatever else it answers.
    fn note_cookies(&self, url: &Url, headers: &HeaderMap) {
        let set = headers.get_all(header::SET_COOKIE).iter();
        let mut cookies = self
            .0
            .cookies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for text in set.filter_map(|value| value.to_str().ok()) {
            cookies.note(url, text, SystemTime::now());
        }
    }

    /// Reads the root certificates on a helper thread while name and TCP are
    /// on their way: the handshake then finds them ready.
    fn warm_up(&self, url: &Url) {
        if url.scheme() == "https" && !self.0.roots.is_loaded() {
            let roots = Arc::clone(&self.0.roots);
            // The result is kept inside; the handshake reports an error of it.
            tokio::task::spawn_blocking(move || drop(roots.load()));
        }
    }

    /// Host and port of the proxy through which `url` is reached, if any.
    pub fn proxy_of(&self, url: &Url) -> Option<String> {
        let target = url.as_str().parse().ok()?;
        let proxy = self.0.proxies.intercept(&target)?;
        proxy.uri().authority().map(ToString::to_string)
    }

    fn response(
        &self,
        request: &Request,
        url: &Url,
        answer: reqwest::Response,
        place: Place,
        record: Record,
    ) -> Response {
        let headers = answer.headers();
        let own = self.0.settings.credentials.as_ref();
        let sent = own.and_then(|own| own.for_url(url));
        let has_secrets = sent.is_some_and(|secrets| !secrets.is_empty());
        let station = Station::of(headers).filter(|_| request.wants_titles);
        let interval = station.as_ref().and_then(|station| station.interval);
        let validator = |name| word(headers, name).filter(|text| text.len() <= VALIDATOR_BYTES);
        let head = Head {
            status: place.status,
            final_url: url.clone(), // the library's own holds the user's query parameters
            offset: place.offset,
            // With titles in between the length is not that of the sound.
            total: place.total.filter(|_| interval.is_none()),
            etag: validator(header::ETAG).map(str::to_owned),
            last_modified: validator(header::LAST_MODIFIED).map(str::to_owned),
            content_type: word(headers, header::CONTENT_TYPE).map(text::safe),
            no_store: forbids_keeping(headers, has_secrets),
            accepts_ranges: accepts_ranges(headers),
            station,
        };
        Response {
            head,
            is_gzip: word(headers, header::CONTENT_ENCODING).is_some_and(is_gzip),
            body: answer,
            titles: interval.map(Splitter::new),
            left: place.length,
            received: 0,
            wanted: request.range.map_or(0, ByteRange::start),
            what: request.what(),
            record,
            client: self.clone(),
        }
    }
}

fn headers(request: &Request) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let encoding = match request.is_compressible() {
        true => "gzip",
        false => "identity",
    };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    if request.wants_titles {
        headers.insert("icy-metadata", HeaderValue::from_static("1"));
    }
    let mut insert = |name: HeaderName, text: &str| {
        // A validator that cannot be sent back only costs the comparison.
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    if let Some(range) = request.range {
        insert(header::RANGE, &range.header());
        if let Some(validator) = &request.if_range {
            insert(header::IF_RANGE, validator);
        }
    }
    if let Some(tag) = &request.if_none_match {
        insert(header::IF_NONE_MATCH, tag);
    }
    if let Some(date) = &request.if_modified_since {
        insert(header::IF_MODIFIED_SINCE, date);
    }
    headers
}

fn meaning(
    request: &Request,
    attempt: &Attempt<'_>,
    answer: &reqwest::Response,
) -> Result<Meaning, Failure> {
    let headers = answer.headers();
    let status = answer.status().as_u16();
    match (status, headers.get(header::LOCATION)) {
        (200 | 203 | 206, _) => body(request, attempt, answer),
        (416, _) if request.range.is_some() => body(request, attempt, answer),
        (304, _) if request.has_copy() => Ok(Meaning::Body(Place {
            status: Status::NotModified,
            offset: 0,
            length: Some(0),
            total: None,
        })),
        (_, Some(location)) if redirect::is_redirect(status) => {
            Ok(Meaning::Redirect(location.clone()))
        }
        _ => {
            let asked = word(headers, header::RETRY_AFTER)
                .and_then(|text| retry_after(text, SystemTime::now()));
            Err(Failure::of_status(attempt, answer.status(), asked))
        }
    }
}

fn body(
    request: &Request,
    attempt: &Attempt<'_>,
    answer: &reqwest::Response,
) -> Result<Meaning, Failure> {
    let headers = answer.headers();
    if let Some(encoding) = word(headers, header::CONTENT_ENCODING)
        && !encoding.eq_ignore_ascii_case("identity")
        && !(request.may_come_compressed() && is_gzip(encoding))
    {
        let what = attempt.what.to_owned();
        return Err(Failure::last(compressed(what, encoding)));
    }
    if request.is_head {
        return Ok(Meaning::Body(Place {
            status: Status::Fresh,
            offset: 0,
            length: Some(0),
            total: word(headers, header::CONTENT_LENGTH).and_then(range::number),
        }));
    }
    let asked = Asked {
        range: request.range,
        total: request.total,
        validator: request.if_range.as_deref(),
    };
    let head = range::Head {
        status: answer.status().as_u16(),
        content_range: word(headers, header::CONTENT_RANGE),
        content_length: answer.content_length(),
        etag: word(headers, header::ETAG),
        last_modified: word(headers, header::LAST_MODIFIED),
    };
    let place = range::place(asked, head);
    place
        .map(Meaning::Body)
        .map_err(|why| Failure::misplaced(attempt.what, why))
}

/// Media that is packed once more: its offsets are not those of the bytes we count.
pub(super) fn compressed(what: String, encoding: &str) -> Problem {
    let why = format!("the server compressed it ({})", text::safe(encoding));
    let todo = "tell the owner of the server";
    Problem::new(Kind::Unsupported, what, why, todo)
}

/// A header as text, when it is one.
fn word(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_gzip(encoding: &str) -> bool {
    ["gzip", "x-gzip"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(encoding))
}

fn accepts_ranges(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_RANGES)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"bytes"))
}

/// Whether the answer may not be kept: of one that is for the owner of the
/// credentials alone nothing is written down.
fn forbids_keeping(headers: &HeaderMap, with_credentials: bool) -> bool {
    let says = |word: &str, this: &str| {
        let name = word.split('=').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(this)
    };
    headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|word| says(word, "no-store") || (with_credentials && says(word, "private")))
}
