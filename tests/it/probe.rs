//! Writing one record's answers back proves the right to edit, and changes nothing.

use http::Method;
use insta::assert_snapshot;
use psasync::domain::field::FieldId;
use psasync::domain::finding::Reason;
use psasync::render::text;
use psasync::run::Exit;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::Service;
use simulator::world::Question;

use crate::customers::{acme, record, settled, with_customers};
use crate::rendering::plain;
use crate::simulated::{Night, Told as _, edit};
use crate::state::at;

/// A night with a record that psasync wrote, and that also answers a question of others.
async fn written() -> Night {
    let mut world = settled();
    world.connectwise.types[0].questions.push(Question {
        id: 4900,
        question: "Door code".into(),
        ..Question::default()
    });
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering();
    night.sync().await;
    night.edit("ACME", "Door code", json!("4711"));
    at(&night, "2026-03-10T06:00:00Z");
    night.forget();
    night
}

#[tokio::test(start_paused = true)]
async fn a_probe_sends_every_answer_as_it_was_read_and_changes_none() {
    let night = written().await;
    let (before, answers) = (night.record("ACME"), night.answers_of(&night.record("ACME")));
    let probed = night.probe("acme").await.unwrap();
    assert_eq!(probed.report.exit(), Exit::Done);
    let writes: Vec<_> =
        night.sent().iter().filter(|request| request.method() == Method::PATCH).cloned().collect();
    assert_eq!(writes.len(), 1);
    let operations: Value = serde_json::from_slice(writes[0].body()).unwrap();
    assert_eq!(operations.as_array().unwrap().len(), 1, "{operations}");
    let sent = operations[0]["value"].as_array().unwrap();
    assert_eq!(sent.len(), 17);
    for question in sent {
        let id = question["questionId"].as_i64().unwrap();
        assert_eq!(&question["answer"], before.answer(id).unwrap_or(&Value::Null), "{question}");
    }
    assert_eq!(night.answers_of(&night.record("ACME")), answers, "Last Updated included");
    assert_eq!(night.log(Service::Umbrella).len(), 0);
    let said = plain(&text::probed(&probed)).replace(&probed.run.to_string(), "RUN");
    assert_snapshot!(said, @"
    Answers of ACME written back
    ConnectWise took the answers of record 1, and has them as they were: the role has Companies > Configurations: Edit.
    In the history as run RUN. Requests: Umbrella 0 (0 repeated, 0 refused or failed), ConnectWise 9 (0 repeated, 0 refused or failed); 0.0 s waited for limits and before repetitions, added up.
    ");
    assert!(night.sync().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_in_the_history_and_leaves_nothing_to_undo() {
    let night = written().await;
    let probed = night.probe("ACME").await.unwrap();
    let runs = night.past_runs().await;
    assert_eq!((runs[0].row.command.as_str(), runs[0].outcome.as_str()), ("probe-write", "done"));
    assert_eq!(runs[0].row.about.as_deref(), Some("ACME"));
    let planned = night.plan_undo(&probed.run.to_string(), &[]).await.unwrap();
    assert!(planned.is_empty());
    assert_eq!(planned.left_alone[0].why, "the run wrote the answers back as they were");
    let last = night.plan_undo("last", &[]).await.unwrap().of;
    assert_eq!(last.command, "sync", "`last` is the latest run that wrote something");
    let writes = night.company_history("ACME").await.unwrap().writes;
    assert!(writes.iter().all(|write| write.run != probed.run));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_edit_is_denied() {
    let night = written().await;
    night.simulation.change(|world| world.connectwise.role.edits_configurations = false);
    let report = night.probe("ACME").await.unwrap().report;
    assert_eq!(report.exit(), Exit::Denied);
    assert!(report.finding("ACME", Reason::WriteRefused).sentence.contains("Companies > Configurations"));
}

#[tokio::test(start_paused = true)]
async fn a_company_without_a_record_is_said_to_have_none_and_nothing_is_sent() {
    let night = Night::of(acme());
    let error = night.probe("ACME").await.unwrap_err();
    assert_eq!(error.exit(), Exit::Degraded);
    assert_eq!(
        error.to_string(),
        "`ACME` has no record whose answers could be written back: there is no record; a nightly run creates it"
    );
    assert!(night.log(Service::ConnectWise).iter().all(|logged| logged.method == Method::GET));
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_organization_is_not_probed() {
    let mut world = with_customers(&["ACME"]);
    world.connectwise.records.push(record(1, 11, &[(FieldId::OrganizationId, json!("9"))]));
    let error = Night::of(world).probe("ACME").await.unwrap_err();
    assert_eq!(error.exit(), Exit::Degraded);
}

#[rstest]
#[case::altered("cut(2)@connectwise:PATCH", Exit::Degraded, 1)]
#[case::in_doubt("severed@connectwise:PATCH", Exit::Done, 2)]
#[case::in_doubt_and_applied("severed(applied)@connectwise:PATCH", Exit::Done, 2)]
#[case::throttled("429(1)@connectwise:PATCH", Exit::Done, 2)]
#[tokio::test(start_paused = true)]
async fn only_an_answer_that_says_the_same_proves_the_right(
    #[case] fault: &str,
    #[case] exit: Exit,
    #[case] writes: usize,
) {
    let night = written().await.with_fault(fault);
    let report = night.probe("ACME").await.unwrap().report;
    assert_eq!(report.exit(), exit);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), writes);
    assert_eq!(report.reasons("ACME").contains(&Reason::WriteNotVerified), exit == Exit::Degraded);
}

#[tokio::test(start_paused = true)]
async fn a_probe_waits_for_no_other_run_and_takes_nothing_from_it() {
    let night = written().await;
    let lease = night.take_lease().await;
    assert_eq!(night.probe("ACME").await.unwrap_err().exit(), Exit::Leased);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
    lease.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_changed_after_the_plan_is_left_alone() {
    let night = written().await;
    night.before_writing(|simulation| {
        simulation.change(|world| {
            world.connectwise.records[0].answers[0].value = json!("somebody else");
        });
    });
    let report = night.probe("ACME").await.unwrap().report;
    assert_eq!((night.count(Service::ConnectWise, "PATCH"), report.exit()), (0, Exit::Degraded));
    assert!(report.reasons("ACME").contains(&Reason::ChangedMeanwhile));
}

#[rstest]
#[case::not_sent("")]
#[case::refused("400@connectwise:PATCH**")]
#[case::altered("cut(2)@connectwise:PATCH")]
#[tokio::test(start_paused = true)]
async fn what_the_mapping_accepts_proves_nothing(#[case] fault: &str) {
    let mut world = settled();
    world.mapping[0].accept = "changed-meanwhile write-refused write-not-verified".into();
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering();
    night.sync().await;
    at(&night, "2026-03-10T06:00:00Z");
    night.forget();
    let night = if fault.is_empty() { night } else { night.with_fault(fault) };
    if fault.is_empty() {
        night.before_writing(|simulation| edit(simulation, 1, "Seats", json!(39)));
    }
    let probed = night.probe("ACME").await.unwrap();
    assert_eq!((probed.report.exit(), probed.is_proved()), (Exit::Degraded, false));
    let said = plain(&text::probed(&probed));
    assert!(!said.contains("ConnectWise took the answers"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_left_alone_is_told_with_what_to_do_about_it() {
    let mut world = with_customers(&["ACME"]);
    world.connectwise.records.push(record(1, 11, &[(FieldId::OrganizationId, json!("9"))]));
    let error = Night::of(world).probe("ACME").await.unwrap_err();
    assert_eq!(error.hint(), Reason::RecordOfOtherOrganization.remedy());
    let without_record = Night::of(acme()).probe("ACME").await.unwrap_err();
    assert_snapshot!(without_record.hint(), @"name a company that has a record and is not paused, or let `psasync sync --company` make one first");
}

/// A probe sets nothing, and so hides nobody.
#[tokio::test(start_paused = true)]
async fn another_writer_is_seen_after_a_probe_as_before() {
    let night = written().await;
    night.probe("ACME").await.unwrap();
    assert_eq!(night.plan().await.reasons("ACME"), [], "a record that psasync wrote");
    edit(&night.simulation, 1, "Last Updated", json!("3/10/2026 5:31 AM"));
    assert_eq!(night.plan().await.reasons("ACME"), [Reason::ForeignWriter]);
    night.probe("ACME").await.unwrap();
    assert_eq!(night.plan().await.reasons("ACME"), [Reason::ForeignWriter]);
}

/// The probe is what changed the record last: only what the record says tells.
#[rstest]
#[case::of_last_night("3/9/2026 11:31 PM", true)]
#[case::of_last_month("2/9/2026 11:31 PM", false)]
#[case::of_no_day("updated", false)]
#[case::empty("", false)]
#[tokio::test(start_paused = true)]
async fn a_probe_of_a_record_that_psasync_never_set_is_nobody_else(
    #[case] stamp: &str,
    #[case] is_foreign: bool,
) {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    edit(&night.simulation, 1, "Last Updated", json!(stamp));
    night.simulation.change(|world| {
        world.connectwise.records[0].last_updated = Some("2026-01-10T00:00:00Z".parse().unwrap());
    });
    night.probe("ACME").await.unwrap();
    let expected = if is_foreign { vec![Reason::ForeignWriter] } else { vec![] };
    assert_eq!(night.plan().await.reasons("ACME"), expected);
}
