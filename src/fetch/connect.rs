//! How a connection comes about: names to addresses, then TCP, then TLS, each
//! timed for the report. The only place that sees addresses before they are used.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_layer::Layer;
use tower_service::Service;

use crate::stats::{Stage, Stats};

tokio::task_local! {
    /// Of the connection that this task is making. The resolver and the TLS
    /// library run inside its future but are not told which one it is.
    static MARKS: Marks;
}

#[derive(Debug, Default)]
struct Marks {
    resolved: Cell<Option<Instant>>,
    greeted: Cell<Option<Instant>>,
}

/// Notes that the TLS handshake of the current connection begins.
pub(super) fn mark_handshake() {
    // Outside of a connection there is nothing to note; a second greeting
    // (a retry within the handshake) is not the beginning.
    let _ = MARKS.try_with(|marks| {
        let first = marks.greeted.get().unwrap_or_else(Instant::now);
        marks.greeted.set(Some(first));
    });
}

/// Host names to addresses, by the system's resolver on a helper thread.
#[derive(Debug)]
pub(super) struct Names {
    stats: Arc<Stats>,
}

impl Names {
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        Self { stats }
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let stats = Arc::clone(&self.stats);
        Box::pin(async move {
            let asked = Instant::now();
            // Port 0 is replaced by that of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let answered = Instant::now();
            stats.stage(Stage::Resolve, asked, answered);
            let _ = MARKS.try_with(|marks| marks.resolved.set(Some(answered)));
            let addresses: Addrs = Box::new(found.collect::<Vec<_>>().into_iter());
            Ok(addresses)
        })
    }
}

/// Counts and times connections: a layer around the library's connector.
#[derive(Clone, Debug)]
pub(super) struct Timed<S> {
    inner: S,
    stats: Arc<Stats>,
}

/// Puts [`Timed`] around a connector.
#[derive(Clone, Debug)]
pub(super) struct TimedLayer(pub(super) Arc<Stats>);

impl<S> Layer<S> for TimedLayer {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed {
            inner,
            stats: Arc::clone(&self.0),
        }
    }
}

impl<S, T> Service<T> for Timed<S>
where
    S: Service<T>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: T) -> Self::Future {
        let connecting = self.inner.call(target);
        let stats = Arc::clone(&self.stats);
        Box::pin(MARKS.scope(Marks::default(), async move {
            let called = Instant::now();
            let connection = connecting.await?;
            MARKS.with(|marks| count(&stats, marks, called));
            Ok(connection)
        }))
    }
}

fn count(stats: &Stats, marks: &Marks, called: Instant) {
    let ended = Instant::now();
    let began = marks.resolved.get().unwrap_or(called);
    stats.connection(ended.saturating_duration_since(called));
    match marks.greeted.get() {
        None => stats.stage(Stage::Connect, began, ended),
        Some(greeted) => {
            stats.stage(Stage::Connect, began, greeted);
            stats.stage(Stage::Tls, greeted, ended);
        }
    }
}
