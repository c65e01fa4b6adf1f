//! The records of the mapped companies: those that earlier runs saw, and those that ConnectWise lists now.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;

use super::report::Report;
use crate::domain::company::Company;
use crate::domain::ids::{CompanyId, PsaId, RecordId};
use crate::domain::mapping::{LineState, Mapping, MappingLine};
use crate::domain::record::{KnownRecord, Record, RecordOrganization};
use crate::domain::work::Work;
use crate::plan::{Action, RollCall};
use crate::resolve::Scope;
use crate::store::{State, StateError, StateReader};

/// Who is known, and who is there. Customers that are paused, or left, are neither.
#[derive(Debug)]
pub(super) struct Roll {
    known: Vec<KnownRecord>,
    listed: Vec<KnownRecord>,
    ids: BTreeSet<RecordId>,
    active: BTreeSet<String>,
    /// The companies of other shards, which keep their own.
    others: BTreeSet<String>,
}

/// What ConnectWise lists.
pub(super) struct Listed<'a> {
    pub(super) companies: &'a [Company],
    pub(super) records: &'a [Record],
}

impl Roll {
    pub(super) async fn new(
        state: Option<&StateReader>,
        type_name: &str,
        mapping: &Mapping,
        scope: &Scope,
        &Listed { companies, records }: &Listed<'_>,
    ) -> Result<Self, StateError> {
        let known = match state {
            Some(state) => state.known_records(type_name).await?,
            None => Vec::new(),
        };
        let lines = mapping.lines.iter().filter(|line| line.state == LineState::Active);
        let (ours, others): (Vec<_>, Vec<_>) = lines.partition(|line| scope.has(line));
        let keys = |lines: Vec<&MappingLine>| lines.iter().map(|line| line.psa_id.key()).collect();
        let (ours, mut others): (BTreeSet<_>, BTreeSet<_>) = (keys(ours), keys(others));
        others.retain(|company| !ours.contains(company));
        let active: BTreeSet<_> = ours.union(&others).cloned().collect();
        let psa_ids =
            companies.iter().filter_map(|company| Some((company.id, PsaId::new(&company.identifier)?)));
        let psa_ids: BTreeMap<CompanyId, PsaId> =
            psa_ids.filter(|(_, psa_id)| active.contains(&psa_id.key())).collect();
        let listed = |record: &Record| {
            let organization = match record.organization() {
                RecordOrganization::Known(organization) => Some(organization),
                RecordOrganization::Nobody | RecordOrganization::Unreadable => None,
            };
            let psa_id = psa_ids.get(&record.company_id)?.clone();
            Some(KnownRecord { record: record.id, psa_id, organization })
        };
        Ok(Self {
            known,
            listed: records.iter().filter_map(listed).collect(),
            ids: records.iter().map(|record| record.id).collect(),
            active,
            others,
        })
    }

    pub(super) fn call(&self) -> RollCall {
        let is_active = |known: &&KnownRecord| self.active.contains(&known.psa_id.key());
        RollCall::new(self.known.iter().filter(is_active), &self.ids)
    }

    /// Keeps who is there after a nightly run over the whole mapping, or over a shard, that was carried out; only what differs is written. A backfill creates
    /// nothing, so that nothing but a night finds out whether records can still be seen.
    ///
    /// Where that fails nothing that was written is undone by it: the next run is judged by what was known before.
    pub(super) async fn keep_after(&self, state: &State, type_name: &str, report: &Report) {
        if report.plan.work == Work::Night
            && report.refusals.is_empty()
            && report.stopped.is_none()
            && let Err(error) = self.keep(state, type_name, report).await
        {
            warn!(%error, "which records there are was not kept");
        }
    }

    async fn keep(&self, state: &State, type_name: &str, report: &Report) -> Result<(), StateError> {
        let is_ours = |known: &&KnownRecord| !self.others.contains(&known.psa_id.key());
        let known = self.known.iter().filter(is_ours);
        let known: BTreeMap<_, _> = known.map(|known| (known.record, known)).collect();
        let listed: BTreeSet<_> = self.listed.iter().map(|listed| listed.record).collect();
        let gone = known.keys().filter(|record| !listed.contains(record)).copied().collect();
        let created = report.lines().filter(|(plan, _)| plan.action == Action::Create);
        let created = created.filter_map(|(plan, outcome)| {
            let (psa_id, organization) = (plan.line.psa_id.clone(), Some(plan.line.external_id));
            Some(KnownRecord { record: outcome.record?, psa_id, organization })
        });
        let is_news = |listed: &KnownRecord| known.get(&listed.record) != Some(&listed);
        let listed = self.listed.iter().filter(is_ours).cloned();
        let news = listed.chain(created).filter(is_news).collect();
        state.keep_records(type_name, gone, news).await
    }
}
