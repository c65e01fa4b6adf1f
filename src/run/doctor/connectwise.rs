//! Whether ConnectWise takes the keys, what the role may do, and whether the configuration type can carry records.

use super::check::Check;
use super::questions;
use crate::config::Config;
use crate::connectwise::{
    Area, COMPANY_MAINTENANCE, CONFIGURATIONS_INQUIRE, ConnectWiseError, NOT_NEEDED, Reader, Tenant,
    TypeTable, find_type,
};
use crate::domain::company::ConfigurationStatus;
use crate::http::Exchange;
use crate::run::exit::Exit;
use crate::run::surroundings::quoted;

const COMPANY: &str = "connectwise-company";
const HOST: &str = "connectwise-host";
const KEYS: &str = "connectwise-keys";
const CLIENT_ID: &str = "connectwise-client-id";
const VERSION: &str = "connectwise-version";
const RIGHT: &str = "connectwise-right";
const EDIT: &str = "connectwise-right-edit";
const EXCESS: &str = "connectwise-rights-excess";
const STATUS: &str = "default-status";
const TYPE: &str = "configuration-type";
const QUESTIONS: &str = "configuration-questions";

/// The status that must be flagged as default, as the guide to the integration demands.
const ACTIVE: &str = "Active";

/// What psasync is to find in ConnectWise. Configuration: `[record]`.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The configuration type.
    pub type_name: &'a str,
    /// The status of new records; `None` for the one flagged as default.
    pub status: Option<&'a str>,
    /// Whether psasync may create the type and its questions.
    pub manage_type: bool,
}

impl<'a> Wanted<'a> {
    /// What a configuration asks for.
    #[must_use]
    pub fn of(config: &'a Config) -> Self {
        let record = &config.record;
        Self {
            type_name: &record.type_name,
            status: record.status.as_deref(),
            manage_type: record.manage_type,
        }
    }
}

/// What the checks of ConnectWise came to.
#[derive(Debug)]
pub struct ConnectWiseAccess {
    /// In the order in which a person reads them.
    pub checks: Vec<Check>,
    /// The tenant, where it was found.
    pub tenant: Option<Tenant>,
    /// Whether the keys are taken.
    pub is_signed_in: bool,
    /// The configuration type, where there is one that can carry records.
    pub type_table: Option<TypeTable>,
    /// The statuses that configurations can have, as far as they could be read.
    pub statuses: Vec<ConfigurationStatus>,
    /// Whether the role may read company statuses, where it was asked.
    pub reads_company_statuses: Option<bool>,
}

impl ConnectWiseAccess {
    fn nothing() -> Self {
        Self {
            checks: Vec::new(),
            tenant: None,
            is_signed_in: false,
            type_table: None,
            statuses: Vec::new(),
            reads_company_statuses: None,
        }
    }

    pub(super) fn not_made(why: &str) -> Self {
        let checks = Check::not_made(&[COMPANY, KEYS, CLIENT_ID, RIGHT, STATUS, TYPE, QUESTIONS], why);
        Self { checks: checks.collect(), ..Self::nothing() }
    }
}

/// Checks the login company, the host, the keys, the client id, the rights one by one, the default status, the type and its questions.
///
/// Sends nothing but GET, a dozen requests, most of which ask for a single row.
pub async fn check_connectwise<E: Exchange>(reader: &Reader<E>, wanted: &Wanted<'_>) -> ConnectWiseAccess {
    let mut access = ConnectWiseAccess::nothing();
    match reader.tenant().await {
        Ok(tenant) => {
            access.checks.extend(of_tenant(&tenant));
            access.tenant = Some(tenant);
        }
        Err(error) => {
            let name = name_of(&error, HOST);
            access.checks.push(Check::connectwise(name, &error));
            let rest = [KEYS, CLIENT_ID, RIGHT, STATUS, TYPE, QUESTIONS];
            access.checks.extend(Check::not_made(&rest, "the login company was not found"));
            return access;
        }
    }
    let companies = reader.read_one_of(&COMPANY_MAINTENANCE).await;
    if let Some(refused) = companies.as_ref().err().filter(|error| ends_checks(error)) {
        access.checks.push(Check::connectwise(name_of(refused, KEYS), refused));
        let rest = [RIGHT, STATUS, TYPE, QUESTIONS];
        access.checks.extend(Check::not_made(&rest, "ConnectWise answers no question"));
        return access;
    }
    access.is_signed_in = true;
    access.checks.push(Check::pass(KEYS, "ConnectWise takes the keys and the client id"));
    access.checks.extend(of_version(reader));
    access.checks.push(right(&COMPANY_MAINTENANCE, companies));
    access.checks.push(right(&CONFIGURATIONS_INQUIRE, reader.read_one_of(&CONFIGURATIONS_INQUIRE).await));
    let reads_company_statuses = reader.reads_company_statuses().await;
    access.reads_company_statuses = reads_company_statuses.as_ref().ok().copied();
    access.checks.push(company_statuses(reads_company_statuses));
    access.checks.push(edit());
    access.checks.push(excess(reader).await);
    let statuses = reader.configuration_statuses().await;
    access.checks.push(status(statuses.as_deref(), wanted));
    access.statuses = statuses.unwrap_or_default();
    let (table, checks) = type_and_questions(reader, wanted).await;
    access.type_table = table;
    access.checks.extend(checks);
    access
}

/// What an error is about.
fn name_of(error: &ConnectWiseError, otherwise: &'static str) -> &'static str {
    match error {
        ConnectWiseError::CompanyUnknown { .. } => COMPANY,
        ConnectWiseError::OtherHost { .. } | ConnectWiseError::NotConnectWise { .. } => HOST,
        ConnectWiseError::ClientId(_) => CLIENT_ID,
        ConnectWiseError::Credentials(_) => KEYS,
        ConnectWiseError::Unreadable { .. } if error.is_about_version() => VERSION,
        ConnectWiseError::RightMissing { .. }
        | ConnectWiseError::Unreadable { .. }
        | ConnectWiseError::Partial { .. }
        | ConnectWiseError::TypeUnusable(_) => otherwise,
    }
}

/// Whether no other question fares better. A missing right is one list's own.
fn ends_checks(error: &ConnectWiseError) -> bool {
    !matches!(error, ConnectWiseError::RightMissing { .. })
}

fn of_tenant(tenant: &Tenant) -> Vec<Check> {
    let Tenant { company_id, host, codebase, .. } = tenant;
    let name = tenant.company_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let version = tenant.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
    let known = format!("the login company `{company_id}`{name} is known: codebase `{codebase}`{version}");
    let mut checks = vec![match &tenant.named_codebase {
        Some(named) if named != codebase => Check::warn(
            COMPANY,
            format!("{known}; the configuration names `{named}`"),
            "set `connectwise.codebase` to `auto`, so that an upgrade of the tenant changes nothing",
        ),
        _ => Check::pass(COMPANY, known),
    }];
    checks.push(match &tenant.api_host {
        Some(api_host) => Check::warn(
            HOST,
            format!("`{host}` is the host that people log in at"),
            format!("set `connectwise.base_url` to `https://{api_host}`, the API's own host"),
        ),
        None => Check::pass(HOST, format!("`{host}` answers as ConnectWise does")),
    });
    checks
}

/// ConnectWise tells its version with every answer of the API.
fn of_version<E: Exchange>(reader: &Reader<E>) -> Option<Check> {
    let (server, pinned) = reader.versions();
    let server = server?;
    Some(match reader.version_behind() {
        Some(finding) => Check::warn(VERSION, finding.sentence, finding.reason.remedy()),
        None if pinned.is_empty() => {
            Check::pass(VERSION, format!("API version {server}, and `connectwise.api_version` follows it"))
        }
        None => Check::pass(VERSION, format!("API version {server}; `connectwise.api_version` is {pinned}")),
    })
}

fn right(area: &Area, read: Result<(), ConnectWiseError>) -> Check {
    match read {
        Ok(()) => Check::pass(RIGHT, format!("the role has {}", area.right)),
        Err(error) => Check::connectwise(RIGHT, &error),
    }
}

fn company_statuses(read: Result<bool, ConnectWiseError>) -> Check {
    match read {
        Ok(true) => Check::pass(RIGHT, "the role may read company statuses"),
        Ok(false) => Check::warn(
            RIGHT,
            "the role may not read company statuses, so inactive companies are not reported",
            "give the API member's role this right (System > Table Setup: Inquire, for Company / Company Status), or ignore this",
        ),
        Err(error) => Check::connectwise(RIGHT, &error),
    }
}

/// Reads cannot tell what a role may write.
fn edit() -> Check {
    Check {
        remedy: Some(
            "`psasync probe-write COMPANY` proves Edit; the first record that is made proves Add".to_owned(),
        ),
        ..Check::skip(EDIT, "Companies > Configurations: Add All and Edit All cannot be proved by reading")
    }
}

/// What the role can read although psasync never does.
async fn excess<E: Exchange>(reader: &Reader<E>) -> Check {
    let reads = futures_util::future::join_all(NOT_NEEDED.iter().map(|area| reader.read_one_of(area))).await;
    let named = |is_it: fn(&Result<(), ConnectWiseError>) -> bool| {
        let areas = NOT_NEEDED.iter().zip(&reads).filter(|(_, read)| is_it(read));
        areas.map(|(area, _)| area.right).collect::<Vec<_>>().join("; ")
    };
    let excess = named(Result::is_ok);
    let unknown = named(|read| read.as_ref().is_err_and(|error| !error.is_refusal()));
    match (excess.is_empty(), unknown.is_empty()) {
        (false, _) => Check::warn(
            EXCESS,
            format!("the role may do more than psasync needs: {excess}"),
            "give the API member a role of its own, with the rights in docs/access.md only",
        ),
        (true, false) => Check::skip(EXCESS, format!("ConnectWise gave no clear answer about {unknown}")),
        (true, true) => {
            let asked: Vec<_> = NOT_NEEDED.iter().map(|area| area.right).collect();
            Check::pass(EXCESS, format!("the role has none of what was tried beside: {}", asked.join("; ")))
        }
    }
}

/// New records get the status that is flagged as default. Umbrella's own console saves no PSA ID unless that is "Active".
fn status(statuses: Result<&[ConfigurationStatus], &ConnectWiseError>, wanted: &Wanted<'_>) -> Check {
    const FLAG: &str = "flag \"Active\" as default in ConnectWise (System > Setup Tables > Configuration > Configuration Status)";
    let statuses = match statuses {
        Ok(statuses) => statuses,
        Err(error) => return Check::connectwise(STATUS, error),
    };
    let default = statuses.iter().find(|status| status.default).map(|status| status.name.as_str());
    let is = |name: &str, other: &str| name.trim().eq_ignore_ascii_case(other.trim());
    if let Some(name) = wanted.status
        && !statuses.iter().any(|status| is(&status.name, name))
    {
        let known = quoted(statuses.iter().map(|status| status.name.as_str()));
        return Check::fail(
            STATUS,
            Exit::Config,
            format!("`record.status`: ConnectWise has no configuration status `{name}`; it has {known}"),
            "correct the name, or leave `record.status` empty for the status flagged as default",
        );
    }
    let new_records = |name: &str| format!("new records get the status `{name}` of `record.status`");
    match (default, wanted.status) {
        (Some(default), None) if is(default, ACTIVE) => {
            Check::pass(STATUS, format!("`{default}` is flagged as default, and new records get it"))
        }
        (Some(default), Some(name)) if is(default, ACTIVE) => Check::pass(STATUS, new_records(name)),
        (Some(default), None) => {
            Check::warn(STATUS, format!("`{default}` is flagged as default, and new records get it"), FLAG)
        }
        (Some(default), Some(name)) => {
            Check::warn(STATUS, format!("{}; `{default}` is flagged as default", new_records(name)), FLAG)
        }
        (None, Some(name)) => {
            Check::warn(STATUS, format!("{}; no status is flagged as default", new_records(name)), FLAG)
        }
        (None, None) => Check::fail(
            STATUS,
            Exit::Degraded,
            "no configuration status is flagged as default: records are updated, and none is created",
            format!("{FLAG}, or set `record.status`"),
        ),
    }
}

async fn type_and_questions<E: Exchange>(
    reader: &Reader<E>,
    wanted: &Wanted<'_>,
) -> (Option<TypeTable>, Vec<Check>) {
    let name = wanted.type_name;
    let not_made = |why| Check::not_made(&[QUESTIONS], why);
    let id = match find_type(reader, name).await {
        Ok(Some(id)) => id,
        Ok(None) => {
            let checks = std::iter::once(no_type(wanted)).chain(not_made("there is no type"));
            return (None, checks.collect());
        }
        Err(error) => {
            let check = Check::connectwise(TYPE, &error);
            return (None, std::iter::once(check).chain(not_made("the type cannot be used")).collect());
        }
    };
    let mut checks = vec![Check::pass(TYPE, format!("the configuration type `{name}` exists and is active"))];
    match reader.type_table(id).await {
        Ok(table) => {
            checks.extend(questions::check(&table, wanted));
            (Some(table), checks)
        }
        Err(error) => {
            checks.push(Check::connectwise(QUESTIONS, &error));
            (None, checks)
        }
    }
}

fn no_type(wanted: &Wanted<'_>) -> Check {
    let name = wanted.type_name;
    if wanted.manage_type {
        return Check::warn(
            TYPE,
            format!(
                "there is no configuration type `{name}`, or the role's Customize list hides it: the next run creates it"
            ),
            "run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All",
        );
    }
    Check::fail(
        TYPE,
        Exit::Failed,
        format!(
            "there is no configuration type `{name}`, or the role's Customize list hides it; `record.manage_type` is false"
        ),
        "run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All",
    )
}
