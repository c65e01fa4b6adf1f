//! What `demo` and `simulate` take.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// More than the largest provider has; a simulated world is kept in memory.
const ORGANIZATIONS_MAX: usize = 100_000;
const COMPANIES_MAX: usize = 1_000_000;

#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct DemoArgs {
    /// How many organizations the simulated console has
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(in crate::cli) companies: Option<usize>,
    /// Leave the simulated services up for trying other commands
    #[arg(long)]
    pub(in crate::cli) keep: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SimulateArgs {
    /// Port of the simulated Umbrella; 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 9401)]
    pub(in crate::cli) umbrella_port: u16,
    /// Port of the simulated ConnectWise; 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 9402)]
    pub(in crate::cli) connectwise_port: u16,
    /// Port of Umbrella's simulated regional host; 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 9403)]
    pub(in crate::cli) regional_port: u16,
    /// How many organizations the simulated console has; the demo world is cut or extended
    #[arg(long, value_name = "N", conflicts_with = "fleet", value_parser = parse_count)]
    pub(in crate::cli) companies: Option<usize>,
    /// A made-up fleet instead of the demo world: organizations and companies, such as 2500:6000
    #[arg(long, value_name = "N:M", value_parser = parse_fleet)]
    pub(in crate::cli) fleet: Option<(usize, usize)>,
    /// Spoil requests, such as `429(5)@umbrella:/reports/v2/identities*3`; may be repeated
    ///
    /// KIND@SERVICE[:[METHOD ]PATH][#ORG][+SKIP][*TIMES]. Kinds: 429, 503 and other statuses, html, truncated, severed,
    /// severed(applied), slow(MS), expired-token, empty, redirect(URL), false-ok, non-ascii, cut(N), short-page. Services:
    /// umbrella, regional, connectwise. PATH is a beginning: what begins with it is spoilt. TIMES: a number, or `*` for always,
    /// so that `…/identities**` spoils every time.
    #[arg(long, value_name = "FAULT")]
    pub(in crate::cli) fault: Vec<simulator::Fault>,
    /// Spoil this share of all requests at random
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(in crate::cli) faults: Option<u8>,
    /// Seed of the random faults
    #[arg(long, value_name = "SEED", default_value_t = 1, requires = "faults")]
    pub(in crate::cli) seed: u64,
    /// Rate limits of the simulated services
    #[arg(long, value_enum, default_value_t = SimulatedLimits::Off, value_name = "LIMITS")]
    pub(in crate::cli) limits: SimulatedLimits,
    /// With `--limits published`: let every window hold N times as much, here and in the configuration
    #[arg(long, value_name = "N", default_value_t = 1, hide = true, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(in crate::cli) speed: u32,
    /// Write what was asked into this file at the end: milliseconds, service, method, path, organization and status of each request
    #[arg(long, value_name = "FILE", hide = true)]
    pub(in crate::cli) log: Option<PathBuf>,
    /// Be the N-th of several tenants, counted from 0: with keys, a login company and organizations of its own
    #[arg(long, value_name = "N", default_value_t = 0, hide = true)]
    pub(in crate::cli) number: u16,
    /// Keep `psasync.toml` and `companies.csv` in this folder; otherwise the mapping is temporary
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SimulatedLimits {
    /// Those that the services publish; the configuration keeps to its defaults
    Published,
    /// None; the configuration raises its own
    Off,
}

fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=ORGANIZATIONS_MAX).contains(count));
    count.ok_or_else(|| format!("expected a number from 1 to {ORGANIZATIONS_MAX}"))
}

fn parse_fleet(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once(':').and_then(|(n, m)| Some((n.parse().ok()?, m.parse().ok()?)));
    let is_possible = |(organizations, companies): &(usize, usize)| {
        (1..=ORGANIZATIONS_MAX).contains(organizations)
            && (*organizations..=COMPANIES_MAX).contains(companies)
    };
    parsed.filter(is_possible).ok_or_else(|| {
        "expected two numbers such as 2500:6000, with at least as many companies as organizations".to_owned()
    })
}
