//! Where an answer comes from.

use psasync::domain::answer::{Answer, Stored};
use psasync::domain::field::FieldId;
use psasync::domain::finding::Reason;
use psasync::run::{ExplainedField, Explanation, ValueSource};
use psasync::translate::Desired;
use simulator::Service;
use simulator::world::MappingLine;

use crate::customers::settled;
use crate::simulated::Night;

fn field(explanation: &Explanation, field: FieldId) -> &ExplainedField {
    explanation.fields.iter().find(|explained| explained.field == field).unwrap()
}

fn asked(explained: &ExplainedField) -> Vec<&str> {
    let asked = explained.sources.iter().filter_map(|source| match source {
        ValueSource::Asked { path_and_query } => path_and_query.split('?').next(),
        _ => None,
    });
    asked.collect()
}

async fn nights() -> Night {
    let night = Night::at("2026-03-01T00:00:00Z", settled()).remembering();
    for day in ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-04T00:00:00Z"] {
        night.simulation.set_now(day.parse().unwrap());
        night.sync().await;
        night.simulation.change(|world| world.umbrella.organizations[0].traffic[0].allowed_per_day += 1);
    }
    night.forget();
    night
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_followed_back_to_the_request_that_gave_it() {
    let night = nights().await;
    let [explanation] = night.explain(None).await.try_into().unwrap();
    let subject = explanation.subject.as_ref().unwrap();
    assert_eq!(subject.window.unwrap().to_string(), "2026-02-01 to 2026-02-28");
    assert_eq!(explanation.fields.len(), 16);
    let inactive = field(&explanation, FieldId::AgentsInactive);
    assert_eq!(asked(inactive), ["/reports/v2/top-identities", "/reports/v2/identities"]);
    assert_eq!(inactive.actual, Stored::new("pc-0"));
    assert!(inactive.account.as_ref().unwrap().contains("1 of 3 roaming agents"));
    assert_eq!(asked(field(&explanation, FieldId::Seats)), ["/admin/v2/managed/customers"]);
    assert_eq!(
        field(&explanation, FieldId::OrganizationId).sources,
        [ValueSource::Mapping { column: "org_id" }]
    );
}

#[tokio::test(start_paused = true)]
async fn a_month_that_is_kept_names_the_run_that_read_it_and_asks_nothing() {
    let night = nights().await;
    let [explanation] = night.explain(Some(FieldId::DnsQueries)).await.try_into().unwrap();
    assert_eq!(explanation.fields.len(), 1);
    let queries = field(&explanation, FieldId::DnsQueries);
    assert_eq!(night.count(Service::Umbrella, "total-requests"), 0);
    let [ValueSource::Kept { path_and_query, read_at, run }] = &queries.sources[..] else {
        panic!("{:?}", queries.sources)
    };
    assert!(path_and_query.starts_with("/reports/v2/total-requests/dns?from="), "{path_and_query}");
    assert_eq!(read_at.date_naive().to_string(), "2026-03-02");
    let values: Vec<_> = queries.values.iter().map(|value| value.value.number().unwrap()).collect();
    assert_eq!(values, [28 * 1032, 28 * 1031], "the latest first");
    assert_eq!(queries.values[0].run, *run);
    assert_eq!(queries.desired, Desired::Set(Answer::Number(28 * 1032)));
    assert!(!queries.changes);
    let last = explanation.last_write.as_ref().unwrap();
    assert_eq!(
        (last.kind.word(), last.noted_at.date_naive().to_string()),
        ("touch", "2026-03-04".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn at_most_ten_values_are_told() {
    let night = Night::at("2026-03-01T00:00:00Z", settled()).remembering();
    for day in 1..=12 {
        night.simulation.set_now(format!("2026-03-{day:02}T00:00:00Z").parse().unwrap());
        night.simulation.change(|world| world.umbrella.organizations[0].seats += 1);
        night.sync().await;
    }
    let [explanation] = night.explain(Some(FieldId::Seats)).await.try_into().unwrap();
    let values: Vec<_> =
        explanation.fields[0].values.iter().map(|value| value.value.number().unwrap()).collect();
    assert_eq!(values, [52, 51, 50, 49, 48, 47, 46, 45, 44, 43]);
}

#[tokio::test(start_paused = true)]
async fn without_a_state_everything_but_the_past_is_told_and_nothing_is_made() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    let [explanation] = night.explain(None).await.try_into().unwrap();
    let queries = field(&explanation, FieldId::DnsQueries);
    assert_eq!(asked(queries), ["/reports/v2/total-requests/dns"]);
    assert!(queries.changes && queries.values.is_empty() && explanation.last_write.is_none());
    assert!(!night.state_path().exists());
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_company_that_is_left_alone_says_why_for_each_of_its_lines() {
    let mut world = settled();
    world.mapping.push(MappingLine { org_id: 999, psa_id: "ACME".into(), ..MappingLine::default() });
    let night = Night::of(world);
    let explanations = night.explain(None).await;
    assert_eq!(explanations.len(), 2);
    for explanation in explanations {
        assert!(explanation.subject.is_none() && explanation.fields.is_empty());
        assert_eq!(explanation.findings[0].reason, Reason::CompanyMappedTwice);
    }
}
