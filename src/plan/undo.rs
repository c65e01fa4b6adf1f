//! Plans the return to the answers that a run replaced.
//!
//! [`undo`] compares what a run wrote with what the records say now. It is as pure as [`plan`](super::plan), and ends in the same
//! [`Plan`]: guards, applier and journal treat it like any other.
//!
//! # What is never planned
//! * A change of an answer that is no longer the run's: somebody, or a later run, decided otherwise.
//! * The removal of a record that the run created: nothing is ever deleted.
//! * A fall of a guarded number to 0. Such falls are suspicious where a service reports them; here a person asked for exactly the old
//!   answers, and the guards that judge a fleet have nothing to say about that.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Action, Destination, FieldChange, LinePlan, Plan};
use crate::domain::answer::{Alteration, Answer, Stored};
use crate::domain::field::FieldId;
use crate::domain::ids::{CompanyId, OrgId, PsaId, RecordId, RunId};
use crate::domain::mapping::MappingLine;
use crate::domain::question::{QuestionMap, QuestionMatch};
use crate::domain::record::{Record, RecordOrganization};
use crate::domain::work::Work;

/// A write of the run that is to be undone.
#[derive(Clone, Debug)]
pub struct PastWrite {
    /// The company and the organization.
    pub line: MappingLine,
    /// The company.
    pub company_id: CompanyId,
    /// The record, where it is known.
    pub record: Option<RecordId>,
    /// What it did.
    pub deed: Deed,
    /// The answers that it changed.
    pub changes: Vec<PastChange>,
    /// What runs after it wrote at this company, the latest first.
    pub later: Vec<LaterAnswer>,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It made the record.
    Created,
    /// It changed answers, or may have.
    Updated,
    /// It renewed Last Updated only.
    Touched,
    /// It certainly changed nothing.
    Nothing {
        /// Why not, for a person.
        why: &'static str,
    },
}

/// An answer that a write changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastChange {
    /// The field.
    pub field: FieldId,
    /// What it said before.
    pub old: Stored,
    /// What was written.
    pub new: Stored,
}

/// An answer that a later run wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterAnswer {
    /// The run.
    pub run: RunId,
    /// The field.
    pub field: FieldId,
    /// What it wrote.
    pub new: Stored,
}

/// What puts the old answers back, and what stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// One line for each company where something is put back.
    pub plan: Plan,
    /// Everything else that the run wrote, or tried to.
    pub left_alone: Vec<LeftAlone>,
}

/// Something that a run wrote, and that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// The company.
    pub psa_id: PsaId,
    /// The organization.
    pub organization: OrgId,
    /// The answer; `None` for all that the run wrote at this company.
    pub field: Option<FieldId>,
    /// Why, for a person.
    pub why: String,
}

/// What the records say now.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// The records at the companies where the run wrote.
    pub records: &'a [Record],
    /// What stands for each field among the type's questions.
    pub questions: &'a QuestionMap,
    /// Answers that ConnectWise is known to have stored otherwise than they were sent.
    pub altered: &'a BTreeMap<RecordId, Vec<Alteration>>,
}

/// Plans the return to the old answers, as far as the new ones are still there.
pub fn undo(scheduled: DateTime<Utc>, writes: &[PastWrite], live: Live<'_>) -> Undo {
    let mut left_alone = Vec::new();
    let lines = writes.iter().filter_map(|write| line(write, live, &mut left_alone)).collect();
    let plan = Plan::of_lines(scheduled, Work::Undo, lines);
    Undo { plan, left_alone }
}

fn line(write: &PastWrite, live: Live<'_>, left_alone: &mut Vec<LeftAlone>) -> Option<LinePlan> {
    let mut leave = |field: Option<FieldId>, why: String| {
        let (psa_id, organization) = (write.line.psa_id.clone(), write.line.external_id);
        left_alone.push(LeftAlone { psa_id, organization, field, why });
    };
    let record = match writable(write, live.records) {
        Ok(record) => record,
        Err(why) => {
            leave(None, why);
            return None;
        }
    };
    let altered = live.altered.get(&record.id).map_or(&[][..], Vec::as_slice);
    let mut fields = Vec::new();
    for change in &write.changes {
        match is_still_ours(change, write, record, live.questions, altered) {
            Ok(()) => fields.push(FieldChange {
                field: change.field,
                old: record.answers[change.field].clone(),
                new: answer(change.field, &change.old),
            }),
            Err(why) => leave(Some(change.field), why),
        }
    }
    if fields.is_empty() {
        return None;
    }
    let destination = Destination {
        company_id: write.company_id,
        expected: record.answers.clone(),
        sets_device_identifier: false,
        window: None,
    };
    Some(LinePlan {
        line: write.line.clone(),
        action: Action::Update(record.id),
        destination: Some(destination),
        fields,
        findings: Vec::new(),
        falls: Vec::new(),
    })
}

/// The record, if there is something at it that could be put back.
fn writable<'r>(write: &PastWrite, records: &'r [Record]) -> Result<&'r Record, String> {
    match write.deed {
        Deed::Created => return Err("the run created its record, and nothing is ever deleted".to_owned()),
        Deed::Touched => return Err("only Last Updated was renewed".to_owned()),
        Deed::Nothing { why } => return Err(why.to_owned()),
        Deed::Updated if write.changes.is_empty() => return Err("no answer changed".to_owned()),
        Deed::Updated => {}
    }
    let is_it = |record: &&Record| Some(record.id) == write.record && record.company_id == write.company_id;
    let record = records.iter().find(is_it).ok_or("the record that it wrote is no longer at this company")?;
    let is_anothers = match record.organization() {
        RecordOrganization::Nobody => false,
        RecordOrganization::Known(organization) => organization != write.line.external_id,
        RecordOrganization::Unreadable => true,
    };
    if is_anothers {
        return Err("the record says that it is another organization's now".to_owned());
    }
    if record.has_password {
        return Err("the configuration type has a Password question".to_owned());
    }
    Ok(record)
}

/// Whether an answer is as the run left it.
fn is_still_ours(
    change: &PastChange,
    write: &PastWrite,
    record: &Record,
    questions: &QuestionMap,
    altered: &[Alteration],
) -> Result<(), String> {
    let PastChange { field, old, new } = change;
    if *field == FieldId::OrganizationId
        && let Some(former) = old.text()
    {
        let now = write.line.external_id;
        return Err(format!(
            "`psasync map move {now} {former}` hands the record back, with its line of the mapping"
        ));
    }
    if !matches!(questions[*field], QuestionMatch::Found { .. }) {
        return Err("its question cannot be written any more".to_owned());
    }
    let stored = &record.answers[*field];
    if stored == old {
        return Err("it says again what it said before".to_owned());
    }
    if stored == new || altered.iter().any(|known| known.explains(*field, new, stored)) {
        return Ok(());
    }
    let is_its = |later: &&LaterAnswer| later.field == *field && later.new == *stored;
    Err(match write.later.iter().find(is_its) {
        Some(later) => format!("run {} wrote another answer since", later.run),
        None => "somebody changed it since".to_owned(),
    })
}

/// An old answer in the form in which it can be written again.
fn answer(field: FieldId, old: &Stored) -> Answer {
    match (old.text(), old.number()) {
        (None, _) => Answer::Nothing,
        (Some(_), Some(number)) if field.spec().field_type.is_numeric() => Answer::Number(number),
        (Some(text), _) => Answer::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::field::FieldMap;
    use crate::domain::ids::QuestionId;
    use crate::domain::mapping::Source;

    const COMPANY: CompanyId = CompanyId(11);
    const RECORD: RecordId = RecordId(1);

    /// A run that set Seats from 7 to 40, and Package from nothing to `Old; new`.
    fn write() -> PastWrite {
        let change =
            |field, old: &str, new: &str| PastChange { field, old: Stored::new(old), new: Stored::new(new) };
        PastWrite {
            line: MappingLine::new(Source::Umbrella, OrgId(101), PsaId::new("ACME").unwrap()),
            company_id: COMPANY,
            record: Some(RECORD),
            deed: Deed::Updated,
            changes: vec![change(FieldId::Seats, "7", "40"), change(FieldId::Package, "", "Zoë's package")],
            later: Vec::new(),
        }
    }

    /// The record as the run left it.
    fn record() -> Record {
        let mut answers = FieldMap::from_fn(|_| Stored::EMPTY);
        answers[FieldId::OrganizationId] = Stored::new("101");
        answers[FieldId::Seats] = Stored::new("40.0");
        answers[FieldId::Package] = Stored::new("Zoë's package");
        Record {
            id: RECORD,
            company_id: COMPANY,
            status_id: None,
            device_identifier: String::new(),
            created_at: None,
            updated_at: None,
            answers,
            others: Vec::new(),
            has_password: false,
            defect: None,
        }
    }

    fn questions() -> QuestionMap {
        FieldMap::from_fn(|field| QuestionMatch::Found {
            id: QuestionId(u64::from(field.sequence())),
            field_type: field.spec().field_type,
        })
    }

    fn undone(write: PastWrite, record: Record, questions: &QuestionMap) -> Undo {
        let altered = BTreeMap::new();
        let live = Live { records: &[record], questions, altered: &altered };
        undo(DateTime::UNIX_EPOCH, &[write], live)
    }

    fn fields(undo: &Undo) -> Vec<(FieldId, Answer)> {
        let fields = undo.plan.lines.iter().flat_map(|line| &line.fields);
        fields.map(|change| (change.field, change.new.clone())).collect()
    }

    #[test]
    fn answers_that_are_still_the_runs_go_back_to_what_they_were() {
        let undo = undone(write(), record(), &questions());
        assert_eq!(fields(&undo), [(FieldId::Seats, Answer::Number(7)), (FieldId::Package, Answer::Nothing)]);
        let line = &undo.plan.lines[0];
        assert_eq!((&line.action, line.falls.len()), (&Action::Update(RECORD), 0));
        assert!(line.destination.as_ref().is_some_and(|destination| !destination.sets_device_identifier));
        assert_eq!(undo.left_alone, []);
    }

    #[rstest]
    #[case::by_somebody("99", "somebody changed it since")]
    #[case::by_a_later_run("50", "wrote another answer since")]
    #[case::back("7", "it says again what it said before")]
    fn an_answer_that_changed_since_is_left_alone_and_the_others_are_put_back(
        #[case] seats: &str,
        #[case] why: &str,
    ) {
        let run = RunId::new(DateTime::UNIX_EPOCH, &[1; 10]);
        let later = vec![LaterAnswer { run, field: FieldId::Seats, new: Stored::new("50") }];
        let mut record = record();
        record.answers[FieldId::Seats] = Stored::new(seats);
        let undo = undone(PastWrite { later, ..write() }, record, &questions());
        assert_eq!(fields(&undo), [(FieldId::Package, Answer::Nothing)]);
        let [left] = undo.left_alone.as_slice() else { panic!("{:?}", undo.left_alone) };
        assert_eq!(left.field, Some(FieldId::Seats));
        assert!(left.why.contains(why), "{}", left.why);
    }

    #[test]
    fn an_answer_in_the_form_that_connectwise_gave_it_is_still_the_runs() {
        let mut record = record();
        record.answers[FieldId::Package] = Stored::new("Zo?'s package");
        let alteration = Alteration {
            field: FieldId::Package,
            sent: Stored::new("Zoë's package"),
            stored: record.answers[FieldId::Package].clone(),
        };
        let (records, questions) = ([record], questions());
        for (altered, expected) in [(vec![], 1), (vec![alteration], 2)] {
            let altered = BTreeMap::from([(RECORD, altered)]);
            let live = Live { records: &records, questions: &questions, altered: &altered };
            assert_eq!(fields(&undo(DateTime::UNIX_EPOCH, &[write()], live)).len(), expected);
        }
    }

    #[rstest]
    #[case::a_create(Deed::Created, "nothing is ever deleted")]
    #[case::a_time_stamp(Deed::Touched, "only Last Updated")]
    #[case::nothing(Deed::Nothing { why: "not sent" }, "not sent")]
    fn only_updates_are_undone(#[case] deed: Deed, #[case] why: &str) {
        let undo = undone(PastWrite { deed, ..write() }, record(), &questions());
        assert!(undo.plan.is_empty() && undo.left_alone[0].why.contains(why), "{undo:?}");
        assert_eq!(undo.left_alone[0].field, None);
    }

    #[rstest]
    #[case::moved(|record: &mut Record| record.company_id = CompanyId(12), "no longer at this company")]
    #[case::another_one(|record: &mut Record| record.id = RecordId(2), "no longer at this company")]
    #[case::of_another(|record: &mut Record| record.answers[FieldId::OrganizationId] = Stored::new("102"), "another organization's")]
    #[case::unreadable(|record: &mut Record| record.answers[FieldId::OrganizationId] = Stored::new("?"), "another organization's")]
    #[case::password(|record: &mut Record| record.has_password = true, "Password question")]
    fn a_record_that_is_no_longer_ours_is_left_alone(#[case] edit: fn(&mut Record), #[case] why: &str) {
        let mut record = record();
        edit(&mut record);
        let undo = undone(write(), record, &questions());
        assert!(undo.plan.is_empty() && undo.left_alone[0].why.contains(why), "{undo:?}");
    }

    #[test]
    fn a_question_that_cannot_be_written_any_more_is_left_alone() {
        let mut questions = questions();
        questions[FieldId::Seats] = QuestionMatch::Inactive;
        let undo = undone(write(), record(), &questions);
        assert_eq!(fields(&undo), [(FieldId::Package, Answer::Nothing)]);
        assert_eq!(undo.left_alone[0].field, Some(FieldId::Seats));
    }

    #[rstest]
    #[case::number(FieldId::Seats, "7", Answer::Number(7))]
    #[case::digits_of_a_text(FieldId::OrganizationId, "101", Answer::Text("101".into()))]
    #[case::no_whole_number(FieldId::Seats, "7.5", Answer::Text("7.5".into()))]
    fn an_old_answer_takes_the_form_of_its_field(
        #[case] field: FieldId,
        #[case] old: &str,
        #[case] expected: Answer,
    ) {
        assert_eq!(answer(field, &Stored::new(old)), expected);
    }
}
