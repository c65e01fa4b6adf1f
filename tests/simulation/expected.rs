//! What the fields of a record may say after a run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use simulator::world::{Configuration, ConfigurationType, MappingLine};
use simulator::{FaultKind, Logged, World};

use crate::faults::{is_lie, is_usable};
use crate::night::{Kind, Night};
use crate::oracle::{
    AGENTS, Groups, Moment, MonthReport, NETWORKS, ORGANIZATION, PACKAGE, QUESTIONS, Rules, SEATS, Window,
    canonical, month, package, possible_groups, report_of, true_groups,
};

/// Fields that come from one source, and so are old or new together.
#[derive(Clone, Debug)]
pub(crate) struct FieldSet {
    pub(crate) fields: Vec<usize>,
    /// What they may say, each time all of them.
    pub(crate) possible: Vec<Groups>,
    /// Whether Umbrella told a lie that nobody can find out: then they may say anything but a wrong zero.
    pub(crate) is_lied_about: bool,
}

/// How ConnectWise stores other answers than it was sent, where a fault made it do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    Ascii,
    Cut(usize),
}

impl Damage {
    /// What it makes of an answer.
    pub(crate) fn of(self, answer: &str) -> String {
        let damaged: String = match self {
            Self::Ascii => {
                answer.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect()
            }
            Self::Cut(most) => answer.chars().take(most).collect(),
        };
        damaged.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// What was learnt about a month: the moments at which Umbrella was asked, and whether it lied.
#[derive(Clone, Debug, Default)]
struct Known {
    moments: Vec<Moment>,
    is_lie: bool,
}

/// What Umbrella said about months, and what ConnectWise did to answers, as far as the wire shows it.
#[derive(Default)]
pub(crate) struct Ledger {
    months: BTreeMap<(i64, Window, MonthReport), Known>,
    pub(crate) damages: Vec<Damage>,
}

impl Ledger {
    /// Takes in what was asked and answered in a night.
    pub(crate) fn note(&mut self, night: &Night) {
        for logged in &night.log {
            self.note_damage(logged);
            let Some(key) = asked(logged).filter(|_| is_usable(logged)) else { continue };
            let is_lie = logged.fault.as_ref().is_some_and(is_lie);
            let known = self.months.entry(key).or_default();
            // Of a run that was killed nobody knows whether it got to keep what it read.
            if night.kind != Kind::Killed {
                *known = Known::default();
            }
            known.is_lie |= is_lie;
            known.moments.extend(night.moments.iter().cloned());
        }
    }

    fn note_damage(&mut self, logged: &Logged) {
        let damage = match logged.fault {
            Some(FaultKind::AlterNonAscii) => Damage::Ascii,
            Some(FaultKind::CutAnswers(most)) => Damage::Cut(most),
            _ => return,
        };
        if !self.damages.contains(&damage) {
            self.damages.push(damage);
        }
    }

    /// Whether anything that is kept about months is a lie.
    pub(crate) fn has_lies(&self) -> bool {
        self.months.values().any(|known| known.is_lie)
    }

    /// Whether an answer is this one, or what ConnectWise made of it.
    pub(crate) fn matches(&self, answer: &str, expected: &str) -> bool {
        // Sent as it is, and compared without what white space it has too much.
        let collapsed = expected.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut forms = vec![expected.to_owned(), collapsed];
        for _ in 0..2 {
            let damaged =
                |form: &String| self.damages.iter().map(|damage| damage.of(form)).collect::<Vec<_>>();
            let more: Vec<_> = forms.iter().flat_map(damaged).collect();
            forms.extend(more);
        }
        forms.iter().any(|form| form == answer)
    }

    /// What the fields of a line's record may say.
    pub(crate) fn possible(
        &self,
        night: &Night,
        line: &MappingLine,
        created: Option<DateTime<Utc>>,
        rules: &Rules,
    ) -> Vec<FieldSet> {
        let here: Vec<_> = night
            .moments
            .iter()
            .filter_map(|moment| Some((moment, moment.organization(line.org_id)?)))
            .collect();
        let each = |field: usize, answers: Vec<String>| FieldSet {
            fields: vec![field],
            possible: answers.into_iter().map(|answer| [(field, answer)].into()).collect(),
            is_lied_about: false,
        };
        let mut sets = vec![
            each(ORGANIZATION, vec![line.org_id.to_string()]),
            each(
                PACKAGE,
                here.iter()
                    .map(|(moment, organization)| package(&moment.world, organization, line))
                    .collect(),
            ),
            each(SEATS, here.iter().map(|(_, organization)| organization.seats.to_string()).collect()),
        ];
        let groups = if night.kind == Kind::Last {
            here.iter()
                .map(|(moment, organization)| true_groups(moment, organization, night.scheduled, rules))
                .collect()
        } else {
            possible_groups(&night.moments, line.org_id, night.scheduled, rules)
        };
        let is_lied_about = night.log.iter().any(|logged| {
            logged.organization == Some(line.org_id)
                && logged.path.ends_with("identities")
                && logged.fault.as_ref().is_some_and(is_lie)
        });
        for first in [NETWORKS, AGENTS] {
            let fields: Vec<_> = (first..first + 3).collect();
            let of_group = |group: &Groups| {
                let group: Groups = group
                    .iter()
                    .filter(|(field, _)| fields.contains(field))
                    .map(|(field, answer)| (*field, answer.clone()))
                    .collect();
                (!group.is_empty()).then_some(group)
            };
            let possible = groups.iter().filter_map(of_group).collect();
            sets.push(FieldSet { fields, possible, is_lied_about });
        }
        let window = Window::of(created, night.scheduled, rules);
        let reports = [
            MonthReport::Queries,
            MonthReport::Threats,
            MonthReport::Allowed,
            MonthReport::Blocked,
            MonthReport::Categories,
        ];
        sets.extend(reports.map(|report| self.month(line.org_id, window, report, rules)));
        sets
    }

    fn month(&self, organization: i64, window: Window, report: MonthReport, rules: &Rules) -> FieldSet {
        let known = self.months.get(&(organization, window, report));
        let moments = known.map(|known| known.moments.as_slice()).unwrap_or_default();
        let said =
            |moment: &Moment| Some(month(moment, moment.organization(organization)?, window, report, rules));
        FieldSet {
            fields: (0..QUESTIONS.len()).filter(|field| report_of(*field) == Some(report)).collect(),
            possible: moments.iter().filter_map(said).collect(),
            is_lied_about: known.is_some_and(|known| known.is_lie),
        }
    }
}

/// The organization, the window and the report, where a request asked for a report on a month.
fn asked(logged: &Logged) -> Option<(i64, Window, MonthReport)> {
    let report = match logged.path.trim_start_matches("/reports/v2/") {
        "total-requests/dns" => MonthReport::Queries,
        "summaries-by-category/dns" => MonthReport::Threats,
        "top-destinations/dns" if logged.parameter("verdict").as_deref() == Some("allowed") => {
            MonthReport::Allowed
        }
        "top-destinations/dns" => MonthReport::Blocked,
        "top-categories/dns" => MonthReport::Categories,
        _ => return None,
    };
    let bound = |name| logged.parameter(name)?.parse().ok();
    Some((logged.organization?, Window::asked(bound("from")?, bound("to")?)?, report))
}

/// Which of the 16 fields an active question carries; nothing for a question that is not psasync's.
pub(crate) fn field_of(kind: &ConfigurationType, question: i64) -> Option<usize> {
    let key = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let asked = kind.questions.iter().find(|one| one.id == question && !one.inactive)?;
    QUESTIONS.iter().position(|(text, _)| key(text) == key(&asked.question))
}

/// What a record answers, by field: nothing for a field without a question.
pub(crate) fn answers(world: &World, record: &Configuration) -> BTreeMap<usize, String> {
    let kind = world.connectwise.types.iter().find(|kind| kind.id == record.kind);
    let fields =
        kind.into_iter().flat_map(|kind| kind.questions.iter().map(move |question| (kind, question.id)));
    fields
        .filter_map(|(kind, question)| {
            let answer = record.answer(question).map(canonical).unwrap_or_default();
            Some((field_of(kind, question)?, answer))
        })
        .collect()
}
