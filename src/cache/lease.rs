//! Leasing the folder of a stream, in a cache that other processes evict from.

use std::io;

use super::folder::Folder;
use super::key::Identity;
use super::root;
use super::space::Space;
use crate::error::Problem;

/// Each is lost only to a process that evicts just what we open.
const RACES: u32 = 8;

/// Opens a stream's folder; `None` when it is not there and is not to be made.
pub(super) fn folder(
    space: &Space,
    identity: &Identity,
    is_made: bool,
) -> Result<Option<Folder>, Problem> {
    for _ in 1..RACES {
        match leased(space, identity, is_made) {
            // What another process removes under our hands is looked for once more.
            Err(Refusal::Disk(error)) if error.kind() == io::ErrorKind::NotFound => {}
            leased => return leased.map_err(|refusal| refusal.problem(space)),
        }
    }
    leased(space, identity, is_made).map_err(|refusal| refusal.problem(space))
}

/// Why a folder cannot be leased.
enum Refusal {
    Disk(io::Error),
    Other(Problem),
}

impl Refusal {
    fn problem(self, space: &Space) -> Problem {
        match self {
            Self::Disk(error) => root::unusable(space.root(), error),
            Self::Other(problem) => problem,
        }
    }
}

fn leased(space: &Space, identity: &Identity, is_made: bool) -> Result<Option<Folder>, Refusal> {
    let root = match is_made {
        true => root::make(space.root()).map(Some),
        false => root::open(space.root()),
    };
    let Some(root) = root.map_err(Refusal::Other)? else {
        return Ok(None);
    };
    if is_made {
        space.enter(&root).map_err(Refusal::Disk)?;
    }
    let folder = Folder::lease(&root, &identity.name(), is_made).map_err(Refusal::Disk)?;
    if let Some(folder) = &folder {
        let touched = folder.touch(identity);
        if is_made {
            let bytes = touched.map_err(Refusal::Disk)?;
            space.take(bytes).map_err(Refusal::Other)?;
            space.written(bytes);
        }
    }
    Ok(folder)
}
