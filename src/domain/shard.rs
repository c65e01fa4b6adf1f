//! Shards: parts of a mapping that run side by side, each organization in exactly one.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::ids::OrgId;

/// One of several parts of a mapping, counted from 0.
///
/// An organization is in the shard whose index is the first 8 bytes of the SHA-256 of its id in decimal, as a big-endian number, modulo
/// the number of shards. This never changes: runs of different versions divide a mapping alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    index: u32,
    count: NonZeroU32,
}

/// Why a text or a pair of numbers is no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAShard {
    /// It is not written `I/N`.
    #[error("expected a shard such as 0/8: its index, counted from 0, and how many there are")]
    Form,
    /// There is no shard of 0.
    #[error("a mapping has at least one shard: 0/1 is all of it")]
    OfNone,
    /// The index is not below the number of shards.
    #[error("shards are counted from 0: the last of {count} is {}/{count}", .count.get() - 1)]
    Beyond {
        /// How many there are.
        count: NonZeroU32,
    },
}

impl Shard {
    /// The shard `index` of `count`.
    ///
    /// # Errors
    /// Where there is none.
    pub fn new(index: u32, count: u32) -> Result<Self, NotAShard> {
        let count = NonZeroU32::new(count).ok_or(NotAShard::OfNone)?;
        if index < count.get() { Ok(Self { index, count }) } else { Err(NotAShard::Beyond { count }) }
    }

    /// Its index, from 0.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many shards there are.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count.get()
    }

    /// Whether the organization is in it.
    #[must_use]
    pub fn has(self, organization: OrgId) -> bool {
        let digest = Sha256::digest(organization.to_string());
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number % u64::from(self.count.get()) == u64::from(self.index)
    }

    /// How the history names it: `shard 0/8`.
    #[must_use]
    pub fn title(self) -> String {
        format!("shard {self}")
    }

    /// The shard that the history names so.
    #[must_use]
    pub fn titled(title: &str) -> Option<Self> {
        title.strip_prefix("shard ")?.parse().ok()
    }

    /// Whether it is another part of the same division: the two have no organization in common.
    #[must_use]
    pub fn is_sibling_of(self, other: Self) -> bool {
        self.count == other.count && self.index != other.index
    }
}

impl fmt::Display for Shard {
    /// `0/8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, NotAShard> {
        let (index, count) = text.split_once('/').ok_or(NotAShard::Form)?;
        let number = |text: &str| text.parse().map_err(|_| NotAShard::Form);
        Self::new(number(index)?, number(count)?)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_title_leads_back_to_its_shard_and_nothing_else_does() {
        let shard = Shard::new(3, 8).unwrap();
        assert_eq!(Shard::titled(&shard.title()), Some(shard));
        assert_eq!((Shard::titled("3 companies"), Shard::titled("shard 8/8")), (None, None));
    }

    /// Anybody can work these out: `printf 1000001 | sha256sum | cut -c1-16`, read as a hexadecimal number, modulo 8.
    #[rstest]
    #[case(1, 1)]
    #[case(2, 6)]
    #[case(3, 3)]
    #[case(1_000_001, 7)]
    #[case(8_234_567, 4)]
    #[case(u64::MAX, 6)]
    fn an_organization_stays_in_its_shard_for_ever(#[case] organization: u64, #[case] expected: u32) {
        let shards = (0..8).map(|index| Shard::new(index, 8).unwrap());
        let of: Vec<_> = shards.filter(|shard| shard.has(OrgId(organization))).map(Shard::index).collect();
        assert_eq!(of, [expected]);
    }

    #[test]
    fn every_organization_is_in_exactly_one_shard_and_shards_are_of_a_size() {
        for count in [1, 2, 3, 8] {
            let shards: Vec<_> = (0..count).map(|index| Shard::new(index, count).unwrap()).collect();
            let mut sizes = vec![0_u32; shards.len()];
            for organization in 1_000_000..1_002_400 {
                let mut of = shards.iter().filter(|shard| shard.has(OrgId(organization)));
                sizes[of.next().unwrap().index() as usize] += 1;
                assert_eq!(of.next(), None, "organization {organization} is in two of {count}");
            }
            let fair = 2_400 / count;
            assert!(sizes.iter().all(|size| size.abs_diff(fair) < fair / 5), "{sizes:?} of {count}");
        }
    }

    #[rstest]
    #[case("0/1", Ok((0, 1)))]
    #[case("7/8", Ok((7, 8)))]
    #[case("8/8", Err("shards are counted from 0: the last of 8 is 7/8"))]
    #[case("0/0", Err("a mapping has at least one shard: 0/1 is all of it"))]
    #[case("1", Err("expected a shard such as 0/8: its index, counted from 0, and how many there are"))]
    #[case("a/b", Err("expected a shard such as 0/8: its index, counted from 0, and how many there are"))]
    #[case("-1/8", Err("expected a shard such as 0/8: its index, counted from 0, and how many there are"))]
    fn a_shard_is_written_as_index_and_number(
        #[case] text: &str,
        #[case] expected: Result<(u32, u32), &str>,
    ) {
        let shard = text.parse::<Shard>();
        if let Ok(shard) = shard {
            assert_eq!(shard.to_string(), text);
        }
        let told = shard.map(|shard| (shard.index(), shard.count())).map_err(|error| error.to_string());
        assert_eq!(told, expected.map_err(str::to_owned));
    }
}
