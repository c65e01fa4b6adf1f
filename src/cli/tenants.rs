//! Several tenants in one folder: one configuration file each.
//!
//! A tenant is a pair of an Umbrella console and a ConnectWise company, with keys, limits, mapping and state of its own. It is called what its
//! file is called, without `.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::args::Globals;
use super::context::environment;
use super::failure::Failure;
use super::job;
use crate::config::keys::variable;
use crate::config::{self, Config, StatePath};
use crate::domain::text::system_words;
use crate::run::{Exit, tenant_name};

/// What belongs to one tenant alone. A variable that sets one of them, or its `_file` twin, would set it for all.
const OF_ONE_TENANT: [&str; 7] = [
    "umbrella.api_key",
    "umbrella.api_secret",
    "connectwise.company_id",
    "connectwise.public_key",
    "connectwise.private_key",
    "mapping.file",
    "state.path",
];

/// One of several tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tenant {
    pub(super) name: String,
    pub(super) config_path: PathBuf,
}

/// Whom a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The only configuration there is, or a tenant that was chosen.
    One {
        config_path: PathBuf,
        /// Its name, where it is one of several.
        tenant: Option<String>,
        /// Whether the Job's variables chose it: then they say no shard.
        is_by_job: bool,
    },
    /// All of a folder, by name.
    All(Vec<Tenant>),
}

/// Finds out whom a command is about: `--config` names a file or a folder, `--tenant` or a Job's variables one of the folder.
pub(super) fn choose(globals: &Globals) -> Result<Choice, Failure> {
    let path = &globals.config;
    if !path.is_dir() {
        return match &globals.tenant {
            None => Ok(Choice::One { config_path: path.clone(), tenant: None, is_by_job: false }),
            Some(_) => Err(Failure::new(
                Exit::Usage,
                format!("`--tenant`: {} is no folder of tenants", path.display()),
                "leave it out, or name the folder with `--config`",
            )),
        };
    }
    let tenants = listed(path)?;
    let is_by_job = globals.tenant.is_none();
    let chosen = match &globals.tenant {
        Some(name) => Some(named(&tenants, name, path)?),
        None => placed(&tenants, path)?,
    };
    match variable_of_one()? {
        Some((name, path)) if globals.tenant.is_none() => {
            return Err(Failure::new(
                Exit::Config,
                format!("{name}: `{path}` would be the same for every tenant"),
                "set it in each tenant's file, or name one tenant with `--tenant`",
            ));
        }
        // It is about the tenant that was named. What the others are is not in their files alone then.
        Some(_) => {}
        None => check_distinct(&tenants)?,
    }
    Ok(match chosen {
        Some(Tenant { name, config_path }) => {
            Choice::One { config_path: config_path.clone(), tenant: Some(name.clone()), is_by_job }
        }
        None => Choice::All(tenants),
    })
}

/// The names of tenants, as a person is told them.
pub(super) fn names(tenants: &[Tenant]) -> String {
    tenants.iter().map(|tenant| format!("`{}`", tenant.name)).collect::<Vec<_>>().join(", ")
}

/// Every `*.toml` of the folder, by name.
fn listed(folder: &Path) -> Result<Vec<Tenant>, Failure> {
    let unreadable = |error: std::io::Error| {
        let why = system_words(&error.to_string());
        Failure::new(
            Exit::Config,
            format!("{}: cannot be read: {why}", folder.display()),
            "make it readable, or name another folder with `--config`",
        )
    };
    let mut tenants = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let config_path = entry.map_err(unreadable)?.path();
        let is_toml = config_path.extension().is_some_and(|extension| extension == "toml");
        let name = config_path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        if let Some(name) = name.filter(|name| is_toml && !name.starts_with('.'))
            && config_path.is_file()
        {
            tenants.push(Tenant { name, config_path });
        }
    }
    if tenants.is_empty() {
        let message = format!("{}: the folder has no tenant", folder.display());
        return Err(Failure::new(Exit::Config, message, "put one `NAME.toml` into it for each tenant"));
    }
    tenants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tenants)
}

fn named<'t>(tenants: &'t [Tenant], name: &str, folder: &Path) -> Result<&'t Tenant, Failure> {
    tenants.iter().find(|tenant| tenant.name == name).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!("`--tenant`: {} has no tenant `{name}`", folder.display()),
            format!("it has {}", names(tenants)),
        )
    })
}

/// The tenant of this pod. A Job with another number of pods would leave a tenant out every night, or fail every night.
fn placed<'t>(tenants: &'t [Tenant], folder: &Path) -> Result<Option<&'t Tenant>, Failure> {
    let Some(place) = job::place()? else { return Ok(None) };
    if usize::try_from(place.count()) != Ok(tenants.len()) {
        return Err(Failure::new(
            Exit::Config,
            format!(
                "JOB_COMPLETIONS is {}, and {} has {} tenants: {}",
                place.count(),
                folder.display(),
                tenants.len(),
                names(tenants)
            ),
            "set `completions` of the Job and JOB_COMPLETIONS to the number of tenants, or one would never run",
        ));
    }
    Ok(usize::try_from(place.index()).ok().and_then(|index| tenants.get(index)))
}

/// A variable that says what tells tenants apart, and the setting that it is of.
fn variable_of_one() -> Result<Option<(String, String)>, Failure> {
    let paths = OF_ONE_TENANT.into_iter().flat_map(|path| [path.to_owned(), format!("{path}_file")]);
    let mut known: BTreeMap<_, _> = paths.map(|path| (variable(&path), path)).collect();
    Ok(environment()?.into_iter().find_map(|(name, _)| known.remove_entry(&name)))
}

/// Two tenants on one key would exceed its limits together; two that write the same records would write them twice; with one list, each
/// would miss the organizations of the other. Files that are not valid are their own tenant's trouble.
fn check_distinct(tenants: &[Tenant]) -> Result<(), Failure> {
    let mut seen: BTreeMap<(&str, String), &Tenant> = BTreeMap::new();
    for tenant in tenants {
        let Ok(config::Loaded { config, .. }) = config::load(&tenant.config_path, environment()?) else {
            continue;
        };
        for (what, value) in distinct(&config) {
            if let Some(other) = seen.insert((what, value), tenant) {
                return Err(Failure::new(
                    Exit::Config,
                    format!("the tenants `{}` and `{}` have the same {what}", other.name, tenant.name),
                    "give each a key, a mapping, records and a state of its own; one console and one company are one tenant, with one mapping",
                ));
            }
        }
    }
    Ok(())
}

/// What two tenants must not have in common. Who shares a state and a login company shares leases, too.
fn distinct(config: &Config) -> [(&'static str, String); 4] {
    let login = tenant_name(config);
    let records = format!("{login} {}", config.record.type_name.trim().to_lowercase());
    let state = match (&config.state.url, &config.state.path) {
        (Some(url), _) => url.expose().to_owned(),
        (None, StatePath::Memory) => records.clone(),
        (None, StatePath::File(path)) => path.display().to_string(),
    };
    let key = format!("{} {}", config.umbrella.base_url, config.umbrella.api_key.expose());
    [
        ("`umbrella.api_key`", key),
        ("`mapping.file`", config.mapping_file.display().to_string()),
        ("ConnectWise company and `record.type_name`", records),
        ("ConnectWise company and state", format!("{login} {state}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    #[test]
    fn tenants_are_the_toml_files_of_a_folder_by_name() {
        let folder = folder(&["beta.toml", "alpha.toml", "companies.csv", ".hidden.toml", "psasync.db"]);
        fs::create_dir(folder.path().join("old.toml")).unwrap();
        let tenants = listed(folder.path()).unwrap();
        assert_eq!(names(&tenants), "`alpha`, `beta`");
        assert_eq!(
            named(&tenants, "beta", folder.path()).unwrap().config_path,
            folder.path().join("beta.toml")
        );
        let unknown = named(&tenants, "gamma", folder.path()).unwrap_err();
        assert!(unknown.exit == Exit::Usage && unknown.plain().ends_with("it has `alpha`, `beta`"));
    }

    #[test]
    fn a_folder_without_a_tenant_is_not_valid() {
        let folder = folder(&["companies.csv"]);
        let failure = listed(folder.path()).unwrap_err();
        assert_eq!(failure.exit, Exit::Config);
        assert!(failure.plain().contains("the folder has no tenant"), "{}", failure.plain());
    }
}
