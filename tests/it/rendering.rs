//! What people and machines read, word for word: the text and the JSON of `plan` and of `sync`.

use insta::assert_snapshot;
use psasync::domain::field::FieldId;
use psasync::render::json::v1;
use psasync::render::markdown::{self, Detail};
use psasync::render::text;
use psasync::run::Exit;
use serde_json::json;
use simulator::World;

use crate::customers::{old_answers, record, with_customers};
use crate::simulated::Night;

/// One record to create, one to update, and three lines that are left alone.
pub(crate) fn small() -> World {
    let mut world = with_customers(&["ACME", "BETA", "Gone", "PAUSED", "Twice"]);
    world.connectwise.records.push(record(
        1,
        12,
        &[(FieldId::OrganizationId, json!("102")), (FieldId::Seats, json!(7))],
    ));
    world.connectwise.companies.retain(|company| company.identifier != "Gone");
    world.mapping[3].state = "paused".into();
    world.connectwise.records.extend([2, 3].map(|id| record(id, 15, &[])));
    world.connectwise.companies[1].status = 2;
    world.umbrella.organizations[0].refused_reports.push("/top-categories/dns".into());
    world
}

/// Five of six records whose queries fell to 0.
fn fallen() -> World {
    let names = ["ACME", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA"];
    let mut world = with_customers(&names);
    for number in 1..=6 {
        let organization = json!((100 + number).to_string());
        let mut answers = old_answers();
        answers[0] = (FieldId::OrganizationId, organization);
        world.connectwise.records.push(record(number, 10 + number, &answers));
    }
    for organization in world.umbrella.organizations.iter_mut().skip(1) {
        organization.traffic.clear();
    }
    world
}

/// Without colours, and with `#` in place of how many requests there were and how long it took: that is what `calls` is about.
pub(crate) fn plain(rendered: &str) -> String {
    let mut plain = String::new();
    let mut is_about_calls = false;
    for line in anstream::adapter::strip_str(rendered).to_string().lines() {
        is_about_calls = (is_about_calls || line == "  \"calls\": {") && line != "  },";
        let is_time = line.starts_with("Requests:") || line.contains("\"finished_at\"");
        plain += &if is_about_calls || is_time { without_numbers(line) } else { line.to_owned() };
        plain.push('\n');
    }
    plain
}

/// With `#` in place of each number.
pub(crate) fn without_numbers(line: &str) -> String {
    let mut line = line.replace(|c: char| c.is_ascii_digit(), "#");
    while line.contains("##") {
        line = line.replace("##", "#");
    }
    line
}

#[tokio::test(start_paused = true)]
async fn a_plan_reads_as_it_did() {
    let planned = Night::of(small()).plan().await;
    assert_eq!(planned.exit(false), Exit::Degraded);
    assert_snapshot!("plan_text", plain(&text::plan(&planned)));
    assert_snapshot!("plan_json", plain(&v1::plan(&planned, planned.exit(false))));
}

#[tokio::test(start_paused = true)]
async fn a_plan_for_reviewers_reads_as_it_did() {
    let planned = Night::of(small()).plan().await;
    assert_snapshot!("plan_markdown", plain(&markdown::plan(&planned, Detail::Counts)));
    assert_snapshot!("plan_markdown_full", plain(&markdown::plan(&planned, Detail::Full)));
    let planned = Night::of(fallen()).plan().await;
    assert_snapshot!("refused_plan_markdown", plain(&markdown::plan(&planned, Detail::Counts)));
}

#[tokio::test(start_paused = true)]
async fn a_sync_reads_as_it_did() {
    let night = Night::of(small()).with_fault("400@connectwise:PATCH /company/configurations/*2");
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Degraded);
    assert_snapshot!("sync_text", plain(&text::sync(&report)));
    assert_snapshot!("sync_json", plain(&v1::sync(&report, report.exit())));
}

#[tokio::test(start_paused = true)]
async fn a_backfill_reads_as_it_did() {
    let night = Night::of(small()).month("2026-01");
    let planned = night.plan().await;
    assert_eq!(planned.exit(false), Exit::Degraded);
    assert_snapshot!("backfill_plan_text", plain(&text::plan(&planned)));
    assert_snapshot!("backfill_plan_json", plain(&v1::plan(&planned, planned.exit(false))));
    let report = night.sync().await;
    assert_snapshot!("backfill_text", plain(&text::sync(&report)));
    let document: serde_json::Value = serde_json::from_str(&v1::sync(&report, report.exit())).unwrap();
    assert_eq!((&document["kind"], &document["dry_run"]), (&json!("backfill"), &json!(false)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_reads_as_it_did() {
    let planned = Night::of(fallen()).plan().await;
    let report = Night::of(fallen()).sync().await;
    assert_eq!((planned.exit(false), report.exit()), (Exit::Refused, Exit::Refused));
    assert_snapshot!("refused_plan_text", plain(&text::plan(&planned)));
    assert_snapshot!("refused_sync_text", plain(&text::sync(&report)));
    let document: serde_json::Value = serde_json::from_str(&v1::sync(&report, report.exit())).unwrap();
    let refusal = json!({
        "refusals": document["refusals"],
        "approve_with": document["approve_with"],
        "carried_out": document["run"]["carried_out"],
        "exit_code": document["exit_code"],
    });
    assert_snapshot!("refused_sync_json", serde_json::to_string_pretty(&refusal).unwrap());
}

/// Markdown goes into tickets and pull requests: it names companies by their PSA IDs, and nothing that lists contain.
#[tokio::test(start_paused = true)]
async fn markdown_names_nothing_of_a_customer_unless_everything_is_asked_for() {
    let mut world = small();
    let mut unmapped = world.umbrella.organizations[0].clone();
    (unmapped.id, unmapped.name) = (999, "Nobody Knows Ltd".into());
    world.umbrella.organizations.push(unmapped);
    let planned = Night::of(world).plan().await;
    let (counts, full) = (markdown::plan(&planned, Detail::Counts), markdown::plan(&planned, Detail::Full));
    for name in ["Warehouse", "pc-0", "mail.example", "malware.example", "Nobody Knows", "Customer ACME"] {
        assert!(!counts.contains(name), "{name}:\n{counts}");
        assert!(name == "Customer ACME" || full.contains(name), "{name}:\n{full}");
    }
    assert!(counts.contains("`ACME`") && counts.contains("`999`"));
}
