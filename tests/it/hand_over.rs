//! A record that goes over to an organization which was provisioned anew.

use psasync::config::mapping_file::EditError;
use psasync::domain::field::FieldId;
use psasync::domain::finding::Reason;
use psasync::domain::ids::OrgId;
use psasync::render::text;
use psasync::run::{
    Exit, MapFile, Move, MoveOutcome, MovedRecord, PlannedMove, Report, RunError, carry_out_move, plan_move,
};
use rstest::rstest;
use serde_json::json;
use simulator::World;
use simulator::world::{MappingLine, Organization};

use crate::customers::{all_settled, record};
use crate::simulated::{Night, Told as _};

const PARTIES: Move = Move { from: OrgId(101), to: OrgId(201), still_there: false };

/// `ACME`, whose organization 101 was provisioned anew as 201, and `BETA`.
fn provisioned_anew() -> World {
    let mut world = all_settled(&["ACME", "BETA"]);
    let former = world.umbrella.organizations.remove(0);
    world.umbrella.organizations.push(Organization { id: 201, ..former });
    world.connectwise.records[0].device_identifier = Some("umbrella:101".into());
    world
}

async fn try_plan(night: &Night, parties: Move) -> Result<PlannedMove, RunError> {
    let run = night.run();
    plan_move(&run.services.umbrella, &run.services.reader, &run.surroundings(), parties).await
}

/// Carries out what was planned; `remap` is what becomes of the mapping.
async fn carry_out(
    night: &Night,
    planned: PlannedMove,
    remap: impl FnOnce() -> Result<(), EditError>,
) -> Result<MoveOutcome, RunError> {
    let run = night.run();
    carry_out_move(&run.services, &run.surroundings(), planned, remap).await
}

/// Hands the record over, and leaves the mapping to the test.
async fn hand_over(night: &Night) -> Option<Report> {
    let planned = try_plan(night, PARTIES).await.unwrap();
    carry_out(night, planned, || Ok(())).await.unwrap().report
}

/// What the command does to the mapping once the record is written.
fn remap(night: &Night) {
    night.simulation.change(|world| world.mapping[0].org_id = 201);
    night.remap();
}

#[tokio::test(start_paused = true)]
async fn only_the_organization_and_our_own_identifier_change() {
    let night = Night::of(provisioned_anew()).remembering();
    let before = night.record("ACME");
    let report = hand_over(&night).await.unwrap();
    assert_eq!(report.exit(), Exit::Done);
    let after = night.record("ACME");
    assert_eq!(night.answer("ACME", "Organization Id"), json!("201"));
    assert_eq!(after.device_identifier.as_deref(), Some("umbrella:201"));
    let changed: Vec<_> = night
        .answers_of(&after)
        .into_iter()
        .filter(|(question, answer)| night.answers_of(&before).get(question) != Some(answer))
        .map(|(question, _)| question)
        .collect();
    assert_eq!(changed, ["Last Updated", "Organization Id"]);
    let runs = night.past_runs().await;
    assert_eq!(runs[0].row.command, "map move");
    assert_eq!(runs[0].row.about.as_deref(), Some("ACME, organization 101 to 201"));
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_device_identifier_stays() {
    let mut world = provisioned_anew();
    world.connectwise.records[0].device_identifier = Some("rmm-77".into());
    let night = Night::of(world);
    hand_over(&night).await;
    assert_eq!(night.record("ACME").device_identifier.as_deref(), Some("rmm-77"));
}

#[tokio::test(start_paused = true)]
async fn a_plan_to_hand_over_sends_nothing_but_get() {
    let night = Night::of(provisioned_anew());
    let planned = try_plan(&night, PARTIES).await.unwrap();
    assert!(planned.changes_mapping && planned.plan().is_some());
    assert!(
        night
            .sent()
            .iter()
            .all(|request| request.method() == "GET" || request.uri().path().contains("token"))
    );
}

#[tokio::test(start_paused = true)]
async fn between_the_record_and_the_mapping_a_night_creates_nothing_and_the_same_command_goes_on() {
    let night = Night::of(provisioned_anew()).remembering();
    hand_over(&night).await;
    let report = night.sync().await;
    assert_eq!(report.reasons("ACME"), [Reason::OrganizationNotFound]);
    assert_eq!(night.records("ACME").len(), 1);
    let again = try_plan(&night, PARTIES).await.unwrap();
    assert!(again.changes_mapping && matches!(again.record, MovedRecord::Done(_)), "{again:?}");
    remap(&night);
    assert!(try_plan(&night, PARTIES).await.unwrap().is_empty());
    night.sync().await;
    assert_eq!(night.records("ACME").len(), 1);
    assert_eq!(night.answer("ACME", "Seats"), json!(40));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_was_edited_first_is_as_good() {
    let night = Night::of(provisioned_anew()).remembering();
    remap(&night);
    assert_eq!(night.sync().await.reasons("ACME"), [Reason::RecordOfOtherOrganization]);
    let planned = try_plan(&night, PARTIES).await.unwrap();
    assert!(!planned.changes_mapping && planned.plan().is_some());
    hand_over(&night).await;
    assert_eq!(night.sync().await.reasons("ACME"), []);
    assert_eq!(night.records("ACME").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_record_only_the_mapping_changes() {
    let mut world = provisioned_anew();
    world.connectwise.records.remove(0);
    let night = Night::of(world).remembering();
    let plan = async || try_plan(&night, PARTIES).await.unwrap();
    let planned = plan().await;
    assert!(planned.changes_mapping && matches!(planned.record, MovedRecord::None));
    let lease = night.take_lease().await;
    let held = carry_out(&night, planned, || panic!("another run has the lease")).await.unwrap_err();
    assert_eq!(held.exit(), Exit::Leased);
    lease.release().await.unwrap();
    let outcome = carry_out(&night, plan().await, || Ok(())).await.unwrap();
    assert!(outcome.mapping_changed && outcome.report.is_none());
    assert_eq!(night.past_runs().await[0].row.command, "map move");
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_cannot_be_saved_is_told_and_kept_in_the_history() {
    let night = Night::of(provisioned_anew()).remembering();
    let planned = try_plan(&night, PARTIES).await.unwrap();
    let outcome = carry_out(&night, planned, || Err(EditError::Busy("companies.csv".into()))).await.unwrap();
    assert!(!outcome.mapping_changed && outcome.mapping_error.is_some());
    assert_eq!(night.answer("ACME", "Organization Id"), json!("201"));
    let problem = night.past_runs().await[0].row.problem.clone();
    assert_eq!(problem.as_deref(), Some("somebody else is editing companies.csv"));
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    StillThere,
    NewUnknown,
    NewMapped,
    OldUnmapped,
    Paused,
    Ended,
    NewHasRecord,
    ListPartial,
    Duplicates,
}

#[rstest]
#[case::still_there(Trouble::StillThere, "still among Umbrella's customers", Exit::Degraded)]
#[case::new_unknown(Trouble::NewUnknown, "201 is not among Umbrella's customers", Exit::Degraded)]
#[case::new_mapped(Trouble::NewMapped, "201 is mapped to `GAMMA` already", Exit::Usage)]
#[case::old_unmapped(Trouble::OldUnmapped, "no line for organization 101", Exit::Usage)]
#[case::paused(Trouble::Paused, "the line of `ACME` is paused", Exit::Usage)]
#[case::ended(Trouble::Ended, "the line of `ACME` is ended", Exit::Usage)]
#[case::new_has_record(Trouble::NewHasRecord, "record 9 names organization 201 already", Exit::Degraded)]
#[case::list_partial(Trouble::ListPartial, "may still be there", Exit::Failed)]
#[case::duplicates(Trouble::Duplicates, "could each be the one of organization 101", Exit::Degraded)]
#[tokio::test(start_paused = true)]
async fn a_hand_over_that_is_in_doubt_is_refused_and_nothing_is_written(
    #[case] trouble: Trouble,
    #[case] said: &str,
    #[case] exit: Exit,
) {
    let mut world = provisioned_anew();
    let organization = world.umbrella.organizations[0].clone();
    match trouble {
        Trouble::StillThere => world.umbrella.organizations.push(Organization { id: 101, ..organization }),
        Trouble::NewUnknown => world.umbrella.organizations.retain(|one| one.id != 201),
        Trouble::NewMapped => {
            world.mapping.push(MappingLine { org_id: 201, psa_id: "GAMMA".into(), ..MappingLine::default() })
        }
        Trouble::OldUnmapped => {
            world.mapping.remove(0);
        }
        Trouble::Paused => world.mapping[0].state = "paused".into(),
        Trouble::Ended => world.mapping[0].state = "ended".into(),
        Trouble::NewHasRecord => {
            world.connectwise.records.push(record(9, 12, &[(FieldId::OrganizationId, json!("201"))]));
        }
        Trouble::ListPartial => world.umbrella.console.customer_count = Some(9),
        Trouble::Duplicates => {
            world.connectwise.records.push(record(9, 11, &[(FieldId::OrganizationId, json!("101"))]));
        }
    }
    let night = Night::of(world);
    let refused = try_plan(&night, PARTIES).await.unwrap_err();
    assert!(refused.to_string().contains(said), "{refused}");
    assert_eq!(refused.exit(), exit);
    assert!(!refused.hint().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_is_still_there_hands_over_on_a_persons_word() {
    let mut world = provisioned_anew();
    let former = Organization { id: 101, ..world.umbrella.organizations[0].clone() };
    world.umbrella.organizations.push(former);
    let planned = try_plan(&Night::of(world), Move { still_there: true, ..PARTIES }).await.unwrap();
    assert!(planned.plan().is_some());
}

#[tokio::test(start_paused = true)]
async fn undo_does_not_hand_a_record_back_by_half() {
    let night = Night::of(provisioned_anew()).remembering();
    hand_over(&night).await;
    remap(&night);
    let planned = night.plan_undo("last", &[]).await.unwrap();
    assert!(planned.is_empty());
    let [left] = planned.left_alone.as_slice() else { panic!("{:?}", planned.left_alone) };
    assert!(left.why.contains("psasync map move 201 101"), "{}", left.why);
}

#[rstest]
#[case::nothing_accepted("")]
#[case::accepted_every_night("changed-meanwhile write-refused write-not-verified")]
#[tokio::test(start_paused = true)]
async fn a_record_that_changed_meanwhile_is_not_handed_over_and_keeps_its_line(#[case] accept: &str) {
    let mut world = provisioned_anew();
    world.mapping[0].accept = accept.into();
    let night = Night::of(world);
    let planned = try_plan(&night, PARTIES).await.unwrap();
    night.edit("ACME", "Seats", json!(99));
    let outcome = carry_out(&night, planned, || panic!("the record was not written")).await.unwrap();
    let report = outcome.report.unwrap();
    assert_eq!((report.exit(), report.reasons("ACME")), (Exit::Degraded, vec![Reason::ChangedMeanwhile]));
    assert!(!outcome.mapping_changed);
    assert_eq!(night.answer("ACME", "Organization Id"), json!("101"));
}

#[tokio::test(start_paused = true)]
async fn what_was_found_with_the_record_is_told_and_hinders_nothing() {
    let mut world = provisioned_anew();
    world.connectwise.records.push(record(9, 11, &[]));
    let night = Night::of(world);
    let planned = try_plan(&night, PARTIES).await.unwrap();
    let findings: Vec<_> = planned.plan().unwrap().lines[0].findings.iter().map(|one| one.reason).collect();
    assert_eq!(findings, [Reason::ExtraRecords]);
    assert!(text::map_move_plan(&planned, &no_file()).contains("extra-records"));
    let outcome = carry_out(&night, planned, || Ok(())).await.unwrap();
    assert!(outcome.mapping_changed && outcome.report.unwrap().lines[0].written.is_some());
}

#[tokio::test(start_paused = true)]
async fn without_a_customer_list_a_person_is_told_that_nobody_checked() {
    let night = Night::of(provisioned_anew()).set("umbrella.customers", "mapping");
    let planned = try_plan(&night, PARTIES).await.unwrap();
    let said = text::map_move_plan(&planned, &no_file());
    assert!(said.contains("nobody can say whether organization 201 exists"), "{said}");
    let checked = try_plan(&Night::of(provisioned_anew()), PARTIES).await.unwrap();
    assert!(!text::map_move_plan(&checked, &no_file()).contains("nobody can say"));
}

fn no_file() -> MapFile {
    MapFile { path: "companies.csv".into(), exists: true, lines: 2, added: None }
}
