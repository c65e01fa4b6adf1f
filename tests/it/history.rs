//! What the state tells a person, and how it forgets a customer.

use insta::assert_snapshot;
use psasync::domain::field::FieldId;
use psasync::render::{json::v1, text};
use psasync::run::{Exit, PastRun};
use psasync::store::{Outcome, StateError};
use psasync::translate::ThreatCount;
use serde_json::{Value, json};

use crate::customers::{acme, old_answers, record, settled, with_customers};
use crate::rendering::without_numbers;
use crate::simulated::Night;

fn at(night: &Night, now: &str) {
    night.simulation.set_now(now.parse().unwrap());
    night.forget();
}

/// `ACME` and `BETA`, both with old answers, after a night on 2026-03-10.
async fn two() -> Night {
    let mut world = with_customers(&["ACME", "BETA"]);
    let mut answers = old_answers();
    world.connectwise.records.push(record(1, 11, &answers));
    answers[0].1 = json!("102");
    answers.retain(|(field, _)| *field != FieldId::Package);
    world.connectwise.records.push(record(2, 12, &answers));
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering();
    night.sync().await;
    night.forget();
    night
}

fn outcomes(runs: &[PastRun]) -> Vec<&str> {
    runs.iter().map(|run| run.outcome.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_over_some_companies_says_so_without_naming_them() {
    let night = two().await.company("ACME");
    night.sync().await;
    let runs = night.past_runs().await;
    let scopes: Vec<_> = runs.iter().map(|run| run.row.scope.as_deref()).collect();
    assert_eq!(scopes, [Some("1 company"), None]);
}

#[tokio::test(start_paused = true)]
async fn a_run_without_an_end_is_running_while_it_has_the_lease_and_unfinished_afterwards() {
    use psasync::store::NewRun;
    let night = two().await;
    let lease = night.take_lease().await;
    let now = night.simulation.now();
    let run = NewRun {
        id: lease.run(),
        command: "sync",
        about: None,
        scope: None,
        scheduled: now,
        started_at: now,
    };
    night.state().await.begin_run(&run).await.unwrap();
    assert_eq!(outcomes(&night.past_runs().await), ["running", "done"]);
    at(&night, "2026-03-10T00:02:00Z");
    assert_eq!(outcomes(&night.past_runs().await), ["unfinished", "done"]);
    lease.release().await.unwrap();
    at(&night, "2026-03-10T00:00:01Z");
    assert_eq!(outcomes(&night.past_runs().await), ["unfinished", "done"]);
}

#[tokio::test(start_paused = true)]
async fn a_companys_history_has_every_answer_that_changed_and_never_last_updated() {
    let night = two().await;
    at(&night, "2026-03-11T00:00:00Z");
    night.sync().await;
    night.simulation.change(|world| world.umbrella.organizations[0].seats = 41);
    at(&night, "2026-03-12T00:00:00Z");
    night.sync().await;
    night.forget();
    let history = night.company_history(" acme ").await.unwrap();
    assert!(night.simulation.log().is_empty(), "nobody is asked");
    assert_eq!(history.psa_id, "ACME");
    let told: Vec<_> =
        history.writes.iter().map(|write| (write.at.date_naive().to_string(), write.answers.len())).collect();
    assert_eq!(told, [("2026-03-12".to_owned(), 1), ("2026-03-10".to_owned(), 14)]);
    let (field, old, new) = &history.writes[0].answers[0];
    assert_eq!((*field, old.text(), new.text()), (FieldId::Seats, Some("40"), Some("41")));
    let fields = history.writes.iter().flat_map(|write| &write.answers).map(|(field, ..)| *field);
    assert!(!fields.collect::<Vec<_>>().contains(&FieldId::LastUpdated));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_not_verified_is_marked_and_one_that_was_refused_is_no_change() {
    for (fault, expected) in [
        ("false-ok@connectwise:PATCH /company/configurations/", vec![false]),
        ("400@connectwise:PATCH /company/configurations/*2", vec![]),
    ] {
        let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering().with_fault(fault);
        night.sync().await;
        let history = night.company_history("ACME").await.unwrap();
        let verified: Vec<_> = history.writes.iter().map(|write| write.is_verified).collect();
        assert_eq!(verified, expected, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_company_that_left_the_mapping_is_still_found() {
    let night = two().await;
    night.simulation.change(|world| world.mapping.truncate(1));
    night.remap();
    assert_eq!(night.company_history("beta").await.unwrap().writes.len(), 1);
    let months = night.months(Some("BETA")).await.unwrap().unwrap();
    assert_eq!((months.len(), months[0].organization.0), (1, 102));
    let all = night.months(None).await.unwrap().unwrap();
    assert_eq!(all.len(), 1, "without a company, those that are mapped");
    let error = night.company_history("GAMMA").await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(error.to_string().contains("`GAMMA`"), "{error}");
    assert_eq!(night.months(Some("GAMMA")).await.unwrap_err().exit(), Exit::Usage);
    assert_eq!(night.farewell("GAMMA").await.unwrap_err().exit(), Exit::Usage);
}

#[tokio::test(start_paused = true)]
async fn months_are_whole_calendar_months() {
    // A record that was created in the month covers 30 days at first, which are no month.
    let night = Night::at("2026-03-15T00:00:00Z", acme()).remembering();
    night.sync().await;
    let months = night.months(None).await.unwrap().unwrap();
    let [month] = months[0].months.as_slice() else { panic!("{months:?}") };
    assert_eq!((month.month.as_str(), month.answers.queries), ("2026-03", None), "what was counted is known");
    assert_eq!(month.counts.networks_total, Some(2));
    at(&night, "2026-04-01T00:00:00Z");
    night.sync().await;
    let months = night.months(Some("ACME")).await.unwrap().unwrap();
    let [march] = months[0].months.as_slice() else { panic!("{months:?}") };
    assert_eq!(march.month, "2026-03");
    assert_eq!(json!(march.answers.queries), night.answer("ACME", "DNS Queries Last Month"));
    assert!(march.answers.threats.is_some() && march.answers.top_categories.is_some());
}

#[tokio::test(start_paused = true)]
async fn without_a_state_there_is_nothing_to_tell() {
    let night = Night::of(acme()).remembering();
    let history = night.company_history("ACME").await.unwrap();
    assert!(!history.has_state);
    assert!(text::history_of_company(&history).contains("no state yet"));
    let document: Value = serde_json::from_str(&v1::history_of_company(&history)).unwrap();
    assert_eq!((&document["kind"], &document["changes"]), (&json!("history"), &json!([])));
    assert_eq!(night.months(None).await.unwrap(), None);
    assert!(text::months(None, ThreatCount::Sites).contains("no state yet"));
    assert_eq!(night.farewell("ACME").await.unwrap(), None);
    assert!(text::history(None).contains("no state yet") && text::forgotten(None).contains("no state yet"));
    assert!(!night.state_path().exists(), "looking makes none");
}

/// Whether `text` is in the bytes of the state's file.
fn is_kept(night: &Night, text: &str) -> bool {
    let bytes = std::fs::read(night.state_path()).unwrap();
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

#[tokio::test(start_paused = true)]
async fn after_forgetting_nothing_of_the_customer_is_in_the_file() {
    let mut world = with_customers(&["ZEBRACORP", "BETA"]);
    world.connectwise.records.push(record(1, 11, &old_answers()));
    for (at, row) in world.umbrella.organizations[0].traffic.iter_mut().enumerate() {
        row.domain = format!("host-{at}.zebracorp.example");
    }
    for identity in &mut world.umbrella.organizations[0].identities {
        identity.label = format!("zebracorp-{}-é", identity.id);
    }
    let night = Night::at("2026-03-10T00:00:00Z", world)
        .remembering()
        .with_fault("non-ascii@connectwise:/company/configurations**");
    night.sync().await;
    let state = night.state().await;
    let run = night.past_runs().await[0].row.clone();
    let ended = psasync::store::Ended {
        finished_at: run.started_at,
        outcome: Outcome::Denied,
        problem: Some("record 1 of ZEBRACORP was created, but ConnectWise does not list it".into()),
        counts: run.counts,
        calls: run.calls,
        measures: None,
    };
    state.finish_run(run.id, &ended).await.unwrap();
    assert!(is_kept(&night, "zebracorp-1011") && is_kept(&night, "host-0.zebracorp"), "it is remembered");
    let forgotten = night.forget_company("zebracorp").await.unwrap();
    assert!(forgotten.writes >= 1 && forgotten.months >= 6, "{forgotten:?}");
    assert!(!is_kept(&night, "zebracorp"));
    assert!(is_kept(&night, "BETA") && is_kept(&night, "search.example"), "the others are remembered");
    assert_eq!(night.company_history("ZEBRACORP").await.unwrap().writes, []);
    // The company is still mapped: the next run works as if it were new, and remembers it again.
    assert!(night.farewell("ZEBRACORP").await.unwrap().unwrap().is_active);
    at(&night, "2026-03-11T00:00:00Z");
    night.sync().await;
    assert!(is_kept(&night, "host-0.zebracorp"));
}

#[tokio::test(start_paused = true)]
async fn forgetting_leaves_nothing_in_the_pages_of_a_larger_file() {
    let names: Vec<_> = (0..60).map(|at| format!("CUSTOMER-{at:02}-X")).collect();
    let mut world = with_customers(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (organization, name) in world.umbrella.organizations.iter_mut().zip(&names) {
        organization.traffic[0].domain = format!("{name}.example");
        organization.identities[1].label = format!("{name} office");
    }
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering().set("guards.max_creates", 100);
    for day in ["2026-03-10", "2026-03-11", "2026-04-01"] {
        at(&night, &format!("{day}T00:00:00Z"));
        night.simulation.change(|world| {
            for organization in &mut world.umbrella.organizations {
                organization.identities[1].label += "!";
            }
        });
        night.sync().await;
    }
    for name in names.iter().step_by(7) {
        assert!(is_kept(&night, name));
        night.forget_company(name).await.unwrap();
        assert!(!is_kept(&night, name), "{name}");
    }
    assert!(is_kept(&night, &names[1]));
}

#[tokio::test(start_paused = true)]
async fn forgetting_includes_what_was_written_before_the_company_was_renamed() {
    let night = two().await;
    night.simulation.change(|world| {
        world.connectwise.companies[0].identifier = "NEWNAME".into();
        world.mapping[0].psa_id = "NEWNAME".into();
    });
    night.remap();
    assert_eq!(night.farewell("NEWNAME").await.unwrap().unwrap().organizations.len(), 1);
    assert!(night.forget_company("NEWNAME").await.unwrap().writes >= 1);
    assert!(!is_kept(&night, "ACME"));
    assert_eq!(night.company_history("BETA").await.unwrap().writes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_another_company_has_now_is_not_forgotten_with_its_old_one() {
    let night = two().await;
    night.simulation.change(|world| {
        world.mapping[0].psa_id = "BETA".into();
        world.mapping[1].psa_id = "ACME".into();
        world.mapping.truncate(1);
    });
    night.remap();
    let farewell = night.farewell("ACME").await.unwrap().unwrap();
    assert_eq!((farewell.organizations, farewell.is_active), (vec![], false));
    let farewell = night.farewell("BETA").await.unwrap().unwrap();
    assert_eq!(farewell.organizations.iter().map(|id| id.0).collect::<Vec<_>>(), [101, 102]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_forgotten_while_a_run_has_the_lease() {
    let night = two().await;
    let lease = night.take_lease().await;
    assert_eq!(night.forget_company("ACME").await.unwrap_err().exit(), Exit::Leased);
    assert_eq!(night.company_history("ACME").await.unwrap().writes.len(), 1);
    lease.release().await.unwrap();
    night.forget_company("ACME").await.unwrap();
    assert_eq!(night.state().await.reader().holders().await.unwrap(), [], "the lease is given back");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_read_is_told() {
    let night = Night::of(acme()).remembering();
    std::fs::write(night.state_path(), [7; 2000]).unwrap();
    let error = night.company_history("ACME").await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    let hint = StateError::Unusable { place: String::new(), why: String::new() }.hint();
    assert_eq!(error.hint(), hint);
}

/// Without colours, with a name in place of each id of a run, and with `#` in place of how many requests there were.
fn plain(rendered: &str) -> String {
    let mut plain = String::new();
    for line in anstream::adapter::strip_str(rendered).to_string().lines() {
        let key = line.trim_start();
        let is_calls = ["requests:", "\"requests\"", "\"repeated\"", "\"unsuccessful\"", "In the history"];
        let line: String = line.split_inclusive([' ', '"']).map(without_id).collect();
        let is_about_calls = is_calls.iter().any(|begin| key.starts_with(begin));
        plain += &if is_about_calls { without_numbers(&line) } else { line };
        plain.push('\n');
    }
    plain
}

fn without_id(word: &str) -> String {
    let id = word.trim_end_matches([' ', '"', ':', '.', ',']);
    if psasync::domain::ids::RunId::parse(id).is_some() { word.replace(id, "<run>") } else { word.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn the_history_reads_as_it_did() {
    let night = two().await;
    night.edit("BETA", "Seats", json!(1));
    let planned = night.plan_undo("last", &[]).await.unwrap();
    assert_snapshot!("undo_plan_text", plain(&text::undo_plan(&planned)));
    assert_snapshot!("undo_plan_json", plain(&shortened(&v1::undo_plan(&planned, Exit::Usage))));
    let undone = night.carry_out(planned).await.unwrap();
    assert_snapshot!("undo_text", plain(&text::undo(&undone)));
    let history = night.run_history().await;
    assert_snapshot!("history_text", plain(&text::history(Some(&history))));
    assert_snapshot!("history_json", plain(&v1::history(&history)));
    let company = night.company_history("BETA").await.unwrap();
    assert_snapshot!("history_company_text", plain(&text::history_of_company(&company)));
    assert_snapshot!("history_company_json", plain(&shortened(&v1::history_of_company(&company))));
    let months = night.months(Some("ACME")).await.unwrap();
    assert_snapshot!("months_text", plain(&text::months(months.as_deref(), ThreatCount::Sites)));
    assert_snapshot!("months_json", plain(&v1::months(months.as_deref().unwrap())));
    let farewell = night.farewell("ACME").await.unwrap().unwrap();
    let removed = night.forget_company("ACME").await.unwrap();
    assert_snapshot!("forgotten_text", plain(&text::forgotten(Some((&farewell, &removed)))));
    assert_snapshot!("forgotten_json", plain(&v1::forgotten("ACME", Some((&farewell, &removed)))));
}

/// The document with the first two entries of its longest lists, and without its calls and its digest.
fn shortened(document: &str) -> String {
    let mut document: Value = serde_json::from_str(document).unwrap();
    let members = document.as_object_mut().unwrap();
    members.remove("calls");
    members.remove("digest");
    if let Some(changes) = members.get_mut("changes") {
        changes.as_array_mut().unwrap().truncate(2);
    }
    for company in members.get_mut("companies").and_then(Value::as_array_mut).into_iter().flatten() {
        company["fields"].as_array_mut().unwrap().truncate(2);
    }
    serde_json::to_string_pretty(&document).unwrap()
}
