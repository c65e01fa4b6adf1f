//! Questions of the type that carry none of the 16 fields: those that require an answer.

use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::run::Exit;
use serde_json::{Value, json};
use simulator::World;
use simulator::world::Question;

use crate::customers::{all_settled, with_customers};
use crate::reasons::assert_attention;
use crate::simulated::{Night, Told as _, edit};

/// With a question that somebody else requires.
fn requiring(mut world: World, text: &str) -> World {
    let question = Question { id: 4900, question: text.into(), required: true, ..Question::default() };
    world.connectwise.types[0].questions.push(question);
    world
}

/// ConnectWise lets a required question stay without an answer, or refuses the write.
#[tokio::test(start_paused = true)]
async fn required_question_is_named_before_a_write_and_stops_none() {
    for is_no_obstacle in [true, false] {
        let mut world = requiring(all_settled(&["ACME", "BETA"]), "Contract owner");
        world.connectwise.required_answers_unchecked = is_no_obstacle;
        let night = Night::of(world);
        edit(&night.simulation, 2, "Contract owner", json!("Ann"));
        let planned = night.plan().await;
        let finding = planned.finding("ACME", Reason::RequiredQuestion);
        insta::allow_duplicates! {
            insta::assert_snapshot!(finding.sentence, @r#"the required question "Contract owner" has no answer: ConnectWise may refuse to write the record"#);
        }
        assert_eq!((planned.bucket("ACME"), planned.exit(false)), (Bucket::Updated, Exit::Done));
        assert_eq!(planned.reasons("BETA"), []);
        let shown = format!("{planned:?}");
        assert!(!shown.contains("Ann"), "an answer of somebody else is in the plan");
        let report = night.sync().await;
        if is_no_obstacle {
            assert_attention(&report, Reason::RequiredQuestion);
        } else {
            assert_eq!(report.reasons("ACME"), [Reason::RequiredQuestion, Reason::WriteRefused]);
        }
        assert_eq!(
            (report.bucket("BETA"), night.answer("BETA", "Contract owner")),
            (Bucket::Updated, json!("Ann"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn required_question_of_the_type_is_named_for_each_new_record() {
    for is_no_obstacle in [true, false] {
        let mut world = requiring(with_customers(&["ACME", "BETA"]), "Contract\nowner");
        world.connectwise.required_answers_unchecked = is_no_obstacle;
        let night = Night::of(world);
        let planned = night.plan().await;
        let finding = planned.finding("ACME", Reason::RequiredQuestion);
        insta::allow_duplicates! {
            insta::assert_snapshot!(finding.sentence, @r#"the type requires an answer to "Contract owner", which a new record cannot give: ConnectWise will probably refuse to create it"#);
        }
        assert_eq!(planned.finding("BETA", Reason::RequiredQuestion).sentence, finding.sentence);
        let report = night.sync().await;
        let bucket = if is_no_obstacle { Bucket::Created } else { Bucket::Failed };
        assert_eq!(report.bucket("ACME"), bucket, "a create is tried all the same");
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_answered_inactive_optional_or_ours_requires_nothing() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 4] = [
        ("answered", |world| {
            let answer = simulator::world::Answer { id: 0, question: 4900, value: json!("Ann") };
            world.connectwise.records[0].answers.push(answer);
        }),
        ("inactive", |world| world.connectwise.types[0].questions[16].inactive = true),
        ("optional", |world| world.connectwise.types[0].questions[16].required = false),
        ("ours", |world| {
            let questions = &mut world.connectwise.types[0].questions;
            questions.truncate(16);
            questions.iter_mut().for_each(|question| question.required = true);
        }),
    ];
    for (what, change) in changes {
        let mut world = requiring(all_settled(&["ACME"]), "Owner");
        change(&mut world);
        let night = Night::of(world);
        assert_eq!(night.plan().await.reasons("ACME"), [], "{what}");
        assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_required_question_that_nearly_is_ours_is_named_as_well() {
    let mut world = all_settled(&["ACME"]);
    let seats = &mut world.connectwise.types[0].questions[2];
    assert_eq!(seats.question, FieldId::Seats.question());
    seats.question = "Seats:".into();
    seats.required = true;
    let night = Night::of(world);
    edit(&night.simulation, 1, "Seats:", Value::Null);
    assert_eq!(night.plan().await.reasons("ACME"), [Reason::RequiredQuestion, Reason::QuestionNearMatch]);
}
