//! What a key may be used for, and what psasync needs of it.

use std::fmt;

/// What a token may be used for, as `resource:right`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

/// A scope that psasync uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeededScope {
    /// As Umbrella spells it.
    pub scope: &'static str,
    /// What is read with it.
    pub purpose: &'static str,
}

/// The customer list. Without it there is no run, unless the mapping is the list.
pub const CUSTOMERS_SCOPE: &str = "admin.customers:read";
/// The reports on all organizations. Without it each organization is asked by itself.
pub const CONSOLE_SCOPE: &str = "reports.customers:read";

/// All scopes that psasync uses. Every one only reads.
pub const NEEDED_SCOPES: [NeededScope; 4] = [
    NeededScope { scope: CUSTOMERS_SCOPE, purpose: "the customer list" },
    NeededScope {
        scope: CONSOLE_SCOPE,
        purpose: "the reports on all organizations, and the console's package and customer count",
    },
    NeededScope { scope: "reports.aggregations:read", purpose: "the reports on one organization" },
    NeededScope { scope: "reports.utilities:read", purpose: "identities and categories" },
];

impl Scopes {
    pub(super) fn new(scopes: Vec<String>) -> Self {
        Self(scopes)
    }

    /// Whether `scope` is among them, for reading or for more than that. `admin` stands for everything below it.
    #[must_use]
    pub fn cover(&self, scope: &str) -> bool {
        let resource = resource(scope);
        self.0.iter().any(|own| {
            let own = self::resource(own);
            resource
                .strip_prefix(own)
                .is_some_and(|rest| !own.is_empty() && (rest.is_empty() || rest.starts_with('.')))
        })
    }

    /// Those that psasync has no use for: for other resources, for writing, or wider than what is needed.
    pub fn excess(&self) -> impl Iterator<Item = &str> {
        let is_needed = |own: &&str| NEEDED_SCOPES.iter().any(|needed| needed.scope == *own);
        self.0.iter().map(String::as_str).filter(move |own| !is_needed(own))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

fn resource(scope: &str) -> &str {
    scope.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excess_is_what_nobody_needs_and_what_writes() {
        let own = ["admin.customers:read", "admin.customers:write", "deployments:read", "reports:read"];
        let scopes = Scopes::new(own.map(str::to_owned).to_vec());
        let excess: Vec<_> = scopes.excess().collect();
        assert_eq!(excess, ["admin.customers:write", "deployments:read", "reports:read"]);
        assert!(
            NEEDED_SCOPES.iter().all(|needed| scopes.cover(needed.scope)),
            "the wider ones cover the rest"
        );
    }
}
