//! Damaged answers: what comes out of one is what the whole one says, or nothing.

use std::fmt::Debug;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::domain::field::Group;
use crate::domain::metrics::{Metrics, MonthMetrics, Reading};
use crate::http::damage::{Damage, Damaged, cases, cut, damages, runtime};

/// Everything that a night asks Umbrella about the organization.
const ANSWERS: [&str; 12] = [
    "/auth/v2/token",
    "/admin/v2/providers/customers",
    "/reports/v2/providers/consoles",
    "/reports/v2/providers/categories",
    "/reports/v2/providers/deployments",
    "/reports/v2/providers/requests-by-org",
    "/reports/v2/top-identities",
    "/reports/v2/identities",
    "/reports/v2/total-requests/dns",
    "/reports/v2/summaries-by-category/dns",
    "/reports/v2/top-destinations/dns",
    "/reports/v2/top-categories/dns",
];

/// What a night reads.
struct Told {
    fleet: Fleet,
    metrics: Metrics,
    zeros: [ZeroCheck; 3],
}

/// The whole answer to a path, of the organization or of the console.
fn whole(path: &str) -> Value {
    let request = Request::builder().uri(path).method(if path.ends_with("/token") { "POST" } else { "GET" });
    let request = request.header("x-umbrella-orgid", BUSY.0).body(Bytes::new()).unwrap();
    serde_json::from_slice(healthy(&request).unwrap().body()).unwrap()
}

/// Reads everything about one organization, where `path` is answered with `body`. `None` where nothing at all can be read.
fn night(runtime: &Runtime, path: &'static str, body: String) -> Option<Told> {
    runtime.block_on(async {
        let script = service(move |_, request, _| {
            let is_first = !request.uri().query().is_some_and(|query| query.contains("offset=5"));
            let is_ours = asked_organization(request).is_none_or(|id| id == BUSY.0);
            (request.uri().path() == path && is_first && is_ours).then(|| reply(200, &body))
        });
        let umbrella = client(&script);
        let fleet = umbrella.fleet(scheduled(), &[], None).await.ok()?;
        let listed = fleet.customers.items.iter().find(|organization| organization.id == BUSY).cloned();
        let organization = listed.unwrap_or_else(|| organization(BUSY));
        let mut visit = umbrella.visit(&fleet, &organization, &needs(Some(october())));
        let metrics = visit.metrics().await.unwrap();
        let zeros = [
            visit.confirm_zero(Group::Networks).await,
            visit.confirm_zero(Group::Agents).await,
            visit.confirm_zero(Group::Month).await,
        ];
        drop(visit);
        Some(Told { fleet, metrics, zeros })
    })
}

fn same_or_unread<T: Debug + PartialEq>(told: &Reading<T>, whole: &Reading<T>, what: &str) {
    assert!(told == whole || told.read().is_none(), "{what}: {told:?} is not {whole:?}");
}

fn same_or_none<T: Debug + PartialEq>(told: Option<T>, whole: Option<T>, what: &str) {
    assert!(told == whole || told.is_none(), "{what}: {told:?} is not {whole:?}");
}

/// The rule. Two members may be missing and mean something: a package that the customer list does not name is the console's, and an
/// identity without a label is one without a name.
fn assert_whole_or_unread(told: Option<&Told>, whole: &Told, damaged: &Damaged) {
    let (what, Some(told)) = (damaged.what.as_str(), told) else { return };
    let ids = |told: &Told| told.fleet.customers.items.iter().map(|one| one.id).collect::<Vec<_>>();
    if told.fleet.customers.is_complete() {
        assert_eq!(ids(told), ids(whole), "{what}");
        for (one, other) in told.fleet.customers.items.iter().zip(&whole.fleet.customers.items) {
            assert_eq!(one.name, other.name, "{what}");
            same_or_none(one.seats, other.seats, what);
            same_or_none(one.package.as_ref(), other.package.as_ref(), what);
        }
    }
    let console = |told: &Told| told.fleet.console.clone();
    let package = |told| console(told).and_then(|console| console.package);
    same_or_none(
        console(told).and_then(|it| it.customer_count),
        console(whole).and_then(|it| it.customer_count),
        what,
    );
    same_or_none(package(told), package(whole), what);
    same_or_none(told.fleet.deployment(BUSY), whole.fleet.deployment(BUSY), what);
    if damaged.member != "packageName" {
        same_or_unread(&told.metrics.package, &whole.metrics.package, what);
    }
    same_or_unread(&told.metrics.seats, &whole.metrics.seats, what);
    if damaged.member != "label" {
        same_or_unread(&told.metrics.networks, &whole.metrics.networks, what);
        same_or_unread(&told.metrics.agents, &whole.metrics.agents, what);
    }
    let MonthMetrics { queries, malware, botnet, top_domains, top_domains_blocked, top_categories } =
        &told.metrics.month;
    let month = &whole.metrics.month;
    same_or_unread(queries, &month.queries, what);
    same_or_unread(malware, &month.malware, what);
    same_or_unread(botnet, &month.botnet, what);
    same_or_unread(top_domains, &month.top_domains, what);
    same_or_unread(top_domains_blocked, &month.top_domains_blocked, what);
    same_or_unread(top_categories, &month.top_categories, what);
    assert!(!told.zeros.contains(&ZeroCheck::Confirmed), "{what}: {:?}", told.zeros);
}

#[test]
fn a_damaged_answer_is_what_it_was_or_unread() {
    let runtime = runtime();
    for path in ANSWERS {
        let document = whole(path);
        let undamaged = night(&runtime, path, document.to_string()).unwrap();
        for damaged in damages(&document) {
            let told = night(&runtime, path, damaged.text.clone());
            assert_whole_or_unread(
                told.as_ref(),
                &undamaged,
                &Damaged { what: format!("{path} {}", damaged.what), ..damaged },
            );
        }
    }
}

fn claims() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(org/)?(1000002|10000020|900)?(/client/k)?".prop_map(Value::from),
        "[a-z.:, ]{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("sub|scope|scopes|x", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn an_answer_that_ends_anywhere_is_what_it_was_or_unread(
        path in proptest::sample::select(&ANSWERS[..]),
        at in 0_usize..2000,
    ) {
        let (runtime, document) = (runtime(), whole(path));
        let undamaged = night(&runtime, path, document.to_string()).unwrap();
        let text = cut(&document, at % document.to_string().len());
        let what = format!("{path} {text}");
        let damaged = Damaged { what, text, member: String::new(), damage: Damage::Missing };
        assert_whole_or_unread(night(&runtime, path, damaged.text.clone()).as_ref(), &undamaged, &damaged);
    }

    #[test]
    fn an_answer_of_any_bytes_is_unread(
        path in proptest::sample::select(&ANSWERS[..]),
        body in "[\\[\\]{}\",:0-9a-z<> \u{0}é]{0,60}",
    ) {
        let runtime = runtime();
        if let Some(told) = night(&runtime, path, body.clone()) {
            prop_assert!(!told.zeros.contains(&ZeroCheck::Confirmed), "{body}");
        }
    }

    #[test]
    fn a_token_with_any_claims_is_an_organizations_only_where_it_says_so(claims in claims()) {
        let access_token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let answer = wire::Token { access_token, expires_in: wire::Count(3600) };
        let says_so = claims["sub"].as_str().is_some_and(|sub| sub.contains("org/1000002"));
        let token = auth::Token::new(&answer, Some(BUSY));
        prop_assert!(token.is_err() || says_so, "{claims}");
        let console = auth::Token::new(&answer, None).unwrap();
        let is_named = |scope: &str| claims.to_string().contains(scope);
        let is_covered = console.scopes().is_some_and(|scopes| scopes.cover("admin.customers:read"));
        prop_assert!(!is_covered || is_named("admin"));
    }

    #[test]
    fn a_token_of_any_text_never_shows_in_an_error(
        token in "\\PC{0,60}",
        head in "[A-Za-z0-9_-]{0,8}",
        tail in any::<Vec<u8>>(),
    ) {
        let any_claims = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(&tail));
        for access_token in [token.clone(), format!("{head}.{token}.x"), any_claims] {
            let answer = wire::Token { access_token: access_token.clone(), expires_in: wire::Count(1) };
            let Err(error) = auth::Token::new(&answer, Some(BUSY)) else { panic!("{access_token}") };
            let is_shown = access_token.len() > 16 && error.to_string().contains(&access_token);
            prop_assert!(!is_shown);
        }
    }
}
