//! Tells when a list that is read page by page is at its end. Pure.
//!
//! Umbrella's reports give neither totals nor links. Their own maximum may be lower than what is asked for, and some ignore `limit` or
//! `offset`. So a page is the last one where nothing speaks against it, and a list that may be cut is never taken for a whole one.

use std::collections::HashSet;

use super::PAGES_MAX;

/// Maxima of services are round: a page of so many rows, or of a multiple, may have been cut.
const ROUND: usize = 100;

/// A row that can be told from others.
pub(super) trait Row {
    fn id(&self) -> u64;
}

/// A list as far as it came.
#[derive(Debug)]
pub(super) struct Paging {
    rows_max: usize,
    expected: Option<u64>,
    known: HashSet<u64>,
    rows: usize,
    counted: u64,
    pages: usize,
}

/// What comes after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another page.
    Page,
    /// Nothing: the list is complete.
    Complete,
    /// Nothing: the list may be cut, and asking on brings nothing new.
    Endless,
}

impl Paging {
    /// A list that is asked for in pages of `rows_max`. `expected` is how many rows of it count according to another source.
    pub(super) fn new(rows_max: usize, expected: Option<u64>) -> Self {
        Self { rows_max, expected, known: HashSet::new(), rows: 0, counted: 0, pages: 0 }
    }

    /// How many rows a page is asked to have.
    pub(super) fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Where the next page begins.
    pub(super) fn offset(&self) -> usize {
        self.rows
    }

    /// The rows of `page` that no page has brought yet: pages overlap where a row appears or disappears meanwhile.
    pub(super) fn fresh<T: Row>(&mut self, mut page: Vec<T>) -> Vec<T> {
        page.retain(|row| self.known.insert(row.id()));
        page
    }

    /// What comes after a page of `rows`, of which `fresh` were new and `counted` of those count.
    pub(super) fn after(&mut self, rows: usize, fresh: usize, counted: u64) -> Next {
        self.rows += rows;
        self.counted += counted;
        self.pages += 1;
        let is_enough = self.expected.is_some_and(|expected| self.counted >= expected);
        let may_be_cut = rows.is_multiple_of(ROUND) && !is_enough;
        let is_whole = rows == 0 || rows > self.rows_max;
        let ends = if fresh == 0 { !may_be_cut } else { rows < self.rows_max && !self.lacks(may_be_cut) };
        if is_whole || ends {
            Next::Complete
        } else if fresh == 0 || self.pages == PAGES_MAX {
            Next::Endless
        } else {
            Next::Page
        }
    }

    /// Whether a short page leaves the list wanting: of rows that another source counts, or, without one, of what may have been cut.
    fn lacks(&self, may_be_cut: bool) -> bool {
        self.expected.map_or(may_be_cut, |expected| self.counted < expected)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::short(None, &[7], Next::Complete)]
    #[case::nothing(None, &[0], Next::Complete)]
    #[case::nothing_against_a_count(Some(3), &[0], Next::Complete)]
    #[case::full(None, &[5000], Next::Page)]
    #[case::full_and_enough(Some(5000), &[5000], Next::Page)]
    #[case::more_than_asked_for(None, &[5001], Next::Complete)]
    #[case::round(None, &[300], Next::Page)]
    #[case::round_and_enough(Some(300), &[300], Next::Complete)]
    #[case::round_and_its_end(None, &[100, 100, 40], Next::Complete)]
    #[case::round_and_nothing_more(None, &[100, 0], Next::Complete)]
    #[case::too_few(Some(8), &[7], Next::Page)]
    #[case::too_few_at_last(Some(8), &[7, 0], Next::Complete)]
    #[case::as_many_as_counted(Some(7), &[4, 3], Next::Complete)]
    fn a_list_ends(#[case] expected: Option<u64>, #[case] pages: &[usize], #[case] next: Next) {
        let mut paging = Paging::new(5000, expected);
        let all = pages.iter().map(|rows| paging.after(*rows, *rows, *rows as u64)).collect::<Vec<_>>();
        assert!(all[..all.len() - 1].iter().all(|next| *next == Next::Page), "{all:?}");
        assert_eq!((all[all.len() - 1], paging.offset()), (next, pages.iter().sum()));
    }

    #[rstest]
    #[case::short(Some(8), 7, Next::Complete)]
    #[case::full(None, 5000, Next::Endless)]
    #[case::round(None, 100, Next::Endless)]
    #[case::round_and_too_few(Some(250), 100, Next::Endless)]
    #[case::full_and_enough(Some(5000), 5000, Next::Complete)]
    fn a_page_that_repeats_the_one_before_ends_a_list(
        #[case] expected: Option<u64>,
        #[case] rows: usize,
        #[case] next: Next,
    ) {
        let mut paging = Paging::new(5000, expected);
        assert_eq!(paging.after(rows, rows, rows as u64), Next::Page);
        assert_eq!(paging.after(rows, 0, 0), next);
    }

    impl Row for u64 {
        fn id(&self) -> u64 {
            *self
        }
    }

    #[test]
    fn a_row_that_comes_twice_counts_once() {
        let mut paging = Paging::new(5000, None);
        assert_eq!(paging.fresh(vec![1_u64, 2, 2]), [1, 2]);
        assert_eq!(paging.fresh(vec![2_u64, 3]), [3]);
    }

    #[test]
    fn a_list_without_an_end_is_given_up() {
        let mut paging = Paging::new(5000, None);
        let next = (0..PAGES_MAX).map(|_| paging.after(5000, 1, 1)).collect::<Vec<_>>();
        assert_eq!(next.iter().position(|next| *next == Next::Endless), Some(PAGES_MAX - 1));
    }
}
