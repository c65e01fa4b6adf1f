//! A run that is killed at any of its requests, and the run after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use psasync::domain::ids::OrgId;
use psasync::run::Exit;
use psasync::store::WriteState;
use rstest::rstest;
use serde_json::Value;
use simulator::world::Question;
use simulator::{Service, World};

use crate::customers::{record, with_customers};
use crate::network::Death;
use crate::reports;
use crate::simulated::Night;

const MONTH_TURN: &str = "2026-04-01T00:00:00Z";
const PSA_IDS: [&str; 3] = ["ACME", "BETA", "GAMMA"];

/// Two customers with records of last year and one without, one question that is missing, and one that is somebody else's.
fn world() -> World {
    let mut world = with_customers(&PSA_IDS);
    world.connectwise.records.push(record(1, 11, &[]));
    world.connectwise.records.push(record(2, 12, &[]));
    let kind = &mut world.connectwise.types[0];
    kind.questions.retain(|question| question.question != "Seats");
    kind.questions.push(Question { id: 9, question: "Contract".into(), ..Question::default() });
    world
}

fn night() -> Night {
    Night::at(MONTH_TURN, world()).remembering()
}

/// What the records answer, by company, without their time stamps. One record a company.
fn answers(night: &Night) -> BTreeMap<&'static str, BTreeMap<String, Value>> {
    PSA_IDS
        .into_iter()
        .map(|psa_id| {
            let mut answers = night.answers_of(&night.record(psa_id));
            answers.remove("Last Updated");
            (psa_id, answers)
        })
        .collect()
}

/// The reports on months that were asked for, each with its organization.
fn asked(night: &Night) -> Vec<(u64, &'static str)> {
    night.log(Service::Umbrella).iter().filter_map(reports::asked).collect()
}

/// The reports on months that the state has.
async fn stored(night: &Night) -> BTreeSet<(u64, &'static str)> {
    let state = night.state().await;
    let mut stored = BTreeSet::new();
    for organization in 101..=103 {
        for window in state.reader().windows(OrgId(organization)).await.unwrap() {
            stored.extend(reports::known(&window.answers).map(|report| (organization, report)));
        }
    }
    stored
}

#[rstest]
#[case::the_request_is_lost(false)]
#[case::the_request_arrives(true)]
#[tokio::test(start_paused = true)]
async fn after_a_kill_at_any_request_the_next_run_does_the_rest_and_only_that(#[case] arrives: bool) {
    let undisturbed = night();
    assert_eq!(undisturbed.sync().await.exit(), Exit::Done);
    let (expected, requests) = (answers(&undisturbed), undisturbed.sent().len());
    let every_report = asked(&undisturbed).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(every_report.len(), 15);
    for after in 0..requests {
        let night = night();
        assert!(night.sync_until(Death { after, arrives }).await.is_none(), "{after} of {requests}");
        // Until the lease of the dead lapses. Virtual time stands still while a statement of the run is still on its thread.
        tokio::time::sleep(Duration::from_secs(61)).await;
        let stored = stored(&night).await;
        night.forget();
        let report = night.sync().await;
        assert_eq!(report.exit(), Exit::Done, "killed at {after}");
        assert_eq!(answers(&night), expected, "killed at {after}");
        let again = asked(&night);
        let missing: BTreeSet<_> = every_report.difference(&stored).copied().collect();
        assert_eq!(again.len(), missing.len(), "killed at {after}: {again:?}");
        assert_eq!(again.into_iter().collect::<BTreeSet<_>>(), missing, "killed at {after}");
        settled(&night).await;
    }
}

/// No write is left open, and of every record there is exactly one that made it what it is.
async fn settled(night: &Night) {
    let state = night.state().await;
    let mut runs = state.reader().runs(10).await.unwrap();
    assert_eq!(runs.remove(0).outcome.as_deref(), Some("done"));
    for psa_id in PSA_IDS {
        let writes = state.reader().writes_of_company(&psa_id.to_lowercase()).await.unwrap();
        let is_open = |state| matches!(state, WriteState::Sending | WriteState::InDoubt);
        assert!(writes.iter().all(|write| !is_open(write.state)), "{writes:?}");
        let made =
            writes.iter().filter(|write| write.state == WriteState::Done && write.changes().next().is_some());
        assert_eq!(made.count(), 1, "{writes:?}");
    }
}
