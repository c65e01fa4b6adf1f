use std::collections::BTreeMap;

use psasync::domain::answer::{Alteration, Stored};
use psasync::domain::field::FieldId;
use psasync::domain::ids::{CompanyId, OrgId, PsaId, RecordId};
use psasync::domain::record::LastMark;
use psasync::store::{Journal, Note, Settlement, WriteKind, WriteRow, WriteState};
use rstest::rstest;

use super::{START, answers, at, begun, clock, note, noted, noted_as, run_id};
use crate::Home;

fn settled(state: WriteState, record: Option<u64>) -> Settlement {
    Settlement { state, record: record.map(RecordId), altered: Vec::new() }
}

fn alteration(field: FieldId, sent: &str, stored: &str) -> Alteration {
    Alteration { field, sent: Stored::new(sent), stored: Stored::new(stored) }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_noted_before_and_settled_after() {
    let home = Home::new();
    let state = home.open().await;
    let lease = begun(&state, 1).await;
    let journal = Journal::new(&lease, clock());
    journal.note(&Note { kind: WriteKind::Create, ..note(1) }).await.unwrap();
    let written = async || state.reader().writes_of_run(run_id(1)).await.unwrap().remove(0);
    let sending = written().await;
    assert_eq!((sending.state, sending.record), (WriteState::Sending, None));
    let end = settled(WriteState::Done, Some(99));
    journal.settle(OrgId(1), WriteKind::Create, &end).await.unwrap();
    let expected = WriteRow { state: WriteState::Done, record: Some(RecordId(99)), ..sending };
    assert_eq!(written().await, expected);
}

#[rstest]
#[case::refused(WriteState::Refused)]
#[case::in_doubt(WriteState::InDoubt)]
#[case::not_sent(WriteState::NotSent)]
#[case::unverified(WriteState::Unverified)]
#[case::not_applied(WriteState::NotApplied)]
#[tokio::test(start_paused = true)]
async fn an_end_that_names_no_record_leaves_the_record_as_it_was(#[case] end: WriteState) {
    let home = Home::new();
    let state = home.open().await;
    let lease = begun(&state, 1).await;
    let journal = Journal::new(&lease, clock());
    journal.note(&Note { record: Some(RecordId(41)), ..note(1) }).await.unwrap();
    journal.note(&note(2)).await.unwrap();
    for organization in [1, 2] {
        journal.settle(OrgId(organization), WriteKind::Update, &settled(end, None)).await.unwrap();
    }
    let writes = state.reader().writes_of_run(run_id(1)).await.unwrap();
    let told: Vec<_> = writes.iter().map(|write| (write.state, write.record)).collect();
    assert_eq!(told, [(end, Some(RecordId(41))), (end, None)]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_noted_again_is_one_write() {
    let home = Home::new();
    let state = home.open().await;
    let lease = begun(&state, 1).await;
    let journal = Journal::new(&lease, clock());
    journal.note(&note(1)).await.unwrap();
    journal.settle(OrgId(1), WriteKind::Update, &settled(WriteState::Refused, Some(41))).await.unwrap();
    let again = Note { record: Some(RecordId(42)), new: answers([(FieldId::Seats, "6")]), ..note(1) };
    journal.note(&again).await.unwrap();
    journal.note(&Note { kind: WriteKind::Touch, ..note(1) }).await.unwrap();
    journal.note(&note(2)).await.unwrap();
    let writes = state.reader().writes_of_run(run_id(1)).await.unwrap();
    let told: Vec<_> = writes.iter().map(|write| (write.organization.0, write.kind, write.state)).collect();
    let expected = [(1, WriteKind::Touch), (1, WriteKind::Update), (2, WriteKind::Update)];
    assert_eq!(told, expected.map(|(organization, kind)| (organization, kind, WriteState::Sending)));
    assert_eq!((writes[1].record, &writes[1].new), (Some(RecordId(42)), &again.new));
}

#[tokio::test(start_paused = true)]
async fn what_a_write_says_comes_back_exactly() {
    let home = Home::new();
    let state = home.open().await;
    let lease = begun(&state, 1).await;
    let odd = [
        (FieldId::Package, ""),
        (FieldId::Seats, "0"),
        (FieldId::NetworksInactive, "Büro 本社 😀; O'Neill \"HQ\"; a\\b; {}; NULL; \u{e9} e\u{301}"),
        (FieldId::TopDomains, "None"),
    ];
    let written = Note {
        organization: OrgId(u64::MAX),
        psa_id: PsaId::new("Ünïté „1“ & 'Co'").unwrap(),
        company_id: CompanyId(u64::from(u32::MAX) + 1),
        record: Some(RecordId(u64::MAX)),
        kind: WriteKind::Create,
        old: answers(odd),
        new: answers(odd.map(|(field, text)| (field, if text.is_empty() { "x" } else { "" }))),
    };
    Journal::new(&lease, clock()).note(&written).await.unwrap();
    let expected = WriteRow {
        run: run_id(1),
        organization: written.organization,
        psa_id: written.psa_id.as_str().to_owned(),
        company_id: written.company_id,
        record: written.record,
        kind: WriteKind::Create,
        state: WriteState::Sending,
        old: written.old,
        new: written.new,
        noted_at: at(START),
    };
    assert_eq!(state.reader().writes_of_run(run_id(1)).await.unwrap(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn changes_of_a_write_leave_out_what_stayed_and_last_updated() {
    let home = Home::new();
    let state = home.open().await;
    let lease = begun(&state, 1).await;
    let old = answers([(FieldId::Seats, "4"), (FieldId::NetworksTotal, "1"), (FieldId::LastUpdated, "then")]);
    let mut new =
        answers([(FieldId::Seats, "5"), (FieldId::NetworksTotal, "1"), (FieldId::LastUpdated, "now")]);
    new.insert(FieldId::Package, Stored::new("Essentials"));
    Journal::new(&lease, clock()).note(&Note { old, new, ..note(1) }).await.unwrap();
    let writes = state.reader().writes_of_run(run_id(1)).await.unwrap();
    let changes: Vec<_> =
        writes[0].changes().map(|(field, old, new)| (field, old.text(), new.text())).collect();
    let expected = [(FieldId::Package, None, Some("Essentials")), (FieldId::Seats, Some("4"), Some("5"))];
    assert_eq!(changes, expected);
}

#[tokio::test(start_paused = true)]
async fn only_writes_of_other_runs_wait_to_be_settled() {
    let home = Home::new();
    let state = home.open().await;
    for organization in 1..=4 {
        noted(&state, u8::try_from(organization).unwrap(), "2026-11-09T00:00:00Z", &note(organization)).await;
    }
    let settle = async |run: u8, end| {
        let end = settled(end, None);
        state.settle(run_id(run), OrgId(u64::from(run)), WriteKind::Update, &end).await.unwrap();
    };
    settle(2, WriteState::Done).await;
    settle(3, WriteState::InDoubt).await;
    let unsettled = state.reader().unsettled_writes(run_id(4)).await.unwrap();
    let told: Vec<_> = unsettled.iter().map(|write| (write.run, write.state)).collect();
    assert_eq!(told, [(run_id(1), WriteState::Sending), (run_id(3), WriteState::InDoubt)]);
}

#[rstest]
#[case::as_mapped("ACME Süd")]
#[case::other_case("acme SÜD")]
#[case::white_space("  Acme   süd ")]
#[tokio::test(start_paused = true)]
async fn the_writes_of_a_company_are_found_however_its_psa_id_is_spelt(#[case] asked: &str) {
    let home = Home::new();
    let state = home.open().await;
    let mut expected = Vec::new();
    for (run, psa_id) in [(1, "ACME Süd"), (2, "Acme süd"), (3, "ACME Nord")] {
        let written = Note { psa_id: PsaId::new(psa_id).unwrap(), ..note(u64::from(run)) };
        noted(&state, run, &format!("2026-11-0{run}T00:00:00Z"), &written).await;
        expected.insert(0, (run_id(run), psa_id.to_owned()));
    }
    let key = PsaId::new(asked).unwrap().key();
    let writes = state.reader().writes_of_company(&key).await.unwrap();
    let told: Vec<_> = writes.into_iter().map(|write| (write.run, write.psa_id)).collect();
    assert_eq!(told, expected[1..], "the latest first");
}

#[tokio::test(start_paused = true)]
async fn altered_answers_come_back_and_are_replaced() {
    let home = Home::new();
    let state = home.open().await;
    noted(&state, 1, START, &note(1)).await;
    let first = alteration(FieldId::TopDomains, "zoë.example", "zo?.example");
    let second = alteration(FieldId::NetworksInactive, "O'Neill \"é\"", "O'Neill \"\"");
    let settle = async |record: u64, altered: &[&Alteration]| {
        let altered = altered.iter().copied().cloned().collect();
        let end = Settlement { state: WriteState::Done, record: Some(RecordId(record)), altered };
        state.settle(run_id(1), OrgId(1), WriteKind::Update, &end).await.unwrap();
    };
    settle(41, &[&first, &second]).await;
    settle(42, &[&first]).await;
    let newer = alteration(FieldId::TopDomains, "noël.example", "no");
    settle(41, &[&newer]).await;
    let mut altered = state.reader().altered_answers().await.unwrap();
    let of_record = altered.get_mut(&RecordId(41)).unwrap();
    of_record.sort_by_key(|alteration| alteration.field);
    assert_eq!(*of_record, [second, newer]);
    assert_eq!(altered[&RecordId(42)], [first]);
    assert_eq!(altered.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn tenants_have_writes_and_altered_answers_of_their_own() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    noted(&state, 1, START, &note(1)).await;
    let altered = vec![alteration(FieldId::TopDomains, "é", "?")];
    let end = Settlement { state: WriteState::InDoubt, record: Some(RecordId(41)), altered };
    state.settle(run_id(1), OrgId(1), WriteKind::Update, &end).await.unwrap();
    let reader = other.reader();
    assert_eq!(reader.writes_of_run(run_id(1)).await.unwrap(), []);
    assert_eq!(reader.writes_of_company("acme").await.unwrap(), []);
    assert_eq!(reader.unsettled_writes(run_id(2)).await.unwrap(), []);
    assert!(reader.altered_answers().await.unwrap().is_empty());
    assert_eq!(state.reader().unsettled_writes(run_id(2)).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_last_write_left_in_a_record_is_known_unless_it_may_not_have_arrived() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    let writes = [
        (1, WriteState::Done, Some("2026-11-10 00:07 UTC")),
        (2, WriteState::Refused, Some("2026-11-11 00:07 UTC")),
        (3, WriteState::NotSent, Some("2026-11-12 00:07 UTC")),
        (4, WriteState::NotApplied, Some("2026-11-13 00:07 UTC")),
        (5, WriteState::Done, Some("2026-11-14 00:07 UTC")),
        (6, WriteState::InDoubt, Some("2026-11-15 00:07 UTC")),
        (7, WriteState::Done, None),
    ];
    let stamps = writes.iter().filter_map(|(_, _, stamp)| *stamp);
    let expected = stamps.map(|stamp| {
        let at = at(&format!("{}T00:00:00Z", &stamp[..10]));
        LastMark::Left { stamp: Stored::new(stamp), at }
    });
    let stamped: Vec<_> = expected.collect();
    let (first, fifth) = (&stamped[0], &stamped[4]);
    let expected =
        [first, first, first, first, fifth, &LastMark::Unsure, &LastMark::Unsure].map(LastMark::clone);
    for ((run, end, stamp), expected) in writes.into_iter().zip(expected) {
        let mut new = answers([(FieldId::Seats, "6")]);
        new.extend(stamp.map(|stamp| (FieldId::LastUpdated, Stored::new(stamp))));
        let write = Note { record: Some(RecordId(41)), new, ..note(1) };
        noted(&state, run, &format!("2026-11-{}T00:00:00Z", 9 + run), &write).await;
        state.settle(run_id(run), OrgId(1), WriteKind::Update, &settled(end, None)).await.unwrap();
        let marks = state.reader().last_marks().await.unwrap();
        assert_eq!(marks, BTreeMap::from([(RecordId(41), expected)]), "run {run}");
        assert!(other.reader().last_marks().await.unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_sets_nothing_and_leaves_the_mark_of_the_write_before_it() {
    let home = Home::new();
    let state = home.open().await;
    let probe = Note { record: Some(RecordId(41)), kind: WriteKind::Touch, new: answers([]), ..note(1) };
    let probed = async |run, started: &str| {
        noted_as(&state, run, "probe-write", started, &probe).await;
        let end = settled(WriteState::Done, None);
        state.settle(run_id(run), OrgId(1), WriteKind::Touch, &end).await.unwrap();
        state.prune(run_id(run), at(started), 400).await.unwrap();
        state.reader().last_marks().await.unwrap().remove(&RecordId(41)).unwrap()
    };
    let mark = probed(1, "2026-11-10T06:00:00Z").await;
    assert_eq!(mark, LastMark::Probed { at: at("2026-11-10T06:00:00Z") });
    let touched_at = "2026-11-11T00:00:00Z";
    let stamp = Stored::new("2026-11-11 00:07 UTC");
    let touch = Note { new: BTreeMap::from([(FieldId::LastUpdated, stamp.clone())]), ..probe.clone() };
    noted(&state, 2, touched_at, &touch).await;
    state.settle(run_id(2), OrgId(1), WriteKind::Touch, &settled(WriteState::Done, None)).await.unwrap();
    let mark = probed(3, "2026-11-11T06:00:00Z").await;
    assert_eq!(mark, LastMark::Left { stamp, at: at(touched_at) });
}
