//! The tables of a transport stream in a section of their own, for segments that
//! leave them out (RFC 8216 section 3.2).

use std::sync::Arc;

use crate::decode::ts::packet::Packets;
use crate::decode::ts::tables::Tables;
use crate::decode::ts::{broken, no_map, not_ts};
use crate::decode::window::Window;
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Source;
use crate::stats::Stats;

/// What a PAT and a PMT say, before any segment comes.
#[derive(Clone, Debug)]
pub struct Init {
    tables: Tables,
}

impl Init {
    /// Reads an initialisation section. `source` stands at its beginning.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAStream`] for something else than packets, [`Kind::Limit`] for a
    /// section that is too large, [`Kind::Unsupported`] or [`Kind::Encryption`]
    /// naming the sound that cannot be played, [`Kind::Malformed`] when it has no
    /// program map, or the problem of the source.
    pub fn read(source: Box<dyn Source>, stats: Arc<Stats>) -> Result<Self, Problem> {
        let mut packets = Packets::open(Window::new(source, stats))?.ok_or_else(not_ts)?;
        let mut tables = Tables::new();
        while let Some(packet) = packets.next()? {
            tables.push(&packet)?;
            if packets.position() > limits::INIT_BYTES {
                return Err(broken(Kind::Limit, "its tables are longer than 4 MiB"));
            }
        }
        match (tables.choice(), tables.take_refusal()) {
            (Some(_), _) => Ok(Self { tables }),
            (None, refusal) => Err(refusal.unwrap_or_else(no_map)),
        }
    }

    /// What they say, to be gone on with.
    pub(super) fn tables(&self) -> Tables {
        self.tables.clone()
    }
}
