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
        answers: FieldMap::from_fn(|field| Stored::new(of_field(field))),
        has_password: false,
    }
}

#[rstest]
#[case::says_it(&[(FieldId::Seats, "5")], &[(FieldId::Seats, "5")], true)]
#[case::says_it_as_a_decimal(&[(FieldId::Seats, "5")], &[(FieldId::Seats, "5.00")], true)]
#[case::says_something_else(&[(FieldId::Seats, "5")], &[(FieldId::Seats, "4")], false)]
#[case::says_nothing(&[(FieldId::Seats, "5")], &[], false)]
#[case::says_only_a_part(&[(FieldId::Seats, "5"), (FieldId::Package, "DNS")], &[(FieldId::Seats, "5")], false)]
#[case::says_more(&[(FieldId::Seats, "5")], &[(FieldId::Seats, "5"), (FieldId::Package, "DNS")], true)]
#[case::was_emptied(&[(FieldId::Package, "")], &[], true)]
#[case::was_to_be_emptied(&[(FieldId::Package, "")], &[(FieldId::Package, "DNS")], false)]
#[case::altered_outside_ascii(&[(FieldId::NetworksInactive, LONG)], &[(FieldId::NetworksInactive, "B?ro; Depot; Lager; Werkstatt")], true)]
#[case::cut_at_its_end(&[(FieldId::NetworksInactive, LONG)], &[(FieldId::NetworksInactive, "Büro; Depot; La")], true)]
#[case::cut_at_its_beginning(&[(FieldId::NetworksInactive, LONG)], &[(FieldId::NetworksInactive, "Lager; Werkstatt")], false)]
#[case::a_number_is_never_cut(&[(FieldId::Seats, "50")], &[(FieldId::Seats, "5")], false)]
#[case::another_time_stamp(
    &[(FieldId::LastUpdated, "2026-11-10 00:04 UTC")], &[(FieldId::LastUpdated, "2026-11-09 00:04 UTC")], false
)]
#[case::sets_nothing(&[], &[], true)]
fn an_update_is_done_where_the_record_says_what_it_set(
    #[case] new: &[(FieldId, &str)],
    #[case] says: &[(FieldId, &str)],
    #[case] is_done: bool,
) {
    let expected = if is_done { WriteState::Done } else { WriteState::NotApplied };
    for kind in [WriteKind::Update, WriteKind::Touch] {
        assert_eq!(judged(&write(kind, new), Some(&record(says))), expected, "{kind:?}");
    }
}

#[rstest]
#[case::of_the_organization("1000001", true)]
#[case::of_the_organization_as_a_decimal("1000001.0", true)]
#[case::of_another_organization("1000002", false)]
#[case::of_nobody("", false)]
#[case::unreadable("n/a", false)]
fn a_create_is_done_where_the_record_is_the_organization_s(
    #[case] organization: &str,
    #[case] is_done: bool,
) {
    let expected = if is_done { WriteState::Done } else { WriteState::NotApplied };
    let says = record(&[(FieldId::OrganizationId, organization), (FieldId::Seats, "5")]);
    assert_eq!(judged(&write(WriteKind::Create, &[(FieldId::Seats, "5")]), Some(&says)), expected);
}

#[rstest]
#[case(WriteKind::Create)]
#[case(WriteKind::Update)]
#[case(WriteKind::Touch)]
fn without_a_record_nothing_was_applied(#[case] kind: WriteKind) {
    assert_eq!(judged(&write(kind, &[]), None), WriteState::NotApplied);
}
