//! `psasync backfill` on the command line: what it refuses, and how it ends.

use chrono::{Datelike as _, Months};
use psasync::clock::Clock;
use rstest::rstest;

use crate::simulated::{Simulated, psasync, text};

/// The month that was so many months ago, as `--month` takes it.
fn months_ago(count: u32) -> String {
    let day = Clock::system().now().date_naive().checked_sub_months(Months::new(count)).unwrap();
    format!("{}-{:02}", day.year(), day.month())
}

fn refused(services: &Simulated, arguments: &[&str]) -> String {
    let output = services.command(&[&["backfill"], arguments].concat()).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{arguments:?}: {stderr}");
    assert!(stderr.contains("error:") && stderr.contains("hint:"), "{stderr}");
    assert!(output.stdout.is_empty());
    stderr
}

#[rstest]
#[case::no_window(&[], "`--month` or `--last-30-days`")]
#[case::both_windows(&["--month", "2026-05", "--last-30-days"], "not both")]
#[case::history_without_months(&["--last-30-days", "--history-only"], "kept by month")]
#[case::history_with_an_approval(&["--month", "2026-05", "--history-only", "--approve", "max-creates"], "no guard")]
#[case::no_month(&["--month", "May"], "`May` is no month")]
#[case::a_day(&["--month", "2026-05-01"], "`2026-05-01` is no month")]
fn a_wrong_window_is_64_before_anything_is_read(#[case] arguments: &[&str], #[case] said: &str) {
    let output = psasync().arg("backfill").args(arguments).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{stderr}");
    assert!(stderr.contains(said) && stderr.contains("hint:"), "{stderr}");
}

#[test]
fn a_month_that_cannot_be_read_is_refused_with_the_reason() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    assert!(refused(&services, &["--month", &months_ago(0)]).contains("is not over by"));
    assert!(refused(&services, &["--month", &months_ago(26)]).contains("Umbrella keeps two years"));
    let long_ago = (Clock::system().now() - chrono::TimeDelta::days(725)).to_rfc3339();
    assert!(refused(&services, &["--last-30-days", "--scheduled-for", &long_ago]).contains("two years"));
    let both = [months_ago(2), months_ago(3)];
    assert!(refused(&services, &["--month", &both[0], "--month", &both[1]]).contains("2 months"));
}

#[test]
fn a_backfill_is_planned_carried_out_and_taken_back_by_the_next_sync() {
    let services = Simulated::start(&["--fleet", "3:3"]);
    let month = months_ago(2);
    let nobody = services.json(&["backfill", "--month", &month], 0);
    assert_eq!(nobody["companies"][0]["findings"][0]["reason"], "no-record");
    services.json(&["sync"], 0);
    let plan = services.json(&["backfill", "--month", &month, "--dry-run"], 0);
    assert_eq!((&plan["kind"], &plan["dry_run"]), (&"backfill".into(), &true.into()));
    assert_eq!(plan["window"]["from"].as_str().map(|from| &from[..7]), Some(month.as_str()));
    assert!(plan["note"].as_str().unwrap().contains("next nightly run"));
    let done = services.json(&["backfill", "--month", &month], 0);
    assert_eq!((&done["dry_run"], &done["digest"]), (&false.into(), &plan["digest"]));
    assert_eq!(done["counts"]["updated"], plan["counts"]["updated"]);
    assert_eq!(services.json(&["backfill", "--month", &month, "--dry-run"], 0)["empty"], true);
    assert_eq!(services.json(&["sync"], 0)["counts"]["updated"], done["counts"]["updated"]);
}

#[test]
fn months_are_read_into_the_history_and_only_once() {
    let services = Simulated::start(&["--fleet", "3:3"]);
    let months = format!("{}..{}", months_ago(4), months_ago(3));
    let arguments = ["backfill", "--history-only", "--month", &months, "--month", &months_ago(2)];
    let plan = services.json(&[&arguments[..], &["--dry-run"]].concat(), 0);
    assert_eq!((&plan["answers"]["missing"], &plan["forecast"]["tokens"]), (&45.into(), &3.into()));
    let filled = services.json(&arguments, 0);
    assert_eq!((&filled["kind"], &filled["history_only"]), (&"backfill".into(), &true.into()));
    assert_eq!(filled["answers"]["read"], 45);
    assert_eq!(filled["calls"]["connectwise"]["requests"], 0);
    assert_eq!(services.json(&arguments, 0)["answers"]["known"], 45);
    let output = services.command(&arguments).env("PSASYNC_STATE__PATH", ":memory:").output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
}
