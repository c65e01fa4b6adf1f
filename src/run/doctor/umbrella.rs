//! Whether Umbrella takes the key, and what the key may do.

use super::check::{Check, counted};
use crate::domain::organization::Organization;
use crate::domain::snapshot::Completeness;
use crate::http::Exchange;
use crate::run::exit::Exit;
use crate::umbrella::{
    CONSOLE_SCOPE, CUSTOMERS_SCOPE, CustomerSource, Fleet, NEEDED_SCOPES, NeededScope, Scopes, Umbrella,
    UmbrellaError,
};

const TOKEN: &str = "umbrella-token";
const SCOPE: &str = "umbrella-scope";
const EXCESS: &str = "umbrella-scopes-excess";
const CONSOLE: &str = "umbrella-console";
const CUSTOMERS: &str = "umbrella-customers";
const PACKAGE: &str = "umbrella-package";

/// What the checks of Umbrella came to.
#[derive(Debug)]
pub struct UmbrellaAccess {
    /// In the order in which a person reads them.
    pub checks: Vec<Check>,
    /// The customers and the console, where they could be read.
    pub fleet: Option<Fleet>,
    /// What the token says that it may be used for, where there is a token.
    pub scopes: Option<Option<Scopes>>,
}

impl UmbrellaAccess {
    pub(super) fn not_made(why: &str) -> Self {
        let checks = Check::not_made(&[TOKEN, SCOPE, EXCESS, CONSOLE, CUSTOMERS, PACKAGE], why);
        Self { checks: checks.collect(), fleet: None, scopes: None }
    }
}

/// Checks the key: a token, its scopes, the kind of console, the customers.
///
/// `source` is where the customers come from, `mapped` who they are where it is the mapping. Three to five requests for most consoles, and
/// one more for every hundred customers.
pub async fn check_umbrella<E: Exchange>(
    umbrella: &Umbrella<E>,
    source: CustomerSource,
    mapped: &[Organization],
) -> UmbrellaAccess {
    let scopes = match umbrella.scopes().await {
        Ok(scopes) => scopes,
        Err(error) => {
            let rest = [SCOPE, EXCESS, CONSOLE, CUSTOMERS, PACKAGE];
            let mut checks = vec![Check::umbrella(TOKEN, &error)];
            checks.extend(Check::not_made(&rest, "there is no token"));
            return UmbrellaAccess { checks, fleet: None, scopes: None };
        }
    };
    let mut checks = vec![Check::pass(TOKEN, "Umbrella takes the API key and gives a token")];
    checks.extend(of_scopes(scopes.as_ref(), source));
    let fleet = match umbrella.customers(mapped, None).await {
        Ok(fleet) => fleet,
        Err(error) => {
            checks.extend(without_customers(&error, checks.iter().any(Check::has_failed)));
            return UmbrellaAccess { checks, fleet: None, scopes: Some(scopes) };
        }
    };
    checks.extend([console(&fleet), customers(&fleet), package(&fleet)]);
    UmbrellaAccess { checks, fleet: Some(fleet), scopes: Some(scopes) }
}

/// Have, need and excess.
fn of_scopes(scopes: Option<&Scopes>, source: CustomerSource) -> Vec<Check> {
    let Some(scopes) = scopes else {
        let sentence = "the token does not say which scopes the key has";
        let remedy = "compare the key in the Umbrella console with the scopes in docs/access.md";
        return vec![
            Check::warn(SCOPE, sentence, remedy),
            Check::skip(EXCESS, format!("{EXCESS}: not checked, {sentence}")),
        ];
    };
    let mut checks: Vec<_> = NEEDED_SCOPES.iter().map(|needed| of_scope(needed, scopes, source)).collect();
    let excess: Vec<_> = scopes.excess().map(|scope| format!("`{scope}`")).collect();
    checks.push(if excess.is_empty() {
        Check::pass(EXCESS, "the key has no scope that psasync does not need")
    } else {
        Check::warn(
            EXCESS,
            format!("the key may do more than psasync needs: {}", excess.join(", ")),
            "make a key with the scopes in docs/access.md only",
        )
    });
    checks
}

fn of_scope(needed: &NeededScope, scopes: &Scopes, source: CustomerSource) -> Check {
    let NeededScope { scope, purpose } = *needed;
    if scopes.cover(scope) {
        return Check::pass(SCOPE, format!("the key has `{scope}`: {purpose}"));
    }
    let sentence = format!("the key lacks `{scope}`: {purpose}");
    let remedy = "add the scope, read-only, to the API key in the Umbrella console";
    match scope {
        CUSTOMERS_SCOPE if source == CustomerSource::Mapping => {
            Check::pass(SCOPE, format!("{sentence}; not needed with `umbrella.customers = \"mapping\"`"))
        }
        CUSTOMERS_SCOPE => Check::fail(SCOPE, Exit::Denied, sentence, remedy),
        CONSOLE_SCOPE => {
            Check::warn(SCOPE, format!("{sentence}; each organization is asked by itself instead"), remedy)
        }
        _ => Check::fail(SCOPE, Exit::Degraded, sentence, remedy),
    }
}

/// A list that cannot be read tells of the console where the key has the right, and of nothing but itself where it has not.
///
/// Where the scope for it was missed before, that has been said.
fn without_customers(error: &UmbrellaError, was_missed: bool) -> Vec<Check> {
    if was_missed && matches!(error, UmbrellaError::MissingScope { .. }) {
        return Check::not_made(&[CONSOLE, CUSTOMERS, PACKAGE], "the customer list needs its scope")
            .collect();
    }
    let name = if matches!(error, UmbrellaError::NoCustomerList { .. }) { CONSOLE } else { CUSTOMERS };
    let rest = [CONSOLE, CUSTOMERS, PACKAGE].into_iter().filter(|rest| *rest != name);
    let rest: Vec<_> = rest.collect();
    std::iter::once(Check::umbrella(name, error))
        .chain(Check::not_made(&rest, "the customer list could not be read"))
        .collect()
}

fn console(fleet: &Fleet) -> Check {
    let sentence = match fleet.customers_path {
        None => "not asked: the mapping is the customer list",
        Some(path) if path.contains("/providers/") => {
            "a console with a providers customer list (MSSP, service provider, partner, MSP with MSLA)"
        }
        Some(_) => "a console with a managed customer list (MSP, Multi-org)",
    };
    Check::pass(CONSOLE, sentence)
}

fn customers(fleet: &Fleet) -> Check {
    let count = counted(fleet.customers.items.len(), "customer");
    let expected = fleet.console.as_ref().and_then(|console| console.customer_count);
    match (&fleet.customers.completeness, expected) {
        (Completeness::Partial { reason }, _) => Check::warn(
            CUSTOMERS,
            format!("{count}, and there may be more: {reason}"),
            "organizations on the list are served, absent ones are `organization-unknown`; run again, and if it stays, compare with \
             the list in the Umbrella console",
        ),
        (Completeness::Complete, Some(expected)) => {
            Check::pass(CUSTOMERS, format!("{count}; the console counts {expected}"))
        }
        (Completeness::Complete, None) => {
            Check::pass(CUSTOMERS, format!("{count}; the console does not say how many there are"))
        }
    }
}

fn package(fleet: &Fleet) -> Check {
    let named = fleet.customers.items.iter().filter(|organization| organization.package.is_some()).count();
    let package = fleet.console.as_ref().and_then(|console| console.package.as_deref());
    match (named, package) {
        (0, Some(package)) => Check::pass(
            PACKAGE,
            format!("the console's package is {package}; the customer list names none, and the mapping may"),
        ),
        (0, None) => Check::warn(
            PACKAGE,
            "neither the customer list nor the console names a package",
            "name packages in the mapping's `package` column; until then the old answers stay",
        ),
        (named, _) => Check::pass(
            PACKAGE,
            format!("the customer list names the package of {}", counted(named, "customer")),
        ),
    }
}
