//! Findings: what a person should know, with the reason codes of the contract.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding matters. Only a [`Failure`](Self::Failure) degrades a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look.
    Attention,
    /// A person is needed.
    Failure,
}

impl Severity {
    /// The severity with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Info, Self::Attention, Self::Failure].into_iter().find(|severity| severity.name() == name)
    }

    /// The name in every rendering.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Attention => "attention",
            Self::Failure => "failure",
        }
    }
}

/// Where a mapping line is counted. Every line is in exactly one bucket; an earlier one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bucket {
    /// A write was refused, was not verified, or its outcome is unknown.
    Failed,
    /// Left alone.
    Skipped,
    /// A guard kept a group of fields back; the rest was written.
    Held,
    /// Something could not be read; the rest was written.
    Partial,
    /// A record was created.
    Created,
    /// A record was changed.
    Updated,
    /// The record says what it should.
    Unchanged,
    /// Not written on the operator's word: paused or ended.
    Paused,
}

impl Bucket {
    /// All buckets in the order in which summaries name them.
    pub const ALL: [Self; 8] = [
        Self::Unchanged,
        Self::Updated,
        Self::Created,
        Self::Held,
        Self::Partial,
        Self::Skipped,
        Self::Failed,
        Self::Paused,
    ];

    /// The bucket with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.name() == name)
    }

    /// The name in every summary.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Held => "held",
            Self::Partial => "partial",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Paused => "paused",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $code:literal $bucket:expr, $severity:ident, $remedy:literal;)*) => {
        /// A reason code. Codes appear literally in text and JSON, and never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All reasons in the order of the contract's table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it is printed.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The bucket into which it puts a mapping line, if it puts it into one.
            #[must_use]
            pub fn bucket(self) -> Option<Bucket> {
                match self { $(Self::$name => $bucket),* }
            }

            /// How much it matters where the mapping does not accept it.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),* }
            }

            /// What a person can do about it. Empty where nothing needs doing.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),* }
            }
        }
    };
}

const FAILED: Option<Bucket> = Some(Bucket::Failed);
const SKIPPED: Option<Bucket> = Some(Bucket::Skipped);
const HELD: Option<Bucket> = Some(Bucket::Held);
const PARTIAL: Option<Bucket> = Some(Bucket::Partial);

reasons! {
    /// ConnectWise refused the write.
    WriteRefused "write-refused" FAILED, Failure, "where ConnectWise refused it, correct the record or the role there; what was not sent is written when the command runs again";
    /// The answers in the response differ from what was sent.
    WriteNotVerified "write-not-verified" FAILED, Failure, "open the record in ConnectWise and compare it with the plan; the next run tries again";
    /// The outcome of a create is unknown and the record was not found afterwards.
    CreateInDoubt "create-in-doubt" FAILED, Failure, "nothing to do: the next run looks for the record before it decides";
    /// New records need a status, and none is flagged as default.
    NoDefaultStatus "no-default-status" FAILED, Failure, "flag a configuration status as default in ConnectWise, or set `record.status`";
    /// No company has this identifier.
    CompanyNotFound "company-not-found" SKIPPED, Failure, "correct the psa_id in the mapping, or create the company in ConnectWise";
    /// Several companies have this identifier.
    CompanyAmbiguous "company-ambiguous" SKIPPED, Failure, "give each company an identifier of its own in ConnectWise";
    /// Several organizations are mapped to this company.
    CompanyMappedTwice "company-mapped-twice" SKIPPED, Failure, "keep one line for this company in the mapping";
    /// The organization is mapped to several companies.
    OrganizationMappedTwice "organization-mapped-twice" SKIPPED, Failure, "keep one line for this organization in the mapping";
    /// The organization is not in Umbrella's complete customer list.
    OrganizationNotFound "organization-not-found" SKIPPED, Failure, "correct the org_id in the mapping, or set the line's state to `ended`";
    /// The organization is not in Umbrella's customer list, which was read in part.
    OrganizationUnknown "organization-unknown" SKIPPED, Failure, "run again when Umbrella's customer list can be read completely";
    /// The company's record belongs to another organization.
    RecordOfOtherOrganization "record-of-other-organization" SKIPPED, Failure, "check the mapping and the record's \"Organization Id\" in ConnectWise";
    /// The organization's record belongs to another company.
    RecordAtOtherCompany "record-at-other-company" SKIPPED, Failure, "move the record in ConnectWise, or approve a new one with `--approve record-at-other-company`";
    /// The company has several records that could be the organization's.
    DuplicateRecords "duplicate-records" SKIPPED, Failure, "keep one record in ConnectWise, or give the others a closed status";
    /// The type has a question of type Password, whose answer would be destroyed by writing it back.
    PasswordQuestion "password-question" SKIPPED, Failure, "move the password out of this configuration type, or set `record.type_name` to another type";
    /// The record comes in a shape that does not tell what it says.
    RecordUnreadable "record-unreadable" SKIPPED, Failure, "open the record in ConnectWise and save it; if it stays, look for a newer version of psasync";
    /// The record was changed by somebody between the plan and the write.
    ChangedMeanwhile "changed-meanwhile" SKIPPED, Failure, "nothing to do: the next run reads the record again";
    /// More records would be created than `guards.max_creates` allows.
    MaxCreates "max-creates" SKIPPED, Failure, "check that these companies are new, then run once with `--approve max-creates` or raise `guards.max_creates`";
    /// A guarded number fell from above 0 to 0.
    ValueFellToZero "value-fell-to-zero" HELD, Failure, "check the customer in Umbrella; if the 0 is right, run once with `--approve value-fell-to-zero`";
    /// A report failed, was refused, or came in part.
    ReportUnread "report-unread" PARTIAL, Failure, "run again; if it stays, check the key's scopes and the customer's package in Umbrella";
    /// Two reports contradict each other about whether anything is active.
    SourcesDisagree "sources-disagree" PARTIAL, Failure, "run again later: Umbrella's reports have not settled";
    /// The run's deadline came before this could be read.
    NotReadInTime "not-read-in-time" PARTIAL, Failure, "raise `http.run_deadline_min`, or give psasync an Umbrella key of its own";
    /// A question is almost, but not quite, the field's.
    QuestionNearMatch "question-near-match" PARTIAL, Failure, "rename the question in ConnectWise, or create the field's own with `psasync bootstrap --create-near-match`";
    /// Several active questions have the field's text.
    QuestionAmbiguous "question-ambiguous" PARTIAL, Failure, "make all but one of these questions inactive in ConnectWise";
    /// The question's type has no form for the field's answer.
    QuestionTypeUnfit "question-type-unfit" PARTIAL, Failure, "rename the question in ConnectWise, so that one of the right type can be created";
    /// A question is missing, and the run is none that creates one.
    QuestionMissing "question-missing" PARTIAL, Failure, "let the nightly run create the question, or `psasync bootstrap`; then run again";
    /// The company has more records than the one that is kept up to date.
    ExtraRecords "extra-records" None, Attention, "remove the others in ConnectWise, or give them a closed status";
    /// The record that was updated has a closed status.
    RecordInactive "record-inactive" None, Attention, "give the record an open status in ConnectWise, or set the line's state to `ended`";
    /// The company's status is inactive.
    CompanyInactive "company-inactive" None, Attention, "set the line's state to `paused` or `ended` if the customer left";
    /// No source names the package.
    PackageUnknown "package-unknown" None, Attention, "name the package in the mapping's `package` column";
    /// No source says how many seats there are.
    SeatsUnknown "seats-unknown" None, Attention, "state the seats in the mapping's `seats` column";
    /// ConnectWise stored an answer with other characters, or cut at its end.
    AnswerAltered "answer-altered" None, Attention, "where answers are cut, lower `record.max_answer_chars`; other characters need nothing";
    /// A guarded number fell to 0, and a second source confirms it.
    ZeroConfirmed "zero-confirmed" None, Attention, "";
    /// Umbrella gave a threat category another id: its field keeps its old answer.
    CategoryMoved "category-moved" None, Attention, "look for a newer version of psasync: Umbrella has renumbered a threat category";
    /// The server is newer than the pinned API version.
    ApiVersionBehind "api-version-behind" None, Attention, "test with a newer `connectwise.api_version`; ConnectWise drops a model 12 months after its successor";
    /// An optional right is missing: what depends on it is left out.
    RightMissing "right-missing" None, Attention, "give the API member's role this right, or ignore the finding";
    /// The type requires an answer to a question of somebody else, and the record has none.
    RequiredQuestion "required-question" None, Attention, "answer the question in ConnectWise, or make it optional";
    /// Another integration writes this record, too.
    ForeignWriter "foreign-writer" None, Attention, "switch the other integration off: docs/cut-over.md says how";
    /// An organization of Umbrella that the mapping does not name.
    Unmapped "unmapped" None, Info, "add a line with its org_id to the mapping";
    /// An administrator made a question inactive: its field is left out.
    QuestionInactive "question-inactive" None, Info, "";
    /// The mapping says that the company is paused.
    Paused "paused" Some(Bucket::Paused), Info, "";
    /// The mapping says that the company has ended.
    Ended "ended" Some(Bucket::Paused), Info, "";
    /// There is no record whose window could be rewritten.
    NoRecord "no-record" None, Info, "";
}

impl Reason {
    /// The reason with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Finding {
    /// The reason code.
    pub reason: Reason,
    /// How much it matters here; a code that the mapping accepts is no failure.
    pub severity: Severity,
    /// What it is about: a PSA ID, an organization, a question.
    pub subject: String,
    /// What happened.
    pub sentence: String,
}

impl Finding {
    /// A finding with the severity of its reason.
    #[must_use]
    pub fn new(reason: Reason, subject: impl fmt::Display, sentence: impl Into<String>) -> Self {
        Self { reason, severity: reason.severity(), subject: subject.to_string(), sentence: sentence.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_to_its_reason() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
    }

    #[test]
    fn a_reason_degrades_exactly_when_it_fills_a_bucket_that_needs_a_person() {
        for reason in Reason::ALL {
            let needs_a_person = matches!(
                reason.bucket(),
                Some(Bucket::Failed | Bucket::Skipped | Bucket::Held | Bucket::Partial)
            );
            assert_eq!(reason.severity() == Severity::Failure, needs_a_person, "{reason}");
            assert!(!needs_a_person || !reason.remedy().is_empty(), "{reason} has no remedy");
        }
    }
}
