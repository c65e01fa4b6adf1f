//! The comparison with records that another integration writes.

use std::sync::Arc;

use insta::assert_snapshot;
use psasync::domain::field::{FieldId, Group};
use psasync::domain::finding::{Reason, Severity};
use psasync::render::json::v1;
use psasync::render::markdown::Detail;
use psasync::render::text;
use psasync::run::{Exit, Inquiries, ShadowCounts, Shadowed};
use psasync::shadow::{Kind, Verdict};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::Question;
use simulator::{Service, World};

use crate::customers::{all_settled, question_id, record, settled, with_customers};
use crate::rendering::plain;
use crate::simulated::{Night, edit};

const NOTHING_MORE: Inquiries = Inquiries { last_contact: false, other_windows: false };
const EVERYTHING: Inquiries = Inquiries { last_contact: true, other_windows: true };

/// Records that say what psasync would write, without requests of a web proxy.
async fn agreeing(psa_ids: &[&str]) -> Night {
    let mut world = all_settled(psa_ids);
    for organization in &mut world.umbrella.organizations {
        organization.traffic.retain(|traffic| traffic.proxied_per_day == 0);
    }
    world.umbrella.scopes.push("deployments.roamingcomputers:read".into());
    let night = Night::of(world);
    night.sync().await;
    night.forget();
    night
}

fn verdict(shadowed: &Shadowed, psa_id: &str, field: FieldId) -> Verdict {
    let line = shadowed.lines.iter().find(|line| line.line.psa_id.as_str() == psa_id).unwrap();
    line.compared.as_ref().unwrap().verdicts[field].clone()
}

/// The kinds of ACME's difference; none where it agrees.
fn kinds(shadowed: &Shadowed, field: FieldId) -> Vec<Kind> {
    match verdict(shadowed, "ACME", field) {
        Verdict::Equal => Vec::new(),
        Verdict::Different(difference) => difference.kinds,
        other => panic!("{field}: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_psasync_wrote_agree_in_every_field() {
    let night = agreeing(&["ACME", "BETA"]).await;
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    for (field, one) in shadowed.agreement().iter() {
        let expected = if field == FieldId::LastUpdated { (0, 0, 0, 2) } else { (2, 0, 0, 0) };
        assert_eq!((one.equal, one.different, one.unread, one.left_out), expected, "{field}");
    }
    assert_eq!(shadowed.exit(), Exit::Done);
    let evidence = ["requests-by-org", "roamingcomputers"];
    assert!(evidence.iter().all(|report| night.count(Service::Umbrella, report) == 0), "nothing to explain");
    assert_eq!(night.count(Service::Umbrella, "providers/deployments"), 1);
}

#[tokio::test(start_paused = true)]
async fn shadow_writes_nothing_and_needs_no_lease() {
    let night = Night::of(settled()).remembering();
    night.shadow(EVERYTHING).await.unwrap();
    assert!(!night.state_path().exists(), "a comparison makes no state");
    night.sync().await;
    edit(&night.simulation, 1, "Seats", json!(39));
    let _lease = night.take_lease().await;
    let (before, files) = (std::fs::read(night.state_path()).unwrap(), night.files());
    night.forget();
    night.shadow(EVERYTHING).await.unwrap();
    let log = night.log(Service::ConnectWise);
    assert!(!log.is_empty() && log.iter().all(|logged| logged.method == http::Method::GET));
    let posts = night.log(Service::Umbrella).into_iter().filter(|logged| logged.method != http::Method::GET);
    assert!(posts.into_iter().all(|logged| logged.path == "/auth/v2/token"));
    assert_eq!((std::fs::read(night.state_path()).unwrap(), night.files()), (before, files));
    assert_eq!(night.answer("ACME", "Seats"), json!(39));
}

/// What ACME's record says instead, and what that is taken for without asking for anything more.
#[rstest]
#[case::no_answer(FieldId::Seats, Value::Null, &[Kind::NoAnswer])]
#[case::other_seats(FieldId::Seats, json!(39), &[Kind::Unexplained])]
#[case::commas(FieldId::TopDomains, json!("mail.example, search.example"), &[Kind::Separator])]
#[case::shorter(FieldId::TopDomains, json!("mail.example"), &[Kind::Length])]
#[case::order(FieldId::TopDomains, json!("search.example; mail.example"), &[Kind::Order])]
#[case::line_breaks(FieldId::TopDomains, json!("mail.example\nsearch.example"), &[Kind::Separator])]
#[case::case(FieldId::AgentsInactive, json!("PC-0"), &[Kind::Case])]
#[case::names_alone(
    FieldId::TopCategories,
    json!("Web-based Email; Search Engines and Portals"),
    &[Kind::Counts]
)]
#[case::requests(FieldId::MalwarePrevented, json!(28 * 15), &[Kind::ThreatCount])]
#[case::case_of_the_package(FieldId::Package, json!("UMBRELLA DNS SECURITY ADVANTAGE"), &[Kind::Case])]
#[case::previous_month(FieldId::DnsQueries, json!(31 * 1031), &[Kind::Window])]
#[case::last_30_days(FieldId::DnsQueries, json!(30 * 1031), &[Kind::Window])]
#[tokio::test(start_paused = true)]
async fn a_difference_has_a_likely_reason(
    #[case] field: FieldId,
    #[case] answer: Value,
    #[case] expected: &[Kind],
) {
    let night = agreeing(&["ACME"]).await;
    edit(&night.simulation, 1, field.question(), answer);
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    assert_eq!(kinds(&shadowed, field), expected);
    assert_eq!(shadowed.exit(), Exit::Done, "a difference is no failure");
}

#[tokio::test(start_paused = true)]
async fn what_was_active_in_a_day_is_asked_for_once_for_everybody() {
    let night = agreeing(&["ACME", "BETA"]).await;
    night.simulation.change(|world| {
        for organization in &mut world.umbrella.organizations {
            organization.identities[3].last_traffic_days_ago = Some(3);
        }
    });
    for record in [1, 2] {
        edit(&night.simulation, record, "Agents Active (7 Days)", json!(1));
        edit(&night.simulation, record, "Agents Inactive (7 Days)", json!("pc-0, PC-2"));
    }
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    assert_eq!(kinds(&shadowed, FieldId::AgentsActive), [Kind::Day]);
    let list = kinds(&shadowed, FieldId::AgentsInactive);
    assert_eq!(list, [Kind::Length, Kind::Separator], "ours is its beginning");
    assert_eq!(night.count(Service::Umbrella, "providers/deployments"), 2, "7 days, and one");
}

#[tokio::test(start_paused = true)]
async fn a_record_over_another_window_differs_in_all_six_fields_for_that_reason() {
    let night = agreeing(&["ACME", "BETA"]).await;
    for record in [1, 2] {
        for (field, answer) in [
            (FieldId::DnsQueries, json!(31 * 1031)),
            (FieldId::MalwarePrevented, json!(9)),
            (FieldId::TopCategories, json!("Web-based Email (18600); Search Engines and Portals (12400)")),
        ] {
            edit(&night.simulation, record, field.question(), answer);
        }
    }
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    for field in [FieldId::DnsQueries, FieldId::MalwarePrevented] {
        let Verdict::Different(difference) = verdict(&shadowed, "BETA", field) else { panic!("{field}") };
        assert_eq!(difference.window.unwrap().to_string(), "2026-01-01 to 2026-01-31", "{field}");
    }
    assert_eq!(night.count(Service::Umbrella, "requests-by-org"), 2, "one request a window, for everybody");
    assert_eq!(night.count(Service::Umbrella, "total-requests"), 2, "none over another window");

    let shadowed = night.shadow(Inquiries { other_windows: true, ..NOTHING_MORE }).await.unwrap();
    assert_eq!(
        kinds(&shadowed, FieldId::TopCategories),
        [Kind::Counts],
        "what form explains needs no window"
    );
    assert_eq!(kinds(&shadowed, FieldId::DnsQueries), [Kind::Window]);
}

#[tokio::test(start_paused = true)]
async fn agents_by_last_contact_are_asked_for_where_that_is_wanted_and_they_differ() {
    let night = agreeing(&["ACME", "BETA"]).await;
    night.simulation.change(|world| {
        let silent = world.umbrella.organizations[0].identities.iter_mut().find(|one| one.label == "pc-0");
        silent.unwrap().last_sync_days_ago = Some(2);
    });
    edit(&night.simulation, 1, "Agents Active (7 Days)", json!(3));
    edit(&night.simulation, 1, "Agents Inactive (7 Days)", json!("None"));
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    assert_eq!(kinds(&shadowed, FieldId::AgentsActive), [Kind::Unexplained]);
    assert_eq!(night.count(Service::Umbrella, "roamingcomputers"), 0);
    let shadowed = night.shadow(Inquiries { last_contact: true, ..NOTHING_MORE }).await.unwrap();
    assert_eq!(kinds(&shadowed, FieldId::AgentsActive), [Kind::LastContact]);
    assert_eq!(kinds(&shadowed, FieldId::AgentsInactive), [Kind::LastContact, Kind::EmptyList]);
    assert_eq!(night.count(Service::Umbrella, "roamingcomputers"), 1, "BETA's agents agree");

    night.simulation.change(|world| world.umbrella.scopes.retain(|scope| !scope.starts_with("deployments")));
    night.forget();
    let shadowed = night.shadow(Inquiries { last_contact: true, ..NOTHING_MORE }).await.unwrap();
    assert_eq!(kinds(&shadowed, FieldId::AgentsActive), [Kind::Unexplained]);
    assert_eq!(shadowed.exit(), Exit::Done, "evidence that cannot be had costs nothing else");
    assert_eq!(night.count(Service::Umbrella, "roamingcomputers"), 0, "the token says that it may not");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_may_not_ask_for_roaming_computers_is_refused_once_and_a_person_is_told_once() {
    let companies = ["ACME", "BETA", "GAMMA", "DELTA"];
    let night = agreeing(&companies).await.set("umbrella.limits.concurrency", 1);
    for record in 1..=4 {
        edit(&night.simulation, record, "Agents Active (7 Days)", json!(3));
    }
    let night = night.with_fault("403@umbrella:/deployments/v2/roamingcomputers**");
    let log = tempfile::NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt().with_writer(Arc::new(log.reopen().unwrap())).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let shadowed = night.shadow(Inquiries { last_contact: true, ..NOTHING_MORE }).await.unwrap();
    drop(guard);
    let told = std::fs::read_to_string(log.path()).unwrap();
    assert_eq!(told.matches("what may explain differences could not be read").count(), 1, "{told}");
    assert_eq!(night.count(Service::Umbrella, "roamingcomputers"), 1);
    assert_eq!((shadowed.counts().compared, shadowed.exit()), (companies.len(), Exit::Done));
}

#[tokio::test(start_paused = true)]
async fn what_nothing_else_explains_in_an_old_record_is_stale() {
    let night = agreeing(&["ACME"]).await;
    edit(&night.simulation, 1, "Seats", json!(12));
    edit(&night.simulation, 1, "Last Updated", json!("3/1/2026 12:04:10 AM"));
    assert_eq!(kinds(&night.shadow(NOTHING_MORE).await.unwrap(), FieldId::Seats), [Kind::Stale]);
    edit(&night.simulation, 1, "Last Updated", json!("3/14/2026 12:04:10 AM"));
    assert_eq!(kinds(&night.shadow(NOTHING_MORE).await.unwrap(), FieldId::Seats), [Kind::Unexplained]);
}

#[tokio::test(start_paused = true)]
async fn every_line_is_compared_or_said_why_not() {
    let mut world = with_customers(&["ACME", "BETA", "Gone", "PAUSED"]);
    world.connectwise.records.push(record(1, 11, &[(FieldId::OrganizationId, json!("101"))]));
    world.mapping[3].state = "paused".into();
    let night = Night::of(world);
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    let expected = ShadowCounts { compared: 1, without_record: 2, left_alone: 0, paused: 1 };
    assert_eq!((shadowed.counts(), shadowed.exit()), (expected, Exit::Done));
    night.simulation.change(|world| {
        world.connectwise.companies.retain(|company| company.identifier != "Gone");
    });
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    let expected = ShadowCounts { without_record: 1, left_alone: 1, ..expected };
    assert_eq!((shadowed.counts(), shadowed.exit()), (expected, Exit::Degraded));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_unread_and_no_difference() {
    let night = agreeing(&["ACME"]).await;
    night.simulation.change(|world| {
        world.umbrella.organizations[0].refused_reports.push("/top-categories/dns".into());
    });
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    assert!(matches!(verdict(&shadowed, "ACME", FieldId::TopCategories), Verdict::Unread(_)));
    assert_eq!(shadowed.exit(), Exit::Degraded);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_missing_is_left_out_and_no_failure() {
    let night = agreeing(&["ACME"]).await;
    let seats = question_id(FieldId::Seats);
    night.simulation.change(|world| world.connectwise.types[0].questions.retain(|one| one.id != seats));
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    assert_eq!(verdict(&shadowed, "ACME", FieldId::Seats), Verdict::LeftOut);
    assert_eq!(shadowed.exit(), Exit::Done);
}

/// Guards are for what is written; who else writes, and what may refuse it, is for everybody.
#[tokio::test(start_paused = true)]
async fn no_guard_judges_a_comparison_and_findings_about_records_are_told() {
    let night = agreeing(&["ACME"]).await;
    night.simulation.change(|world| {
        world.umbrella.organizations[0].traffic.clear();
        let owner = Question { id: 4900, question: "Owner".into(), required: true, ..Question::default() };
        world.connectwise.types[0].questions.push(owner);
        world.connectwise.records[0].last_updated = Some("2026-03-14T23:00:00Z".parse().unwrap());
    });
    edit(&night.simulation, 1, "Last Updated", json!("3/14/2026 11:00:00 PM"));
    let shadowed = night.shadow(NOTHING_MORE).await.unwrap();
    let reasons: Vec<_> = shadowed.lines[0].findings.iter().map(|finding| finding.reason).collect();
    assert_eq!(reasons, [Reason::RequiredQuestion, Reason::ForeignWriter]);
    assert!(shadowed.lines[0].findings.iter().all(|finding| finding.severity == Severity::Attention));
    assert!(Group::Month.fields().all(|field| kinds(&shadowed, field) == [Kind::Unexplained]));
}

async fn integrated() -> Night {
    let night = agreeing(&["ACME", "BETA", "GAMMA", "DELTA", "EPSILON"]).await;
    for record in 1..=4 {
        edit(&night.simulation, record, "Last Updated", json!("3/14/2026 11:31:07 PM"));
        edit(&night.simulation, record, "DNS Queries Last Month", json!(30 * 1031));
        edit(&night.simulation, record, "Networks Inactive (7 Days)", json!("WAREHOUSE"));
        edit(&night.simulation, record, "Malware Infections Prevented Last Month", json!(28 * 15));
    }
    edit(&night.simulation, 2, "Top Domains Last Month", json!("search.example,mail.example"));
    edit(&night.simulation, 2, "Seats", json!(39));
    night.simulation.change(|world| {
        let company = world.connectwise.companies.iter_mut().find(|one| one.identifier == "EPSILON");
        company.unwrap().identifier = "RENAMED".into();
    });
    night
}

#[tokio::test(start_paused = true)]
async fn a_comparison_reads_as_it_did() {
    let shadowed = integrated().await.shadow(NOTHING_MORE).await.unwrap();
    assert_snapshot!("shadow_text", plain(&text::shadow(&shadowed, Detail::Counts)));
    assert_snapshot!("shadow_text_full", plain(&text::shadow(&shadowed, Detail::Full)));
    assert_snapshot!("shadow_json", plain(&v1::shadow(&shadowed, Detail::Counts, shadowed.exit())));
    let full: Value = serde_json::from_str(&v1::shadow(&shadowed, Detail::Full, shadowed.exit())).unwrap();
    assert_snapshot!("shadow_json_full", serde_json::to_string_pretty(&full["companies"]).unwrap());
}

#[tokio::test(start_paused = true)]
async fn lists_are_told_by_their_length_unless_everything_is_asked_for() {
    let shadowed = integrated().await.shadow(NOTHING_MORE).await.unwrap();
    let shown = |detail| [text::shadow(&shadowed, detail), v1::shadow(&shadowed, detail, Exit::Done)];
    for name in ["WAREHOUSE", "Warehouse", "search.example", "mail.example"] {
        assert!(shown(Detail::Counts).iter().all(|shown| !shown.contains(name)), "{name}");
        assert!(shown(Detail::Full).iter().all(|shown| shown.contains(name)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_console_without_records_has_nothing_to_compare() {
    let shadowed = Night::of(World::fleet(2, 2)).shadow(NOTHING_MORE).await.unwrap();
    let expected = ShadowCounts { without_record: 2, ..ShadowCounts::default() };
    assert_eq!((shadowed.counts(), shadowed.exit()), (expected, Exit::Done));
    assert!(text::shadow(&shadowed, Detail::Counts).contains("Nothing to compare"));
}
