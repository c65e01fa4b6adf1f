//! How a person repeats a run, with a rule waived.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::shard::Shard;
use crate::domain::waiver::Rule;
use crate::domain::work::Work;
use crate::plan::guard::Refusal;

/// What a person said on the command line, as far as the same run needs it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `--config`, where it was given.
    pub config: Option<String>,
    /// `--scheduled-for`, where it was given.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// `--shard`, or what the variables of a Kubernetes Job say.
    pub shard: Option<Shard>,
    /// `--company`, each.
    pub companies: Vec<String>,
    /// `--approve`, each.
    pub approved: Vec<Rule>,
    /// Whether `--refresh-month` was given.
    pub refresh_month: bool,
    /// The plan, where it is one that was saved.
    pub saved_plan: Option<SavedFile>,
}

/// A plan that was saved, as `apply` is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedFile {
    /// The file.
    pub path: String,
    /// `--digest`, where it was given.
    pub digest: Option<String>,
}

impl Invocation {
    /// The command that lets a run of the same scope pass these rules once, besides those that it was let pass already.
    #[must_use]
    pub fn approving(&self, work: Work, refusals: &[Refusal]) -> String {
        let mut words = match &self.saved_plan {
            Some(saved) => saved.command(),
            None => command(work),
        };
        words.extend(self.config.iter().flat_map(|config| ["--config".to_owned(), shell_word(config)]));
        if self.saved_plan.is_none() {
            let at = self.scheduled_for.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            words.extend(at.into_iter().flat_map(|at| ["--scheduled-for".to_owned(), at]));
            words.extend(self.refresh_month.then(|| "--refresh-month".to_owned()));
            words.extend(self.shard.into_iter().flat_map(|shard| ["--shard".to_owned(), shard.to_string()]));
            words.extend(self.companies.iter().flat_map(|one| ["--company".to_owned(), shell_word(one)]));
        }
        let mut rules = self.approved.clone();
        let refused = refusals.iter().map(|refusal| refusal.rule);
        rules.extend(refused.filter(|rule| !self.approved.contains(rule)));
        words.extend(rules.into_iter().flat_map(|rule| ["--approve".to_owned(), rule.to_string()]));
        words.join(" ")
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

impl SavedFile {
    fn command(&self) -> Vec<String> {
        let mut words = vec!["psasync".to_owned(), "apply".to_owned(), shell_word(&self.path)];
        words.extend(self.digest.iter().flat_map(|digest| ["--digest".to_owned(), shell_word(digest)]));
        words
    }
}

fn command(work: Work) -> Vec<String> {
    let mut words = vec!["psasync".to_owned(), work.command().to_owned()];
    match work.window().map(|window| window.month_name()) {
        None => {}
        Some(Some(month)) => words.extend(["--month".to_owned(), month]),
        Some(None) => words.push("--last-30-days".to_owned()),
    }
    words
}

fn shell_word(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            shard: None,
            companies: vec!["acme-01".to_owned(), "o'brien & sons".to_owned()],
            approved: vec![Rule::MaxZeroedPercent, Rule::MaxCreates],
            refresh_month: true,
            saved_plan: None,
        };
        let expected = r"psasync sync --config '/etc/acme & sons.toml' --scheduled-for 2026-12-01T00:00:00Z --refresh-month --company acme-01 --company 'o'\''brien & sons' --approve max-zeroed-percent --approve max-creates";
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
    fn a_run_over_a_shard_is_repeated_over_that_shard() {
        let invocation = Invocation { shard: "2/8".parse().ok(), ..Invocation::default() };
        let command = invocation.approving(Work::Night, &refusals());
        assert_eq!(command, "psasync sync --shard 2/8 --approve max-zeroed-percent");
        let next = invocation.approving_next(Work::Night, &refusals());
        assert_eq!(next.as_deref(), Some("psasync approve max-zeroed-percent"), "for every shard");
    }

    #[test]
    fn a_saved_plan_is_approved_by_applying_it() {
        let saved = SavedFile { path: "plans/tonight.json".to_owned(), digest: Some("0123abcd".to_owned()) };
        let invocation = Invocation { saved_plan: Some(saved), ..Invocation::default() };
        let command = invocation.approving(Work::Night, &refusals());
        let expected = "psasync apply plans/tonight.json --digest 0123abcd --approve max-zeroed-percent";
        assert_eq!(command, expected);
    }

    #[test]
    fn what_was_refused_at_night_can_be_approved_for_the_next() {
        let command = Invocation::default().approving_next(Work::Night, &refusals());
        assert_eq!(command.as_deref(), Some("psasync approve max-zeroed-percent"));
    }
}
