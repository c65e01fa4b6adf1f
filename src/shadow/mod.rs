//! Compares what records should say with what another integration wrote into them, and says why they differ.
//!
//! [`compare`] is pure, and decides nothing: a difference is no fault of either side. A reason is named where the record's answer can be
//! derived from it, and is the likely one, not a proven one: the rules of other integrations are not documented.

mod agreement;
mod kind;
mod list;
mod number;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::answer::{Alteration, Answer, Stored};
use crate::domain::field::{FieldId, FieldMap, Group};
use crate::domain::ids::OrgId;
use crate::domain::metrics::{Metrics, Unread};
use crate::domain::question::QuestionMap;
use crate::domain::record::Record;
use crate::domain::stamp;
use crate::domain::window::Window;
use crate::plan::{RECENT, is_said};
use crate::translate::{Desired, Format, ThreatCount, list_items, translate};

pub use agreement::{Agreement, EXAMPLES_MAX, Example, FieldAgreement, agreement};
pub use kind::Kind;
pub use list::item_count;

/// What a record should say, and what that is made of.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// Whose metrics.
    pub organization: OrgId,
    /// What Umbrella says.
    pub metrics: &'a Metrics,
    /// How answers are formed.
    pub format: &'a Format,
    /// Which questions carry the fields.
    pub questions: &'a QuestionMap,
    /// What ConnectWise is known to have stored otherwise than it was sent.
    pub altered: &'a [Alteration],
}

/// What else the record's answers may be made of.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What Umbrella says by another rule.
    pub alternatives: Vec<Alternative>,
    /// DNS requests over other windows. Wire: `requests-by-org`, which may count proxy requests as well.
    pub queries: Vec<(Window, u64)>,
    /// What was active in 24 hours.
    pub day: Option<DayActivity>,
    /// Whether the record's Last Updated is old.
    pub is_stale: bool,
}

/// What Umbrella says by another rule.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// The rule.
    pub kind: Kind,
    /// The span, where it is another one.
    pub window: Option<Window>,
    /// What Umbrella says.
    pub metrics: Metrics,
}

/// What was active in the 24 hours before the scheduled time, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayActivity {
    /// Active networks, and all of them.
    pub networks: (u64, u64),
    /// Active agents, and all of them.
    pub agents: (u64, u64),
}

/// What the comparison of a field came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The record says what psasync would write.
    Equal,
    /// It says something else.
    Different(Difference),
    /// There is nothing to compare it with.
    Unread(Unread),
    /// It is not compared: its question cannot be used, or it says when the record was written.
    LeftOut,
}

/// What the record says instead, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the record says.
    pub theirs: Stored,
    /// What psasync would write.
    pub ours: Answer,
    /// The likely reasons, which explain it together. Never empty.
    pub kinds: Vec<Kind>,
    /// The span that the record seems to cover, where that is the reason.
    pub window: Option<Window>,
}

impl Difference {
    /// Whether nothing but the record's age explains it, if that.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        self.kinds.iter().any(|kind| matches!(kind, Kind::Stale | Kind::Unexplained))
    }
}

/// Compares a record field by field.
#[must_use]
pub fn compare(record: &Record, ours: &Ours<'_>, evidence: &Evidence) -> FieldMap<Verdict> {
    let desired = translate(ours.organization, ours.metrics, ours.format);
    FieldMap::from_fn(|field| match (&desired[field], ours.questions[field].id()) {
        (Desired::Keep(unread), Some(_)) => Verdict::Unread(unread.clone()),
        (Desired::Set(answer), Some(_)) if is_said(field, &record.answers[field], answer, ours.altered) => {
            Verdict::Equal
        }
        (Desired::Set(answer), Some(_)) => {
            Verdict::Different(Judge { record, ours, evidence, field, answer }.difference())
        }
        _ => Verdict::LeftOut,
    })
}

/// Whether a field of `group` differs, and nothing explains it yet.
#[must_use]
pub fn has_unexplained(verdicts: &FieldMap<Verdict>, group: Group) -> bool {
    group.fields().any(|field| matches!(&verdicts[field], Verdict::Different(one) if one.is_unexplained()))
}

/// Whether a record says that it was written more than two days before `scheduled`.
#[must_use]
pub fn is_stale(record: &Record, scheduled: DateTime<Utc>) -> bool {
    let last_updated = record.answers[FieldId::LastUpdated].text();
    let day = last_updated.and_then(|text| stamp::day(text, scheduled.date_naive() + TimeDelta::days(1)));
    day.is_some_and(|day| day < (scheduled - RECENT).date_naive())
}

/// One field that differs.
struct Judge<'a> {
    record: &'a Record,
    ours: &'a Ours<'a>,
    evidence: &'a Evidence,
    field: FieldId,
    answer: &'a Answer,
}

impl Judge<'_> {
    fn difference(&self) -> Difference {
        let theirs = self.record.answers[self.field].clone();
        let (kinds, window) = match theirs.text() {
            None => (vec![Kind::NoAnswer], None),
            Some(text) => self.reasons(text),
        };
        Difference { theirs, ours: self.answer.clone(), kinds, window }
    }

    fn reasons(&self, theirs: &str) -> (Vec<Kind>, Option<Window>) {
        if let Some(kinds) = self.form(theirs, self.ours.metrics) {
            return (or_form(theirs, kinds), None);
        }
        if let Some((window, kinds)) = self.by_another_rule(theirs) {
            return (kinds, window);
        }
        if let Some(window) = self.window_by_queries() {
            return (vec![Kind::Window], Some(window));
        }
        let kind = match (self.is_of_a_day(theirs), self.evidence.is_stale) {
            (true, _) => Kind::Day,
            (false, true) => Kind::Stale,
            (false, false) => Kind::Unexplained,
        };
        (vec![kind], None)
    }

    /// How `theirs` says what `metrics` say; `None` where it says something else.
    fn form(&self, theirs: &str, metrics: &Metrics) -> Option<Vec<Kind>> {
        let format = self.ours.format;
        if let Some(items) = list_items(self.field, metrics, format) {
            return list::compare(theirs, &items);
        }
        let value = |format: &Format| match &translate(self.ours.organization, metrics, format)[self.field] {
            Desired::Set(answer) => Some(answer.clone()),
            Desired::Keep(_) | Desired::Untouched | Desired::Stamp => None,
        };
        match (self.field, value(format)?) {
            (FieldId::MalwarePrevented | FieldId::BotnetContained, Answer::Number(number)) => {
                number::compare(theirs, number).or_else(|| {
                    let Some(Answer::Number(other)) = value(&other_count(format)) else { return None };
                    let kinds = number::compare(theirs, other)?;
                    Some([vec![Kind::ThreatCount], kinds].concat())
                })
            }
            (_, Answer::Number(number)) => number::compare(theirs, number),
            (FieldId::OrganizationId, answer) => number::compare(theirs, answer.to_string().parse().ok()?),
            (_, answer) => list::compare(theirs, &[answer.to_string()]),
        }
    }

    /// The rule by which Umbrella says what the record says, where that differs from ours.
    fn by_another_rule(&self, theirs: &str) -> Option<(Option<Window>, Vec<Kind>)> {
        self.evidence.alternatives.iter().find_map(|alternative| {
            let kinds = self.form(theirs, &alternative.metrics)?;
            Some((alternative.window, [vec![alternative.kind], kinds].concat()))
        })
    }

    /// The window whose DNS requests the record counts: its other "Last Month" answers are then of that window, too.
    fn window_by_queries(&self) -> Option<Window> {
        if self.field.spec().group != Some(Group::Month) {
            return None;
        }
        let theirs = self.record.answers[FieldId::DnsQueries].text()?;
        let is_theirs = |queries: u64| {
            number::compare(theirs, queries).is_some_and(|kinds| !kinds.contains(&Kind::Rounding))
        };
        let ours = self.ours.metrics.month.queries.read();
        if ours.is_some_and(|ours| is_theirs(*ours)) {
            return None;
        }
        self.evidence.queries.iter().find(|(_, queries)| is_theirs(*queries)).map(|(window, _)| *window)
    }

    /// Whether the record counts what was active in 24 hours; of a list of names, as many as were not.
    fn is_of_a_day(&self, theirs: &str) -> bool {
        let Some(day) = self.evidence.day else { return false };
        let (active_field, (active, total)) = match self.field.spec().group {
            Some(Group::Networks) => (FieldId::NetworksActive, day.networks),
            Some(Group::Agents) => (FieldId::AgentsActive, day.agents),
            _ => return false,
        };
        let says_active = self.record.answers[active_field].number() == Some(active);
        match self.field {
            FieldId::NetworksActive | FieldId::AgentsActive => says_active,
            FieldId::NetworksInactive | FieldId::AgentsInactive => {
                says_active && u64::try_from(item_count(theirs)).ok() == total.checked_sub(active)
            }
            _ => false,
        }
    }
}

/// A list that is the same in every part is cut, or joined, otherwise.
fn or_form(theirs: &str, kinds: Vec<Kind>) -> Vec<Kind> {
    match kinds.is_empty() {
        false => kinds,
        true if theirs.contains("; ") => vec![Kind::Length],
        true => vec![Kind::Separator],
    }
}

fn other_count(format: &Format) -> Format {
    let threat_count = match format.threat_count {
        ThreatCount::Sites => ThreatCount::Requests,
        ThreatCount::Requests => ThreatCount::Sites,
    };
    Format { threat_count, ..*format }
}
