//! Keeps the credentials of a request out of what is quoted of its answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

/// As much of a secret is looked for, so that one that was cut is found, too.
const NEEDLE_CHARS: usize = 16;
/// What is quoted instead.
const STAND_IN: &str = "a text that repeats a credential, and is not shown";

/// What must not be quoted: a gateway may put the request that it refuses into its answer.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The values of the headers that are marked as sensitive, without their scheme, what `Basic` encodes (user, password and both), and
    /// the parts of a token.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let sensitive = headers.values().filter(|value| value.is_sensitive());
        let secrets = sensitive.filter_map(|value| HeaderValue::to_str(value).ok()).flat_map(parts);
        let needles = secrets.map(|secret| secret.chars().take(NEEDLE_CHARS).collect::<String>());
        Self(needles.filter(|needle| !needle.is_empty()).collect())
    }

    /// `text`, unless one of the secrets is in it, be it escaped for HTML or for an address.
    pub(super) fn withheld<'a>(&self, text: &'a str) -> &'a str {
        let unescaped = html_escape::decode_html_entities(text);
        let unquoted = percent_decode_str(&unescaped).decode_utf8_lossy();
        let is_told =
            |secret: &String| [text, &unescaped, &unquoted].iter().any(|text| text.contains(secret));
        if self.0.iter().any(is_told) { STAND_IN } else { text }
    }
}

fn parts(value: &str) -> Vec<String> {
    let (scheme, credential) = value.split_once(' ').unwrap_or(("", value));
    let mut parts = vec![credential.trim().to_owned()];
    // Claims and signature of a token, each by itself. A short part would hide texts that have nothing to do with it.
    let pieces = credential.trim().split('.').filter(|piece| piece.len() >= NEEDLE_CHARS);
    parts.extend(pieces.map(str::to_owned));
    let decoded = STANDARD.decode(credential.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(login) = decoded.filter(|_| scheme.eq_ignore_ascii_case("basic")) {
        parts.extend(login.splitn(2, ':').map(str::to_owned));
    }
    parts
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn secrets() -> Secrets {
        let mut headers = HeaderMap::new();
        let login = format!("Basic {}", STANDARD.encode("acme+public:pa<ss>word"));
        for (name, value, is_sensitive) in [
            ("authorization", login.as_str(), true),
            ("clientid", "5f0c1d7e-client", true),
            ("proxy-authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.claims-of-a-token.signature", true),
            ("accept", "application/json", false),
        ] {
            let mut value = HeaderValue::from_str(value).unwrap();
            value.set_sensitive(is_sensitive);
            headers.insert(name, value);
        }
        Secrets::of(&headers)
    }

    #[rstest]
    #[case::user("no such user: acme+public", false)]
    #[case::password("pa<ss>word is wrong", false)]
    #[case::password_escaped("<p>pa&lt;ss&gt;word</p>", false)]
    #[case::password_in_an_address("/login?password=pa%3Css%3eword&next=%", false)]
    #[case::basic_in_an_address("?authorization=Basic+YWNtZStwdWJsaWM6cGE8c3M%2Bd29yZA%3D%3D", false)]
    #[case::client_id("clientId 5f0c1d7e-client", false)]
    #[case::token("authorization: Bearer eyJhbGciOiJIUzI1NiJ9.claims-of-a-token.signature", false)]
    #[case::claims("no such claims: claims-of-a-token", false)]
    #[case::token_cut("eyJhbGciOiJIUzI1NiJ9.cl…", false)]
    #[case::basic("Basic YWNtZStwdWJsaWM6cGE8c3M+d29yZA==", false)]
    #[case::nothing_of_it("Bearer token expected, Accept: application/json", true)]
    fn a_text_that_repeats_a_credential_is_not_shown(#[case] text: &str, #[case] is_shown: bool) {
        assert_eq!(secrets().withheld(text) == text, is_shown);
    }

    #[test]
    fn without_credentials_everything_is_shown() {
        assert_eq!(Secrets::of(&HeaderMap::new()).withheld("text"), "text");
    }

    #[test]
    fn an_empty_password_hides_nothing() {
        let mut headers = HeaderMap::new();
        let mut value = HeaderValue::from_static("Basic dXNlcjo=");
        value.set_sensitive(true);
        headers.insert("authorization", value);
        assert_eq!(Secrets::of(&headers).withheld("text"), "text");
    }
}
