//! Whereto an entry leads: relative to its list, and no further than any
//! playlist may lead (see [`Location::join`]).

use std::path::Path;

use url::Url;

use crate::error::Problem;
use crate::location::Location;

/// The address of an entry of the list at `base`. In a local list an address is
/// the name of a file as it is, unless it `is_uri`, percent-encoded.
///
/// # Errors
///
/// Those of [`Location::join`].
pub fn resolved(address: &str, is_uri: bool, base: &Location) -> Result<Location, Problem> {
    let list = match base {
        Location::Http(_) => return base.join(address),
        Location::File(list) => list,
    };
    match file_of_url(address) {
        Some(path) => Location::file_below(list, &under(list, &path)),
        None if is_uri || address.contains("://") => base.join(address),
        None => Location::file_below(list, &under(list, address)),
    }
}

/// The path of a `file:` URL of this machine.
fn file_of_url(address: &str) -> Option<String> {
    address
        .get(..5)
        .filter(|scheme| scheme.eq_ignore_ascii_case("file:"))?;
    let path = Url::parse(address).ok()?.to_file_path().ok()?;
    path.into_os_string().into_string().ok()
}

/// An absolute path below the list's folder as one relative to it: the list may
/// itself be named by a relative path.
fn under(list: &Path, path: &str) -> String {
    let folder = list.parent().unwrap_or(Path::new(""));
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let below = std::path::absolute(folder).ok();
    let below = below.and_then(|folder| Path::new(path).strip_prefix(folder).ok()?.to_str());
    below.unwrap_or(path).to_owned()
}
