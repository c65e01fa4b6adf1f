//! What a person wants to know about the key and the console, beside what a run needs; and what a small sample of reports shows of what
//! the documents leave open. Only counts leave this module.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use url::Url;

use super::error::{AskError, TOKEN, TokenError, UmbrellaError};
use super::gateway::Gateway;
use super::scopes::{CUSTOMERS_SCOPE, Scopes};
use super::{ACTIVITY_SPAN, Umbrella, activity_span};
use crate::domain::ids::OrgId;
use crate::http::Exchange;

/// The category Malware.
const MALWARE: u64 = 67;
/// The category Command and Control.
const BOTNET: u64 = 65;

/// What reports show of what the documents leave open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The report on all organizations.
    pub all: Option<AllObserved>,
    /// One organization.
    pub sample: Option<SampleObserved>,
}

/// The report on the deployments of all organizations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllObserved {
    /// Those that it has.
    pub organizations: BTreeSet<OrgId>,
    /// Those of them in which nothing is active.
    pub silent: usize,
    /// What is active in 7 days, in all of them together.
    pub active_week: u64,
    /// What is active in one day; `None` where that was not answered.
    pub active_day: Option<u64>,
    /// Names that are escaped for HTML.
    pub escaped: usize,
    /// Names with a character that would be escaped.
    pub plain: usize,
}

/// The reports on one organization. A member is `None` where its report was not answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleObserved {
    /// Whether the token that was asked for it names it.
    pub is_token_its_own: Option<bool>,
    /// The identities of one type.
    pub identities: Option<IdentitiesObserved>,
    /// Whether the two threat categories have the ids that psasync counts.
    pub has_threat_ids: Option<bool>,
    /// Rows where one was asked for.
    pub top_categories: Option<usize>,
    /// Rows of the category that was asked for, and of others.
    pub summaries: Option<(usize, usize)>,
    /// The host that answered, where it is another than the one that was asked.
    pub region: Option<String>,
}

/// The report on identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdentitiesObserved {
    /// Rows of the one type that was asked for.
    pub networks: usize,
    /// Rows of other types.
    pub others: usize,
    /// Names that stand under one id, in however many rows.
    pub with_one_id: usize,
    /// Names that stand under several ids.
    pub with_several_ids: usize,
}

impl<E: Exchange> Umbrella<E> {
    /// What the console's token may be used for; `None` where it does not say.
    ///
    /// # Errors
    /// Where there is no token.
    pub async fn scopes(&self) -> Result<Option<Scopes>, UmbrellaError> {
        let scopes = self.gateway.console_scopes(None).await;
        scopes.map_err(|error| error.for_run(TOKEN, CUSTOMERS_SCOPE))
    }

    /// Reads two reports on all organizations, and four on one of them. What is not answered is not there.
    pub async fn observe(&self, now: DateTime<Utc>, sample: Option<OrgId>) -> Observed {
        let all = async {
            let path = |days| format!("/reports/v2/providers/deployments?{}", activity_span(now, days));
            let week = self.gateway.report(self.gateway.console(), &path(ACTIVITY_SPAN), None).await.ok()?;
            let day = self.gateway.report(self.gateway.console(), &path(TimeDelta::days(1)), None).await.ok();
            Some(of_all(&week, day.as_ref()))
        };
        let sample = async {
            match sample {
                Some(organization) => Some(of_one(&self.gateway, now, organization).await),
                None => None,
            }
        };
        let (all, sample) = tokio::join!(all, sample);
        Observed { all, sample }
    }
}

fn of_all(week: &Value, day: Option<&Value>) -> AllObserved {
    let mut observed = AllObserved {
        active_day: day.map(|day| rows(day).iter().map(active).sum()),
        ..AllObserved::default()
    };
    for row in rows(week) {
        let (active, label) = (active(row), row["organization"]["label"].as_str().unwrap_or_default());
        observed.organizations.extend(row["organization"]["id"].as_u64().map(OrgId));
        observed.silent += usize::from(active == 0);
        observed.active_week += active;
        let is_escaped = ["&#", "&amp;", "&quot;", "&lt;"].iter().any(|escape| label.contains(escape));
        observed.escaped += usize::from(is_escaped);
        observed.plain += usize::from(!is_escaped && label.contains(['&', '\'', '"', '<']));
    }
    observed
}

fn active(row: &Value) -> u64 {
    rows(&row["counts"]).iter().filter_map(|count| count["activecount"].as_u64()).sum()
}

async fn of_one<E: Exchange>(
    gateway: &Gateway<E>,
    now: DateTime<Utc>,
    organization: OrgId,
) -> SampleObserved {
    let session = gateway.organization(organization);
    let span = activity_span(now, ACTIVITY_SPAN);
    let identities: Result<Value, AskError> = gateway
        .report(&session, "/reports/v2/identities?limit=5000&offset=0&identitytypes=network", None)
        .await;
    let is_token_its_own = match &identities {
        Ok(_) => Some(true),
        Err(AskError::Token(TokenError::Unusable(_))) => Some(false),
        Err(_) => None,
    };
    let ask = async |path: String| gateway.report::<Value>(&session, &path, None).await.ok();
    let categories = ask("/reports/v2/categories".to_owned()).await;
    let top = ask(format!("/reports/v2/top-categories/dns?{span}&limit=1&offset=0")).await;
    let summaries = ask(format!(
        "/reports/v2/summaries-by-category/dns?{span}&limit=100&offset=0&categories={MALWARE}&verdict=blocked"
    ))
    .await;
    SampleObserved {
        is_token_its_own,
        identities: identities.ok().map(|identities| of_identities(&identities)),
        has_threat_ids: categories.map(|categories| has_threat_ids(&categories)),
        top_categories: top.map(|top| rows(&top).len()),
        summaries: summaries.map(|summaries| {
            let wanted = |row: &&Value| row["category"]["id"].as_u64() == Some(MALWARE);
            let count = rows(&summaries).iter().filter(wanted).count();
            (count, rows(&summaries).len() - count)
        }),
        region: session.region().as_ref().and_then(Url::host_str).map(str::to_owned),
    }
}

fn of_identities(identities: &Value) -> IdentitiesObserved {
    let is_network = |row: &&Value| row["type"]["type"].as_str() == Some("network");
    let networks = rows(identities).iter().filter(is_network).count();
    let mut ids_by_name: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for row in rows(identities) {
        if let (Some(name), Some(id)) = (row["label"].as_str(), row["id"].as_u64()) {
            ids_by_name.entry(name).or_default().insert(id);
        }
    }
    let with_one_id = ids_by_name.values().filter(|ids| ids.len() == 1).count();
    IdentitiesObserved {
        networks,
        others: rows(identities).len() - networks,
        with_one_id,
        with_several_ids: ids_by_name.len() - with_one_id,
    }
}

fn has_threat_ids(categories: &Value) -> bool {
    let is_named = |id: u64, name: &str| {
        rows(categories)
            .iter()
            .any(|row| row["id"].as_u64() == Some(id) && row["label"].as_str() == Some(name))
    };
    is_named(MALWARE, "Malware") && is_named(BOTNET, "Command and Control")
}

fn rows(data: &Value) -> &[Value] {
    data.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_counted_once_in_however_many_rows_they_stand() {
        let row =
            |id: u64, label: &str, kind: &str| json!({"id": id, "label": label, "type": {"type": kind}});
        let identities = json!([
            row(1, "office", "network"),
            row(1, "office", "network"),
            row(2, "lab", "network"),
            row(3, "lab", "network"),
            row(4, "lab", "site")
        ]);
        let expected = IdentitiesObserved { networks: 4, others: 1, with_one_id: 1, with_several_ids: 1 };
        assert_eq!(of_identities(&identities), expected);
    }
}
