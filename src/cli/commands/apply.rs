//! `psasync apply`.

use std::path::Path;

use super::sync;
use crate::cli::args::{ApplyArgs, Format};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{files, printer};
use crate::domain::waiver::Rule;
use crate::plan::saved::SavedPlan;
use crate::render::json::v1;
use crate::render::text;
use crate::run::{ApplyOrder, Exit, RunError, SavedFile, apply_saved};

/// Several times the largest plan of the largest provider.
const PLAN_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Fewer characters of a digest identify nothing.
const DIGEST_CHARS_MIN: usize = 8;

pub(in crate::cli) async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    check_rules(&args.approve)?;
    let saved = read(&args.plan)?;
    check_digest(&saved, args.digest.as_deref())?;
    let ready = context.ready()?;
    let file = SavedFile { path: args.plan.display().to_string(), digest: args.digest.clone() };
    let order = ApplyOrder {
        approved: args.approve.clone(),
        invocation: ready.invocation_of_saved(file, &args.approve),
    };
    let digest = saved.digest();
    match apply_saved(&ready.services, &ready.surroundings(), saved, order).await {
        Ok(report) => sync::show(&ready, report, args.format),
        Err(RunError::PlanRefused(objections)) => {
            // The sentence on stderr names some of the records, the result all of them.
            printer::result(&match args.format {
                Format::Text => text::objections(&objections),
                Format::Json => v1::objections(&objections, digest),
            })?;
            Err(RunError::PlanRefused(objections).into())
        }
        Err(error) => Err(ready.failure(error)),
    }
}

/// What is in a plan is decided when it is made.
fn check_rules(rules: &[Rule]) -> Result<(), Failure> {
    match rules.iter().find(|rule| !rule.judges_the_plan()) {
        None => Ok(()),
        Some(rule) => Err(Failure::new(
            Exit::Usage,
            format!("`--approve {rule}`: the rule decides what is in a plan, and this plan is made"),
            format!("make a plan that passes it: psasync plan --approve {rule} --out FILE"),
        )),
    }
}

fn read(path: &Path) -> Result<SavedPlan, Failure> {
    let shown = path.display();
    let unreadable = |why: String| {
        Failure::new(
            Exit::Usage,
            format!("the plan {shown} cannot be read: {why}"),
            "`psasync plan --out FILE` makes one",
        )
    };
    let text = files::read_text(path, PLAN_BYTES_MAX).map_err(|error| unreadable(error.to_string()))?;
    SavedPlan::from_text(&text).map_err(|error| {
        let hint = "nothing was written; make a new plan with `psasync plan --out FILE` and have it reviewed";
        Failure::new(Exit::Refused, format!("the plan {shown} is not carried out; {error}"), hint)
    })
}

/// The plan must be the one that was reviewed.
fn check_digest(saved: &SavedPlan, reviewed: Option<&str>) -> Result<(), Failure> {
    let Some(reviewed) = reviewed.map(|digest| digest.trim().to_lowercase()) else { return Ok(()) };
    if reviewed.len() < DIGEST_CHARS_MIN {
        let message = format!("`--digest`: {DIGEST_CHARS_MIN} characters at least tell plans apart");
        return Err(Failure::new(Exit::Usage, message, "every rendering of a plan shows its digest"));
    }
    let digest = saved.digest().to_string();
    if digest.starts_with(&reviewed) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        format!("the plan is not carried out; its digest is {digest}, and {reviewed} was reviewed"),
        "nothing was written; apply the file that was reviewed, or review this one",
    ))
}
