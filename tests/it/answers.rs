//! The 16 fields as ConnectWise stores them.

use psasync::domain::field::FieldId;
use psasync::domain::finding::Bucket;
use psasync::domain::question::FieldType;
use psasync::run::Exit;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::{ConsoleKind, IdentityType};
use simulator::{Service, World};

use crate::customers::{acme, identity};
use crate::simulated::{Night, Told as _};

#[rstest]
#[case::organization_id("Organization Id", "Text", json!("101"))]
#[case::package("Package", "Text", json!("Umbrella DNS Security Advantage"))]
#[case::seats("Seats", "Number", json!(40))]
#[case::networks_total("Networks Total", "Number", json!(2))]
#[case::networks_active("Networks Active (7 Days)", "Number", json!(1))]
#[case::networks_inactive("Networks Inactive (7 Days)", "TextArea", json!("Warehouse"))]
#[case::agents_deployed("Roaming Agents Deployed", "Number", json!(3))]
#[case::agents_active("Agents Active (7 Days)", "Number", json!(2))]
#[case::agents_inactive("Agents Inactive (7 Days)", "TextArea", json!("pc-0"))]
#[case::dns_queries("DNS Queries Last Month", "Number", json!(30 * 1031))]
#[case::malware("Malware Infections Prevented Last Month", "Number", json!(2))]
#[case::botnet("Botnet Infections Contained Last Month", "Number", json!(1))]
#[case::top_domains("Top Domains Last Month", "TextArea", json!("mail.example; search.example"))]
#[case::top_domains_blocked(
    "Top Domains Blocked Last Month",
    "TextArea",
    json!("one.malware.example; bot.example; games.example; two.malware.example")
)]
#[case::top_categories(
    "Top Categories Last Month",
    "TextArea",
    json!("Web-based Email (18000); Search Engines and Portals (12000)")
)]
#[case::last_updated("Last Updated", "Text", json!("2026-03-15 00:00 UTC"))]
#[tokio::test(start_paused = true)]
async fn a_field_is_stored_as(#[case] question: &str, #[case] field_type: &str, #[case] answer: Value) {
    let mut world = acme();
    world.connectwise.types.clear();
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Created, Exit::Done));
    let record = night.record("ACME");
    assert_eq!(night.answers_of(&record)[question], answer);
    let asked = night.simulation.inspect(|world| {
        let questions = &world.connectwise.types[0].questions;
        questions.iter().find(|one| one.question == question).unwrap().clone()
    });
    assert_eq!((asked.field_type.as_str(), asked.entry_type.as_str()), (field_type, "EntryField"));
    assert!(!asked.required && !asked.inactive);
}

fn with_question(field: &str, field_type: &str) -> World {
    let mut world = acme();
    let question = world.connectwise.types[0].questions.iter_mut().find(|one| one.question == field).unwrap();
    question.field_type = field_type.into();
    world
}

#[rstest]
#[case::number_to_text("Seats", "Text", json!("40"))]
#[case::number_to_text_area("DNS Queries Last Month", "TextArea", json!("30930"))]
#[case::number_to_currency("Seats", "Currency", json!(40))]
#[case::organization_id_to_number("Organization Id", "Number", json!(101))]
#[case::list_to_text("Networks Inactive (7 Days)", "Text", json!("Warehouse"))]
#[case::last_updated_to_date("Last Updated", "Date", json!("2026-03-15T00:00:00Z"))]
#[tokio::test(start_paused = true)]
async fn a_question_that_exists_keeps_its_type_and_gets_the_answer_in_that_types_form(
    #[case] question: &str,
    #[case] field_type: &str,
    #[case] answer: Value,
) {
    let night = Night::of(with_question(question, field_type));
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Created, Exit::Done));
    assert_eq!(night.answer("ACME", question), answer);
    assert!(night.sync().await.plan.is_empty());
    let now = night.simulation.inspect(|world| {
        let questions = &world.connectwise.types[0].questions;
        questions.iter().find(|one| one.question == question).unwrap().field_type.clone()
    });
    assert_eq!(now, field_type);
}

#[tokio::test(start_paused = true)]
async fn questions_are_matched_by_text_but_for_case_and_white_space() {
    let mut world = acme();
    for question in &mut world.connectwise.types[0].questions {
        question.question = format!(" {}  ", question.question.to_uppercase().replace(' ', "  "));
    }
    let night = Night::of(world);
    let report = night.sync().await;
    assert!(report.plan.setup.is_empty());
    assert_eq!(night.answer("ACME", " SEATS  "), json!(40));
}

pub(crate) fn with_inactive_agents(names: &[String]) -> World {
    let mut world = acme();
    world.umbrella.organizations[0].identities.clear();
    for (position, name) in names.iter().enumerate() {
        let id = 9000 + i64::try_from(position).unwrap();
        world.umbrella.organizations[0].identities.push(identity(id, IdentityType::Anyconnect, name, 30));
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_long_list_keeps_whole_items_and_says_how_many_there_are_more() {
    let names: Vec<_> = (0..4).map(|number| format!("{number}{}", "é".repeat(299))).collect();
    let night = Night::of(with_inactive_agents(&names));
    night.sync().await;
    let expected = format!("{}; +1 more", names[..3].join("; "));
    assert_eq!(night.answer("ACME", "Agents Inactive (7 Days)"), json!(expected));
    assert!(night.sync().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_does_not_fit_is_cut() {
    let night = Night::of(with_inactive_agents(&["é".repeat(300)])).set("record.max_answer_chars", 120);
    night.sync().await;
    assert_eq!(night.answer("ACME", "Agents Inactive (7 Days)"), json!("é".repeat(119) + "…"));
    assert!(night.sync().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn top_n_is_the_length_of_the_top_lists() {
    let night = Night::of(acme()).set("record.top_n", 1);
    night.sync().await;
    assert_eq!(night.answer("ACME", "Top Domains Last Month"), json!("mail.example"));
    assert_eq!(night.answer("ACME", "Top Domains Blocked Last Month"), json!("one.malware.example"));
    assert_eq!(night.answer("ACME", "Top Categories Last Month"), json!("Web-based Email (18000)"));
}

#[tokio::test(start_paused = true)]
async fn threats_count_blocked_requests_where_that_is_set() {
    let night = Night::of(acme()).set("record.threat_count", "requests");
    night.sync().await;
    assert_eq!(night.answer("ACME", "Malware Infections Prevented Last Month"), json!(450));
    assert_eq!(night.answer("ACME", "Botnet Infections Contained Last Month"), json!(270));
}

#[rstest]
#[case::customer_list("providers", "From the mapping", "From the list")]
#[case::mapping("managed", "From the mapping", "From the mapping")]
#[case::console("managed", "", "From the console")]
#[tokio::test(start_paused = true)]
async fn the_package_comes_from_the_first_source_that_names_it(
    #[case] kind: &str,
    #[case] mapping: &str,
    #[case] expected: &str,
) {
    let mut world = acme();
    if kind == "providers" {
        world.umbrella.console.kind = ConsoleKind::Providers;
    }
    world.umbrella.console.package_name = "From the console".into();
    world.umbrella.organizations[0].package_name = "From the list".into();
    world.mapping[0].package = mapping.into();
    let night = Night::of(world);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(night.answer("ACME", "Package"), json!(expected));
}

#[tokio::test(start_paused = true)]
async fn comparison_is_canonical_and_the_record_is_not_written_for_its_form() {
    let night = Night::of(acme()).set("record.touch", "on-change");
    night.sync().await;
    night.edit("ACME", "Seats", json!("40.0"));
    night.edit("ACME", "Top Domains Last Month", json!("  mail.example;\u{a0} search.example "));
    night.forget();
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.plan.is_empty()), (Bucket::Unchanged, true));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
    night.edit("ACME", "Seats", json!(41));
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
    assert_eq!(night.answer("ACME", "Seats"), json!(40));
}

/// What is missing inside a complete answer is 0.
#[tokio::test(start_paused = true)]
async fn an_organization_with_nothing_at_all_has_zeros_and_none() {
    let mut world = acme();
    world.umbrella.organizations[0].identities.clear();
    world.umbrella.organizations[0].traffic.clear();
    let night = Night::of(world);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    for field in FieldId::all().filter(|field| field.sequence() > 3 && *field != FieldId::LastUpdated) {
        let expected = if field.spec().field_type == FieldType::Number { json!(0) } else { json!("None") };
        assert_eq!(night.answer("ACME", field.question()), expected, "{field}");
    }
}
