//! Headers and bodies of any kind: what is made of them keeps within its bounds, and repeats no credential.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use super::damage::{cases, cut, damages};
use super::decode::{COMPLAINT_CHARS_MAX, COMPLAINT_DETAILS_MAX, Complaint, DecodeError, json, json_answer};
use super::redirect::{HostPattern, destination};
use super::retry::{RETRY_AFTER_MAX, Wait, judge_read};
use super::secrets::Secrets;

const CANARY: &str = "CaNaRy-0123456789-CaNaRy";

/// A text in characters of ours and of any other kind.
fn texts() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof!["[ -~]{0,20}", "\\PC{0,10}", "[\u{0}-\u{1f}\u{80}-\u{9f}]{0,3}"],
        0..8,
    )
    .prop_map(|parts| parts.concat())
}

/// How a service may repeat what it was sent.
fn echoed(secret: &str) -> Vec<String> {
    let in_address: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let every_byte: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        secret.to_owned(),
        in_address,
        every_byte,
        html_escape::encode_safe(secret).into_owned(),
        secret[..20].to_owned(),
    ]
}

fn secrets() -> Secrets {
    let mut headers = HeaderMap::new();
    let mut value = HeaderValue::from_str(&format!("Bearer {CANARY}")).unwrap();
    value.set_sensitive(true);
    headers.insert("authorization", value);
    Secrets::of(&headers)
}

fn assert_bounded(complaint: &Complaint) {
    let one_line =
        |text: &str| !text.contains(char::is_control) && text.chars().count() <= COMPLAINT_CHARS_MAX + 1;
    let Complaint { code, text, details } = complaint;
    assert!(details.len() <= COMPLAINT_DETAILS_MAX && one_line(text), "{complaint:?}");
    assert!(code.as_deref().is_none_or(one_line), "{complaint:?}");
    for detail in details {
        let parts = [&detail.code, &detail.field, &detail.text];
        assert!(parts.into_iter().flatten().all(|part| one_line(part)), "{complaint:?}");
    }
    let chars_max = (COMPLAINT_CHARS_MAX + 4) * (2 * COMPLAINT_DETAILS_MAX + 1);
    assert!(complaint.to_string().chars().count() <= chars_max);
}

#[test]
fn a_refusal_of_any_shape_is_one_short_line() {
    let errors: Vec<_> = (0..1000)
        .map(|field| json!({"code": "Bad", "field": field.to_string(), "message": "x".repeat(999)}))
        .collect();
    let document = json!({
        "code": "InvalidObject", "message": "m\n".repeat(999), "error": "e", "data": {"error": "d"}, "errors": errors[..2],
    });
    let texts = damages(&document).into_iter().map(|damaged| damaged.text);
    for body in texts.chain([json!({"errors": errors}).to_string(), "y".repeat(9999)]) {
        assert_bounded(&Complaint::of(body.as_bytes(), &Secrets::default()));
    }
}

fn wait(headers: &[(String, String)], status: u16) -> Option<Wait> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
        response.headers_mut().insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    let now: DateTime<Utc> = "2026-11-22T00:00:00Z".parse().unwrap();
    judge_read::<Value>(Ok(response), now, &Secrets::default()).again
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_refusal_of_any_bytes_is_one_short_line(body in any::<Vec<u8>>(), text in texts()) {
        let in_json = json!({"message": text, "errors": [{"message": text}]}).to_string();
        for body in [body.as_slice(), text.as_bytes(), in_json.as_bytes()] {
            assert_bounded(&Complaint::of(body, &Secrets::default()));
        }
    }

    #[test]
    fn no_complaint_repeats_a_credential(
        before in texts(),
        after in texts(),
        way in 0_usize..5,
        place in 0_usize..6,
    ) {
        let echo = format!("{before}{}{after}", echoed(CANARY)[way]);
        let body = match place {
            0 => echo,
            1 => json!({"message": echo}).to_string(),
            2 => json!({"code": echo, "errors": [{"code": "a"}]}).to_string(),
            3 => json!({"errors": [{"field": echo, "message": "no"}]}).to_string(),
            4 => format!("<html><title>{echo}</title></html>"),
            _ => json!({"data": {"errors": echo}}).to_string(),
        };
        let complaint = Complaint::of(body.as_bytes(), &secrets());
        let shown = format!("{complaint} {complaint:?}");
        prop_assert!(!shown.contains(&CANARY[..16]), "{shown}");
        let read = json_answer::<Vec<u64>>(body.as_bytes(), &secrets());
        let error = read.map_or_else(|error| error.to_string(), |_| String::new());
        prop_assert!(!error.contains(&CANARY[..16]), "{error}");
    }

    #[test]
    fn an_unusable_answer_never_shows_its_values(at in 0_usize..200, way in 0_usize..400) {
        let document = json!([{"seats": 7, "name": CANARY}, {"seats": 8, "name": CANARY}]);
        let all = damages(&document);
        let of_another_type = json!([{"seats": CANARY}]).to_string();
        for body in [cut(&document, at), all[way % all.len()].text.clone(), of_another_type] {
            if let Err(error) = json::<Vec<std::collections::BTreeMap<String, u64>>>(body.as_bytes()) {
                prop_assert!(!error.to_string().contains("CaNaRy"), "{error}");
                let is_page = matches!(error, DecodeError::Html { .. });
                prop_assert!(!is_page);
            }
        }
    }

    #[test]
    fn a_wait_that_a_service_asks_for_is_never_too_long(
        retry_after in prop_oneof![
            any::<u64>().prop_map(|number| number.to_string()),
            texts(),
            "(Mon|Sun), 22 Nov (1970|2026|9999) 0[0-9]:00:00 GMT",
        ],
        left in "( ?0 ?|[0-9]{1,20}|-1|x)",
        window in "(second|minute|1800|hour|day)",
        status in proptest::sample::select(vec![429_u16, 503, 500, 404]),
    ) {
        let rate = (format!("x-ratelimit-remaining-{window}"), left);
        for headers in [vec![("retry-after".to_owned(), retry_after.clone()), rate.clone()], vec![rate]] {
            match wait(&headers, status) {
                Some(Wait::Exactly(wait)) => {
                    prop_assert!((Duration::from_secs(1)..=RETRY_AFTER_MAX).contains(&wait), "{wait:?}");
                }
                Some(Wait::Backoff | Wait::Throttled | Wait::TooLong) => {}
                None => prop_assert_eq!(status, 404),
            }
        }
    }

    #[test]
    fn a_location_of_any_text_leads_only_where_it_may(
        location in prop_oneof![
            texts(),
            "(https?:)?//([a-z]{0,4}@)?(api\\.eu\\.umbrella\\.com|umbrella\\.com|evil\\.example|api\\.umbrella\\.com\\.evil)(:[0-9]{1,6})?(/[a-z?#%]{0,9})?",
        ],
    ) {
        let from: Url = "https://api.umbrella.com/reports/v2/identities?limit=1".parse().unwrap();
        let permitted = ["*.umbrella.com", "api.umbrella.com"].map(|text| text.parse::<HostPattern>().unwrap());
        match destination(&from, &location, &permitted) {
            Ok(to) => {
                let rest = (to.scheme(), to.port(), to.fragment(), to.username());
                prop_assert_eq!(rest, ("https", None, None, ""), "{}", to);
                prop_assert!(to.host_str().unwrap_or_default().ends_with(".umbrella.com"), "{to}");
            }
            Err(error) => prop_assert!(!error.to_string().contains("limit=1")),
        }
    }

    #[test]
    fn a_host_pattern_reads_as_it_shows(
        text in "(\\*\\.)?([a-zA-Z0-9-]{1,5}\\.){0,3}[a-z]{1,5}(:[0-9]{1,5})?|\\[::[0-9a-f]{1,4}\\](:[0-9]{1,5})?|\\PC{0,12}",
    ) {
        if let Ok(pattern) = text.parse::<HostPattern>() {
            prop_assert_eq!(pattern.to_string().parse::<HostPattern>(), Ok(pattern), "{}", text);
        }
    }
}
