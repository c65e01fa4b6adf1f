//! The records that the last run over the whole mapping saw.

use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};

use super::error::StateError;
use super::journal::signed;
use super::{State, StateReader};
use crate::domain::ids::{OrgId, PsaId, RecordId};
use crate::domain::record::KnownRecord;

impl State {
    /// Keeps the records of a type: `gone` are no longer known, `listed` are from now on. One transaction.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn keep_records(
        &self,
        type_name: &str,
        gone: Vec<RecordId>,
        listed: Vec<KnownRecord>,
    ) -> Result<(), StateError> {
        let delete = "DELETE FROM known_records WHERE tenant = $1 AND type_key = $2 AND record_id = $3";
        let upsert = "INSERT INTO known_records (tenant, type_key, record_id, psa_id, psa_key, org_id) \
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, type_key, record_id) DO UPDATE SET \
                      psa_id = EXCLUDED.psa_id, psa_key = EXCLUDED.psa_key, org_id = EXCLUDED.org_id";
        let (tenant, type_key) = (self.0.tenant.clone(), type_key(type_name));
        let keep = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            for record in gone {
                let query = sqlx::query(delete).bind(&tenant).bind(&type_key).bind(signed(record.0));
                query.execute(&mut *transaction).await?;
            }
            for KnownRecord { record, psa_id, organization } in listed {
                let query = sqlx::query(upsert).bind(&tenant).bind(&type_key).bind(signed(record.0));
                let query = query.bind(psa_id.as_str().to_owned()).bind(psa_id.key());
                let organization = organization.map(|organization| signed(organization.0));
                query.bind(organization).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        self.0.database.run(keep).await
    }
}

impl StateReader {
    /// The records of a type that are known.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn known_records(&self, type_name: &str) -> Result<Vec<KnownRecord>, StateError> {
        let (tenant, type_key) = (self.tenant.clone(), type_key(type_name));
        let select = "SELECT record_id, psa_id, org_id FROM known_records WHERE tenant = $1 AND type_key = $2 ORDER BY record_id";
        let rows =
            async move |pool: &AnyPool| sqlx::query(select).bind(tenant).bind(type_key).fetch_all(pool).await;
        let rows = self.database.run(rows).await?;
        let records: Option<Vec<_>> = rows.iter().map(known_record).collect();
        records.ok_or_else(|| self.database.unreadable("a known record"))
    }
}

fn known_record(row: &AnyRow) -> Option<KnownRecord> {
    Some(KnownRecord {
        record: RecordId(row.try_get::<i64, _>("record_id").ok()?.cast_unsigned()),
        psa_id: PsaId::new(&row.try_get::<String, _>("psa_id").ok()?)?,
        organization: row.try_get::<Option<i64>, _>("org_id").ok()?.map(|id| OrgId(id.cast_unsigned())),
    })
}

/// What types are matched by.
fn type_key(name: &str) -> String {
    name.trim().to_lowercase()
}
