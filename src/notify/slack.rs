//! Slack: incoming webhooks.
//!
//! The text goes out preformatted, so that nothing in it is taken for mark-up. What Slack reads also there are `&`, `<` and `>`, and the end
//! of the preformatted text itself.

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::delivery::{self, DeliveryError};
use crate::config::Hook;
use crate::render::text::{LINE_CHARS_MAX, NoticeText, Paragraph};

/// Characters of the longest text of a section. Slack refuses a message with a longer one.
const SECTION_CHARS_MAX: usize = 3_000;

const FENCE: &str = "```";

/// What `&` becomes is the longest that a character becomes.
const _: () = assert!(LINE_CHARS_MAX * "&amp;".len() + 2 * FENCE.len() <= SECTION_CHARS_MAX);

pub(super) fn request(hook: &Hook, text: &NoticeText) -> Result<Request<Bytes>, DeliveryError> {
    let builder = Request::post("/").header(CONTENT_TYPE, "application/json");
    delivery::request(builder, hook.url.expose(), message(text).to_string())
}

fn message(text: &NoticeText) -> Value {
    let title = escaped(&text.title);
    let mut blocks = vec![section(&format!("*{title}*"))];
    blocks.extend(text.paragraphs.iter().flat_map(preformatted).map(|text| section(&text)));
    json!({"text": title, "blocks": blocks})
}

/// `verbatim`: nothing in it becomes a link or a mention.
fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}})
}

/// The paragraph in as many parts as it takes.
fn preformatted(paragraph: &Paragraph) -> Vec<String> {
    let room = SECTION_CHARS_MAX - 2 * FENCE.len();
    let mut parts = vec![String::new()];
    for line in paragraph.plain().lines().map(escaped) {
        match parts.last_mut() {
            Some(part) if part.is_empty() => part.push_str(&line),
            Some(part) if part.chars().count() + 1 + line.chars().count() <= room => {
                part.push('\n');
                part.push_str(&line);
            }
            _ => parts.push(line),
        }
    }
    parts.into_iter().map(|part| format!("{FENCE}{part}{FENCE}")).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(FENCE, "'''")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn text(lines: Vec<String>) -> NoticeText {
        NoticeText {
            title: "psasync sync at cw.example/acme: degraded (exit code 3)".to_owned(),
            paragraphs: vec![
                Paragraph { heading: "", lines: vec!["It was for 2026-12-01 00:00 UTC.".to_owned()] },
                Paragraph { heading: "A person is needed", lines },
            ],
        }
    }

    #[test]
    fn a_message_has_a_title_and_preformatted_paragraphs_without_mark_up() {
        let lines = vec!["_A&B_: write-refused".to_owned(), "<!channel> ```*C*".to_owned()];
        insta::assert_snapshot!(format!("{:#}", message(&text(lines))), @r#"
        {
          "blocks": [
            {
              "text": {
                "text": "*psasync sync at cw.example/acme: degraded (exit code 3)*",
                "type": "mrkdwn",
                "verbatim": true
              },
              "type": "section"
            },
            {
              "text": {
                "text": "```It was for 2026-12-01 00:00 UTC.```",
                "type": "mrkdwn",
                "verbatim": true
              },
              "type": "section"
            },
            {
              "text": {
                "text": "```A person is needed\n_A&amp;B_: write-refused\n&lt;!channel&gt; '''*C*```",
                "type": "mrkdwn",
                "verbatim": true
              },
              "type": "section"
            }
          ],
          "text": "psasync sync at cw.example/acme: degraded (exit code 3)"
        }
        "#);
    }

    #[test]
    fn no_section_is_longer_than_slack_takes() {
        for line in ["&", "ü", "x"].map(|text| text.repeat(LINE_CHARS_MAX)) {
            let lines = vec![line.clone(); 40];
            let message = message(&text(lines));
            let texts: Vec<_> = message["blocks"]
                .as_array()
                .unwrap()
                .iter()
                .map(|block| block["text"]["text"].as_str().unwrap())
                .collect();
            assert!(texts.iter().all(|text| text.chars().count() <= SECTION_CHARS_MAX) && texts.len() <= 50);
            let lines: usize = texts.iter().map(|text| text.lines().count()).sum();
            assert_eq!(lines, 1 + 1 + 41, "no line is lost");
        }
    }

    #[test]
    fn it_is_posted_to_the_address_as_it_is() {
        let hook =
            Hook { url: Secret::new("https://hooks.example/services/T0/B0/x".to_owned()), on: Vec::new() };
        let request = request(&hook, &text(vec!["ACME: write-refused".to_owned()])).unwrap();
        assert_eq!(request.uri(), "https://hooks.example/services/T0/B0/x");
        assert_eq!(
            (request.method().as_str(), &request.headers()[CONTENT_TYPE]),
            ("POST", &"application/json".parse().unwrap())
        );
    }
}
