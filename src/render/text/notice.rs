//! What a notice says, for every notifier that shows it to people.

use std::collections::BTreeSet;
use std::iter;

use owo_colors::OwoColorize as _;

use super::{counts_line, line, reach};
use crate::config::Event;
use crate::domain::finding::Reason;
use crate::run::{Delivery, Exit, Notice, RunNotice, Trouble, TroubledCompany};
use crate::store::Outcome;

/// How many companies are named; the others are counted.
const COMPANIES_NAMED_MAX: usize = 10;

/// Characters of the longest line, which every service takes, also where it escapes all of them.
pub const LINE_CHARS_MAX: usize = 500;

/// A notice in words, without any mark-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeText {
    /// One line that says it all.
    pub title: String,
    /// What there is to say about it.
    pub paragraphs: Vec<Paragraph>,
}

/// Some lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// What they are about; empty where they say so themselves.
    pub heading: &'static str,
    /// The lines; at least one.
    pub lines: Vec<String>,
}

impl NoticeText {
    /// All of it but the title.
    #[must_use]
    pub fn body(&self) -> String {
        let paragraphs: Vec<_> = self.paragraphs.iter().map(Paragraph::plain).collect();
        paragraphs.join("\n\n")
    }
}

impl Paragraph {
    fn of(heading: &'static str, lines: Vec<String>) -> Self {
        Self { heading, lines: lines.into_iter().map(cut).collect() }
    }

    /// Heading and lines.
    #[must_use]
    pub fn plain(&self) -> String {
        let lines = self.lines.join("\n");
        if self.heading.is_empty() { lines } else { format!("{}\n{lines}", self.heading) }
    }
}

/// What became of a test, notifier by notifier.
#[must_use]
pub fn deliveries(deliveries: &[Delivery]) -> String {
    let mut out = String::new();
    for Delivery { notifier, trouble } in deliveries {
        match trouble {
            None => line(&mut out, &format!("{}  {notifier}: delivered", "pass".green())),
            Some(Trouble { message, hint }) => {
                line(&mut out, &format!("{}  {notifier}: {message}", "fail".red().bold()));
                line(&mut out, &format!("      {} {hint}", "hint:".cyan()));
            }
        }
    }
    out
}

/// A notice in words.
#[must_use]
pub fn notice(notice: &Notice) -> NoticeText {
    match notice {
        Notice::Run(notice) => of_run(notice),
        Notice::Test { tenant, .. } => NoticeText {
            title: format!("psasync at {tenant}: a test"),
            paragraphs: vec![Paragraph::of(
                "",
                vec!["Notices about runs arrive here. Nothing has happened: somebody ran `psasync notify test`.".to_owned()],
            )],
        },
    }
}

fn of_run(notice: &RunNotice) -> NoticeText {
    let shard = notice.shard.map(|shard| format!(" of {}", shard.title())).unwrap_or_default();
    let run = format!("psasync {}{shard} at {}", notice.work.command(), notice.tenant);
    let title = match notice.event {
        Event::Recovered => format!("{run}: recovered"),
        event => format!("{run}: {} (exit code {})", event.name(), notice.exit.code()),
    };
    let paragraphs =
        [facts(notice), trouble(notice), refusals(notice), companies(notice), remedies(notice), next(notice)];
    let paragraphs = paragraphs.into_iter().filter(|paragraph| !paragraph.lines.is_empty()).collect();
    NoticeText { title, paragraphs }
}

fn facts(notice: &RunNotice) -> Paragraph {
    let mut lines = vec![meaning(notice)];
    let window = notice.work.window().map(|window| format!(", over {window}")).unwrap_or_default();
    lines.push(format!("It was for {}{window}.", notice.scheduled.format("%Y-%m-%d %H:%M UTC")));
    lines.extend(notice.run.map(|run| format!("Its id is {run}.")));
    if notice.event == Event::Refused {
        lines.push("Nothing was written. As planned:".to_owned());
    }
    if !notice.counts.is_empty() {
        lines.push(counts_line(&notice.counts, str::to_owned));
    }
    Paragraph::of("", lines)
}

fn meaning(notice: &RunNotice) -> String {
    match (notice.event, notice.before) {
        (Event::Recovered, Some(before)) => {
            format!("The run did everything that it was to do. The one before it: {}.", ended(before))
        }
        (_, Some(Outcome::Done)) => format!("{}. The one before it did everything.", sentence(notice.exit)),
        (_, Some(before)) => format!("{}. The one before it: {}.", sentence(notice.exit), ended(before)),
        (_, None) => format!("{}.", sentence(notice.exit)),
    }
}

fn ended(outcome: Outcome) -> String {
    outcome.word().replace('-', " ")
}

/// What an exit code means, as the beginning of a sentence.
fn sentence(exit: Exit) -> String {
    let meaning = exit.meaning();
    let (first, rest) = meaning.split_at(meaning.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

fn trouble(notice: &RunNotice) -> Paragraph {
    let Some(trouble) = &notice.trouble else { return Paragraph::of("", Vec::new()) };
    let hint = (!trouble.hint.is_empty()).then(|| format!("hint: {}", trouble.hint));
    Paragraph::of("", [format!("error: {}", trouble.message)].into_iter().chain(hint).collect())
}

fn refusals(notice: &RunNotice) -> Paragraph {
    // A line each: one for all would lose its end, the key, where the companies' names are long.
    let refused =
        notice.refusals.iter().flat_map(|refusal| iter::once(refusal.to_string()).chain(reach(refusal)));
    let now = notice.approve_with.iter().map(|command| format!("To let a run pass once: {command}"));
    let next = notice
        .approve_next_with
        .iter()
        .map(|command| format!("To let the next nightly run pass once: {command}"));
    Paragraph::of("", refused.chain(now).chain(next).collect())
}

fn companies(notice: &RunNotice) -> Paragraph {
    let named =
        notice.companies.iter().take(COMPANIES_NAMED_MAX).map(|TroubledCompany { psa_id, reasons }| {
            let codes: Vec<_> = reasons.iter().map(|reason| reason.code()).collect();
            format!("{psa_id}: {}", codes.join(", "))
        });
    let more = notice.companies.len().saturating_sub(COMPANIES_NAMED_MAX);
    let more = (more > 0).then(|| format!("and {more} more"));
    Paragraph::of("A person is needed", named.chain(more).collect())
}

/// Of those that are named, each once.
fn remedies(notice: &RunNotice) -> Paragraph {
    let named = notice.companies.iter().take(COMPANIES_NAMED_MAX);
    let reasons: BTreeSet<Reason> = named.flat_map(|company| company.reasons.iter().copied()).collect();
    let lines = reasons.iter().map(|reason| format!("{reason}: {}", reason.remedy()));
    Paragraph::of("Remedies", lines.collect())
}

fn next(notice: &RunNotice) -> Paragraph {
    let lines = match notice.event {
        Event::Recovered => Vec::new(),
        _ if notice.companies.is_empty() => vec!["`psasync history` lists the runs.".to_owned()],
        _ => vec![
            "`psasync explain PSA_ID` says where a company's answers come from, `psasync history` lists the runs."
                .to_owned(),
        ],
    };
    Paragraph::of("", lines)
}

fn cut(line: String) -> String {
    match line.char_indices().nth(LINE_CHARS_MAX) {
        None => line,
        Some(_) => line.chars().take(LINE_CHARS_MAX - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Event;
    use crate::domain::finding::Bucket;
    use crate::domain::ids::PsaId;
    use crate::domain::waiver::Rule;
    use crate::domain::work::Work;
    use crate::plan::Counts;
    use crate::plan::guard::{Refusal, Share};

    use super::*;

    fn run(event: Event, exit: Exit) -> RunNotice {
        RunNotice {
            event,
            exit,
            tenant: "cw.example/acme".to_owned(),
            work: Work::Night,
            shard: None,
            scheduled: "2026-12-01T00:00:00Z".parse().unwrap(),
            run: None,
            before: None,
            counts: Counts::new(),
            companies: Vec::new(),
            refusals: Vec::new(),
            approve_with: None,
            approve_next_with: None,
            trouble: None,
        }
    }

    fn troubled(count: usize) -> Vec<TroubledCompany> {
        let reasons = [vec![Reason::CompanyNotFound], vec![Reason::ValueFellToZero, Reason::ReportUnread]];
        let company = |index: usize| TroubledCompany {
            psa_id: PsaId::new(&format!("ACME-{index}")).unwrap(),
            reasons: reasons[index % 2].clone(),
        };
        (0..count).map(company).collect()
    }

    fn refusal() -> Refusal {
        Refusal {
            rule: Rule::MaxZeroedPercent,
            key: "guards.max_zeroed_percent",
            measured: Share { part: 5, whole: 6 },
            limit_percent: 30,
            what: "fell for",
            of: "companies",
            companies: vec![PsaId::new("ACME").unwrap()],
        }
    }

    fn shown(notice: RunNotice) -> String {
        let text = super::notice(&Notice::Run(Box::new(notice)));
        format!("{}\n\n{}", text.title, text.body())
    }

    #[test]
    fn a_degraded_run_names_ten_companies_and_counts_the_others() {
        let counts = [(Bucket::Unchanged, 20), (Bucket::Skipped, 6), (Bucket::Held, 6)].into();
        let notice = RunNotice {
            counts,
            companies: troubled(12),
            before: Some(Outcome::Done),
            ..run(Event::Degraded, Exit::Degraded)
        };
        insta::assert_snapshot!(shown(notice), @r#"
        psasync sync at cw.example/acme: degraded (exit code 3)

        Degraded: the run finished, but at least one mapped company failed, was held back, was read in part or could not be matched. The one before it did everything.
        It was for 2026-12-01 00:00 UTC.
        32 mapping lines = 20 unchanged + 0 updated + 0 created + 6 held + 0 partial + 6 skipped + 0 failed + 0 paused

        A person is needed
        ACME-0: company-not-found
        ACME-1: value-fell-to-zero, report-unread
        ACME-2: company-not-found
        ACME-3: value-fell-to-zero, report-unread
        ACME-4: company-not-found
        ACME-5: value-fell-to-zero, report-unread
        ACME-6: company-not-found
        ACME-7: value-fell-to-zero, report-unread
        ACME-8: company-not-found
        ACME-9: value-fell-to-zero, report-unread
        and 2 more

        Remedies
        company-not-found: correct the psa_id in the mapping, or create the company in ConnectWise
        value-fell-to-zero: check the customer in Umbrella; if the 0 is right, run once with `--approve value-fell-to-zero`
        report-unread: run again; if it stays, check the key's scopes and the customer's package in Umbrella

        `psasync explain PSA_ID` says where a company's answers come from, `psasync history` lists the runs.
        "#);
    }

    #[test]
    fn a_refused_run_says_what_lets_it_pass() {
        let notice = RunNotice {
            counts: [(Bucket::Updated, 6)].into(),
            refusals: vec![refusal()],
            approve_with: Some("psasync sync --approve max-zeroed-percent".to_owned()),
            approve_next_with: Some("psasync approve max-zeroed-percent".to_owned()),
            ..run(Event::Refused, Exit::Refused)
        };
        insta::assert_snapshot!(shown(notice), @r#"
        psasync sync at cw.example/acme: refused (exit code 4)

        Refused by a fleet-wide guard before anything was written.
        It was for 2026-12-01 00:00 UTC.
        Nothing was written. As planned:
        6 mapping lines = 0 unchanged + 6 updated + 0 created + 0 held + 0 partial + 0 skipped + 0 failed + 0 paused

        refused by `max-zeroed-percent`: fell for 5 of 6 companies (83.3 %), the limit is 30 %
        companies: ACME
        to change the rule for good: `guards.max_zeroed_percent` in the configuration
        To let a run pass once: psasync sync --approve max-zeroed-percent
        To let the next nightly run pass once: psasync approve max-zeroed-percent

        `psasync history` lists the runs.
        "#);
    }

    #[test]
    fn a_failed_run_says_why_and_what_to_do() {
        let trouble =
            Trouble { message: "Umbrella refused the API key".to_owned(), hint: "make a new one".to_owned() };
        let notice = RunNotice {
            trouble: Some(trouble),
            before: Some(Outcome::LeaseLost),
            ..run(Event::Failed, Exit::Denied)
        };
        insta::assert_snapshot!(shown(notice), @r#"
        psasync sync at cw.example/acme: failed (exit code 77)

        A service refused the credentials, or a right is missing for the whole run. The one before it: lease lost.
        It was for 2026-12-01 00:00 UTC.

        error: Umbrella refused the API key
        hint: make a new one

        `psasync history` lists the runs.
        "#);
    }

    #[test]
    fn a_refusal_with_long_names_still_says_its_key() {
        let companies = (0..5).map(|index| PsaId::new(&format!("ACME-{index}-{}", "x".repeat(90))).unwrap());
        let refusals = vec![Refusal { companies: companies.collect(), ..refusal() }];
        let text = shown(RunNotice { refusals, ..run(Event::Refused, Exit::Refused) });
        assert!(text.contains("`guards.max_zeroed_percent` in the configuration"), "{text}");
    }

    #[test]
    fn the_notice_of_a_shard_says_which() {
        let of_shard =
            |event, exit| of_run(&RunNotice { shard: "2/8".parse().ok(), ..run(event, exit) }).title;
        assert_eq!(
            of_shard(Event::Degraded, Exit::Degraded),
            "psasync sync of shard 2/8 at cw.example/acme: degraded (exit code 3)"
        );
        assert_eq!(
            of_shard(Event::Recovered, Exit::Done),
            "psasync sync of shard 2/8 at cw.example/acme: recovered"
        );
    }

    #[test]
    fn no_line_is_longer_than_every_service_takes() {
        for (message, chars) in [("ü".repeat(400), 407), ("ü".repeat(4_000), LINE_CHARS_MAX)] {
            let trouble = Some(Trouble { message, hint: String::new() });
            let text = of_run(&RunNotice { trouble, ..run(Event::Failed, Exit::Failed) });
            assert_eq!(text.paragraphs[1].lines[0].chars().count(), chars);
        }
    }

    #[test]
    fn a_recovered_run_says_what_was_before() {
        let notice = RunNotice {
            counts: [(Bucket::Unchanged, 3)].into(),
            before: Some(Outcome::Degraded),
            ..run(Event::Recovered, Exit::Done)
        };
        insta::assert_snapshot!(shown(notice), @r#"
        psasync sync at cw.example/acme: recovered

        The run did everything that it was to do. The one before it: degraded.
        It was for 2026-12-01 00:00 UTC.
        3 mapping lines = 3 unchanged + 0 updated + 0 created + 0 held + 0 partial + 0 skipped + 0 failed + 0 paused
        "#);
    }
}
