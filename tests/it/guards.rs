//! Guards: what a surprising number holds back, and what refuses a run.

use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::domain::waiver::Rule;
use psasync::domain::work::Work;
use psasync::plan::guard::Share;
use psasync::run::Exit;
use rstest::rstest;
use serde_json::json;
use simulator::world::{DeploymentCount, IdentityType};
use simulator::{Service, World};

use crate::customers::{AGENTS, MONTH, NETWORKS, record, settled, with_customers};
use crate::reasons::{assert_attention, assert_failure, assert_kept};
use crate::simulated::{Night, Told as _};

// A group of fields

fn without_networks(world: &mut World) {
    world.umbrella.organizations[0].identities.retain(|identity| identity.kind != IdentityType::Network);
}

fn without_agents(world: &mut World) {
    world.umbrella.organizations[0].identities.retain(|identity| identity.kind == IdentityType::Network);
}

fn without_traffic(world: &mut World) {
    world.umbrella.organizations[0].traffic.clear();
}

#[rstest]
#[case::networks(without_networks, "503@umbrella:/reports/v2/providers/deployments**", NETWORKS)]
#[case::agents(without_agents, "503@umbrella:/reports/v2/providers/deployments**", AGENTS)]
#[case::month(without_traffic, "503@umbrella:/reports/v2/providers/requests-by-org**", MONTH)]
#[tokio::test(start_paused = true)]
async fn value_fell_to_zero_keeps_the_old_answers_of_its_group(
    #[case] change: fn(&mut World),
    #[case] without_second_source: &str,
    #[case] group: &[FieldId],
) {
    let mut world = settled();
    change(&mut world);
    let night = Night::of(world).with_fault(without_second_source);
    assert_failure(&night.sync().await, Reason::ValueFellToZero, Bucket::Held);
    assert_kept(&night, group);
}

#[tokio::test(start_paused = true)]
async fn a_second_source_that_contradicts_holds_the_value() {
    let mut world = settled();
    let agents = DeploymentCount { kind: IdentityType::Anyconnect, active: 3, total: 3 };
    world.umbrella.organizations[0].deployments = Some(vec![agents]);
    let night = Night::of(world);
    let report = night.sync().await;
    assert_failure(&report, Reason::ValueFellToZero, Bucket::Held);
    let sentence = report.finding("ACME", Reason::ValueFellToZero).sentence;
    assert_eq!(sentence, "Networks Total fell to 0 and keeps its old answer: a second report says 2");
    assert_kept(&night, NETWORKS);
}

#[rstest]
#[case::networks(without_networks, NETWORKS)]
#[case::agents(without_agents, AGENTS)]
#[case::month(without_traffic, MONTH)]
#[tokio::test(start_paused = true)]
async fn zero_confirmed_by_a_second_source_writes_the_zero(
    #[case] change: fn(&mut World),
    #[case] group: &[FieldId],
) {
    let mut world = settled();
    change(&mut world);
    let night = Night::of(world);
    assert_attention(&night.sync().await, Reason::ZeroConfirmed);
    assert_eq!(night.answer("ACME", group[0].question()), json!(0));
    assert_kept(&night, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_held_value_is_written_once_a_person_approves() {
    let mut world = settled();
    without_networks(&mut world);
    let night = Night::of(world)
        .with_fault("503@umbrella:/reports/v2/providers/deployments**")
        .approve(Rule::ValueFellToZero);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Updated, Exit::Done));
    assert_eq!(night.answer("ACME", "Networks Total"), json!(0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_where_the_guard_is_off() {
    let mut world = settled();
    without_traffic(&mut world);
    let night = Night::of(world).set("guards.hold_zero_drop", false);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.reasons("ACME")), (Bucket::Updated, vec![]));
}

#[tokio::test(start_paused = true)]
async fn counts_of_threats_may_fall_to_zero_freely() {
    let mut world = settled();
    world.umbrella.organizations[0].traffic.retain(|row| !row.domain.contains("malware"));
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.reasons("ACME")), (Bucket::Updated, vec![]));
    assert_eq!(night.answer("ACME", "Malware Infections Prevented Last Month"), json!(0));
}

// An empty answer, as a wrong token gets it, is 200 as well

#[rstest]
#[case::active_identities("/reports/v2/top-identities", Bucket::Partial, Reason::SourcesDisagree)]
#[case::identities("/reports/v2/identities", Bucket::Partial, Reason::SourcesDisagree)]
#[case::queries("/reports/v2/total-requests", Bucket::Partial, Reason::ReportUnread)]
#[tokio::test(start_paused = true)]
async fn an_empty_answer_never_zeroes_a_field(
    #[case] path: &str,
    #[case] bucket: Bucket,
    #[case] reason: Reason,
) {
    let night = Night::of(settled()).with_fault(&format!("empty@umbrella:{path}**"));
    assert_failure(&night.sync().await, reason, bucket);
    let record = night.answers_of(&night.record("ACME"));
    for guarded in ["Networks Total", "Roaming Agents Deployed", "DNS Queries Last Month"] {
        assert_ne!(record[guarded], json!(0), "{guarded}");
    }
}

// Creates

fn three_of_which_one_has_a_record() -> World {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA"]);
    world.connectwise.records.push(record(1, 13, &[(FieldId::OrganizationId, json!("103"))]));
    world
}

#[tokio::test(start_paused = true)]
async fn max_creates_holds_all_creates_back_and_updates_go_on() {
    let night = Night::of(three_of_which_one_has_a_record()).set("guards.max_creates", 1);
    let report = night.sync().await;
    assert_failure(&report, Reason::MaxCreates, Bucket::Skipped);
    assert_eq!((report.bucket("BETA"), report.bucket("GAMMA")), (Bucket::Skipped, Bucket::Updated));
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
    let night = night.approve(Rule::MaxCreates);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Created, Exit::Done));
}

#[tokio::test(start_paused = true)]
async fn max_creates_is_not_applied_while_no_record_exists_at_all() {
    let mut world = three_of_which_one_has_a_record();
    world.connectwise.records.clear();
    let report = Night::of(world).set("guards.max_creates", 1).sync().await;
    assert_eq!(report.counts()[&Bucket::Created], 3);
}

// The whole fleet

pub(crate) fn six() -> World {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA"]);
    for number in 1..=6 {
        let organization = (FieldId::OrganizationId, json!((100 + number).to_string()));
        let queries = (FieldId::DnsQueries, json!(5));
        world.connectwise.records.push(record(number, 10 + number, &[organization, queries]));
    }
    world
}

#[tokio::test(start_paused = true)]
async fn max_zeroed_percent_refuses_the_run_until_a_person_approves() {
    let mut world = six();
    for organization in world.umbrella.organizations.iter_mut().skip(1) {
        organization.traffic.clear();
    }
    let night = Night::of(world);
    let report = night.sync().await;
    let refusal = report.refusals[0].clone();
    assert_eq!((refusal.rule, refusal.key), (Rule::MaxZeroedPercent, "guards.max_zeroed_percent"));
    assert_eq!((refusal.measured, report.exit()), (Share { part: 5, whole: 6 }, Exit::Refused));
    assert_eq!(night.plan().await.exit(false), Exit::Refused);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
    let night = night.approve(Rule::MaxZeroedPercent);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(night.answer("ZETA", "DNS Queries Last Month"), json!(0));
}

#[tokio::test(start_paused = true)]
async fn max_missing_orgs_percent_refuses_the_run_until_a_person_approves() {
    let mut world = six();
    world.umbrella.organizations.truncate(1);
    let night = Night::of(world);
    let report = night.sync().await;
    let refusal = report.refusals[0].clone();
    assert_eq!((refusal.rule, refusal.key), (Rule::MaxMissingOrgsPercent, "guards.max_missing_orgs_percent"));
    assert_eq!((refusal.measured, report.exit()), (Share { part: 5, whole: 6 }, Exit::Refused));
    let night = night.approve(Rule::MaxMissingOrgsPercent);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Updated, Exit::Degraded));
}

#[tokio::test(start_paused = true)]
async fn all_rules_that_refuse_are_named_at_once_with_the_command_that_approves_them() {
    let names: Vec<String> = (1..=12).map(|number| format!("C{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = with_customers(&names);
    for number in 1..=12 {
        let organization = (FieldId::OrganizationId, json!((100 + number).to_string()));
        world.connectwise.records.push(record(
            number,
            10 + number,
            &[organization, (FieldId::DnsQueries, json!(5))],
        ));
    }
    // C01 to C06 fell to 0, C07 to C11 are gone, and C12 is neither in order nor in the scope.
    world.umbrella.organizations.drain(6..11);
    world.umbrella.organizations.iter_mut().for_each(|organization| organization.traffic.clear());
    let night = names.iter().take(11).fold(Night::of(world), |night, name| night.company(name));
    let planned = night.plan().await;
    let report = night.sync().await;
    for (refusals, invocation) in
        [(&planned.refusals, &planned.invocation), (&report.refusals, &report.invocation)]
    {
        let rules: Vec<_> = refusals.iter().map(|refusal| (refusal.rule, refusal.companies.len())).collect();
        assert_eq!(rules, [(Rule::MaxMissingOrgsPercent, 5), (Rule::MaxZeroedPercent, 6)]);
        let scope: String = (1..=11).map(|number| format!(" --company c{number:02}")).collect();
        let rules = "--approve max-missing-orgs-percent --approve max-zeroed-percent";
        let expected = format!("psasync sync{scope} {rules}");
        assert_eq!(invocation.approving(Work::Night, refusals), expected);
    }
    assert_eq!((report.exit(), night.count(Service::ConnectWise, "PATCH")), (Exit::Refused, 0));
    assert_eq!(report.counts().values().sum::<usize>(), 11);
    let night = night.approve(Rule::MaxMissingOrgsPercent);
    let rules: Vec<_> = night.sync().await.refusals.iter().map(|refusal| refusal.rule).collect();
    assert_eq!(rules, [Rule::MaxZeroedPercent], "one approval does not cover the other rule");
}
