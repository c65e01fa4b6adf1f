//! Customer lists and reports of Umbrella.

use crate::support::{Caller, DAY_MS, ask, settings, small_world, window};
use axum::http::StatusCode;
use serde_json::{Value, json};
use simulator::world::{ConsoleKind, DeploymentCount, IdentityType, Organization};
use simulator::{Settings, Simulation, World};

async fn child(world: World) -> Caller {
    Caller::child(&Simulation::new(world, settings()), 7).await
}

async fn parent(world: World) -> Caller {
    Caller::parent(&Simulation::new(world, settings())).await
}

fn column(rows: &Value, pointer: &str) -> Vec<Value> {
    rows.as_array().unwrap().iter().map(|row| row.pointer(pointer).unwrap().clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_console_has_one_of_the_two_customer_lists() {
    let managed = parent(small_world()).await;
    let got = managed.get("/admin/v2/managed/customers").await;
    assert_eq!(got.json(), json!([{ "customerId": 7, "customerName": "O'Brien Ltd", "seats": 12 }]));
    assert_eq!(managed.get("/admin/v2/providers/customers").await.status, StatusCode::FORBIDDEN);
    let mut world = small_world();
    world.umbrella.console.kind = ConsoleKind::Providers;
    world.umbrella.console.other_list_status = 404;
    let providers = parent(world).await;
    let rows = providers.get("/admin/v2/providers/customers").await.json();
    assert_eq!(rows[0]["packageName"], "Umbrella DNS Security Advantage");
    assert_eq!(providers.get("/admin/v2/managed/customers").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn customers_are_paged_by_at_most_a_hundred() {
    let parent = parent(World::fleet(230, 0)).await;
    let count = async |query: &str| {
        let got = parent.get(&format!("/admin/v2/managed/customers{query}")).await;
        got.json().as_array().unwrap().len()
    };
    assert_eq!(count("").await, 100);
    assert_eq!(count("?page=3&limit=100").await, 30);
    assert_eq!(count("?page=4").await, 0);
    for wrong in ["?limit=101", "?limit=0", "?page=0", "?page=x"] {
        let got = parent.get(&format!("/admin/v2/managed/customers{wrong}")).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(parent.get("/admin/v2/managed/customers/3000230").await.status, StatusCode::OK);
    assert_eq!(parent.get("/admin/v2/managed/customers/1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn an_unlisted_customer_still_counts() {
    let mut world = small_world();
    world.umbrella.organizations.push(Organization { id: 8, unlisted: true, ..Organization::default() });
    let parent = parent(world).await;
    assert_eq!(parent.get("/admin/v2/managed/customers").await.json().as_array().unwrap().len(), 1);
    let console = parent.get("/reports/v2/providers/consoles").await.json();
    assert_eq!((console["customerCount"].clone(), console["status"].clone()), (json!(2), json!("active")));
}

#[tokio::test(start_paused = true)]
async fn deployments_count_types_that_exist_and_escape_labels() {
    let parent = parent(small_world()).await;
    let rows = parent.get(&format!("/reports/v2/providers/deployments?{}", window(7))).await.data();
    assert_eq!(rows[0]["organization"], json!({ "id": 7, "label": "O&#39;Brien Ltd" }));
    let counts = &rows[0]["counts"];
    assert_eq!(column(counts, "/identitytype/type"), ["network", "anyconnect", "roaming"].map(Value::from));
    assert_eq!(column(counts, "/activecount"), [1, 1, 0].map(Value::from));
    assert_eq!(column(counts, "/count"), [2, 1, 1].map(Value::from));
}

#[tokio::test(start_paused = true)]
async fn deployments_can_disagree_with_identities_or_leave_an_organization_out() {
    let mut world = small_world();
    let instead = DeploymentCount { kind: IdentityType::Network, active: 3, total: 4 };
    world.umbrella.organizations[0].deployments = Some(vec![instead]);
    let mut absent = world.umbrella.organizations[0].clone();
    absent.id = 8;
    absent.absent_from_providers = true;
    world.umbrella.organizations.push(absent);
    let parent = parent(world).await;
    let rows = parent.get(&format!("/reports/v2/providers/deployments?{}", window(7))).await.data();
    assert_eq!(column(&rows, "/organization/id"), [json!(7)]);
    assert_eq!(column(&rows[0]["counts"], "/count"), [json!(4)]);
    let child = Caller::child(&parent.simulation, 7).await;
    let rows = child.get(&format!("/reports/v2/deployment-status?{}", window(7))).await.data();
    assert_eq!(rows[0]["type"]["type"], "network");
}

#[tokio::test(start_paused = true)]
async fn identities_are_all_and_top_identities_the_active_deleted_ones_included() {
    let child = child(small_world()).await;
    let types = "identitytypes=network,roaming,anyconnect";
    let all = child.get(&format!("/reports/v2/identities?limit=100&{types}")).await.data();
    assert_eq!(column(&all, "/id"), [1, 2, 3, 4, 5].map(Value::from));
    assert_eq!(all[2]["label"], "PC &lt;1&gt;");
    assert_eq!(all[4]["deleted"], true);
    let top = format!("/reports/v2/top-identities?limit=100&{types}&{}", window(7));
    let active = child.get(&top).await.data();
    assert_eq!(column(&active, "/identity/id"), [1, 4, 5].map(Value::from));
    assert!(active[0]["counts"]["connectedevents"].is_number(), "there are counts that no document names");
    assert_eq!(active[0]["bandwidth"], Value::Null);
    let networks = top.replace(types, "identitytypes=network");
    assert_eq!(child.get(&networks).await.data().as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn identities_end_at_five_thousand() {
    let mut world = small_world();
    let one = world.umbrella.organizations[0].identities[0].clone();
    world.umbrella.organizations[0].identities =
        (1..=5002).map(|id| simulator::world::Identity { id, ..one.clone() }).collect();
    let child = child(world).await;
    let count = async |query: &str| {
        let got = child.get(&format!("/reports/v2/identities?{query}")).await;
        got.data().as_array().unwrap().len()
    };
    assert_eq!(count("limit=9000").await, 5000);
    assert_eq!(count("limit=5000&offset=5000").await, 2);
}

#[tokio::test(start_paused = true)]
async fn reports_insist_on_their_parameters() {
    let child = child(small_world()).await;
    let window = window(1);
    let cases = [
        "identities".to_owned(),
        "identities?limit=0".to_owned(),
        "top-identities?limit=5".to_owned(),
        format!("top-identities?{window}"),
        "total-requests/dns?from=-1days".to_owned(),
        format!("summaries-by-category/dns?{window}"),
        format!("top-destinations/dns?{window}&limit=5"),
        format!("top-categories/dns?{window}"),
        format!("total-requests/dns?{window}&verdict=maybe"),
        "total-requests/dns?from=-1days&to=1639146300000".to_owned(),
        "total-requests/dns?from=yesterday&to=now".to_owned(),
        "total-requests/dns?from=2&to=1".to_owned(),
    ];
    for case in cases {
        let got = child.get(&format!("/reports/v2/{case}")).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_depend_on_the_window() {
    let child = child(small_world()).await;
    let count = async |query: &str| {
        child.get(&format!("/reports/v2/total-requests/dns?{query}")).await.data()["count"].clone()
    };
    assert_eq!(count(&window(1)).await, 342);
    assert_eq!(count(&window(10)).await, 3420);
    assert_eq!(count("from=-1days&to=now").await, 342, "relative times work too");
}

#[tokio::test(start_paused = true)]
async fn windows_are_whole_hours() {
    let child = child(small_world()).await;
    let now = settings().now.timestamp_millis();
    let count = async |from: i64, to: i64| {
        let uri = format!("/reports/v2/total-requests/dns?from={from}&to={to}&domains=cloud.example");
        child.get(&uri).await.data()["count"].clone()
    };
    assert_eq!(count(now - DAY_MS, now - 1).await, 240);
    assert_eq!(count(now - DAY_MS + 1_800_000, now).await, 240, "from goes back to the full hour");
    assert_eq!(count(now, now + DAY_MS).await, 0, "there is nothing in the future");
}

#[tokio::test(start_paused = true)]
async fn traffic_has_days_on_which_it_begins_and_ends() {
    let mut world = small_world();
    let row = &mut world.umbrella.organizations[0].traffic[0];
    row.from = Some("2026-03-01".parse().unwrap());
    row.to = Some("2026-03-03".parse().unwrap());
    let child = child(world).await;
    let uri = format!("/reports/v2/total-requests/dns?{}&domains=cloud.example", window(60));
    assert_eq!(child.get(&uri).await.data(), json!({ "count": 480 }));
}

#[tokio::test(start_paused = true)]
async fn categories_come_with_twins_that_count_the_same_requests_again() {
    let child = child(small_world()).await;
    let uri = format!(
        "/reports/v2/summaries-by-category/dns?{}&limit=100&offset=0&categories=65,67&verdict=blocked",
        window(30)
    );
    let rows = child.get(&uri).await.data();
    assert_eq!(column(&rows, "/category/id"), [64, 65, 66, 67].map(Value::from));
    assert_eq!(column(&rows, "/summary/requestsblocked"), [60, 60, 120, 120].map(Value::from));
    assert_eq!(column(&rows, "/summary/domains"), [1, 1, 1, 1].map(Value::from));
    assert_eq!(column(&rows, "/category/deprecated"), [true, false, false, false].map(Value::from));
}

#[tokio::test(start_paused = true)]
async fn top_categories_ignore_the_limit_and_hold_what_is_no_content() {
    let child = child(small_world()).await;
    let uri = format!("/reports/v2/top-categories/dns?{}&offset=0&limit=2", window(30));
    let rows = child.get(&uri).await.data();
    let ids = column(&rows, "/category/id");
    assert_eq!(ids[..2], [25, 167].map(Value::from), "a deprecated twin is as large as its category");
    assert!(ids.len() > 2);
    let kinds = column(&rows, "/category/type");
    assert!(kinds.contains(&json!("application")) && kinds.contains(&json!("customer")));
}

#[tokio::test(start_paused = true)]
async fn destinations_follow_the_verdict_and_come_in_pages() {
    let child = child(small_world()).await;
    let ask = async |more: &str| {
        let uri = format!("/reports/v2/top-destinations/dns?{}&{more}", window(30));
        child.get(&uri).await.data()
    };
    let blocked = ask("limit=10&offset=0&verdict=blocked").await;
    let expected = ["ads.example", "own-list.example", "virus.example", "bot.example"];
    assert_eq!(column(&blocked, "/domain"), expected.map(Value::from));
    assert_eq!(
        blocked[0]["counts"],
        json!({ "requests": 720, "allowedrequests": 0, "blockedrequests": 720 })
    );
    let second = ask("limit=1&offset=1").await;
    assert_eq!((second[0]["domain"].clone(), second[0]["rank"].clone()), (json!("ads.example"), json!(2)));
}

#[tokio::test(start_paused = true)]
async fn proxy_requests_count_only_without_a_type() {
    let mut world = small_world();
    world.umbrella.organizations[0].traffic[0].proxied_per_day = 24;
    let child = child(world).await;
    let dns = child.get(&format!("/reports/v2/total-requests/dns?{}", window(1))).await.data();
    let all = child.get(&format!("/reports/v2/total-requests?{}", window(1))).await.data();
    assert_eq!((dns, all), (json!({ "count": 342 }), json!({ "count": 366 })));
}

#[tokio::test(start_paused = true)]
async fn requests_of_all_organizations_come_in_one_answer() {
    let parent = parent(small_world()).await;
    let uri = format!("/reports/v2/providers/requests-by-org?{}&limit=1000", window(1));
    let rows = parent.get(&uri).await.data();
    assert_eq!(rows[0]["counts"], json!({ "total": 342, "totalblocked": 42 }));
    let uri = uri.replace("requests-by-org", "category-requests-by-org");
    let rows = parent.get(&uri).await.data();
    let malware = rows[0]["counts"].as_array().unwrap().iter().find(|row| row["category"]["id"] == 67);
    assert_eq!(malware.unwrap()["requestsblocked"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_report_can_be_refused_by_itself() {
    let mut world = small_world();
    world.umbrella.organizations[0].refused_reports = vec!["/identities".into()];
    let child = child(world).await;
    assert_eq!(child.get("/reports/v2/identities?limit=1").await.status, StatusCode::FORBIDDEN);
    let uri = format!("/reports/v2/total-requests/dns?{}", window(1));
    assert_eq!(child.get(&uri).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn reports_of_another_region_are_redirected_and_ask_for_the_token_again() {
    let mut world = small_world();
    world.umbrella.organizations[0].region = "eu".into();
    let origin = "https://api.eu.reports.umbrella.com";
    let settings = Settings { regional_origin: Some(origin.into()), ..settings() };
    let simulation = Simulation::new(world, settings);
    let child = Caller::child(&simulation, 7).await;
    let uri = "/reports/v2/identities?limit=1&offset=0";
    let got = child.get(uri).await;
    assert_eq!((got.status, got.header("location")), (StatusCode::FOUND, format!("{origin}{uri}").as_str()));
    let absolute = child.get(&format!("https://api.umbrella.com{uri}")).await;
    assert_eq!(absolute.header("location"), format!("{origin}{uri}"));
    let got = ask(simulation.regional(), "GET", uri, &[], "").await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    let bearer = format!("Bearer {}", child.token);
    let got = ask(simulation.regional(), "GET", uri, &[("authorization", &bearer)], "").await;
    assert_eq!(got.data().as_array().unwrap().len(), 1);
    let parent = Caller::parent(&simulation).await;
    assert_eq!(parent.get("/admin/v2/managed/customers").await.status, StatusCode::OK);
}
