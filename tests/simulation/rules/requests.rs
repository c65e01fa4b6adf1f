//! What is true of the requests of a step.

use std::collections::BTreeSet;

use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use serde_json::Value;
use simulator::{Logged, Service};

use super::Case;
use crate::faults::is_usable;
use crate::night::{Ending, Kind};
use crate::oracle::{Disposition, Window, disposition, lines};

/// A plan sends nothing but GET to ConnectWise, changes nothing there, and leaves the state as it was. What a run that was killed in this
/// process left open is closed some time later, and says nothing about the plan.
pub(super) fn a_plan_only_reads(case: &Case<'_>) -> Result<(), String> {
    let night = case.night;
    if !matches!(night.kind, Kind::Plan | Kind::Nothing) {
        return Ok(());
    }
    let is_connectwise = |request: &&http::Request<bytes::Bytes>| {
        request.uri().host().is_some_and(|host| host.ends_with("myconnectwise.net"))
    };
    if let Some(request) = night.sent.iter().filter(is_connectwise).find(|one| one.method() != Method::GET) {
        return Err(format!("{} {}", request.method(), request.uri()));
    }
    if !night.state_is_untouched && !case.may_be_leased {
        return Err("the state, or the files beside it, changed".to_owned());
    }
    let last = night.befores.last().map(|world| &world.connectwise.records);
    if last != Some(&night.after.connectwise.records) { Err("records changed".to_owned()) } else { Ok(()) }
}

/// A window that was over less than three days before is asked about in every night, unless a run of that day was broken off.
pub(super) fn late_data_is_asked_for(case: &Case<'_>) -> Result<(), String> {
    let night = case.night;
    let was_here = case.earlier.iter().any(|earlier| earlier.date_naive() == night.scheduled.date_naive());
    if !matches!(night.kind, Kind::Calm | Kind::Last) || was_here || !matches!(night.ending, Ending::Ran(_)) {
        return Ok(());
    }
    for line in lines(night.before()) {
        let created = match disposition(night.before(), &line) {
            Disposition::Left(_) => continue,
            Disposition::Created { .. } => None,
            Disposition::Kept { record, .. } => {
                let records = &night.before().connectwise.records;
                records.iter().find(|one| one.id == record).and_then(|one| one.date_entered)
            }
        };
        let window = Window::of(created, night.scheduled, case.rules);
        let is_asked = |logged: &Logged| {
            logged.organization == Some(line.org_id)
                && logged.path.ends_with("/total-requests/dns")
                && logged.status == StatusCode::OK
        };
        let refuses = night.moments[0].organization(line.org_id).is_some_and(|one| one.refuses_token);
        if window.may_still_change(night.scheduled) && !refuses && !night.log.iter().any(is_asked) {
            return Err(format!("organization {} was not asked about {window:?}", line.org_id));
        }
    }
    Ok(())
}

/// A token goes to its own service and to permitted hosts, an organization is asked for in token requests only, and its reports are
/// never asked for with the console's token.
pub(super) fn tokens_stay_where_they_belong(case: &Case<'_>) -> Result<(), String> {
    const UMBRELLA: [&str; 2] = ["api.umbrella.com", "api.eu.reports.umbrella.com"];
    for request in &case.night.sent {
        let uri = request.uri();
        let (host, path) = (uri.host().unwrap_or_default(), uri.path());
        let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let is_permitted = match authorization {
            None => path.starts_with("/login/companyinfo/"),
            Some(value) if value.starts_with("Bearer ") => UMBRELLA.contains(&host),
            Some(_) if path == "/auth/v2/token" => host == UMBRELLA[0],
            Some(_) => host == "api-na.myconnectwise.net",
        };
        let names_organization = request.headers().contains_key("x-umbrella-orgid");
        if !is_permitted
            || uri.scheme_str() != Some("https")
            || names_organization && path != "/auth/v2/token"
        {
            return Err(format!("{} {uri}", request.method()));
        }
    }
    let console = case.night.before().umbrella.console.id;
    let is_own = |logged: &&Logged| {
        logged.path.starts_with("/reports/v2/")
            && !logged.path.contains("/providers/")
            && logged.organization == Some(console)
    };
    case.night
        .log
        .iter()
        .find(is_own)
        .map_or(Ok(()), |logged| Err(format!("{} with the console's token", logged.path)))
}

/// No service refuses a request because there were too many, unless a fault says so. While the services' clock makes steps, their windows
/// are not those of anybody else.
pub(super) fn no_limit_is_exceeded(case: &Case<'_>) -> Result<(), String> {
    let is_refused =
        |logged: &&Logged| logged.status == StatusCode::TOO_MANY_REQUESTS && logged.fault.is_none();
    match case.night.log.iter().find(is_refused) {
        Some(logged) if !case.night.stepped => {
            Err(format!("{} {} {}", logged.service, logged.path, logged.at))
        }
        _ => Ok(()),
    }
}

/// Neither service is ever asked to delete anything, or to replace a whole object.
pub(super) fn nothing_is_ever_deleted(case: &Case<'_>) -> Result<(), String> {
    let is_known = |method: &Method| [Method::GET, Method::POST, Method::PATCH].contains(method);
    let other = case.night.sent.iter().find(|request| !is_known(request.method()));
    other.map_or(Ok(()), |request| Err(format!("{} {}", request.method(), request.uri())))
}

/// Between two creates that arrive for one company its records are read.
pub(super) fn no_create_without_a_reading_since_the_last(case: &Case<'_>) -> Result<(), String> {
    if matches!(case.night.ending, Ending::Planned(_)) {
        return Ok(());
    }
    let mut created = BTreeSet::new();
    for logged in case.night.log.iter().filter(|one| one.service == Service::ConnectWise) {
        if !logged.path.ends_with("/company/configurations") {
            continue;
        }
        if logged.method == Method::GET && is_usable(logged) {
            created.clear();
        }
        let body = logged
            .exchange
            .as_ref()
            .map(|exchange| &exchange.request_body)
            .filter(|_| logged.method == Method::POST);
        let Some(body) = body else { continue };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let company = body["company"]["id"].as_i64();
        let is_refused = logged.status.is_client_error();
        if !is_refused && !created.insert(company) {
            return Err(format!("company {company:?}"));
        }
    }
    Ok(())
}
