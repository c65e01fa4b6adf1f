//! Damaged answers: what comes out of one is what the whole one says, or stops the run before anything is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Request;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::write::Sent;
use super::*;
use crate::clock::Clock;
use crate::domain::answer::Answer;
use crate::domain::field::{FieldId, FieldMap};
use crate::domain::ids::{CompanyId, QuestionId, TypeId};
use crate::domain::question::{FieldType, QuestionMatch};
use crate::http::damage::{Damage, cases, cut, damages, runtime};
use crate::http::script::{Reply, Script, reply, reply_with};
use crate::resolve::match_questions;
use crate::secret::Secret;

crate::secret::assert_unshowable!(Settings, Connection<Script>);

const TYPE: &str = "OpenDNS_Umbrella";
const LOOK_UP: &str = "/login/companyinfo/acme";
const TYPES: &str = "/company/configurations/types";
const QUESTIONS: &str = "/company/configurations/types/40/questions";
const STATUSES: &str = "/company/configurations/statuses";
const COMPANY_STATUSES: &str = "/company/companies/statuses";
const COMPANIES: &str = "/company/companies";
const CONFIGURATIONS: &str = "/company/configurations";
const ANSWERS: [&str; 7] = [LOOK_UP, TYPES, QUESTIONS, STATUSES, COMPANY_STATUSES, COMPANIES, CONFIGURATIONS];

/// Members that ConnectWise leaves out or sends as null, each of which then means something.
///
/// A flag is not set; a text is empty; an answer is none; a reference is to nothing; without a field type a question carries nothing.
const OPTIONAL: [&str; 15] = [
    "inactiveFlag",
    "requiredFlag",
    "deletedFlag",
    "closedFlag",
    "defaultFlag",
    "name",
    "status",
    "deviceIdentifier",
    "answer",
    "fieldType",
    "entryType",
    "_info",
    "dateEntered",
    "lastUpdated",
    "customFields",
];

fn whole(path: &str) -> Value {
    match path {
        LOOK_UP => {
            json!({"CompanyName": "Acme", "Codebase": "v2025_1/", "IsCloud": "True", "VersionCode": "v2025.1"})
        }
        TYPES => json!([{"id": 40, "name": TYPE, "inactiveFlag": false}, {"id": 41, "name": "Server"}]),
        QUESTIONS => json!([
            {"id": 1, "question": "Organization Id", "fieldType": "Text", "entryType": "EntryField", "inactiveFlag": false},
            {"id": 2, "question": "Seats", "fieldType": "Number", "entryType": "EntryField", "inactiveFlag": false},
            {"id": 3, "question": "Door code", "fieldType": "Text", "entryType": "EntryField", "inactiveFlag": true},
            {"id": 4, "question": "Owner", "fieldType": "Text", "entryType": "EntryField", "requiredFlag": true},
        ]),
        STATUSES => json!([{"id": 1, "description": "Active", "closedFlag": false, "defaultFlag": true}]),
        COMPANY_STATUSES => json!([{"id": 1, "inactiveFlag": false}, {"id": 2, "inactiveFlag": true}]),
        COMPANIES => json!([
            {"id": 11, "identifier": "ACME", "name": "Acme Ltd", "status": {"id": 1, "name": "Active"}, "deletedFlag": false},
        ]),
        _ => json!([{
            "id": 7, "company": {"id": 11, "identifier": "ACME"}, "status": {"id": 1}, "deviceIdentifier": "umbrella:101",
            "questions": [
                {"answerId": 1, "questionId": 1, "question": "Organization Id", "answer": "101", "fieldType": "Text"},
                {"answerId": 2, "questionId": 2, "question": "Seats", "answer": 40.0, "fieldType": "Number"},
                {"answerId": 3, "questionId": 3, "question": "Door code", "answer": "4711", "fieldType": "Text"},
                {"answerId": 4, "questionId": 4, "question": "Owner", "answer": "Ann", "fieldType": "Text", "requiredFlag": true},
            ],
            "_info": {"dateEntered": "2026-01-05T03:00:00Z", "lastUpdated": "2026-03-14T03:00:00Z", "updatedBy": "UmbrellaAPI"},
            "customFields": [{"id": 1, "value": "x"}],
        }]),
    }
}

fn reader(
    answer: impl Fn(&Request<bytes::Bytes>) -> Option<Reply> + Send + Sync + 'static,
) -> Reader<Script> {
    let script = Script::new(move |_, request| {
        let path = request.uri().path();
        let path = path.split_once("/apis/3.0").map_or(path, |(_, path)| path);
        answer(request).unwrap_or_else(|| reply(200, &whole(path).to_string()))
    });
    let settings = Settings {
        base_url: "https://api-na.myconnectwise.net".parse().unwrap(),
        codebase: Codebase::Auto,
        company_id: "acme".into(),
        public_key: "public".into(),
        private_key: Secret::new("private".into()),
        client_id: Secret::new("client".into()),
        api_version: "2025.1".into(),
        requests_per_minute: 100_000,
        concurrency: 4,
        attempts_max: 1,
        seed: 1,
    };
    let now = "2026-03-15T00:00:00Z".parse().unwrap();
    Reader::new(Arc::new(Connection::new(script, settings, Clock::starting_at(now)).unwrap()))
}

/// Everything that a plan and a write rest on, in words; `None` where the run ends, or leaves the record alone.
fn night(runtime: &Runtime, path: &'static str, body: String) -> Option<BTreeMap<&'static str, String>> {
    let reader = reader(move |request| request.uri().path().ends_with(path).then(|| reply(200, &body)));
    runtime.block_on(async {
        let fleet = collect(&reader, TYPE, match_questions).await.ok()?;
        let type_id = fleet.type_state.id?;
        let fresh = reader.records_at(type_id, &[CompanyId(11)], &fleet.type_state.questions).await.ok()?;
        let fresh: Vec<_> = fresh.into_iter().map(|fresh| fresh.record).collect();
        let Fleet { type_state, statuses, companies, records, .. } = fleet;
        if records.iter().chain(&fresh).any(|record| record.defect.is_some()) {
            return None;
        }
        Some(BTreeMap::from([
            ("type", format!("{type_state:?}")),
            ("statuses", format!("{statuses:?}")),
            ("companies", format!("{companies:?}")),
            ("records", format!("{records:?}")),
            ("fresh", format!("{fresh:?}")),
        ]))
    })
}

#[test]
fn a_damaged_list_is_what_it_was_or_not_used() {
    let runtime = runtime();
    for path in ANSWERS {
        let undamaged = night(&runtime, path, whole(path).to_string()).unwrap();
        for damaged in damages(&whole(path)) {
            let Some(told) = night(&runtime, path, damaged.text.clone()) else { continue };
            let member = damaged.member.as_str();
            let is_allowed = match &damaged.damage {
                // An answer is a scalar of any type.
                Damage::Replaced(other) if member == "answer" => !other.starts_with(['[', '{']),
                Damage::Replaced(other) => other == "null" && OPTIONAL.contains(&member),
                Damage::Missing => OPTIONAL.contains(&member),
                Damage::Repeated(_) | Damage::Extended => false,
            };
            if is_allowed {
                continue;
            }
            assert_eq!(told, undamaged, "{path} {}", damaged.what);
        }
    }
}

#[test]
fn a_record_that_does_not_say_whose_it_is_or_what_it_says_is_never_taken_for_none() {
    let runtime = runtime();
    let mut spoil: Vec<(&str, Value)> = Vec::new();
    for (pointer, value) in [
        ("/0/company", Value::Null),
        ("/0/questions", Value::Null),
        ("/0/questions/0/questionId", Value::Null),
        ("/0/questions/0/answer", json!({"value": "101"})),
        ("/0/questions/1/answer", json!([40])),
    ] {
        let mut document = whole(CONFIGURATIONS);
        *document.pointer_mut(pointer).unwrap() = value;
        spoil.push((pointer, document));
    }
    for (pointer, document) in spoil {
        let told = night(&runtime, CONFIGURATIONS, document.to_string());
        assert!(told.is_none(), "{pointer}: {told:?}");
    }
}

#[test]
fn a_damaged_answer_to_a_write_never_confirms_what_it_does_not_say() {
    let questions = FieldMap::from_fn(|field| match field {
        FieldId::OrganizationId => QuestionMatch::Found { id: QuestionId(1), field_type: FieldType::Text },
        FieldId::Seats => QuestionMatch::Found { id: QuestionId(2), field_type: FieldType::Number },
        _ => QuestionMatch::Missing,
    });
    let content = FieldMap::from_fn(|field| match field {
        FieldId::OrganizationId => Some(Answer::Text("101".into())),
        FieldId::Seats => Some(Answer::Number(40)),
        _ => None,
    });
    let foreign =
        [("questionId", json!(3)), ("answer", json!("4711"))].map(|(name, value)| (name.to_owned(), value));
    let foreign = [wire::RawQuestion::from_iter(foreign)];
    let sent = Sent { questions: &foreign, content: &content, device_identifier: Some("umbrella:101") };
    let document = whole(CONFIGURATIONS)[0].clone();
    let written = |text: &str| sent.written(text.as_bytes(), &questions);
    let undamaged = written(&document.to_string()).unwrap();
    assert_eq!((undamaged.others_altered, undamaged.device_identifier_lost), (0, false));
    for damaged in damages(&document) {
        let Ok(told) = written(&damaged.text) else { continue };
        assert_eq!(told.record, undamaged.record, "{}", damaged.what);
        let is_scalar = damaged.member == "answer"
            && matches!(&damaged.damage, Damage::Replaced(other) if !other.starts_with('['));
        for field in [FieldId::OrganizationId, FieldId::Seats] {
            // An answer that is not there is none that was sent: the write is not verified.
            let (told, whole) = (&told.answers[field], &undamaged.answers[field]);
            assert!(told == whole || told.text().is_none() || is_scalar, "{}: {told:?}", damaged.what);
        }
        let concerns_others = damaged.what.contains("/questions/2") || damaged.member == "questions";
        assert!(
            told.others_altered == 0 || concerns_others || told.answers != undamaged.answers,
            "{}",
            damaged.what
        );
        assert!(!told.device_identifier_lost || damaged.member == "deviceIdentifier", "{}", damaged.what);
    }
}

fn version_reader(version: &[u8]) -> Reader<Script> {
    let value = HeaderValue::from_bytes(version).ok();
    reader(move |request| {
        let path = request.uri().path().split_once("/apis/3.0").map(|(_, path)| path.to_owned())?;
        let mut response = reply(200, &whole(&path).to_string()).ok()?;
        let name = HeaderName::from_static("api-current-version");
        response.headers_mut().extend(value.clone().map(|value| (name, value)));
        Some(Ok(response))
    })
}

/// Links as a service may print them, and whether one of them is to the next page.
fn links() -> impl Strategy<Value = (String, bool)> {
    let relation =
        proptest::sample::select(vec!["first", "prev", "next", "last", "NEXT", "nextish", "next last"]);
    let quoted = any::<bool>();
    let address = "[a-z0-9;,=?&\"]{0,12}(;rel=next,)?";
    let title = proptest::option::of("[a-z;,= <>]{0,8}");
    let link = (address, relation, quoted, title).prop_map(|(address, relation, quoted, title)| {
        let must_quote = quoted || relation.contains(' ');
        let relation_text = if must_quote { format!("\"{relation}\"") } else { relation.to_owned() };
        let title = title.map(|title| format!("; title=\"{title}\"")).unwrap_or_default();
        let is_next = relation.split(' ').any(|word| word.eq_ignore_ascii_case("next"));
        (format!("<https://na.example/{address}>{title}; rel={relation_text}"), is_next)
    });
    proptest::collection::vec(link, 0..4).prop_map(|links| {
        let is_next = links.iter().any(|(_, is_next)| *is_next);
        (links.into_iter().map(|(link, _)| link).collect::<Vec<_>>().join(", "), is_next)
    })
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_list_that_ends_anywhere_stops_the_run(
        path in proptest::sample::select(&ANSWERS[..]),
        at in 0_usize..2000,
    ) {
        let document = whole(path);
        let text = cut(&document, at % document.to_string().len());
        prop_assert!(night(&runtime(), path, text.clone()).is_none(), "{path} {text}");
    }

    #[test]
    fn a_list_of_any_bytes_stops_the_run(
        path in proptest::sample::select(&ANSWERS[..]),
        body in "[\\[\\]{}\",:0-9a-z<> \u{0}é]{0,60}",
    ) {
        let is_empty_list = body.split_whitespace().collect::<String>() == "[]";
        prop_assert!(is_empty_list || night(&runtime(), path, body.clone()).is_none(), "{path} {body}");
    }

    #[test]
    fn a_codebase_is_one_segment_of_a_path_or_refused(
        codebase in "(\\PC{0,20}|v2025_1/?|[./a-z%?#@:\\\\]{0,12})",
    ) {
        let info = serde_json::from_value::<wire::CompanyInfo>(json!({"Codebase": codebase}));
        let others = ['/', '\\', '?', '#', '%', '@', ':'];
        let is_segment = |text: &str| !text.is_empty() && !text.contains(others) && !text.starts_with('.');
        match info.map(|info| info.codebase) {
            Ok(read) => prop_assert!(is_segment(&read) && codebase.trim_end_matches('/') == read),
            Err(_) => prop_assert_ne!(codebase, "v2025_1/"),
        }
    }

    #[test]
    fn a_version_header_of_any_bytes_never_makes_a_long_finding(
        version in "(20[0-9]{2}[.][0-9]{1,3}|v2026.9)(.{0,200})?",
    ) {
        let reader = version_reader(version.as_bytes());
        let fleet = runtime().block_on(collect(&reader, TYPE, match_questions)).unwrap();
        prop_assert!(fleet.findings.iter().all(|finding| finding.sentence.chars().count() < 120));
    }

    #[test]
    fn a_next_page_is_told_from_its_link((link, is_next) in links()) {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::LINK, HeaderValue::from_str(&link).unwrap());
        prop_assert_eq!(paging::next_page(&headers) == paging::Next::Yes, is_next, "{}", link);
    }

    #[test]
    fn a_link_of_any_bytes_is_read_without_harm(link in any::<Vec<u8>>()) {
        let Ok(link) = HeaderValue::from_bytes(&link) else { return Ok(()) };
        let mut headers = HeaderMap::new();
        headers.insert(http::header::LINK, link);
        prop_assert_ne!(paging::next_page(&headers), paging::Next::Unsaid);
    }
}

#[test]
fn a_link_that_never_ends_its_address_is_no_next_page() {
    let reader = reader(|request| {
        let link = [("link", "<https://na.example/?page=2; rel=\"next\"")];
        request
            .uri()
            .path()
            .ends_with(COMPANIES)
            .then(|| reply_with(200, &link, &whole(COMPANIES).to_string()))
    });
    let fleet = runtime().block_on(collect(&reader, TYPE, match_questions)).unwrap();
    assert_eq!((fleet.companies.len(), fleet.type_state.id), (1, Some(TypeId(40))));
}
