//! Writes records: read again in batches, written some at a time, settled where their end is in doubt.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::Instant;

use super::attempt::{End, Pending, verified};
use super::setup::Ready;
use super::{Applier, ApplyError, LineOutcome, unless_expired};
use crate::connectwise::{ConnectWiseError, Content, FreshRecord, READ_AGE_MAX};
use crate::domain::finding::Reason;
use crate::domain::ids::CompanyId;
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::{Plan, REREAD_BATCH};
use crate::progress::Phase;
use crate::store::{Settlement, WriteState};

/// How often a record is written, before its company is given up for this run.
const TRIES_MAX: u8 = 4;
/// How long to wait before records that ConnectWise did not answer are read again; doubled with each try, so that a restart of ConnectWise
/// is outlasted.
const TRY_PAUSE: Duration = Duration::from_secs(10);
/// How often a record is read again because its write came too late to rest on the last reading. ConnectWise is slow or throttles then,
/// for half an hour at least; the run's deadline may come first.
const READINGS_MAX: u8 = 30;
/// How long a run that was told to stop looks for records whose creation is in doubt.
const SETTLING_MAX: Duration = Duration::from_secs(60);
/// How many creates may end in doubt before one was seen in ConnectWise's list. After that the run creates nothing more.
const UNSEEN_CREATES_MAX: usize = 3;

impl<E: Exchange> Applier<'_, E> {
    /// Writes every record of the plan that is to be written.
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
            creates: Creates::Unseen { in_doubt: 0 },
            ended: None,
        };
        let written = session.write_all(pending).await;
        session.settle().await;
        self.progress.end();
        written.and(session.ended.map_or(Ok(()), Err))
    }
}

/// Creates come first: the first of them decides whether any other may follow.
fn pending(plan: &Plan) -> VecDeque<Pending<'_>> {
    let pending = plan.lines.iter().enumerate().filter_map(|(index, line)| Pending::new(index, line));
    let (creates, updates): (Vec<_>, Vec<_>) = pending.partition(Pending::is_create);
    creates.into_iter().chain(updates).collect()
}

/// Whether ConnectWise lists what this run creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Creates {
    /// Nobody knows yet: creates go one at a time.
    Unseen {
        /// How many of them got no clear answer, and were not found.
        in_doubt: usize,
    },
    /// It does.
    Seen,
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
    creates: Creates,
    /// Why nothing more is sent, if so.
    ended: Option<ApplyError>,
}

impl<'p, E: Exchange> Session<'_, 'p, E> {
    async fn write_all(&mut self, mut pending: VecDeque<Pending<'p>>) -> Result<(), ApplyError> {
        while !pending.is_empty() {
            let mut batch: VecDeque<_> = pending.drain(..pending.len().min(REREAD_BATCH)).collect();
            let companies: Vec<_> = batch.iter().map(Pending::company).collect();
            let fresh = unless_expired(self.permit, self.read_for(&batch, &companies)).await;
            let written = match fresh {
                Ok(fresh) => self.write_batch(&mut batch, &fresh, &mut pending).await,
                Err(error) if error.ends_run() => Err(error),
                Err(error) => {
                    for one in batch.drain(..) {
                        self.try_again(one, &error.to_string(), &mut pending).await;
                    }
                    self.go_on()
                }
            };
            if let Err(error) = written {
                self.give_up(batch.into_iter().chain(pending), &error.to_string()).await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reads a batch again, after a pause where ConnectWise did not answer the writes of any of its records.
    async fn read_for(
        &self,
        batch: &VecDeque<Pending<'p>>,
        companies: &[CompanyId],
    ) -> Result<Fresh, ConnectWiseError> {
        let tries = batch.iter().map(|one| one.tries).min().unwrap_or_default();
        if tries > 0 {
            tokio::time::sleep(TRY_PAUSE * 2u32.pow(tries.into())).await;
        }
        self.read_again(companies).await
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
        while self.creates != Creates::Seen {
            let create = batch.iter().position(Pending::is_create);
            let Some(first) = create.and_then(|at| batch.remove(at)) else { break };
            self.create_first(first, fresh, pending).await?;
        }
        let (applier, permit, ready) = (self.applier, self.permit, self.ready);
        let writes = stream::iter(batch.drain(..)).map(|mut one| async move {
            let end = one.write(applier, permit, ready, fresh.at(one.company()), fresh.not_after).await;
            (one, end)
        });
        let mut ends = writes.buffer_unordered(applier.concurrency);
        while let Some((one, end)) = ends.next().await {
            match end {
                Ok(end) => self.note(one, end, pending).await,
                Err(error) => self.end_with(one, error).await,
            }
        }
        self.go_on()
    }

    fn go_on(&mut self) -> Result<(), ApplyError> {
        self.ended.take().map_or(Ok(()), Err)
    }

    /// Nothing more is sent. What is in flight is awaited.
    fn end(&mut self, error: ApplyError) {
        self.permit.stop().cancel();
        self.ended.get_or_insert(error);
    }

    async fn end_with(&mut self, one: Pending<'p>, error: ApplyError) {
        self.give_up([one], &error.to_string()).await;
        self.end(error);
    }

    /// The first create of a run goes alone, and must then be listed: a role that hides the type would make duplicates every night.
    ///
    /// Whether it was verified plays no part, and one that got no clear answer is looked for at once.
    async fn create_first(
        &mut self,
        mut first: Pending<'p>,
        fresh: &Fresh,
        pending: &mut VecDeque<Pending<'p>>,
    ) -> Result<(), ApplyError> {
        if self.creates == (Creates::Unseen { in_doubt: UNSEEN_CREATES_MAX }) {
            let why =
                format!("{UNSEEN_CREATES_MAX} creates before it got no clear answer and are not listed");
            self.give_up([first], &why).await;
            return Ok(());
        }
        let (company, line) = (first.company(), first.line());
        let (applier, permit, ready) = (self.applier, self.permit, self.ready);
        let end = match first.write(applier, permit, ready, fresh.at(company), fresh.not_after).await {
            Ok(end) => end,
            Err(error) => {
                self.give_up([first], &error.to_string()).await;
                return Err(error);
            }
        };
        match end {
            End::Settled(outcome) => {
                let created = outcome.record;
                self.settle_line(&first, outcome).await;
                let Some(record) = created else { return Ok(()) };
                let listed = match unless_expired(self.permit, self.read_again(&[company])).await {
                    Err(error) if !error.ends_run() => {
                        self.count_unseen();
                        return Ok(());
                    }
                    listed => listed?,
                };
                if listed.at(company).iter().any(|fresh| fresh.record.id == record) {
                    self.creates = Creates::Seen;
                    return Ok(());
                }
                Err(ApplyError::RecordsNotVisible { record, company: line.psa_id.to_string() })
            }
            End::CreateInDoubt { content, why } => {
                let listed = unless_expired(self.permit, self.read_again(&[company])).await;
                match listed.as_ref().ok().and_then(|listed| listed.at(company).first()) {
                    Some(found) => {
                        self.creates = Creates::Seen;
                        self.settle_create(&first, &content, &why, Some(found)).await;
                    }
                    None => {
                        self.count_unseen();
                        self.in_doubt.push((first, content, why));
                    }
                }
                self.go_on()
            }
            end => {
                self.note(first, end, pending).await;
                self.go_on()
            }
        }
    }

    fn count_unseen(&mut self) {
        if let Creates::Unseen { in_doubt } = &mut self.creates {
            *in_doubt += 1;
        }
    }

    async fn note(&mut self, mut one: Pending<'p>, end: End, pending: &mut VecDeque<Pending<'p>>) {
        match end {
            End::Settled(outcome) => self.settle_line(&one, outcome).await,
            End::CreateInDoubt { content, why } => self.in_doubt.push((one, content, why)),
            End::Stopped => self.end_with(one, ApplyError::expired(self.permit)).await,
            End::TooLate if one.readings + 1 >= READINGS_MAX => {
                let why = format!("ConnectWise let no write through in time, {READINGS_MAX} times");
                self.give_up([one], &why).await;
            }
            End::TooLate => {
                one.readings += 1;
                pending.push_back(one);
            }
            End::Unavailable { why } => self.try_again(one, &why, pending).await,
            End::InDoubt { content, why } => {
                one.tried = Some(content);
                self.try_again(one, &why, pending).await;
            }
        }
    }

    async fn try_again(&mut self, mut one: Pending<'p>, why: &str, pending: &mut VecDeque<Pending<'p>>) {
        one.tries += 1;
        if one.tries < TRIES_MAX {
            pending.push_back(one);
        } else {
            self.give_up([one], &format!("{why}, {TRIES_MAX} times")).await;
        }
    }

    async fn give_up(&mut self, records: impl IntoIterator<Item = Pending<'p>>, why: &str) {
        for one in records {
            let outcome = one.given_up(why);
            self.settle_line(&one, outcome).await;
        }
    }

    /// The end of a line, for the report and for the journal. Without the journal nothing more is sent.
    async fn settle_line(&mut self, one: &Pending<'_>, outcome: LineOutcome) {
        self.applier.progress.advance();
        let LineOutcome { state, record, .. } = outcome;
        let end = Settlement { state, record, altered: outcome.altered.clone() };
        self.outcomes[one.index] = outcome;
        if let Some(kind) = one.noted
            && let Err(error) = self.applier.journal.settle(one.line().external_id, kind, &end).await
        {
            self.end(error.into());
        }
    }

    async fn settle_create(
        &mut self,
        one: &Pending<'_>,
        content: &Content,
        why: &str,
        found: Option<&FreshRecord>,
    ) {
        let outcome = match found {
            Some(found) => verified(one.line(), content, &found.as_written()),
            None => LineOutcome {
                state: WriteState::InDoubt,
                ..one.end(Reason::CreateInDoubt, format!("the create got no clear answer: {why}"))
            },
        };
        self.settle_line(one, outcome).await;
    }

    /// Looks for the records whose creation is in doubt, for a limited time where the run was told to stop.
    async fn settle(&mut self) {
        while !self.in_doubt.is_empty() {
            let count = self.in_doubt.len().min(REREAD_BATCH);
            let batch: Vec<_> = self.in_doubt.drain(..count).collect();
            let companies: Vec<_> = batch.iter().map(|(one, ..)| one.company()).collect();
            let fresh = tokio::select! {
                fresh = self.read_again(&companies) => fresh.ok(),
                () = self.settling_time_is_over() => None,
            };
            for (one, content, why) in batch {
                let found = fresh.as_ref().and_then(|fresh| fresh.at(one.company()).first());
                self.settle_create(&one, &content, &why, found).await;
            }
        }
    }

    async fn settling_time_is_over(&self) {
        self.permit.expired().await;
        tokio::time::sleep(SETTLING_MAX).await;
    }
}
