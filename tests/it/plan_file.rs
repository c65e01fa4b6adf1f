//! The file of a saved plan: read as it was written, or not at all.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use psasync::domain::answer::{Answer, Stored};
use psasync::domain::field::{FieldId, FieldMap, Group};
use psasync::domain::finding::{Finding, Reason};
use psasync::domain::ids::{CompanyId, OrgId, PsaId, RecordId, StatusId};
use psasync::domain::mapping::{LineState, MappingLine, Source};
use psasync::domain::waiver::{Rule, Waiver};
use psasync::domain::window::Window;
use psasync::domain::work::Work;
use psasync::plan::saved::{Belonging, SavedPlan, SavedPlanError};
use psasync::plan::{
    Action, Destination, FieldChange, LinePlan, NewRecords, OtherShards, Plan, RollCall, SetupChange,
};
use serde_json::{Value, json};
use simulator::World;
use simulator::world::{Configuration, Question};

use crate::customers::settled;
use crate::simulated::Night;

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

fn change() -> impl Strategy<Value = (Stored, Answer)> {
    let new = prop_oneof![
        any::<u64>().prop_map(Answer::Number),
        text().prop_map(Answer::Text),
        Just(Answer::Nothing)
    ];
    (text(), new).prop_map(|(old, new)| (Stored::new(&old), new))
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
    let all: Vec<_> = FieldId::all().filter(|field| *field != FieldId::LastUpdated).collect();
    let fields = (prop::sample::subsequence(all, 0..4), prop::collection::vec(change(), 4));
    let fields = fields.prop_map(|(fields, changes)| {
        let changes = fields.into_iter().zip(changes);
        changes.map(|(field, (old, new))| FieldChange { field, old, new }).collect::<Vec<_>>()
    });
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
    let rule = prop::sample::select(&Rule::ALL[..]);
    let waiver = (rule, prop::option::of(psa_id()), prop::option::of(time()))
        .prop_map(|(rule, company, waiting_since)| Waiver { rule, company, waiting_since });
    let waivers = prop::collection::vec(waiver, 0..3);
    let new_records = (text(), prop::option::of(any::<u64>().prop_map(StatusId)));
    let rest = (prop::collection::vec(finding(), 0..3), new_records, waivers);
    (time(), work, setup, lines, rest).prop_map(
        |(scheduled, work, setup, lines, (findings, (name, status), waivers))| Plan {
            scheduled,
            work,
            setup,
            lines,
            findings,
            new_records: NewRecords { name, status },
            waivers: waivers.into_iter().collect(),
            roll_call: RollCall::default(),
            others: OtherShards::default(),
        },
    )
}

fn saved() -> impl Strategy<Value = SavedPlan> {
    let belonging = (text(), text(), text()).prop_map(|(version, tenant, type_name)| Belonging {
        version,
        tenant,
        type_name,
    });
    (time(), belonging, prop::collection::vec(text(), 0..3), plan())
        .prop_map(|(made_at, belonging, companies, plan)| SavedPlan { made_at, belonging, companies, plan })
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
    let text = Night::of(World::demo()).set("guards.max_creates", 100).save().await.to_text();
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
