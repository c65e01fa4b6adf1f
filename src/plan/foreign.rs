//! Whether another integration writes a record, too.
//!
//! ConnectWise does not say who changed which answer. What tells is Last Updated: psasync sets it with every write, and so does an
//! integration that keeps records of this type. A technician who changes another answer leaves it as it is.
//!
//! What is never taken for another integration: a time in psasync's form (another psasync wrote it), a record whose last write ended in
//! doubt, a Last Updated that somebody emptied after psasync had set it, and a change that psasync's own probe made.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::answer::{Alteration, Stored};
use crate::domain::field::{FieldId, Group};
use crate::domain::question::{FieldType, QuestionMatch};
use crate::domain::record::{LastMark, Record};
use crate::domain::stamp;

/// What was written longer ago says nothing about who writes now: two nights.
pub const RECENT: TimeDelta = TimeDelta::hours(48);
/// What a probe takes from its note to its answer, and what clocks may be apart.
const PROBE_TAKES: TimeDelta = TimeDelta::minutes(10);
/// How many characters of a Date question's answer are its day.
const DAY_CHARS: usize = 10;

/// What is known about who writes a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traces<'a> {
    /// The record as it is.
    pub(super) record: &'a Record,
    /// What psasync's last write left in it, as far as the state knows.
    pub(super) mark: Option<&'a LastMark>,
    /// What ConnectWise is known to have stored otherwise than it was sent.
    pub(super) altered: &'a [Alteration],
    /// What stands for Last Updated among the type's questions.
    pub(super) question: &'a QuestionMatch,
    /// The instant that the run is for.
    pub(super) scheduled: DateTime<Utc>,
}

impl Traces<'_> {
    /// What was seen and when, where another integration writes the record.
    #[must_use]
    pub(super) fn of_another_writer(&self) -> Option<String> {
        let QuestionMatch::Found { field_type, .. } = self.question else { return None };
        match (self.mark, *field_type == FieldType::Date) {
            (Some(LastMark::Unsure), _) | (None | Some(LastMark::Probed { .. }), true) => None,
            (Some(LastMark::Left { stamp, at }), is_date) => self.instead_of(stamp, *at, is_date),
            (None, false) => self.without_a_mark(None),
            (Some(LastMark::Probed { at }), false) => self.without_a_mark(Some(*at)),
        }
    }

    /// Something else than what psasync left there.
    fn instead_of(&self, left: &Stored, at: DateTime<Utc>, is_date: bool) -> Option<String> {
        let now = &self.record.answers[FieldId::LastUpdated];
        let text = now.text()?;
        let is_altered = || self.altered.iter().any(|one| one.explains(FieldId::LastUpdated, left, now));
        let is_ours = if is_date {
            // A day has one form, whoever wrote it. A state that is not the one of last night must not raise an alarm.
            let day =
                |stored: &Stored| stored.text().and_then(|text| text.get(..DAY_CHARS).map(str::to_owned));
            day(now) == day(left) || self.scheduled - at > RECENT
        } else {
            stamp::is_ours(text)
        };
        (now != left && !is_ours && !is_altered()).then(|| {
            format!(
                "Last Updated no longer says what psasync left there on {}: something else writes the record, too",
                day(at)
            )
        })
    }

    /// A record in which psasync is not known to have set anything, and that was changed not long ago.
    ///
    /// Where a probe is what changed it, only a day in Last Updated tells that somebody else did, too.
    fn without_a_mark(&self, probed_at: Option<DateTime<Utc>>) -> Option<String> {
        let changed_at = self.record.updated_at?;
        if (self.scheduled - changed_at).abs() > RECENT {
            return None;
        }
        let is_probe = probed_at.is_some_and(|at| changed_at <= at + PROBE_TAKES);
        let (seen, changed_on) = match self.record.answers[FieldId::LastUpdated].text() {
            Some(text) if stamp::is_ours(text) => return None,
            Some(text) => {
                let written_on = stamp::day(text, changed_at.date_naive() + TimeDelta::days(1));
                let (changed_on, until) = if is_probe {
                    (written_on?, self.scheduled)
                } else {
                    (changed_at.date_naive(), changed_at)
                };
                if written_on.is_some_and(|day| day < (until - RECENT).date_naive()) {
                    return None;
                }
                ("is not in psasync's form", changed_on)
            }
            None if self.has_measured_answers() && !is_probe => {
                ("is empty while other fields are answered", changed_at.date_naive())
            }
            None => return None,
        };
        Some(format!(
            "Last Updated {seen}, and the record was changed on {changed_on}: something else writes it"
        ))
    }

    /// Whether it says something that nobody enters by hand.
    fn has_measured_answers(&self) -> bool {
        let fields = [Group::Networks, Group::Agents, Group::Month].into_iter().flat_map(Group::fields);
        fields.into_iter().any(|field| self.record.answers[field].text().is_some())
    }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::field::FieldMap;
    use crate::domain::ids::{CompanyId, QuestionId, RecordId};

    const NIGHT: &str = "2026-03-15T00:00:00Z";

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn record(last_updated: &str, changed_at: &str) -> Record {
        let mut answers = FieldMap::from_fn(|_| Stored::EMPTY);
        answers[FieldId::LastUpdated] = Stored::new(last_updated);
        answers[FieldId::DnsQueries] = Stored::new("5");
        Record {
            id: RecordId(7),
            company_id: CompanyId(1),
            status_id: None,
            device_identifier: String::new(),
            created_at: None,
            updated_at: (!changed_at.is_empty()).then(|| at(changed_at)),
            answers,
            others: Vec::new(),
            has_password: false,
            defect: None,
        }
    }

    fn told(record: &Record, mark: Option<&LastMark>, field_type: FieldType) -> Option<String> {
        let question = &QuestionMatch::Found { id: QuestionId(16), field_type };
        Traces { record, mark, altered: &[], question, scheduled: at(NIGHT) }.of_another_writer()
    }

    fn left(text: &str, written_at: &str) -> LastMark {
        LastMark::Left { stamp: Stored::new(text), at: at(written_at) }
    }

    #[rstest]
    #[case::ours("2026-03-14 00:07 UTC", false)]
    #[case::of_another_psasync("2026-03-14 23:07 UTC", false)]
    #[case::of_somebody_else("3/14/2026 11:31 PM", true)]
    #[case::of_somebody_else_in_words("updated", true)]
    #[case::emptied("", false)]
    fn what_psasync_left_is_known(#[case] now: &str, #[case] is_foreign: bool) {
        let mark = left("2026-03-14 00:07 UTC", "2026-03-14T00:07:00Z");
        let record = record(now, "2026-01-01T00:00:00Z");
        assert_eq!(told(&record, Some(&mark), FieldType::Text).is_some(), is_foreign);
        assert_eq!(told(&record, Some(&LastMark::Unsure), FieldType::Text), None);
    }

    #[rstest]
    #[case::the_same_day("2026-03-14T00:00:00Z", "2026-03-14T00:07:00Z", false)]
    #[case::the_same_day_in_another_form("2026-03-14", "2026-03-14T00:07:00Z", false)]
    #[case::another_day("2026-03-15T00:00:00Z", "2026-03-14T00:07:00Z", true)]
    #[case::another_day_by_a_state_of_long_ago("2026-03-15T00:00:00Z", "2026-03-10T00:07:00Z", false)]
    fn a_date_question_tells_days_apart(
        #[case] now: &str,
        #[case] written_at: &str,
        #[case] is_foreign: bool,
    ) {
        let mark = left("2026-03-14T00:00:00Z", written_at);
        let record = record(now, "2026-03-14T12:00:00Z");
        assert_eq!(told(&record, Some(&mark), FieldType::Date).is_some(), is_foreign);
        assert_eq!(told(&record, None, FieldType::Date), None, "a day has one form, whoever wrote it");
    }

    #[rstest]
    #[case::of_somebody_else("3/14/2026 11:31 PM", "2026-03-14T23:31:00Z", true)]
    #[case::of_no_day("updated", "2026-03-14T23:31:00Z", true)]
    #[case::of_long_ago_and_touched_by_a_person("1/14/2026 11:31 PM", "2026-03-14T12:00:00Z", false)]
    #[case::changed_long_ago("3/10/2026 11:31 PM", "2026-03-10T23:31:00Z", false)]
    #[case::changed_after_the_scheduled_time("3/15/2026 0:31 AM", "2026-03-15T00:31:00Z", true)]
    #[case::ours("2026-03-14 00:07 UTC", "2026-03-14T00:07:00Z", false)]
    #[case::empty("", "2026-03-14T23:31:00Z", true)]
    #[case::nobody_knows_when("updated", "", false)]
    fn without_a_mark_form_and_time_tell(
        #[case] now: &str,
        #[case] changed_at: &str,
        #[case] is_foreign: bool,
    ) {
        assert_eq!(told(&record(now, changed_at), None, FieldType::Text).is_some(), is_foreign);
    }

    #[rstest]
    #[case::of_somebody_else("3/14/2026 11:31 PM", "2026-03-14T12:00:00Z", true)]
    #[case::of_no_day("updated", "2026-03-14T12:00:00Z", false)]
    #[case::of_long_ago("3/12/2026 11:31 PM", "2026-03-14T12:00:00Z", false)]
    #[case::empty("", "2026-03-14T12:00:00Z", false)]
    #[case::of_no_day_and_changed_after_the_probe("updated", "2026-03-14T23:31:00Z", true)]
    #[case::empty_and_changed_after_the_probe("", "2026-03-14T23:31:00Z", true)]
    fn a_probe_is_nobody_else(#[case] now: &str, #[case] changed_at: &str, #[case] is_foreign: bool) {
        let mark = LastMark::Probed { at: at("2026-03-14T11:59:58Z") };
        let record = record(now, changed_at);
        assert_eq!(told(&record, Some(&mark), FieldType::Text).is_some(), is_foreign);
        assert_eq!(told(&record, Some(&mark), FieldType::Date), None);
    }

    #[test]
    fn a_record_that_somebody_made_by_hand_is_nobodys() {
        let mut record = record("", "2026-03-14T23:31:00Z");
        record.answers[FieldId::DnsQueries] = Stored::EMPTY;
        record.answers[FieldId::OrganizationId] = Stored::new("101");
        assert_eq!(told(&record, None, FieldType::Text), None);
    }

    #[test]
    fn what_connectwise_altered_is_psasyncs() {
        let record = record("2026-03-14 00:07", "2026-03-14T00:07:00Z");
        let (sent, stored) = (Stored::new("2026-03-14 00:07 UTC"), Stored::new("2026-03-14 00:07"));
        let altered = [Alteration { field: FieldId::LastUpdated, sent: sent.clone(), stored }];
        let mark = LastMark::Left { stamp: sent, at: at("2026-03-14T00:07:00Z") };
        let question = &QuestionMatch::Found { id: QuestionId(16), field_type: FieldType::Text };
        let traces =
            Traces { record: &record, mark: Some(&mark), altered: &altered, question, scheduled: at(NIGHT) };
        assert_eq!(traces.of_another_writer(), None);
        assert!(Traces { altered: &[], ..traces }.of_another_writer().is_some());
    }

    #[test]
    fn the_sentence_says_what_was_seen_and_when() {
        let mark = left("2026-03-14 00:07 UTC", "2026-03-14T00:07:00Z");
        let seen = record("updated", "2026-03-14T23:31:00Z");
        insta::assert_snapshot!(told(&seen, Some(&mark), FieldType::Text).unwrap(), @"Last Updated no longer says what psasync left there on 2026-03-14: something else writes the record, too");
        insta::assert_snapshot!(told(&seen, None, FieldType::Text).unwrap(), @"Last Updated is not in psasync's form, and the record was changed on 2026-03-14: something else writes it");
        insta::assert_snapshot!(told(&record("", "2026-03-14T23:31:00Z"), None, FieldType::Text).unwrap(), @"Last Updated is empty while other fields are answered, and the record was changed on 2026-03-14: something else writes it");
    }
}
