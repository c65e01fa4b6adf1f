//! The skin of ConnectWise PSA: the look-up of the codebase and `/{codebase}/apis/3.0`.
//!
//! Quirks that are kept on purpose: a wrong codebase is 400 in plain text, duplicates are 400, a page past the end is `[]`, PATCH has a
//! dialect of its own with false 200s, and `Link` headers name another host than the one that was asked.

mod answers;
mod auth;
mod companies;
mod conditions;
mod configurations;
mod errors;
mod fields;
mod listing;
mod model;
mod types;

use crate::answer::{Answer, Incoming, Reply};
use crate::fault::throttled;
use crate::index::Index;
use crate::limits::{Budget, Count};
use crate::log::Service;
use crate::simulation::{Running, Storing};
use crate::world::{Configuration, ConfigurationType, ConnectWise};
use axum::http::{HeaderName, Method, StatusCode, header};
use chrono::{DateTime, Utc};
use companies::{COMPANIES, COMPANY_STATUSES, CompanyRow, STATUSES};
use configurations::{CONFIGURATIONS, Change, RecordRow, created, patched};
use errors::{endpoint_missing, error, forbidden, record_missing};
use fields::Selection;
use listing::{Place, Row, Shape, list};
use serde_json::{Value, json};
use types::{QUESTIONS, QuestionRow, TYPES};

/// Longest path and query that is taken; beyond it the documentation asks for a search by POST.
const TARGET_BYTES_MAX: usize = 10_000;

/// Lists that the service has beside those that are simulated: they can be read or not, and have one row.
const BESIDES: [&str; 5] =
    ["company/contacts", "finance/agreements", "finance/invoices", "service/tickets", "system/members"];

/// Makes a world's relative times absolute and numbers its answers.
pub(crate) fn prepare(connectwise: &mut ConnectWise, now: DateTime<Utc>) {
    for record in &mut connectwise.records {
        record.fix_times(now);
        answers::number(record);
    }
}

/// Answers one request.
pub(crate) fn answer(
    running: &mut Running,
    request: &Incoming,
    storing: Storing,
    now: DateTime<Utc>,
) -> Answer {
    let world = &running.world;
    if let Some(company) = request.path().strip_prefix("/login/companyinfo/") {
        return auth::company_info(&world.connectwise, &world.credentials, company);
    }
    if request.target().len() > TARGET_BYTES_MAX {
        return Answer::new(StatusCode::URI_TOO_LONG, "text/plain", "Request-URI Too Long");
    }
    let Some(resource) = resource(&world.connectwise, request.path()) else {
        let message = "Cannot route. Codebase/company is invalid";
        return Answer::new(StatusCode::BAD_REQUEST, "text/plain", message);
    };
    let resource = resource.to_owned();
    let answer = api(running, request, &resource, storing, now).unwrap_or_else(|refusal| *refusal);
    let version = running.world.connectwise.version.as_str();
    let answer = answer.with(HeaderName::from_static("api-current-version"), version);
    if answer.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
        let kind = format!("application/vnd.connectwise.com+json; version={version}; charset=utf-8");
        return answer.with(header::CONTENT_TYPE, &kind);
    }
    answer
}

/// Returns what comes behind the codebase, if the gateway can route the path.
fn resource<'a>(connectwise: &ConnectWise, path: &'a str) -> Option<&'a str> {
    let (codebase, rest) = path.strip_prefix('/')?.split_once('/')?;
    let known =
        codebase == connectwise.codebase || connectwise.other_codebases.iter().any(|one| one == codebase);
    rest.strip_prefix("apis/3.0/").filter(|resource| known && !resource.starts_with("apis/"))
}

fn api(
    running: &mut Running,
    request: &Incoming,
    resource: &str,
    storing: Storing,
    now: DateTime<Utc>,
) -> Reply {
    let world = &running.world;
    auth::check(&world.connectwise, &world.credentials, request)?;
    if let Some(times) = running.settings.limits.times()
        && let Count::Exceeded(_) = running.counters.count(Budget::ConnectWise, times, now)
    {
        let answer = Answer::json(StatusCode::TOO_MANY_REQUESTS, &throttled(Service::ConnectWise));
        return Err(Box::new(answer.with(header::RETRY_AFTER, "30")));
    }
    match request.method {
        Method::GET => read(&running.world.connectwise, &running.index, request, resource),
        Method::POST => create(running, request, resource, storing, now),
        Method::PATCH => change(running, request, resource, storing, now),
        _ => Err(error(StatusCode::METHOD_NOT_ALLOWED, "ConnectWiseApi", "The method is not allowed.")),
    }
}

fn allowed(right: bool) -> Result<(), Box<Answer>> {
    if right { Ok(()) } else { Err(forbidden()) }
}

fn read(connectwise: &ConnectWise, index: &Index, request: &Incoming, resource: &str) -> Reply {
    let ConnectWise { role, companies, company_statuses, statuses, types, records, .. } = connectwise;
    let place = Place { link_origin: &connectwise.link_origin, resource };
    let steps: Vec<&str> = resource.trim_end_matches('/').split('/').collect();
    match steps.as_slice() {
        ["system", "info"] => Ok(Answer::ok(&system_info(connectwise))),
        ["company", "companies", "statuses"] | ["company", "companies", "statuses", "count"] => {
            allowed(role.reads_company_statuses)?;
            list(request, &COMPANY_STATUSES, &place, company_statuses.iter())
        }
        ["company", "companies"] | ["company", "companies", "count"] => {
            allowed(role.reads_companies)?;
            let row = |company| CompanyRow { company, connectwise };
            list(request, &COMPANIES, &place, companies.iter().map(row))
        }
        ["company", "companies", id] => {
            allowed(role.reads_companies)?;
            let number: Option<i64> = id.parse().ok();
            let company = number.and_then(|id| index.companies.get(&id)).map(|found| &companies[*found]);
            let company = company.ok_or_else(|| record_missing("Company", id))?;
            one(request, &COMPANIES, &CompanyRow { company, connectwise })
        }
        ["company", "configurations", "statuses"] | ["company", "configurations", "statuses", "count"] => {
            allowed(role.reads_statuses)?;
            list(request, &STATUSES, &place, statuses.iter())
        }
        ["company", "configurations", "types"] | ["company", "configurations", "types", "count"] => {
            let is_listed = |kind: &&ConfigurationType| {
                !role.unlisted_types.iter().any(|name| kind.name.eq_ignore_ascii_case(name))
            };
            list(request, &TYPES, &place, types.iter().filter(is_listed))
        }
        ["company", "configurations", "types", id] => one(request, &TYPES, &types::find(connectwise, id)?),
        ["company", "configurations", "types", id, "questions"]
        | ["company", "configurations", "types", id, "questions", "count"] => {
            let kind = types::find(connectwise, id)?;
            let row = |question| QuestionRow { question, kind };
            list(request, &QUESTIONS, &place, kind.questions.iter().map(row))
        }
        ["company", "configurations"] | ["company", "configurations", "count"] => {
            allowed(role.reads_configurations)?;
            let rows = records.iter().map(|record| RecordRow::of(connectwise, index, record));
            list(request, &CONFIGURATIONS, &place, rows.filter(|row| row.is_visible(connectwise)))
        }
        ["company", "configurations", id] => {
            allowed(role.reads_configurations)?;
            let record = &records[find(connectwise, index, id)?];
            one(request, &CONFIGURATIONS, &RecordRow::of(connectwise, index, record))
        }
        _ if BESIDES.contains(&resource) => {
            allowed(role.reads_besides.iter().any(|readable| readable == resource))?;
            Ok(Answer::ok(&json!([{ "id": 1 }])))
        }
        _ => Err(endpoint_missing()),
    }
}

fn one(request: &Incoming, shape: &Shape, row: &impl Row) -> Reply {
    let selection = Selection::of(request, shape.members)?;
    Ok(Answer::ok(&Value::Object(selection.apply(row.json()))))
}

fn system_info(connectwise: &ConnectWise) -> Value {
    json!({
        "version": format!("v{}", connectwise.version),
        "isCloud": connectwise.cloud,
        "serverTimeZone": "Eastern Standard Time",
        "licenseBits": [{ "name": "cwConfigurations", "activeFlag": true }],
        "cloudRegion": "NA",
        "maxWorkFlowRecordsAllowed": 1000,
    })
}

/// Finds the position of a configuration that the role can see.
fn find(connectwise: &ConnectWise, index: &Index, id: &str) -> Result<usize, Box<Answer>> {
    let number: Option<i64> = id.parse().ok();
    let position = number.and_then(|id| index.records.get(&id)).copied();
    let visible = |position: &usize| {
        RecordRow::of(connectwise, index, &connectwise.records[*position]).is_visible(connectwise)
    };
    position.filter(visible).ok_or_else(|| record_missing("Configuration", id))
}

fn check_content_type(request: &Incoming) -> Result<(), Box<Answer>> {
    let json = |kind: &str| kind.to_ascii_lowercase().starts_with("application/json");
    if request.header("content-type").is_some_and(json) {
        return Ok(());
    }
    let message = "The content type must be application/json.";
    Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "ConnectWiseApi", message))
}

fn create(
    running: &mut Running,
    request: &Incoming,
    resource: &str,
    storing: Storing,
    now: DateTime<Utc>,
) -> Reply {
    check_content_type(request)?;
    let partial = running.settings.partial_questions;
    let connectwise = &mut running.world.connectwise;
    let steps: Vec<&str> = resource.trim_end_matches('/').split('/').collect();
    let id = match steps.as_slice() {
        ["company", "configurations", "types"] => {
            allowed(connectwise.role.edits_table_setup)?;
            types::create_type(connectwise, request)?
        }
        ["company", "configurations", "types", kind, "questions"] => {
            allowed(connectwise.role.edits_table_setup)?;
            let id = types::create_question(connectwise, request, kind)?;
            let kind = types::find(connectwise, kind)?;
            let question = kind.questions.iter().find(|question| question.id == id);
            let question =
                question.ok_or_else(|| record_missing("ConfigurationTypeQuestion", &id.to_string()))?;
            let answer = one(request, &QUESTIONS, &QuestionRow { question, kind })?;
            return Ok(located(answer, resource, id));
        }
        ["company", "configurations"] => {
            allowed(connectwise.role.adds_configurations)?;
            let change = Change { index: &running.index, partial, storing, now };
            let record = created(connectwise, request, change)?;
            let answer = one(request, &CONFIGURATIONS, &RecordRow::of(connectwise, &running.index, &record))?;
            let id = record.id;
            running.index.records.insert(id, connectwise.records.len());
            connectwise.records.push(record);
            return Ok(located(answer, resource, id));
        }
        _ => return Err(endpoint_missing()),
    };
    let answer = one(request, &TYPES, &types::find(connectwise, &id.to_string())?)?;
    Ok(located(answer, resource, id))
}

fn located(mut answer: Answer, resource: &str, id: i64) -> Answer {
    answer.status = StatusCode::CREATED;
    answer.with(header::LOCATION, &format!("/v4_6_release/apis/3.0/{resource}/{id}"))
}

fn change(
    running: &mut Running,
    request: &Incoming,
    resource: &str,
    storing: Storing,
    now: DateTime<Utc>,
) -> Reply {
    check_content_type(request)?;
    let connectwise = &mut running.world.connectwise;
    let Some(id) = resource.strip_prefix("company/configurations/").filter(|id| !id.contains('/')) else {
        return Err(endpoint_missing());
    };
    allowed(connectwise.role.edits_configurations)?;
    let position = find(connectwise, &running.index, id)?;
    let change = Change { index: &running.index, partial: running.settings.partial_questions, storing, now };
    let record: Configuration = patched(connectwise, &connectwise.records[position], request, change)?;
    connectwise.records[position] = record;
    let row = RecordRow::of(connectwise, &running.index, &connectwise.records[position]);
    one(request, &CONFIGURATIONS, &row)
}
