//! `psasync plan`.

use std::path::Path;

use crate::cli::args::{Format, PlanArgs, PlanFormat};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::files;
use crate::cli::told::Told;
use crate::domain::work::Work;
use crate::plan::guard::Refusal;
use crate::render::markdown::{self, Detail};
use crate::render::{json, text};
use crate::run::{Exit, Invocation, Job, Planned, SavedFile, plan, saved_plan};

pub(in crate::cli) async fn run(context: &Context, args: &PlanArgs) -> Result<Told, Failure> {
    if args.full && args.format != PlanFormat::Markdown {
        let message = "`--full`: only `--format markdown` leaves anything out";
        return Err(Failure::new(Exit::Usage, message, "leave it out, or add `--format markdown`"));
    }
    let ready = context.ready()?;
    let job = ready.job(&context.placed(&args.scope)?, ready.clock.now())?;
    let showing = Showing {
        format: args.format,
        detail: if args.full { Detail::Full } else { Detail::Counts },
        out: args.out.as_deref(),
        detailed_exit_code: args.detailed_exitcode,
    };
    showing.told(&ready, &job).await
}

/// What happens to a plan that is not carried out.
pub(super) struct Showing<'a> {
    pub(super) format: PlanFormat,
    pub(super) detail: Detail,
    /// Where it is saved.
    pub(super) out: Option<&'a Path>,
    pub(super) detailed_exit_code: bool,
}

impl Showing<'_> {
    pub(super) fn of(format: Format) -> Self {
        Self { format: format.into(), detail: Detail::Counts, out: None, detailed_exit_code: false }
    }

    /// Makes a plan, saves and renders it, and says how the command ends.
    pub(super) async fn told(&self, ready: &Ready, job: &Job) -> Result<Told, Failure> {
        if self.out.is_some() && job.scope.shard().is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "`--out`: the plan of a shard is not saved: what its guards judge is not in it",
                "save the plan of the whole mapping, or of some companies with `--company`",
            ));
        }
        self.out.map_or(Ok(()), files::check_target)?;
        let mut planned = make(ready, job).await?;
        if let Some(path) = self.out {
            let saved = saved_plan(&ready.config, &planned, ready.clock.now());
            files::write_private(path, &saved.to_text())?;
            let path = path.display().to_string();
            // What it was let pass is in the plan.
            planned.invocation.approved.retain(|rule| {
                rule.judges_the_plan() && !planned.plan.waivers.iter().any(|waiver| waiver.rule == *rule)
            });
            planned.invocation.saved_plan = Some(SavedFile { path, digest: None });
        }
        let exit = planned.exit(self.detailed_exit_code);
        let result = match self.format {
            PlanFormat::Text => text::plan(&planned),
            PlanFormat::Json => json::v1::plan(&planned, exit),
            PlanFormat::Markdown => markdown::plan(&planned, self.detail),
        };
        let Planned { refusals, invocation, .. } = &planned;
        let complaint = (!refusals.is_empty()).then(|| refused(job.work, refusals, invocation));
        let note = self.out.map(|_| {
            let command = invocation.approving(job.work, refusals);
            format!("saved; to carry out exactly this plan within 24 hours: {command}")
        });
        Ok(Told { complaint, note, ..Told::of(result, exit) })
    }
}

/// What a person reads where nothing but stderr is kept.
pub(super) fn refused(work: Work, refusals: &[Refusal], invocation: &Invocation) -> Failure {
    let sentences: Vec<_> = refusals.iter().map(text::refusal).collect();
    let mut hint = format!(
        "look at these companies; to let a run pass once: `{}`",
        invocation.approving(work, refusals)
    );
    if let Some(next) = invocation.approving_next(work, refusals) {
        hint += &format!(", or for the next nightly run: `{next}`");
    }
    Failure::several(Exit::Refused, &sentences, hint)
}

/// Makes a plan. The writing half of the ConnectWise client stays out of it.
pub(super) async fn make(ready: &Ready, job: &Job) -> Result<Planned, Failure> {
    let services = &ready.services;
    let planned = plan(&services.umbrella, &services.reader, &ready.surroundings(), job).await;
    planned.map_err(|error| ready.failure(error))
}
