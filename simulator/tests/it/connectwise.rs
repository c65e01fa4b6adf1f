//! Reaching ConnectWise, and its lists.

use crate::support::{ask, basic, cw, cw_with, encoded, settings, small_world};
use axum::http::StatusCode;
use serde_json::{Value, json};
use simulator::world::CompanyStatus;
use simulator::{Credentials, Settings, Simulation, World};
use std::time::Duration;

fn simulation() -> Simulation {
    Simulation::new(small_world(), settings())
}

#[tokio::test(start_paused = true)]
async fn the_look_up_ends_the_codebase_in_a_slash_and_knows_no_other_company() {
    let simulation = simulation();
    let info = ask(simulation.connectwise(), "GET", "/login/companyinfo/demo", &[], "").await.json();
    assert_eq!((info["Codebase"].clone(), info["IsCloud"].clone()), (json!("v2025_1/"), json!("True")));
    let unknown = ask(simulation.connectwise(), "GET", "/login/companyinfo/other", &[], "").await;
    assert_eq!((unknown.status, unknown.text.as_str()), (StatusCode::OK, "null"));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_codebase_is_a_plain_text_400() {
    let simulation = simulation();
    for path in [
        "/v2024_9/apis/3.0/system/info",
        "/v2025_1/apis/3.0/apis/3.0/system/info",
        "/v2025_1//apis/3.0/system/info",
        "/",
    ] {
        let got = ask(simulation.connectwise(), "GET", path, &[], "").await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(got.text, "Cannot route. Codebase/company is invalid");
        assert_eq!(got.header("content-type"), "text/plain");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_keys_are_401_or_404_in_the_cloud() {
    let simulation = simulation();
    let authorization = basic("demo+demoPublicKey", "guess");
    let headers = [("authorization", authorization.as_str()), ("clientid", "x")];
    let path = "/v2025_1/apis/3.0/system/info";
    let got = ask(simulation.connectwise(), "GET", path, &headers, "").await;
    assert_eq!((got.status, got.json()["code"].clone()), (StatusCode::UNAUTHORIZED, json!("Unauthorized")));
    simulation.change(|world| world.connectwise.hides_wrong_keys = true);
    let got = ask(simulation.connectwise(), "GET", path, &headers, "").await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_missing_client_id_is_forbidden() {
    let keys = Credentials::default();
    let authorization = basic("demo+demoPublicKey", &keys.connectwise_private_key);
    let headers = [("authorization", authorization.as_str())];
    let got = ask(simulation().connectwise(), "GET", "/v2025_1/apis/3.0/system/info", &headers, "").await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn the_servers_version_is_told_and_a_newer_one_refused() {
    let simulation = simulation();
    let got = cw(&simulation, "GET", "system/info", "").await;
    assert_eq!((got.status, got.header("api-current-version")), (StatusCode::OK, "2025.1"));
    let newer = [("accept", "application/vnd.connectwise.com+json; version=2026.1")];
    let keys = Credentials::default();
    let authorization = basic("demo+demoPublicKey", &keys.connectwise_private_key);
    let headers =
        [("authorization", authorization.as_str()), ("clientid", &keys.connectwise_client_id), newer[0]];
    let got = ask(simulation.connectwise(), "GET", "/v2025_1/apis/3.0/system/info", &headers, "").await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn unknown_endpoints_and_missing_records_are_404_with_different_codes() {
    let simulation = simulation();
    let got = cw(&simulation, "GET", "company/nothing", "").await;
    assert_eq!((got.status, got.json()["code"].clone()), (StatusCode::NOT_FOUND, json!("ConnectWiseApi")));
    let got = cw(&simulation, "GET", "company/configurations/9", "").await;
    assert_eq!((got.status, got.json()["code"].clone()), (StatusCode::NOT_FOUND, json!("NotFound")));
    assert_eq!(cw(&simulation, "DELETE", "company/companies/100", "").await.status.as_u16(), 405);
}

#[tokio::test(start_paused = true)]
async fn a_page_has_25_rows_by_default_and_1000_at_most() {
    let simulation = Simulation::new(World::fleet(0, 2300), settings());
    let count = async |query: &str| {
        let got = cw(&simulation, "GET", &format!("company/companies{query}"), "").await;
        got.json().as_array().unwrap().len()
    };
    assert_eq!(count("").await, 25);
    assert_eq!(count("?pageSize=5000").await, 1000);
    assert_eq!(count("?pageSize=1000&page=3").await, 300);
    assert_eq!(count("?pageSize=1000&page=4").await, 0, "past the end is an empty list, not 404");
    let total = cw(&simulation, "GET", "company/companies/count", "").await.json();
    assert_eq!(total, json!({ "count": 2300 }));
    assert_eq!(cw(&simulation, "GET", "company/companies?page=0", "").await.status.as_u16(), 400);
}

#[tokio::test(start_paused = true)]
async fn link_headers_name_another_host_and_stop_at_the_end() {
    let simulation = Simulation::new(World::fleet(0, 50), settings());
    let first = cw(&simulation, "GET", "company/companies?pageSize=25&fields=id", "").await;
    let link = first.header("link");
    assert!(link.starts_with("<https://na.myconnectwise.net/v4_6_release/apis/3.0/company/companies?"));
    assert!(link.contains("rel=\"next\"") && link.contains("rel=\"last\"") && !link.contains("rel=\"prev\""));
    let last = cw(&simulation, "GET", "company/companies?pageSize=25&page=2", "").await;
    assert!(last.header("link").contains("rel=\"prev\"") && !last.header("link").contains("rel=\"next\""));
}

#[tokio::test(start_paused = true)]
async fn forward_only_pages_go_by_id_and_end_with_an_empty_link() {
    let simulation = Simulation::new(World::fleet(0, 30), settings());
    let forward = [("pagination-type", "forward-only")];
    let first = cw_with(&simulation, "GET", "company/companies?pageSize=20", "", &forward).await;
    assert!(first.header("link").contains("pageId=20"));
    let resource = "company/companies?pageSize=20&pageId=20&page=9";
    let second = cw_with(&simulation, "GET", resource, "", &forward).await;
    assert_eq!(second.json().as_array().unwrap().len(), 10);
    assert_eq!(second.headers.get("link").unwrap(), "");
    let ordered = cw_with(&simulation, "GET", "company/companies?orderBy=id", "", &forward).await;
    assert_eq!(ordered.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn fields_select_members_and_drop_info() {
    let simulation = simulation();
    let row = cw(&simulation, "GET", "company/companies/100", "").await.json();
    assert!(row["_info"]["lastUpdated"].is_string());
    let row = cw(&simulation, "GET", "company/companies/100?fields=id,status/name", "").await.json();
    assert_eq!(row, json!({ "id": 100, "status": { "name": "Active" } }));
    let rows = cw(&simulation, "GET", "company/companies?fields=id,_info", "").await.json();
    assert!(rows[0]["_info"]["updatedBy"].is_string());
    let got = cw(&simulation, "GET", "company/companies?fields=id,nonsense", "").await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn lists_are_ordered_by_id_or_as_asked() {
    let simulation = Simulation::new(World::fleet(0, 3), settings());
    let ids = async |order: &str| {
        let resource = format!("company/companies?fields=id{order}");
        let rows = cw(&simulation, "GET", &resource, "").await.json();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [1, 2, 3]);
    assert_eq!(ids(&format!("&orderBy={}", encoded("identifier desc"))).await, [3, 2, 1]);
    let wrong = cw(&simulation, "GET", "company/companies?orderBy=nonsense", "").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn deleted_companies_stay_readable() {
    let mut world = small_world();
    world.connectwise.companies[0].deleted = true;
    let simulation = Simulation::new(world, settings());
    let rows = cw(&simulation, "GET", "company/companies", "").await.json();
    assert_eq!(rows[0]["deletedFlag"], true);
    let living = cw(&simulation, "GET", "company/companies?conditions=deletedFlag%3Dfalse", "").await;
    assert_eq!((living.status, living.json()), (StatusCode::OK, json!([])));
}

#[tokio::test(start_paused = true)]
async fn the_role_decides_what_is_forbidden() {
    let simulation = simulation();
    simulation.change(|world| {
        world.connectwise.role.reads_company_statuses = false;
        world.connectwise.role.reads_statuses = false;
        world.connectwise.role.edits_table_setup = false;
        world.connectwise.role.adds_configurations = false;
    });
    let requests = [
        ("GET", "company/companies/statuses"),
        ("GET", "company/configurations/statuses"),
        ("POST", "company/configurations/types"),
        ("POST", "company/configurations"),
    ];
    for (method, resource) in requests {
        let got = cw(&simulation, method, resource, "{}").await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{resource}");
        let message = "You do not have security permission to perform this action.";
        assert_eq!(got.json()["message"], message);
    }
}

#[tokio::test(start_paused = true)]
async fn statuses_can_be_filtered_by_their_default_flag() {
    let simulation = simulation();
    let condition = encoded("closedFlag=false and defaultFlag=true");
    let resource = format!("company/configurations/statuses?conditions={condition}&fields=id,description");
    let rows = cw(&simulation, "GET", &resource, "").await.json();
    assert_eq!(rows, json!([{ "id": 1, "description": "Active" }]));
    let more = CompanyStatus { id: 3, name: "Gone".into(), inactive: true, ..CompanyStatus::default() };
    simulation.change(|world| world.connectwise.company_statuses.push(more));
    let rows = cw(&simulation, "GET", "company/companies/statuses", "").await.json();
    assert_eq!(rows[2]["inactiveFlag"], Value::Bool(true));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_a_minute_are_answered() {
    let simulation = Simulation::new(small_world(), Settings::default());
    for _ in 0..1000 {
        assert_eq!(cw(&simulation, "GET", "system/info", "").await.status, StatusCode::OK);
    }
    let got = cw(&simulation, "GET", "system/info", "").await;
    assert_eq!((got.status, got.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    assert_eq!(got.json()["error"], "ConnectWiseAPI");
    assert!(got.json().get("code").is_none(), "a 429 has another shape than the other errors");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(cw(&simulation, "GET", "system/info", "").await.status, StatusCode::OK);
}
