use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::domain::snapshot::Completeness;
use crate::http::script::unconnected;

async fn fleet_of(script: &Arc<Script>) -> Result<Fleet, UmbrellaError> {
    client(script).fleet(scheduled(), &[], None).await
}

#[tokio::test(start_paused = true)]
async fn a_fleet_costs_one_token_and_one_request_per_answer() {
    let script = service(|_, _, _| None);
    let fleet = client(&script).fleet(scheduled(), &[], None).await.unwrap();
    let lines: Vec<_> = script.seen().iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "POST /auth/v2/token",
            "GET /admin/v2/providers/customers?page=1&limit=100",
            "GET /reports/v2/providers/consoles",
            "GET /reports/v2/providers/deployments?from=1792886400000&to=1793491200000",
        ]
    );
    assert!(fleet.customers.is_complete());
    assert_eq!(fleet.customers.items[1].name, "O'Brien");
    assert_eq!(fleet.customers.items[0].package.as_deref(), Some("DNS Advantage"));
    assert_eq!(fleet.console.unwrap().package.as_deref(), Some("DNS Essentials"));
}

/// A list of `count` customers in pages of at most `page_rows`, where the console counts `counted`.
fn customers(count: u64, page_rows: u64, counted: Option<u64>) -> Arc<Script> {
    service(move |_, request, line| {
        if line.starts_with("GET /admin/v2/providers/customers") {
            let page: u64 = request.uri().query()?.strip_prefix("page=")?.split('&').next()?.parse().ok()?;
            let rows: Vec<_> = (0..count)
                .skip(usize::try_from((page - 1) * page_rows).unwrap())
                .take(usize::try_from(page_rows).unwrap())
                .map(|id| customer(OrgId(id + 1), "x"))
                .collect();
            return Some(json_reply(rows.into()));
        }
        line.contains("consoles").then(|| match counted {
            Some(counted) => json_reply(json!({"customerCount": counted})),
            None => reply(403, r#"{"message":"Forbidden"}"#),
        })
    })
}

#[rstest]
#[case::one_short_page(7, 100, Some(7), 1, true)]
#[case::a_full_page_is_never_the_last(100, 100, Some(100), 2, true)]
#[case::several(250, 100, Some(250), 3, true)]
#[case::without_cross_check(250, 100, None, 3, true)]
#[case::pages_smaller_than_asked_for(120, 50, Some(120), 3, true)]
#[case::one_further_page_brings_nothing(7, 100, Some(8), 2, false)]
#[case::more_than_counted(7, 100, Some(6), 1, false)]
#[case::empty_where_somebody_should_be(0, 100, Some(3), 2, false)]
#[case::empty_and_nobody_says_so(0, 100, None, 1, false)]
#[case::empty_as_it_should_be(0, 100, Some(0), 1, true)]
#[tokio::test(start_paused = true)]
async fn a_customer_list_is_complete_only_if_it_has_an_end_and_the_console_agrees(
    #[case] count: u64,
    #[case] page_rows: u64,
    #[case] counted: Option<u64>,
    #[case] pages: usize,
    #[case] complete: bool,
) {
    let script = customers(count, page_rows, counted);
    let fleet = fleet_of(&script).await.unwrap();
    assert_eq!(fleet.customers.items.len() as u64, count);
    assert_eq!(fleet.customers.is_complete(), complete, "{:?}", fleet.customers.completeness);
    assert_eq!(paths(&script, 0).iter().filter(|path| path.contains("providers/customers")).count(), pages);
}

#[tokio::test(start_paused = true)]
async fn a_failed_page_makes_the_list_partial_and_keeps_what_was_read() {
    let script = service(|_, _, line| {
        if line.contains("page=1&") {
            let rows: Vec<_> = (0..100).map(|id| customer(OrgId(id), "x")).collect();
            return Some(json_reply(rows.into()));
        }
        line.contains("page=2&").then(|| reply(500, r#"{"message":"server error"}"#))
    });
    let fleet = fleet_of(&script).await.unwrap();
    assert_eq!(fleet.customers.items.len(), 100);
    let Completeness::Partial { reason } = fleet.customers.completeness else { panic!("complete") };
    assert_eq!(reason, "page 2 of the customer list: HTTP 500: server error");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_repeats_itself_is_partial_and_ends() {
    let script = service(|_, _, line| {
        let rows: Vec<_> = (0..100).map(|id| customer(OrgId(id), "x")).collect();
        line.contains("page=").then(|| json_reply(rows.into()))
    });
    let fleet = fleet_of(&script).await.unwrap();
    assert_eq!(fleet.customers.items.len(), 100);
    assert!(!fleet.customers.is_complete());
}

#[rstest]
#[case::the_console_counts_as_many(reply(200, r#"{"customerCount":250}"#), true)]
#[case::the_console_counts_more(reply(200, r#"{"customerCount":251}"#), false)]
#[case::nobody_counts(reply(403, ""), false)]
#[tokio::test(start_paused = true)]
async fn a_list_that_ignores_its_limit_is_complete_if_the_console_counts_as_many(
    #[case] console: Reply,
    #[case] complete: bool,
) {
    let script = service(move |_, _, line| {
        let rows = || (0..250).map(|id| customer(OrgId(id), "x")).collect::<Vec<_>>();
        if line.contains("page=") {
            return Some(json_reply(rows().into()));
        }
        line.contains("consoles").then(|| console.clone())
    });
    let fleet = fleet_of(&script).await.unwrap();
    assert_eq!((fleet.customers.items.len(), fleet.customers.is_complete()), (250, complete));
    assert_eq!(paths(&script, 0).iter().filter(|path| path.contains("customers")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_is_listed_twice_counts_once() {
    let script = service(|_, _, line| {
        line.contains("page=1")
            .then(|| json_reply(json!([customer(QUIET, "a"), customer(BUSY, "b"), customer(QUIET, "a")])))
    });
    let fleet = fleet_of(&script).await.unwrap();
    assert_eq!(fleet.customers.items.len(), 2);
    assert!(fleet.customers.is_complete());
}

#[rstest]
#[case::forbidden(403)]
#[case::absent(404)]
#[tokio::test(start_paused = true)]
async fn a_console_without_the_providers_list_has_the_managed_one(#[case] status: u16) {
    let script = service(move |_, _, line| {
        if line.contains("managed/customers") {
            return Some(json_reply(json!([
                {"customerId": QUIET, "customerName": "a", "seats": 1}, {"customerId": BUSY, "customerName": "b", "seats": 2},
            ])));
        }
        line.contains("providers/customers").then(|| reply(status, ""))
    });
    let fleet = fleet_of(&script).await.unwrap();
    assert!(fleet.customers.is_complete());
    assert_eq!(fleet.customers.items[0].package, None);
}

#[rstest]
#[case::managed_customers(json_reply(json!([customer(QUIET, "a"), customer(BUSY, "b")])), 2, true)]
#[case::nobody_there_either(json_reply(json!([])), 0, false)]
#[case::no_such_list(reply(403, ""), 0, false)]
#[case::refused(reply(401, ""), 0, false)]
#[tokio::test(start_paused = true)]
async fn where_nobody_is_on_the_providers_list_the_managed_one_is_asked(
    #[case] managed: Reply,
    #[case] count: usize,
    #[case] complete: bool,
) {
    let script = service(move |_, _, line| {
        if line.contains("managed/customers") {
            return Some(managed.clone());
        }
        line.contains("providers/customers").then(|| json_reply(json!([])))
    });
    let fleet = fleet_of(&script).await.unwrap();
    assert_eq!((fleet.customers.items.len(), fleet.customers.is_complete()), (count, complete));
}

#[rstest]
#[case::the_scope_is_missing(403, "reports.customers:read", "missing scope")]
#[case::the_scope_is_missing_and_hidden(404, "reports.customers:read", "missing scope")]
#[case::the_console_is_of_another_kind(403, ALL_SCOPES, "no list")]
#[case::neither_list_exists(404, ALL_SCOPES, "no list")]
#[case::the_service_is_down(503, ALL_SCOPES, "unavailable")]
#[tokio::test(start_paused = true)]
async fn why_there_is_no_customer_list(
    #[case] status: u16,
    #[case] scope: &'static str,
    #[case] expected: &str,
) {
    let script = service(move |_, _, line| match line {
        "POST /auth/v2/token" => Some(token_for(CONSOLE, scope)),
        _ => line.contains("/admin/").then(|| reply(status, "")),
    });
    let error = fleet_of(&script).await.unwrap_err();
    let actual = match error {
        UmbrellaError::MissingScope { scope: "admin.customers:read", .. } => "missing scope",
        UmbrellaError::NoCustomerList { .. } => "no list",
        UmbrellaError::Unavailable { .. } => "unavailable",
        other => panic!("{other}"),
    };
    assert_eq!(actual, expected);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_understood_is_unreadable() {
    let script = service(|_, _, line| line.contains("/admin/").then(|| reply(200, r#"{"data":[]}"#)));
    let error = fleet_of(&script).await.unwrap_err();
    assert!(matches!(error, UmbrellaError::Unreadable { .. }) && !error.is_refusal(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn no_connection_is_unavailable_with_a_hint() {
    let script = Script::new(|_, _| unconnected());
    let error = fleet_of(&script).await.unwrap_err();
    assert!(matches!(error, UmbrellaError::Unavailable { .. }), "{error}");
    assert!(error.hint().contains("base_url"));
}

#[rstest]
#[case::refused(reply(403, ""))]
#[case::failed(reply(500, ""))]
#[case::another_shape(report(json!({})))]
#[case::a_missing_count(report(json!([{"organization": {"id": 1}, "counts": [{"identitytype": {"type": "network"}, "count": 1}]}])))]
#[tokio::test(start_paused = true)]
async fn reports_on_all_organizations_may_fail(#[case] answer: Reply) {
    let script = service(move |_, _, line| {
        (line.contains("/providers/") && !line.contains("customers")).then(|| answer.clone())
    });
    let fleet = client(&script).fleet(scheduled(), &[], None).await.unwrap();
    assert!(fleet.deployments_problem().is_some());
    assert_eq!(fleet.deployment(QUIET), None);
    assert!(fleet.customers.is_complete());
}

#[rstest]
#[case::before_the_token(
    CustomerSource::Auto,
    "the customer list could not be read from Umbrella: the run's time for reading was over"
)]
#[case::without_a_list(
    CustomerSource::Mapping,
    "a token could not be read from Umbrella: the run's time for reading was over"
)]
#[tokio::test(start_paused = true)]
async fn without_time_for_the_first_answer_there_is_no_fleet(
    #[case] customers: CustomerSource,
    #[case] expected: &str,
) {
    let script = service(|_, _, _| None);
    let umbrella = client_with(&script, &Settings { customers, ..settings() });
    let error = umbrella.fleet(scheduled(), &[], Some(Instant::now())).await.unwrap_err();
    assert!(matches!(error, UmbrellaError::Unavailable { .. }) && !error.is_refusal(), "{error}");
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().contains("http.run_deadline_min") && script.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_report_on_all_that_comes_too_late_counts_as_failed() {
    let script = Script::slow(Duration::from_secs(10), |_, request| healthy(request));
    let deadline = Some(Instant::now() + Duration::from_secs(15));
    let fleet = client(&script).fleet(scheduled(), &[], deadline).await.unwrap();
    assert!(fleet.customers.is_complete() && fleet.console.is_none());
    assert_eq!(fleet.deployments_problem(), Some("not read before the deadline"));
    assert_eq!(paths(&script, 0), ["POST /auth/v2/token", "GET /admin/v2/providers/customers"]);
}

#[tokio::test(start_paused = true)]
async fn the_mapping_may_be_the_customer_list() {
    let script = service(|_, _, _| None);
    let settings = Settings { customers: CustomerSource::Mapping, ..settings() };
    let mapped = [organization(QUIET)];
    let fleet = client_with(&script, &settings).fleet(scheduled(), &mapped, None).await.unwrap();
    assert_eq!(fleet.customers.items, mapped);
    assert!(fleet.customers.is_complete());
    assert!(!paths(&script, 0).iter().any(|path| path.contains("/admin/")));
}

#[tokio::test(start_paused = true)]
async fn customers_are_asked_for_within_every_window_of_the_key() {
    let script = customers(2450, 100, Some(2450));
    fleet_of(&script).await.unwrap();
    let at: Vec<_> =
        script.seen().iter().filter(|seen| line(seen).contains("page=")).map(|seen| seen.at).collect();
    assert_eq!(at.len(), 25);
    for twelve in at.windows(12) {
        assert!((twelve[11] - twelve[0]).as_secs() >= 60);
    }
    for five in at.windows(5) {
        assert!((five[4] - five[0]).as_millis() >= 1000);
    }
}
