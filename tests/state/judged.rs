//! What became of a write that nobody learnt the end of, by the record as it is now. Needs no state.

use psasync::domain::answer::Stored;
use psasync::domain::field::{FieldId, FieldMap};
use psasync::domain::ids::{CompanyId, OrgId, RecordId};
use psasync::domain::record::Record;
use psasync::store::{WriteKind, WriteRow, WriteState, judged};
use rstest::rstest;

use crate::suite::{START, answers, at, run_id};

const LONG: &str = "Büro; Depot; Lager; Werkstatt";

fn write(kind: WriteKind, new: &[(FieldId, &str)]) -> WriteRow {
    WriteRow {
        run: run_id(1),
        organization: OrgId(1_000_001),
        psa_id: "ACME".to_owned(),
        company_id: CompanyId(7),
        record: None,
        kind,
        state: WriteState::InDoubt,
        old: answers([]),
        new: new.iter().map(|(field, text)| (*field, Stored::new(text))).collect(),
        noted_at: at(START),
    }
}

fn record(says: &[(FieldId, &str)]) -> Record {
    let of_field = |field| says.iter().find(|(one, _)| *one == field).map_or("", |(_, text)| text);
    Record {
        id: RecordId(41),
        company_id: CompanyId(7),
        status_id: None,
        device_identifier: String::new(),
        created_at: None,
        updated_at: None,
        answers: FieldMap::from_fn(|field| Stored::new(of_field(field))),
        others: Vec::new(),
        has_password: false,
        defect: None,
    }
}

const DONE: WriteState = WriteState::Done;
const IN_PART: WriteState = WriteState::Unverified;
const NOT: WriteState = WriteState::NotApplied;

#[rstest]
#[case::says_it(&[(FieldId::Seats, "5")], &[(FieldId::Seats, "5")], DONE)]
#[case::says_it_as_a_decimal(&[(FieldId::Seats, "5")], &[(FieldId::Seats, "5.00")], DONE)]
#[case::says_something_else(&[(FieldId::Seats, "5")], &[(FieldId::Seats, "4")], NOT)]
#[case::says_nothing(&[(FieldId::Seats, "5")], &[], NOT)]
#[case::says_a_part(&[(FieldId::Seats, "5"), (FieldId::Package, "DNS")], &[(FieldId::Seats, "5")], IN_PART)]
#[case::says_more(&[(FieldId::Seats, "5")], &[(FieldId::Seats, "5"), (FieldId::Package, "DNS")], DONE)]
#[case::was_emptied(&[(FieldId::Package, "")], &[], DONE)]
#[case::was_to_be_emptied(&[(FieldId::Package, "")], &[(FieldId::Package, "DNS")], NOT)]
#[case::altered_outside_ascii(&[(FieldId::NetworksInactive, LONG)], &[(FieldId::NetworksInactive, "B?ro; Depot; Lager; Werkstatt")], DONE)]
#[case::cut_at_its_end(&[(FieldId::NetworksInactive, LONG)], &[(FieldId::NetworksInactive, "Büro; Depot; La")], DONE)]
#[case::cut_at_its_beginning(&[(FieldId::NetworksInactive, LONG)], &[(FieldId::NetworksInactive, "Lager; Werkstatt")], NOT)]
#[case::a_number_is_never_cut(&[(FieldId::Seats, "50")], &[(FieldId::Seats, "5")], NOT)]
#[case::a_time_stamp_alone(&[(FieldId::LastUpdated, "2026-11-10 00:04 UTC")], &[(FieldId::LastUpdated, "2026-11-10 00:04 UTC")], DONE)]
#[case::another_time_stamp(&[(FieldId::LastUpdated, "2026-11-10 00:04 UTC")], &[(FieldId::LastUpdated, "2026-11-09 00:04 UTC")], NOT)]
#[case::another_time_stamp_beside_what_it_set(
    &[(FieldId::Seats, "5"), (FieldId::LastUpdated, "2026-11-10 00:04 UTC")],
    &[(FieldId::Seats, "5"), (FieldId::LastUpdated, "2026-11-10T00:00:00Z")],
    DONE
)]
#[case::the_time_stamp_alone_of_what_it_set(
    &[(FieldId::Seats, "5"), (FieldId::LastUpdated, "2026-11-10 00:04 UTC")],
    &[(FieldId::Seats, "4"), (FieldId::LastUpdated, "2026-11-10 00:04 UTC")],
    NOT
)]
#[case::sets_nothing(&[], &[], DONE)]
fn an_update_is_done_where_the_record_says_what_it_set(
    #[case] new: &[(FieldId, &str)],
    #[case] says: &[(FieldId, &str)],
    #[case] expected: WriteState,
) {
    for kind in [WriteKind::Update, WriteKind::Touch] {
        assert_eq!(judged(&write(kind, new), Some(&record(says))), expected, "{kind:?}");
    }
}

#[rstest]
#[case::a_list_that_was_to_grow("PC-A", "PC-A; PC-B")]
#[case::a_name_outside_ascii_that_was_to_change("PC-ä", "PC-ö")]
fn what_was_there_before_is_not_taken_for_an_alteration(#[case] old: &str, #[case] new: &str) {
    let field = FieldId::AgentsInactive;
    let write = WriteRow { old: answers([(field, old)]), ..write(WriteKind::Update, &[(field, new)]) };
    assert_eq!(judged(&write, Some(&record(&[(field, old)]))), NOT);
    assert_eq!(judged(&write, Some(&record(&[(field, new)]))), DONE);
}

#[rstest]
#[case::of_the_organization("1000001", "5", DONE)]
#[case::of_the_organization_as_a_decimal("1000001.0", "5", DONE)]
#[case::edited_since("1000001", "6", IN_PART)]
#[case::of_another_organization("1000002", "5", NOT)]
#[case::of_nobody("", "5", NOT)]
#[case::unreadable("n/a", "5", NOT)]
fn a_create_is_done_where_the_record_is_the_organizations(
    #[case] organization: &str,
    #[case] seats: &str,
    #[case] expected: WriteState,
) {
    let says = record(&[(FieldId::OrganizationId, organization), (FieldId::Seats, seats)]);
    assert_eq!(judged(&write(WriteKind::Create, &[(FieldId::Seats, "5")]), Some(&says)), expected);
}

#[rstest]
#[case(WriteKind::Create)]
#[case(WriteKind::Update)]
#[case(WriteKind::Touch)]
fn without_a_record_nothing_was_applied(#[case] kind: WriteKind) {
    assert_eq!(judged(&write(kind, &[]), None), WriteState::NotApplied);
}
