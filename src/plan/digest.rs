//! What identifies a plan.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{Action, LinePlan, Plan, SetupChange};

/// SHA-256 over everything that the plan would write, except Last Updated, and over what let it pass: rules that were waived, numbers that
/// fell to 0, and what was found about each company. Sentences and the scheduled time are not part of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlanDigest([u8; 32]);

impl PlanDigest {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut hasher = Hasher(Sha256::new());
        for change in &plan.setup {
            match change {
                SetupChange::CreateType { name } => hasher.row(["type", name]),
                SetupChange::CreateQuestion(field) => hasher.row(["question", field.question()]),
            }
        }
        for line in &plan.lines {
            hasher.line(line);
            if line.action == Action::Create {
                let status = plan.new_records.status.map(|status| status.to_string()).unwrap_or_default();
                hasher.row([plan.new_records.name.as_str(), &status]);
            }
        }
        for waiver in plan.waivers.iter() {
            let (rule, company) = waiver.key();
            hasher.row(["waiver", rule.name(), company.as_deref().unwrap_or_default()]);
        }
        Self(hasher.0.finalize().into())
    }
}

/// Hashes rows of texts, each behind its length, so that no two different plans feed the same bytes.
struct Hasher(Sha256);

impl Hasher {
    fn row<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        for text in texts {
            self.0.update((text.len() as u64).to_be_bytes());
            self.0.update(text);
        }
    }

    fn line(&mut self, line: &LinePlan) {
        let (action, record) = match line.action {
            Action::Create => ("create", String::new()),
            Action::Update(record) => ("update", record.to_string()),
            Action::Touch(_) | Action::Leave => ("leave", String::new()),
        };
        let organization = line.line.external_id.to_string();
        self.row([action, &record, &organization, &line.line.psa_id.key()]);
        self.row(line.falls.iter().map(|group| group.guarded().question()));
        for finding in &line.findings {
            self.row(["finding", finding.reason.code(), finding.severity.name()]);
        }
        if !line.is_change() {
            return;
        }
        if let Some(destination) = &line.destination {
            let company = destination.company_id.to_string();
            let window = destination.window.map(|window| window.to_string()).unwrap_or_default();
            let device = if destination.sets_device_identifier { "device-identifier" } else { "" };
            self.row([company.as_str(), &window, device]);
        }
        for change in &line.fields {
            self.row([change.field.question(), change.old.text().unwrap_or_default()]);
            self.row([change.new.to_string().as_str()]);
        }
    }
}

impl fmt::Display for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
