//! Chance that is the same for the same seed, on every machine.

use std::ops::RangeInclusive;

/// Dice that fall as their seed says.
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    pub(crate) fn of(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Dice for something of its own, so that what is thrown there changes nothing here.
    pub(crate) fn apart(&mut self) -> Self {
        Self(self.0.fork())
    }

    pub(crate) fn between(&mut self, range: RangeInclusive<i64>) -> i64 {
        self.0.i64(range)
    }

    pub(crate) fn count(&mut self, range: RangeInclusive<usize>) -> usize {
        self.0.usize(range)
    }

    /// Whether a throw comes that comes once in so many.
    pub(crate) fn once_in(&mut self, throws: u32) -> bool {
        self.0.u32(0..throws) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.usize(0..of.len())]
    }

    /// Some of these, in their order.
    pub(crate) fn some<T: Copy>(&mut self, of: &[T], most: usize) -> Vec<T> {
        let mut chosen = self.0.choose_multiple(0..of.len(), most.min(of.len()));
        chosen.sort_unstable();
        chosen.into_iter().map(|index| of[index]).collect()
    }
}
