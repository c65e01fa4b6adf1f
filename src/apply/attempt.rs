//! One record: written on the strength of a fresh reading, and what the end of that means.

use tokio::time::Instant;

use super::setup::Ready;
use super::verify::{Verdict, is_there, verify};
use super::{Applier, ApplyError, LineOutcome};
use crate::connectwise::{Content, Creation, FreshRecord, WriteError, Written, stamp};
use crate::domain::answer::Stored;
use crate::domain::field::FieldId;
use crate::domain::finding::Reason;
use crate::domain::ids::{CompanyId, OrgId, RecordId};
use crate::domain::mapping::MappingLine;
use crate::domain::question::QuestionMatch;
use crate::domain::record::device_identifier;
use crate::domain::work::Work;
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::{Action, Destination, LinePlan};
use crate::store::{Note, WriteKind, WriteState};

/// In the words of the Security Roles screen.
const RIGHT: &str = "Companies > Configurations: Add, Edit, Inquire All";

/// A record that is still to be written.
pub(super) struct Pending<'p> {
    /// Its line in the plan.
    pub(super) index: usize,
    plan: &'p LinePlan,
    destination: &'p Destination,
    /// How often its write ended in doubt, or ConnectWise was not available for it.
    pub(super) tries: u8,
    /// How often its write came too late to rest on the last reading.
    pub(super) readings: u8,
    /// What an update whose outcome is unknown tried to set.
    pub(super) tried: Option<Content>,
    /// What its writes are in the journal, once there is one.
    pub(super) noted: Option<WriteKind>,
}

/// How a write ended, as far as this run is concerned.
pub(super) enum End {
    /// Written, refused, or left alone for good.
    Settled(LineOutcome),
    /// Not sent, because the run was told to stop.
    Stopped,
    /// Nothing was sent, because what it rests on had become too old: to be read again and written.
    TooLate,
    /// ConnectWise was not reached, or took no more requests: to be tried again later.
    Unavailable { why: String },
    /// An update that may have been applied: to be read again, which tells whether it was, and else written again.
    InDoubt { content: Content, why: String },
    /// A create that may have been applied. It is looked for, never repeated.
    CreateInDoubt { content: Content, why: String },
}

impl<'p> Pending<'p> {
    /// `None` where the plan leaves the record alone.
    pub(super) fn new(index: usize, plan: &'p LinePlan) -> Option<Self> {
        let destination = plan.destination.as_ref().filter(|_| plan.action != Action::Leave)?;
        Some(Self { index, plan, destination, tries: 0, readings: 0, tried: None, noted: None })
    }

    pub(super) fn is_create(&self) -> bool {
        self.plan.action == Action::Create
    }

    pub(super) fn company(&self) -> CompanyId {
        self.destination.company_id
    }

    pub(super) fn line(&self) -> &'p MappingLine {
        &self.plan.line
    }

    pub(super) fn end(&self, reason: Reason, sentence: impl Into<String>) -> LineOutcome {
        let findings = vec![self.line().finding(reason, sentence)];
        LineOutcome { findings, state: self.or_in_doubt(WriteState::NotSent), ..LineOutcome::default() }
    }

    /// The end of a record that will not be written any more in this run.
    pub(super) fn given_up(&self, why: &str) -> LineOutcome {
        let what = if self.tried.is_some() { "the outcome of its write is unknown" } else { "not sent" };
        self.end(Reason::WriteRefused, format!("{what}: {why}"))
    }

    fn refused(&self, sentence: String) -> LineOutcome {
        let state = self.or_in_doubt(WriteState::Refused);
        LineOutcome { state, ..self.end(Reason::WriteRefused, sentence) }
    }

    /// What became of the write, unless an earlier attempt may have arrived: only a later reading can tell then.
    fn or_in_doubt(&self, state: WriteState) -> WriteState {
        if self.tried.is_some() { WriteState::InDoubt } else { state }
    }

    /// Writes the record, provided that it is still what the plan rests on.
    ///
    /// # Errors
    /// Where the write cannot be noted before it is sent: then nothing more may be sent at all.
    pub(super) async fn write<E: Exchange>(
        &mut self,
        applier: &Applier<'_, E>,
        permit: &WritePermit<'_>,
        ready: &Ready<'_>,
        at_company: &[FreshRecord],
        not_after: Instant,
    ) -> Result<End, ApplyError> {
        let content = self.content(applier, ready, permit.work());
        let (writer, questions) = (applier.writer, &ready.questions);
        let written = match self.plan.action {
            Action::Leave => return Ok(End::Settled(LineOutcome::default())),
            Action::Create => match self.creation(applier, ready, at_company) {
                Ok(creation) => {
                    self.note(applier, permit, WriteKind::Create, None, &content).await?;
                    writer.create(permit, &creation, &content, questions, not_after).await
                }
                Err(outcome) => return Ok(End::Settled(outcome)),
            },
            Action::Update(id) | Action::Touch(id) => match self.unchanged(id, at_company) {
                Ok(record) => {
                    let kind = if self.plan.is_change() { WriteKind::Update } else { WriteKind::Touch };
                    self.note(applier, permit, kind, Some(id), &content).await?;
                    let sets_identifier =
                        self.destination.sets_device_identifier && self.may_set_identifier(record);
                    let organization = sets_identifier.then_some(self.line().external_id);
                    writer.update(permit, record, &content, questions, organization, not_after).await
                }
                Err(outcome) => return Ok(End::Settled(outcome)),
            },
        };
        Ok(self.ended(content, written))
    }

    /// Whether the record's `deviceIdentifier` is nobody's, or ours of the organization that it names.
    fn may_set_identifier(&self, record: &FreshRecord) -> bool {
        let named = self.destination.expected[FieldId::OrganizationId].number().map(OrgId);
        record.has_no_device_identifier()
            || named.is_some_and(|named| record.record.device_identifier == device_identifier(named))
    }

    /// Notes the write in the journal. One that is not to be sent any more is not noted.
    async fn note<E>(
        &mut self,
        applier: &Applier<'_, E>,
        permit: &WritePermit<'_>,
        kind: WriteKind,
        record: Option<RecordId>,
        content: &Content,
    ) -> Result<(), ApplyError> {
        if !permit.is_valid() {
            return Err(ApplyError::expired(permit));
        }
        let sets = || content.iter().filter_map(|(field, answer)| Some((field, answer.as_ref()?)));
        let line = self.line();
        let note = Note {
            organization: line.external_id,
            psa_id: line.psa_id.clone(),
            company_id: self.company(),
            record,
            kind,
            old: sets().map(|(field, _)| (field, self.destination.expected[field].clone())).collect(),
            new: sets().map(|(field, answer)| (field, Stored::from(answer))).collect(),
        };
        applier.journal.note(&note).await?;
        self.noted = Some(kind);
        Ok(())
    }

    /// What the write sets: the plan's changes, and Last Updated. A probe sets nothing: every answer goes back as it was read.
    fn content<E>(&self, applier: &Applier<'_, E>, ready: &Ready<'_>, work: Work) -> Content {
        let mut content = Content::from_fn(|_| None);
        for change in &self.plan.fields {
            content[change.field] = Some(change.new.clone());
        }
        if let QuestionMatch::Found { field_type, .. } = ready.questions[FieldId::LastUpdated]
            && work != Work::Probe
        {
            content[FieldId::LastUpdated] = Some(stamp(applier.clock.now(), field_type));
        }
        content
    }

    /// The new record, unless somebody created one meanwhile.
    fn creation<'a, E>(
        &self,
        applier: &Applier<'a, E>,
        ready: &Ready<'_>,
        at_company: &[FreshRecord],
    ) -> Result<Creation<'a>, LineOutcome> {
        if let Some(other) = at_company.first() {
            let sentence =
                format!("record {} appeared at this company after the plan was made", other.record.id);
            return Err(self.end(Reason::ChangedMeanwhile, sentence));
        }
        let Some(status_id) = applier.status else {
            let sentence = "no configuration status is flagged as default";
            return Err(self.end(Reason::NoDefaultStatus, sentence));
        };
        Ok(Creation {
            name: applier.record_name,
            type_id: ready.type_id,
            status_id,
            company_id: self.company(),
            organization: self.line().external_id,
        })
    }

    /// The record, unless an earlier write arrived after all, or somebody changed it.
    fn unchanged<'f>(
        &self,
        id: RecordId,
        at_company: &'f [FreshRecord],
    ) -> Result<&'f FreshRecord, LineOutcome> {
        let Some(fresh) = at_company.iter().find(|fresh| fresh.record.id == id) else {
            return Err(self.end(Reason::ChangedMeanwhile, "the record is no longer at this company"));
        };
        if let Some(defect) = fresh.record.defect {
            return Err(self.end(Reason::RecordUnreadable, format!("record {id} has {defect}")));
        }
        let answers = &fresh.record.answers;
        // A write that sets nothing leaves nothing to be found: only its answer tells whether it was taken.
        let sets_something = |tried: &&Content| tried.iter().any(|(_, answer)| answer.is_some());
        if let Some(tried) = self
            .tried
            .as_ref()
            .filter(sets_something)
            .filter(|tried| is_there(tried, answers, &self.destination.expected))
        {
            return Err(verified(self.line(), tried, &fresh.as_written()));
        }
        if fresh.record.has_password {
            let sentence = "the configuration type has a Password question";
            return Err(self.end(Reason::PasswordQuestion, sentence));
        }
        match FieldId::all().find(|field| answers[*field] != self.destination.expected[*field]) {
            Some(field) => {
                let sentence = format!("record {id}: {field} changed after the plan was made");
                Err(self.end(Reason::ChangedMeanwhile, sentence))
            }
            None => Ok(fresh),
        }
    }

    /// What the end of a write means for the line.
    fn ended(&self, content: Content, written: Result<Written, WriteError>) -> End {
        match written {
            Ok(written) => End::Settled(verified(self.line(), &content, &written)),
            Err(WriteError::InDoubt { why }) if self.is_create() => End::CreateInDoubt { content, why },
            Err(WriteError::InDoubt { why }) => End::InDoubt { content, why },
            Err(WriteError::Stale) => End::TooLate,
            Err(WriteError::Unavailable { why }) => End::Unavailable { why },
            Err(WriteError::Stopped) => End::Stopped,
            Err(error) if error.is_forbidden() => End::Settled(LineOutcome {
                forbidden: true,
                ..self.refused(format!("{error}; the role needs {RIGHT}"))
            }),
            Err(error @ WriteError::NotSent { .. }) => {
                End::Settled(self.end(Reason::WriteRefused, error.to_string()))
            }
            Err(error) => End::Settled(self.refused(error.to_string())),
        }
    }
}

/// The end of a write that ConnectWise answered, or that was found afterwards.
///
/// Nothing is remembered as altered of a write that did not arrive as a whole: an old answer that stayed may look like a new one that was
/// cut, and would count as equal for good.
pub(super) fn verified(line: &MappingLine, sent: &Content, written: &Written) -> LineOutcome {
    let Verdict { findings, altered } = verify(line, sent, written);
    let is_verified = findings.iter().all(|finding| finding.reason != Reason::WriteNotVerified);
    LineOutcome {
        record: Some(written.record),
        written: is_verified.then_some(written.record),
        findings,
        forbidden: false,
        state: if is_verified { WriteState::Done } else { WriteState::Unverified },
        altered: if is_verified { altered } else { Vec::new() },
    }
}
