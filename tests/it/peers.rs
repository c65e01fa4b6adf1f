//! What other integrations of the two services are known to get wrong, each as a rule of this one.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use psasync::config::keys::KEYS;
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::run::Exit;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::{Company, Organization};
use simulator::{Service, World};

use crate::answers::with_inactive_agents;
use crate::customers::{record, settled, with_customers};
use crate::simulated::{Night, Told as _, general};
use crate::state::{at, month_reports};

/// The identifiers of the companies that have a record, with what its Organization Id says.
fn owners(night: &Night) -> BTreeMap<String, Value> {
    let companies = night.simulation.inspect(|world| world.connectwise.companies.clone());
    let with_record = companies
        .into_iter()
        .map(|company| company.identifier)
        .filter(|psa_id| !night.records(psa_id).is_empty());
    with_record.map(|psa_id| (psa_id.clone(), night.answer(&psa_id, "Organization Id"))).collect()
}

fn owner<const N: usize>(owners: [(&str, &str); N]) -> BTreeMap<String, Value> {
    owners.into_iter().map(|(psa_id, organization)| (psa_id.to_owned(), json!(organization))).collect()
}

/// Four customers, of which the one at `position` is in the mapping without a company, with a company that does not exist, or not at all.
fn with_gap(position: usize, psa_id: Option<&str>) -> World {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA", "DELTA"]);
    match psa_id {
        Some(psa_id) => world.mapping[position].psa_id = psa_id.into(),
        None => {
            world.mapping.remove(position);
        }
    }
    world
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_unmapped_organization_never_inherits_the_previous_company(
    #[values(0, 1, 2, 3)] position: usize,
    #[values(None, Some(""), Some("  "), Some("NOBODY"))] psa_id: Option<&str>,
    #[values(false, true)] has_records: bool,
) {
    let mut world = with_gap(position, psa_id);
    let mut expected = owner([("ACME", "101"), ("BETA", "102"), ("GAMMA", "103"), ("DELTA", "104")]);
    let gap =
        expected.clone().into_iter().find(|(_, id)| *id == json!((101 + position).to_string())).unwrap();
    if has_records {
        for (number, organization) in [(1, "101"), (2, "102"), (3, "103"), (4, "104")] {
            world.connectwise.records.push(record(
                number,
                10 + number,
                &[(FieldId::OrganizationId, json!(organization))],
            ));
        }
    } else {
        expected.remove(&gap.0);
    }
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(owners(&night), expected);
    let seats = night
        .records(&gap.0)
        .iter()
        .map(|record| night.answers_of(record)["Seats"].clone())
        .collect::<Vec<_>>();
    assert!(seats.iter().all(Value::is_null), "what is not mapped is not written: {seats:?}");
    let is_told = general(&report.plan).contains(&Reason::Unmapped);
    assert_eq!(is_told, psa_id != Some("NOBODY"));
    assert!(night.sync().await.plan.is_empty());
    assert_eq!(owners(&night), expected);
}

#[tokio::test(start_paused = true)]
async fn there_is_no_default_company() {
    let catch_alls = ["Catchall", "Default", "demo", "Demo Managed Services", "0", "None"];
    let mut world = with_customers(&["ACME", "BETA"]);
    for (number, identifier) in (50..).zip(catch_alls) {
        world.connectwise.companies.push(Company {
            id: number,
            identifier: identifier.into(),
            ..Company::default()
        });
    }
    for id in 201..210 {
        world.umbrella.organizations.push(Organization {
            id,
            name: "Default".into(),
            ..Organization::default()
        });
    }
    world.mapping[1].psa_id = String::new();
    let night = Night::of(world);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(owners(&night), owner([("ACME", "101")]));
    let is_about_one =
        |path: &str| path.contains("default") || path.contains("fallback") || path.contains("catch");
    assert!(!KEYS.iter().any(|key| is_about_one(key.path)), "and no setting names one");
}

#[rstest]
#[case::refused("400@connectwise:POST /company/configurations", &[])]
#[case::forbidden_for_this_one("403@connectwise:POST /company/configurations+1", &["ACME"])]
#[case::exists_already("409@connectwise:POST /company/configurations", &[])]
#[case::server_error("500@connectwise:POST /company/configurations", &[])]
#[case::broken_connection("severed@connectwise:POST /company/configurations", &[])]
#[case::a_page_in_place_of_the_record("html@connectwise:POST /company/configurations", &[])]
#[case::half_an_answer("truncated@connectwise:POST /company/configurations", &["ACME"])]
#[case::throttled_for_ever("429(1)@connectwise:POST /company/configurations**", &[])]
#[tokio::test(start_paused = true)]
async fn a_failed_create_is_never_recorded_as_done(#[case] fault: &str, #[case] there: &[&str]) {
    let night =
        Night::at("2026-03-10T00:00:00Z", with_customers(&["ACME", "BETA"])).remembering().with_fault(fault);
    let report = night.sync().await;
    for psa_id in ["ACME", "BETA"] {
        let is_there = !night.records(psa_id).is_empty();
        let is_done = matches!(report.bucket(psa_id), Bucket::Created | Bucket::Updated | Bucket::Unchanged);
        assert!(is_there || !is_done, "{psa_id}: {:?}", report.bucket(psa_id));
        let writes = night.company_history(psa_id).await.unwrap().writes;
        assert!(is_there || !writes.iter().any(|write| write.is_verified), "{psa_id}: {writes:?}");
    }
    assert!(there.iter().all(|psa_id| !night.records(psa_id).is_empty()), "{there:?}");
    let is_whole = night.records("ACME").len() + night.records("BETA").len() == 2;
    assert!(is_whole || report.exit() != Exit::Done, "{:?}", report.exit());
    night.simulation.clear_faults();
    at(&night, "2026-03-11T00:00:00Z");
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(
        owners(&night),
        owner([("ACME", "101"), ("BETA", "102")]),
        "the next night makes what is missing, once"
    );
    for psa_id in ["ACME", "BETA"] {
        assert_eq!(night.answer(psa_id, "Seats"), json!(40), "{psa_id}");
    }
}

#[rstest]
#[case::token_throttled("429(1)@umbrella:/auth/v2/token*2", "/auth/v2/token")]
#[case::token_not_answered("severed@umbrella:/auth/v2/token", "/auth/v2/token")]
#[case::token_no_longer_taken("expired-token@umbrella:/reports/v2/top-categories", "/auth/v2/token")]
#[case::create_throttled("429(1)@connectwise:POST /company/configurations*2", "/company/configurations")]
#[case::create_throttled_without_a_time(
    "429@connectwise:POST /company/configurations",
    "/company/configurations"
)]
#[case::update_throttled("429(1)@connectwise:PATCH*2", "/company/configurations/1")]
#[case::update_with_custom_fields("400@connectwise:PATCH", "/company/configurations/1")]
#[case::update_in_doubt("severed@connectwise:PATCH", "/company/configurations/1")]
#[tokio::test(start_paused = true)]
async fn a_retried_body_is_never_empty(#[case] fault: &str, #[case] path: &str) {
    let mut world = with_customers(&["ACME", "BETA"]);
    world.connectwise.records.push(record(1, 11, &[(FieldId::OrganizationId, json!("101"))]));
    let night = Night::of(world).with_fault(fault);
    night.sync().await;
    let sent = night.sent();
    let bodies: Vec<_> = sent.iter().filter(|request| request.method() != Method::GET).collect();
    assert!(bodies.iter().all(|request| !request.body().is_empty()));
    let of_path: Vec<_> = bodies.iter().filter(|request| request.uri().path().ends_with(path)).collect();
    assert!(of_path.len() > 1, "{path} was asked again");
    // The same request says the same; an update may say more once custom fields are demanded, or be made anew from another reading.
    let is_update = path.ends_with("/1");
    for pair in of_path.windows(2).filter(|_| !is_update) {
        assert_eq!(pair[0].body(), pair[1].body(), "{path}");
    }
    for request in of_path.iter().filter(|_| is_update) {
        let operations: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(operations[0]["value"].as_array().unwrap().len(), 16, "{operations}");
    }
}

#[rstest]
#[case::quotes(&["O'Brien's \"PC\"", "a`b"], "a`b; O'Brien's \"PC\"")]
#[case::backslashes(&["C:\\new\\\"x\"", "\\\\server\\share", "\\"], "\\; \\\\server\\share; C:\\new\\\"x\"")]
#[case::escapes_of_others(&["%s %00", "${x}", "\\u0041\\n"], "${x}; %s %00; \\u0041\\n")]
#[case::html(&["Tom &amp; Jerry <b>", "R&D"], "R&D; Tom &amp; Jerry <b>")]
#[case::emoji(&["📦 scanner", "S’s MacBook"], "S’s MacBook; 📦 scanner")]
#[case::other_scripts(&["日本語", "Ägypten", "العربية"], "Ägypten; العربية; 日本語")]
#[case::control_characters(&["KITCHEN\r\nPC\t7\u{7}", "\u{1}x"], "KITCHEN PC 7; x")]
#[case::equal_names(&["pc", "PC", "pc"], "PC; pc; pc")]
#[case::sorted_without_case(&["b", "A", "c", "B"], "A; B; b; c")]
#[case::nobody(&[], "None")]
#[tokio::test(start_paused = true)]
async fn names_with_quotes_backslashes_and_non_ascii_characters(
    #[case] names: &[&str],
    #[case] answer: &str,
) {
    const PSA_ID: &str = "O'Brien \"& Söhne\" \\ 😀;,";
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut world = with_inactive_agents(&names);
    world.mapping[0].psa_id = PSA_ID.into();
    world.mapping[0].name = PSA_ID.into();
    world.connectwise.companies[0].identifier = PSA_ID.into();
    world.connectwise.companies[0].name = PSA_ID.into();
    world.umbrella.organizations[0].name = PSA_ID.into();
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Done, "{:?}", report.reasons(PSA_ID));
    let create: Value = {
        let sent = night.sent();
        serde_json::from_slice(
            sent.iter().find(|request| crate::simulated::is_create(request)).unwrap().body(),
        )
        .unwrap()
    };
    let sent: BTreeSet<_> =
        create["questions"].as_array().unwrap().iter().filter_map(|one| one["answer"].as_str()).collect();
    assert!(sent.contains(answer), "{sent:?}");
    assert_eq!(night.answer(PSA_ID, "Agents Inactive (7 Days)"), json!(answer));
    assert!(night.sync().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_bad_record_never_stops_the_others() {
    let psa_ids = ["ACME", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA", "ETA"];
    let mut world = with_customers(&psa_ids);
    world.umbrella.organizations[1].refuses_token = true;
    world.connectwise.companies.retain(|company| company.identifier != "GAMMA");
    let says = |organization: &str| vec![(FieldId::OrganizationId, json!(organization))];
    let at_delta = [record(1, 14, &says("104")), record(2, 14, &says("104"))];
    world
        .connectwise
        .records
        .extend(at_delta.into_iter().chain([record(3, 15, &says("9")), record(4, 16, &says("106"))]));
    let night = Night::of(world)
        .with_fault("400@connectwise:POST /company/configurations")
        .with_fault("400@connectwise:PATCH /company/configurations/4**");
    let report = night.sync().await;
    let buckets = psa_ids.map(|psa_id| (psa_id, report.bucket(psa_id)));
    assert_eq!(
        buckets,
        [
            ("ACME", Bucket::Failed),
            ("BETA", Bucket::Partial),
            ("GAMMA", Bucket::Skipped),
            ("DELTA", Bucket::Skipped),
            ("EPSILON", Bucket::Skipped),
            ("ZETA", Bucket::Failed),
            ("ETA", Bucket::Created),
        ]
    );
    assert_eq!(report.exit(), Exit::Degraded);
    assert_eq!(night.answer("ETA", "Seats"), json!(40));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_sends_nothing_but_get_and_leaves_the_state_file_byte_identical() {
    let sends_only_get = |night: &Night| {
        let log = night.log(Service::ConnectWise);
        !log.is_empty() && log.iter().all(|logged| logged.method == Method::GET)
    };
    let fresh = Night::of(World::demo());
    assert!(!fresh.plan().await.plan.is_empty() && sends_only_get(&fresh));

    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.plan().await;
    assert!(!night.state_path().exists(), "a plan makes no state");
    night.sync().await;
    let (before, folder) = (std::fs::read(night.state_path()).unwrap(), night.files());
    at(&night, "2026-03-11T00:00:00Z");
    assert!(night.plan().await.plan.is_empty() && sends_only_get(&night));
    assert_eq!(month_reports(&night), 0, "a plan reads the state");
    night.simulation.change(|world| world.umbrella.organizations[0].seats = 41);
    let night = night.with_fault("503@connectwise:/company/companies**");
    assert!(night.try_plan().await.is_err() && sends_only_get(&night));
    night.simulation.clear_faults();
    assert!(!night.plan().await.plan.is_empty() && sends_only_get(&night));
    assert_eq!(std::fs::read(night.state_path()).unwrap(), before);
    assert_eq!(night.files(), folder, "and leaves nothing beside it");
    let others = night.log(Service::Umbrella);
    let others = others.iter().filter(|logged| logged.method != Method::GET);
    assert!(others.into_iter().all(|logged| logged.path == "/auth/v2/token"), "a token is asked for by POST");
}

/// A way to fail: what goes wrong in the world, on the way, or in a setting.
struct Failure {
    name: &'static str,
    world: fn(&mut World),
    faults: &'static [&'static str],
    settings: &'static [(&'static str, &'static str)],
}

const fn fault(name: &'static str, faults: &'static [&'static str]) -> Failure {
    Failure { name, world: |_| {}, faults, settings: &[] }
}

const fn in_world(name: &'static str, world: fn(&mut World)) -> Failure {
    Failure { name, world, faults: &[], settings: &[] }
}

const fn setting(name: &'static str, settings: &'static [(&'static str, &'static str)]) -> Failure {
    Failure { name, world: |_| {}, faults: &[], settings }
}

/// One organization with a record, two without, and what makes a good night of it.
const FAILURES: &[Failure] = &[
    // The services, for all.
    setting("wrong Umbrella key", &[("umbrella.api_secret", "wrong")]),
    setting("wrong ConnectWise key", &[("connectwise.private_key", "wrong")]),
    setting("wrong client id", &[("connectwise.client_id", "wrong")]),
    setting("wrong company", &[("connectwise.company_id", "wrong")]),
    setting("status that does not exist", &[("record.status", "Nope")]),
    setting("no customer list of this kind", &[("umbrella.customers", "providers")]),
    fault("no token", &["500@umbrella:/auth/v2/token**"]),
    fault("token endpoint is gone", &["severed@umbrella:/auth/v2/token**"]),
    fault("customer list fails", &["503@umbrella:/admin/v2**"]),
    fault("customer list is a page", &["html@umbrella:/admin/v2**"]),
    fault("customer list is cut", &["truncated@umbrella:/admin/v2**"]),
    fault("customer list leads elsewhere", &["redirect(https://evil.example/)@umbrella:/admin/v2**"]),
    fault("types cannot be read", &["503@connectwise:/company/configurations/types**"]),
    fault("statuses cannot be read", &["html@connectwise:/company/configurations/statuses**"]),
    fault("companies cannot be read", &["truncated@connectwise:/company/companies**"]),
    fault("companies are refused", &["403@connectwise:GET /company/companies**"]),
    fault("ConnectWise is gone", &["severed@connectwise**"]),
    fault("ConnectWise throttles for ever", &["429(1)@connectwise:/company/companies**"]),
    fault("records cannot be read again", &["503@connectwise:GET /company/configurations+3**"]),
    in_world("scope is missing", |world| {
        world.umbrella.scopes.retain(|scope| scope != "admin.customers:read")
    }),
    in_world("table setup is refused", |world| {
        world.connectwise.types[0].questions.pop();
        world.connectwise.role.edits_table_setup = false;
    }),
    in_world("creating is refused", |world| world.connectwise.role.adds_configurations = false),
    in_world("editing is refused", |world| world.connectwise.role.edits_configurations = false),
    in_world("type is inactive", |world| world.connectwise.types[0].inactive = true),
    in_world("type is hidden", |world| {
        world.connectwise.role.hidden_types = vec![world.connectwise.types[0].name.clone()]
    }),
    // One company.
    fault("token of one organization", &["403@umbrella:/auth/v2/token#102**"]),
    fault("report of one organization", &["503@umbrella:/reports/v2/total-requests#102**"]),
    fault("report is a page", &["html@umbrella:/reports/v2/top-categories#102**"]),
    fault("report is cut", &["truncated@umbrella:/reports/v2/identities#102**"]),
    fault(
        "report leads elsewhere",
        &["redirect(https://evil.example/)@umbrella:/reports/v2/top-categories#102**"],
    ),
    fault("create is refused", &["400@connectwise:POST /company/configurations"]),
    fault("create is in doubt", &["severed@connectwise:POST /company/configurations"]),
    fault("create is answered by a page", &["html@connectwise:POST /company/configurations"]),
    fault("update is refused", &["400@connectwise:PATCH**"]),
    fault("update is in doubt for ever", &["severed@connectwise:PATCH**"]),
    fault("update changes nothing", &["false-ok@connectwise:PATCH"]),
    in_world("company does not exist", |world| world.connectwise.companies[1].identifier = "OTHER".into()),
    in_world("company twice", |world| {
        let twin = Company { id: 99, ..world.connectwise.companies[1].clone() };
        world.connectwise.companies.push(twin);
    }),
    in_world("company mapped twice", |world| world.mapping[1].psa_id = "GAMMA".into()),
    in_world("organization mapped twice", |world| world.mapping[1].org_id = 103),
    in_world("organization is gone", |world| {
        world.umbrella.organizations.remove(1);
    }),
    in_world("organization is not on a partial list", |world| {
        world.umbrella.organizations[1].unlisted = true
    }),
    in_world("no default status", |world| {
        world.connectwise.statuses.iter_mut().for_each(|status| status.default = false)
    }),
    in_world("record of another organization", |world| {
        world.connectwise.records.push(record(8, 12, &[(FieldId::OrganizationId, json!("9"))]));
    }),
    in_world("record at another company", |world| {
        world.connectwise.records.push(record(8, 99, &[(FieldId::OrganizationId, json!("102"))]));
        world.connectwise.companies.push(Company {
            id: 99,
            identifier: "ELSEWHERE".into(),
            ..Company::default()
        });
    }),
    in_world("number fell to zero", |world| {
        // The second source counts the proxy's requests as well, and says otherwise.
        world.umbrella.organizations[0].traffic.retain(|traffic| traffic.proxied_per_day > 0);
    }),
    in_world("password question", |world| {
        world.connectwise.types[0].questions[0].field_type = "Password".into()
    }),
    setting("too many creates", &[("guards.max_creates", "1")]),
    setting("no time to read", &[("http.run_deadline_min", "1"), ("umbrella.limits.token_per_minute", "1")]),
];

fn three() -> World {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA"]);
    let answers = [(FieldId::OrganizationId, json!("101")), (FieldId::DnsQueries, json!(5))];
    world.connectwise.records.push(record(1, 11, &answers));
    world
}

async fn ends(night: &Night) -> Exit {
    night.try_sync().await.map_or_else(|error| error.exit(), |report| report.exit())
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_never_exits_0() {
    assert_eq!(ends(&Night::of(three())).await, Exit::Done, "nothing else is wrong with it");
    let mut without_a_word = Vec::new();
    for failure in FAILURES {
        let mut world = three();
        (failure.world)(&mut world);
        let night = failure.faults.iter().fold(Night::of(world), |night, fault| night.with_fault(fault));
        let night = failure.settings.iter().fold(night, |night, (key, value)| night.set(key, value));
        let exit = ends(&night).await;
        if exit == Exit::Done || exit.code() == 0 {
            without_a_word.push(failure.name);
        }
    }
    assert_eq!(without_a_word, [""; 0]);
    let night = Night::of(three()).remembering();
    let lease = night.take_lease().await;
    assert_eq!(ends(&night).await, Exit::Leased);
    lease.release().await.unwrap();
    let stopped = Night::of(three());
    stopped.stop.cancel();
    assert_ne!(ends(&stopped).await.code(), 0);
    std::fs::write(night.state_path(), "no state").unwrap();
    assert_eq!(ends(&night).await, Exit::Failed);
}
