//! What somebody who was not there is told of a run: outcome, numbers, companies by PSA ID, reasons by their codes.
//!
//! # What never gets into a notice
//! * Answers, names of organizations, and what lists contain.
//! * What is wrong with a configuration or a mapping, which may repeat names of customers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::ended::{EndedRun, Trouble};
use super::exit::Exit;
use super::report::Report;
use crate::config::Event;
use crate::domain::finding::{Reason, Severity};
use crate::domain::ids::{PsaId, RunId};
use crate::domain::shard::Shard;
use crate::domain::work::Work;
use crate::plan::Counts;
use crate::plan::guard::Refusal;
use crate::store::Outcome;

/// Something to be told.
#[derive(Clone, Debug)]
pub enum Notice {
    /// How a run ended.
    Run(Box<RunNotice>),
    /// Nothing: a person tries whether notices arrive.
    Test {
        /// The login company at its host.
        tenant: String,
        /// When.
        at: DateTime<Utc>,
    },
}

/// How a run ended, for who was not there.
#[derive(Clone, Debug)]
pub struct RunNotice {
    /// Why it is told.
    pub event: Event,
    /// How its command ended.
    pub exit: Exit,
    /// The login company at its host.
    pub tenant: String,
    /// What it was for.
    pub work: Work,
    /// Which shard of the mapping it was about; `None` for all of it.
    pub shard: Option<Shard>,
    /// The instant that it was for.
    pub scheduled: DateTime<Utc>,
    /// Its id; `None` for one that could not begin.
    pub run: Option<RunId>,
    /// How the last run before it ended that did the same, as far as the state knows.
    pub before: Option<Outcome>,
    /// Mapping lines by bucket: as planned where it was refused, empty where there was no plan.
    pub counts: Counts,
    /// Whom a person has to look at, in the order of the mapping.
    pub companies: Vec<TroubledCompany>,
    /// Why it was refused as a whole, if it was.
    pub refusals: Vec<Refusal>,
    /// The command that lets a run pass these rules once, if it was.
    pub approve_with: Option<String>,
    /// The command that lets the next nightly run pass them, if it was a nightly run.
    pub approve_next_with: Option<String>,
    /// Why it was not carried out to its end, or not at all.
    pub trouble: Option<Trouble>,
}

/// A company that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TroubledCompany {
    /// Its PSA ID.
    pub psa_id: PsaId,
    /// Why, each once.
    pub reasons: Vec<Reason>,
}

impl RunNotice {
    /// What is told of a run that is over; `None` where nobody has to be told.
    ///
    /// Whoever stops a run with SIGINT, or names companies on the command line, sees what becomes of it.
    #[must_use]
    pub fn of(ended: &EndedRun<'_>) -> Option<Self> {
        let event = event(ended)?;
        let report = ended.done.ok();
        let refusals = report.map(|report| report.refusals.clone()).unwrap_or_default();
        let invocation = report.map(|report| &report.invocation).filter(|_| !refusals.is_empty());
        Some(Self {
            event,
            exit: ended.exit,
            tenant: ended.tenant.clone(),
            work: ended.work,
            shard: ended.scope.shard(),
            scheduled: ended.scheduled,
            run: Some(ended.run),
            before: ended.before,
            counts: report.map(Report::counts).unwrap_or_default(),
            companies: report.map(troubled).unwrap_or_default(),
            approve_with: invocation.map(|invocation| invocation.approving(ended.work, &refusals)),
            approve_next_with: invocation
                .and_then(|invocation| invocation.approving_next(ended.work, &refusals)),
            trouble: ended.trouble().filter(|_| refusals.is_empty()),
            refusals,
        })
    }

    /// What is told of a nightly run that could not begin, because the configuration or the mapping is not valid.
    ///
    /// What is wrong with them may repeat names of customers, and is not told.
    #[must_use]
    pub fn not_begun(tenant: String, scheduled: DateTime<Utc>) -> Self {
        let trouble = Trouble {
            message: "the run could not begin: the configuration or the mapping is not valid any more"
                .to_owned(),
            hint: "`psasync config check` lists what is wrong, and where".to_owned(),
        };
        Self {
            event: Event::Failed,
            exit: Exit::Config,
            tenant,
            work: Work::Night,
            shard: None,
            scheduled,
            run: None,
            before: None,
            counts: Counts::new(),
            companies: Vec::new(),
            refusals: Vec::new(),
            approve_with: None,
            approve_next_with: None,
            trouble: Some(trouble),
        }
    }
}

fn event(ended: &EndedRun<'_>) -> Option<Event> {
    match ended.exit {
        _ if !ended.is_watched() => None,
        Exit::Interrupted => None,
        Exit::Done | Exit::Changes => ended.is_recovery().then_some(Event::Recovered),
        Exit::Degraded => Some(Event::Degraded),
        Exit::Refused => Some(Event::Refused),
        Exit::Failed | Exit::Leased | Exit::Usage | Exit::Denied | Exit::Config | Exit::Terminated => {
            Some(Event::Failed)
        }
    }
}

/// A company that is mapped twice is there once, with the reasons of all its lines.
fn troubled(report: &Report) -> Vec<TroubledCompany> {
    let mut companies: Vec<TroubledCompany> = Vec::new();
    let mut places = BTreeMap::new();
    for (plan, outcome) in report.lines() {
        let findings = plan.findings.iter().chain(&outcome.findings);
        let mut failures = findings.filter(|finding| finding.severity == Severity::Failure).peekable();
        if failures.peek().is_none() {
            continue;
        }
        let psa_id = &plan.line.psa_id;
        let place = *places.entry(psa_id.key()).or_insert_with(|| {
            companies.push(TroubledCompany { psa_id: psa_id.clone(), reasons: Vec::new() });
            companies.len() - 1
        });
        let reasons = &mut companies[place].reasons;
        reasons.extend(failures.map(|finding| finding.reason));
        reasons.sort_unstable();
        reasons.dedup();
    }
    companies
}

/// What became of a notice at one notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// As the settings name it.
    pub notifier: &'static str,
    /// Why it did not arrive, if it did not.
    pub trouble: Option<Trouble>,
}
