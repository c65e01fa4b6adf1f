use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::domain::field::Group;
use crate::domain::finding::Reason;
use crate::domain::metrics::Reading;
use crate::http::script::reply_with;

#[tokio::test(start_paused = true)]
async fn the_organization_stands_on_the_token_request_only() {
    let script = service(|_, _, _| None);
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    umbrella.visit(&fleet, &organization(BUSY), &needs(Some(october()))).metrics().await.unwrap();
    let mut tokens = Vec::new();
    for seen in script.seen() {
        let organization = header(&seen, "x-umbrella-orgid").map(str::to_owned);
        let authorization = header(&seen, "authorization").unwrap();
        if seen.line() == "POST /auth/v2/token" {
            assert_eq!(authorization, "Basic a2V5OnNlY3JldA==");
            assert_eq!(header(&seen, "content-type"), Some("application/x-www-form-urlencoded"));
            assert_eq!(seen.request.body(), "grant_type=client_credentials");
            tokens.push(organization);
        } else {
            assert_eq!(organization, None, "{}", seen.line());
            let is_parent = seen.line().contains("/providers/");
            let owner = if is_parent { CONSOLE.to_string() } else { BUSY.to_string() };
            assert!(
                authorization.starts_with("Bearer ") && authorization.ends_with(&owner),
                "{}",
                seen.line()
            );
        }
    }
    assert_eq!(tokens, [None, Some(BUSY.to_string())]);
}

#[rstest]
#[case::another_organizations(token_for(CONSOLE, ""))]
#[case::undecodable(json_reply(json!({"access_token": "opaque", "expires_in": 3600})))]
#[case::refused(reply(401, ""))]
#[case::forbidden(reply(403, ""))]
#[case::failing(reply(500, ""))]
#[case::no_token(json_reply(json!({"message": "ok"})))]
#[case::elsewhere(reply_with(302, &[("location", "https://api.eu.umbrella.com/auth/v2/token")], ""))]
#[tokio::test(start_paused = true)]
async fn without_its_own_token_an_organization_is_unread_and_asked_nothing(#[case] answer: Reply) {
    let script = service(move |_, request, _| asked_organization(request).map(|_| answer.clone()));
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let before = script.seen().len();
    let metrics =
        umbrella.visit(&fleet, &organization(BUSY), &needs(Some(october()))).metrics().await.unwrap();
    let Reading::Unread(unread) = metrics.networks else { panic!("read") };
    assert_eq!(unread.reason, Reason::ReportUnread);
    assert!(unread.sentence.contains("token"), "{}", unread.sentence);
    assert!(metrics.month.queries.read().is_none());
    assert!(paths(&script, before).iter().all(|path| path == "POST /auth/v2/token"));
    let asked = script.seen().len() - before;
    assert!(asked <= 3, "one token request, with its repetitions, and one that tells whether it is the key");
    assert_eq!(umbrella.key_refusal(), None, "it is not");
    assert_eq!(metrics.package, Reading::Read("DNS Advantage".into()));
}

#[rstest]
#[case::unauthorized(reply(401, r#"{"message":"Unauthorized"}"#))]
#[case::invalid_request(reply(400, r#"{"error":"invalid_request"}"#))]
#[tokio::test(start_paused = true)]
async fn a_token_that_is_no_longer_taken_is_renewed_once(#[case] answer: Reply) {
    let script = service(move |number, _, _| (number == 1).then(|| answer.clone()));
    client(&script).fleet(scheduled(), &[], None).await.unwrap();
    assert_eq!(
        paths(&script, 0)[..4],
        [
            "POST /auth/v2/token",
            "GET /admin/v2/providers/customers",
            "POST /auth/v2/token",
            "GET /admin/v2/providers/customers"
        ]
    );
}

#[rstest]
#[case::the_key(|line: &str| line.contains("token"), "refused")]
#[case::a_fresh_token_with_customers(|line: &str| line.contains("customers"), "refused")]
#[tokio::test(start_paused = true)]
async fn a_refused_key_ends_the_run(#[case] refuses: fn(&str) -> bool, #[case] expected: &str) {
    let script =
        service(move |_, _, line| refuses(line).then(|| reply(401, r#"{"message":"Unauthorized"}"#)));
    let error = client(&script).fleet(scheduled(), &[], None).await.unwrap_err();
    assert!(matches!(error, UmbrellaError::Credentials { .. }) && error.is_refusal(), "{error}");
    assert!(error.to_string().contains(expected) && error.to_string().contains("HTTP 401"), "{error}");
    assert!(script.seen().len() <= 6);
}

#[rstest]
#[case::unauthorized(reply(401, r#"{"message":"Unauthorized"}"#))]
#[case::invalid_request(reply(400, r#"{"error":"invalid_request"}"#))]
#[tokio::test(start_paused = true)]
async fn a_report_that_refuses_even_a_fresh_token_costs_itself_only(
    #[case] answer: Reply,
    #[values("consoles", "deployments", "requests-by-org")] report: &'static str,
    #[values(CustomerSource::Auto, CustomerSource::Mapping)] customers: CustomerSource,
) {
    let script = service(move |_, _, line| {
        line.contains(&format!("/reports/v2/providers/{report}")).then(|| answer.clone())
    });
    let umbrella = client_with(&script, &Settings { customers, ..settings() });
    let mapped = [organization(QUIET), organization(BUSY)];
    let fleet = umbrella.fleet(scheduled(), &mapped, None).await.unwrap();
    assert!(fleet.customers.is_complete());
    assert_eq!(fleet.console.is_none(), report == "consoles");
    assert_eq!(fleet.deployments_problem().is_some(), report == "deployments");
    let check = umbrella
        .visit(&fleet, &organization(QUIET), &needs(Some(october())))
        .confirm_zero(Group::Month)
        .await;
    assert_eq!(matches!(check, ZeroCheck::Unknown(_)), report == "requests-by-org");
    assert_eq!(paths(&script, 0).iter().filter(|path| path.contains("token")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_ends_a_run_without_a_customer_list_too() {
    let script = service(|_, _, line| line.contains("token").then(|| reply(401, "")));
    let settings = Settings { customers: CustomerSource::Mapping, ..settings() };
    let mapped = [organization(QUIET)];
    let error = client_with(&script, &settings).fleet(scheduled(), &mapped, None).await.unwrap_err();
    assert!(matches!(error, UmbrellaError::Credentials { .. }), "{error}");
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_revoked_between_two_reports_ends_the_run() {
    let script = service(|number, _, line| {
        (line.contains("deployments") || number > 3 && line.contains("token")).then(|| reply(401, ""))
    });
    let error = client(&script).fleet(scheduled(), &[], None).await.unwrap_err();
    assert!(matches!(error, UmbrellaError::Credentials { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_revoked_between_two_organizations_is_found_out_once() {
    let script = service(|number, _, line| (number > 3 && line.contains("token")).then(|| reply(401, "")));
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let before = script.seen().len();
    for id in [BUSY, QUIET] {
        umbrella.visit(&fleet, &organization(id), &needs(Some(october()))).metrics().await.unwrap();
    }
    let Some(UmbrellaError::Credentials { detail }) = umbrella.key_refusal() else { panic!("it is the key") };
    assert!(detail.contains("HTTP 401"), "{detail}");
    assert_eq!(paths(&script, before), ["POST /auth/v2/token"; 3], "one for each, and one for the console");
}

#[rstest]
#[case::down(503)]
#[case::throttled(429)]
#[tokio::test(start_paused = true)]
async fn organizations_without_a_token_say_nothing_about_the_key_while_umbrella_is_down(#[case] status: u16) {
    let script =
        service(move |number, _, line| (number > 3 && line.contains("token")).then(|| reply(status, "")));
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    umbrella.visit(&fleet, &organization(BUSY), &needs(Some(october()))).metrics().await.unwrap();
    assert_eq!(umbrella.key_refusal(), None);
}

#[rstest]
#[case::no_such_endpoint(404)]
#[case::throttled(429)]
#[case::down(503)]
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_does_not_work_says_nothing_about_the_key(#[case] status: u16) {
    let script = service(move |_, _, line| line.contains("token").then(|| reply(status, "")));
    let error = client(&script).fleet(scheduled(), &[], None).await.unwrap_err();
    assert!(matches!(error, UmbrellaError::Unavailable { .. }) && !error.is_refusal(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_refuses_a_fresh_token_costs_itself_where_others_were_answered() {
    let script = service(|_, _, line| line.contains("/total-requests").then(|| reply(401, "")));
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let before = script.seen().len();
    let metrics =
        umbrella.visit(&fleet, &organization(BUSY), &needs(Some(october()))).metrics().await.unwrap();
    let Reading::Unread(unread) = metrics.month.queries else { panic!("read") };
    assert_eq!(unread.reason, Reason::ReportUnread);
    assert!(metrics.agents.read().is_some() && metrics.month.top_categories.read().is_some());
    assert_eq!(paths(&script, before).iter().filter(|path| path.contains("token")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_that_is_refused_at_first_costs_its_organization_only() {
    let script = service(|_, _, line| line.contains("/top-identities").then(|| reply(401, "")));
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let before = script.seen().len();
    let metrics =
        umbrella.visit(&fleet, &organization(BUSY), &needs(Some(october()))).metrics().await.unwrap();
    assert!(metrics.agents.read().is_none() && metrics.month.top_categories.read().is_none());
    assert_eq!(
        paths(&script, before),
        [
            "POST /auth/v2/token",
            "GET /reports/v2/top-identities",
            "POST /auth/v2/token",
            "GET /reports/v2/top-identities"
        ]
    );
    let other =
        umbrella.visit(&fleet, &organization(QUIET), &needs(Some(october()))).metrics().await.unwrap();
    assert!(other.month.queries.read().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_bad_request_that_is_not_about_the_token_renews_nothing() {
    let script = service(|_, _, line| {
        line.contains("total-requests").then(|| reply(400, r#"{"message":"Bad request"}"#))
    });
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let before = script.seen().len();
    let metrics =
        umbrella.visit(&fleet, &organization(QUIET), &needs(Some(october()))).metrics().await.unwrap();
    assert!(metrics.month.queries.read().is_none() && metrics.month.malware.read().is_some());
    assert_eq!(paths(&script, before).iter().filter(|path| path.contains("token")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_ends() {
    let script = service(|_, _, _| None);
    let umbrella = client(&script);
    for (after_s, tokens) in [(0, 1), (3500, 1), (100, 2)] {
        tokio::time::advance(Duration::from_secs(after_s)).await;
        umbrella.fleet(scheduled(), &[], None).await.unwrap();
        assert_eq!(paths(&script, 0).iter().filter(|path| path.contains("token")).count(), tokens);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_needs_a_token_meanwhile_waits_for_the_one_renewal() {
    let script = Script::slow(Duration::from_secs(2), |_, request| healthy(request));
    let umbrella = client(&script);
    let (first, second, third) = tokio::join!(
        umbrella.fleet(scheduled(), &[], None),
        umbrella.fleet(scheduled(), &[], None),
        umbrella.fleet(scheduled(), &[], None),
    );
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert_eq!(paths(&script, 0).iter().filter(|path| path.contains("token")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_keep_to_their_budget() {
    let script = service(|_, _, _| None);
    let limits = Limits { token_per_minute: 2, ..settings().limits };
    let umbrella = client_with(&script, &Settings { limits, ..settings() });
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    for id in 1..=4 {
        umbrella.visit(&fleet, &organization(OrgId(id)), &needs(None)).metrics().await.unwrap();
    }
    let at: Vec<_> = script
        .seen()
        .iter()
        .filter(|seen| seen.line().contains("token"))
        .map(|seen| seen.at.as_secs() / 60)
        .collect();
    assert_eq!(at, [0, 0, 1, 1, 2]);
}
