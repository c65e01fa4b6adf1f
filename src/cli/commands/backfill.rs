//! `psasync backfill`.

use chrono::{DateTime, Utc};

use super::plan::Showing;
use super::sync;
use crate::cli::args::{BackfillArgs, Format};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::told::Told;
use crate::domain::window::{Window, WindowRefused};
use crate::domain::work::Work;
use crate::render::{json, text};
use crate::run::{Exit, FillJob, Job, fill_history, plan_fill};

pub(in crate::cli) async fn run(context: &Context, args: &BackfillArgs) -> Result<Told, Failure> {
    let wanted = Wanted::of(args)?;
    let ready = context.ready()?.measured_in(&args.metrics);
    let job = ready.job(&context.placed(&args.scope)?, ready.clock.now())?;
    if args.history_only {
        let months = wanted.months(&ready, job.scheduled)?;
        return history(&ready, &FillJob { scheduled: job.scheduled, scope: job.scope, months }, args).await;
    }
    let window = wanted.window(&ready, job.scheduled)?;
    let job = Job { work: Work::Backfill(window), ..job };
    if args.dry_run {
        let showing = Showing { out: args.out.as_deref(), ..Showing::of(args.format) };
        return showing.told(&ready, &job).await;
    }
    sync::night(&ready, &job, args.format).await
}

/// Fills the state, and says what it came to.
async fn history(ready: &Ready, job: &FillJob, args: &BackfillArgs) -> Result<Told, Failure> {
    let (umbrella, surroundings) = (&ready.services.umbrella, ready.surroundings());
    let done = if args.dry_run {
        plan_fill(umbrella, &surroundings, job).await
    } else {
        fill_history(umbrella, &surroundings, job).await
    };
    let history = done.map_err(|error| ready.failure(error))?;
    let exit = ready.exit(history.exit(), history.was_stopped);
    let result = match args.format {
        Format::Text => text::filled(&history),
        Format::Json => json::v1::filled(&history, exit),
    };
    let complaint = history.was_stopped.then(|| {
        Failure::new(
            exit,
            "the run was stopped",
            "what was read is kept; the same command asks only for the rest",
        )
    });
    Ok(Told { complaint, ..Told::of(result, exit) })
}

/// The windows that the command line names.
enum Wanted {
    /// At least one, in order.
    Months(Vec<Window>),
    Last30Days,
}

impl Wanted {
    fn of(args: &BackfillArgs) -> Result<Self, Failure> {
        if args.last_30_days != args.month.is_empty() {
            return Err(usage(
                "a backfill needs `--month` or `--last-30-days`, and not both",
                "for example: psasync backfill --month 2026-05 --dry-run",
            ));
        }
        if args.history_only && args.last_30_days {
            return Err(usage(
                "the history is kept by month",
                "name months, such as --month 2026-01..2026-06",
            ));
        }
        if args.history_only && !args.scope.approve.is_empty() {
            return Err(usage(
                "`--approve`: with `--history-only` no guard asks for it",
                "approve a run that writes to ConnectWise",
            ));
        }
        if args.last_30_days {
            return Ok(Self::Last30Days);
        }
        let mut months = Vec::new();
        for text in &args.month {
            let named = Window::months(text).ok_or_else(|| {
                usage(
                    format!("`--month`: `{text}` is no month"),
                    "a month is written like 2026-05, several like 2026-01..2026-06",
                )
            })?;
            months.extend(named);
        }
        months.sort_unstable();
        months.dedup();
        Ok(Self::Months(months))
    }

    /// The one window that records can say something about.
    fn window(self, ready: &Ready, scheduled: DateTime<Utc>) -> Result<Window, Failure> {
        let window = match self {
            Self::Last30Days => Window::last_30_days(scheduled),
            Self::Months(months) => match months[..] {
                [month] => month,
                _ => {
                    return Err(usage(
                        format!("`--month`: {} months, and a record has room for one", months.len()),
                        "name one month; with `--history-only` several are read and kept",
                    ));
                }
            },
        };
        checked(window, ready, scheduled)
    }

    /// All months.
    fn months(self, ready: &Ready, scheduled: DateTime<Utc>) -> Result<Vec<Window>, Failure> {
        let months = match self {
            Self::Last30Days => Vec::new(),
            Self::Months(months) => months,
        };
        months.into_iter().map(|month| checked(month, ready, scheduled)).collect()
    }
}

/// The window, provided that Umbrella can answer for the whole of it.
fn checked(window: Window, ready: &Ready, scheduled: DateTime<Utc>) -> Result<Window, Failure> {
    match window.check(scheduled, ready.clock.now()) {
        Ok(()) => Ok(window),
        Err(refused @ WindowRefused::NotOver { .. }) => {
            Err(usage(refused.to_string(), "a month can be read once it is over"))
        }
        Err(refused @ WindowRefused::Gone { .. }) => {
            Err(usage(refused.to_string(), "take a month of which every day is kept"))
        }
    }
}

fn usage(message: impl AsRef<str>, hint: &str) -> Failure {
    Failure::new(Exit::Usage, message, hint)
}
