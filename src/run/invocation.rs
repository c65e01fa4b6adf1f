//! How a person repeats a run, with a rule waived.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::work::Work;
use crate::plan::guard::Refusal;

/// What a person said on the command line, as far as the same run needs it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `--config`, where it was given.
    pub config: Option<String>,
    /// `--scheduled-for`, where it was given.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// `--company`, each.
    pub companies: Vec<String>,
    /// The file of the plan, where it is one that was saved.
    pub saved_plan: Option<String>,
}

impl Invocation {
    /// The command that lets a run of the same scope pass these rules once.
    #[must_use]
    pub fn approving(&self, work: Work, refusals: &[Refusal]) -> String {
        let mut command = "psasync".to_owned();
        match (&self.saved_plan, work.window().map(|window| window.month_name())) {
            (Some(file), _) => command += &format!(" apply {}", shell_word(file)),
            (None, None) => command += &format!(" {}", work.command()),
            (None, Some(Some(month))) => command += &format!(" {} --month {month}", work.command()),
            (None, Some(None)) => command += &format!(" {} --last-30-days", work.command()),
        }
        if let Some(config) = &self.config {
            let _ = write!(command, " --config {}", shell_word(config));
        }
        if self.saved_plan.is_none() {
            if let Some(at) = self.scheduled_for {
                let _ =
                    write!(command, " --scheduled-for {}", at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            }
            for company in &self.companies {
                let _ = write!(command, " --company {}", shell_word(company));
            }
        }
        for refusal in refusals {
            let _ = write!(command, " --approve {}", refusal.rule);
        }
        command
    }

    /// The commands that let the next nightly run pass these rules, where it is such a run that was refused.
    #[must_use]
    pub fn approving_next(&self, work: Work, refusals: &[Refusal]) -> Option<String> {
        let is_nightly = work == Work::Night
            && self.saved_plan.is_none()
            && self.companies.is_empty()
            && self.scheduled_for.is_none();
        let config = self.config.as_ref().map(|config| format!(" --config {}", shell_word(config)));
        let config = config.unwrap_or_default();
        let commands = refusals.iter().map(|refusal| format!("psasync approve {}{config}", refusal.rule));
        is_nightly.then(|| commands.collect::<Vec<_>>().join(" && "))
    }
}

fn shell_word(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::waiver::Rule;
    use crate::domain::window::Window;
    use crate::plan::guard::Share;

    fn refusals() -> [Refusal; 1] {
        [Refusal {
            rule: Rule::MaxZeroedPercent,
            key: "guards.max_zeroed_percent",
            measured: Share { part: 5, whole: 6 },
            limit_percent: 30,
            what: "fell for",
            of: "companies",
            companies: Vec::new(),
        }]
    }

    #[test]
    fn the_command_repeats_what_was_said_and_quotes_it_for_the_shell() {
        let invocation = Invocation {
            config: Some("/etc/acme & sons.toml".to_owned()),
            scheduled_for: Some("2026-12-01T00:00:00Z".parse().unwrap()),
            companies: vec!["acme-01".to_owned(), "o'brien & sons".to_owned()],
            saved_plan: None,
        };
        let expected = r"psasync sync --config '/etc/acme & sons.toml' --scheduled-for 2026-12-01T00:00:00Z --company acme-01 --company 'o'\''brien & sons' --approve max-zeroed-percent";
        assert_eq!(invocation.approving(Work::Night, &refusals()), expected);
        assert_eq!(invocation.approving_next(Work::Night, &refusals()), None);
    }

    #[test]
    fn a_backfill_is_repeated_over_its_window() {
        let months = Window::months("2026-05").unwrap();
        let command = Invocation::default().approving(Work::Backfill(months[0]), &refusals());
        assert_eq!(command, "psasync backfill --month 2026-05 --approve max-zeroed-percent");
        assert_eq!(Invocation::default().approving_next(Work::Backfill(months[0]), &refusals()), None);
    }

    #[test]
    fn a_saved_plan_is_approved_by_applying_it() {
        let saved_plan = Some("plans/tonight.json".to_owned());
        let invocation = Invocation { saved_plan, ..Invocation::default() };
        let command = invocation.approving(Work::Night, &refusals());
        assert_eq!(command, "psasync apply plans/tonight.json --approve max-zeroed-percent");
    }

    #[test]
    fn what_was_refused_at_night_can_be_approved_for_the_next() {
        let command = Invocation::default().approving_next(Work::Night, &refusals());
        assert_eq!(command.as_deref(), Some("psasync approve max-zeroed-percent"));
    }
}
