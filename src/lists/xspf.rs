//! XSPF (<https://xspf.org/spec>): an XML list of tracks. Of each the first
//! location, the title and the creator are used.

use super::Row;
use super::xml::{Piece, Xml};

/// Whether the root of the XML that begins with `head` is `playlist`.
pub fn is_headed(head: &[u8]) -> bool {
    // The head of a file may end within a letter, or an element.
    let text = String::from_utf8_lossy(head);
    if !text.trim_start().starts_with('<') {
        return false;
    }
    let mut xml = Xml::of(&text);
    while let Ok(Some(piece)) = xml.next() {
        if let Piece::Opened(name) = piece {
            return name == "playlist";
        }
    }
    false
}

/// The rows of `text`.
///
/// # Errors
///
/// Why it is no XML that is read here.
pub fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut xml = Xml::of(text);
    let (mut rows, mut path) = (Vec::new(), Vec::new());
    let mut track = Track::default();
    while let Some(piece) = xml.next()? {
        match piece {
            Piece::Opened(name) => {
                path.push(name);
                match path[..] {
                    ["playlist", "trackList", "track"] => track = Track::default(),
                    ["playlist", "trackList", "track", "location"] => track.locations += 1,
                    _ => {}
                }
            }
            Piece::Text(text) => track.hear(&path, &text),
            Piece::Closed => {
                if path[..] == ["playlist", "trackList", "track"] {
                    rows.extend(std::mem::take(&mut track).row());
                }
                path.pop();
            }
        }
    }
    Ok(rows)
}

#[derive(Default)]
struct Track {
    locations: usize,
    location: String,
    title: String,
    creator: String,
}

impl Track {
    /// The text of an element may come in several pieces.
    fn hear(&mut self, path: &[&str], text: &str) {
        let ["playlist", "trackList", "track", name] = path else {
            return;
        };
        match *name {
            "location" if self.locations == 1 => self.location.push_str(text),
            "title" => self.title.push_str(text),
            "creator" => self.creator.push_str(text),
            _ => {}
        }
    }

    /// A track without a location is one that its player has to find by its
    /// name: nothing for us.
    fn row(self) -> Option<Row> {
        let location = self.location.trim();
        let title = match (self.creator.trim(), self.title.trim()) {
            ("", "") => None,
            (creator, "") => Some(creator.to_owned()),
            ("", title) => Some(title.to_owned()),
            (creator, title) => Some(format!("{creator} - {title}")),
        };
        (!location.is_empty()).then(|| Row {
            address: location.to_owned(),
            title,
        })
    }
}
