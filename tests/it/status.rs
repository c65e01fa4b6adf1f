//! The status page: what a person reads, and a program.

use chrono::TimeDelta;
use insta::assert_snapshot;
use psasync::run::{Status, Verdict, status};
use psasync::store::{Ended, NewRun, Outcome};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::{MappingLine, Organization};

use crate::customers::{settled, with_customers};
use crate::guards::six;
use crate::rendering::small;
use crate::simulated::Night;
use crate::state::at;

const FIRST: &str = "2026-03-10T00:00:00Z";

async fn look(night: &Night) -> Status {
    let run = night.run();
    status(&run.config, &run.mapping, night.simulation.now(), None).await.unwrap()
}

async fn page(night: &Night, path: &str) -> String {
    let (status, page) = night.page(path).await;
    assert_eq!(status, 200, "{page}");
    page
}

async fn document(night: &Night) -> Value {
    serde_json::from_str(&page(night, "/status.json").await).unwrap()
}

#[tokio::test(start_paused = true)]
async fn before_the_first_night_the_page_says_so() {
    let night = Night::at(FIRST, settled()).remembering();
    assert_eq!(look(&night).await.verdict(), Verdict::NeverRan);
    let page = page(&night, "/").await;
    for told in [
        "No night has come to its end yet",
        "No run is in the history yet",
        "1 line of the mapping: no night",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert_eq!(document(&night).await["verdict"], "never-ran");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_needed_until_the_last_success_is_too_old() {
    let night = Night::at(FIRST, settled()).remembering();
    night.sync().await;
    assert_eq!(look(&night).await.verdict(), Verdict::Good);
    assert!(page(&night, "/").await.contains("Nobody is needed"));
    at(&night, "2026-03-11T06:01:00Z");
    assert!(matches!(look(&night).await.verdict(), Verdict::Stale { .. }));
    let stale = document(&night).await;
    assert_eq!((&stale["stale"], &stale["verdict"]), (&json!(true), &json!("stale")));
    assert!(page(&night, "/").await.contains("The last success was 30 h ago"));
}

#[tokio::test(start_paused = true)]
async fn a_company_that_needs_a_person_is_counted_once_whatever_is_wrong_with_it() {
    let mut world = with_customers(&["ACME", "BETA"]);
    world.mapping[0].psa_id = "BETA".into();
    let night = Night::at(FIRST, world).remembering();
    night.sync().await;
    assert_eq!(look(&night).await.verdict(), Verdict::NeedsPerson { companies: 1 });
    let page = page(&night, "/").await;
    assert!(page.contains("1 company needs a person") && page.contains("2 times"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_night_that_was_not_carried_out_comes_first_and_says_why() {
    let night = Night::at(FIRST, six()).remembering();
    night.sync().await;
    at(&night, "2026-03-11T00:00:00Z");
    night.simulation.change(|world| world.umbrella.organizations.truncate(1));
    night.sync().await;
    let refused = look(&night).await;
    let verdict = refused.verdict();
    let Verdict::NotCarriedOut { outcome: Some(Outcome::Refused), problem: Some(problem) } = verdict else {
        panic!("{verdict:?}");
    };
    assert!(problem.contains("max-missing-orgs-percent"), "{problem}");
    let page = page(&night, "/").await;
    assert!(
        page.contains("A guard refused the last night") && page.contains("found by the nights before"),
        "{page}"
    );
    // A run of one company is no night.
    let night = night.company("ACME");
    night.sync().await;
    assert!(matches!(look(&night).await.verdict(), Verdict::NotCarriedOut { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_was_not_carried_out_is_told_until_it_ran_again() {
    let night = Night::at(FIRST, settled()).remembering();
    night.sync().await;
    at(&night, "2026-03-11T00:00:00Z");
    let state = night.state().await;
    let runs = [(0, Outcome::Failed), (1, Outcome::Done), (0, Outcome::Degraded)];
    for (number, (shard, outcome)) in runs.into_iter().enumerate() {
        let scope = Some(format!("shard {shard}/2"));
        // Each process has a clock of its own, by which its run is scheduled.
        let started_at = night.simulation.now() + TimeDelta::minutes(i64::try_from(number).unwrap());
        let (id, scheduled) = (night.run().id, started_at);
        state
            .begin_run(&NewRun { id, command: "sync", about: None, scope, scheduled, started_at })
            .await
            .unwrap();
        let (counts, calls, measures) = Default::default();
        let ended = Ended { finished_at: started_at, outcome, problem: None, counts, calls, measures };
        state.finish_run(id, &ended).await.unwrap();
        let is_told = matches!(look(&night).await.verdict(), Verdict::NotCarriedOut { .. });
        assert_eq!(is_told, number < 2, "after run {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_is_there_while_a_run_writes_and_leaves_the_state_as_it_is() {
    let night = Night::at(FIRST, settled()).remembering();
    night.sync().await;
    let before = std::fs::read(night.state_path()).unwrap();
    page(&night, "/").await;
    assert!(std::fs::read(night.state_path()).unwrap() == before, "looking changes nothing");
    let (lease, now) = (night.take_lease().await, night.simulation.now());
    let state = night.state().await;
    state.speed_up().await;
    let run = NewRun {
        id: lease.run(),
        command: "sync",
        about: None,
        scope: None,
        scheduled: now,
        started_at: now,
    };
    state.begin_run(&run).await.unwrap();
    let page = page(&night, "/").await;
    assert!(
        page.contains("is going on since 2026-03-10 00:00 UTC") && page.contains("Nobody is needed"),
        "{page}"
    );
}

#[rstest]
#[case::overview("/")]
#[case::records("/records")]
#[tokio::test(start_paused = true)]
async fn names_are_shown_as_they_are_typed_and_never_run(#[case] path: &str) {
    let name = "<script>alert('1')</script>";
    let mut world = with_customers(&["ACME"]);
    world.umbrella.organizations.push(Organization { id: 102, name: name.into(), ..Organization::default() });
    world.mapping.push(MappingLine { org_id: 103, psa_id: format!("\"{name}\""), ..MappingLine::default() });
    let night = Night::at(FIRST, world).remembering();
    night.sync().await;
    let page = page(&night, path).await;
    assert!(page.contains("alert(&#39;1&#39;)"), "{page}");
    for tag in ["<script", "<form", "<button", "<input", "<iframe", "javascript:", "onload", "style="] {
        assert!(!page.contains(tag), "{tag}: {page}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_page_shows_a_secret_or_what_lists_contain() {
    let night = Night::at(FIRST, small()).remembering();
    night.sync().await;
    let credentials = night.simulation.inspect(|world| world.credentials.clone());
    for path in ["/", "/records", "/status.json"] {
        let page = page(&night, path).await;
        for secret in [
            &credentials.umbrella_secret,
            &credentials.connectwise_private_key,
            &credentials.connectwise_client_id,
        ] {
            assert!(!page.contains(secret.as_str()), "{path}");
        }
        assert!(!page.contains("Warehouse") && !page.contains("mail.example"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_configuration_or_state_is_said_in_place_of_the_page() {
    let night = Night::at(FIRST, settled()).remembering();
    std::fs::write(night.state_path(), "no state").unwrap();
    let (status, text) = night.page("/").await;
    assert!(status == 503 && text.starts_with("not known\n") && text.contains("psasync.db"), "{text}");
    std::fs::write(night.config_path(), "no configuration").unwrap();
    for path in ["/", "/records", "/status.json"] {
        let (status, text) = night.page(path).await;
        assert!(status == 503 && text.contains("psasync.toml:1"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_reads_the_same() {
    let night = Night::at(FIRST, small()).remembering();
    night.sync().await;
    let status = document(&night).await;
    assert_eq!((&status["format_version"], &status["kind"]), (&json!(1), &json!("status")));
    assert_eq!((&status["verdict"], &status["stale"]), (&json!("needs-person"), &json!(false)));
    let buckets: Vec<_> = status["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| [&line["psa_id"], &line["bucket"], &line["up_to_date_at"]])
        .collect();
    let never = Value::Null;
    assert_eq!(
        buckets,
        [
            [&json!("ACME"), &json!("partial"), &never],
            [&json!("Gone"), &json!("skipped"), &never],
            [&json!("Twice"), &json!("skipped"), &never],
            [&json!("BETA"), &json!("updated"), &json!(FIRST)],
        ]
    );
    let finding = &status["lines"][1]["findings"][0];
    assert_eq!((&finding["reason"], &finding["severity"]), (&json!("company-not-found"), &json!("failure")));
    assert!(finding["remedy"].as_str().unwrap().starts_with("correct the psa_id"), "{finding}");
    assert_eq!(status["runs"][0]["outcome"], "degraded");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_reads_on_the_status_page() {
    let mut world = small();
    world.umbrella.organizations.push(Organization {
        id: 109,
        name: "Zoë's".into(),
        ..Organization::default()
    });
    let night = Night::at(FIRST, world).remembering();
    night.sync().await;
    at(&night, "2026-03-10T09:30:00Z");
    assert_snapshot!(main_of(&page(&night, "/").await));
}

/// What stands between header and footer, without seconds: how long a run took is not what this is about.
fn main_of(page: &str) -> String {
    let main = page.split_once("<main id=\"main\">").unwrap().1.split_once("</main>").unwrap().0;
    let lines = main.lines().map(str::trim).filter(|line| !line.is_empty());
    let without_seconds = |line: &str| {
        let words = line.split_inclusive([' ', '>']).map(|word| match word.strip_prefix("datetime=\"") {
            Some(_) => "datetime=\"#\">".to_owned(),
            None => word.to_owned(),
        });
        words.collect::<String>().replace("0 s<", "# s<").replace("1 s<", "# s<")
    };
    lines.map(|line| without_seconds(line) + "\n").collect()
}
