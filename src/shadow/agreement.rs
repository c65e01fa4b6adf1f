//! How far two integrations agree, field by field over the fleet.

use std::collections::BTreeMap;

use super::{Difference, Kind, Verdict};
use crate::domain::field::FieldMap;
use crate::domain::ids::PsaId;

/// How many companies are named for each kind of difference of a field.
pub const EXAMPLES_MAX: usize = 3;

/// How far two integrations agree about each field.
pub type Agreement<'a> = FieldMap<FieldAgreement<'a>>;

/// How far they agree about one field. The four numbers add up to the number of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldAgreement<'a> {
    /// Records that say what psasync would write.
    pub equal: usize,
    /// Records that say something else.
    pub different: usize,
    /// Records whose answer has nothing to be compared with.
    pub unread: usize,
    /// Records whose answer is not compared.
    pub left_out: usize,
    /// How often each kind of difference occurs, with the first companies. A difference of several kinds counts for each.
    pub kinds: BTreeMap<Kind, (usize, Vec<Example<'a>>)>,
}

/// A company at which a field differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example<'a> {
    /// The company.
    pub psa_id: &'a PsaId,
    /// What differs.
    pub difference: &'a Difference,
}

impl<'a> FieldAgreement<'a> {
    /// Records whose answer was compared.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.equal + self.different
    }

    fn add(&mut self, psa_id: &'a PsaId, verdict: &'a Verdict) {
        let difference = match verdict {
            Verdict::Equal => return self.equal += 1,
            Verdict::Unread(_) => return self.unread += 1,
            Verdict::LeftOut => return self.left_out += 1,
            Verdict::Different(difference) => difference,
        };
        self.different += 1;
        for kind in &difference.kinds {
            let (count, examples) = self.kinds.entry(*kind).or_default();
            *count += 1;
            if examples.len() < EXAMPLES_MAX {
                examples.push(Example { psa_id, difference });
            }
        }
    }
}

/// Adds up the verdicts about all records, in their order.
#[must_use]
pub fn agreement<'a>(records: impl IntoIterator<Item = (&'a PsaId, &'a FieldMap<Verdict>)>) -> Agreement<'a> {
    let mut agreement = FieldMap::from_fn(|_| FieldAgreement::default());
    for (psa_id, verdicts) in records {
        for (field, verdict) in verdicts.iter() {
            agreement[field].add(psa_id, verdict);
        }
    }
    agreement
}
