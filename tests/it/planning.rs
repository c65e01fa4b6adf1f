//! What a plan contains, what it never contains, and which guard stops it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psasync::domain::answer::{Alteration, Answer, Stored};
use psasync::domain::field::{FieldId, FieldMap, Group};
use psasync::domain::finding::{Bucket, Finding, Reason};
use psasync::domain::ids::{CompanyId, OrgId, StatusId};
use psasync::domain::mapping::MappingLine;
use psasync::domain::metrics::{Metrics, MonthMetrics, Presence, Reading, Threats, Unread};
use psasync::domain::question::{FieldType, QuestionMap, QuestionMatch};
use psasync::domain::record::Record;
use psasync::domain::waiver::{Rule, Waivers};
use psasync::domain::work::Work;
use psasync::plan::guard::{Limits, approve};
use psasync::plan::{
    Action, FleetWide, Informed, LinePlan, NewRecords, Plan, Policy, SecondSource, Setup, SetupChange, falls,
    plan,
};
use psasync::resolve::{ResolvedLine, Target};
use psasync::translate::translate;
use rstest::rstest;

use crate::worlds::{FORMAT, line, metrics, organization, questions, record};

const LIMITS: Limits = Limits {
    creates_max: 25,
    hold_zero_drop: true,
    zeroed_percent_max: 30,
    missing_orgs_percent_max: 20,
    missing_records_percent_max: 20,
};

struct World {
    lines: Vec<Informed>,
    questions: QuestionMap,
    has_default_status: bool,
    has_records: bool,
    type_exists: bool,
    touch_unchanged: bool,
    waivers: Waivers,
}

fn world(lines: Vec<Informed>) -> World {
    World {
        lines,
        questions: questions(),
        has_default_status: true,
        has_records: true,
        type_exists: true,
        touch_unchanged: true,
        waivers: Waivers::default(),
    }
}

impl World {
    fn plan(self) -> Plan {
        let setup = Setup {
            type_name: "OpenDNS_Umbrella",
            type_exists: self.type_exists,
            questions: &self.questions,
            new_records: NewRecords {
                name: "OpenDNS_Umbrella".to_owned(),
                status: self.has_default_status.then_some(StatusId(1)),
            },
            has_records: self.has_records,
        };
        let scheduled = "2026-11-21T00:00:00Z".parse().unwrap();
        let policy = Policy {
            work: Work::Night,
            limits: &LIMITS,
            waivers: &self.waivers,
            touch_unchanged: self.touch_unchanged,
        };
        plan(scheduled, &setup, self.lines, FleetWide::default(), &policy)
    }

    fn only_line(self) -> LinePlan {
        let mut plan = self.plan();
        assert_eq!(plan.lines.len(), 1);
        plan.lines.remove(0)
    }
}

/// Organization `id`, mapped to the company of the same number.
fn informed(id: u64, record: Option<Record>, metrics: &Metrics) -> Informed {
    let target = Target { organization: organization(id), company_id: CompanyId(id), record, window: None };
    let line = line(id, &format!("C{id}"));
    Informed {
        line: ResolvedLine { line, target: Some(target), findings: Vec::new() },
        desired: Some(translate(OrgId(id), metrics, &FORMAT)),
        second_sources: BTreeMap::new(),
        altered: Vec::new(),
        mark: None,
    }
}

fn left_alone(line: MappingLine, reason: Reason) -> Informed {
    let findings = vec![line.finding(reason, "because")];
    Informed::left_alone(ResolvedLine { line, target: None, findings })
}

/// The record as it is after the plan was carried out.
fn written(id: u64, line: &LinePlan) -> Record {
    let mut record = record(id, id, "");
    record.answers = line.destination.as_ref().unwrap().expected.clone();
    for change in &line.fields {
        record.answers[change.field] = Stored::from(&change.new);
    }
    record
}

fn settled(id: u64, metrics: &Metrics) -> Record {
    written(id, &world(vec![informed(id, None, metrics)]).only_line())
}

fn reasons(findings: &[Finding]) -> Vec<Reason> {
    findings.iter().map(|finding| finding.reason).collect()
}

fn metrics_strategy() -> impl Strategy<Value = Metrics> {
    // Any character: a regular expression for almost all of Unicode takes many times as long, and leaves control characters out.
    let text = |chars| {
        prop::collection::vec(prop::char::any(), chars)
            .prop_map(|chars| chars.into_iter().collect::<String>())
    };
    let name = move || prop_oneof![text(0..40), "[ \\n\\t&;]{0,3}[a-z]{0,9}"];
    let names = move |count| prop::collection::vec(name(), count);
    // Lists that are too long for an answer are rare, because they cost most of the time.
    let any_names = || prop_oneof![9 => names(0..6), 1 => names(0..60)];
    // Of these, ten are taken.
    let top_names = || names(0..13);
    fn reading<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Reading<T>> {
        prop::option::weighted(0.8, value)
            .prop_map(|value| value.ok_or_else(|| Unread::report("no answer")).into())
    }
    let presence = || {
        (any::<u32>(), any::<u32>(), any_names()).prop_map(|(total, active, inactive)| Presence {
            total: total.into(),
            active: active.into(),
            inactive,
        })
    };
    let threats = || (any::<u64>(), any::<u64>()).prop_map(|(sites, requests)| Threats { sites, requests });
    let month = (
        reading(any::<u64>()),
        reading(threats()),
        reading(threats()),
        reading(top_names()),
        reading(top_names()),
    )
        .prop_map(|(queries, malware, botnet, top_domains, top_domains_blocked)| MonthMetrics {
            queries,
            malware,
            botnet,
            top_domains,
            top_domains_blocked,
            top_categories: Reading::Read(Vec::new()),
        });
    (reading(text(1..60)), reading(any::<u64>()), reading(presence()), reading(presence()), month).prop_map(
        |(package, seats, networks, agents, month)| Metrics { package, seats, networks, agents, month },
    )
}

proptest! {
    #[test]
    fn a_second_run_plans_nothing(metrics in metrics_strategy()) {
        let first = world(vec![informed(1, None, &metrics)]).only_line();
        prop_assert_eq!(&first.action, &Action::Create);
        let record = written(1, &first);
        let second = world(vec![informed(1, Some(record), &metrics)]).plan();
        prop_assert!(second.is_empty(), "{:?}", second.lines[0].fields);
    }

    #[test]
    fn a_partial_read_never_changes_a_field(before in metrics_strategy(), after in metrics_strategy()) {
        let record = settled(1, &before);
        let desired = translate(OrgId(1), &after, &FORMAT);
        let line = world(vec![informed(1, Some(record), &after)]).only_line();
        for change in &line.fields {
            prop_assert!(
                matches!(&desired[change.field], psasync::translate::Desired::Set(new) if *new == change.new),
                "{} changes without a complete read", change.field
            );
        }
    }

    #[test]
    fn the_buckets_always_add_up(kinds in prop::collection::vec(0..6u8, 0..40)) {
        let lines: Vec<_> = kinds.iter().zip(1..).map(|(kind, id)| match kind {
            0 => informed(id, None, &metrics()),
            1 => informed(id, Some(settled(id, &metrics())), &metrics()),
            2 => informed(id, Some(record(id, id, "")), &metrics()),
            3 => left_alone(line(id, "X"), Reason::CompanyNotFound),
            4 => left_alone(line(id, "X"), Reason::Paused),
            _ => informed(id, Some(record(id, id, "")), &Metrics { seats: Reading::Unread(Unread::report("no")), ..metrics() }),
        }).collect();
        let total = lines.len();
        let plan = world(lines).plan();
        prop_assert_eq!(plan.counts().values().sum::<usize>(), total);
        prop_assert_eq!(plan.counts().len(), Bucket::ALL.len());
    }
}

fn with_inactive_agents(names: &[&str]) -> Metrics {
    let inactive = names.iter().map(|name| (*name).to_owned()).collect();
    Metrics { agents: Reading::Read(Presence { total: 400, active: 1, inactive }), ..metrics() }
}

#[rstest]
#[case::nobody_was_inactive(&[], &["本社"])]
#[case::another_name(&["本社"], &["支店"])]
#[case::one_name_more(&["本社"], &["本社", "支店"])]
#[case::another_letter(&["PC-ä", "PC-1"], &["PC-ö", "PC-1"])]
fn other_names_are_a_change_in_any_script(#[case] before: &[&str], #[case] after: &[&str]) {
    let stored = settled(1, &with_inactive_agents(before));
    let line = world(vec![informed(1, Some(stored), &with_inactive_agents(after))]).only_line();
    let changed: Vec<_> = line.fields.iter().map(|change| change.field).collect();
    assert_eq!(changed, [FieldId::AgentsInactive]);
}

#[rstest]
#[case::question_marks("PC-1; ??")]
#[case::replacement_characters("PC-1; \u{fffd}\u{fffd}")]
fn names_that_connectwise_cannot_store_are_no_change_every_night(#[case] left: &str) {
    let names = with_inactive_agents(&["PC-1", "本社"]);
    let mut stored = settled(1, &names);
    assert_eq!(stored.answers[FieldId::AgentsInactive].text(), Some("PC-1; 本社"));
    stored.answers[FieldId::AgentsInactive] = Stored::new(left);
    assert!(world(vec![informed(1, Some(stored), &names)]).plan().is_empty());
}

/// Without that memory it could be another name as well.
#[test]
fn names_that_connectwise_drops_are_no_change_once_that_is_known() {
    let names = with_inactive_agents(&["PC-1", "本社"]);
    let mut record = settled(1, &names);
    let (field, stored) = (FieldId::AgentsInactive, Stored::new("PC-1;"));
    let sent = std::mem::replace(&mut record.answers[field], stored.clone());
    for (altered, is_known) in [(Vec::new(), false), (vec![Alteration { field, sent, stored }], true)] {
        let line = informed(1, Some(record.clone()), &names);
        assert_eq!(world(vec![Informed { altered, ..line }]).plan().is_empty(), is_known);
    }
}

/// An alignment that tries every length of every gap would not end in a lifetime.
#[test]
fn a_long_list_outside_ascii_is_planned_at_once() {
    let (done, planned) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let names = |last: &'static str| -> Vec<_> {
            std::iter::repeat_n("本社営業部", 110).chain([last]).collect()
        };
        let stored = settled(1, &with_inactive_agents(&names("PC-1")));
        let metrics = with_inactive_agents(&names("支店"));
        done.send(world(vec![informed(1, Some(stored), &metrics)]).only_line()).unwrap();
    });
    let line = planned.recv_timeout(std::time::Duration::from_secs(5)).expect("a plan within milliseconds");
    assert_eq!(line.fields.len(), 1);
}

#[test]
fn the_same_input_has_the_same_digest_and_another_change_has_another() {
    let plan_of = |seats| {
        let metrics = Metrics { seats: Reading::Read(seats), ..metrics() };
        world(vec![informed(1, Some(settled(1, &crate::worlds::metrics())), &metrics)]).plan()
    };
    assert_eq!(plan_of(41), plan_of(41));
    assert_eq!(plan_of(41).digest(), plan_of(41).digest());
    assert_ne!(plan_of(41).digest(), plan_of(42).digest());
}

#[test]
fn nothing_but_last_updated_is_not_a_change() {
    let record = settled(1, &metrics());
    let touched = world(vec![informed(1, Some(record.clone()), &metrics())]).plan();
    assert!(touched.is_empty());
    assert_eq!(touched.lines[0].action, Action::Touch(record.id));
    assert_eq!(touched.lines[0].bucket(), Bucket::Unchanged);
    let quiet = World { touch_unchanged: false, ..world(vec![informed(1, Some(record), &metrics())]) };
    assert_eq!(quiet.only_line().action, Action::Leave);
}

#[test]
fn an_empty_device_identifier_is_a_change() {
    let record = Record { device_identifier: " ".into(), ..settled(1, &metrics()) };
    let line = world(vec![informed(1, Some(record.clone()), &metrics())]).only_line();
    assert_eq!(line.action, Action::Update(record.id));
    assert!(line.destination.unwrap().sets_device_identifier);
}

#[test]
fn unread_groups_keep_their_answers_and_the_rest_is_written() {
    let unread = Unread::report("403 Forbidden");
    let metrics = Metrics { agents: Reading::Unread(unread), seats: Reading::Read(41), ..metrics() };
    let line = world(vec![informed(1, Some(settled(1, &crate::worlds::metrics())), &metrics)]).only_line();
    let changed: Vec<_> = line.fields.iter().map(|change| change.field).collect();
    assert_eq!(changed, [FieldId::Seats]);
    assert_eq!(line.bucket(), Bucket::Partial);
    assert_eq!(
        line.findings[0].sentence,
        "Roaming Agents Deployed, Agents Active (7 Days), Agents Inactive (7 Days) not read: 403 Forbidden"
    );
}

#[rstest]
#[case::ambiguous(QuestionMatch::Ambiguous, Reason::QuestionAmbiguous)]
#[case::near(QuestionMatch::NearMatch { text: "Seat".into() }, Reason::QuestionNearMatch)]
#[case::unfit(QuestionMatch::Unfit { field_type: FieldType::Date }, Reason::QuestionTypeUnfit)]
fn a_field_without_a_writable_question_is_left_out(#[case] question: QuestionMatch, #[case] reason: Reason) {
    let mut questions = questions();
    questions[FieldId::Seats] = question;
    let line = World { questions, ..world(vec![informed(1, None, &metrics())]) }.only_line();
    assert!(line.fields.iter().all(|change| change.field != FieldId::Seats));
    assert_eq!((line.bucket(), reasons(&line.findings)), (Bucket::Partial, vec![reason]));
}

#[test]
fn an_inactive_question_is_one_finding_for_the_fleet_and_degrades_nobody() {
    let mut questions = questions();
    questions[FieldId::Seats] = QuestionMatch::Inactive;
    let lines = vec![informed(1, None, &metrics()), informed(2, None, &metrics())];
    let plan = World { questions, ..world(lines) }.plan();
    assert_eq!(reasons(&plan.findings), [Reason::QuestionInactive]);
    assert_eq!(plan.counts()[&Bucket::Created], 2);
}

#[test]
fn setup_comes_first_and_creates_what_is_missing() {
    let mut some = questions();
    some[FieldId::Seats] = QuestionMatch::Missing;
    let plan = World { questions: some, ..world(Vec::new()) }.plan();
    assert_eq!(plan.setup, [SetupChange::CreateQuestion(FieldId::Seats)]);
    let none = FieldMap::from_fn(|_| QuestionMatch::Missing);
    let plan = World { questions: none, type_exists: false, ..world(Vec::new()) }.plan();
    assert_eq!(plan.setup.len(), 17);
    assert_eq!(plan.setup[0], SetupChange::CreateType { name: "OpenDNS_Umbrella".into() });
}

#[test]
fn without_a_default_status_updates_go_ahead_and_creates_fail() {
    let lines = vec![informed(1, None, &metrics()), informed(2, Some(record(2, 2, "")), &metrics())];
    let plan = World { has_default_status: false, ..world(lines) }.plan();
    assert_eq!(reasons(&plan.lines[0].findings), [Reason::NoDefaultStatus]);
    assert_eq!(plan.lines[0].bucket(), Bucket::Failed);
    assert_eq!(plan.lines[1].bucket(), Bucket::Updated);
}

fn without_networks() -> Metrics {
    let networks = Reading::Read(Presence { total: 0, active: 0, inactive: Vec::new() });
    Metrics { networks, ..metrics() }
}

#[rstest]
#[case::seats(Group::Seats, 1)]
#[case::networks(Group::Networks, 3)]
#[case::agents(Group::Agents, 3)]
#[case::month(Group::Month, 6)]
fn a_group_whose_guarded_number_falls_to_zero_is_held(#[case] group: Group, #[case] fields: usize) {
    let mut zero = metrics();
    let nothing = || Reading::Read(Presence { total: 0, active: 0, inactive: Vec::new() });
    match group {
        Group::Seats => zero.seats = Reading::Read(0),
        Group::Networks => zero.networks = nothing(),
        Group::Agents => zero.agents = nothing(),
        Group::Month => zero.month.queries = Reading::Read(0),
    }
    zero.package = Reading::Read("Other".into());
    let line = world(vec![informed(1, Some(settled(1, &metrics())), &zero)]).only_line();
    assert_eq!(group.fields().count(), fields);
    assert!(line.fields.iter().all(|change| !group.fields().any(|held| held == change.field)));
    assert!(line.fields.iter().any(|change| change.field == FieldId::Package), "the rest is written");
    assert_eq!((line.bucket(), reasons(&line.findings)), (Bucket::Held, vec![Reason::ValueFellToZero]));
}

#[test]
fn a_zero_that_a_second_source_confirms_is_written() {
    let mut informed = informed(1, Some(settled(1, &metrics())), &without_networks());
    informed.second_sources.insert(Group::Networks, SecondSource::Confirms);
    let line = world(vec![informed]).only_line();
    assert_eq!(reasons(&line.findings), [Reason::ZeroConfirmed]);
    assert_eq!(line.bucket(), Bucket::Updated);
    assert!(line.fields.iter().any(|c| c.field == FieldId::NetworksTotal && c.new == Answer::Number(0)));
}

#[test]
fn a_zero_that_a_person_approves_is_written() {
    let waivers = [Rule::ValueFellToZero].into_iter().collect();
    let lines = vec![informed(1, Some(settled(1, &metrics())), &without_networks())];
    let line = World { waivers, ..world(lines) }.only_line();
    assert_eq!((line.bucket(), reasons(&line.findings)), (Bucket::Updated, vec![]));
}

#[test]
fn threats_may_fall_to_zero_freely() {
    let mut fewer = metrics();
    fewer.month.malware = Reading::Read(Threats::default());
    let record = settled(1, &metrics());
    assert_eq!(falls(Some(&record), &translate(OrgId(1), &fewer, &FORMAT)), []);
}

#[test]
fn a_number_that_was_never_above_zero_does_not_fall() {
    let record = settled(1, &without_networks());
    assert_eq!(falls(Some(&record), &translate(OrgId(1), &without_networks(), &FORMAT)), []);
}

fn creates(count: u64) -> Vec<Informed> {
    (1..=count).map(|id| informed(id, None, &metrics())).collect()
}

#[test]
fn too_many_creates_are_all_held_back_and_updates_go_on() {
    let mut lines = creates(26);
    lines.push(informed(100, Some(record(100, 100, "")), &metrics()));
    let plan = world(lines).plan();
    assert_eq!(plan.counts()[&Bucket::Skipped], 26);
    assert_eq!(plan.counts()[&Bucket::Updated], 1);
    assert_eq!(reasons(&plan.lines[0].findings), [Reason::MaxCreates]);
}

#[rstest]
#[case::at_the_limit(25, true, &[], 25)]
#[case::above_the_limit(26, true, &[], 0)]
#[case::no_record_at_all(26, false, &[], 26)]
#[case::approved(26, true, &[Rule::MaxCreates], 26)]
fn creates_within_reason(
    #[case] count: u64,
    #[case] has_records: bool,
    #[case] approved: &[Rule],
    #[case] created: usize,
) {
    let waivers = approved.iter().copied().collect();
    let plan = World { has_records, waivers, ..world(creates(count)) }.plan();
    assert_eq!(plan.counts()[&Bucket::Created], created);
}

fn missing(missing: u64, of: u64) -> Plan {
    let lines = (1..=of).map(|id| {
        if id <= missing {
            left_alone(line(id, &format!("C{id:03}")), Reason::OrganizationNotFound)
        } else {
            informed(id, Some(settled(id, &metrics())), &metrics())
        }
    });
    world(lines.collect()).plan()
}

#[rstest]
#[case::fewer_than_five(4, 10, false)]
#[case::exactly_the_limit(5, 25, false)]
#[case::above_the_limit(6, 25, true)]
#[case::all(25, 25, true)]
fn max_missing_orgs_percent_refuses_the_run(#[case] part: u64, #[case] whole: u64, #[case] refused: bool) {
    let outcome = approve(missing(part, whole), &LIMITS, &Waivers::default());
    assert_eq!(outcome.is_err(), refused);
}

#[test]
fn a_refusal_names_rule_measured_value_limit_key_and_companies() {
    let Err(refused) = approve(missing(6, 25), &LIMITS, &Waivers::default()) else {
        panic!("it must refuse")
    };
    let refusal = &refused.refusals[0];
    assert_eq!(
        refusal.to_string(),
        "refused by `max-missing-orgs-percent`: Umbrella no longer lists the organization for 6 of 25 companies (24.0 %), \
         the limit is 20 %"
    );
    assert_eq!(refusal.key, "guards.max_missing_orgs_percent");
    assert_eq!(refusal.companies.len(), 6);
    let waived = [Rule::MaxMissingOrgsPercent].into_iter().collect();
    assert!(approve(missing(6, 25), &LIMITS, &waived).is_ok());
}

#[rstest]
#[case::fewer_than_five(4, 5, false)]
#[case::exactly_the_limit(6, 20, false)]
#[case::above_the_limit(7, 20, true)]
fn max_zeroed_percent_refuses_the_run(#[case] part: u64, #[case] whole: u64, #[case] refused: bool) {
    let lines = (1..=whole).map(|id| {
        let now = if id <= part { without_networks() } else { metrics() };
        informed(id, Some(settled(id, &metrics())), &now)
    });
    let plan = world(lines.collect()).plan();
    let outcome = approve(plan, &LIMITS, &Waivers::default());
    assert_eq!(
        outcome.err().map(|refused| refused.refusals[0].rule),
        refused.then_some(Rule::MaxZeroedPercent)
    );
}
