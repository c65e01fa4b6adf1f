//! Lists: filter, order, page and select.

use super::conditions::{Condition, Field, Operand, compare, parse};
use super::errors::{error, wrong_conditions};
use super::fields::Selection;
use crate::answer::{Answer, Incoming, Reply, Rows};
use axum::http::{StatusCode, header};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// Rows of a page without `pageSize`.
const PAGE_SIZE: usize = 25;
/// Larger pages are cut to this without a word.
const PAGE_SIZE_MAX: usize = 1000;

/// What can be asked about rows of one kind.
#[derive(Debug)]
pub(super) struct Shape {
    /// Fields for `conditions` and `orderBy`
    pub(super) filterable: &'static [Field],
    /// Members for `fields`
    pub(super) members: &'static [&'static str],
}

/// One row of a list.
pub(super) trait Row {
    fn id(&self) -> i64;
    /// Returns the value of one of the filterable fields.
    fn operand(&self, field: &str) -> Operand<'_>;
    fn json(&self) -> Map<String, Value>;
}

/// Where a list is found, for its `Link` headers.
pub(super) struct Place<'a> {
    pub(super) link_origin: &'a str,
    pub(super) resource: &'a str,
}

/// Answers for one page, or for the number of rows if the resource is a `count`.
pub(super) fn list<R: Row>(
    request: &Incoming,
    shape: &Shape,
    place: &Place<'_>,
    rows: impl Iterator<Item = R>,
) -> Reply {
    let condition = request.parameter("conditions").map(|text| parse(text, shape.filterable)).transpose()?;
    for unsupported in ["childConditions", "customFieldConditions"] {
        if request.parameter(unsupported).is_some() {
            return Err(wrong_conditions(&format!("{unsupported} cannot be used here.")));
        }
    }
    let keep = |row: &R| {
        condition.as_ref().is_none_or(|condition: &Condition| condition.holds(&|field| row.operand(field)))
    };
    let mut rows: Vec<R> = rows.filter(keep).collect();
    if place.resource.ends_with("/count") {
        return Ok(Answer::ok(&json!({ "count": rows.len() })));
    }
    let selection = Selection::of(request, shape.members)?;
    let size = number(request, "pageSize")?.unwrap_or(PAGE_SIZE).min(PAGE_SIZE_MAX);
    let forward_only =
        request.header("pagination-type").is_some_and(|kind| kind.eq_ignore_ascii_case("forward-only"));
    rows.sort_by_key(Row::id);
    let (page, link) = if forward_only {
        forward(request, place, rows, size)?
    } else {
        order(request, shape, &mut rows)?;
        numbered(request, place, rows, size)?
    };
    let mut text = Rows::bare();
    for row in page {
        text.push(&selection.apply(row.json()));
    }
    let answer = text.answer();
    Ok(match link {
        Some(link) => answer.with(header::LINK, &link),
        None => answer,
    })
}

type Page<R> = (Vec<R>, Option<String>);

fn numbered<R>(
    request: &Incoming,
    place: &Place<'_>,
    rows: Vec<R>,
    size: usize,
) -> Result<Page<R>, Box<Answer>> {
    let page = number(request, "page")?.unwrap_or(1);
    let last = rows.len().div_ceil(size).max(1);
    let mut links = Vec::new();
    let mut add = |relation: &str, page: usize| {
        let address = address(request, place, "page", page);
        links.push(format!("<{address}>; rel=\"{relation}\""));
    };
    if page > 1 {
        add("first", 1);
        add("prev", page - 1);
    }
    if page < last {
        add("next", page + 1);
        add("last", last);
    }
    let rows = rows.into_iter().skip((page - 1).saturating_mul(size)).take(size).collect();
    Ok((rows, (!links.is_empty()).then(|| links.join(", "))))
}

/// Pages by id: always with a `Link` header, which is empty on the last page.
fn forward<R: Row>(
    request: &Incoming,
    place: &Place<'_>,
    rows: Vec<R>,
    size: usize,
) -> Result<Page<R>, Box<Answer>> {
    if request.parameter("orderBy").is_some() {
        let message = "orderBy cannot be used with forward only pagination.";
        return Err(error(StatusCode::BAD_REQUEST, "ConnectWiseApi", message));
    }
    let after = match request.parameter("pageId") {
        Some(text) => text.parse().map_err(|_| not_a_number("pageId"))?,
        None => 0,
    };
    let mut rest = rows.into_iter().filter(|row| row.id() > after);
    let page: Vec<R> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let link = match page.last() {
        Some(last) if more => {
            format!("<{}>; rel=\"next\"", address(request, place, "pageId", last.id()))
        }
        _ => String::new(),
    };
    Ok((page, Some(link)))
}

fn address(request: &Incoming, place: &Place<'_>, name: &str, value: impl ToString) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, kept) in form_urlencoded::parse(request.query().as_bytes()) {
        if key != "page" && key != "pageId" {
            query.append_pair(&key, &kept);
        }
    }
    query.append_pair(name, &value.to_string());
    format!("{}/v4_6_release/apis/3.0/{}?{}", place.link_origin, place.resource, query.finish())
}

fn number(request: &Incoming, name: &str) -> Result<Option<usize>, Box<Answer>> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    text.parse().ok().filter(|number| *number > 0).map(Some).ok_or_else(|| not_a_number(name))
}

fn not_a_number(name: &str) -> Box<Answer> {
    error(StatusCode::BAD_REQUEST, "ConnectWiseApi", &format!("{name} must be a number above 0."))
}

fn order<R: Row>(request: &Incoming, shape: &Shape, rows: &mut [R]) -> Result<(), Box<Answer>> {
    let Some(text) = request.parameter("orderBy") else { return Ok(()) };
    let mut keys = Vec::new();
    for key in text.split(',') {
        let mut words = key.split_whitespace();
        let name = words.next().unwrap_or_default();
        let known = shape.filterable.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let (field, _) =
            known.ok_or_else(|| wrong_conditions(&format!("{name} is not a recognized name.")))?;
        let descending = match words.next() {
            None => false,
            Some(word) if word.eq_ignore_ascii_case("asc") => false,
            Some(word) if word.eq_ignore_ascii_case("desc") => true,
            Some(word) => return Err(wrong_conditions(&format!("{word} is not asc or desc."))),
        };
        keys.push((*field, descending));
    }
    rows.sort_by(|one, other| {
        let by = |(field, descending): &(&str, bool)| {
            let order = compare(&one.operand(field), &other.operand(field)).unwrap_or(Ordering::Equal);
            if *descending { order.reverse() } else { order }
        };
        keys.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    Ok(())
}
