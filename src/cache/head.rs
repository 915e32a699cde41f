//! What a server says about a resource, and whether two answers are about the
//! same bytes. Pure.

/// What the server said about the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The ETag field, quotes and `W/` included.
    pub etag: Option<String>,
    /// The Last-Modified field.
    pub last_modified: Option<String>,
    /// Length of the whole resource in bytes.
    pub total: Option<u64>,
    /// The Content-Type field.
    pub content_type: Option<String>,
    /// The URL that answered, when redirects led elsewhere.
    pub final_url: Option<String>,
}

impl Head {
    /// What If-Range may carry: a strong ETag, or the date of a resource
    /// without any ETag. `None`: nothing of it may be resumed across runs.
    /// Source: RFC 9110 sections 8.8 and 13.1.5.
    pub fn validator(&self) -> Option<&str> {
        match self.etag.as_deref() {
            Some(etag) if etag.starts_with('"') => Some(etag),
            Some(_) => None,
            None => self.last_modified.as_deref(),
        }
    }

    /// Whether bytes under `self` may stand beside bytes under `other`: the same
    /// validator, and lengths that do not differ.
    pub fn is_same_version(&self, other: &Self) -> bool {
        self.validator().is_some() && self.is_alike(other)
    }

    /// Whether nothing speaks against both being the same version.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        let agree = self.total.is_none() || other.total.is_none() || self.total == other.total;
        agree && self.validator() == other.validator()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strong_validators_join_parts() {
        let head = |etag: Option<&str>, date: Option<&str>, total| Head {
            etag: etag.map(str::to_owned),
            last_modified: date.map(str::to_owned),
            total,
            ..Head::default()
        };
        let one = head(Some("\"1\""), None, Some(9));
        let cases = [
            ("the same tag", one.clone(), one.clone(), true),
            (
                "no length yet",
                head(Some("\"1\""), None, None),
                one.clone(),
                true,
            ),
            (
                "another length",
                head(Some("\"1\""), None, Some(8)),
                one.clone(),
                false,
            ),
            (
                "another tag",
                head(Some("\"2\""), None, Some(9)),
                one.clone(),
                false,
            ),
            (
                "a weak tag",
                head(Some("W/\"1\""), Some("d"), None),
                head(Some("W/\"1\""), Some("d"), None),
                false,
            ),
            (
                "the same date",
                head(None, Some("d"), None),
                head(None, Some("d"), None),
                true,
            ),
            ("nothing at all", Head::default(), Head::default(), false),
        ];
        for (name, left, right, want) in cases {
            assert_eq!(left.is_same_version(&right), want, "{name}");
        }
    }
}
