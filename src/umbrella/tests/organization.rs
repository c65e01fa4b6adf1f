use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::domain::field::Group;
use crate::domain::finding::Reason;
use crate::domain::metrics::{Metrics, Presence, Reading, Threats};

/// What the client says of an organization, and what it asked for that.
async fn collect(script: &Arc<Script>, id: OrgId, needs: &Needs<'_>) -> (Metrics, Vec<String>) {
    let umbrella = client(script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    umbrella.moved_categories(None).await;
    let before = script.seen().len();
    let metrics = umbrella.visit(&fleet, &organization(id), needs).metrics().await.unwrap();
    (metrics, script.seen().iter().skip(before).map(line).collect())
}

fn reason<T: std::fmt::Debug>(reading: &Reading<T>) -> Reason {
    match reading {
        Reading::Unread(unread) => unread.reason,
        Reading::Read(value) => panic!("read: {value:?}"),
    }
}

fn presence(total: u64, active: u64, inactive: &[&str]) -> Presence {
    Presence { total, active, inactive: inactive.iter().map(|name| (*name).to_owned()).collect() }
}

#[tokio::test(start_paused = true)]
async fn an_organization_with_nothing_inactive_costs_nothing() {
    let (metrics, asked) = collect(&service(|_, _, _| None), QUIET, &needs(None)).await;
    assert_eq!(asked, Vec::<String>::new());
    assert_eq!(metrics.networks, Reading::Read(presence(2, 2, &[])));
    assert_eq!(metrics.agents, Reading::Read(presence(1, 1, &[])));
    assert_eq!(metrics.seats, Reading::Read(40));
}

#[tokio::test(start_paused = true)]
async fn names_cost_one_token_and_two_reports() {
    let (metrics, asked) = collect(&service(|_, _, _| None), BUSY, &needs(None)).await;
    assert_eq!(
        asked,
        [
            "POST /auth/v2/token",
            "GET /reports/v2/top-identities?from=1792886400000&to=1793491200000&identitytypes=network,roaming,anyconnect&limit=5000&offset=0",
            "GET /reports/v2/identities?identitytypes=network,roaming,anyconnect&limit=5000&offset=0",
        ]
    );
    assert_eq!(metrics.networks, Reading::Read(presence(2, 1, &["Branch"])));
    assert_eq!(metrics.agents, Reading::Read(presence(3, 2, &["PC-23"])));
}

#[tokio::test(start_paused = true)]
async fn a_month_costs_one_token_and_five_reports() {
    let (metrics, asked) = collect(&service(|_, _, _| None), QUIET, &needs(Some(october()))).await;
    let span = "from=1790812800000&to=1793491199999";
    assert_eq!(
        asked,
        [
            "POST /auth/v2/token".to_owned(),
            format!(
                "GET /reports/v2/summaries-by-category/dns?{span}&categories=65,67&verdict=blocked&limit=100&offset=0"
            ),
            format!("GET /reports/v2/total-requests/dns?{span}"),
            format!("GET /reports/v2/top-destinations/dns?{span}&verdict=allowed&limit=3&offset=0"),
            format!("GET /reports/v2/top-destinations/dns?{span}&verdict=blocked&limit=3&offset=0"),
            format!("GET /reports/v2/top-categories/dns?{span}&offset=0"),
        ]
    );
    let month = metrics.month;
    assert_eq!(month.queries, Reading::Read(4711));
    assert_eq!(month.malware, Reading::Read(Threats { sites: 3, requests: 30 }));
    assert_eq!(month.botnet, Reading::Read(Threats::default()), "a missing row of a complete answer is 0");
    assert_eq!(month.top_domains, Reading::Read(vec!["a.example".into(), "b.example".into()]));
    assert_eq!(month.top_categories.read().unwrap()[0].name, "Games");
}

#[rstest]
#[case::absent(report(json!([])))]
#[case::report_failed(reply(503, ""))]
#[case::report_refused(reply(403, ""))]
#[tokio::test(start_paused = true)]
async fn an_organization_absent_from_the_report_on_all_is_asked_by_itself(#[case] deployments: Reply) {
    let script =
        service(move |_, _, line| line.contains("providers/deployments").then(|| deployments.clone()));
    let (metrics, asked) = collect(&script, QUIET, &needs(None)).await;
    assert_eq!(asked.len(), 3);
    assert_eq!(metrics.networks, Reading::Read(presence(2, 1, &["Branch"])));
    assert_eq!(metrics.agents, Reading::Read(presence(3, 2, &["PC-23"])));
}

#[rstest]
#[case::identities("/v2/identities")]
#[case::top_identities("/v2/top-identities")]
#[tokio::test(start_paused = true)]
async fn a_group_without_anybody_to_name_survives_the_loss_of_the_names(#[case] refused: &'static str) {
    let script = service(move |_, _, line| {
        if line.contains("providers/deployments") {
            return Some(report(json!([deployment(BUSY, &[("network", 2, 2), ("roaming", 1, 2)])])));
        }
        line.contains(refused).then(|| reply(403, ""))
    });
    let (metrics, _) = collect(&script, BUSY, &needs(None)).await;
    assert_eq!(metrics.networks, Reading::Read(presence(2, 2, &[])));
    assert_eq!(reason(&metrics.agents), Reason::ReportUnread);
}

#[tokio::test(start_paused = true)]
async fn sources_that_disagree_about_any_activity_cost_their_group() {
    let script =
        service(|_, _, line| line.contains("top-identities").then(|| report(json!([top_identity(11, 5)]))));
    let (metrics, _) = collect(&script, BUSY, &needs(None)).await;
    assert_eq!(metrics.networks, Reading::Read(presence(2, 1, &["Branch"])));
    assert_eq!(reason(&metrics.agents), Reason::SourcesDisagree);
}

#[tokio::test(start_paused = true)]
async fn where_fewer_rows_come_than_counted_the_list_is_asked_on() {
    let script = service(|_, request, line| {
        let query = request.uri().query().unwrap_or_default();
        let offset: usize =
            query.rsplit_once("offset=").and_then(|(_, offset)| offset.parse().ok()).unwrap_or_default();
        line.contains("/v2/identities").then(|| {
            let all = [
                identity(11, "network", "HQ"),
                identity(12, "network", "Branch"),
                identity(21, "anyconnect", "PC-21"),
                identity(22, "anyconnect", "PC-22"),
            ];
            report(all.into_iter().skip(offset).take(2).collect())
        })
    });
    let (metrics, asked) = collect(&script, BUSY, &needs(None)).await;
    let offsets: Vec<_> = asked.iter().filter_map(|line| line.split("offset=").nth(1)).collect();
    assert_eq!(offsets, ["0", "0", "2", "4"], "until a page is empty, since 5 are counted");
    assert_eq!(metrics.agents, Reading::Read(presence(2, 2, &[])));
}

fn offset(line: &str) -> usize {
    line.rsplit_once("offset=").and_then(|(_, offset)| offset.parse().ok()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn without_a_count_a_round_page_is_not_taken_for_the_last() {
    let script = service(|_, _, line| {
        let ids = (1..=150_u64).skip(offset(line)).take(100);
        if line.contains("/top-identities") {
            return Some(report(ids.map(|id| top_identity(id, 1)).collect()));
        }
        if line.contains("/v2/identities") {
            return Some(report(ids.map(|id| identity(id, "network", "x")).collect()));
        }
        line.contains("providers/deployments").then(|| reply(403, ""))
    });
    let (metrics, asked) = collect(&script, BUSY, &needs(None)).await;
    assert_eq!(metrics.networks, Reading::Read(presence(150, 150, &[])));
    assert_eq!(asked.iter().map(|line| offset(line)).collect::<Vec<_>>(), [0, 0, 100, 0, 100]);
}

#[tokio::test(start_paused = true)]
async fn deleted_identities_do_not_stand_in_for_those_that_are_counted() {
    let script = service(|_, _, line| {
        let mut gone = identity(90, "network", "Gone");
        gone["deleted"] = true.into();
        let all = [gone, identity(11, "network", "HQ"), identity(12, "network", "Branch")];
        if line.contains("providers/deployments") {
            return Some(report(json!([deployment(BUSY, &[("network", 1, 2)])])));
        }
        let rows = all.into_iter().skip(offset(line)).take(2);
        line.contains("/v2/identities").then(|| report(rows.collect()))
    });
    let (metrics, asked) = collect(&script, BUSY, &needs(None)).await;
    assert_eq!(metrics.networks, Reading::Read(presence(2, 1, &["Branch"])));
    assert_eq!(asked.iter().filter(|line| line.contains("/v2/identities")).count(), 2);
}

#[rstest]
#[case::the_limit_is_ignored(120, 1, true)]
#[case::the_offset_is_ignored_and_the_list_may_be_cut(100, 2, false)]
#[tokio::test(start_paused = true)]
async fn a_list_of_threats_that_goes_its_own_way_ends(
    #[case] rows: u64,
    #[case] requests: usize,
    #[case] is_read: bool,
) {
    let script = service(move |_, _, line| {
        let all = (0..rows).map(|id| summary(id + 1000, "x", 1, 1));
        line.contains("summaries").then(|| report(all.collect()))
    });
    let (metrics, asked) = collect(&script, QUIET, &needs(Some(october()))).await;
    assert_eq!(metrics.month.botnet == Reading::Read(Threats::default()), is_read);
    assert_eq!(metrics.month.malware.read().is_some(), is_read);
    assert_eq!(asked.iter().filter(|line| line.contains("summaries")).count(), requests);
}

#[rstest]
#[case::refused(reply(403, ""))]
#[case::an_empty_list_for_an_object(report(json!([])))]
#[case::an_object_for_a_list(report(json!({"error": "unauthorized"})))]
#[case::no_data(json_reply(json!({"meta": {}})))]
#[case::page(reply(200, "<html><title>Sign in</title>"))]
#[case::failed(reply(500, ""))]
#[tokio::test(start_paused = true)]
async fn a_report_that_fails_costs_its_own_fields_only(#[case] answer: Reply) {
    let script = service(move |_, _, line| line.contains("total-requests").then(|| answer.clone()));
    let (metrics, _) = collect(&script, QUIET, &needs(Some(october()))).await;
    assert_eq!(reason(&metrics.month.queries), Reason::ReportUnread);
    assert!(metrics.month.malware.read().is_some() && metrics.month.top_categories.read().is_some());
    assert!(metrics.networks.read().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_category_that_moved_in_the_list_or_in_the_row_keeps_its_field() {
    let listed = service(|_, _, line| {
        line.contains("providers/categories").then(|| report(json!([category(65, "Command and Control")])))
    });
    let (metrics, _) = collect(&listed, QUIET, &needs(Some(october()))).await;
    assert_eq!(reason(&metrics.month.malware), Reason::CategoryMoved);
    assert!(metrics.month.botnet.read().is_some());

    let labelled = service(|_, _, line| {
        if line.contains("providers/categories") {
            return Some(reply(403, ""));
        }
        line.contains("summaries")
            .then(|| report(json!([summary(65, "Games", 1, 1), summary(67, "Malware", 2, 2)])))
    });
    let (metrics, _) = collect(&labelled, QUIET, &needs(Some(october()))).await;
    assert_eq!(reason(&metrics.month.botnet), Reason::CategoryMoved);
    assert_eq!(metrics.month.malware, Reading::Read(Threats { sites: 2, requests: 2 }));
}

#[tokio::test(start_paused = true)]
async fn the_list_of_categories_is_asked_for_once_and_only_if_somebody_needs_it() {
    let script = service(|_, _, _| None);
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let lists = || paths(&script, 0).iter().filter(|path| path.ends_with("categories")).count();
    umbrella.visit(&fleet, &organization(QUIET), &needs(None)).metrics().await.unwrap();
    assert_eq!(lists(), 0);
    for id in [QUIET, BUSY] {
        umbrella.visit(&fleet, &organization(id), &needs(Some(october()))).metrics().await.unwrap();
    }
    assert_eq!(lists(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wanted_category_may_stand_on_a_later_page() {
    let script = service(|_, _, line| {
        line.contains("summaries").then(|| {
            let first: Vec<_> = (0..100).map(|id| summary(id + 1000, "x", 1, 1)).collect();
            report(if line.ends_with("offset=0") {
                first.into()
            } else {
                json!([summary(65, "Botnet", 4, 40)])
            })
        })
    });
    let (metrics, asked) = collect(&script, QUIET, &needs(Some(october()))).await;
    assert_eq!(metrics.month.botnet, Reading::Read(Threats { sites: 4, requests: 40 }));
    assert_eq!(metrics.month.malware, Reading::Read(Threats::default()));
    assert_eq!(asked.iter().filter(|line| line.contains("summaries")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_after_the_deadline() {
    let script = service(|_, _, _| None);
    let late = Needs { deadline: Some(Instant::now()), ..needs(Some(october())) };
    let (metrics, asked) = collect(&script, BUSY, &late).await;
    assert_eq!(asked, Vec::<String>::new());
    assert_eq!(reason(&metrics.networks), Reason::NotReadInTime);
    assert_eq!(reason(&metrics.month.top_domains), Reason::NotReadInTime);
    assert_eq!(metrics.package, Reading::Read("DNS Advantage".into()));
    let (metrics, _) =
        collect(&script, QUIET, &Needs { deadline: Some(Instant::now()), ..needs(None) }).await;
    assert!(metrics.networks.read().is_some(), "what the fleet knows needs no request");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_within_an_organization_costs_what_comes_after_it() {
    let script = Script::slow(Duration::from_secs(10), |_, request| healthy(request));
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    umbrella.moved_categories(None).await;
    let deadline = Some(Instant::now() + Duration::from_secs(25));
    let metrics = umbrella
        .visit(&fleet, &organization(QUIET), &Needs { deadline, ..needs(Some(october())) })
        .metrics()
        .await
        .unwrap();
    assert!(metrics.month.malware.read().is_some() && metrics.month.queries.read().is_some());
    assert_eq!(reason(&metrics.month.top_domains), Reason::NotReadInTime);
}

#[rstest]
#[case::the_list_goes_first(Some("List"), Some("Mapping"), Some("List"))]
#[case::then_the_mapping(None, Some("Mapping"), Some("Mapping"))]
#[case::then_the_console(None, None, Some("DNS Essentials"))]
#[tokio::test(start_paused = true)]
async fn the_package_comes_from_the_first_source_that_names_it(
    #[case] list: Option<&str>,
    #[case] mapping: Option<&str>,
    #[case] expected: Option<&str>,
) {
    let umbrella = client(&service(|_, _, _| None));
    let mut fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let organization = Organization { package: list.map(str::to_owned), seats: None, ..organization(QUIET) };
    let needs = Needs { mapping_package: mapping, mapping_seats: Some(7), ..needs(None) };
    let metrics = umbrella.visit(&fleet, &organization, &needs).metrics().await.unwrap();
    assert_eq!(metrics.package.read().map(String::as_str), expected);
    assert_eq!(metrics.seats, Reading::Read(7));
    fleet.console = None;
    let nobody = Needs { mapping_package: None, mapping_seats: None, ..needs };
    let metrics = umbrella
        .visit(&fleet, &Organization { package: None, ..organization }, &nobody)
        .metrics()
        .await
        .unwrap();
    assert_eq!(reason(&metrics.package), Reason::PackageUnknown);
    assert_eq!(reason(&metrics.seats), Reason::SeatsUnknown);
}

/// Both sources on the networks of one organization.
fn two_sources(counted: u64, identities: Reply) -> Arc<Script> {
    service(move |_, _, line| {
        if line.contains("providers/deployments") {
            return Some(report(json!([deployment(
                QUIET,
                &[("network", counted, counted), ("roaming", 1, 1)]
            )])));
        }
        line.contains("/v2/identities").then(|| identities.clone())
    })
}

#[rstest]
#[case::both_say_so(0, report(json!([identity(21, "roaming", "PC")])), ZeroCheck::Confirmed)]
#[case::identities_say_otherwise(0, report(json!([identity(11, "network", "HQ")])), ZeroCheck::Contradicted { number: 1 })]
#[case::the_report_on_all_says_otherwise(3, report(json!([])), ZeroCheck::Contradicted { number: 3 })]
#[tokio::test(start_paused = true)]
async fn a_zero_of_networks_needs_both_sources(
    #[case] counted: u64,
    #[case] identities: Reply,
    #[case] expected: ZeroCheck,
) {
    let umbrella = client(&two_sources(counted, identities));
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let check =
        umbrella.visit(&fleet, &organization(QUIET), &needs(None)).confirm_zero(Group::Networks).await;
    assert_eq!(check, expected);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_read_confirms_nothing() {
    let umbrella = client(&two_sources(0, reply(403, "")));
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    for (id, group) in
        [(QUIET, Group::Networks), (BUSY, Group::Agents), (QUIET, Group::Seats), (OrgId(5), Group::Month)]
    {
        let check = umbrella.visit(&fleet, &organization(id), &needs(None)).confirm_zero(group).await;
        assert!(matches!(check, ZeroCheck::Unknown(_)), "{group:?}: {check:?}");
    }
}

/// What confirming that networks and agents are 0 costs after the organization was read.
async fn confirm_both(script: &Arc<Script>) -> (Vec<ZeroCheck>, Vec<String>) {
    let umbrella = client(script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let organization = organization(QUIET);
    let mut visit = umbrella.visit(&fleet, &organization, &needs(None));
    visit.metrics().await.unwrap();
    let before = script.seen().len();
    let mut checks = Vec::new();
    for group in [Group::Networks, Group::Agents] {
        checks.push(visit.confirm_zero(group).await);
    }
    (checks, script.seen().iter().skip(before).map(|seen| seen.request.uri().path().to_owned()).collect())
}

#[rstest]
#[case::read(reply(200, r#"{"data":[]}"#), 2)]
#[case::refused(reply(403, ""), 0)]
#[tokio::test(start_paused = true)]
async fn both_groups_are_confirmed_by_one_token_and_one_report(
    #[case] identities: Reply,
    #[case] confirmed: usize,
) {
    let script = service(move |_, _, line| {
        if line.contains("providers/deployments") {
            return Some(report(json!([deployment(QUIET, &[])])));
        }
        line.contains("/v2/identities").then(|| identities.clone())
    });
    let (checks, asked) = confirm_both(&script).await;
    assert_eq!(checks.iter().filter(|check| **check == ZeroCheck::Confirmed).count(), confirmed);
    assert_eq!(asked, ["/auth/v2/token", "/reports/v2/identities"]);
}

#[tokio::test(start_paused = true)]
async fn identities_that_were_read_for_their_names_confirm_a_zero_for_nothing() {
    let script = service(|_, _, line| {
        if line.contains("providers/deployments") {
            return Some(report(json!([deployment(QUIET, &[("roaming", 1, 2)])])));
        }
        let agents = json!([identity(21, "roaming", "PC-1"), identity(22, "roaming", "PC-2")]);
        line.contains("/v2/identities").then(|| report(agents))
    });
    let (checks, asked) = confirm_both(&script).await;
    assert_eq!(checks, [ZeroCheck::Confirmed, ZeroCheck::Contradicted { number: 2 }]);
    assert_eq!(asked, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn queries_are_confirmed_by_one_report_per_window() {
    let script = service(|_, _, _| None);
    let umbrella = client(&script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    let before = script.seen().len();
    let mut checks = Vec::new();
    for id in [QUIET, BUSY, QUIET] {
        checks.push(
            umbrella
                .visit(&fleet, &organization(id), &needs(Some(october())))
                .confirm_zero(Group::Month)
                .await,
        );
    }
    assert_eq!(checks, [ZeroCheck::Confirmed, ZeroCheck::Contradicted { number: 4 }, ZeroCheck::Confirmed]);
    let asked: Vec<_> = script.seen().iter().skip(before).map(line).collect();
    assert_eq!(
        asked,
        ["GET /reports/v2/providers/requests-by-org?from=1790812800000&to=1793491199999&limit=1000"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_reports_of_an_organization_keep_to_its_budget() {
    let script = service(|_, _, _| None);
    let (_, asked) = collect(&script, BUSY, &needs(Some(october()))).await;
    assert_eq!(asked.len(), 8);
    let at: Vec<_> = script.seen().iter().rev().take(7).map(|seen| seen.at).collect();
    for five in at.windows(5) {
        assert!((five[0] - five[4]).as_millis() >= 1000);
    }
}
