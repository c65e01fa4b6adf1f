//! Guards: what keeps a surprising plan from being carried out.
//!
//! [`approve`] is the only way to an [`ApprovedPlan`], and nothing writes to ConnectWise without one.

use std::fmt;

use crate::domain::finding::{Finding, Reason, Severity};
use crate::domain::ids::PsaId;
use crate::domain::waiver::{Rule, Waiver, Waivers};

use super::{Action, LinePlan, Plan, Policy};

/// Fewer companies than this never refuse a run, whatever their share.
const REFUSING_COMPANIES_MIN: usize = 5;

/// The limits of the guards. Configuration: `[guards]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// More creates than this are all held back.
    pub creates_max: usize,
    /// Whether a group of fields is held back when its guarded number falls from above 0 to 0.
    pub hold_zero_drop: bool,
    /// Of the companies with a record: more such falls refuse the run.
    pub zeroed_percent_max: u32,
    /// Of the mapped organizations: more missing ones refuse the run.
    pub missing_orgs_percent_max: u32,
    /// Of the records that the state knows: more missing ones refuse the run.
    pub missing_records_percent_max: u32,
}

/// A plan that every guard let pass.
#[derive(Debug)]
pub struct ApprovedPlan(Plan);

impl ApprovedPlan {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.0
    }

    /// Gives the approval up, and keeps the plan.
    pub fn into_plan(self) -> Plan {
        self.0
    }
}

/// Why a run is refused as a whole, before anything is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that refuses, as `--approve` takes it.
    pub rule: Rule,
    /// The configuration key that changes the rule for good.
    pub key: &'static str,
    /// What was measured.
    pub measured: Share,
    /// The limit in percent.
    pub limit_percent: u32,
    /// What happened to those that were counted.
    pub what: &'static str,
    /// What was counted.
    pub of: &'static str,
    /// The companies.
    pub companies: Vec<PsaId>,
}

/// A part of a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub part: usize,
    /// Of how many.
    pub whole: usize,
}

impl Share {
    fn exceeds(self, percent: u32) -> bool {
        self.part >= REFUSING_COMPANIES_MIN && self.part as u64 * 100 > u64::from(percent) * self.whole as u64
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Share { part, whole } = self.measured;
        write!(
            f,
            "refused by `{}`: {} {part} of {whole} {} ({:.1} %), the limit is {} %",
            self.rule,
            self.what,
            self.of,
            part as f64 * 100.0 / whole.max(1) as f64,
            self.limit_percent
        )
    }
}

/// A plan that is not to be carried out, with every reason for it.
#[derive(Debug)]
pub struct Refused {
    /// The plan, which can still be shown.
    pub plan: Plan,
    /// One for each rule that refuses; at least one.
    pub refusals: Vec<Refusal>,
}

/// Lets the plan pass, or says why the run is refused.
///
/// # Errors
/// Every rule that refuses it, so that nobody meets the second one only after having approved the first.
pub fn approve(plan: Plan, limits: &Limits, waivers: &Waivers) -> Result<ApprovedPlan, Box<Refused>> {
    let refusals = refusals(&plan, limits, waivers);
    if refusals.is_empty() { Ok(ApprovedPlan(plan)) } else { Err(Box::new(Refused { plan, refusals })) }
}

fn refusals(plan: &Plan, limits: &Limits, waivers: &Waivers) -> Vec<Refusal> {
    let measures = [missing_organizations(plan, limits), zeroed(plan, limits), missing_records(plan, limits)];
    measures.into_iter().filter_map(|measure| measure.refusal(waivers)).collect()
}

/// What a rule counts, before a person's word is heard.
struct Measure {
    /// The refusal, if too many are left.
    refusal: Refusal,
    /// One entry for each that could be counted.
    whole: Vec<PsaId>,
}

impl Measure {
    /// Without those that a person takes out of what is counted.
    fn refusal(self, waivers: &Waivers) -> Option<Refusal> {
        let Self { mut refusal, whole } = self;
        let rule = refusal.rule;
        let is_judged = |company: &PsaId| !waivers.allow(rule, company);
        refusal.companies.retain(is_judged);
        refusal.measured = Share {
            part: refusal.companies.len(),
            whole: whole.iter().filter(|company| is_judged(company)).count(),
        };
        refusal.companies.dedup();
        refusal.measured.exceeds(refusal.limit_percent).then_some(refusal)
    }
}

fn missing_organizations(plan: &Plan, limits: &Limits) -> Measure {
    let refusal = Refusal {
        rule: Rule::MaxMissingOrgsPercent,
        key: "guards.max_missing_orgs_percent",
        measured: Share::default(),
        limit_percent: limits.missing_orgs_percent_max,
        what: "Umbrella no longer lists the organization for",
        of: "companies",
        companies: of_the_fleet(plan, is_without_organization, &plan.others.without_organization),
    };
    Measure { refusal, whole: of_the_fleet(plan, is_active, &plan.others.active) }
}

/// Whether the line of these findings names an organization that Umbrella does not have, and nobody accepts that.
pub(super) fn is_without_organization(findings: &[Finding]) -> bool {
    let is_failure = |finding: &Finding| finding.severity == Severity::Failure;
    findings.iter().any(|finding| finding.reason == Reason::OrganizationNotFound && is_failure(finding))
}

/// Whether the line of these findings is neither paused nor ended.
pub(super) fn is_active(findings: &[Finding]) -> bool {
    !findings.iter().any(|finding| matches!(finding.reason, Reason::Paused | Reason::Ended))
}

/// The companies of the plan's lines of which that is so, and those of `others`, in order: every shard names the same.
fn of_the_fleet(plan: &Plan, is_counted: fn(&[Finding]) -> bool, others: &[PsaId]) -> Vec<PsaId> {
    let mut all = companies(plan, |line| is_counted(&line.findings));
    all.extend_from_slice(others);
    all.sort_by_cached_key(|company| (company.key(), company.clone()));
    all
}

fn zeroed(plan: &Plan, limits: &Limits) -> Measure {
    let has_record = |line: &&LinePlan| line.destination.is_some() && line.action != Action::Create;
    let refusal = Refusal {
        rule: Rule::MaxZeroedPercent,
        key: "guards.max_zeroed_percent",
        measured: Share::default(),
        limit_percent: limits.zeroed_percent_max,
        what: "a guarded number fell to 0 for",
        of: "companies",
        companies: companies(plan, |line| !line.falls.is_empty()),
    };
    Measure { refusal, whole: companies(plan, has_record) }
}

fn missing_records(plan: &Plan, limits: &Limits) -> Measure {
    let refusal = Refusal {
        rule: Rule::MaxMissingRecordsPercent,
        key: "guards.max_missing_records_percent",
        measured: Share::default(),
        limit_percent: limits.missing_records_percent_max,
        what: "ConnectWise no longer lists",
        of: "records that the state knows",
        companies: plan.roll_call.missing.clone(),
    };
    Measure { refusal, whole: plan.roll_call.known.clone() }
}

/// Those of the run's waivers without which this plan would be another one, or refused.
pub(super) fn that_matter(plan: &Plan, has_records: bool, policy: &Policy<'_>) -> Waivers {
    let refused = refusals(plan, policy.limits, &Waivers::default());
    let creates = plan.lines.iter().filter(|line| line.action == Action::Create).count();
    let exceeds_creates = has_records && creates + plan.others.creates.len() > policy.limits.creates_max;
    let creates_any = |waiver: &Waiver| {
        plan.lines.iter().any(|line| line.action == Action::Create && waiver.covers(&line.line.psa_id))
    };
    let matters = |waiver: &&Waiver| match waiver.rule {
        Rule::ValueFellToZero => {
            plan.lines.iter().any(|line| !line.falls.is_empty() && waiver.covers(&line.line.psa_id))
        }
        Rule::MaxCreates => exceeds_creates && creates_any(waiver),
        Rule::RecordAtOtherCompany => creates_any(waiver),
        rule @ (Rule::MaxZeroedPercent | Rule::MaxMissingOrgsPercent | Rule::MaxMissingRecordsPercent) => {
            let counted = refused.iter().filter(|refusal| refusal.rule == rule);
            counted.flat_map(|refusal| &refusal.companies).any(|company| waiver.covers(company))
        }
    };
    policy.waivers.iter().filter(matters).cloned().collect()
}

fn companies(plan: &Plan, included: impl Fn(&&LinePlan) -> bool) -> Vec<PsaId> {
    plan.lines.iter().filter(included).map(|line| line.line.psa_id.clone()).collect()
}

/// Holds back every create when there are more than the limit, those of other shards included. Updates go on.
///
/// Not applied while no record of the type exists at all: the first run of an installation creates them all.
pub(super) fn hold_creates(plan: &mut Plan, has_records: bool, policy: &Policy<'_>) {
    let is_judged = |company: &PsaId| !policy.waivers.allow(Rule::MaxCreates, company);
    let is_counted = |line: &LinePlan| line.action == Action::Create && is_judged(&line.line.psa_id);
    let elsewhere = plan.others.creates.iter().filter(|company| is_judged(company)).count();
    let creates = plan.lines.iter().filter(|line| is_counted(line)).count() + elsewhere;
    let limit = policy.limits.creates_max;
    if creates <= limit || !has_records {
        return;
    }
    for line in plan.lines.iter_mut().filter(|line| is_counted(line)) {
        let sentence = format!("not created: {creates} new records, the limit is {limit}");
        line.findings.push(line.line.finding(Reason::MaxCreates, sentence));
        line.action = Action::Leave;
        line.fields.clear();
        line.destination = None;
    }
}
