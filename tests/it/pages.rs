//! The pages of `serve`, asked without a socket.

use rstest::rstest;

use crate::customers::{acme, settled};
use crate::simulated::Night;

const PAGES: [&str; 9] = [
    "/healthz",
    "/healthz/fresh",
    "/readyz",
    "/metrics",
    "/",
    "/records",
    "/status.json",
    "/style.css",
    "/icon.svg",
];

fn at(night: &Night, now: &str) {
    night.simulation.set_now(now.parse().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_lives_says_so_whatever_is_wrong() {
    let night = Night::of(acme()).remembering();
    std::fs::write(night.config_path(), "no configuration").unwrap();
    assert_eq!(night.page("/healthz").await, (200, "ok\n".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn psasync_is_ready_while_the_configuration_is_valid_and_the_state_can_be_read() {
    let night = Night::of(acme()).remembering();
    assert_eq!(night.page("/readyz").await, (200, "ok\n".to_owned()), "a state need not be there yet");
    night.sync().await;
    assert_eq!(night.page("/readyz").await.0, 200);
    std::fs::write(night.state_path(), "no state").unwrap();
    let (status, text) = night.page("/readyz").await;
    assert!(status == 503 && text.contains("psasync.db"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_the_configuration_is_on_the_page_of_readiness() {
    let night = Night::of(acme()).remembering();
    let mapping = night.config_path().with_file_name("companies.csv");
    std::fs::write(mapping, "org_id,psa_id\nx,ACME\n").unwrap();
    let (status, text) = night.page("/readyz").await;
    assert!(status == 503 && text.starts_with("not ready\n") && text.contains("companies.csv:2"), "{text}");
    let (status, text) = night.page("/healthz/fresh").await;
    assert!(status == 503 && text.starts_with("not known\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn freshness_is_red_without_a_success_and_once_the_last_one_is_too_old() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    assert_eq!(
        night.page("/healthz/fresh").await,
        (503, "stale\nno `sync` of the whole mapping has come to its end yet\n".to_owned())
    );
    let run = night.sync().await;
    let id = &night.past_runs().await[0].row.id;
    assert!(run.stopped.is_none());
    let told = |title: &str, age: u32| {
        format!("{title}\nrun {id} came to its end {age} h ago; the limit is 30 h (`serve.stale_after_h`)\n")
    };
    at(&night, "2026-03-11T05:59:00Z");
    assert_eq!(night.page("/healthz/fresh").await, (200, told("fresh", 29)));
    at(&night, "2026-03-11T06:01:00Z");
    assert_eq!(night.page("/healthz/fresh").await, (503, told("stale", 30)));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_some_companies_makes_nothing_fresh() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering().company("ACME");
    night.sync().await;
    assert_eq!(night.page("/healthz/fresh").await.0, 503);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn no_page_can_be_asked_to_change_anything(
    #[values("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "LINK")] method: &str,
) {
    let night = Night::of(acme());
    for path in PAGES.into_iter().chain(["/nowhere"]) {
        let response = night.ask_page(method, path).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn every_answer_forbids_keeping_it_and_loading_anything(#[values("GET", "HEAD", "POST")] method: &str) {
    let night = Night::of(acme()).remembering();
    for path in PAGES.into_iter().chain(["/nowhere"]) {
        let response = night.ask_page(method, path).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert!(header("content-security-policy").starts_with("default-src 'none';"), "{path}");
        assert!(method != "HEAD" || response.body().is_empty(), "{path}");
    }
    assert_eq!(night.page("/nowhere").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn metrics_say_what_the_state_knows_of_runs_whoever_made_them() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    let (status, text) = night.page("/metrics").await;
    assert!(status == 200 && text.contains("psasync_build_info{"), "{text}");
    assert!(!text.contains("psasync_last_run_outcome{"), "nothing ran yet: {text}");
    night.sync().await;
    let response = night.ask_page("GET", "/metrics").await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.into_body();
    assert!(text.contains("psasync_last_run_outcome{command=\"sync\",outcome=\"done\"} 1.0"), "{text}");
    std::fs::write(night.config_path(), "no configuration").unwrap();
    assert_eq!(night.page("/metrics").await.0, 200, "a scrape never fails");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_some_companies_is_in_no_metric() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering().company("ACME");
    night.sync().await;
    let (_, text) = night.page("/metrics").await;
    assert!(!text.contains("command="), "{text}");
}
