//! What must be true after every step of a story. Each rule is a function; what breaks it is told in its words.
//!
//! # Lies
//! Most troubles can be told from answers. An answer that is complete in form and lacks rows cannot always be; what is promised then:
//! * Umbrella's customer list: the console counts its customers. Who is missing is left alone, and nothing of a record changes.
//! * The reports on all organizations: who is missing is asked by itself, and confirms no zero.
//! * Identities, and who of them is active: where the report on all organizations counts more, another page is asked for. A page without
//!   any row ends the list, and the source of the names wins: the group may say something wrong, but no guarded number falls to 0 while the
//!   other report counts anything.
//! * Total requests: without a count there is no answer.
//! * Threats, and the three lists of the most frequent: nobody counts them a second time. Their fields may say anything, until the report
//!   is asked for again.
//! * ConnectWise's lists: what is about to be written is read again. A record that was missing from one of two readings is never made a
//!   second time, and one that says to be another organization's is never written.

mod answers;
mod requests;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use psasync::domain::finding::Bucket;
use psasync::run::Exit;
use simulator::Service;

use crate::expected::Ledger;
use crate::faults::is_lie;
use crate::night::{Ending, Kind, Night};
use crate::oracle::{Disposition, Rules, disposition, lines};

/// A step with what came before it.
pub(crate) struct Case<'s> {
    pub(crate) night: &'s Night,
    pub(crate) ledger: &'s Ledger,
    pub(crate) rules: &'s Rules,
    /// The records that psasync made, in all steps.
    pub(crate) made: &'s BTreeSet<i64>,
    /// What earlier runs were scheduled for.
    pub(crate) earlier: &'s [DateTime<Utc>],
    /// Whether the run before was killed.
    pub(crate) may_be_leased: bool,
}

impl Case<'_> {
    /// Whether a list of ConnectWise lied in this step: what rests on it is read again before it is written, but not all of it can be.
    fn connectwise_lied(&self) -> bool {
        let lied = |logged: &simulator::Logged| logged.fault.as_ref().is_some_and(is_lie);
        self.night.log.iter().any(|logged| logged.service == Service::ConnectWise && lied(logged))
    }

    fn anybody_lied(&self) -> bool {
        self.night.log.iter().any(|logged| logged.fault.as_ref().is_some_and(is_lie))
    }
}

type Rule = fn(&Case<'_>) -> Result<(), String>;

/// All rules by their names.
pub(crate) const RULES: &[(&str, Rule)] = &[
    (
        "a company never has two records that psasync made",
        answers::a_company_never_has_two_records_that_psasync_made,
    ),
    ("what is not psasync's stays as it is", answers::what_is_not_psasyncs_stays_as_it_is),
    ("every answer is what it was or what is true", answers::every_answer_is_what_it_was_or_what_is_true),
    ("no guarded number falls to zero unconfirmed", answers::no_guarded_number_falls_to_zero_unconfirmed),
    ("done means that every record is as desired", answers::done_means_that_every_record_is_as_desired),
    ("the last night makes every record right", answers::the_last_night_makes_every_record_right),
    ("late data is asked for", requests::late_data_is_asked_for),
    ("a plan only reads", requests::a_plan_only_reads),
    ("tokens stay where they belong", requests::tokens_stay_where_they_belong),
    ("no limit is exceeded", requests::no_limit_is_exceeded),
    ("nothing is ever deleted", requests::nothing_is_ever_deleted),
    ("no create without a reading since the last", requests::no_create_without_a_reading_since_the_last),
    ("the buckets add up", the_buckets_add_up),
    ("the exit fits what happened", the_exit_fits_what_happened),
    ("the second plan is empty", the_second_plan_is_empty),
    ("a night ends in time", a_night_ends_in_time),
];

/// Every mapping line is in exactly one bucket.
fn the_buckets_add_up(case: &Case<'_>) -> Result<(), String> {
    let expected = lines(case.night.before()).len();
    let (counts, count) = match &case.night.ending {
        Ending::Planned(planned) => (planned.plan.counts(), planned.plan.lines.len()),
        Ending::Ran(report) => (report.counts(), report.lines().count()),
        Ending::Killed | Ending::Failed(_) => return Ok(()),
    };
    let sum: usize = counts.values().sum();
    if sum == expected && count == expected {
        return Ok(());
    }
    Err(format!("{expected} lines of the mapping, {count} lines of the plan, {sum} in buckets: {counts:?}"))
}

/// A run that nothing disturbs ends as the world deserves it; nothing but the run before it keeps a run from its lease.
fn the_exit_fits_what_happened(case: &Case<'_>) -> Result<(), String> {
    let night = case.night;
    let Some(exit) = night.ending.exit() else { return Ok(()) };
    let is_calm = matches!(night.kind, Kind::Calm | Kind::Last | Kind::Nothing);
    let fits = match exit {
        Exit::Done | Exit::Degraded => true,
        Exit::Leased => case.may_be_leased && night.kind != Kind::Last,
        Exit::Interrupted => night.kind == Kind::Stopped,
        Exit::Failed => !is_calm,
        Exit::Denied => !is_calm && night.log.iter().any(|logged| logged.fault.is_some()),
        Exit::Refused => night.kind != Kind::Last,
        Exit::Changes | Exit::Usage | Exit::Config | Exit::Terminated => false,
    };
    let why = match &night.ending {
        Ending::Failed(error) => error.to_string(),
        Ending::Ran(report) => format!("{:?} {:?}", report.stopped, report.refusals),
        _ => String::new(),
    };
    if fits { Ok(()) } else { Err(format!("{exit:?}: {why}")) }
}

/// After the last night there is nothing left to do.
fn the_second_plan_is_empty(case: &Case<'_>) -> Result<(), String> {
    match &case.night.ending {
        Ending::Planned(planned) if case.night.kind == Kind::Nothing && !planned.plan.is_empty() => {
            let changes: Vec<_> = planned.plan.lines.iter().filter(|line| line.is_change()).collect();
            Err(format!("{:?} {changes:?}", planned.plan.setup))
        }
        _ => Ok(()),
    }
}

/// A night is over when its time is over and what was in flight has been answered.
fn a_night_ends_in_time(case: &Case<'_>) -> Result<(), String> {
    const SLACK: std::time::Duration = std::time::Duration::from_secs(1200);
    let Night { elapsed, deadline, .. } = case.night;
    if *elapsed <= *deadline + SLACK { Ok(()) } else { Err(format!("{elapsed:?} of {deadline:?}")) }
}

/// The oracle's word on every line, for a person who reads about a broken rule.
pub(crate) fn essentials(case: &Case<'_>) -> String {
    let world = case.night.before();
    let mut text = String::new();
    for line in lines(world) {
        let fate = disposition(world, &line);
        let organization = world.umbrella.organizations.iter().find(|one| one.id == line.org_id);
        let quirks = organization.map(|one| {
            let regions = (one.region.as_str(), one.absent_from_providers, one.refuses_token, one.unlisted);
            format!(
                "{} identities, {} domains, {regions:?} {:?}",
                one.identities.len(),
                one.traffic.len(),
                one.refused_reports
            )
        });
        text += &format!(
            "  {} -> {:?} {:?} {fate:?} {}\n",
            line.org_id,
            line.psa_id,
            line.state,
            quirks.unwrap_or_default()
        );
    }
    text
}

/// Where a report counts a line.
fn bucket_of(case: &Case<'_>, org_id: i64, psa_id: &str) -> Option<(Bucket, Vec<&'static str>)> {
    let Ending::Ran(report) = &case.night.ending else { return None };
    let (plan, outcome) = report.lines().find(|(plan, _)| {
        plan.line.external_id.0 == org_id.unsigned_abs() && plan.line.psa_id.as_str() == psa_id.trim()
    })?;
    let findings = plan.findings.iter().chain(&outcome.findings);
    Some((psasync::run::bucket(plan, outcome), findings.map(|finding| finding.reason.code()).collect()))
}

/// What may become of a line, judged at every moment of the step.
fn fates(case: &Case<'_>, line: &simulator::world::MappingLine) -> Vec<Disposition> {
    let worlds = case.night.moments.iter().map(|moment| &moment.world);
    let mut fates: Vec<_> = worlds.map(|world| disposition(world, line)).collect();
    fates.dedup();
    fates
}
