//! Small worlds to plan in: a mapping, companies, records and metrics as values.

use psasync::domain::answer::Stored;
use psasync::domain::company::{Company, ConfigurationStatus};
use psasync::domain::field::{FieldId, FieldMap};
use psasync::domain::ids::{CompanyId, OrgId, PsaId, QuestionId, RecordId, StatusId};
use psasync::domain::mapping::{Mapping, MappingLine, Source};
use psasync::domain::metrics::{Metrics, MonthMetrics, Presence, Reading, Threats};
use psasync::domain::organization::Organization;
use psasync::domain::question::{QuestionMap, QuestionMatch};
use psasync::domain::record::Record;
use psasync::translate::{Format, ThreatCount};

pub(crate) const ACTIVE: StatusId = StatusId(1);
pub(crate) const CLOSED: StatusId = StatusId(2);

pub(crate) const FORMAT: Format =
    Format { top_n: 10, threat_count: ThreatCount::Sites, answer_chars_max: 1000 };

pub(crate) fn line(org_id: u64, psa_id: &str) -> MappingLine {
    MappingLine::new(Source::Umbrella, OrgId(org_id), PsaId::new(psa_id).unwrap())
}

pub(crate) fn mapping(lines: impl IntoIterator<Item = MappingLine>) -> Mapping {
    Mapping { lines: lines.into_iter().collect() }
}

pub(crate) fn organization(id: u64) -> Organization {
    Organization {
        id: OrgId(id),
        name: format!("Organization {id}"),
        seats: Some(10),
        package: None,
        domains: Vec::new(),
    }
}

pub(crate) fn company(id: u64, identifier: &str) -> Company {
    Company {
        id: CompanyId(id),
        identifier: identifier.into(),
        name: identifier.into(),
        inactive: Some(false),
        website: None,
    }
}

pub(crate) fn statuses() -> Vec<ConfigurationStatus> {
    vec![
        ConfigurationStatus { id: ACTIVE, name: "Active".into(), closed: false, default: true },
        ConfigurationStatus { id: CLOSED, name: "Retired".into(), closed: true, default: false },
    ]
}

/// A record at a company whose Organization Id says `says`; everything else is unanswered.
pub(crate) fn record(id: u64, company: u64, says: &str) -> Record {
    let mut answers = FieldMap::from_fn(|_| Stored::EMPTY);
    answers[FieldId::OrganizationId] = Stored::new(says);
    Record {
        id: RecordId(id),
        company_id: CompanyId(company),
        status_id: Some(ACTIVE),
        device_identifier: format!("umbrella:{says}"),
        created_at: Some("2026-01-05T03:00:00Z".parse().unwrap()),
        updated_at: None,
        answers,
        others: Vec::new(),
        has_password: false,
        defect: None,
    }
}

/// All 16 questions, each of its own type.
pub(crate) fn questions() -> QuestionMap {
    FieldMap::from_fn(|field| QuestionMatch::Found {
        id: QuestionId(u64::from(field.sequence())),
        field_type: field.spec().field_type,
    })
}

pub(crate) fn metrics() -> Metrics {
    Metrics {
        package: Reading::Read("DNS Security Essentials".into()),
        seats: Reading::Read(40),
        networks: Reading::Read(Presence { total: 2, active: 1, inactive: vec!["Warehouse".into()] }),
        agents: Reading::Read(Presence { total: 9, active: 8, inactive: vec!["PC-07".into()] }),
        month: MonthMetrics {
            queries: Reading::Read(120_000),
            malware: Reading::Read(Threats { sites: 4, requests: 31 }),
            botnet: Reading::Read(Threats { sites: 1, requests: 2 }),
            top_domains: Reading::Read(vec!["example.com".into()]),
            top_domains_blocked: Reading::Read(vec!["bad.example".into()]),
            top_categories: Reading::Read(vec![]),
        },
    }
}
