//! Every reason code that this version gives, with its bucket, its severity and what it does to the exit code.

use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason, Severity};
use psasync::run::{Exit, NearMatches, Report};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::{Company, DeploymentCount, IdentityType, Question};
use simulator::{Service, World};

use crate::customers::{
    AGENTS, MONTH, NETWORKS, acme, all_settled, old_answers, question_id, record, settled, with_customers,
};
use crate::simulated::{Night, Told as _, edit, general, is_read_again};

/// The old answers of these fields are still there.
pub(crate) fn assert_kept(night: &Night, fields: &[FieldId]) {
    for (field, old) in old_answers() {
        let is_kept = night.answer("ACME", field.question()) == old;
        let is_expected = fields.contains(&field) || field == FieldId::OrganizationId;
        assert_eq!(is_kept, is_expected, "{field}");
    }
}

/// That `reason` put ACME into `bucket`, and the run ended as a degraded one.
pub(crate) fn assert_failure(report: &Report, reason: Reason, bucket: Bucket) {
    assert_eq!(report.finding("ACME", reason).severity, Severity::Failure);
    assert_eq!((report.bucket("ACME"), report.exit()), (bucket, Exit::Degraded));
}

/// That ACME's record was written all the same, and the run ended well.
pub(crate) fn assert_attention(report: &Report, reason: Reason) {
    assert_eq!(report.finding("ACME", reason).severity, Severity::Attention);
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Updated, Exit::Done));
}

// failed

#[tokio::test(start_paused = true)]
async fn write_refused() {
    let night = Night::of(settled()).with_fault("400@connectwise:PATCH /company/configurations/*2");
    assert_failure(&night.sync().await, Reason::WriteRefused, Bucket::Failed);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 2, "once without custom fields, once with them");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
}

#[tokio::test(start_paused = true)]
async fn write_not_verified_is_a_200_that_changed_nothing() {
    let night = Night::of(settled()).with_fault("false-ok@connectwise:PATCH /company/configurations/");
    assert_failure(&night.sync().await, Reason::WriteNotVerified, Bucket::Failed);
    assert_eq!(night.answer("ACME", "Seats"), json!(7));
}

#[rstest]
#[case::broken_connection("severed@connectwise:POST /company/configurations")]
#[case::server_error("503@connectwise:POST /company/configurations")]
#[case::bad_gateway("502@connectwise:POST /company/configurations")]
#[tokio::test(start_paused = true)]
async fn create_in_doubt_is_not_repeated_in_that_run_and_the_next_one_decides(#[case] fault: &str) {
    let night = Night::of(acme()).with_fault(fault);
    assert_failure(&night.sync().await, Reason::CreateInDoubt, Bucket::Failed);
    assert_eq!(night.count(Service::ConnectWise, "POST"), 1);
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Created);
    assert_eq!(night.records("ACME").len(), 1);
}

#[rstest]
#[case::broken_connection("severed(applied)@connectwise:POST /company/configurations")]
#[case::cut_answer("truncated@connectwise:POST /company/configurations")]
#[tokio::test(start_paused = true)]
async fn a_create_in_doubt_that_arrived_is_found_and_verified(#[case] fault: &str) {
    let night = Night::of(acme()).with_fault(fault);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Created, Exit::Done));
    assert_eq!(night.count(Service::ConnectWise, "POST"), 1);
    assert!(night.sync().await.plan.is_empty());
    assert_eq!(night.records("ACME").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_arrives_after_its_timeout_makes_no_second_record() {
    let night = Night::of(acme()).with_fault("slow(90000)@connectwise:POST /company/configurations");
    assert_failure(&night.sync().await, Reason::CreateInDoubt, Bucket::Failed);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(night.sync().await.plan.is_empty());
    assert_eq!(night.records("ACME").len(), 1);
}

#[rstest]
#[case::broken_connection("severed@connectwise:PATCH /company/configurations/")]
#[case::broken_connection_afterwards("severed(applied)@connectwise:PATCH /company/configurations/")]
#[case::server_error("500@connectwise:PATCH /company/configurations/")]
#[case::cut_answer("truncated@connectwise:PATCH /company/configurations/")]
#[case::page_for_people("html@connectwise:PATCH /company/configurations/")]
#[case::timeout("slow(61000)@connectwise:PATCH /company/configurations/")]
#[tokio::test(start_paused = true)]
async fn an_update_in_doubt_is_read_again_and_settled(#[case] fault: &str) {
    let night = Night::of(settled()).with_fault(fault);
    let report = night.sync().await;
    assert_eq!(
        (report.bucket("ACME"), report.exit()),
        (Bucket::Updated, Exit::Done),
        "{:?}",
        report.reasons("ACME")
    );
    assert_eq!(night.answer("ACME", "Seats"), json!(40));
}

#[tokio::test(start_paused = true)]
async fn no_default_status_stops_creates_and_not_updates() {
    let mut world = with_customers(&["ACME", "BETA"]);
    world.connectwise.records.push(record(1, 12, &[(FieldId::OrganizationId, json!("102"))]));
    world.connectwise.statuses[0].default = false;
    let night = Night::of(world);
    let report = night.sync().await;
    assert_failure(&report, Reason::NoDefaultStatus, Bucket::Failed);
    assert_eq!(report.bucket("BETA"), Bucket::Updated);
    let night = night.set("record.status", "inactive");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Created);
    assert_eq!(night.record("ACME").status, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_configured_status_that_does_not_exist_is_an_invalid_configuration() {
    let night = Night::of(acme()).set("record.status", "Aktive");
    let error = night.try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Config);
    assert_eq!(
        error.to_string(),
        "`record.status`: ConnectWise has no configuration status `Aktive`; it has `Active`, `Inactive`"
    );
}

// skipped; those that resolving finds are in `matching`

#[tokio::test(start_paused = true)]
async fn password_question_leaves_every_record_of_the_type_alone() {
    let mut world = settled();
    let secret = Question {
        id: 4900,
        question: "Portal login".into(),
        field_type: "Password".into(),
        ..Question::default()
    };
    world.connectwise.types[0].questions.push(secret);
    let night = Night::of(world);
    assert_failure(&night.sync().await, Reason::PasswordQuestion, Bucket::Skipped);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
}

#[rstest]
#[case::one_of_our_answers("Seats", json!(8))]
#[case::organization_id("Organization Id", json!("999"))]
#[case::organization_id_removed("Organization Id", Value::Null)]
#[tokio::test(start_paused = true)]
async fn changed_meanwhile_by_a_technician(#[case] question: &'static str, #[case] value: Value) {
    let night = Night::of(settled());
    let edited = value.clone();
    night.before_writing(move |simulation| edit(simulation, 1, question, edited));
    assert_failure(&night.sync().await, Reason::ChangedMeanwhile, Bucket::Skipped);
    assert_eq!(night.answer("ACME", question), value);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
}

#[tokio::test(start_paused = true)]
async fn changed_meanwhile_when_the_record_went_to_another_company() {
    let mut world = settled();
    world.connectwise.companies.push(Company { id: 50, identifier: "OTHER".into(), ..Company::default() });
    let night = Night::of(world);
    night.before_writing(|simulation| simulation.change(|world| world.connectwise.records[0].company = 50));
    assert_failure(&night.sync().await, Reason::ChangedMeanwhile, Bucket::Skipped);
}

#[tokio::test(start_paused = true)]
async fn changed_meanwhile_when_somebody_else_created_the_record() {
    let night = Night::of(acme());
    night.before_writing(|simulation| {
        simulation.change(|world| world.connectwise.records.push(record(1, 11, &old_answers())));
    });
    assert_failure(&night.sync().await, Reason::ChangedMeanwhile, Bucket::Skipped);
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_foreign_question_may_change_meanwhile_and_stays() {
    let mut world = settled();
    world.connectwise.types[0].questions.push(Question {
        id: 4900,
        question: "Owner".into(),
        ..Question::default()
    });
    let night = Night::of(world);
    night.before_writing(|simulation| edit(simulation, 1, "Owner", json!("Ann")));
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
    assert_eq!(night.answer("ACME", "Owner"), json!("Ann"));
}

// partial

#[rstest]
#[case::queries("/total-requests/dns", &[FieldId::DnsQueries])]
#[case::threats("/summaries-by-category/dns", &[FieldId::MalwarePrevented, FieldId::BotnetContained])]
#[case::destinations("/top-destinations/dns", &[FieldId::TopDomains, FieldId::TopDomainsBlocked])]
#[case::categories("/top-categories/dns", &[FieldId::TopCategories])]
#[case::identities("/identities", &[NETWORKS[0], NETWORKS[1], NETWORKS[2], AGENTS[0], AGENTS[1], AGENTS[2]])]
#[case::active("/top-identities", &[NETWORKS[0], NETWORKS[1], NETWORKS[2], AGENTS[0], AGENTS[1], AGENTS[2]])]
#[tokio::test(start_paused = true)]
async fn report_unread_costs_its_own_fields(#[case] report: &str, #[case] fields: &[FieldId]) {
    let mut world = settled();
    world.umbrella.organizations[0].refused_reports.push(report.into());
    let night = Night::of(world);
    let report = night.sync().await;
    assert_failure(&report, Reason::ReportUnread, Bucket::Partial);
    assert_kept(&night, fields);
    assert!(report.reasons("ACME").iter().all(|reason| *reason == Reason::ReportUnread));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_read_stays_unanswered_on_a_create() {
    let mut world = acme();
    world.umbrella.organizations[0].refuses_token = true;
    let night = Night::of(world);
    assert_failure(&night.sync().await, Reason::ReportUnread, Bucket::Partial);
    for field in NETWORKS.iter().chain(AGENTS).chain(MONTH) {
        assert_eq!(night.answer("ACME", field.question()), Value::Null, "{field}");
    }
    assert_eq!(night.answer("ACME", "Seats"), json!(40));
}

#[tokio::test(start_paused = true)]
async fn sources_disagree_when_only_one_of_them_says_that_something_is_active() {
    let mut world = settled();
    for identity in &mut world.umbrella.organizations[0].identities {
        if identity.kind == IdentityType::Network {
            identity.last_traffic_days_ago = Some(50);
        }
    }
    let count = |kind, active, total| DeploymentCount { kind, active, total };
    world.umbrella.organizations[0].deployments =
        Some(vec![count(IdentityType::Network, 1, 2), count(IdentityType::Anyconnect, 2, 3)]);
    let night = Night::of(world);
    assert_failure(&night.sync().await, Reason::SourcesDisagree, Bucket::Partial);
    assert_kept(&night, NETWORKS);
}

#[tokio::test(start_paused = true)]
async fn where_sources_disagree_on_counts_the_one_that_gave_the_names_wins() {
    let mut world = settled();
    let count = |kind, active, total| DeploymentCount { kind, active, total };
    world.umbrella.organizations[0].deployments =
        Some(vec![count(IdentityType::Network, 4, 7), count(IdentityType::Anyconnect, 5, 5)]);
    let night = Night::of(world);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    let answers = night.answers_of(&night.record("ACME"));
    let said = [
        &answers["Networks Total"],
        &answers["Networks Active (7 Days)"],
        &answers["Networks Inactive (7 Days)"],
    ];
    assert_eq!(said, [&json!(2), &json!(1), &json!("Warehouse")]);
    assert_eq!(answers["Roaming Agents Deployed"], json!(3));
}

#[tokio::test(start_paused = true)]
async fn not_read_in_time_leaves_the_rest_of_the_fleet_partial_and_still_writes() {
    let night = Night::of(with_customers(&["ACME", "BETA"]))
        .set("http.run_deadline_min", 10)
        .set("umbrella.limits.concurrency", 1)
        .with_fault("slow(55000)@umbrella:/reports/v2/t**")
        .with_fault("slow(55000)@umbrella:/reports/v2/s**");
    let report = night.sync().await;
    assert_eq!(report.bucket("ACME"), Bucket::Created, "{:?}", report.reasons("ACME"));
    assert_eq!(report.bucket("BETA"), Bucket::Partial);
    assert_eq!(report.finding("BETA", Reason::NotReadInTime).severity, Severity::Failure);
    assert_eq!(night.answer("BETA", "Top Categories Last Month"), Value::Null);
    assert_eq!((night.answer("BETA", "Seats"), report.exit()), (json!(40), Exit::Degraded));
}

fn seats(world: &mut World) -> &mut Question {
    let id = question_id(FieldId::Seats);
    world.connectwise.types[0].questions.iter_mut().find(|one| one.id == id).unwrap()
}

#[tokio::test(start_paused = true)]
async fn question_near_match_leaves_the_field_out_until_a_person_decides() {
    let mut world = settled();
    seats(&mut world).question = "Seats:".into();
    let night = Night::of(world);
    assert_failure(&night.sync().await, Reason::QuestionNearMatch, Bucket::Partial);
    assert_eq!(night.answer("ACME", "Seats:"), json!(7));
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
    night.bootstrap(NearMatches::Create).await.unwrap();
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Updated, Exit::Done));
    assert_eq!((night.answer("ACME", "Seats"), night.answer("ACME", "Seats:")), (json!(40), json!(7)));
}

#[tokio::test(start_paused = true)]
async fn question_ambiguous_leaves_the_field_out() {
    let mut world = settled();
    let twin = Question { id: 4900, question: " seats".into(), ..seats(&mut world).clone() };
    world.connectwise.types[0].questions.push(twin);
    let night = Night::of(world);
    assert_failure(&night.sync().await, Reason::QuestionAmbiguous, Bucket::Partial);
    assert_eq!(night.answer("ACME", "Seats"), json!(7));
}

fn checkbox(question: &mut Question) {
    question.field_type = "Checkbox".into();
}

fn list_of_choices(question: &mut Question) {
    question.entry_type = "List".into();
}

#[rstest]
#[case::of_another_field_type(checkbox)]
#[case::of_another_entry_type(list_of_choices)]
#[tokio::test(start_paused = true)]
async fn question_type_unfit_leaves_the_field_out(#[case] change: fn(&mut Question)) {
    let mut world = settled();
    change(seats(&mut world));
    world.connectwise.records.clear();
    let night = Night::of(world);
    assert_failure(&night.sync().await, Reason::QuestionTypeUnfit, Bucket::Partial);
    assert_eq!(night.answer("ACME", "Seats"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_question_about_another_number_of_days_is_no_near_match() {
    let mut world = settled();
    let active = question_id(FieldId::NetworksActive);
    let question = world.connectwise.types[0].questions.iter_mut().find(|one| one.id == active).unwrap();
    question.question = "Networks Active (30 Days)".into();
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(
        (report.setup_changes, report.bucket("ACME"), report.exit()),
        (1, Bucket::Updated, Exit::Done)
    );
    let answers = night.answers_of(&night.record("ACME"));
    let said = [&answers["Networks Active (30 Days)"], &answers["Networks Active (7 Days)"]];
    assert_eq!(said, [&json!(8), &json!(1)]);
}

// attention; `extra-records` and `record-inactive` are in `matching`

#[tokio::test(start_paused = true)]
async fn company_inactive_is_written_all_the_same() {
    let mut world = settled();
    world.connectwise.companies[0].status = 2;
    assert_attention(&Night::of(world).sync().await, Reason::CompanyInactive);
}

#[tokio::test(start_paused = true)]
async fn package_unknown_keeps_the_old_answer() {
    let mut world = settled();
    world.umbrella.console.package_name = String::new();
    let night = Night::of(world);
    assert_attention(&night.sync().await, Reason::PackageUnknown);
    assert_eq!(night.answer("ACME", "Package"), json!("Old package"));
}

#[tokio::test(start_paused = true)]
async fn seats_unknown_keeps_the_old_answer() {
    let night = Night::of(settled()).set("umbrella.customers", "mapping");
    assert_attention(&night.sync().await, Reason::SeatsUnknown);
    assert_eq!(night.answer("ACME", "Seats"), json!(7));
}

#[rstest]
#[case::update(settled())]
#[case::create(acme())]
#[tokio::test(start_paused = true)]
async fn answer_altered_outside_ascii_counts_as_equal_from_then_on(#[case] mut world: World) {
    world.umbrella.organizations[0].identities[1].label = "Café 😀".into();
    let night = Night::of(world).with_fault("non-ascii@connectwise:/company/configurations**");
    let report = night.sync().await;
    assert_eq!(report.finding("ACME", Reason::AnswerAltered).severity, Severity::Attention);
    assert_eq!(report.exit(), Exit::Done);
    assert_eq!(night.answer("ACME", "Networks Inactive (7 Days)"), json!("Caf? ?"));
    assert!(night.sync().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn answer_altered_by_being_cut_is_attention() {
    let night = Night::of(settled()).with_fault("cut(20)@connectwise:/company/configurations**");
    assert_attention(&night.sync().await, Reason::AnswerAltered);
    assert_eq!(night.answer("ACME", "Top Domains Last Month"), json!("mail.example; search"));
}

#[tokio::test(start_paused = true)]
async fn category_moved_keeps_the_old_answer_of_its_field() {
    let mut world = settled();
    let category = world.umbrella.categories.iter_mut().find(|category| category.id == 65).unwrap();
    category.label = "Parked Domains".into();
    let night = Night::of(world);
    assert_attention(&night.sync().await, Reason::CategoryMoved);
    assert_kept(&night, &[FieldId::BotnetContained]);
}

#[tokio::test(start_paused = true)]
async fn api_version_behind_when_the_server_has_moved_on() {
    let mut world = settled();
    world.connectwise.version = "2025.16".into();
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(general(&report.plan), [Reason::ApiVersionBehind]);
    assert_eq!(report.exit(), Exit::Done);
    let night = night.set("connectwise.api_version", "2025.16");
    assert_eq!(general(&night.sync().await.plan), []);
}

#[tokio::test(start_paused = true)]
async fn right_missing_for_company_statuses_and_the_run_goes_on() {
    let mut world = settled();
    world.connectwise.role.reads_company_statuses = false;
    world.connectwise.companies[0].status = 2;
    let report = Night::of(world).sync().await;
    assert_eq!(general(&report.plan), [Reason::RightMissing]);
    assert_eq!((report.bucket("ACME"), report.reasons("ACME")), (Bucket::Updated, vec![]));
    assert_eq!(report.exit(), Exit::Done);
}

// info; `unmapped` is in `matching`

#[tokio::test(start_paused = true)]
async fn question_inactive_leaves_the_field_out_and_degrades_nothing() {
    let mut world = settled();
    seats(&mut world).inactive = true;
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(general(&report.plan), [Reason::QuestionInactive]);
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Updated, Exit::Done));
    assert_eq!((night.answer("ACME", "Seats"), night.count(Service::ConnectWise, "POST")), (json!(7), 0));
}

#[rstest]
#[case::paused("paused", Reason::Paused)]
#[case::ended("ended", Reason::Ended)]
#[tokio::test(start_paused = true)]
async fn a_line_out_of_service_is_not_written_and_not_judged(#[case] state: &str, #[case] reason: Reason) {
    let mut world = settled();
    world.mapping[0].state = state.into();
    world.umbrella.organizations.clear();
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(report.finding("ACME", reason).severity, Severity::Info);
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Paused, Exit::Done));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
}

// What is about all of them

#[tokio::test(start_paused = true)]
async fn a_code_that_the_mapping_accepts_is_attention_and_degrades_nothing() {
    let mut world = settled();
    world.umbrella.organizations[0].refused_reports.push("/top-categories/dns".into());
    world.mapping[0].accept = "report-unread company-inactive".into();
    let report = Night::of(world).sync().await;
    assert_eq!(report.finding("ACME", Reason::ReportUnread).severity, Severity::Attention);
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Partial, Exit::Done));
}

#[tokio::test(start_paused = true)]
async fn the_first_bucket_that_applies_counts() {
    let mut world = settled();
    world.umbrella.organizations[0].traffic.clear();
    world.umbrella.organizations[0].refused_reports.push("/identities".into());
    let night = Night::of(world)
        .with_fault("503@umbrella:/reports/v2/providers/requests-by-org**")
        .with_fault("400@connectwise:PATCH /company/configurations/*2");
    let report = night.sync().await;
    let expected = [Reason::ValueFellToZero, Reason::ReportUnread, Reason::WriteRefused];
    assert_eq!(report.reasons("ACME"), expected);
    assert_eq!(report.bucket("ACME"), Bucket::Failed);
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Held);
}

#[tokio::test(start_paused = true)]
async fn the_demo_worlds_lines_are_each_in_one_bucket_of_plan_and_of_sync() {
    let night = Night::of(World::demo()).set("guards.max_creates", 100);
    let planned = night.plan().await;
    let report = night.sync().await;
    let lines = planned.plan.lines.len();
    for counts in [planned.plan.counts(), report.counts()] {
        assert_eq!(counts.values().sum::<usize>(), lines);
    }
    assert_eq!(planned.plan.counts(), report.counts());
    assert_eq!((planned.exit(false), report.exit()), (Exit::Degraded, Exit::Degraded));
}

/// In the list of all records, or in the reading just before the write.
#[rstest]
#[case::in_the_list(false, "no questions", json!(null))]
#[case::just_before_the_write(true, "no questions", json!(null))]
#[case::without_an_id(false, "a question without an id", json!([{"answer": 1}]))]
#[case::of_no_shape(true, "questions of an unexpected shape", json!([{"questionId": "x"}]))]
#[tokio::test(start_paused = true)]
async fn record_unreadable_leaves_the_record_alone_and_nobody_else(
    #[case] when_written: bool,
    #[case] what: &str,
    #[case] questions: Value,
) {
    let night = Night::of(all_settled(&["ACME", "BETA", "GAMMA"]));
    let before = night.record("BETA");
    night.altering(move |request, response| {
        let is_list = request.uri().path().ends_with("/company/configurations") && request.method() == "GET";
        if !is_list || is_read_again(request) != when_written {
            return response;
        }
        let mut rows: Vec<Value> = serde_json::from_slice(response.body()).unwrap();
        rows.iter_mut().filter(|row| row["id"] == 2).for_each(|row| row["questions"] = questions.clone());
        response.map(|_| serde_json::to_vec(&rows).unwrap().into())
    });
    let report = night.sync().await;
    assert_eq!(report.finding("BETA", Reason::RecordUnreadable).sentence, format!("record 2 has {what}"));
    assert_eq!(
        ["ACME", "BETA", "GAMMA"].map(|psa_id| report.bucket(psa_id)),
        [Bucket::Updated, Bucket::Skipped, Bucket::Updated]
    );
    assert_eq!(night.record("BETA").answers, before.answers);
}
