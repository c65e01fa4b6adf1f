use psasync::domain::finding::{Bucket, Finding, Reason, Severity};
use psasync::domain::ids::{OrgId, PsaId};
use psasync::store::{Found, FoundLine, KeptFinding, NewLine};

use super::at;
use crate::Home;

const FIRST: &str = "2026-11-10T00:00:00Z";
const SECOND: &str = "2026-11-11T00:00:00Z";

fn line(organization: u64, psa_id: &str, bucket: Bucket, findings: Vec<Finding>) -> NewLine {
    NewLine { organization: OrgId(organization), psa_id: PsaId::new(psa_id).unwrap(), bucket, findings }
}

fn found(when: &str, lines: Vec<NewLine>) -> Found {
    Found { at: at(when), lines, gone: Vec::new(), general: Vec::new(), general_gone: Vec::new() }
}

fn state_of(line: &NewLine, looked_at: &str, up_to_date_at: Option<&str>) -> FoundLine {
    let findings = line.findings.iter().map(|finding| kept(finding, line.psa_id.as_str()));
    FoundLine {
        organization: line.organization,
        psa_id: line.psa_id.clone(),
        bucket: line.bucket,
        looked_at: at(looked_at),
        up_to_date_at: up_to_date_at.map(at),
        findings: findings.collect(),
    }
}

fn kept(finding: &Finding, subject: &str) -> KeptFinding {
    KeptFinding {
        code: finding.reason.code().to_owned(),
        severity: finding.severity,
        subject: subject.to_owned(),
        sentence: finding.sentence.clone(),
    }
}

fn unmapped(organization: u64, name: &str) -> Finding {
    Finding::new(Reason::Unmapped, organization, format!("{name:?} has no company in the mapping"))
}

#[tokio::test(start_paused = true)]
async fn what_was_found_comes_back_as_it_was_by_company() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    let accepted = Finding {
        severity: Severity::Attention,
        ..Finding::new(Reason::ReportUnread, "x", "„it’s\" 100 %")
    };
    let zero = Finding::new(Reason::ValueFellToZero, "ZOË & Co", "<b>Seats</b> fell to 0");
    let zoe = line(1, "ZOË & Co", Bucket::Held, vec![zero, accepted]);
    let acme = line(2, "ACME", Bucket::Unchanged, Vec::new());
    state.keep_found(found(FIRST, vec![zoe.clone(), acme.clone()])).await.unwrap();
    let expected = [state_of(&acme, FIRST, Some(FIRST)), state_of(&zoe, FIRST, None)];
    assert_eq!(state.reader().found_lines().await.unwrap(), expected);
    assert_eq!(other.reader().found_lines().await.unwrap(), [], "another tenant has none of it");
}

#[tokio::test(start_paused = true)]
async fn a_record_is_as_old_as_the_last_run_that_made_all_of_it_right() {
    let home = Home::new();
    let state = home.open().await;
    for bucket in Bucket::ALL {
        let before = line(1, "ACME", Bucket::Updated, Vec::new());
        state.keep_found(found(FIRST, vec![before])).await.unwrap();
        let after = line(1, "Acme", bucket, Vec::new());
        state.keep_found(found(SECOND, vec![after.clone()])).await.unwrap();
        let is_right = matches!(bucket, Bucket::Unchanged | Bucket::Updated | Bucket::Created);
        let expected = state_of(&after, SECOND, Some(if is_right { SECOND } else { FIRST }));
        assert_eq!(state.reader().found_lines().await.unwrap(), [expected], "{}", bucket.name());
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_replaces_what_is_known_of_its_lines_and_of_no_others() {
    let home = Home::new();
    let state = home.open().await;
    let missing = |psa_id: &str| Finding::new(Reason::CompanyNotFound, psa_id, "not there");
    let lines = ["ACME", "BETA", "GAMMA"].into_iter().zip(1..);
    let lines = lines.map(|(psa_id, id)| line(id, psa_id, Bucket::Skipped, vec![missing(psa_id)])).collect();
    state
        .keep_found(Found {
            general: vec![unmapped(7, "Seven"), unmapped(8, "Eight")],
            ..found(FIRST, lines)
        })
        .await
        .unwrap();
    let next = Found {
        gone: vec![(OrgId(3), "gamma".to_owned())],
        general: vec![unmapped(8, "Acht")],
        general_gone: vec![("unmapped".to_owned(), "7".to_owned())],
        ..found(SECOND, vec![line(1, "ACME", Bucket::Created, Vec::new())])
    };
    state.keep_found(next).await.unwrap();
    let left = [
        state_of(&line(1, "ACME", Bucket::Created, Vec::new()), SECOND, Some(SECOND)),
        state_of(&line(2, "BETA", Bucket::Skipped, vec![missing("BETA")]), FIRST, None),
    ];
    assert_eq!(state.reader().found_lines().await.unwrap(), left);
    assert_eq!(state.reader().general_findings().await.unwrap(), [kept(&unmapped(8, "Acht"), "8")]);
}

#[tokio::test(start_paused = true)]
async fn one_organization_on_two_lines_is_two_lines() {
    let home = Home::new();
    let state = home.open().await;
    let twice = |psa_id| {
        line(1, psa_id, Bucket::Skipped, vec![Finding::new(Reason::OrganizationMappedTwice, psa_id, psa_id)])
    };
    state.keep_found(found(FIRST, vec![twice("ACME"), twice("BETA")])).await.unwrap();
    let expected = [state_of(&twice("ACME"), FIRST, None), state_of(&twice("BETA"), FIRST, None)];
    assert_eq!(state.reader().found_lines().await.unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn findings_about_something_else_no_longer_name_a_company_that_was_forgotten() {
    let home = Home::new();
    let state = home.open().await;
    let about =
        |psa_id: &str, sentence: &str| vec![Finding::new(Reason::CompanyMappedTwice, psa_id, sentence)];
    let lines = vec![
        line(101, "ACME", Bucket::Skipped, about("ACME", "organization 101 is one of 2 mapped to `ACME`")),
        line(102, "BETA", Bucket::Skipped, about("BETA", "as `Acme` does")),
        line(103, "GAMMA", Bucket::Skipped, about("GAMMA", "its record says 101")),
        line(104, "DELTA", Bucket::Skipped, about("DELTA", "record 1011 of ACMEX")),
    ];
    let general = vec![unmapped(101, "Acme Ltd"), unmapped(105, "Epsilon")];
    state.keep_found(Found { general, ..found(FIRST, lines) }).await.unwrap();
    let organizations = state.reader().organizations_of("acme").await.unwrap();
    assert_eq!(organizations, [OrgId(101)]);
    state.forget("acme", organizations).await.unwrap();
    let left = state.reader().found_lines().await.unwrap();
    let sentences: Vec<_> =
        left.iter().map(|line| (line.psa_id.as_str(), line.findings[0].sentence.as_str())).collect();
    let forgotten = "it named a company that was forgotten since";
    assert_eq!(sentences, [("BETA", forgotten), ("DELTA", "record 1011 of ACMEX"), ("GAMMA", forgotten)]);
    let general = state.reader().general_findings().await.unwrap();
    assert_eq!(general, [kept(&unmapped(105, "Epsilon"), "105")]);
}
