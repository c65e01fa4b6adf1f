//! Plans that are kept for review: what is carried out is what was reviewed, or nothing.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use psasync::domain::field::FieldId;
use psasync::domain::finding::Bucket;
use psasync::domain::ids::PsaId;
use psasync::domain::waiver::{Rule, Waiver};
use psasync::domain::work::Work;
use psasync::plan::saved::{Objection, SavedPlan, SavedPlanError};
use psasync::run::{Exit, Report, RunError};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::{Company, Question};
use simulator::{Service, Simulation, World};

use crate::customers::{all_settled, question_id, record, settled, with_customers};
use crate::simulated::{Night, edit};

fn reread(saved: &SavedPlan) -> SavedPlan {
    SavedPlan::from_text(&saved.to_text()).unwrap()
}

fn objections(outcome: Result<Report, RunError>) -> Vec<Objection> {
    match outcome {
        Err(error @ RunError::PlanRefused(_)) => {
            assert_eq!(error.exit(), Exit::Refused);
            let RunError::PlanRefused(objections) = error else { unreachable!() };
            objections
        }
        other => panic!("it must be refused: {other:?}"),
    }
}

/// The demo world, where guards let it pass.
fn demo() -> Night {
    Night::of(World::demo()).set("guards.max_creates", 100)
}

/// What all records say but when they were written.
fn answers(night: &Night) -> Vec<(i64, BTreeMap<String, Value>)> {
    let records = night.simulation.inspect(|world| world.connectwise.records.clone());
    let mut answers: Vec<_> =
        records.iter().map(|record| (record.company, night.answers_of(record))).collect();
    answers.iter_mut().for_each(|(_, answers)| drop(answers.remove("Last Updated")));
    answers.sort_by_key(|(company, _)| *company);
    answers
}

// Exactly this

#[tokio::test(start_paused = true)]
async fn what_is_applied_is_what_a_sync_would_have_written() {
    let (synced, applied) = (demo(), demo());
    synced.sync().await;
    let saved = reread(&applied.save().await);
    applied.forget();
    let report = applied.apply(&saved, &[]).await.unwrap();
    assert_eq!(report.exit(), Exit::Degraded, "companies of that world need a person, as after a sync");
    assert_eq!(answers(&applied), answers(&synced));
    assert_eq!(applied.log(Service::Umbrella).len(), 0, "what is applied was read before");
    assert!(applied.plan().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_umbrella_says_after_the_plan_was_made_is_not_applied() {
    let night = Night::of(settled());
    night.simulation.change(|world| world.umbrella.organizations[0].seats = 41);
    let saved = night.save().await;
    night.simulation.change(|world| world.umbrella.organizations[0].seats = 99);
    night.apply(&saved, &[]).await.unwrap();
    assert_eq!(night.answer("ACME", "Seats"), json!(41));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_applied_is_not_applied_again() {
    let night = Night::of(with_customers(&["ACME", "BETA"]));
    let saved = night.save().await;
    assert_eq!(night.apply(&saved, &[]).await.unwrap().counts()[&Bucket::Created], 2);
    let [Objection::RecordsChanged(changed)] = &objections(night.apply(&saved, &[]).await)[..] else {
        panic!("the records are there by now")
    };
    let named: Vec<_> = changed.iter().map(|(psa_id, _)| psa_id.as_str()).collect();
    assert_eq!(named, ["ACME", "BETA"]);
    assert_eq!(night.simulation.inspect(|world| world.connectwise.records.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn a_backfill_can_be_reviewed_and_applied() {
    let night = Night::of(all_settled(&["ACME"])).month("2026-01");
    let saved = reread(&night.save().await);
    assert!(matches!(saved.plan.work, Work::Backfill(_)));
    // Its window is the command's, whatever the regular one is.
    night.simulation.set_now(night.simulation.now() + TimeDelta::hours(20));
    let report = night.apply(&saved, &[]).await.unwrap();
    assert_eq!(report.exit(), Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn what_was_applied_is_in_the_history_and_can_be_undone() {
    let night = Night::of(settled()).remembering();
    night.simulation.change(|world| world.umbrella.organizations[0].seats = 41);
    let before = night.answer("ACME", "Seats");
    let saved = night.save().await;
    night.apply(&saved, &[]).await.unwrap();
    let run = night.past_runs().await.remove(0);
    let about = format!("plan {}", &saved.digest().to_string()[..12]);
    assert_eq!((run.row.command.as_str(), run.row.about), ("apply", Some(about)));
    assert_eq!(night.answer("ACME", "Seats"), json!(41));
    night.undo("last", &[]).await;
    assert_eq!(night.answer("ACME", "Seats"), before);
}

// Objections: nothing is written

/// A plan over two records and a new one, then something happens.
async fn refused(happens: impl FnOnce(&Simulation)) -> Vec<Objection> {
    let mut world = all_settled(&["ACME", "BETA"]);
    world.umbrella.organizations.iter_mut().for_each(|organization| organization.seats = 41);
    let more = with_customers(&["ACME", "BETA", "GAMMA"]);
    world.umbrella.organizations.extend(more.umbrella.organizations.into_iter().skip(2));
    world.connectwise.companies.extend(more.connectwise.companies.into_iter().skip(2));
    world.mapping.extend(more.mapping.into_iter().skip(2));
    let night = Night::of(world);
    let saved = night.save().await;
    assert_eq!(saved.plan.counts()[&Bucket::Created], 1);
    happens(&night.simulation);
    night.remap();
    night.forget();
    let objections = objections(night.apply(&saved, &[]).await);
    assert_eq!(night.count(Service::ConnectWise, "POST") + night.count(Service::ConnectWise, "PATCH"), 0);
    objections
}

fn records_changed(objections: &[Objection]) -> Vec<(String, String)> {
    let [Objection::RecordsChanged(changed)] = objections else { panic!("{objections:?}") };
    changed.iter().map(|(psa_id, what)| (psa_id.to_string(), what.clone())).collect()
}

fn changed(psa_id: &str, what: &str) -> Vec<(String, String)> {
    vec![(psa_id.to_owned(), what.to_owned())]
}

#[tokio::test(start_paused = true)]
async fn a_record_that_changed_since_is_named_and_nothing_is_written() {
    let objections = refused(|simulation| {
        edit(simulation, 2, "Seats", json!(5));
        edit(simulation, 2, "Package", json!("Other"));
    });
    assert_eq!(records_changed(&objections.await), changed("BETA", "record 2: Package, Seats"));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_night_stamped_since_has_changed() {
    let objections = refused(|simulation| edit(simulation, 1, "Last Updated", json!("2026-03-15 04:00 UTC")));
    assert_eq!(records_changed(&objections.await), changed("ACME", "record 1: Last Updated"));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_gone_or_appeared_since_is_named() {
    let gone = refused(|simulation| simulation.change(|world| drop(world.connectwise.records.remove(0))));
    assert_eq!(records_changed(&gone.await), changed("ACME", "record 1 is no longer there"));
    let appeared = refused(|simulation| {
        simulation.change(|world| world.connectwise.records.push(record(9, 13, &[])));
    });
    assert_eq!(records_changed(&appeared.await), changed("GAMMA", "record 9 appeared"));
    let moved = refused(|simulation| simulation.change(|world| world.connectwise.records[1].company = 13));
    let expected = [
        ("BETA", "record-at-other-company: the record of organization 102 belongs to company 13"),
        (
            "GAMMA",
            "record-of-other-organization: record 2 at this company names another organization than 103",
        ),
    ];
    let expected: Vec<_> = expected.map(|(psa_id, what)| (psa_id.to_owned(), what.to_owned())).into();
    assert_eq!(records_changed(&moved.await), expected);
}

#[tokio::test(start_paused = true)]
async fn a_company_that_is_another_one_by_now_is_named() {
    let renamed = refused(|simulation| {
        simulation.change(|world| {
            let companies = &mut world.connectwise.companies;
            companies[2].identifier = "GAMMA-OLD".to_owned();
            let company = Company { id: 99, identifier: "GAMMA".to_owned(), ..companies[2].clone() };
            companies.push(company);
        });
    });
    let expected = changed("GAMMA", "the company is number 99 by now, and not 13");
    assert_eq!(records_changed(&renamed.await), expected);
    let deleted =
        refused(|simulation| simulation.change(|world| world.connectwise.companies[2].deleted = true));
    let (psa_id, what) = records_changed(&deleted.await).remove(0);
    assert!(psa_id == "GAMMA" && what.starts_with("company-not-found: "), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_was_added_since_may_leave_another_one_alone() {
    let twice = refused(|simulation| {
        simulation.change(|world| {
            let mut line = world.mapping[2].clone();
            line.org_id = 777;
            world.mapping.push(line);
        });
    });
    let (psa_id, what) = records_changed(&twice.await).remove(0);
    assert!(psa_id == "GAMMA" && what.starts_with("company-mapped-twice: "), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_record_elsewhere_and_a_second_one_here_are_noticed() {
    let about = |organization: &str| [(FieldId::OrganizationId, json!(organization))];
    let elsewhere = refused(|simulation| {
        simulation.change(|world| {
            let company = Company { id: 50, identifier: "OTHER".to_owned(), ..Company::default() };
            world.connectwise.companies.push(company);
            world.connectwise.records.push(record(9, 50, &about("103")));
        });
    });
    let (psa_id, what) = records_changed(&elsewhere.await).remove(0);
    assert!(psa_id == "GAMMA" && what.starts_with("record-at-other-company: "), "{what}");
    let second = refused(|simulation| {
        simulation.change(|world| world.connectwise.records.push(record(9, 12, &about("102"))));
    });
    let (psa_id, what) = records_changed(&second.await).remove(0);
    assert!(psa_id == "BETA" && what.starts_with("duplicate-records: "), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_password_question_that_came_since_leaves_every_record_alone() {
    let password = Question {
        id: 4999,
        question: "Wi-Fi".to_owned(),
        field_type: "Password".to_owned(),
        ..Question::default()
    };
    let objections =
        refused(|simulation| simulation.change(|world| world.connectwise.types[0].questions.push(password)));
    let changed = records_changed(&objections.await);
    assert!(changed.iter().all(|(_, what)| what.starts_with("password-question: ")), "{changed:?}");
    assert_eq!(changed.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_foreign_question_is_no_change() {
    let mut world = settled();
    let foreign = Question { id: 4901, question: "Owner".into(), ..Question::default() };
    world.connectwise.types[0].questions.push(foreign);
    world.umbrella.organizations[0].seats = 41;
    let night = Night::of(world);
    let saved = night.save().await;
    edit(&night.simulation, 1, "Owner", json!("Ann"));
    assert_eq!(night.apply(&saved, &[]).await.unwrap().exit(), Exit::Done);
    assert_eq!(night.answer("ACME", "Owner"), json!("Ann"));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_says_otherwise_by_now_is_an_objection() {
    for state in ["paused", "ended"] {
        let objections = refused(|simulation| {
            simulation.change(|world| world.mapping[1].state = state.to_owned());
        });
        assert_eq!(objections.await, [Objection::MappingChanged(vec![PsaId::new("BETA").unwrap()])]);
    }
    let remapped = refused(|simulation| {
        simulation.change(|world| world.mapping[2].psa_id = "DELTA".to_owned());
    });
    assert_eq!(remapped.await, [Objection::MappingChanged(vec![PsaId::new("GAMMA").unwrap()])]);
}

#[tokio::test(start_paused = true)]
async fn a_type_a_question_or_a_status_that_is_not_what_it_was_is_an_objection() {
    let seats = |world: &mut World| {
        let questions = &mut world.connectwise.types[0].questions;
        let id = question_id(FieldId::Seats);
        questions.iter_mut().find(|question| question.id == id).unwrap().inactive = true;
    };
    let question = refused(|simulation| simulation.change(seats)).await;
    assert!(
        question.contains(&Objection::SetupChanged(vec!["the question \"Seats\"".to_owned()])),
        "{question:?}"
    );
    let status = refused(|simulation| {
        simulation.change(|world| {
            world.connectwise.statuses[0].default = false;
            world.connectwise.statuses[1].default = true;
        });
    });
    assert_eq!(status.await, [Objection::SetupChanged(vec!["the status of new records".to_owned()])]);
    let kind =
        refused(|simulation| simulation.change(|world| world.connectwise.types[0].name = "Old".into()));
    let kind = kind.await;
    let expected = Objection::SetupChanged(vec!["the configuration type `OpenDNS_Umbrella`".to_owned()]);
    assert!(kind.contains(&expected), "{kind:?}");
}

#[tokio::test(start_paused = true)]
async fn questions_that_somebody_else_created_since_are_an_objection() {
    let mut world = with_customers(&["ACME"]);
    let kind = world.connectwise.types.remove(0);
    let night = Night::of(world);
    let saved = night.save().await;
    night.simulation.change(|world| world.connectwise.types.push(kind));
    let objections = objections(night.apply(&saved, &[]).await);
    let expected = vec!["the configuration type `OpenDNS_Umbrella`".to_owned()];
    assert_eq!(objections, [Objection::SetupChanged(expected)]);
}

#[rstest]
#[case::at_once(0, true)]
#[case::after_24_hours(24 * 60, true)]
#[case::a_minute_later(24 * 60 + 1, false)]
#[case::from_a_clock_that_is_a_little_ahead(-5, true)]
#[case::from_the_future(-6, false)]
#[tokio::test(start_paused = true)]
async fn a_plan_holds_for_24_hours(#[case] minutes: i64, #[case] holds: bool) {
    let mut world = settled();
    world.umbrella.organizations[0].seats = 41;
    let night = Night::of(world);
    let saved = night.save().await;
    night.simulation.set_now(night.simulation.now() + TimeDelta::minutes(minutes));
    let outcome = night.apply(&saved, &[]).await;
    if holds {
        assert_eq!(outcome.unwrap().exit(), Exit::Done);
    } else {
        assert_eq!(objections(outcome), [Objection::Stale { made_at: saved.made_at }]);
    }
}

#[rstest]
#[case::a_record_when_the_month_turns(all_settled(&["ACME"]), "2026-03-31T20:00:00Z", 5, false)]
#[case::a_record_on_the_next_day(all_settled(&["ACME"]), "2026-03-15T20:00:00Z", 5, true)]
#[case::a_new_record_on_the_next_day(with_customers(&["ACME"]), "2026-03-15T20:00:00Z", 5, false)]
#[case::a_new_record_on_the_same_day(with_customers(&["ACME"]), "2026-03-15T10:00:00Z", 5, true)]
#[tokio::test(start_paused = true)]
async fn a_window_that_is_no_longer_the_regular_one_is_an_objection(
    #[case] world: World,
    #[case] made_at: &str,
    #[case] hours: i64,
    #[case] holds: bool,
) {
    let night = Night::at(made_at, world);
    let saved = night.save().await;
    night.simulation.set_now(night.simulation.now() + TimeDelta::hours(hours));
    let outcome = night.apply(&saved, &[]).await;
    if holds {
        assert_eq!(outcome.unwrap().exit(), Exit::Done);
    } else {
        assert_eq!(objections(outcome), [Objection::WindowPassed(vec![PsaId::new("ACME").unwrap()])]);
    }
}

#[rstest]
#[case::type_name("record.type_name", "Other")]
#[case::record_name("record.name", "Other")]
#[case::company("connectwise.company_id", "other")]
#[tokio::test(start_paused = true)]
async fn a_foreign_plan_is_an_objection_before_anything_is_asked(#[case] key: &str, #[case] value: &str) {
    let night = Night::of(settled());
    let saved = night.save().await;
    let night = night.set(key, value);
    night.forget();
    let objections = objections(night.apply(&saved, &[]).await);
    assert!(matches!(objections[..], [Objection::Foreign { .. }]), "{objections:?}");
    assert_eq!(night.sent().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_another_version_is_foreign() {
    let night = Night::of(settled());
    let mut saved = night.save().await;
    saved.belonging.version = "0.0.1".to_owned();
    let objections = objections(night.apply(&saved, &[]).await);
    assert!(matches!(objections[..], [Objection::Foreign { what: "version of psasync", .. }]));
}

#[tokio::test(start_paused = true)]
async fn an_objection_reads_as_a_person_needs_it() {
    let mut world = settled();
    world.umbrella.organizations[0].seats = 41;
    let night = Night::of(world);
    let saved = night.save().await;
    edit(&night.simulation, 1, "Seats", json!(5));
    let error = night.apply(&saved, &[]).await.unwrap_err();
    let expected = "the plan is not carried out; records changed since: ACME (record 1: Seats)";
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().contains("make a new plan"), "{}", error.hint());
}

// Guards and approvals

fn fallen() -> World {
    let mut world = all_settled(&["ACME", "BETA", "DELTA", "EPSILON", "GAMMA", "ZETA"]);
    world.umbrella.organizations.iter_mut().for_each(|organization| organization.traffic.clear());
    world
}

#[tokio::test(start_paused = true)]
async fn a_refused_plan_can_be_saved_and_is_applied_once_a_person_approves() {
    let night = Night::of(fallen()).remembering();
    let saved = reread(&night.save().await);
    assert_eq!(night.apply(&saved, &[]).await.unwrap().exit(), Exit::Refused);
    let report = night.apply(&saved, &[Rule::MaxZeroedPercent]).await.unwrap();
    assert_eq!(report.exit(), Exit::Done);
    assert_eq!(night.answer("ZETA", "DNS Queries Last Month"), json!(0));
    let run = night.past_runs().await.remove(0);
    assert_eq!(run.approvals, [Waiver::from(Rule::MaxZeroedPercent)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_was_allowed_to_pass_it_passes_when_it_is_applied() {
    let night = Night::of(fallen()).approve(Rule::MaxZeroedPercent);
    let saved = reread(&night.save().await);
    assert_eq!(night.fleet().apply(&saved, &[]).await.unwrap().exit(), Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_a_plan_rests_on_must_still_wait() {
    let night = Night::of(fallen()).remembering();
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    let saved = reread(&night.save().await);
    let withdraw = psasync::run::Approval::Withdraw;
    night.try_approve_next(withdraw, Rule::MaxZeroedPercent, &[]).await.unwrap();
    let gone = objections(night.apply(&saved, &[]).await);
    let [Objection::ApprovalGone(waiver)] = &gone[..] else { panic!("{gone:?}") };
    assert_eq!((waiver.rule, &waiver.company), (Rule::MaxZeroedPercent, &None));
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    assert_eq!(night.apply(&saved, &[]).await.unwrap().exit(), Exit::Done);
    assert_eq!(night.run_history().await.waiting, [], "it is used up");
}

#[tokio::test(start_paused = true)]
async fn records_that_were_missing_when_the_plan_was_made_refuse_it_still() {
    let night = Night::of(all_settled(&["ACME", "BETA", "DELTA", "EPSILON", "GAMMA", "ZETA"])).remembering();
    night.sync().await;
    night.simulation.change(|world| world.connectwise.records.drain(..5).count());
    let saved = reread(&night.save().await);
    let report = night.apply(&saved, &[]).await.unwrap();
    let rules: Vec<_> = report.refusals.iter().map(|refusal| refusal.rule).collect();
    assert_eq!(rules, [Rule::MaxMissingRecordsPercent]);
}

#[tokio::test(start_paused = true)]
async fn records_that_are_gone_for_good_are_settled_by_a_plan_that_is_applied() {
    let night = Night::of(all_settled(&["ACME", "BETA", "DELTA", "EPSILON", "GAMMA", "ZETA"])).remembering();
    night.sync().await;
    night.simulation.change(|world| world.connectwise.records.drain(..5).count());
    let saved = night.save().await;
    let report = night.apply(&saved, &[Rule::MaxMissingRecordsPercent]).await.unwrap();
    assert_eq!(report.counts()[&Bucket::Created], 5);
    assert_eq!(night.sync().await.exit(), Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn the_digest_tells_what_let_the_plan_pass_and_what_new_records_get() {
    let digest = |saved: &SavedPlan| saved.digest().to_string();
    let night = Night::of(fallen());
    let refused = night.save().await;
    let night = night.approve(Rule::MaxZeroedPercent);
    assert_ne!(digest(&night.save().await), digest(&refused));
    let night = Night::of(with_customers(&["ACME"]));
    let active = night.save().await;
    let night = night.set("record.status", "Inactive");
    assert_ne!(digest(&night.save().await), digest(&active));
    let night = night.set("record.status", "Active");
    assert_eq!(digest(&night.save().await), digest(&active));
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_a_plan_does_not_need_is_none_that_it_rests_on() {
    let night = Night::of(settled()).remembering();
    night.approve_next(Rule::MaxCreates, &[]).await;
    let saved = night.save().await;
    assert_eq!(saved.plan.waivers.iter().count(), 0);
    let withdraw = psasync::run::Approval::Withdraw;
    night.try_approve_next(withdraw, Rule::MaxCreates, &[]).await.unwrap();
    night.apply(&saved, &[]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_writes_a_company_twice_is_none_of_psasyncs() {
    let mut saved = Night::of(with_customers(&["ACME", "BETA"])).save().await;
    saved.plan.lines.push(saved.plan.lines[0].clone());
    let text = saved.to_text();
    assert!(matches!(SavedPlan::from_text(&text), Err(SavedPlanError::Unreadable(_))));
    saved.plan.lines.pop();
    let change = saved.plan.lines[0].fields[0].clone();
    saved.plan.lines[0].fields.push(change);
    assert!(matches!(SavedPlan::from_text(&saved.to_text()), Err(SavedPlanError::Unreadable(_))));
}

#[tokio::test(start_paused = true)]
async fn applying_ends_in_time_where_connectwise_asks_for_long_waits() {
    let night = Night::of(settled()).set("http.run_deadline_min", 30);
    let saved = night.save().await;
    let night = night.with_fault("503(1500)@connectwise:/company/configurations/statuses**");
    let began = tokio::time::Instant::now();
    let error = night.apply(&saved, &[]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(began.elapsed() <= std::time::Duration::from_secs(30 * 60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn applying_takes_the_lease() {
    let night = Night::of(settled()).remembering();
    let saved = night.save().await;
    let _lease = night.take_lease().await;
    assert_eq!(night.apply(&saved, &[]).await.unwrap_err().exit(), Exit::Leased);
}
