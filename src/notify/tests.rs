use serde_json::Value;

use super::*;
use crate::config::Notify;
use crate::domain::work::Work;
use crate::http::script::{Reply, Script, reply, timed_out, unconnected};
use crate::run::Exit;
use crate::secret::Secret;

const URL: &str = "https://hook.example/canary-in-a-path?key=canary-in-a-query";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn webhook(on: &[Event]) -> Notify {
    let token = Some(secret("canary-token"));
    let webhook = Webhook { url: secret(URL), token, on: on.to_vec() };
    Notify { webhook: Some(webhook), ..Notify::default() }
}

fn notifiers(script: &Arc<Script>, settings: &Notify) -> Notifiers<Script> {
    Notifiers::new(Arc::clone(script), settings, None, "cw.example/acme".to_owned())
}

fn notice(event: Event) -> RunNotice {
    let scheduled = "2026-12-01T00:00:00Z".parse().unwrap();
    let trouble = Trouble { message: "no connection".to_owned(), hint: "check the network".to_owned() };
    RunNotice {
        event,
        exit: Exit::Failed,
        tenant: "cw.example/acme".to_owned(),
        work: Work::Night,
        shard: None,
        scheduled,
        run: None,
        before: None,
        counts: Default::default(),
        companies: Vec::new(),
        refusals: Vec::new(),
        approve_with: None,
        approve_next_with: None,
        trouble: Some(trouble),
    }
}

async fn tested(replies: Vec<Reply>) -> (usize, Vec<Delivery>) {
    let script = Script::of(replies);
    let at = "2026-12-01T00:00:00Z".parse().unwrap();
    let deliveries = notifiers(&script, &webhook(&Event::ALL)).test(at).await;
    (script.seen().len(), deliveries)
}

#[tokio::test]
async fn a_webhook_gets_the_notice_as_json_with_its_token() {
    let script = Script::of(vec![reply(204, "")]);
    notifiers(&script, &webhook(&[Event::Failed])).tell(notice(Event::Failed)).await;
    let seen = script.seen();
    assert_eq!(seen[0].line(), "POST /canary-in-a-path?key=canary-in-a-query");
    let headers = seen[0].request.headers();
    assert_eq!(headers["authorization"], "Bearer canary-token");
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(headers["content-type"], "application/json");
    let body = std::str::from_utf8(seen[0].request.body()).unwrap();
    insta::assert_snapshot!(body, @r#"
    {
      "format_version": 1,
      "kind": "notice",
      "event": "failed",
      "tenant": "cw.example/acme",
      "title": "psasync sync at cw.example/acme: failed (exit code 1)",
      "text": "The run failed as a whole (a service, the state or the report could not be used).\nIt was for 2026-12-01 00:00 UTC.\n\nerror: no connection\nhint: check the network\n\n`psasync history` lists the runs.",
      "command": "sync",
      "scheduled": "2026-12-01T00:00:00Z",
      "run_id": null,
      "before": null,
      "counts": {},
      "companies": [],
      "refusals": [],
      "approve_with": null,
      "approve_next_with": null,
      "problem": {
        "message": "no connection",
        "hint": "check the network"
      },
      "exit_code": 1
    }
    "#);
}

#[tokio::test]
async fn only_the_runs_that_a_notifier_wants_are_told() {
    let script = Script::of(vec![reply(200, "")]);
    let notifiers = notifiers(&script, &webhook(&[Event::Refused, Event::Recovered]));
    for event in Event::ALL {
        notifiers.tell(notice(event)).await;
    }
    let events: Vec<_> = script
        .seen()
        .iter()
        .map(|seen| serde_json::from_slice::<Value>(seen.request.body()).unwrap()["event"].clone())
        .collect();
    assert_eq!(events, ["refused", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_twice_at_most_and_only_where_that_may_help() {
    for (replies, attempts, said) in [
        (vec![reply(200, "")], 1, ""),
        (vec![unconnected(), reply(200, "")], 2, ""),
        (vec![reply(429, ""), reply(204, "")], 2, ""),
        (vec![reply(503, ""), reply(503, ""), reply(200, "")], 2, "`hook.example` answered HTTP 503"),
        (vec![timed_out(), timed_out(), reply(200, "")], 2, "`service.example` did not answer within 60 s"),
        (vec![reply(404, URL), reply(200, "")], 1, "`hook.example` answered HTTP 404"),
        (vec![reply(302, ""), reply(200, "")], 1, "`hook.example` answered HTTP 302"),
    ] {
        let (sent, deliveries) = tested(replies).await;
        let trouble = deliveries[0].trouble.clone();
        let message = trouble.as_ref().map(|trouble| trouble.message.clone()).unwrap_or_default();
        assert_eq!((sent, message.as_str()), (attempts, said));
        assert!(trouble.is_none_or(|trouble| !trouble.hint.is_empty()));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_for_a_notifier_than_for_all_of_them() {
    let script = Script::slow(Duration::from_secs(15), |_, _| timed_out());
    let started = tokio::time::Instant::now();
    let at = "2026-12-01T00:00:00Z".parse().unwrap();
    let deliveries = notifiers(&script, &webhook(&Event::ALL)).test(at).await;
    assert_eq!(started.elapsed(), TIME_MAX);
    assert_eq!(deliveries[0].trouble.as_ref().unwrap().message, "not delivered within 20 s");
}

#[tokio::test]
async fn everybody_is_told_each_in_the_words_of_their_own_service() {
    let hook = |host: &str| {
        Some(Hook { url: secret(&format!("https://{host}.example/x")), on: Event::ALL.to_vec() })
    };
    let heartbeat = Some(Heartbeat { url: secret("https://heartbeat.example/x") });
    let settings = Notify { slack: hook("slack"), teams: hook("teams"), heartbeat, ..webhook(&Event::ALL) };
    let script = Script::of(vec![reply(200, "ok")]);
    let notifiers = notifiers(&script, &settings);
    notifiers.tell(notice(Event::Failed)).await;
    let seen = script.seen();
    let told: Vec<_> = seen
        .iter()
        .map(|seen| {
            let body: Value = serde_json::from_slice(seen.request.body()).unwrap();
            (
                seen.request.uri().host().unwrap(),
                body.get("blocks").is_some(),
                body.get("attachments").is_some(),
            )
        })
        .collect();
    let expected =
        [("hook.example", false, false), ("slack.example", true, false), ("teams.example", false, true)];
    assert_eq!(told, expected, "a heartbeat is no notice");
    notifiers.begun().await;
    notifiers.ended(Exit::Denied).await;
    let tested = notifiers.test("2026-12-01T00:00:00Z".parse().unwrap()).await;
    let names: Vec<_> = tested.iter().map(|delivery| delivery.notifier).collect();
    assert_eq!(names, ["webhook", "slack", "teams", "heartbeat"]);
    let seen = script.seen();
    let pings: Vec<_> = seen.iter().map(|seen| seen.line()).filter(|line| line.starts_with("GET ")).collect();
    assert_eq!(pings, ["GET /x/start", "GET /x/77", "GET /x/log"]);
}
