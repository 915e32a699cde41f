//! The folder tree a local playlist may lead into. Names are judged where they
//! are joined ([`Location::join`](crate::location::Location::join)); here links
//! are followed, so that none leads out.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::error::{Kind, Problem};
use crate::text;

/// The tree below the playlist that the user named, if that is a local file.
#[derive(Clone, Debug, Default)]
pub struct Tree(Arc<OnceLock<PathBuf>>);

impl Tree {
    /// The playlist at `list` leads from now on.
    pub fn grow_below(&self, list: &Path) {
        let folder = list.parent().unwrap_or(Path::new(""));
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        if let Ok(root) = folder.canonicalize() {
            // One playlist leads; those it leads to are in its tree.
            let _ = self.0.set(root);
        }
    }

    /// Whether `path`, which a playlist led to, may be opened.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsafe`] when a link in it leads out of the tree. What does not
    /// exist is for the opener to report.
    pub fn admits(&self, path: &Path) -> Result<(), Problem> {
        let Some((root, real)) = self.0.get().zip(path.canonicalize().ok()) else {
            return Ok(());
        };
        if real.starts_with(root) {
            return Ok(());
        }
        Err(Problem::new(
            Kind::Unsafe,
            format!("cannot open \"{}\"", text::safe(&path.to_string_lossy())),
            "it is a link that leads out of the playlist's own folder",
            "do not trust this playlist",
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_may_lead_about_in_the_tree_and_not_out_of_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("list/sub")).expect("folders");
        for name in ["outside", "list/inside", "list/sub/deep"] {
            fs::write(at(name), "x").expect("a file");
        }
        symlink(at("outside"), at("list/out")).expect("a link");
        symlink(folder.path(), at("list/up")).expect("a link");
        symlink("inside", at("list/in")).expect("a link");
        symlink(at("list"), at("alias")).expect("a link");
        let cases = [
            ("list/inside", true),
            ("list/in", true),
            ("list/sub/deep", true),
            ("list/missing", true),
            ("list/out", false),
            ("list/up/outside", false),
            ("list/up/list/inside", true),
        ];
        for list in ["list/x.m3u8", "alias/x.m3u8"] {
            let tree = Tree::default();
            assert!(tree.admits(&at("outside")).is_ok(), "nothing leads yet");
            tree.grow_below(&at(list));
            for (path, want) in cases {
                let kind = tree.admits(&at(path)).err().map(|problem| problem.kind);
                assert_eq!(kind, (!want).then_some(Kind::Unsafe), "{list}: {path}");
            }
        }
    }
}
