//! What a night leaves behind for those who look later.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use psasync::domain::finding::{Bucket, Severity};
use psasync::run::Exit;
use psasync::store::FoundLine;
use simulator::World;
use simulator::world::MappingLine;

use crate::customers::{all_settled, with_customers};
use crate::guards::six;
use crate::simulated::{Night, is_create};
use crate::state::at;

const FIRST: &str = "2026-03-10T00:00:00Z";
const SECOND: &str = "2026-03-11T00:00:00Z";

async fn lines(night: &Night) -> BTreeMap<String, FoundLine> {
    let lines = night.state().await.reader().found_lines().await.unwrap();
    lines.into_iter().map(|line| (line.psa_id.to_string(), line)).collect()
}

/// Bucket, reason codes, and when the record was last up to date.
fn told(line: &FoundLine) -> (Bucket, Vec<&str>, Option<DateTime<Utc>>) {
    let codes = line.findings.iter().map(|finding| finding.code.as_str()).collect();
    (line.bucket, codes, line.up_to_date_at)
}

/// Subject and sentence of what is about no line.
async fn general(night: &Night) -> Vec<(String, String)> {
    let findings = night.state().await.reader().general_findings().await.unwrap();
    findings.into_iter().map(|finding| (finding.subject, finding.sentence)).collect()
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

/// ACME is as it should be, BETA is mapped to nobody in ConnectWise, and nobody mapped the organization of GAMMA.
fn troubled() -> World {
    let mut world = all_settled(&["ACME", "BETA", "GAMMA"]);
    world.connectwise.companies[1].identifier = "BETA-RENAMED".into();
    world.mapping.pop();
    world
}

#[tokio::test(start_paused = true)]
async fn a_night_leaves_what_it_found_and_since_when_each_record_is_right() {
    let night = Night::at(FIRST, troubled()).remembering();
    assert_eq!(night.sync().await.exit(), Exit::Degraded);
    let found = lines(&night).await;
    assert_eq!(told(&found["ACME"]), (Bucket::Updated, vec![], time(FIRST)));
    assert_eq!(told(&found["BETA"]), (Bucket::Skipped, vec!["company-not-found"], None));
    assert_eq!(found["BETA"].findings[0].severity, Severity::Failure);
    let gamma = ("103".to_owned(), "\"Customer GAMMA\" has no company in the mapping".to_owned());
    assert_eq!(general(&night).await, [gamma]);

    night.simulation.change(|world| {
        world.connectwise.companies[1].identifier = "BETA".into();
        world.mapping.push(MappingLine { org_id: 103, psa_id: "GAMMA".into(), ..MappingLine::default() });
        world.mapping.remove(0);
    });
    night.remap();
    at(&night, SECOND);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    let found = lines(&night).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), ["BETA", "GAMMA"], "the mapping has no ACME any more");
    assert_eq!(told(&found["BETA"]), (Bucket::Updated, vec![], time(SECOND)));
    let unmapped: Vec<_> = general(&night).await.into_iter().map(|(subject, _)| subject).collect();
    assert_eq!(unmapped, ["101"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_line_that_is_no_longer_active_is_given_up() {
    let night = Night::at(FIRST, troubled()).remembering();
    night.sync().await;
    night.simulation.change(|world| world.mapping[1].state = "paused".to_owned());
    night.remap();
    at(&night, SECOND);
    night.sync().await;
    assert_eq!(lines(&night).await.into_keys().collect::<Vec<_>>(), ["ACME"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_over_some_companies_leaves_what_is_known_of_the_others() {
    let night = Night::at(FIRST, troubled()).remembering();
    night.sync().await;
    let (before, general_before) = (lines(&night).await, general(&night).await);
    at(&night, SECOND);
    let night = night.company("ACME");
    night.sync().await;
    let after = lines(&night).await;
    assert_eq!(told(&after["ACME"]), (Bucket::Unchanged, vec![], time(SECOND)));
    assert_eq!((&after["BETA"], general(&night).await), (&before["BETA"], general_before));
}

#[tokio::test(start_paused = true)]
async fn a_night_that_failed_was_refused_or_is_only_planned_leaves_what_is_known() {
    let night = Night::at(FIRST, troubled()).remembering();
    night.sync().await;
    let before = (lines(&night).await, general(&night).await);
    at(&night, SECOND);
    night.plan().await;
    assert_eq!((lines(&night).await, general(&night).await), before);
    let night = night.with_fault("503@connectwise:/company/companies**");
    night.try_sync().await.unwrap_err();
    assert_eq!((lines(&night).await, general(&night).await), before);

    let mut world = six();
    world.umbrella.organizations.truncate(1);
    let night = Night::at(FIRST, world).remembering();
    assert_eq!(night.sync().await.exit(), Exit::Refused);
    assert_eq!((lines(&night).await, general(&night).await), (BTreeMap::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_night_that_was_stopped_leaves_what_is_known_of_the_lines_that_it_did_not_reach() {
    let night = Night::at(FIRST, with_customers(&["ACME", "BETA", "GAMMA"])).remembering();
    let stop = night.stop.clone();
    night.before_each(move |request| {
        if is_create(request) {
            stop.cancel();
        }
    });
    night.sync().await;
    let found = lines(&night).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), ["ACME"]);
    assert_eq!(told(&found["ACME"]), (Bucket::Created, vec![], time(FIRST)));
}

#[tokio::test(start_paused = true)]
async fn a_saved_plan_that_is_carried_out_leaves_what_was_known_when_it_was_made() {
    let night = Night::at(FIRST, troubled()).remembering();
    let saved = night.save().await;
    at(&night, "2026-03-10T09:00:00Z");
    night.apply(&saved, &[]).await.unwrap();
    let found = lines(&night).await;
    assert_eq!(told(&found["ACME"]), (Bucket::Updated, vec![], Some(saved.made_at)));
    assert_eq!(told(&found["BETA"]), (Bucket::Skipped, vec!["company-not-found"], None));
    assert_eq!(general(&night).await, [], "what is about no line is a night's to find");
}
