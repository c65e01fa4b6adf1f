//! What was answered so far: by flags, by the environment, by files of an earlier time, and by a person.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::cli::args::InitArgs;
use crate::cli::consent::can_ask;
use crate::cli::context::{Context, environment};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::cli::terminal::{Terminal, Unanswered};
use crate::config::keys::{KEYS, Key, key_at};
use crate::config::{Draft, Origin, Problems};
use crate::render::text;
use crate::run::Exit;
use crate::run::doctor::{Check, Verdict};
use crate::secret::Secret;

pub(super) const UMBRELLA_URL: &str = "umbrella.base_url";
pub(super) const UMBRELLA_KEY: &str = "umbrella.api_key";
pub(super) const UMBRELLA_SECRET: &str = "umbrella.api_secret";
pub(super) const COMPANY_ID: &str = "connectwise.company_id";
pub(super) const CONNECTWISE_URL: &str = "connectwise.base_url";
pub(super) const PUBLIC_KEY: &str = "connectwise.public_key";
pub(super) const PRIVATE_KEY: &str = "connectwise.private_key";
pub(super) const CLIENT_ID: &str = "connectwise.client_id";

/// The flags that answer, in the order of the questions.
const FLAGS: [(&str, &str); 8] = [
    (UMBRELLA_URL, "--umbrella-url URL"),
    (UMBRELLA_KEY, "--umbrella-api-key-file FILE"),
    (UMBRELLA_SECRET, "--umbrella-api-secret-file FILE"),
    (COMPANY_ID, "--company-id COMPANY"),
    (CONNECTWISE_URL, "--connectwise-url URL"),
    (PUBLIC_KEY, "--public-key KEY"),
    (PRIVATE_KEY, "--private-key-file FILE"),
    (CLIENT_ID, "--client-id-file FILE"),
];

/// One set-up. Nothing is written by it.
pub(super) struct Session<'a> {
    pub(super) context: &'a Context,
    pub(super) args: &'a InitArgs,
    /// `None` where nobody is asked.
    pub(super) terminal: Option<Terminal<'a>>,
    environment: Vec<(String, String)>,
    /// Answers, by key.
    pub(super) answers: BTreeMap<&'static str, Secret>,
    /// Files that hold answers and stay where they are, by key.
    pub(super) files: BTreeMap<&'static str, PathBuf>,
    /// What was answered before it turned out to be wrong, to be offered again. No secrets.
    offers: BTreeMap<&'static str, String>,
    /// Settings that a service refused, wherever they came from: they are asked for again.
    refused: BTreeSet<&'static str>,
}

impl<'a> Session<'a> {
    /// Takes the answers that are there already.
    pub(super) fn new(context: &'a Context, args: &'a InitArgs) -> Result<Self, Failure> {
        let asks = !args.non_interactive;
        if asks && !can_ask() {
            return Err(Failure::new(
                Exit::Usage,
                "there is no terminal to ask on",
                "`--non-interactive` takes every answer from flags, variables and the configuration",
            ));
        }
        let texts = [
            (UMBRELLA_URL, &args.umbrella.umbrella_url),
            (COMPANY_ID, &args.connectwise.company_id),
            (CONNECTWISE_URL, &args.connectwise.connectwise_url),
            (PUBLIC_KEY, &args.connectwise.public_key),
        ];
        let files = [
            (UMBRELLA_KEY, &args.umbrella.umbrella_api_key_file),
            (UMBRELLA_SECRET, &args.umbrella.umbrella_api_secret_file),
            (PRIVATE_KEY, &args.connectwise.private_key_file),
            (CLIENT_ID, &args.connectwise.client_id_file),
        ];
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let session = Self {
            context,
            args,
            terminal: asks.then(|| Terminal::new(&context.signals.stop)),
            environment: environment()?,
            answers: texts
                .into_iter()
                .filter_map(|(key, text)| Some((key, Secret::new(text.clone()?))))
                .collect(),
            files: files
                .into_iter()
                .filter_map(|(key, file)| Some((key, absolute(file.as_deref()?))))
                .collect(),
            offers: BTreeMap::new(),
            refused: BTreeSet::new(),
        };
        session.check_answered()?;
        Ok(session)
    }

    /// All settings so far.
    pub(super) fn draft(&self) -> Result<Draft, Problems> {
        let held = |name: &String| {
            KEYS.iter().any(|key| {
                self.files.contains_key(key.path) && (*name == key.variable() || *name == file_variable(key))
            })
        };
        let environment = self.environment.iter().filter(|(name, _)| !held(name)).cloned();
        let files = KEYS.iter().filter_map(|key| {
            Some((file_variable(key), self.files.get(key.path)?.to_string_lossy().into_owned()))
        });
        Draft::of(&self.context.config_path, environment.chain(files), &self.answers)
    }

    /// Where nobody is asked, every answer has to be there. The address of ConnectWise can be found.
    fn check_answered(&self) -> Result<(), Failure> {
        let draft = self.draft()?;
        if self.terminal.is_some() {
            return Ok(());
        }
        let is_missing = |key: &&str| draft.missing().contains(*key) && **key != *CONNECTWISE_URL;
        let missing: Vec<_> = FLAGS.iter().filter(|(key, _)| is_missing(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|(key, _)| format!("`{key}`")).collect();
        let flags: Vec<_> = missing.iter().map(|(_, flag)| format!("`{flag}`")).collect();
        let message = format!("nobody has answered {}", names.join(", "));
        let hint =
            format!("say {}, or set the variables that `psasync config schema` names", flags.join(", "));
        Err(Failure::new(Exit::Usage, message, hint))
    }

    /// Asks for a setting, unless a flag or a variable has answered.
    pub(super) async fn text(&mut self, key: &'static str, question: &str) -> Result<(), Failure> {
        loop {
            let draft = self.draft()?;
            let known = draft.value(key);
            let Some(terminal) = self.asks(key, known.map(|(origin, _)| origin)) else { return Ok(()) };
            let known = known.map(|(_, text)| text.expose());
            let preset = self.offers.get(key).map(String::as_str).or(known);
            let answer = terminal.text(question, preset).await.map_err(|why| self.unanswered(why))?;
            if self.accept(key, Secret::new(answer)) {
                return Ok(());
            }
        }
    }

    /// As [`text`](Self::text), for what nobody else is to see.
    pub(super) async fn secret(&mut self, key: &'static str, question: &str) -> Result<(), Failure> {
        loop {
            let draft = self.draft()?;
            let known = draft.value(key).map(|(origin, _)| origin);
            let Some(terminal) = self.asks(key, known) else { return Ok(()) };
            // What was refused once is not kept by pressing Enter.
            let is_known = known.is_some() && !self.refused.contains(key);
            let answer = terminal.secret(question, is_known).await.map_err(|why| self.unanswered(why))?;
            if answer.is_none_or(|answer| self.accept(key, answer)) {
                return Ok(());
            }
        }
    }

    /// The terminal to ask on, unless there is none or the answer is there.
    fn asks(&self, key: &str, origin: Option<Origin>) -> Option<&Terminal<'a>> {
        let is_open = match origin {
            Some(Origin::Answer) => false,
            Some(Origin::Environment) => self.refused.contains(key),
            Some(Origin::File | Origin::Preset) | None => true,
        };
        if !is_open && origin == Some(Origin::Environment) && self.terminal.is_some() {
            let variable = key_at(key).map(Key::variable).unwrap_or_default();
            let place = match self.files.get(key) {
                Some(file) => file.display().to_string(),
                None => format!("{variable} or its `_FILE` twin"),
            };
            printer::note(&format!("`{key}` comes from {place}"));
        }
        self.terminal.as_ref().filter(|_| is_open)
    }

    /// Takes an answer, or says what is wrong with it.
    pub(super) fn accept(&mut self, key: &'static str, answer: Secret) -> bool {
        self.answers.insert(key, answer);
        let Err(problems) = self.draft() else { return true };
        for problem in problems.iter() {
            let hint = problem.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            printer::note(&format!("that cannot be: {}{hint}", problem.message));
        }
        self.answers.remove(key);
        false
    }

    /// Prints what was checked. Where the access that begins with `prefix` failed, a person may answer `keys` once more; what else is to be
    /// put right in the service can wait.
    pub(super) async fn passed(
        &mut self,
        (service, prefix): (&str, &str),
        checks: &[Check],
        keys: &[&'static str],
    ) -> Result<bool, Failure> {
        // What could not be looked at is no news while something else has to be put right.
        let made = checks.iter().filter(|check| check.verdict != Verdict::Skip);
        printer::note(text::checks(made).trim_end());
        let is_in_the_way = |check: &&Check| check.has_failed() && check.name.starts_with(prefix);
        let failed: Vec<_> = checks.iter().filter(is_in_the_way).collect();
        if failed.is_empty() {
            return Ok(true);
        }
        let failure = || {
            let sentences: Vec<_> = failed.iter().map(|check| check.sentence.as_str()).collect();
            let message = format!("{service} cannot be used: {}", sentences.join("; "));
            let hint = "nothing was written; correct that, and run `psasync init` again";
            Failure::new(exit_in_the_way(&failed), message, hint)
        };
        let Some(terminal) = &self.terminal else { return Err(failure()) };
        if !terminal.yes("Answer again?", true).await.map_err(|why| self.unanswered(why))? {
            return Err(failure());
        }
        for key in keys {
            self.refused.insert(key);
            self.files.remove(key);
            let is_secret = key_at(key).is_some_and(|key| key.file_twin().is_some());
            if let Some(answer) = self.answers.remove(key).filter(|_| !is_secret) {
                self.offers.entry(key).or_insert_with(|| answer.expose().to_owned());
            }
        }
        Ok(false)
    }

    /// Whether a question has an answer to offer that was given before.
    pub(super) fn is_offered(&self, key: &str) -> bool {
        self.offers.contains_key(key)
    }

    /// Offers an answer to a question that is asked next.
    pub(super) fn offer(&mut self, key: &'static str, answer: &str) {
        self.offers.insert(key, answer.to_owned());
    }

    /// Why the set-up ends before its end.
    pub(super) fn unanswered(&self, _: Unanswered) -> Failure {
        let exit = self.context.signals.exit();
        let message =
            if exit.is_some() { "stopped" } else { "the input ended before every question was answered" };
        Failure::new(exit.unwrap_or(Exit::Usage), message, "run `psasync init` again; what was written stays")
    }
}

/// A service that did not answer has failed; one that did has refused something.
fn exit_in_the_way(failed: &[&Check]) -> Exit {
    if failed.iter().any(|check| check.verdict == Verdict::Fail(Exit::Failed)) {
        Exit::Failed
    } else {
        Exit::Denied
    }
}

fn file_variable(key: &Key) -> String {
    format!("{}_FILE", key.variable())
}
