//! Settles writes of earlier runs whose end nobody learnt, because the run died or ConnectWise gave no clear answer.

use std::collections::BTreeMap;

use tracing::info;

use super::error::RunError;
use super::recorded::Recorded;
use super::surroundings::Surroundings;
use crate::connectwise::{ConnectWiseError, Reader, TypeState};
use crate::domain::ids::CompanyId;
use crate::domain::record::{Record, RecordOrganization};
use crate::http::Exchange;
use crate::plan::REREAD_BATCH;
use crate::store::{Settlement, StateError, WriteRow, judged};

/// Finds out from the records as they are what became of those writes. Decides nothing about this run: what a record should say is
/// compared with what it says, whoever wrote it.
pub(super) async fn settle_earlier_writes(
    recorded: &Recorded<'_>,
    records: &[Record],
) -> Result<(), StateError> {
    let unsettled = recorded.state().reader().unsettled_writes(recorded.run()).await?;
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

/// The records at some companies, which are few beside all that there are.
pub(super) async fn records_at<E: Exchange>(
    reader: &Reader<E>,
    type_state: &TypeState,
    mut companies: Vec<CompanyId>,
) -> Result<Vec<Record>, ConnectWiseError> {
    let Some(type_id) = type_state.id else { return Ok(Vec::new()) };
    companies.sort_unstable();
    companies.dedup();
    let mut records = Vec::new();
    for batch in companies.chunks(REREAD_BATCH) {
        let read = reader.records_at(type_id, batch, &type_state.questions).await?;
        records.extend(read.into_iter().map(|fresh| fresh.record));
    }
    Ok(records)
}

/// Settles what earlier runs left open, before their answers are replaced: afterwards nobody could tell any more.
pub(super) async fn settle<E: Exchange>(
    recorded: &Recorded<'_>,
    surroundings: &Surroundings<'_>,
    reader: &Reader<E>,
    type_state: &TypeState,
) -> Result<(), RunError> {
    let unsettled = recorded.state().reader().unsettled_writes(recorded.run()).await?;
    let companies = unsettled.iter().map(|write| write.company_id).collect();
    let records = tokio::select! {
        () = surroundings.stop.cancelled() => return Err(RunError::Stopped),
        records = records_at(reader, type_state, companies) => records?,
    };
    Ok(settle_earlier_writes(recorded, &records).await?)
}

/// The record that the write was about; for a create, the one that says it is the organization's.
fn record_of<'r>(write: &WriteRow, at_company: &[&'r Record]) -> Option<&'r Record> {
    at_company.iter().copied().find(|record| match write.record {
        Some(id) => record.id == id,
        None => record.organization() == RecordOrganization::Known(write.organization),
    })
}
