//! Where frames begin in bytes that may hold tags and damage. A frame counts
//! when another one that agrees follows it, so that none is invented.

use super::header::{HEADER_BYTES, Header};
use super::truncated;
use crate::decode::id3;
use crate::decode::window::Window;
use crate::error::Problem;
use crate::limits;

const SURE_FRAMES: usize = 3; // that agree, until bytes are called ADTS

/// Whether `head`, the first bytes of a file or of a radio stream that was
/// joined in the middle of a frame, hold ADTS frames that agree.
pub fn looks_like_adts(head: &[u8]) -> bool {
    let syncs = head.iter().enumerate().filter(|&(_, &byte)| byte == 0xFF);
    let mut chains = syncs.map(|(at, _)| chain(&head[at..]));
    chains.any(|frames| frames >= SURE_FRAMES)
}

/// How many ADTS frames that agree follow each other at the front of `bytes`,
/// up to [`SURE_FRAMES`].
fn chain(bytes: &[u8]) -> usize {
    let first = Header::read(bytes);
    let Some(first) = first.filter(|header| matches!(header, Header::Adts(_))) else {
        return 0;
    };
    let (mut at, mut frames) = (first.length(), 1);
    while let Some(next) = bytes.get(at..).and_then(Header::read) {
        if frames == SURE_FRAMES || !next.agrees(&first) {
            break;
        }
        at += next.length();
        frames += 1;
    }
    frames
}

/// The frame at the window's place, when there is one and one that agrees, a
/// tag or the end of the source follows.
pub fn frame_here(window: &mut Window) -> Result<Option<Header>, Problem> {
    window.fill(HEADER_BYTES)?;
    let Some(header) = Header::read(window.bytes()) else {
        return Ok(None);
    };
    window.fill(header.length() + HEADER_BYTES)?;
    let is_followed = match window.bytes().get(header.length()..) {
        None => false,
        Some(rest) => match Header::read(rest) {
            Some(next) => next.agrees(&header),
            None => rest.is_empty() || rest.starts_with(b"ID3") || is_end_tag(rest),
        },
    };
    Ok(is_followed.then_some(header))
}

/// Goes to the next such frame, of the family of `like` when one is given;
/// `None`, at the end of the source, when there is none.
pub fn find_frame(window: &mut Window, like: Option<&Header>) -> Result<Option<Header>, Problem> {
    let fits = |header: &Header| like.is_none_or(|like| header.is_akin(like));
    while window.fill(1)? {
        if let Some(header) = frame_here(window)?.filter(fits) {
            return Ok(Some(header));
        }
        let after = window.bytes().iter().skip(1);
        let next = after.take_while(|&&byte| byte != 0xFF).count() + 1;
        window.skip(next as u64)?;
    }
    Ok(None)
}

/// Passes over the ID3v2 tags that stand here, however large, and returns what
/// they say together: the first timestamp, the last title. `None`: no tag.
pub fn skip_tags(window: &mut Window) -> Result<Option<id3::Tag>, Problem> {
    let mut all: Option<id3::Tag> = None;
    loop {
        window.fill(id3::HEADER_BYTES)?;
        let Some(length) = id3::length(window.bytes()) else {
            return Ok(all);
        };
        let kept = usize::try_from(length).unwrap_or(usize::MAX);
        let kept = kept.min(limits::TAG_BYTES);
        window.fill(kept)?;
        let tag = id3::read(&window.bytes()[..kept.min(window.bytes().len())]);
        let before = all.unwrap_or_default();
        all = Some(id3::Tag {
            timestamp: before.timestamp.or(tag.timestamp),
            title: tag.title.or(before.title),
        });
        if !window.skip(length)? {
            return Err(truncated());
        }
    }
}

/// Whether a tag that stands at the end of a file begins here: ID3v1, APE, Lyrics3.
pub fn is_end_tag(bytes: &[u8]) -> bool {
    let mut tags = [&b"TAG"[..], b"APETAGE", b"LYRICSB"].into_iter();
    tags.any(|tag| bytes.starts_with(tag))
}
