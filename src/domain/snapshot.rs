//! Whether what was read is all there is.

/// Says whether a list holds everything that the service has.
///
/// An absence may only be concluded from a [`Complete`](Self::Complete) list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// The last page was short, and the cross-check, where there is one, agrees.
    Complete,
    /// Something is missing.
    Partial {
        /// What was not read, for a person.
        reason: String,
    },
}

/// A list together with its [`Completeness`].
#[derive(Clone, Debug)]
pub struct Snapshot<T> {
    /// What was read.
    pub items: Vec<T>,
    /// Whether there may be more.
    pub completeness: Completeness,
}

impl<T> Snapshot<T> {
    /// A list that holds everything.
    #[must_use]
    pub fn complete(items: Vec<T>) -> Self {
        Self { items, completeness: Completeness::Complete }
    }

    /// A list that misses something.
    #[must_use]
    pub fn partial(items: Vec<T>, reason: impl Into<String>) -> Self {
        Self { items, completeness: Completeness::Partial { reason: reason.into() } }
    }

    /// Whether an absence from this list means anything.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.completeness == Completeness::Complete
    }
}
