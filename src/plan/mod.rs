//! Decides what has to change.
//!
//! [`plan`] compares what Umbrella says with what ConnectWise has, and returns a [`Plan`]. It reads no clock, no network and no disk:
//! the same input always gives the same plan, in the same order, with the same digest.
//!
//! # What a plan never contains
//! * A change derived from a partial read: such a field is [kept](Desired::Keep).
//! * A change to a record of another organization: [`resolve`](crate::resolve) gives no target for it.
//! * An answer to a question that is not among the 16.

mod digest;
mod foreign;
pub mod guard;
pub mod hand_over;
mod line;
mod probe;
pub mod saved;
pub mod undo;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::answer::{Alteration, Answer, Stored};
use crate::domain::field::{FieldId, FieldMap, Group};
use crate::domain::finding::{Bucket, Finding, Reason};
use crate::domain::ids::{CompanyId, PsaId, RecordId, StatusId};
use crate::domain::mapping::MappingLine;
use crate::domain::question::{QuestionMap, QuestionMatch};
use crate::domain::record::{KnownRecord, LastMark};
use crate::domain::waiver::Waivers;
use crate::domain::window::Window;
use crate::domain::work::Work;
use crate::resolve::ResolvedLine;
use crate::translate::Desired;

pub use digest::PlanDigest;
pub use foreign::RECENT;
pub use line::{falls, is_said, left_out};
pub use probe::probe;

/// A change to the configuration type itself. Comes before all records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupChange {
    /// Create the configuration type.
    CreateType {
        /// Its name.
        name: String,
    },
    /// Create the question of a field.
    CreateQuestion(FieldId),
}

impl SetupChange {
    /// The field whose question is created.
    #[must_use]
    pub fn field(&self) -> Option<FieldId> {
        match self {
            Self::CreateType { .. } => None,
            Self::CreateQuestion(field) => Some(*field),
        }
    }
}

/// What happens to a company's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is created.
    Create,
    /// Some of its answers change.
    Update(RecordId),
    /// Nothing of it changes but Last Updated.
    Touch(RecordId),
    /// Nothing is written.
    Leave,
}

/// A field that will say something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The field.
    pub field: FieldId,
    /// What it says now.
    pub old: Stored,
    /// What it will say.
    pub new: Answer,
}

/// Where a write goes, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The company that owns the record.
    pub company_id: CompanyId,
    /// What the 16 fields said when the plan was made; all empty for a record that does not exist.
    pub expected: FieldMap<Stored>,
    /// Whether the record's `deviceIdentifier` gets ours: it is empty, or, in a hand-over, ours of the former organization.
    pub sets_device_identifier: bool,
    /// What the "Last Month" fields cover.
    pub window: Option<Window>,
}

/// What the plan says about one mapping line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePlan {
    /// The line, with the company and the organization.
    pub line: MappingLine,
    /// What happens to the record.
    pub action: Action,
    /// Where it happens; `None` exactly when the company was left alone before its record was looked at.
    pub destination: Option<Destination>,
    /// The fields that change, in order. Last Updated is never among them.
    pub fields: Vec<FieldChange>,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// Groups whose guarded number fell from above 0 to 0, whatever became of them.
    pub falls: Vec<Group>,
}

impl LinePlan {
    /// Where the line is counted if everything is written as planned.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        bucket_of(&self.findings).unwrap_or(match self.action {
            Action::Create => Bucket::Created,
            Action::Update(_) => Bucket::Updated,
            Action::Touch(_) | Action::Leave => Bucket::Unchanged,
        })
    }

    /// Whether the line changes something else than Last Updated.
    #[must_use]
    pub fn is_change(&self) -> bool {
        matches!(self.action, Action::Create | Action::Update(_))
    }
}

/// The first bucket that findings put a line into, if any does.
#[must_use]
pub fn bucket_of(findings: &[Finding]) -> Option<Bucket> {
    findings.iter().filter_map(|finding| finding.reason.bucket()).min()
}

/// How many requests carrying out the plan takes, when nothing fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Types and questions to create.
    pub setup_writes: usize,
    /// Records to create, to update and to stamp.
    pub record_writes: usize,
    /// Reads of records just before their writes, and of the first record that is created.
    pub reads: usize,
}

/// Changes in a stable order, with everything that was left out and why.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The instant the plan is for.
    pub scheduled: DateTime<Utc>,
    /// What it is for.
    pub work: Work,
    /// Changes to the configuration type.
    pub setup: Vec<SetupChange>,
    /// One entry per mapping line of the scope.
    pub lines: Vec<LinePlan>,
    /// What is not about one mapping line: organizations without mapping, questions left out, and the like.
    pub findings: Vec<Finding>,
    /// What new records get besides their answers.
    pub new_records: NewRecords,
    /// Rules that it may pass, as far as they matter to it.
    pub waivers: Waivers,
    /// Which of the records that the state knows ConnectWise still lists.
    pub roll_call: RollCall,
    /// Where the scope is a shard, what the lines of the others come to.
    pub others: OtherShards,
}

/// What new records get besides their answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecords {
    /// Their name. Configuration: `record.name`.
    pub name: String,
    /// Their status; none is created without it.
    pub status: Option<StatusId>,
}

/// Calls the records that the state knows, to see which of them ConnectWise still lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollCall {
    /// The company of each of them, once for each of its records.
    pub known: Vec<PsaId>,
    /// The company of each that is missing, in order.
    pub missing: Vec<PsaId>,
}

impl RollCall {
    /// Calls those that are `known` against those that are `listed`.
    #[must_use]
    pub fn new<'k>(known: impl Iterator<Item = &'k KnownRecord>, listed: &BTreeSet<RecordId>) -> Self {
        let mut roll_call = Self::default();
        for known in known {
            roll_call.known.push(known.psa_id.clone());
            if !listed.contains(&known.record) {
                roll_call.missing.push(known.psa_id.clone());
            }
        }
        roll_call.missing.sort_by_cached_key(|psa_id| (psa_id.key(), psa_id.clone()));
        roll_call
    }
}

/// What the lines of other shards come to, as far as a guard judges the whole mapping. Each list is in the order of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherShards {
    /// The companies whose lines are active.
    pub active: Vec<PsaId>,
    /// Those whose organization is not among Umbrella's customers.
    pub without_organization: Vec<PsaId>,
    /// Those that get a new record.
    pub creates: Vec<PsaId>,
}

impl OtherShards {
    /// Those of resolved lines. `creates` says whether the run may create records at all.
    #[must_use]
    pub fn new(lines: &[ResolvedLine], creates: bool) -> Self {
        let those = |is_counted: &dyn Fn(&ResolvedLine) -> bool| {
            lines.iter().filter(|line| is_counted(line)).map(|line| line.line.psa_id.clone()).collect()
        };
        let is_new = |line: &ResolvedLine| line.target.as_ref().is_some_and(|target| target.record.is_none());
        Self {
            active: those(&|line| guard::is_active(&line.findings)),
            without_organization: those(&|line| guard::is_without_organization(&line.findings)),
            creates: those(&|line| creates && is_new(line)),
        }
    }
}

/// How many lines are in each bucket. The counts add up to the number of lines.
pub type Counts = BTreeMap<Bucket, usize>;

impl Plan {
    /// A plan of records alone: nothing is set up, nothing is new, and nothing is let pass.
    fn of_lines(scheduled: DateTime<Utc>, work: Work, lines: Vec<LinePlan>) -> Self {
        Self {
            scheduled,
            work,
            setup: Vec::new(),
            lines,
            findings: Vec::new(),
            new_records: NewRecords::default(),
            waivers: Waivers::default(),
            roll_call: RollCall::default(),
            others: OtherShards::default(),
        }
    }

    /// Whether carrying it out would change anything but Last Updated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.setup.is_empty() && !self.lines.iter().any(LinePlan::is_change)
    }

    /// How many lines are in each bucket.
    #[must_use]
    pub fn counts(&self) -> Counts {
        count(self.lines.iter().map(LinePlan::bucket))
    }

    /// What identifies the changes: equal for two plans that would do the same.
    #[must_use]
    pub fn digest(&self) -> PlanDigest {
        PlanDigest::of(self)
    }

    /// How many requests carrying it out takes.
    #[must_use]
    pub fn forecast(&self) -> Forecast {
        let record_writes = self.lines.iter().filter(|line| line.action != Action::Leave).count();
        let creates = self.lines.iter().any(|line| line.action == Action::Create);
        Forecast {
            setup_writes: self.setup.len(),
            record_writes,
            reads: record_writes.div_ceil(crate::plan::REREAD_BATCH) + usize::from(creates),
        }
    }
}

/// How many companies' records are read again in one request before they are written.
pub const REREAD_BATCH: usize = 100;

/// Counts every bucket, those without lines included.
pub fn count(buckets: impl Iterator<Item = Bucket>) -> Counts {
    let mut counts: Counts = Bucket::ALL.into_iter().map(|bucket| (bucket, 0)).collect();
    for bucket in buckets {
        *counts.entry(bucket).or_default() += 1;
    }
    counts
}

/// A resolved line with what was learnt about its organization.
#[derive(Debug)]
pub struct Informed {
    /// The line, with its target if it has one.
    pub line: ResolvedLine,
    /// What the record should say; `None` exactly when there is no target.
    pub desired: Option<FieldMap<Desired>>,
    /// What the second source says about each group of [`falls`].
    pub second_sources: BTreeMap<Group, SecondSource>,
    /// What ConnectWise is known to have stored otherwise than it was sent.
    pub altered: Vec<Alteration>,
    /// What psasync's last write left in the record, as far as the state knows.
    pub mark: Option<LastMark>,
}

impl Informed {
    /// A line that is left alone.
    #[must_use]
    pub fn left_alone(line: ResolvedLine) -> Self {
        Self { line, desired: None, second_sources: BTreeMap::new(), altered: Vec::new(), mark: None }
    }
}

/// What a second source says about a guarded number that fell to 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondSource {
    /// It is complete, and says 0 as well.
    Confirms,
    /// It contradicts, could not be read, or there is none.
    DoesNot {
        /// What it says, for a person.
        sentence: String,
    },
}

/// The state of the configuration type.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The name that the type has or gets.
    pub type_name: &'a str,
    /// Whether the type exists.
    pub type_exists: bool,
    /// What stands for each field among its questions.
    pub questions: &'a QuestionMap,
    /// What new records get.
    pub new_records: NewRecords,
    /// Whether any record of the type exists at all, besides those of this installation's other shards.
    pub has_records: bool,
}

/// What decides besides the data.
#[derive(Debug)]
pub struct Policy<'a> {
    /// What the run is for.
    pub work: Work,
    /// Limits and guards.
    pub limits: &'a guard::Limits,
    /// Rules that this run may pass.
    pub waivers: &'a Waivers,
    /// Whether a record that says what it should still gets a new Last Updated. Configuration: `record.touch`.
    pub touch_unchanged: bool,
}

/// What is not about a line of the scope.
#[derive(Debug, Default)]
pub struct FleetWide {
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// Which of the records that the state knows ConnectWise still lists.
    pub roll_call: RollCall,
    /// Where the scope is a shard, what the lines of the others come to.
    pub others: OtherShards,
}

/// Compares desired with actual, line by line.
pub fn plan(
    scheduled: DateTime<Utc>,
    setup: &Setup<'_>,
    lines: Vec<Informed>,
    fleet_wide: FleetWide,
    policy: &Policy<'_>,
) -> Plan {
    let FleetWide { findings, roll_call, others } = fleet_wide;
    let lines =
        lines.into_iter().map(|informed| line::plan_line(informed, scheduled, setup, policy)).collect();
    let changes = if policy.work.creates() { setup_changes(setup) } else { Vec::new() };
    let mut plan = Plan {
        scheduled,
        work: policy.work,
        setup: changes,
        lines,
        findings,
        new_records: setup.new_records.clone(),
        waivers: Waivers::default(),
        roll_call,
        others,
    };
    plan.waivers = guard::that_matter(&plan, setup.has_records, policy);
    if setup.type_exists || policy.work.creates() {
        plan.findings.extend(inactive_questions(setup.questions, policy.work));
    } else {
        plan.findings.push(no_type(setup.type_name));
    }
    guard::hold_creates(&mut plan, setup.has_records, policy);
    plan
}

/// What has to be created before records can be written.
#[must_use]
pub fn setup_changes(setup: &Setup<'_>) -> Vec<SetupChange> {
    let create_type =
        (!setup.type_exists).then(|| SetupChange::CreateType { name: setup.type_name.to_owned() });
    let missing = setup.questions.iter().filter(|(_, question)| **question == QuestionMatch::Missing);
    create_type.into_iter().chain(missing.map(|(field, _)| SetupChange::CreateQuestion(field))).collect()
}

/// Why there is no record at all, where nothing is created.
fn no_type(name: &str) -> Finding {
    let sentence =
        "ConnectWise has no configuration type of this name, and so no records; a nightly run creates both";
    Finding::new(Reason::NoRecord, name, sentence)
}

fn inactive_questions(questions: &QuestionMap, work: Work) -> impl Iterator<Item = Finding> {
    let inactive = questions.iter().filter(|(_, question)| **question == QuestionMatch::Inactive);
    inactive.filter(move |(field, _)| work.covers(*field)).map(|(field, _)| {
        Finding::new(
            Reason::QuestionInactive,
            field,
            format!("the question \"{field}\" is inactive in ConnectWise; its field is left out"),
        )
    })
}
