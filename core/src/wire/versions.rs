//! A list of protocol versions: `count u8 (1..7)`, then as many bytes strictly ascending from 1, then zeros
//! (docs/protocol.md §3.1).

/// A valid list of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions([u8; 8]);

impl Versions {
    /// What this implementation speaks: version 1 alone.
    pub(crate) const OURS: Self = Self([1, 1, 0, 0, 0, 0, 0, 0]);

    pub(crate) fn parse(bytes: &[u8; 8]) -> Option<Self> {
        let (count, versions) = bytes.split_first()?;
        let (listed, filler) = versions.split_at_checked(usize::from(*count))?;
        let ascending = listed.iter().zip(listed.iter().skip(1)).all(|(a, b)| a < b);
        let valid = listed.first().is_some_and(|first| *first != 0)
            && ascending
            && filler.iter().all(|byte| *byte == 0);
        valid.then_some(Self(*bytes))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Whether `version` stands in the list.
    pub(crate) fn has(&self, version: u8) -> bool {
        self.listed().any(|listed| listed == version)
    }

    fn listed(&self) -> impl Iterator<Item = u8> {
        let count = self.0.first().copied().unwrap_or(0);
        self.0.into_iter().skip(1).take(usize::from(count))
    }

    /// The highest version that stands in both lists.
    pub(crate) fn best_common(&self, other: &Self) -> Option<u8> {
        self.listed().filter(|version| other.listed().any(|theirs| theirs == *version)).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ascending_zero_filled_lists_are_taken() {
        for good in [[1, 1, 0, 0, 0, 0, 0, 0], [2, 1, 9, 0, 0, 0, 0, 0], [7, 1, 2, 3, 4, 5, 6, 255]] {
            assert!(Versions::parse(&good).is_some(), "{good:?}");
        }
        for bad in [
            [0, 0, 0, 0, 0, 0, 0, 0],
            [1, 0, 0, 0, 0, 0, 0, 0],
            [2, 2, 1, 0, 0, 0, 0, 0],
            [2, 1, 1, 0, 0, 0, 0, 0],
            [1, 1, 2, 0, 0, 0, 0, 0],
            [8, 1, 2, 3, 4, 5, 6, 7],
        ] {
            assert!(Versions::parse(&bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn best_common_is_the_highest_in_both() {
        let list = |bytes| Versions::parse(&bytes).unwrap();
        let ours = list([2, 1, 3, 0, 0, 0, 0, 0]);
        assert_eq!(ours.best_common(&list([3, 1, 2, 3, 0, 0, 0, 0])), Some(3));
        assert_eq!(ours.best_common(&list([2, 1, 2, 0, 0, 0, 0, 0])), Some(1));
        assert_eq!(ours.best_common(&list([1, 2, 0, 0, 0, 0, 0, 0])), None);
    }
}
