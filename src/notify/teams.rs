//! Microsoft Teams: an Adaptive Card, in the envelope that the trigger "when a Teams webhook request is received" of a workflow takes.
//!
//! The older connectors with their message cards are retired, and not served.

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::delivery::{self, DeliveryError};
use crate::config::Hook;
use crate::render::text::{NoticeText, Paragraph};

/// What Teams shows everywhere.
const CARD_VERSION: &str = "1.4";

pub(super) fn request(hook: &Hook, text: &NoticeText) -> Result<Request<Bytes>, DeliveryError> {
    let builder = Request::post("/").header(CONTENT_TYPE, "application/json");
    delivery::request(builder, hook.url.expose(), message(text).to_string())
}

fn message(text: &NoticeText) -> Value {
    let title =
        line(json!({"type": "TextRun", "text": text.title, "weight": "Bolder", "size": "Medium"}), true);
    let body: Vec<_> = [title].into_iter().chain(text.paragraphs.iter().flat_map(lines)).collect();
    json!({
        "type": "message",
        "summary": text.title,
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": CARD_VERSION,
                "msteams": {"width": "Full"},
                "body": body,
            },
        }],
    })
}

fn lines(paragraph: &Paragraph) -> Vec<Value> {
    let heading = (!paragraph.heading.is_empty())
        .then(|| json!({"type": "TextRun", "text": paragraph.heading, "weight": "Bolder"}));
    let runs = paragraph.lines.iter().map(|line| json!({"type": "TextRun", "text": line}));
    let runs = heading.into_iter().chain(runs).enumerate();
    runs.map(|(index, run)| line(run, index == 0)).collect()
}

/// Other than a `TextBlock`, a `RichTextBlock` takes nothing in its text for mark-up.
fn line(run: Value, is_first: bool) -> Value {
    let spacing = if is_first { "Medium" } else { "None" };
    json!({"type": "RichTextBlock", "spacing": spacing, "inlines": [run]})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> NoticeText {
        NoticeText {
            title: "psasync sync at cw.example/acme: degraded (exit code 3)".to_owned(),
            paragraphs: vec![
                Paragraph { heading: "", lines: vec!["It was for 2026-12-01 00:00 UTC.".to_owned()] },
                Paragraph {
                    heading: "A person is needed",
                    lines: vec![
                        "_A&B_: write-refused".to_owned(),
                        "[C](https://c.example): report-unread".to_owned(),
                    ],
                },
            ],
        }
    }

    #[test]
    fn a_message_is_an_adaptive_card_in_a_workflows_envelope() {
        insta::assert_snapshot!(format!("{:#}", message(&text())), @r#"
        {
          "attachments": [
            {
              "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "body": [
                  {
                    "inlines": [
                      {
                        "size": "Medium",
                        "text": "psasync sync at cw.example/acme: degraded (exit code 3)",
                        "type": "TextRun",
                        "weight": "Bolder"
                      }
                    ],
                    "spacing": "Medium",
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "It was for 2026-12-01 00:00 UTC.",
                        "type": "TextRun"
                      }
                    ],
                    "spacing": "Medium",
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "A person is needed",
                        "type": "TextRun",
                        "weight": "Bolder"
                      }
                    ],
                    "spacing": "Medium",
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "_A&B_: write-refused",
                        "type": "TextRun"
                      }
                    ],
                    "spacing": "None",
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "[C](https://c.example): report-unread",
                        "type": "TextRun"
                      }
                    ],
                    "spacing": "None",
                    "type": "RichTextBlock"
                  }
                ],
                "msteams": {
                  "width": "Full"
                },
                "type": "AdaptiveCard",
                "version": "1.4"
              },
              "contentType": "application/vnd.microsoft.card.adaptive",
              "contentUrl": null
            }
          ],
          "summary": "psasync sync at cw.example/acme: degraded (exit code 3)",
          "type": "message"
        }
        "#);
    }

    /// The shape that the schema of Adaptive Cards demands of what is used here.
    #[test]
    fn the_card_has_the_shape_that_teams_shows() {
        let schema = json!({
            "type": "object",
            "required": ["type", "attachments"],
            "properties": {
                "type": {"const": "message"},
                "attachments": {"type": "array", "minItems": 1, "maxItems": 1, "items": {
                    "required": ["contentType", "content"],
                    "properties": {
                        "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                        "content": {
                            "required": ["type", "version", "body"],
                            "properties": {
                                "type": {"const": "AdaptiveCard"},
                                "version": {"enum": ["1.2", "1.3", "1.4", "1.5"]},
                                "body": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/block"}},
                            },
                        },
                    },
                }},
            },
            "$defs": {
                "block": {
                    "required": ["type", "inlines"],
                    "properties": {
                        "type": {"const": "RichTextBlock"},
                        "spacing": {"enum": ["default", "none", "small", "medium", "None", "Small", "Medium", "Large"]},
                        "inlines": {"type": "array", "minItems": 1, "items": {
                            "required": ["type", "text"],
                            "properties": {
                                "type": {"const": "TextRun"},
                                "text": {"type": "string"},
                                "weight": {"enum": ["Default", "Lighter", "Bolder"]},
                                "size": {"enum": ["Default", "Small", "Medium", "Large", "ExtraLarge"]},
                            },
                            "additionalProperties": false,
                        }},
                    },
                    "additionalProperties": false,
                },
            },
        });
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(&message(&text())).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(
            !validator
                .is_valid(&json!({"type": "message", "attachments": [{"contentType": "x", "content": {}}]}))
        );
    }
}
