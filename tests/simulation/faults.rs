//! What goes wrong in a night, by chance, and which of it are lies: answers that look right and are not.

use std::time::Duration;

use http::{Method, StatusCode};
use simulator::{Fault, FaultKind, FaultMix, Logged, Service, Simulation};

use crate::dice::Dice;

/// Every kind of trouble that a seed may meet, as the report names it.
pub(crate) const KINDS: [&str; 25] = [
    "429",
    "429 with Retry-After",
    "4xx",
    "5xx",
    "5xx with Retry-After",
    "timeout",
    "slow answer",
    "reset before it was applied",
    "reset after it was applied",
    "truncated body",
    "HTML instead of JSON",
    "expired token",
    "redirect to a good host",
    "redirect to a bad host",
    "empty answer",
    "short page",
    "false 200",
    "other characters stored",
    "answers stored cut",
    "killed before the request arrived",
    "killed after the request arrived",
    "told to stop",
    "clock step of the machine",
    "clock step of the service",
    "change while a run reads",
];

/// Hosts that a token may be sent to.
pub(crate) const REGION: &str = "https://api.eu.reports.umbrella.com";
const BAD_HOSTS: [&str; 3] = [
    "https://reports.attacker.example",
    "https://api.umbrella.com.attacker.example",
    "http://api.umbrella.com",
];
/// psasync waits so long for an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// As the report names it.
pub(crate) fn name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::TooManyRequests { retry_after: None } => "429",
        FaultKind::TooManyRequests { .. } => "429 with Retry-After",
        FaultKind::Status { status, .. } if status.is_client_error() => "4xx",
        FaultKind::Status { retry_after: None, .. } => "5xx",
        FaultKind::Status { .. } => "5xx with Retry-After",
        FaultKind::Slow(by) if *by >= READ_TIMEOUT => "timeout",
        FaultKind::Slow(_) => "slow answer",
        FaultKind::Severed { applied: false } => "reset before it was applied",
        FaultKind::Severed { applied: true } => "reset after it was applied",
        FaultKind::Truncated => "truncated body",
        FaultKind::Html => "HTML instead of JSON",
        FaultKind::ExpiredToken => "expired token",
        FaultKind::Redirect(to) if to.starts_with(REGION) => "redirect to a good host",
        FaultKind::Redirect(_) => "redirect to a bad host",
        FaultKind::EmptyData => "empty answer",
        FaultKind::ShortPage => "short page",
        FaultKind::FalseOk => "false 200",
        FaultKind::AlterNonAscii => "other characters stored",
        FaultKind::CutAnswers(_) => "answers stored cut",
    }
}

/// Whether the answer says something that is not so, without looking wrong.
pub(crate) fn is_lie(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::EmptyData | FaultKind::ShortPage)
}

/// Whether the answer can be used, and is true or a lie.
pub(crate) fn is_usable(logged: &Logged) -> bool {
    let is_lost = |kind: &FaultKind| {
        matches!(kind, FaultKind::Truncated | FaultKind::Html | FaultKind::Severed { .. })
            || matches!(kind, FaultKind::Slow(by) if *by >= READ_TIMEOUT)
    };
    logged.status == StatusCode::OK && !logged.fault.as_ref().is_some_and(is_lost)
}

/// Reads that faults strike by their paths.
const READS: [(Service, &str); 18] = [
    (Service::Umbrella, "/auth/v2/token"),
    (Service::Umbrella, "/admin/v2/"),
    (Service::Umbrella, "/reports/v2/providers/consoles"),
    (Service::Umbrella, "/reports/v2/providers/deployments"),
    (Service::Umbrella, "/reports/v2/providers/categories"),
    (Service::Umbrella, "/reports/v2/providers/requests-by-org"),
    (Service::Umbrella, "/reports/v2/identities"),
    (Service::Umbrella, "/reports/v2/top-identities"),
    (Service::Umbrella, "/reports/v2/total-requests/dns"),
    (Service::Umbrella, "/reports/v2/summaries-by-category/dns"),
    (Service::Umbrella, "/reports/v2/top-destinations/dns"),
    (Service::Umbrella, "/reports/v2/top-categories/dns"),
    (Service::Regional, "/reports/v2/"),
    (Service::ConnectWise, "/login/companyinfo"),
    (Service::ConnectWise, "/company/configurations/types"),
    (Service::ConnectWise, "/company/configurations/statuses"),
    (Service::ConnectWise, "/company/companies"),
    (Service::ConnectWise, "/company/configurations"),
];

/// Spoils a night, by two to seven faults or by bad weather over everything.
pub(crate) fn spoil(simulation: &Simulation, dice: &mut Dice) {
    if dice.once_in(4) {
        let percent = *dice.pick(&[5, 15, 35]);
        simulation.weather(FaultMix { seed: dice.between(0..=i64::MAX).unsigned_abs(), percent });
    }
    for _ in 0..dice.count(2..=7) {
        simulation.inject(if dice.once_in(3) { on_a_write(dice) } else { on_a_read(dice) });
    }
}

fn on_a_read(dice: &mut Dice) -> Fault {
    let (service, path) = *dice.pick(&READS);
    let kind = match dice.between(0..=15) {
        0..=8 => trouble(dice),
        9 if service == Service::Umbrella => FaultKind::ExpiredToken,
        10 if service == Service::Umbrella => FaultKind::Redirect(format!("{REGION}{path}")),
        11 => FaultKind::Redirect(format!("{}{path}", dice.pick(&BAD_HOSTS))),
        12 | 13 => FaultKind::EmptyData,
        _ => FaultKind::ShortPage,
    };
    let organization = (path.starts_with("/reports/v2/") && !path.contains("providers") && dice.once_in(2))
        .then(|| 100 + dice.between(1..=6));
    // Lists of records tell a lie once at most: that two readings lie in the same way is nothing that anybody could find out.
    let times = if is_lie(&kind) && service == Service::ConnectWise { 1 } else { times(dice) };
    let method = (service == Service::ConnectWise).then_some(Method::GET);
    Fault { organization, method, skip: skip(dice), times, ..Fault::once(service, path, kind) }
}

fn on_a_write(dice: &mut Dice) -> Fault {
    let kind = match dice.between(0..=11) {
        0..=7 => trouble(dice),
        8 | 9 => FaultKind::FalseOk,
        10 => FaultKind::AlterNonAscii,
        _ => FaultKind::CutAnswers(dice.count(25..=60)),
    };
    let method = if kind == FaultKind::FalseOk || dice.once_in(2) { Method::PATCH } else { Method::POST };
    let fault = Fault::once(Service::ConnectWise, "/company/configurations", kind);
    Fault { method: Some(method), skip: skip(dice), times: times(dice), ..fault }
}

/// What may happen to any request.
fn trouble(dice: &mut Dice) -> FaultKind {
    let retry_after = |dice: &mut Dice| Some(*dice.pick(&[0, 1, 30, 90, 7200]));
    match dice.between(0..=9) {
        0 => FaultKind::TooManyRequests { retry_after: None },
        1 => FaultKind::TooManyRequests { retry_after: retry_after(dice) },
        2 => status(*dice.pick(&[400, 403, 404, 409]), None),
        3 => status(*dice.pick(&[500, 502, 503, 504, 507]), None),
        4 => status(503, retry_after(dice)),
        5 => FaultKind::Slow(Duration::from_millis(*dice.pick(&[2_000, 45_000, 61_000, 100_000]))),
        6 => FaultKind::Severed { applied: false },
        7 => FaultKind::Severed { applied: true },
        8 => FaultKind::Truncated,
        _ => FaultKind::Html,
    }
}

fn status(status: u16, retry_after: Option<u64>) -> FaultKind {
    let body = r#"{"code":"Trouble","message":"trouble"}"#.to_owned();
    let status = StatusCode::from_u16(status).unwrap();
    FaultKind::Status { status, body, content_type: "application/json".into(), retry_after }
}

fn skip(dice: &mut Dice) -> usize {
    *dice.pick(&[0, 0, 0, 1, 2, 4])
}

fn times(dice: &mut Dice) -> usize {
    *dice.pick(&[1, 1, 2, 3, 6, usize::MAX])
}
