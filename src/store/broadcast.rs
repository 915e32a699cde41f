//! The answer of a radio station: sound without end, and the titles in it.

use bytes::Bytes;

use crate::error::{Kind, Problem};
use crate::fetch::{Failure, Response, Station};
use crate::store::first::web_page;
use crate::store::sniff::is_web_page;
use crate::store::{Store, Wanted, remote};

/// A connection to a station.
pub struct Broadcast {
    response: Response,
    /// What was read to find out what it is.
    head: Vec<u8>,
}

impl Broadcast {
    /// The body of `response`, of which `head` was read.
    pub(super) fn new(response: Response, head: Vec<u8>) -> Self {
        Self { response, head }
    }

    /// What the station says of itself.
    pub fn station(&self) -> Option<&Station> {
        self.response.head.station.as_ref()
    }

    /// The next bytes of sound, never empty; `None` when the server closes.
    ///
    /// # Errors
    ///
    /// Those of [`Response::chunk`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        match std::mem::take(&mut self.head) {
            head if head.is_empty() => self.response.chunk().await,
            head => Ok(Some(head.into())),
        }
    }

    /// The titles met since this was last asked, each with the number of bytes
    /// of sound before it.
    pub fn take_titles(&mut self) -> Vec<(u64, String)> {
        self.response.take_titles()
    }
}

impl Store {
    /// Asks the station once more.
    ///
    /// # Errors
    ///
    /// Those of [`crate::fetch::Client::open_once`]; [`Kind::NotAStream`] for
    /// what is no station's answer.
    pub async fn tune(&self, wanted: &Wanted) -> Result<Broadcast, Problem> {
        let mut request = wanted.request(remote(wanted)?);
        request.wants_titles = true;
        let mut response = self.client.open_once(&request).await?;
        let what = || format!("cannot play {}", wanted.location);
        let first = response.chunk().await.map_err(|failure| failure.problem)?;
        let head = Vec::from(first.unwrap_or_default());
        if is_web_page(&head) {
            return Err(web_page(what(), &response));
        }
        match response.head.is_endless() {
            true => Ok(Broadcast::new(response, head)),
            false => Err(Problem::new(
                Kind::NotAStream,
                what(),
                "the server sends something else than before",
                "start again",
            )),
        }
    }
}
