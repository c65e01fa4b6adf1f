//! Another integration that writes the same records, between psasync's nights.

use std::time::Duration;

use psasync::domain::field::FieldId;
use psasync::domain::finding::Reason;
use psasync::run::Exit;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::Simulation;

use crate::customers::{acme, all_settled, question_id, settled};
use crate::reasons::assert_attention;
use crate::simulated::{Night, Told as _, edit};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Changes answers of a record, as somebody who is not psasync.
fn write(simulation: &Simulation, record: i64, answers: &[(FieldId, Value)]) {
    for (field, value) in answers {
        edit(simulation, record, field.question(), value.clone());
    }
    let now = simulation.now();
    simulation.change(|world| {
        let record = world.connectwise.records.iter_mut().find(|one| one.id == record).unwrap();
        record.last_updated = Some(now);
        record.updated_by = "AnotherIntegration".into();
    });
}

/// As an integration does that keeps the same records, in a form of its own.
fn integrate(night: &Night, record: i64) {
    let now = night.simulation.now().format("%-m/%-d/%Y %-I:%M:%S %p").to_string();
    write(&night.simulation, record, &[(FieldId::Seats, json!(39)), (FieldId::LastUpdated, json!(now))]);
}

#[tokio::test(start_paused = true)]
async fn foreign_writer_is_seen_before_psasync_wrote_at_all() {
    let night = Night::of(all_settled(&["ACME", "BETA"]));
    integrate(&night, 1);
    let planned = night.plan().await;
    let sentence = planned.finding("ACME", Reason::ForeignWriter).sentence;
    insta::assert_snapshot!(sentence, @"Last Updated is not in psasync's form, and the record was changed on 2026-03-15: something else writes it");
    assert_eq!((planned.reasons("BETA"), planned.exit(false)), (vec![], Exit::Done));
    assert_attention(&night.sync().await, Reason::ForeignWriter);
}

#[rstest]
#[case::with_a_state(true)]
#[case::without_one(false)]
#[tokio::test(start_paused = true)]
async fn foreign_writer_is_seen_between_two_nights_and_not_once_it_is_switched_off(#[case] remembers: bool) {
    let night = Night::of(all_settled(&["ACME", "BETA"]));
    let night = if remembers { night.remembering() } else { night };
    night.sync().await;
    for _ in 0..2 {
        tokio::time::sleep(DAY / 2).await;
        integrate(&night, 1);
        tokio::time::sleep(DAY / 2).await;
        let report = night.sync().await;
        assert_attention(&report, Reason::ForeignWriter);
        assert_eq!(report.reasons("BETA"), []);
    }
    tokio::time::sleep(DAY).await;
    assert_eq!(night.sync().await.reasons("ACME"), []);
}

#[tokio::test(start_paused = true)]
async fn a_state_knows_another_writer_however_long_ago_it_wrote() {
    let night = Night::of(settled()).remembering();
    night.sync().await;
    integrate(&night, 1);
    tokio::time::sleep(DAY * 10).await;
    let sentence = night.plan().await.finding("ACME", Reason::ForeignWriter).sentence;
    insta::assert_snapshot!(sentence, @"Last Updated no longer says what psasync left there on 2026-03-15: something else writes the record, too");
}

/// What psasync does itself, and what a person does to a record that psasync stamped.
#[rstest]
#[case::with_a_state(true)]
#[case::without_one(false)]
#[tokio::test(start_paused = true)]
async fn nobody_is_taken_for_another_writer_who_is_none(#[case] remembers: bool) {
    let night = Night::of(acme());
    let night = if remembers { night.remembering() } else { night };
    assert_eq!(night.sync().await.reasons("ACME"), [], "a new record");
    assert_eq!(night.plan().await.reasons("ACME"), [], "the night after");
    let night = night.month("2026-01");
    assert_eq!(night.sync().await.reasons("ACME"), []);
    let night = night.month("");
    assert_eq!(night.plan().await.reasons("ACME"), [], "after a backfill");
    write(&night.simulation, 1, &[(FieldId::Seats, json!(39))]);
    assert_eq!(night.plan().await.reasons("ACME"), [], "after a technician changed an answer");
    tokio::time::sleep(DAY).await;
    night.sync().await;
    if remembers {
        night.undo("last", &[]).await;
        assert_eq!(night.plan().await.reasons("ACME"), [], "after an undo");
        write(&night.simulation, 1, &[(FieldId::LastUpdated, Value::Null)]);
        assert_eq!(night.plan().await.reasons("ACME"), [], "after somebody emptied Last Updated");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_in_doubt_is_nobody_elses() {
    let night = Night::of(settled()).remembering();
    night.sync().await;
    edit(&night.simulation, 1, "Seats", json!(39));
    let night = night.with_fault("severed@connectwise:PATCH /company/configurations/*9");
    assert!(night.sync().await.reasons("ACME").contains(&Reason::WriteRefused));
    integrate(&night, 1);
    assert_eq!(night.plan().await.reasons("ACME"), [], "nobody knows what the write left");
}

#[tokio::test(start_paused = true)]
async fn a_date_question_tells_another_writer_by_the_day() {
    let mut world = settled();
    let id = question_id(FieldId::LastUpdated);
    let question = world.connectwise.types[0].questions.iter_mut().find(|one| one.id == id).unwrap();
    question.field_type = "Date".into();
    let night = Night::of(world).remembering();
    night.sync().await;
    assert_eq!(night.plan().await.reasons("ACME"), []);
    tokio::time::sleep(DAY).await;
    write(&night.simulation, 1, &[(FieldId::LastUpdated, json!("2026-03-16T00:00:00Z"))]);
    assert_eq!(night.plan().await.reasons("ACME"), [Reason::ForeignWriter]);
}
