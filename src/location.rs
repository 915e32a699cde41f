//! Addresses: where a stream, a segment or a key lies, and whereto a playlist
//! from one place may lead. Pure: nothing is opened or looked up here.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::error::{Kind, Problem};
use crate::{limits, text};

const NO_TRUST: &str = "do not trust this playlist";

/// Where bytes lie.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// An `http` or `https` URL without a fragment.
    Http(Url),
    /// A local file. Whether a link leads out of a playlist's folder is for
    /// the opener to check.
    File(PathBuf),
}

impl Location {
    /// What the user typed: an `http`, `https` or `file` URL, or a path.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsafe`] for any other scheme, [`Kind::Arguments`] for a URL that is none,
    /// [`Kind::Limit`] above [`limits::URL_BYTES`].
    pub fn parse(argument: &str) -> Result<Self, Problem> {
        match scheme(argument) {
            Some(name) if is_web(name) => Url::parse(argument)
                .map_err(|error| mistyped(argument, &error.to_string()))
                .and_then(Self::web),
            Some(name) if name.eq_ignore_ascii_case("file") => Url::parse(argument)
                .ok()
                .and_then(|url| url.to_file_path().ok())
                .map(Self::File)
                .ok_or_else(|| mistyped(argument, "it names no local file")),
            Some(name) if argument[name.len()..].starts_with("://") => {
                let why = format!("\"{name}\" is not among http, https and file");
                let kind = Kind::Unsafe;
                Err(Problem {
                    kind,
                    ..mistyped(argument, &why)
                })
            }
            _ => Ok(Self::File(PathBuf::from(argument))),
        }
    }

    /// The address that `reference`, a URI found in the playlist at `self`, means.
    ///
    /// Relative references are resolved (RFC 3986 section 5). From the web only
    /// `http` and `https` can be reached; a local playlist reaches the web and
    /// files inside its own folder tree. User-info is left in, for `fetch` to
    /// ignore and to warn of.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsafe`] when it leads elsewhere, [`Kind::Malformed`] when it is
    /// no URI, [`Kind::Limit`] above [`limits::URL_BYTES`].
    pub fn join(&self, reference: &str) -> Result<Self, Problem> {
        if is_share(reference) {
            return Err(unsafe_lead("it leads to a network share"));
        }
        match self {
            Self::Http(base) => web_join(base, reference),
            Self::File(list) => file_join(list, reference),
        }
    }

    /// The file that a list at `list` calls `path`, which is no URI.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsafe`] when it is outside of the list's own folder tree.
    pub fn file_below(list: &Path, path: &str) -> Result<Self, Problem> {
        let folder = list.parent().unwrap_or(Path::new(""));
        if is_share(path) || path.contains('\0') {
            return Err(unsafe_lead("it names no file"));
        }
        inside(folder, Path::new(path)).map(Self::File)
    }

    /// Whether [`Location::join`] would refuse `reference` for safety, without
    /// building the address: playlists have many.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsafe`] and nothing else.
    pub fn admits(&self, reference: &str) -> Result<(), Problem> {
        if is_plain(reference) && self.is_harmless(reference) {
            return Ok(());
        }
        match self.join(reference) {
            Err(problem) if problem.kind == Kind::Unsafe => Err(problem),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn is_harmless(&self, plain: &str) -> bool {
        match (scheme(plain), self) {
            (Some(name), _) => is_web(name),
            (None, Self::Http(_)) => true,
            (None, Self::File(_)) => {
                !plain.starts_with('/') && !plain.contains("..") && !plain.contains('%')
            }
        }
    }

    fn web(mut url: Url) -> Result<Self, Problem> {
        url.set_fragment(None);
        if url.as_str().len() > limits::URL_BYTES {
            return Err(Problem::new(
                Kind::Limit,
                format!("cannot use \"{}\"", text::short_url(url.as_str())),
                format!("the URL is longer than {} bytes", limits::URL_BYTES),
                "use a shorter one",
            ));
        }
        Ok(Self::Http(url))
    }
}

impl fmt::Display for Location {
    /// For people: no user-info, no query, nothing that moves a cursor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => f.write_str(&text::short_url(url.as_str())),
            Self::File(path) => f.write_str(&text::safe(&path.to_string_lossy())),
        }
    }
}

fn web_join(base: &Url, reference: &str) -> Result<Location, Problem> {
    let url = base.join(reference).map_err(|error| {
        Problem::new(
            Kind::Malformed,
            format!("cannot follow \"{}\"", text::short_url(reference)),
            format!("it is no URL: {error}"),
            "tell the publisher of the playlist",
        )
    })?;
    if !is_web(url.scheme()) {
        return Err(unsafe_scheme(url.scheme(), "the web"));
    }
    Location::web(url)
}

fn file_join(list: &Path, reference: &str) -> Result<Location, Problem> {
    match scheme(reference.trim()) {
        Some(name) if is_web(name) => {
            let url = Url::parse(reference).map_err(|error| {
                Problem::new(
                    Kind::Malformed,
                    format!("cannot follow \"{}\"", text::short_url(reference)),
                    format!("it is no URL: {error}"),
                    "correct the playlist",
                )
            })?;
            Location::web(url)
        }
        Some(name) => Err(unsafe_scheme(name, "a local file")),
        None => {
            let folder = list.parent().unwrap_or(Path::new(""));
            let path = reference.split(['?', '#']).next().unwrap_or_default();
            let decoded = percent_decoded(path)
                .filter(|path| !path.contains('\0') && !is_share(path))
                .ok_or_else(|| unsafe_lead("it names no file"))?;
            inside(folder, Path::new(&decoded)).map(Location::File)
        }
    }
}

/// `path` below `folder`, with `.` and `..` resolved by name.
fn inside(folder: &Path, path: &Path) -> Result<PathBuf, Problem> {
    let outside = || unsafe_lead("it leads out of the playlist's own folder");
    let below = match path.strip_prefix(folder) {
        Ok(below) if path.is_absolute() => below,
        Ok(_) | Err(_) => path,
    };
    let mut clean = PathBuf::new();
    for part in below.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir if clean.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(outside());
            }
        }
    }
    Ok(folder.join(clean))
}

/// `%41` becomes `A`; `None` when the result is not UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|hex| first == b'%' && hex.iter().all(u8::is_ascii_hexdigit))
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

/// The scheme of a URI (RFC 3986 section 3.1), if it has one.
fn scheme(reference: &str) -> Option<&str> {
    let end = reference.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))?;
    let name = &reference[..end];
    let is_scheme =
        reference[end..].starts_with(':') && name.starts_with(|c: char| c.is_ascii_alphabetic());
    is_scheme.then_some(name)
}

fn is_web(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// `\\host\share` and its disguises: URL parsers take a backslash for a slash.
fn is_share(reference: &str) -> bool {
    let reference = reference.trim_start();
    reference.starts_with("\\\\") || reference.starts_with("/\\") || reference.starts_with("\\/")
}

/// Printable ASCII without backslashes: parsers agree on what it means.
fn is_plain(reference: &str) -> bool {
    reference
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn mistyped(argument: &str, why: &str) -> Problem {
    Problem::new(
        Kind::Arguments,
        format!("cannot open \"{}\"", text::short_url(argument)),
        why,
        "give an http or https URL, or a file",
    )
}

fn unsafe_scheme(scheme: &str, from: &str) -> Problem {
    unsafe_lead(&format!("it leads from {from} to \"{scheme}:\""))
}

fn unsafe_lead(why: &str) -> Problem {
    Problem::new(Kind::Unsafe, "cannot follow the playlist", why, NO_TRUST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(result: Result<Location, Problem>) -> String {
        match result {
            Ok(Location::Http(url)) => url.to_string(),
            Ok(Location::File(path)) => path.display().to_string(),
            Err(problem) => problem.kind.code().to_owned(),
        }
    }

    #[test]
    fn what_the_user_types_is_a_url_or_a_path() {
        let cases = [
            ("https://h/a?b#c", "https://h/a?b"),
            ("HTTP://h", "http://h/"),
            ("file:///tmp/a%20b.m3u8", "/tmp/a b.m3u8"),
            ("music/a:b.mp3", "music/a:b.mp3"),
            ("a:b.mp3", "a:b.mp3"),
            ("ftp://h/a", "unsafe"),
            ("http://[", "arguments"),
            ("file://host/a", "arguments"),
        ];
        for (argument, want) in cases {
            assert_eq!(shown(Location::parse(argument)), want, "{argument}");
        }
        let long = format!("http://h/{}", "a".repeat(limits::URL_BYTES));
        assert_eq!(shown(Location::parse(&long)), "limit");
    }

    #[test]
    fn a_playlist_from_the_web_leads_to_the_web_only() {
        let base = Location::parse("https://h/a/list.m3u8?t=1").expect("a URL");
        let cases = [
            ("seg.ts?x=1", "https://h/a/seg.ts?x=1"),
            ("../b/seg.ts", "https://h/b/seg.ts"),
            ("/seg.ts", "https://h/seg.ts"),
            ("//cdn/seg.ts", "https://cdn/seg.ts"),
            ("https://x:y@cdn/s.ts#f", "https://x:y@cdn/s.ts"),
            ("12:30.ts", "https://h/a/12:30.ts"),
            ("http://[", "malformed"),
            ("file:///etc/passwd", "unsafe"),
            ("FILE:/etc/passwd", "unsafe"),
            ("fi\tle:///etc/passwd", "unsafe"),
            ("data:text/plain,a", "unsafe"),
            ("concat:a|b", "unsafe"),
            ("C:\\a.ts", "unsafe"),
            ("\\\\host\\a.ts", "unsafe"),
            ("/\\host/a.ts", "unsafe"),
            ("skd://x", "unsafe"),
        ];
        for (reference, want) in cases {
            assert_eq!(shown(base.join(reference)), want, "{reference}");
            let admitted = base.admits(reference).is_ok();
            assert_eq!(admitted, want != "unsafe", "{reference}");
        }
    }

    #[test]
    fn a_local_playlist_stays_in_its_folder_or_goes_to_the_web() {
        for (list, folder) in [("/m/x/list.m3u8", "/m/x/"), ("list.m3u8", "")] {
            let base = Location::File(PathBuf::from(list));
            let cases = [
                ("seg.ts", format!("{folder}seg.ts")),
                ("v/../a%20b.ts?q", format!("{folder}a b.ts")),
                ("./a..b.ts", format!("{folder}a..b.ts")),
                ("https://h/a.ts", "https://h/a.ts".to_owned()),
                ("../a.ts", "unsafe".to_owned()),
                ("v/../../a.ts", "unsafe".to_owned()),
                ("%2e%2e/a.ts", "unsafe".to_owned()),
                ("v%2f..%2f..%2fa.ts", "unsafe".to_owned()),
                ("/etc/passwd", "unsafe".to_owned()),
                ("file:///m/x/a.ts", "unsafe".to_owned()),
                ("a%00.ts", "unsafe".to_owned()),
                ("\\\\host\\a.ts", "unsafe".to_owned()),
            ];
            for (reference, want) in cases {
                assert_eq!(shown(base.join(reference)), want, "{list} {reference}");
                let admitted = base.admits(reference).is_ok();
                assert_eq!(admitted, want != "unsafe", "{list} {reference}");
            }
        }
        let base = Location::File(PathBuf::from("/m/x/list.m3u8"));
        assert_eq!(shown(base.join("/m/x/y/a.ts")), "/m/x/y/a.ts");
        assert_eq!(shown(base.join("/m/x/../a.ts")), "unsafe");
    }

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        let web = Location::parse("https://u:p@h/a?token=s").expect("a URL");
        assert_eq!(web.to_string(), "https://h/a");
        let file = Location::File(PathBuf::from("/m/a\x1b[2J?.mp3"));
        assert_eq!(file.to_string(), "/m/a\\u{1b}[2J?.mp3");
    }
}
