//! Writes records: read again in batches, compared with the plan, written, verified, settled.

use std::collections::{BTreeMap, VecDeque};

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::Instant;

use super::setup::Ready;
use super::verify::{is_there, verify};
use super::{Applier, ApplyError, LineOutcome};
use crate::connectwise::stamp;
use crate::connectwise::{
    ConnectWiseError, Content, Creation, FreshRecord, READ_AGE_MAX, WriteError, Written,
};
use crate::domain::field::FieldId;
use crate::domain::finding::Reason;
use crate::domain::ids::CompanyId;
use crate::domain::mapping::MappingLine;
use crate::domain::question::QuestionMatch;
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::{Action, Destination, LinePlan, Plan, REREAD_BATCH};
use crate::progress::Phase;

/// How often a record is written, before its company is given up for this run.
const TRIES_MAX: u8 = 4;
/// How often a record is read again because its write came too late to rest on the last reading. ConnectWise is slow or throttles then,
/// for half an hour at least; the run's deadline may come first.
const READINGS_MAX: u8 = 30;

/// A record that is still to be written.
struct Pending<'p> {
    index: usize,
    plan: &'p LinePlan,
    destination: &'p Destination,
    tries: u8,
    readings: u8,
    /// What an update whose outcome is unknown tried to set.
    tried: Option<Content>,
}

/// How a write ended, as far as this run is concerned.
enum End {
    /// Written and verified, or left alone for good.
    Settled(LineOutcome),
    /// Not sent, because the run was told to stop.
    Stopped,
    /// Nothing was sent, because what it rests on had become too old: to be read again and written.
    TooLate,
    /// An update that may have been applied: to be read again, which tells whether it was, and else written again.
    InDoubt { content: Content, why: String },
    /// A create that may have been applied. It is looked for, never repeated.
    CreateInDoubt { content: Content, why: String },
}

impl<E: Exchange> Applier<'_, E> {
    /// Writes every record of the plan that is to be written, creates first.
    pub(super) async fn write_records(
        &self,
        plan: &Plan,
        permit: &WritePermit<'_>,
        ready: &Ready<'_>,
        outcomes: &mut [LineOutcome],
    ) -> Result<(), ApplyError> {
        let pending = pending(plan);
        self.progress.begin(Phase::Records, pending.len());
        let mut session = Session {
            applier: self,
            permit,
            ready,
            outcomes,
            in_doubt: Vec::new(),
            creates_seen: false,
            is_stopped: false,
        };
        let written = session.write_all(pending).await;
        session.settle().await;
        self.progress.end();
        written
    }
}

/// Creates come first: the first of them decides whether any other may follow.
fn pending(plan: &Plan) -> VecDeque<Pending<'_>> {
    let (creates, updates): (Vec<_>, Vec<_>) = plan
        .lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.action != Action::Leave)
        .filter_map(|(index, plan)| {
            let destination = plan.destination.as_ref()?;
            Some(Pending { index, plan, destination, tries: 0, readings: 0, tried: None })
        })
        .partition(|pending| pending.is_create());
    creates.into_iter().chain(updates).collect()
}

impl Pending<'_> {
    fn is_create(&self) -> bool {
        self.plan.action == Action::Create
    }

    fn line(&self) -> &MappingLine {
        &self.plan.line
    }

    fn end(&self, reason: Reason, sentence: impl Into<String>) -> LineOutcome {
        LineOutcome { findings: vec![self.line().finding(reason, sentence)], ..LineOutcome::default() }
    }

    fn stopped(&self) -> LineOutcome {
        self.end(Reason::WriteRefused, "not sent: the run was stopped")
    }

    fn settled(&self, reason: Reason, sentence: impl Into<String>) -> End {
        End::Settled(self.end(reason, sentence))
    }

    /// What the end of a write means for the line.
    fn ended(&self, content: Content, written: Result<Written, WriteError>) -> End {
        match written {
            Ok(written) => End::Settled(verified(self.line(), &content, &written)),
            Err(WriteError::InDoubt { why }) if self.is_create() => End::CreateInDoubt { content, why },
            Err(WriteError::InDoubt { why }) => End::InDoubt { content, why },
            Err(WriteError::Stale) => End::TooLate,
            Err(WriteError::Stopped) => End::Stopped,
            Err(error) => End::Settled(LineOutcome {
                forbidden: error.is_forbidden(),
                ..self.end(Reason::WriteRefused, error.to_string())
            }),
        }
    }

    /// Whether the record needs no write, because an earlier one arrived after all, or gets none, because somebody changed it.
    fn settled_already(&self, fresh: &FreshRecord) -> Option<End> {
        let answers = &fresh.record.answers;
        if let Some(tried) = self.tried.as_ref().filter(|tried| is_there(tried, answers)) {
            return Some(End::Settled(verified(self.line(), tried, &written_as(fresh))));
        }
        let field = FieldId::all().find(|field| answers[*field] != self.destination.expected[*field])?;
        let sentence = format!("record {}: {field} changed after the plan was made", fresh.record.id);
        Some(self.settled(Reason::ChangedMeanwhile, sentence))
    }
}

/// The records at some companies, as they were read just now.
struct Fresh {
    at: BTreeMap<CompanyId, Vec<FreshRecord>>,
    /// When a write may no longer rest on them.
    not_after: Instant,
}

impl Fresh {
    fn at(&self, company: CompanyId) -> &[FreshRecord] {
        self.at.get(&company).map(Vec::as_slice).unwrap_or_default()
    }
}

struct Session<'s, 'p, E> {
    applier: &'s Applier<'s, E>,
    permit: &'s WritePermit<'s>,
    ready: &'s Ready<'s>,
    outcomes: &'s mut [LineOutcome],
    in_doubt: Vec<(Pending<'p>, Content, String)>,
    /// Whether ConnectWise lists what this run creates.
    creates_seen: bool,
    /// Whether a write was not sent, because the run was told to stop.
    is_stopped: bool,
}

impl<'p, E: Exchange> Session<'_, 'p, E> {
    async fn write_all(&mut self, mut pending: VecDeque<Pending<'p>>) -> Result<(), ApplyError> {
        while !pending.is_empty() {
            let mut batch: VecDeque<_> = pending.drain(..pending.len().min(REREAD_BATCH)).collect();
            let companies: Vec<_> = batch.iter().map(|one| one.destination.company_id).collect();
            let written = match self.read_again(&companies).await {
                Ok(fresh) => self.write_batch(&mut batch, &fresh, &mut pending).await,
                Err(error @ (ConnectWiseError::Credentials(_) | ConnectWiseError::RightMissing { .. })) => {
                    Err(error.into())
                }
                Err(error) => {
                    for one in batch.drain(..) {
                        self.settle_line(&one, one.end(Reason::WriteRefused, format!("not sent: {error}")));
                    }
                    Ok(())
                }
            };
            if let Err(error) = written {
                for one in batch.into_iter().chain(pending) {
                    self.settle_line(&one, one.stopped());
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn read_again(&self, companies: &[CompanyId]) -> Result<Fresh, ConnectWiseError> {
        let not_after = Instant::now() + READ_AGE_MAX;
        let reader = self.applier.reader;
        let records = reader.records_at(self.ready.type_id, companies, &self.ready.questions).await?;
        let mut at = BTreeMap::<_, Vec<_>>::new();
        for record in records {
            at.entry(record.record.company_id).or_default().push(record);
        }
        Ok(Fresh { at, not_after })
    }

    /// Writes a batch; what has to be read again goes back to `pending`.
    async fn write_batch(
        &mut self,
        batch: &mut VecDeque<Pending<'p>>,
        fresh: &Fresh,
        pending: &mut VecDeque<Pending<'p>>,
    ) -> Result<(), ApplyError> {
        while !self.creates_seen && batch.front().is_some_and(Pending::is_create) {
            let Some(first) = batch.pop_front() else { break };
            self.create_first(first, fresh, pending).await?;
        }
        let (applier, permit, ready) = (self.applier, self.permit, self.ready);
        let writes = stream::iter(batch.drain(..)).map(|one| async move {
            let end = write(applier, permit, ready, &one, fresh).await;
            (one, end)
        });
        let mut ends = writes.buffer_unordered(applier.concurrency);
        while let Some((one, end)) = ends.next().await {
            self.note(one, end, pending);
        }
        if self.is_stopped { Err(ApplyError::Stopped) } else { Ok(()) }
    }

    /// The first create of a run goes alone, and must then be listed: a role that hides the type would make duplicates every night.
    async fn create_first(
        &mut self,
        first: Pending<'p>,
        fresh: &Fresh,
        pending: &mut VecDeque<Pending<'p>>,
    ) -> Result<(), ApplyError> {
        let end = write(self.applier, self.permit, self.ready, &first, fresh).await;
        match end {
            End::Settled(outcome @ LineOutcome { written: Some(record), .. }) => {
                let company = first.destination.company_id;
                let listed = self.read_again(&[company]).await;
                let is_listed = listed
                    .as_ref()
                    .is_ok_and(|listed| listed.at(company).iter().any(|fresh| fresh.record.id == record));
                self.settle_line(&first, outcome);
                self.creates_seen = is_listed;
                match listed {
                    Ok(_) if is_listed => Ok(()),
                    Ok(_) => {
                        let company = first.line().psa_id.to_string();
                        Err(ApplyError::RecordsNotVisible { record, company })
                    }
                    Err(error) => Err(error.into()),
                }
            }
            end => {
                self.note(first, end, pending);
                Ok(())
            }
        }
    }

    fn note(&mut self, mut one: Pending<'p>, end: End, pending: &mut VecDeque<Pending<'p>>) {
        match end {
            End::Settled(outcome) => self.settle_line(&one, outcome),
            End::CreateInDoubt { content, why } => self.in_doubt.push((one, content, why)),
            End::Stopped => {
                self.is_stopped = true;
                self.settle_line(&one, one.stopped());
            }
            End::TooLate if one.readings + 1 >= READINGS_MAX => {
                let sentence = format!(
                    "given up after {READINGS_MAX} readings: ConnectWise let no write through in time"
                );
                self.settle_line(&one, one.end(Reason::WriteRefused, sentence));
            }
            End::TooLate => {
                one.readings += 1;
                pending.push_back(one);
            }
            End::InDoubt { why, .. } if one.tries + 1 >= TRIES_MAX => {
                let sentence = format!("given up after {TRIES_MAX} tries: {why}");
                self.settle_line(&one, one.end(Reason::WriteRefused, sentence));
            }
            End::InDoubt { content, .. } => {
                one.tries += 1;
                one.tried = Some(content);
                pending.push_back(one);
            }
        }
    }

    fn settle_line(&mut self, one: &Pending<'_>, outcome: LineOutcome) {
        self.outcomes[one.index] = outcome;
        self.applier.progress.advance();
    }

    /// Looks for the records whose creation is in doubt.
    async fn settle(&mut self) {
        while !self.in_doubt.is_empty() {
            let count = self.in_doubt.len().min(REREAD_BATCH);
            let batch: Vec<_> = self.in_doubt.drain(..count).collect();
            let companies: Vec<_> = batch.iter().map(|(one, ..)| one.destination.company_id).collect();
            let fresh = self.read_again(&companies).await;
            for (one, content, why) in batch {
                let found =
                    fresh.as_ref().ok().and_then(|fresh| fresh.at(one.destination.company_id).first());
                let outcome = match found {
                    Some(found) => verified(one.line(), &content, &written_as(found)),
                    None => one.end(Reason::CreateInDoubt, format!("the create got no clear answer: {why}")),
                };
                self.settle_line(&one, outcome);
            }
        }
    }
}

fn written_as(fresh: &FreshRecord) -> Written {
    Written { record: fresh.record.id, answers: fresh.record.answers.clone() }
}

fn verified(line: &MappingLine, sent: &Content, written: &Written) -> LineOutcome {
    let findings = verify(line, sent, written);
    let is_verified = findings.iter().all(|finding| finding.reason != Reason::WriteNotVerified);
    LineOutcome { written: is_verified.then_some(written.record), findings, forbidden: false }
}

async fn write<E: Exchange>(
    applier: &Applier<'_, E>,
    permit: &WritePermit<'_>,
    ready: &Ready<'_>,
    one: &Pending<'_>,
    fresh: &Fresh,
) -> End {
    let at_company = fresh.at(one.destination.company_id);
    let content = content(applier, ready, one.plan);
    match one.plan.action {
        Action::Leave => End::Settled(LineOutcome::default()),
        Action::Create => match (at_company.first(), applier.status) {
            (Some(other), _) => {
                let sentence =
                    format!("record {} appeared at this company after the plan was made", other.record.id);
                one.settled(Reason::ChangedMeanwhile, sentence)
            }
            (None, None) => {
                one.settled(Reason::NoDefaultStatus, "no configuration status is flagged as default")
            }
            (None, Some(status_id)) => {
                let creation = Creation {
                    name: applier.record_name,
                    type_id: ready.type_id,
                    status_id,
                    company_id: one.destination.company_id,
                    organization: one.line().external_id,
                };
                let writer = applier.writer;
                let written =
                    writer.create(permit, &creation, &content, &ready.questions, fresh.not_after).await;
                one.ended(content, written)
            }
        },
        Action::Update(id) | Action::Touch(id) => {
            let Some(record) = at_company.iter().find(|fresh| fresh.record.id == id) else {
                return one.settled(Reason::ChangedMeanwhile, "the record is no longer at this company");
            };
            if let Some(end) = one.settled_already(record) {
                return end;
            }
            let organization = one.destination.sets_device_identifier.then_some(one.line().external_id);
            let (writer, questions) = (applier.writer, &ready.questions);
            let written =
                writer.update(permit, record, &content, questions, organization, fresh.not_after).await;
            one.ended(content, written)
        }
    }
}

/// What the write sets: the plan's changes, and Last Updated.
fn content<E>(applier: &Applier<'_, E>, ready: &Ready<'_>, plan: &LinePlan) -> Content {
    let mut content = Content::from_fn(|_| None);
    for change in &plan.fields {
        content[change.field] = Some(change.new.clone());
    }
    if let QuestionMatch::Found { field_type, .. } = ready.questions[FieldId::LastUpdated] {
        content[FieldId::LastUpdated] = Some(stamp(applier.clock.now(), field_type));
    }
    content
}
