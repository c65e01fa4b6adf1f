//! What the state remembers of the runs so far. It is opened to read only.

use chrono::{DateTime, Utc};

use super::check::{Check, counted};
use crate::config::{Config, StatePath};
use crate::domain::ids::RunId;
use crate::run::exit::Exit;
use crate::run::freshness::{Freshness, freshness_in};
use crate::run::surroundings::state_reader;
use crate::store::{Holder, RunRow, StateError, StateReader};

const STATE: &str = "state";
const LEASE: &str = "lease";
const LAST: &str = "last-success";
const UNSETTLED: &str = "unsettled-writes";
const APPROVALS: &str = "approvals";
/// What is looked at in a state that can be read.
const REST: [&str; 4] = [LEASE, LAST, UNSETTLED, APPROVALS];

/// Looks at the state. `run` is the id that this one would have.
pub(super) async fn check(config: &Config, run: RunId, now: DateTime<Utc>) -> Vec<Check> {
    match state_reader(config).await {
        Ok(Some(state)) => match read(&state, config, run, now).await {
            Ok(checks) => std::iter::once(Check::pass(STATE, format!("{} can be read", place(config))))
                .chain(checks)
                .collect(),
            Err(error) => unusable(&error),
        },
        Ok(None) => {
            std::iter::once(none(config)).chain(Check::not_made(&REST, "there is no state")).collect()
        }
        Err(error) => unusable(&error),
    }
}

fn unusable(error: &StateError) -> Vec<Check> {
    let unusable = Check::fail(STATE, Exit::Failed, error.to_string(), error.hint());
    std::iter::once(unusable).chain(Check::not_made(&REST, "the state cannot be used")).collect()
}

/// Where it is, without the credentials of a database.
fn place(config: &Config) -> String {
    match (&config.state.url, &config.state.path) {
        (Some(_), _) => "the database of `state.url`".to_owned(),
        (None, StatePath::Memory) => "`:memory:`".to_owned(),
        (None, StatePath::File(path)) => path.display().to_string(),
    }
}

fn none(config: &Config) -> Check {
    let place = place(config);
    if config.state.url.is_none() && config.state.path == StatePath::Memory {
        return Check::warn(
            STATE,
            format!("the state is {place}: it ends with each run"),
            "name a file in `state.path`, or every night asks Umbrella for the whole month again, and there is no history",
        );
    }
    Check::pass(
        STATE,
        format!(
            "{place} has no state of this version yet: the next run that writes makes it, or brings an older one up to date"
        ),
    )
}

async fn read(
    state: &StateReader,
    config: &Config,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<Vec<Check>, StateError> {
    let unsettled = state.unsettled_writes(run).await?.len();
    let approvals = state.approvals(now).await?;
    let settled = if unsettled == 0 {
        Check::pass(UNSETTLED, "the end of every write is known")
    } else {
        Check::warn(
            UNSETTLED,
            format!("the end of {} of earlier runs is not known", counted(unsettled, "write")),
            "nothing to do: the next run reads these records and settles them",
        )
    };
    let waiting: Vec<_> = approvals
        .iter()
        .map(|waiver| match &waiver.company {
            Some(company) => format!("`{}` at {company}", waiver.rule.name()),
            None => format!("`{}`", waiver.rule.name()),
        })
        .collect();
    let approvals = if waiting.is_empty() {
        Check::pass(APPROVALS, "no approval waits for the next nightly run")
    } else {
        Check::warn(
            APPROVALS,
            format!("the next nightly run may pass {}", waiting.join(", ")),
            "`psasync approve RULE --withdraw` takes an approval back",
        )
    };
    Ok(vec![
        lease(&state.holders().await?, now),
        last_success(&freshness_in(Some(state), config, now).await?, state.runs(1).await?.first()),
        settled,
        approvals,
    ])
}

fn lease(holders: &[Holder], now: DateTime<Utc>) -> Check {
    let told = |holder: &Holder| {
        let ago = (now - holder.renewed_at).num_seconds();
        format!("run {} has the lease `{}`, renewed {ago} s ago", holder.run, holder.name)
    };
    let live: Vec<_> = holders.iter().filter(|holder| holder.is_live(now)).map(told).collect();
    match holders.first() {
        _ if !live.is_empty() => Check::pass(LEASE, live.join("; ")),
        Some(lapsed) => Check::warn(
            LEASE,
            format!("{}: it did not give it back", told(lapsed)),
            "nothing to do: the next run takes the lease over, and settles what that one left open",
        ),
        None => Check::pass(LEASE, "no run has a lease"),
    }
}

/// A nightly run that came to its end, degraded or not; `latest` is the latest of all runs.
fn last_success(found: &Freshness, latest: Option<&RunRow>) -> Check {
    let (Some(run), Some(age)) = (&found.last_success, found.age()) else {
        let problem = latest.and_then(|run| run.problem.as_deref());
        let problem = problem.map(|problem| format!("; the latest run said: {problem}")).unwrap_or_default();
        return Check::warn(
            LAST,
            format!("no `sync` has come to its end yet{problem}"),
            "`psasync plan` shows what the first one would do",
        );
    };
    let outcome = run.outcome.as_deref().unwrap_or_default();
    let sentence = format!(
        "the last `sync` that came to its end was `{outcome}`, {} h ago, at {}",
        age.num_hours(),
        (found.now - age).format("%Y-%m-%d %H:%M UTC")
    );
    if found.is_stale() {
        return Check::warn(
            LAST,
            sentence,
            "see why it does not run: `psasync history`, and the log of cron or of `serve`",
        );
    }
    Check::pass(LAST, sentence)
}
