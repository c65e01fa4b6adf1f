//! Whole lists, page by page.

use std::collections::HashSet;

use http::StatusCode;
use http::header::{HeaderMap, LINK};

use super::connection::{Connection, Patience, ReadFailure};
use super::error::ConnectWiseError;
use super::wire::Entry;
use crate::http::{Exchange, ReadError};

/// Page sizes, each a divisor of the one before: what was read so far is always a whole number of smaller pages.
///
/// 1000 is ConnectWise's maximum; a page that times out or fails is asked again in smaller ones.
const PAGE_SIZES: [usize; 3] = [1000, 250, 50];
/// No list that psasync reads is longer than this, in pages of the smallest size.
const PAGES_MAX: usize = 20_000;

/// What a list is, and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    /// For messages, such as `the list of companies`.
    pub(super) what: &'a str,
    /// Below `apis/3.0`.
    pub(super) path: &'a [&'a str],
    /// Which entries; empty for all.
    pub(super) conditions: &'a str,
    /// Which members of each.
    pub(super) fields: &'a str,
}

/// Reads a list to its end, in the order of ids, each id once.
///
/// A page is the last when it is short and `Link` names no next one. A page that is short although there is a next one (a server
/// with a smaller maximum) is followed; where that brings nothing, the list is partial.
pub(super) async fn read_all<T: Entry, E: Exchange>(
    connection: &Connection<E>,
    list: List<'_>,
) -> Result<Vec<T>, ReadAllError> {
    let mut pages = Pages { connection, list, size_index: 0, next_page: 1, rows_read: 0 };
    let mut seen = HashSet::new();
    let mut items = Vec::new();
    for _ in 0..PAGES_MAX {
        let page: Page<T> = pages.next().await.map_err(ReadAllError::Failed)?;
        let is_short = page.items.len() < pages.size();
        let known = items.len();
        items.extend(page.items.into_iter().filter(|item| seen.insert(item.id())));
        match page.next {
            Next::Yes | Next::Unsaid if items.len() == known && !(is_short && page.next == Next::Unsaid) => {
                return Err(ReadAllError::Partial("a next page brings nothing new".to_owned()));
            }
            Next::Yes => {}
            Next::No => return Ok(items),
            Next::Unsaid if is_short => return Ok(items),
            Next::Unsaid => {}
        }
    }
    Err(ReadAllError::Partial(format!("it has more than {PAGES_MAX} pages")))
}

/// Why a list was not read to its end.
#[derive(Debug)]
pub(super) enum ReadAllError {
    Failed(ReadFailure),
    Partial(String),
}

impl ReadAllError {
    pub(super) fn into_error(self, what: &str) -> ConnectWiseError {
        match self {
            Self::Failed(failure) => failure.into_error(what),
            Self::Partial(reason) => ConnectWiseError::Partial { what: what.to_owned(), reason },
        }
    }
}

struct Page<T> {
    items: Vec<T>,
    next: Next,
}

/// What `Link` says about a next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Yes,
    No,
    Unsaid,
}

struct Pages<'a, E> {
    connection: &'a Connection<E>,
    list: List<'a>,
    size_index: usize,
    next_page: usize,
    rows_read: usize,
}

impl<E: Exchange> Pages<'_, E> {
    fn size(&self) -> usize {
        PAGE_SIZES[self.size_index]
    }

    /// The next page, in smaller and smaller sizes where it fails.
    async fn next<T: Entry>(&mut self) -> Result<Page<T>, ReadFailure> {
        loop {
            let is_smallest = self.size_index + 1 == PAGE_SIZES.len();
            let patience = if is_smallest { Patience::All } else { Patience::Brief };
            let mut answer = self.ask(patience).await;
            if patience == Patience::Brief && answer.as_ref().is_err_and(is_throttled) {
                answer = self.ask(Patience::All).await;
            }
            match answer {
                Ok(page) => {
                    self.next_page += 1;
                    self.rows_read += page.items.len();
                    return Ok(page);
                }
                Err(failure) if is_smallest || !may_be_too_large(&failure) => return Err(failure),
                Err(failure) => self.shrink().ok_or(failure)?,
            }
        }
    }

    /// Goes on in smaller pages behind what was read; `None` where that is no whole number of them.
    fn shrink(&mut self) -> Option<()> {
        self.size_index += 1;
        self.next_page = self.rows_read / self.size() + 1;
        self.rows_read.is_multiple_of(self.size()).then_some(())
    }

    async fn ask<T: Entry>(&self, patience: Patience) -> Result<Page<T>, ReadFailure> {
        let (page, size) = (self.next_page.to_string(), self.size().to_string());
        let mut query = vec![("page", page.as_str()), ("pageSize", &size), ("orderBy", "id")];
        query.extend(Some(("fields", self.list.fields)).filter(|(_, fields)| !fields.is_empty()));
        query.extend(Some(("conditions", self.list.conditions)).filter(|(_, text)| !text.is_empty()));
        let answer = self.connection.get::<Vec<T>>(self.list.path, &query, patience).await?;
        Ok(Page { next: next_page(&answer.headers), items: answer.body })
    }
}

/// Whether a smaller page might be answered.
fn may_be_too_large(failure: &ReadFailure) -> bool {
    match failure {
        ReadFailure::CompanyUnknown { .. } | ReadFailure::LookUp { .. } | ReadFailure::OtherHost { .. } => {
            false
        }
        ReadFailure::Read(error) => match error {
            ReadError::Exchange(_) | ReadError::Undecodable(_) => true,
            ReadError::Refused(refusal) => refusal.status.is_server_error(),
            ReadError::Redirected { .. } | ReadError::DeadlinePassed { .. } => false,
        },
    }
}

/// Whether ConnectWise wants fewer requests. Smaller pages would be more of them.
fn is_throttled(failure: &ReadFailure) -> bool {
    let ReadFailure::Read(error) = failure else { return false };
    error.refusal().is_some_and(|refusal| refusal.status == StatusCode::TOO_MANY_REQUESTS)
}

/// Whether `Link` announces a next page. Its URL is not used: it may name another host.
pub(super) fn next_page(headers: &HeaderMap) -> Next {
    let links = headers.get_all(LINK).iter();
    let links: Vec<_> = links.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let Some(parameters) = links.iter().map(|link| parameters(link)).collect::<Option<Vec<_>>>() else {
        return Next::Unsaid;
    };
    let is_next = |parameter: &&str| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let mut relations = value.trim().trim_matches('"').split_whitespace();
        name.trim().eq_ignore_ascii_case("rel") && relations.any(|word| word.eq_ignore_ascii_case("next"))
    };
    match (links.is_empty(), parameters.iter().flatten().any(is_next)) {
        (true, _) => Next::Unsaid,
        (false, true) => Next::Yes,
        (false, false) => Next::No,
    }
}

/// What stands between the separators of a `Link`. Those within an address or a quoted text separate nothing; one that never ends hides
/// what comes behind it, so that nothing is known then.
fn parameters(link: &str) -> Option<Vec<&str>> {
    let mut closing = None;
    let parameters = link.split(|c: char| match closing {
        Some(end) => {
            closing = Some(end).filter(|end| *end != c);
            false
        }
        None => {
            closing = match c {
                '<' => Some('>'),
                '"' => Some('"'),
                _ => None,
            };
            c == ';' || c == ','
        }
    });
    let parameters = parameters.collect();
    closing.is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_header(None, Next::Unsaid)]
    #[case::empty(Some(""), Next::No)]
    #[case::next(
        Some(r#"<https://na.example/x?page=2>; rel="next", <https://na.example/x?page=3>; rel="last""#),
        Next::Yes
    )]
    #[case::next_is_second(
        Some(r#"<https://na.example/x?page=1>; rel="first", <https://na.example/x?page=3>; rel="next""#),
        Next::Yes
    )]
    #[case::last_page(
        Some(r#"<https://na.example/x?page=1>; rel="first", <https://na.example/x?page=1>; rel="prev""#),
        Next::No
    )]
    #[case::unquoted(Some("<https://na.example/x?page=2>; rel=next"), Next::Yes)]
    #[case::several_relations(Some(r#"<https://na.example/x?page=2>; rel="next last""#), Next::Yes)]
    #[case::next_in_the_address(Some(r#"<https://na.example/x?a;rel=next,b>; rel="last""#), Next::No)]
    #[case::never_closed(Some(r#"<https://na.example/x?page=2; rel="next""#), Next::Unsaid)]
    #[case::next_in_a_title(Some(r#"<https://na.example/x>; title="a;rel=next;b"; rel="prev""#), Next::No)]
    fn a_next_page_is_announced_by_its_relation(#[case] link: Option<&str>, #[case] expected: Next) {
        let mut headers = HeaderMap::new();
        if let Some(link) = link {
            headers.insert(LINK, link.parse().unwrap());
        }
        assert_eq!(next_page(&headers), expected);
    }

    #[test]
    fn what_was_read_is_a_whole_number_of_smaller_pages() {
        for pair in PAGE_SIZES.windows(2) {
            assert_eq!(pair[0] % pair[1], 0);
        }
    }
}
