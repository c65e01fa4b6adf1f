//! `psasync apply`.

use std::convert::Infallible;

use super::sync;
use crate::cli::args::{ApplyArgs, Format};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{files, printer};
use crate::domain::text::system_words;
use crate::domain::waiver::Rule;
use crate::plan::saved::{SavedPlan, SavedPlanError};
use crate::render::json::v1;
use crate::render::text;
use crate::run::{ApplyOrder, Exit, RunError, SavedFile, apply_saved};

/// Several times the largest plan of the largest provider.
const PLAN_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Fewer characters of a digest identify nothing.
const DIGEST_CHARS_MIN: usize = 8;

pub(in crate::cli) async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    check_rules(&args.approve)?;
    let saved = read(context, args).await?;
    check_digest(&saved, args)?;
    let ready = context.ready()?;
    let file = SavedFile { path: args.plan.display().to_string(), digest: args.digest.clone() };
    let order = ApplyOrder {
        approved: args.approve.clone(),
        invocation: ready.invocation_of_saved(file, &args.approve),
    };
    let digest = saved.digest();
    match apply_saved(&ready.services, &ready.surroundings(), saved, order).await {
        Ok(report) => sync::told(&ready, &report, args.format).print(),
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

async fn read(context: &Context, args: &ApplyArgs) -> Result<SavedPlan, Failure> {
    let shown = args.plan.display();
    let Some(read) = files::read(&args.plan, PLAN_BYTES_MAX, &context.signals.stop).await else {
        let exit = context.signals.exit().unwrap_or(Exit::Failed);
        return Err(Failure::new(exit, "stopped before the plan was read", "nothing was written"));
    };
    let bytes = read.map_err(|error| {
        let message = format!("the plan {shown} cannot be read: {}", system_words(&error.to_string()));
        Failure::new(Exit::Usage, message, "`psasync plan --out FILE` makes one")
    })?;
    let unreadable = |_| SavedPlanError::Unreadable("it is no text in UTF-8".to_owned());
    let saved = String::from_utf8(bytes).map_err(unreadable).and_then(|text| SavedPlan::from_text(&text));
    saved.or_else(|error| {
        refuse(args.format, error.code(), &format!("the plan {shown} is not carried out; {error}"))
            .map(|never| match never {})
    })
}

/// The plan must be the one that was reviewed.
fn check_digest(saved: &SavedPlan, args: &ApplyArgs) -> Result<(), Failure> {
    let Some(reviewed) = args.digest.as_ref().map(|digest| digest.trim().to_lowercase()) else {
        return Ok(());
    };
    if reviewed.len() < DIGEST_CHARS_MIN {
        let message = format!("`--digest`: {DIGEST_CHARS_MIN} characters at least tell plans apart");
        return Err(Failure::new(
            Exit::Usage,
            message,
            "copy more of the digest, which every rendering of the plan shows",
        ));
    }
    let digest = saved.digest().to_string();
    if digest.starts_with(&reviewed) {
        return Ok(());
    }
    let message = format!("the plan is not carried out; its digest is {digest}, and {reviewed} was reviewed");
    refuse(args.format, "other-digest", &message).map(|never| match never {})
}

/// Says that the file is none that may be carried out.
fn refuse(format: Format, code: &'static str, message: &str) -> Result<Infallible, Failure> {
    if format == Format::Json {
        printer::result(&v1::refused_file(code, message))?;
    }
    let hint = "nothing was written; make a new plan with `psasync plan --out FILE`, and have it reviewed";
    Err(Failure::new(Exit::Refused, message, hint))
}
