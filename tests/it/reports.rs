//! The reports on months, by name: those that were asked for, and those that the state has. The tests that kill the binary use it, too.

use psasync::domain::metrics::MonthAnswers;
use simulator::Logged;

/// The organization and the report, where the request asks for a report on a month.
pub(crate) fn asked(logged: &Logged) -> Option<(u64, &'static str)> {
    let report = match logged.path.trim_start_matches("/reports/v2/") {
        "total-requests/dns" => "queries",
        "summaries-by-category/dns" => "threats",
        "top-destinations/dns" if logged.parameter("verdict").as_deref() == Some("allowed") => "allowed",
        "top-destinations/dns" => "blocked",
        "top-categories/dns" => "categories",
        _ => return None,
    };
    Some((logged.organization.unwrap().cast_unsigned(), report))
}

/// The reports whose answers are known.
pub(crate) fn known(answers: &MonthAnswers) -> impl Iterator<Item = &'static str> + use<> {
    let MonthAnswers { queries, threats, top_domains, top_domains_blocked, top_categories } = answers;
    let known = [
        ("queries", queries.is_some()),
        ("threats", threats.is_some()),
        ("allowed", top_domains.is_some()),
        ("blocked", top_domains_blocked.is_some()),
        ("categories", top_categories.is_some()),
    ];
    known.into_iter().filter(|(_, is_known)| *is_known).map(|(report, _)| report)
}
