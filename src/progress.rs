//! How far a run is, for whoever watches it.

/// A part of a run that takes long enough to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Organizations are read from Umbrella, one by one.
    Organizations,
    /// Records are written to ConnectWise.
    Records,
}

/// Is told how far a run is. Computes and decides nothing.
pub trait Progress: Send + Sync {
    /// A phase of `total` steps begins.
    fn begin(&self, phase: Phase, total: usize);
    /// One step is done.
    fn advance(&self);
    /// The phase is over.
    fn end(&self);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn begin(&self, _phase: Phase, _total: usize) {}
    fn advance(&self) {}
    fn end(&self) {}
}
