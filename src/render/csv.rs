//! Tables for spreadsheets: a header, and one line a row.

use crate::domain::finding::Severity;
use crate::mapping::{Status, Suggestion};
use crate::run::{MapStatus, Recovery, Suggestions};

fn table<const N: usize>(header: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Texts into memory: nothing can fail.
    let _ = writer.write_record(header);
    for row in rows {
        let _ = writer.write_record(row);
    }
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn joined(values: impl IntoIterator<Item = impl ToString>, by: &str) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(by)
}

/// How the mapping stands: one line for each of its lines, and for each thing that it does not name.
#[must_use]
pub fn map_status(map: &MapStatus) -> String {
    let header = [
        "kind",
        "org_id",
        "organization",
        "psa_id",
        "company_id",
        "company",
        "record_id",
        "needs_a_person",
        "reason",
        "sentence",
    ];
    let Status { lines, unmapped, without_line, elsewhere } = &map.status;
    let mut rows: Vec<_> = lines.iter().map(line_row).collect();
    let row = |kind: &str, cells: [String; 6], reason: &str, sentence: String| {
        let [org_id, organization, psa_id, company_id, company, record] = cells;
        let (kind, needs, reason) = (kind.to_owned(), "no".to_owned(), reason.to_owned());
        [kind, org_id, organization, psa_id, company_id, company, record, needs, reason, sentence]
    };
    let none = String::new;
    rows.extend(unmapped.iter().map(|unnamed| {
        let cells = [unnamed.organization.to_string(), unnamed.name.clone(), none(), none(), none(), none()];
        row("unmapped", cells, "unmapped", "has no company in the mapping".to_owned())
    }));
    rows.extend(without_line.iter().map(|found| {
        let cells = [
            joined(&found.organizations, " "),
            none(),
            text(found.psa_id.as_ref()),
            found.company_id.to_string(),
            found.name.clone(),
            joined(&found.records, " "),
        ];
        row("record-without-line", cells, "", "has a record and no line in the mapping".to_owned())
    }));
    rows.extend(elsewhere.iter().map(|found| {
        let company_id = found.company_id.to_string();
        let cells = [none(), none(), found.was.to_string(), company_id, none(), found.record.to_string()];
        row("identifier-changed", cells, found.now.code(), found.now.to_string())
    }));
    table(header, rows)
}

fn line_row(line: &crate::mapping::LineStatus) -> [String; 10] {
    let shown = line.findings.iter().filter(|finding| finding.severity != Severity::Info);
    let of_state = line.findings.iter().filter(|finding| finding.severity == Severity::Info);
    let findings: Vec<_> = shown.chain(of_state).collect();
    [
        "line".to_owned(),
        line.line.external_id.to_string(),
        text(line.organization.as_ref()),
        line.line.psa_id.to_string(),
        text(line.company.as_ref().map(|(id, _)| id)),
        text(line.company.as_ref().map(|(_, name)| name)),
        text(line.record),
        if line.needs_a_person() { "yes" } else { "no" }.to_owned(),
        joined(findings.iter().map(|finding| finding.reason), " "),
        joined(findings.iter().map(|finding| &finding.sentence), "; "),
    ]
}

/// Suggestions: one line for each candidate, and one for each organization without any.
#[must_use]
pub fn map_suggestions(found: &Suggestions) -> String {
    let header = [
        "org_id",
        "organization",
        "psa_id",
        "company",
        "inactive",
        "score",
        "evidence",
        "ambiguous",
        "doubts",
    ];
    let rows = found.suggestions.iter().flat_map(|suggestion| {
        let Suggestion { organization, name, candidates, doubts } = suggestion;
        let of = move |cells: [String; 5], ambiguous: &str, doubts: String| {
            let [psa_id, company, inactive, score, evidence] = cells;
            let ambiguous = ambiguous.to_owned();
            [
                organization.to_string(),
                name.clone(),
                psa_id,
                company,
                inactive,
                score,
                evidence,
                ambiguous,
                doubts,
            ]
        };
        let mut rows: Vec<_> = candidates
            .iter()
            .enumerate()
            .map(|(at, candidate)| {
                let inactive = if candidate.inactive { "yes" } else { "no" };
                let cells = [
                    candidate.psa_id.to_string(),
                    candidate.name.clone(),
                    inactive.to_owned(),
                    candidate.score.to_string(),
                    joined(&candidate.evidence, "; "),
                ];
                let ambiguous = if doubts.is_empty() { "no" } else { "yes" };
                of(cells, ambiguous, if at == 0 { joined(doubts, "; ") } else { String::new() })
            })
            .collect();
        if rows.is_empty() {
            rows.push(of(std::array::from_fn(|_| String::new()), "", String::new()));
        }
        rows
    });
    table(header, rows.collect())
}

/// What the records say: new lines, confirmed ones, and what is unclear.
#[must_use]
pub fn map_recovery(recovery: &Recovery) -> String {
    let header = ["kind", "org_id", "organization", "psa_id", "company", "record_id", "reason", "sentence"];
    let none = String::new;
    let new = recovery.recovered.lines.iter().map(|line| {
        [
            "new".to_owned(),
            line.organization.to_string(),
            text(line.name.as_ref()),
            line.psa_id.to_string(),
            line.company.clone(),
            joined(&line.records, " "),
            none(),
            none(),
        ]
    });
    let confirmed = recovery.recovered.confirmed.iter().map(|line| {
        let (organization, psa_id) = (line.organization.to_string(), line.psa_id.to_string());
        ["confirmed".to_owned(), organization, none(), psa_id, none(), none(), none(), none()]
    });
    let unclear = recovery.recovered.unclear.iter().map(|unclear| {
        [
            "unclear".to_owned(),
            joined(&unclear.organizations, " "),
            none(),
            joined(unclear.records.iter().map(|of| &of.company), " "),
            none(),
            joined(unclear.records.iter().flat_map(|of| &of.records), " "),
            unclear.why.code().to_owned(),
            unclear.why.to_string(),
        ]
    });
    table(header, new.chain(confirmed).chain(unclear).collect())
}
