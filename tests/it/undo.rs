//! Undoing a run: the old answers come back where the new ones are still there, and nothing else changes.

use psasync::domain::finding::{Bucket, Reason};
use psasync::run::Exit;
use psasync::store::WriteState;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::Service;

use crate::customers::{acme, old_answers, record, settled, with_customers};
use crate::simulated::{Night, Told as _, is_read_again};

fn at(night: &Night, now: &str) {
    night.simulation.set_now(now.parse().unwrap());
    night.forget();
}

/// A night after which `ACME` has new answers.
async fn synced() -> Night {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    at(&night, "2026-03-10T09:00:00Z");
    night
}

/// The id of the latest run.
async fn latest(night: &Night) -> String {
    night.past_runs().await[0].row.id.to_string()
}

/// The questions that differ from the old answers, Last Updated aside.
fn different(night: &Night, psa_id: &str) -> Vec<&'static str> {
    let is_different = |(field, old): &(psasync::domain::field::FieldId, Value)| {
        night.answer(psa_id, field.question()) != *old
    };
    old_answers().into_iter().filter(is_different).map(|(field, _)| field.question()).collect()
}

#[tokio::test(start_paused = true)]
async fn undo_puts_back_every_answer_that_the_run_changed() {
    let night = synced().await;
    assert_eq!(different(&night, "ACME").len(), 14);
    let run = latest(&night).await;
    let undone = night.undo(&run, &[]).await;
    assert_eq!(undone.report.exit(), Exit::Done);
    assert_eq!(undone.report.bucket("ACME"), Bucket::Updated);
    assert_eq!(different(&night, "ACME"), [] as [&str; 0]);
    assert_eq!(night.answer("ACME", "Last Updated"), json!("2026-03-10 09:00 UTC"));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 1);
    assert!(night.log(Service::Umbrella).is_empty(), "Umbrella has nothing to say about it");
}

#[tokio::test(start_paused = true)]
async fn undo_is_a_run_of_its_own_in_the_history() {
    let night = synced().await;
    let undone = night.undo("last", &[]).await;
    let runs = night.past_runs().await;
    let told: Vec<_> = runs.iter().map(|run| (run.row.command.as_str(), run.outcome.as_str())).collect();
    assert_eq!(told, [("undo", "done"), ("sync", "done")]);
    assert_eq!((runs[0].row.id, runs[1].row.id), (undone.run, undone.of.id));
    let history = night.company_history("acme").await.unwrap();
    let told: Vec<_> =
        history.writes.iter().map(|write| (write.command.as_str(), write.answers.len())).collect();
    assert_eq!(told, [("undo", 14), ("sync", 14)]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_to_undo_sends_nothing_but_get_and_changes_nothing() {
    let night = synced().await;
    let (before, record) = (std::fs::read(night.state_path()).unwrap(), night.record("ACME"));
    let planned = night.plan_undo("last", &[]).await.unwrap();
    assert_eq!(planned.plan.lines[0].fields.len(), 14);
    assert!(night.log(Service::ConnectWise).iter().all(|logged| logged.method == "GET"));
    assert_eq!(night.record("ACME").answers, record.answers);
    assert_eq!(std::fs::read(night.state_path()).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn undo_of_an_adoption_takes_the_answers_away_again() {
    let mut world = acme();
    world.connectwise.records.push(record(1, 11, &[]));
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering();
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
    assert_eq!(night.answer("ACME", "Organization Id"), json!("101"));
    let undone = night.undo("last", &[]).await;
    assert_eq!(undone.report.exit(), Exit::Done, "{:?}", undone.report.reasons("ACME"));
    let answers = night.answers_of(&night.record("ACME"));
    let left: Vec<_> = answers.iter().filter(|(_, answer)| !answer.is_null()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(answers["Last Updated"].is_string());
    // The next night adopts it again.
    at(&night, "2026-03-11T00:00:00Z");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
    assert_eq!(night.answer("ACME", "Organization Id"), json!("101"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_person_changed_since_is_left_alone() {
    let night = synced().await;
    night.edit("ACME", "Seats", json!(99));
    let undone = night.undo("last", &[]).await;
    assert_eq!(undone.report.exit(), Exit::Done);
    assert_eq!(different(&night, "ACME"), ["Seats"]);
    assert_eq!(night.answer("ACME", "Seats"), json!(99));
    let [left] = undone.left_alone.as_slice() else { panic!("{:?}", undone.left_alone) };
    assert_eq!((left.field.unwrap().question(), left.why.as_str()), ("Seats", "somebody changed it since"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_later_run_wrote_is_left_alone_and_the_run_is_named() {
    let night = synced().await;
    let first = latest(&night).await;
    night.simulation.change(|world| world.umbrella.organizations[0].seats = 41);
    at(&night, "2026-03-11T00:00:00Z");
    night.sync().await;
    let second = latest(&night).await;
    let undone = night.undo(&first, &[]).await;
    assert_eq!(different(&night, "ACME"), ["Seats"]);
    assert_eq!(undone.left_alone.len(), 1);
    assert_eq!(undone.left_alone[0].why, format!("run {second} wrote another answer since"));
}

#[tokio::test(start_paused = true)]
async fn an_undo_can_be_undone() {
    let night = synced().await;
    let seats = night.answer("ACME", "Seats");
    night.undo("last", &[]).await;
    at(&night, "2026-03-10T10:00:00Z");
    let again = night.undo("last", &[]).await;
    assert_eq!(again.of.command, "undo");
    assert_eq!(different(&night, "ACME").len(), 14);
    assert_eq!(night.answer("ACME", "Seats"), seats);
    at(&night, "2026-03-11T00:00:00Z");
    assert!(night.sync().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn undo_at_one_company_leaves_the_others_as_they_are() {
    let mut world = with_customers(&["ACME", "BETA"]);
    let mut answers = old_answers();
    world.connectwise.records.push(record(1, 11, &answers));
    answers[0].1 = json!("102");
    world.connectwise.records.push(record(2, 12, &answers));
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering();
    night.sync().await;
    let undone = night.undo("last", &["beta"]).await;
    assert_eq!(undone.report.plan.lines.len(), 1);
    assert_eq!(different(&night, "ACME").len(), 14);
    assert_eq!(different(&night, "BETA"), ["Organization Id"], "which never changed");
    let error = night.plan_undo("last", &["GAMMA"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(error.to_string().contains("`GAMMA`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_the_run_created_stays() {
    let night = Night::at("2026-03-10T00:00:00Z", acme()).remembering();
    night.sync().await;
    let planned = night.plan_undo("last", &[]).await.unwrap();
    assert!(planned.is_empty());
    assert!(planned.left_alone[0].why.contains("nothing is ever deleted"), "{:?}", planned.left_alone);
    assert_eq!(night.records("ACME").len(), 1);
}

#[rstest]
#[case::moved("the record that it wrote is no longer at this company")]
#[case::of_another("the record says that it is another organization's now")]
#[tokio::test(start_paused = true)]
async fn a_record_that_went_elsewhere_is_left_alone(#[case] why: &str) {
    let night = synced().await;
    if why.contains("company") {
        night.simulation.change(|world| world.connectwise.records[0].company = 12);
    } else {
        night.edit("ACME", "Organization Id", json!("102"));
    }
    let planned = night.plan_undo("last", &[]).await.unwrap();
    assert!(planned.is_empty());
    assert_eq!(planned.left_alone[0].why, why);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_only_renewed_last_updated_has_nothing_to_undo() {
    let night = synced().await;
    at(&night, "2026-03-11T00:00:00Z");
    night.sync().await;
    let touch = latest(&night).await;
    let planned = night.plan_undo(&touch, &[]).await.unwrap();
    assert!(planned.is_empty());
    assert_eq!(planned.left_alone[0].why, "only Last Updated was renewed");
    let last = night.plan_undo("last", &[]).await.unwrap();
    assert_ne!(last.of.id.to_string(), touch, "`last` is the latest run that wrote something");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_refused_has_nothing_to_undo() {
    let night = Night::at("2026-03-10T00:00:00Z", settled())
        .remembering()
        .with_fault("400@connectwise:PATCH /company/configurations/*2");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Failed);
    assert_eq!(night.plan_undo("last", &[]).await.unwrap_err().exit(), Exit::Usage, "nothing was written");
    let planned = night.plan_undo(&latest(&night).await, &[]).await.unwrap();
    assert!(planned.is_empty());
    assert_eq!(planned.left_alone[0].why, "ConnectWise refused the run's write");
}

/// Makes the latest run one that died before it learnt how its writes ended.
async fn die(night: &Night) {
    use sqlx::Connection as _;
    let url = format!("sqlite://{}", night.state_path().display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "UPDATE writes SET state = 'sending'",
        "UPDATE runs SET finished_at = NULL, outcome = NULL, problem = NULL, counts = NULL, calls = NULL",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_is_undone_after_the_next_one_settled_it() {
    let night = synced().await;
    let died = latest(&night).await;
    die(&night).await;
    assert_eq!(night.past_runs().await[0].outcome, "unfinished");
    at(&night, "2026-03-11T00:00:00Z");
    night.sync().await;
    night.undo(&died, &[]).await;
    assert_eq!(different(&night, "ACME"), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_is_settled_before_it_is_undone() {
    let night = synced().await;
    let died = latest(&night).await;
    die(&night).await;
    let undone = night.undo(&died, &[]).await;
    assert_eq!(different(&night, "ACME"), [] as [&str; 0]);
    let state = night.state().await;
    let writes = state.reader().writes_of_run(undone.of.id).await.unwrap();
    assert_eq!(writes[0].state, WriteState::Done, "afterwards nobody could tell any more");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_changes_after_the_plan_is_not_written() {
    let night = synced().await;
    let planned = night.plan_undo("last", &[]).await.unwrap();
    night.before_writing(|simulation| crate::simulated::edit(simulation, 1, "Seats", json!(99)));
    let undone = night.carry_out(planned).await.unwrap();
    assert_eq!(undone.report.exit(), Exit::Degraded);
    assert_eq!(undone.report.reasons("ACME"), [Reason::ChangedMeanwhile]);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
}

#[tokio::test(start_paused = true)]
async fn undo_waits_for_no_other_run() {
    let night = synced().await;
    let planned = night.plan_undo("last", &[]).await.unwrap();
    let lease = night.take_lease().await;
    assert_eq!(night.carry_out(planned).await.unwrap_err().exit(), Exit::Leased);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
    lease.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_connectwise_altered_is_still_the_runs() {
    let mut world = settled();
    for identity in &mut world.umbrella.organizations[0].identities {
        identity.label = format!("{} of Zoë’s", identity.label);
    }
    let night = Night::at("2026-03-10T00:00:00Z", world)
        .remembering()
        .with_fault("non-ascii@connectwise:/company/configurations**");
    assert!(night.sync().await.reasons("ACME").contains(&Reason::AnswerAltered));
    night.undo("last", &[]).await;
    assert_eq!(different(&night, "ACME"), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_customer_that_is_no_longer_mapped_is_put_back_as_well() {
    let night = synced().await;
    night.simulation.change(|world| world.mapping[0].psa_id = "OTHER".into());
    night.remap();
    night.undo("last", &["ACME"]).await;
    assert_eq!(different(&night, "ACME"), [] as [&str; 0]);
}

#[rstest]
#[case::unknown("ffff", "no run `ffff`")]
#[case::ambiguous("", "several runs")]
#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_named_clearly_is_64(#[case] name: &str, #[case] said: &str) {
    let night = synced().await;
    night.sync().await;
    let error = night.plan_undo(name, &[]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(error.to_string().contains(said), "{error}");
    let whole = latest(&night).await;
    assert_eq!(night.plan_undo(&whole.to_uppercase(), &[]).await.unwrap().of.id.to_string(), whole);
}

#[tokio::test(start_paused = true)]
async fn without_a_state_no_run_is_known() {
    let night = Night::of(acme()).remembering();
    assert_eq!(night.plan_undo("last", &[]).await.unwrap_err().exit(), Exit::Usage);
    assert!(!night.state_path().exists());
}

#[tokio::test(start_paused = true)]
async fn only_the_records_of_the_run_are_read() {
    let night = synced().await;
    night.plan_undo("last", &[]).await.unwrap();
    let reads = night.sent().iter().filter(|request| is_read_again(request)).count();
    assert_eq!(reads, 1);
    assert_eq!(night.count(Service::ConnectWise, "/company/companies"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_old_zero_is_put_back_without_a_guard() {
    let mut world = settled();
    let seats = world.connectwise.records[0].answers.iter_mut().find(|answer| answer.value == json!(7));
    seats.unwrap().value = json!(0);
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering();
    night.sync().await;
    assert_eq!(night.answer("ACME", "Seats"), json!(40));
    assert_eq!(night.undo("last", &[]).await.report.exit(), Exit::Done);
    assert_eq!(night.answer("ACME", "Seats"), json!(0));
}
