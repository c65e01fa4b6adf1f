//! Settles writes of earlier runs whose end nobody learnt, because the run died or ConnectWise gave no clear answer.

use std::collections::BTreeMap;

use tracing::info;

use super::recorded::Recorded;
use crate::domain::ids::CompanyId;
use crate::domain::record::{Record, RecordOrganization};
use crate::resolve::Scope;
use crate::store::{Settlement, StateError, WriteRow, judged};

/// Finds out from the records as they are what became of those writes. Decides nothing about this run: what a record should say is
/// compared with what it says, whoever wrote it.
///
/// A run over a shard settles what is about its own organizations: another write may be on its way right now, from a sibling.
pub(super) async fn settle_earlier_writes(
    recorded: &Recorded<'_>,
    records: &[Record],
    scope: &Scope,
) -> Result<(), StateError> {
    let mut unsettled = recorded.state().reader().unsettled_writes(recorded.run()).await?;
    if let Some(shard) = scope.shard() {
        unsettled.retain(|write| shard.has(write.organization));
    }
    if unsettled.is_empty() {
        return Ok(());
    }
    let mut at_company = BTreeMap::<CompanyId, Vec<&Record>>::new();
    for record in records {
        at_company.entry(record.company_id).or_default().push(record);
    }
    for write in unsettled {
        let record = record_of(&write, at_company.get(&write.company_id).map_or(&[], Vec::as_slice));
        if record.is_some_and(|record| record.defect.is_some()) {
            continue;
        }
        let state = judged(&write, record);
        // Nothing is remembered as altered: what ConnectWise cut and what a person shortened since look alike.
        let end = Settlement { state, record: record.map(|record| record.id), altered: Vec::new() };
        recorded.state().settle(write.run, write.organization, write.kind, &end).await?;
        info!(
            company = write.psa_id,
            run = %write.run,
            kind = write.kind.word(),
            state = state.word(),
            "a write of an earlier run is settled"
        );
    }
    Ok(())
}

/// The record that the write was about; for a create, the one that says it is the organization's.
fn record_of<'r>(write: &WriteRow, at_company: &[&'r Record]) -> Option<&'r Record> {
    at_company.iter().copied().find(|record| match write.record {
        Some(id) => record.id == id,
        None => record.organization() == RecordOrganization::Known(write.organization),
    })
}
