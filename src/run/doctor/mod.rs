//! Looks whether psasync can work, and says what is in the way. Reads only: ConnectWise is sent nothing but GET, there is no lease, and
//! the state is opened to read only.
//!
//! The checks of one service need nothing but its client, so that a set-up can make them as soon as a credential was entered.

mod assumptions;
mod check;
mod connectwise;
mod mapping;
mod network;
mod questions;
mod state;
mod umbrella;

use std::collections::HashSet;

use self::assumptions::Seen;
use super::error::RunError;
use super::exit::Exit;
use super::report::Calls;
use super::services::Services;
use super::surroundings::Surroundings;
use super::survey::mapped;
use crate::config::{Config, Problems};
use crate::connectwise::collect;
use crate::domain::waiver::Waivers;
use crate::domain::work::Work;
use crate::http::{Exchange, Inspect};
use crate::resolve::{Request, Scope, match_questions};
use crate::umbrella::Fleet;

pub use assumptions::{ASSUMPTIONS, Assumption};
pub use check::{Check, Verdict, exit_of};
pub use connectwise::{ConnectWiseAccess, Wanted, check_connectwise};
pub use umbrella::{UmbrellaAccess, check_umbrella};

const CONFIGURATION: &str = "configuration";
const NOTICE: &str = "configuration-notice";

/// What was looked at, in the order in which a person reads it.
#[derive(Debug)]
pub struct Diagnosis {
    /// By what they are about.
    pub sections: Vec<Section>,
    /// Requests that it took.
    pub calls: Calls,
}

/// Checks about one thing.
#[derive(Debug)]
pub struct Section {
    /// What they are about.
    pub title: &'static str,
    /// The checks.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// What a configuration that is not valid leaves to be said.
    #[must_use]
    pub fn of_problems(problems: &Problems) -> Self {
        let mut checks: Vec<_> = problems
            .iter()
            .map(|problem| Check {
                remedy: problem.hint.clone(),
                ..Check::fail(
                    CONFIGURATION,
                    Exit::Config,
                    format!("{}: {}", problem.place, problem.message),
                    "",
                )
            })
            .collect();
        checks.extend(Check::not_made(&["services"], "the configuration is not valid"));
        let calls = Calls::default();
        Self { sections: vec![Section { title: "Configuration", checks }], calls }
    }

    /// All checks.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.sections.iter().flat_map(|section| &section.checks)
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        exit_of(self.checks())
    }
}

/// Checks everything that can be checked by reading. `notices` are what reading the configuration brought up.
///
/// # Errors
/// Where it was told to stop.
pub async fn doctor<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    inspect: &impl Inspect,
    notices: &[String],
) -> Result<Diagnosis, RunError> {
    let examination = Examination { services, surroundings };
    tokio::select! {
        biased;
        () = surroundings.stop.cancelled() => Err(RunError::Stopped),
        sections = examination.sections(inspect, notices) => {
            Ok(Diagnosis { sections, calls: services.calls() })
        }
    }
}

struct Examination<'a, E> {
    services: &'a Services<E>,
    surroundings: &'a Surroundings<'a>,
}

impl<E: Exchange> Examination<'_, E> {
    async fn sections(&self, inspect: &impl Inspect, notices: &[String]) -> Vec<Section> {
        let Surroundings { config, clock, run, .. } = *self.surroundings;
        let (proxy, now) = (config.http.proxy.as_ref(), || clock.now());
        let (of_umbrella, of_connectwise) = tokio::join!(
            network::check(inspect, &config.umbrella.base_url, proxy, now),
            network::check(inspect, &config.connectwise.base_url, proxy, now),
        );
        let reached = (of_umbrella.is_reached, of_connectwise.is_reached);
        let (umbrella, connectwise) = tokio::join!(self.umbrella(reached.0), self.connectwise(reached.1));
        let mapping = self.mapping(umbrella.fleet.as_ref(), &connectwise).await;
        let (umbrella, connectwise, assumptions) = self.assumptions(umbrella, connectwise).await;
        let section = |title, checks| Section { title, checks };
        vec![
            section("Configuration", configuration(self.surroundings, notices)),
            section("Network", [of_umbrella.checks, of_connectwise.checks].concat()),
            section("Clock", vec![of_umbrella.clock, of_connectwise.clock]),
            section("Umbrella", umbrella),
            section("ConnectWise", connectwise),
            section("Mapping", mapping),
            section("State", state::check(config, run, clock.now()).await),
            section("Assumptions", assumptions),
        ]
    }

    async fn umbrella(&self, is_reached: bool) -> UmbrellaAccess {
        if !is_reached {
            return UmbrellaAccess::not_made("the host was not reached");
        }
        let source = self.surroundings.config.umbrella.customers;
        check_umbrella(&self.services.umbrella, source, &mapped(self.surroundings.mapping)).await
    }

    async fn connectwise(&self, is_reached: bool) -> ConnectWiseAccess {
        if !is_reached {
            return ConnectWiseAccess::not_made("the host was not reached");
        }
        check_connectwise(&self.services.reader, &Wanted::of(self.surroundings.config)).await
    }

    /// Looks at a small sample of both services. Gives back the other checks, too.
    async fn assumptions(
        &self,
        umbrella: UmbrellaAccess,
        connectwise: ConnectWiseAccess,
    ) -> (Vec<Check>, Vec<Check>, Vec<Check>) {
        let Services { umbrella: client, reader, .. } = self.services;
        let sample = umbrella.fleet.as_ref().and_then(|fleet| fleet.customers.items.first());
        let observe_umbrella = async {
            match sample {
                Some(organization) => {
                    client.observe(self.surroundings.clock.now(), Some(organization.id)).await
                }
                None => Default::default(),
            }
        };
        let observe_connectwise = async {
            if connectwise.is_signed_in {
                reader.observe(connectwise.type_table.as_ref(), &connectwise.statuses).await
            } else {
                Default::default()
            }
        };
        let (of_umbrella, of_connectwise) = tokio::join!(observe_umbrella, observe_connectwise);
        let seen = Seen {
            scopes: umbrella.scopes,
            fleet: umbrella.fleet,
            umbrella: of_umbrella,
            tenant: connectwise.tenant,
            type_table: connectwise.type_table,
            reads_company_statuses: connectwise.reads_company_statuses,
            connectwise: of_connectwise,
        };
        (umbrella.checks, connectwise.checks, assumptions::check(&seen))
    }

    /// Resolves the mapping as a night does. What a night could not read is said where it is read.
    async fn mapping(&self, organizations: Option<&Fleet>, connectwise: &ConnectWiseAccess) -> Vec<Check> {
        let Some(organizations) = organizations else {
            return mapping::not_made("Umbrella's customers could not be read");
        };
        if !connectwise.is_signed_in {
            return mapping::not_made("ConnectWise could not be read");
        }
        let config = self.surroundings.config;
        let lists = Box::pin(collect(&self.services.reader, &config.record.type_name, match_questions)).await;
        let Ok(lists) = lists else {
            return mapping::not_made("ConnectWise's lists could not be read");
        };
        let request = Request {
            scheduled: self.surroundings.clock.now(),
            work: Work::Night,
            scope: &Scope::Fleet,
            initial_window: config.record.initial_window,
            waivers: &Waivers::default(),
        };
        mapping::check(self.surroundings.mapping, &organizations.customers, lists, &request)
    }
}

/// It was valid, or nobody would have come so far.
fn configuration(surroundings: &Surroundings<'_>, notices: &[String]) -> Vec<Check> {
    let Config { mapping_file, .. } = surroundings.config;
    let lines = check::counted(surroundings.mapping.lines.len(), "line");
    let companies: HashSet<_> = surroundings.mapping.lines.iter().map(|line| line.psa_id.key()).collect();
    let companies = companies.len();
    let valid = format!(
        "the configuration is valid; {} has {lines} about {companies} {}",
        mapping_file.display(),
        if companies == 1 { "company" } else { "companies" }
    );
    let notices = notices.iter().map(|notice| {
        let (what, remedy) =
            notice.split_once(": ").unwrap_or((notice, "remove it, or keep it for a later version"));
        Check::warn(NOTICE, what, remedy)
    });
    std::iter::once(Check::pass(CONFIGURATION, valid)).chain(notices).collect()
}
