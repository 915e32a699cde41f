//! What a simulation needs to know of a stream, read off its playlists and from
//! what servers say of their segments.

use crate::error::{Kind, Problem};
use crate::event::RequestKind;
use crate::hls::renewal::Root;
use crate::hls::survey::Survey;
use crate::hls::taste::Taste;
use crate::location::Location;
use crate::pipeline::look::Look;
use crate::pipeline::{CacheChoice, Network, net};
use crate::store::{First, Wanted};

/// Looks at the ladder of a stream; and what would be said meanwhile.
///
/// # Errors
///
/// [`Kind::NotAStream`] for what is no HLS stream; those of [`Survey::of`].
pub fn survey(
    location: &Location,
    taste: &Taste,
    cache: &CacheChoice,
    network: &Network,
) -> Result<(Survey, Vec<Problem>), Problem> {
    let look = Look::new();
    let found = net::runtime()?.block_on(at(&look, location, taste, cache, network))?;
    Ok((found, look.warnings()))
}

async fn at(
    look: &Look,
    location: &Location,
    taste: &Taste,
    cache: &CacheChoice,
    network: &Network,
) -> Result<Survey, Problem> {
    let mut location = location.clone();
    let (_, store) = look.open(&mut location, None, cache, network)?;
    let wanted = Wanted::whole(location.clone(), RequestKind::File);
    let First::Playlist(text) = store.first(&wanted).await? else {
        return Err(Problem::new(
            Kind::NotAStream,
            format!("cannot simulate \"{location}\""),
            "it is no HLS playlist",
            "give the address of one",
        ));
    };
    let taste = taste.clone();
    let root = Root { location, taste };
    Survey::of(&store, text, root, &look.stats, &look.events).await
}
