//! Plans that are kept for review: what is carried out is what was reviewed, or nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use psasync::domain::answer::{Answer, Stored};
use psasync::domain::field::{FieldId, FieldMap, Group};
use psasync::domain::finding::{Bucket, Finding, Reason};
use psasync::domain::ids::{CompanyId, OrgId, PsaId, RecordId, StatusId};
use psasync::domain::mapping::{LineState, MappingLine, Source};
use psasync::domain::waiver::{Rule, Waiver};
use psasync::domain::window::Window;
use psasync::domain::work::Work;
use psasync::plan::saved::{Belonging, Objection, SavedPlan, SavedPlanError};
use psasync::plan::{Action, Destination, FieldChange, LinePlan, Plan, RollCall, SetupChange};
use psasync::run::{Exit, Report, RunError};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::{Configuration, Question};
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
    let expected = [("BETA", "record 2 is no longer there"), ("GAMMA", "record 2 appeared")];
    let expected: Vec<_> = expected.map(|(psa_id, what)| (psa_id.to_owned(), what.to_owned())).into();
    assert_eq!(records_changed(&moved.await), expected);
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
    assert!(error.hint().contains("psasync plan --out"), "{}", error.hint());
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
    assert_eq!(gone, [Objection::ApprovalGone(Rule::MaxZeroedPercent)]);
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
async fn applying_takes_the_lease() {
    let night = Night::of(settled()).remembering();
    let saved = night.save().await;
    let _lease = night.take_lease().await;
    assert_eq!(night.apply(&saved, &[]).await.unwrap_err().exit(), Exit::Leased);
}

// The file

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "\\PC{0,12}", "[0-9]{1,6}(\\.0)?", Just("None".to_owned())]
}

fn psa_id() -> impl Strategy<Value = PsaId> {
    "\\PC{1,8}".prop_filter_map("an identifier that can be seen", |text| PsaId::new(&text))
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0i64..4_000_000_000, 0u32..1_000_000_000)
        .prop_filter_map("a time", |(s, ns)| DateTime::from_timestamp(s, ns))
}

fn window() -> impl Strategy<Value = Window> {
    (time(), 1i64..400).prop_filter_map("a span", |(from, days)| {
        Window::between(from.date_naive(), (from + TimeDelta::days(days)).date_naive())
    })
}

fn field() -> impl Strategy<Value = FieldId> {
    prop::sample::select(FieldId::all().collect::<Vec<_>>())
}

fn finding() -> impl Strategy<Value = Finding> {
    (prop::sample::select(Reason::ALL), text(), text())
        .prop_map(|(reason, subject, sentence)| Finding::new(reason, subject, sentence))
}

fn change() -> impl Strategy<Value = FieldChange> {
    let new = prop_oneof![
        any::<u64>().prop_map(Answer::Number),
        text().prop_map(Answer::Text),
        Just(Answer::Nothing)
    ];
    (field(), text(), new).prop_map(|(field, old, new)| FieldChange { field, old: Stored::new(&old), new })
}

fn destination() -> impl Strategy<Value = Destination> {
    let expected = prop::collection::vec(text(), 16);
    (any::<u64>(), expected, any::<bool>(), prop::option::of(window())).prop_map(
        |(company, expected, sets_device_identifier, window)| {
            let mut expected = expected.iter();
            Destination {
                company_id: CompanyId(company),
                expected: FieldMap::from_fn(|_| {
                    expected.next().map_or(Stored::EMPTY, |text| Stored::new(text))
                }),
                sets_device_identifier,
                window,
            }
        },
    )
}

fn mapping_line() -> impl Strategy<Value = MappingLine> {
    let state = prop::sample::select(&LineState::ALL[..]);
    let accept = prop::collection::vec(prop::sample::select(Reason::ALL), 0..3);
    let said = (prop::option::of(text()), prop::option::of(any::<u64>()), prop::option::of(text()));
    (any::<u64>(), psa_id(), state, accept, said).prop_map(|(id, psa_id, state, accept, said)| {
        let (package, seats, name) = said;
        MappingLine {
            state,
            accept,
            package,
            seats,
            name,
            ..MappingLine::new(Source::Umbrella, OrgId(id), psa_id)
        }
    })
}

fn line_plan() -> impl Strategy<Value = LinePlan> {
    let action = prop_oneof![
        Just(Action::Create),
        any::<u64>().prop_map(|id| Action::Update(RecordId(id))),
        any::<u64>().prop_map(|id| Action::Touch(RecordId(id))),
        Just(Action::Leave)
    ];
    let fields = prop::collection::vec(change(), 0..4);
    let findings = prop::collection::vec(finding(), 0..3);
    let falls = prop::sample::subsequence(Group::ALL.to_vec(), 0..=4);
    (mapping_line(), action, destination(), fields, findings, falls).prop_map(
        |(line, action, destination, fields, findings, falls)| LinePlan {
            line,
            destination: (action != Action::Leave).then_some(destination),
            action,
            fields,
            findings,
            falls,
        },
    )
}

fn plan() -> impl Strategy<Value = Plan> {
    let work = prop_oneof![Just(Work::Night), window().prop_map(Work::Backfill)];
    let setup = prop::collection::vec(
        prop_oneof![
            text().prop_map(|name| SetupChange::CreateType { name }),
            field().prop_map(SetupChange::CreateQuestion)
        ],
        0..3,
    );
    let lines = prop::collection::vec(line_plan(), 0..4);
    let roll_call = (any::<usize>(), prop::collection::vec(psa_id(), 0..3));
    (time(), work, setup, lines, prop::collection::vec(finding(), 0..3), roll_call).prop_map(
        |(scheduled, work, setup, lines, findings, (known, missing))| Plan {
            scheduled,
            work,
            setup,
            lines,
            findings,
            roll_call: RollCall { known, missing },
        },
    )
}

fn saved() -> impl Strategy<Value = SavedPlan> {
    let rule = prop::sample::select(&Rule::ALL[..]);
    let waiver = (rule, prop::option::of(psa_id()), prop::option::of(time()))
        .prop_map(|(rule, company, waiting_since)| Waiver { rule, company, waiting_since });
    let belonging = (text(), text(), text(), text()).prop_map(|(version, tenant, type_name, record_name)| {
        Belonging { version, tenant, type_name, record_name }
    });
    let status = prop::option::of(any::<u64>().prop_map(StatusId));
    (time(), belonging, status, prop::collection::vec(waiver, 0..3), plan()).prop_map(
        |(made_at, belonging, status, waivers, plan)| SavedPlan {
            made_at,
            belonging,
            status,
            waivers: waivers.into_iter().collect(),
            plan,
        },
    )
}

/// Every value of a document that holds no other.
fn leaves(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().flat_map(leaves).collect(),
        Value::Object(members) => members.values_mut().flat_map(leaves).collect(),
        leaf => vec![leaf],
    }
}

fn other(value: &Value) -> Value {
    match value {
        Value::Null => json!(1),
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_u64().unwrap_or_default() ^ 1),
        Value::String(text) => json!(format!("{text}x")),
        Value::Array(_) | Value::Object(_) => Value::Null,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_plan_is_read_as_it_was_saved(saved in saved()) {
        prop_assert_eq!(&SavedPlan::from_text(&saved.to_text()).unwrap(), &saved);
    }

    #[test]
    fn a_layout_of_another_tool_does_no_harm(saved in saved()) {
        let value: Value = serde_json::from_str(&saved.to_text()).unwrap();
        prop_assert_eq!(&SavedPlan::from_text(&value.to_string()).unwrap(), &saved);
    }

    #[test]
    fn a_plan_of_which_anything_was_changed_is_refused(saved in saved(), which in any::<prop::sample::Index>()) {
        let mut value: Value = serde_json::from_str(&saved.to_text()).unwrap();
        let mut leaves = leaves(&mut value);
        let leaf = which.get_mut(&mut leaves);
        **leaf = other(leaf);
        prop_assert!(SavedPlan::from_text(&value.to_string()).is_err());
    }

    #[test]
    fn a_plan_that_was_cut_is_refused(saved in saved(), which in any::<prop::sample::Index>()) {
        let text = saved.to_text();
        let cut: String = text.chars().take(which.index(text.trim_end().chars().count())).collect();
        prop_assert!(matches!(SavedPlan::from_text(&cut), Err(SavedPlanError::Unreadable(_))));
    }

    #[test]
    fn what_is_no_plan_is_refused(text in "\\PC{0,200}") {
        prop_assert!(matches!(SavedPlan::from_text(&text), Err(SavedPlanError::Unreadable(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn lines_that_are_taken_out_or_doubled_are_noticed() {
    let text = demo().save().await.to_text();
    for member in ["companies", "findings", "setup"] {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        let rows = value[member].as_array_mut().unwrap();
        let last = rows.pop().unwrap();
        assert_eq!(SavedPlan::from_text(&value.to_string()), Err(SavedPlanError::Tampered), "{member}");
        let rows = value[member].as_array_mut().unwrap();
        rows.extend([last.clone(), last]);
        assert_eq!(SavedPlan::from_text(&value.to_string()), Err(SavedPlanError::Tampered), "{member}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_of_another_format_says_so() {
    let text = Night::of(settled()).save().await.to_text();
    let newer = text.replacen("\"format_version\": 1", "\"format_version\": 2", 1);
    let error = SavedPlan::from_text(&newer).unwrap_err();
    assert_eq!(error, SavedPlanError::OtherFormat { found: 2, known: 1 });
    let report = r#"{"format_version": 1, "kind": "plan"}"#;
    assert!(matches!(SavedPlan::from_text(report), Err(SavedPlanError::Unreadable(_))));
}

#[tokio::test(start_paused = true)]
async fn foreign_answers_are_in_no_saved_plan() {
    let mut world = settled();
    let foreign = Question { id: 4901, question: "Door code".into(), ..Question::default() };
    world.connectwise.types[0].questions.push(foreign);
    let answer = simulator::world::Answer { id: 0, question: 4901, value: json!("1234-secret") };
    let record: &mut Configuration = &mut world.connectwise.records[0];
    record.answers.push(answer);
    let text = Night::of(world).save().await.to_text();
    assert!(!text.contains("1234-secret") && !text.contains("Door code"));
}
