//! Migrations carry what older versions left.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use psasync::clock::Clock;
use psasync::domain::answer::{Alteration, Stored};
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Severity};
use psasync::domain::ids::{CompanyId, OrgId, PsaId, RecordId, RunId};
use psasync::domain::metrics::{CategoryRequests, MonthAnswers, Threats};
use psasync::domain::record::KnownRecord;
use psasync::domain::waiver::{Rule, Waiver};
use psasync::store::{
    CallCount, CallCounts, FoundLine, KeptFinding, Lease, LeaseError, MIGRATIONS, MonthCounts, RECORDS,
    RunRow, State, StateReader, WriteKind, WriteRow, WriteState,
};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use tokio_util::sync::CancellationToken;

use super::{answers, at};
use crate::{Home, elsewhere};

/// For every migration: its schema, the SHA-384 of its text as it was released, and rows of that schema for the next to carry.
const RELEASED: [(i64, &str, &str); 6] = [
    (
        1,
        "ea260f135632d1fbd67f09db92f7b0c7e7efe4deb1a5050949c7ac21a480ac170af37d8a62cbf8606aef79e19eae83bf",
        include_str!("../samples/0001.sql"),
    ),
    (
        2,
        "85d5f1156445b5b38ebda186e8605a4f01f64bdb13600746ea97ed0fda33b040aba38ebf415711f6b5a3db6efd6b1499",
        concat!(include_str!("../samples/0001.sql"), include_str!("../samples/0002.sql")),
    ),
    (
        3,
        "2e65b21b59a35b7cce1b3b2f48c34a5f7d30b75cd7022d57e1254ac696e09af77a9abeeb29a018803f90e3fd884a4b0b",
        concat!(
            include_str!("../samples/0001.sql"),
            include_str!("../samples/0002.sql"),
            include_str!("../samples/0003.sql")
        ),
    ),
    (
        4,
        "49906ffb4888428df96cd801977c7d3e4c0f6f9d064d6dfd6a20422a261f17e8bbb05b78666ea86169fc333195bc49da",
        concat!(
            include_str!("../samples/0001.sql"),
            include_str!("../samples/0002.sql"),
            include_str!("../samples/0003.sql"),
            include_str!("../samples/0004.sql")
        ),
    ),
    (
        5,
        "2e9fdae807d3301156d226cbbf06e04ad2afee0f655ea7f37f2ff8f85379f65d30eeae7df2964c1de30b00f7d7fed04f",
        concat!(
            include_str!("../samples/0001.sql"),
            include_str!("../samples/0002.sql"),
            include_str!("../samples/0003.sql"),
            include_str!("../samples/0004.sql"),
            include_str!("../samples/0005.sql")
        ),
    ),
    (
        6,
        "4f99a5b78b4e362e8e3c62cfaf39ff3ca2e9b7ee85f0c9e31d30a4fc45fe37e105648352a4be076b0341e6262bcfc179",
        concat!(
            include_str!("../samples/0001.sql"),
            include_str!("../samples/0002.sql"),
            include_str!("../samples/0003.sql"),
            include_str!("../samples/0004.sql"),
            include_str!("../samples/0005.sql"),
            include_str!("../samples/0006.sql")
        ),
    ),
];

fn migration((schema, name, sql): &(i64, &'static str, &'static str)) -> Migration {
    Migration::new(*schema, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
}

#[test]
fn a_released_migration_never_changes_and_has_a_sample() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let embedded: Vec<_> = MIGRATIONS.iter().map(|one| (one.0, hex(&migration(one).checksum))).collect();
    let released: Vec<_> = RELEASED.iter().map(|(schema, sum, _)| (*schema, (*sum).to_owned())).collect();
    assert_eq!(embedded, released, "a change of the schema is a new migration with a sample of its own");
    assert!(
        MIGRATIONS.iter().zip(1..).all(|(one, number)| one.0 == number),
        "schemas are numbered without a gap"
    );
}

/// Every table has a row in every sample, so that no migration can lose one unnoticed.
#[test]
fn a_sample_has_rows_of_every_table() {
    let mut tables = Vec::new();
    for ((_, _, sql), (schema, _, sample)) in MIGRATIONS.iter().zip(RELEASED) {
        tables.extend(sql.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next()));
        for table in &tables {
            assert!(
                sample.contains(&format!("INSERT INTO {table} ")),
                "sample {schema} has no row of `{table}`"
            );
        }
    }
}

/// Makes the state as the version with `schema` left it.
fn leave(home: &Home, schema: i64, sample: &str) {
    let until = MIGRATIONS.iter().filter(|one| one.0 <= schema);
    let migrator = Migrator::with_migrations(until.map(migration).collect());
    let sample = AssertSqlSafe(sample.to_owned());
    elsewhere::connected(&home.url(), async |connection| {
        migrator.run(&mut *connection).await.unwrap();
        sqlx::raw_sql(sample).execute(connection).await.unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn every_schema_is_brought_up_to_date_with_all_that_it_held() {
    for (schema, _, sample) in RELEASED {
        let home = Home::new();
        leave(&home, schema, sample);
        let state = home.open().await;
        let reader = state.reader();
        let scope = (schema >= 3).then(|| "2 companies".to_owned());
        let runs = [died(), RunRow { scope, ..finished() }];
        assert_eq!(reader.runs(10).await.unwrap(), runs, "schema {schema}");
        assert_eq!(
            reader.writes_of_company("acme süd").await.unwrap(),
            [create(), update()],
            "schema {schema}"
        );
        assert_altered(reader).await;
        assert_months(reader).await;
        assert_leased(&state).await;
        if schema >= 2 {
            assert_approved(reader).await;
        }
        if schema >= 4 {
            assert_found(reader).await;
        }
        let measured = reader.latest_measured().await.unwrap();
        let measured: Vec<_> = measured.iter().map(|run| (run.run.id, run.measures.as_str())).collect();
        let expected = [(run(1), r#"{"lines":{"updated":1}}"#)];
        assert_eq!(measured, &expected[..usize::from(schema >= 6)], "schema {schema}");
    }
}

fn run(number: u8) -> RunId {
    RunId::parse(&format!("01980000-0000-7000-8000-00000000000{number}")).unwrap()
}

fn finished() -> RunRow {
    RunRow {
        id: run(1),
        command: "backfill".to_owned(),
        about: Some("2026-10-01 to 2026-10-31".to_owned()),
        scope: None,
        version: "0.1.0".to_owned(),
        scheduled: at("2026-11-01T00:00:00Z"),
        started_at: at("2026-11-01T00:00:00.500Z"),
        finished_at: Some(at("2026-11-01T00:09:00Z")),
        outcome: Some("degraded".to_owned()),
        problem: Some("one of „two“ isn't reachable".to_owned()),
        counts: BTreeMap::from([("updated".to_owned(), 1)]),
        calls: CallCounts {
            umbrella: CallCount { requests: 9, repeated: 2, unsuccessful: 1 },
            connectwise: CallCount { requests: 4, repeated: 0, unsuccessful: 0 },
        },
    }
}

fn died() -> RunRow {
    RunRow {
        id: run(2),
        command: "sync".to_owned(),
        about: None,
        scheduled: at("2026-11-02T00:00:00Z"),
        started_at: at("2026-11-02T00:00:00Z"),
        finished_at: None,
        outcome: None,
        problem: None,
        counts: BTreeMap::new(),
        calls: CallCounts::default(),
        ..finished()
    }
}

fn update() -> WriteRow {
    WriteRow {
        run: run(1),
        organization: OrgId(1),
        psa_id: "ACME Süd".to_owned(),
        company_id: CompanyId(7),
        record: Some(RecordId(41)),
        kind: WriteKind::Update,
        state: WriteState::Done,
        old: answers([(FieldId::Seats, "4"), (FieldId::Package, "")]),
        new: answers([(FieldId::Seats, "5"), (FieldId::Package, "Essentials")]),
        noted_at: at("2026-11-01T00:05:00Z"),
    }
}

fn create() -> WriteRow {
    WriteRow {
        run: run(2),
        record: None,
        kind: WriteKind::Create,
        state: WriteState::Sending,
        old: answers([]),
        noted_at: at("2026-11-02T00:05:00Z"),
        ..update()
    }
}

async fn assert_altered(reader: &StateReader) {
    let alteration = Alteration {
        field: FieldId::TopDomains,
        sent: Stored::new("zoë.example"),
        stored: Stored::new("zo?.example"),
    };
    let expected = BTreeMap::from([(RecordId(41), vec![alteration])]);
    assert_eq!(reader.altered_answers().await.unwrap(), expected);
}

async fn assert_months(reader: &StateReader) {
    let windows = reader.windows(OrgId(1)).await.unwrap();
    assert_eq!(windows.len(), 1);
    assert_eq!((windows[0].from_day.as_str(), windows[0].to_day.as_str()), ("2026-10-01", "2026-11-01"));
    let threats = |sites, requests| Threats { sites, requests };
    let expected = MonthAnswers {
        queries: Some(1031),
        threats: Some((threats(3, 30), threats(0, 0))),
        top_domains: Some(vec!["zoë.example".to_owned(), "b.example".to_owned()]),
        top_domains_blocked: Some(Vec::new()),
        top_categories: Some(vec![CategoryRequests { name: "News & Media".to_owned(), requests: 12 }]),
    };
    assert_eq!(windows[0].answers, expected);
    let counts = MonthCounts {
        seats: Some(5),
        networks_total: Some(2),
        networks_active: Some(1),
        agents_deployed: None,
        agents_active: None,
    };
    assert_eq!(reader.month_counts(OrgId(1)).await.unwrap(), [("2026-10".to_owned(), counts)]);
}

async fn assert_approved(reader: &StateReader) {
    let record = |record, psa_id, organization: Option<u64>| KnownRecord {
        record: RecordId(record),
        psa_id: PsaId::new(psa_id).unwrap(),
        organization: organization.map(OrgId),
    };
    let known = reader.known_records(" opendns_UMBRELLA").await.unwrap();
    assert_eq!(known, [record(41, "ACME Süd", Some(1)), record(42, "BETA", None)]);
    let all =
        |since: Option<&str>| Waiver { rule: Rule::MaxCreates, company: None, waiting_since: since.map(at) };
    let one = |since| Waiver {
        rule: Rule::ValueFellToZero,
        company: PsaId::new("ACME Süd"),
        waiting_since: Some(at(since)),
    };
    let waiting = reader.approvals(at("2026-11-03T00:00:00Z")).await.unwrap();
    assert_eq!(waiting, [all(Some("2026-11-02T09:00:00Z")), one("2026-11-02T09:01:00Z")]);
    let used = reader.approvals_by_run().await.unwrap();
    assert_eq!(used, BTreeMap::from([(run(1), vec![all(None), one("2026-10-31T09:01:00Z")])]));
}

async fn assert_found(reader: &StateReader) {
    let finding = |code: &str, severity, subject: &str, sentence: &str| KeptFinding {
        code: code.to_owned(),
        severity,
        subject: subject.to_owned(),
        sentence: sentence.to_owned(),
    };
    let acme = FoundLine {
        organization: OrgId(1),
        psa_id: PsaId::new("ACME Süd").unwrap(),
        bucket: Bucket::Held,
        looked_at: at("2026-11-02T00:00:00Z"),
        up_to_date_at: Some(at("2026-11-01T00:00:00Z")),
        findings: vec![
            finding("value-fell-to-zero", Severity::Failure, "ACME Süd", "Seats fell to 0"),
            finding(
                "company-inactive",
                Severity::Attention,
                "ACME Süd",
                "the company's status is „inactive“",
            ),
        ],
    };
    let beta = FoundLine {
        organization: OrgId(2),
        psa_id: PsaId::new("BETA").unwrap(),
        bucket: Bucket::Skipped,
        up_to_date_at: None,
        findings: Vec::new(),
        ..acme.clone()
    };
    assert_eq!(reader.found_lines().await.unwrap(), [acme, beta]);
    let gamma = "\"Gamma\" has no company in the mapping";
    let expected = [finding("unmapped", Severity::Info, "3", gamma)];
    assert_eq!(reader.general_findings().await.unwrap(), expected);
}

/// The run that died has the lease until a minute after its last renewal.
async fn assert_leased(state: &State) {
    let asked = async |now: DateTime<Utc>| {
        Lease::acquire(state, RECORDS, run(3), Clock::starting_at(now), &CancellationToken::new()).await
    };
    let renewed = at("2026-11-02T00:05:10Z");
    let Err(LeaseError::Held { run: holder, .. }) = asked(renewed).await else {
        panic!("the lease was lost")
    };
    assert_eq!(holder, run(2).to_string());
    assert!(asked(renewed + chrono::TimeDelta::seconds(61)).await.is_ok());
}
