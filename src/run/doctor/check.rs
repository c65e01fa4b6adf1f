//! One thing that was looked at, and what a person does about it.

use crate::connectwise::ConnectWiseError;
use crate::run::error::connectwise_exit;
use crate::run::exit::Exit;
use crate::umbrella::UmbrellaError;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Pass,
    /// psasync works, and a person should know of it.
    Warn,
    /// psasync does not work as it should: what a run would end with.
    Fail(Exit),
    /// It could not be looked at, or cannot be by reading.
    Skip,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
            Self::Skip => "skip",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A short name that stays.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen. No secret is ever in it.
    pub sentence: String,
    /// What a person does about it; `None` where nothing needs doing.
    pub remedy: Option<String>,
}

impl Check {
    pub(super) fn pass(name: &'static str, sentence: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Pass, sentence: sentence.into(), remedy: None }
    }

    pub(super) fn warn(name: &'static str, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warn, sentence: sentence.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn fail(
        name: &'static str,
        exit: Exit,
        sentence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { name, verdict: Verdict::Fail(exit), sentence: sentence.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn skip(name: &'static str, sentence: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Skip, sentence: sentence.into(), remedy: None }
    }

    /// What cannot be looked at because of something that failed before.
    pub(super) fn not_made(names: &[&'static str], after: &str) -> impl Iterator<Item = Self> {
        names.iter().map(move |name| Self::skip(name, format!("{name}: not checked, {after}")))
    }

    pub(super) fn umbrella(name: &'static str, error: &UmbrellaError) -> Self {
        let exit = if error.is_refusal() { Exit::Denied } else { Exit::Failed };
        Self::fail(name, exit, error.to_string(), error.hint())
    }

    pub(super) fn connectwise(name: &'static str, error: &ConnectWiseError) -> Self {
        Self::fail(name, connectwise_exit(error), error.to_string(), error.hint())
    }

    /// Whether it failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Fail(_))
    }
}

/// What the checks together end with: the configuration before refused credentials, and these before a check that failed.
#[must_use]
pub fn exit_of<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Exit {
    let mut exit = Exit::Done;
    for check in checks {
        exit = match (check.verdict, exit) {
            (Verdict::Fail(Exit::Config), _) | (Verdict::Fail(_), Exit::Config) => Exit::Config,
            (Verdict::Fail(Exit::Denied), _) | (Verdict::Fail(_), Exit::Denied) => Exit::Denied,
            (Verdict::Fail(_), _) => Exit::Degraded,
            (Verdict::Pass | Verdict::Warn | Verdict::Skip, exit) => exit,
        };
    }
    exit
}

/// `1 customer`, `2 customers`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_comes_before_credentials_and_these_before_a_failed_check() {
        let fail = |exit| Check::fail("x", exit, "", "");
        let pass = Check::pass("x", "");
        assert_eq!(exit_of([&pass, &Check::warn("x", "", ""), &Check::skip("x", "")]), Exit::Done);
        assert_eq!(exit_of([&fail(Exit::Failed), &pass]), Exit::Degraded);
        assert_eq!(exit_of([&fail(Exit::Denied), &fail(Exit::Degraded)]), Exit::Denied);
        assert_eq!(exit_of([&fail(Exit::Denied), &fail(Exit::Config), &fail(Exit::Denied)]), Exit::Config);
    }
}
