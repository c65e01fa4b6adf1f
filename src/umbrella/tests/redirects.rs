use super::*;
use crate::http::script::reply_with;

const EU: &str = "api.eu.reports.umbrella.com";

/// Sends the reports of organizations from the base host to `to` with the same path and query.
fn redirecting(to: &'static str) -> Arc<Script> {
    service(move |_, request, line| {
        let is_base = request.uri().host() == Some("api.umbrella.com");
        let is_report = line.starts_with("GET /reports/v2/") && !line.contains("/providers/");
        let location = format!("https://{to}{}", request.uri().path_and_query()?);
        (is_base && is_report).then(|| reply_with(302, &[("location", &location)], ""))
    })
}

async fn collect(script: &Arc<Script>) -> (crate::domain::metrics::Metrics, Vec<(String, String)>) {
    let umbrella = client(script);
    let fleet = umbrella.fleet(scheduled(), &[], None).await.unwrap();
    umbrella.moved_categories(None).await;
    let before = script.seen().len();
    let metrics =
        umbrella.visit(&fleet, &organization(QUIET), &needs(Some(october()))).metrics().await.unwrap();
    let seen = script.seen().into_iter().skip(before);
    let hosts = seen.map(|seen| (seen.request.uri().host().unwrap().to_owned(), line(&seen))).collect();
    (metrics, hosts)
}

#[tokio::test(start_paused = true)]
async fn a_region_is_followed_with_token_and_query_and_then_asked_directly() {
    let script = redirecting(EU);
    let (metrics, seen) = collect(&script).await;
    assert!(metrics.month.queries.read().is_some() && metrics.month.top_categories.read().is_some());
    let hosts: Vec<_> = seen.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(hosts, ["api.umbrella.com", "api.umbrella.com", EU, EU, EU, EU, EU]);
    assert_eq!(seen[1].1, seen[2].1);
    assert!(script.seen().iter().filter(|seen| seen.request.uri().host() == Some(EU)).all(|seen| {
        header(seen, "authorization").unwrap().starts_with("Bearer ") && seen.request.uri().query().is_some()
    }));
}

#[tokio::test(start_paused = true)]
async fn a_token_never_follows_a_redirect_to_a_host_that_is_not_listed() {
    let script = redirecting("api.umbrella.com.evil.example");
    let (metrics, seen) = collect(&script).await;
    assert!(seen.iter().all(|(host, _)| host == "api.umbrella.com"));
    let crate::domain::metrics::Reading::Unread(unread) = metrics.month.queries else { panic!("read") };
    assert_eq!(
        unread.sentence,
        "DNS queries: `api.umbrella.com` redirects to `api.umbrella.com.evil.example`, which `umbrella.redirect_hosts` does not list"
    );
}

#[tokio::test(start_paused = true)]
async fn a_location_without_a_query_keeps_the_query() {
    let script = service(|_, request, line| {
        let is_base = request.uri().host() == Some("api.umbrella.com");
        let location = format!("https://{EU}{}", request.uri().path());
        (is_base && line.contains("total-requests")).then(|| reply_with(307, &[("location", &location)], ""))
    });
    let (metrics, seen) = collect(&script).await;
    assert!(metrics.month.queries.read().is_some());
    assert!(seen.iter().any(|(host, line)| host == EU && line.contains("total-requests/dns?from=")));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_another_path_is_followed_but_not_remembered() {
    let script = service(|_, request, line| {
        if request.uri().host() == Some(EU) {
            return Some(report(json!({"count": 1})));
        }
        let location = format!("https://{EU}/moved");
        line.contains("total-requests").then(|| reply_with(308, &[("location", &location)], ""))
    });
    let (metrics, seen) = collect(&script).await;
    assert_eq!(metrics.month.queries.read(), Some(&1));
    assert_eq!(seen.iter().filter(|(host, _)| host == EU).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn redirects_end_after_three() {
    let script = service(|_, request, line| {
        let location = request.uri().to_string();
        line.contains("total-requests").then(|| reply_with(302, &[("location", &location)], ""))
    });
    let (metrics, seen) = collect(&script).await;
    assert!(metrics.month.queries.read().is_none() && metrics.month.malware.read().is_some());
    assert_eq!(seen.iter().filter(|(_, line)| line.contains("total-requests")).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_base_url_may_have_a_path_of_its_own() {
    let script = Script::new(|_, request| {
        let uri = request.uri().to_string().replace("/umbrella/", "/");
        let mut inner = request.clone();
        *inner.uri_mut() = uri.parse().unwrap();
        assert!(request.uri().path().starts_with("/umbrella/"));
        healthy(&inner)
    });
    let settings = Settings { base_url: "http://127.0.0.1:4010/umbrella/".parse().unwrap(), ..settings() };
    assert!(client_with(&script, &settings).fleet(scheduled(), &[], None).await.is_ok());
}
