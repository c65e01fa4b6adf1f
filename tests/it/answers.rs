//! The 16 fields as ConnectWise stores them.

use psasync::domain::finding::Bucket;
use psasync::run::Exit;
use rstest::rstest;
use serde_json::{Value, json};

use crate::customers::acme;
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
