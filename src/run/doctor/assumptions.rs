//! What this tenant shows of what the services' documents leave open: one line for each row of docs/assumptions.md.
//!
//! psasync is right under both readings; a reading that shows is for people who want to know theirs.

use super::check::{Check, counted};
use crate::connectwise::{self, CompaniesObserved, RecordsObserved, Tenant, TypeTable};
use crate::domain::question::FieldType;
use crate::umbrella::{self, AllObserved, Fleet, IdentitiesObserved, SampleObserved, Scopes};

const NAME: &str = "assumption";

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) scopes: Option<Option<Scopes>>,
    pub(super) fleet: Option<Fleet>,
    pub(super) umbrella: umbrella::Observed,
    pub(super) tenant: Option<Tenant>,
    pub(super) type_table: Option<TypeTable>,
    pub(super) reads_company_statuses: Option<bool>,
    pub(super) connectwise: connectwise::Observed,
}

/// Which of the two readings shows.
enum Reading {
    A(String),
    B(String),
    /// Neither, and why.
    NotShown(String),
}

use Reading::{A, B, NotShown};

/// A row of docs/assumptions.md.
#[derive(Clone, Copy)]
pub struct Assumption {
    /// The service, as the document's heading spells it.
    pub service: &'static str,
    /// Its name in the document.
    pub name: &'static str,
    shown: Shown,
}

#[derive(Clone, Copy)]
enum Shown {
    /// Reads cannot show it, and why.
    Never(&'static str),
    By(fn(&Seen) -> Reading),
}

const fn never(service: &'static str, name: &'static str, why: &'static str) -> Assumption {
    Assumption { service, name, shown: Shown::Never(why) }
}

const fn by(service: &'static str, name: &'static str, shown: fn(&Seen) -> Reading) -> Assumption {
    Assumption { service, name, shown: Shown::By(shown) }
}

const U: &str = "Umbrella";
const C: &str = "ConnectWise";
const NEEDS_WRITE: &str = "it takes a write";
const NEEDS_FAILURE: &str = "it shows where something fails, and nothing is made to fail here";
const NEEDS_TIME: &str = "it takes days";

/// All rows of docs/assumptions.md, in its order.
pub const ASSUMPTIONS: &[Assumption] = &[
    never(U, "PSA ID", "no answer that psasync asks for has it"),
    by(U, "`X-Umbrella-OrgId`", own_token),
    never(U, "expired token", "it takes a token that ends"),
    by(U, "scopes in the token", token_scopes),
    by(U, "customer list", customer_list),
    never(U, "page size of customers", "100 is sent, which both readings allow"),
    by(U, "`customerCount`", customer_count),
    by(U, "`packageName` of the console", console_package),
    by(U, "`activecount` over 7 days", active_count),
    never(U, "what \"active\" means", "the vendor's own rule is in its console only"),
    never(U, "traffic of a network", "no report says which requests came from where"),
    by(U, "`identitytypes`", identity_types),
    never(U, "longest span of a report", "a month is asked for at night only"),
    never(U, "time that a report on a month takes", "a month is asked for at night only"),
    never(U, "Secure Access behind `umbrella.base_url`", "which product answers is not in an answer"),
    by(U, "silent organization in all-organizations reports", silent),
    by(U, "rows of identities in one answer", identity_rows),
    by(U, "`identity.id`", identity_ids),
    never(U, "`to` of a report", "it takes traffic within the last millisecond"),
    never(U, "late data", NEEDS_TIME),
    never(U, "\"sites\" of the threat fields", "it is what Umbrella's console means by the word"),
    never(U, "categories 64 and 66", "it is what Umbrella's console counts"),
    by(U, "ids 65 and 67", threat_ids),
    by(U, "rows of `summaries-by-category`", summary_rows),
    by(U, "`limit` on `top-categories`", top_limit),
    never(
        U,
        "`total` of `requests-by-org`",
        "it takes an organization with proxy traffic that is known otherwise",
    ),
    never(U, "`limit` of `requests-by-org`", "it takes more organizations than the limit"),
    by(U, "regional hosts", regions),
    never(U, "429", NEEDS_FAILURE),
    never(U, "token of a trial or suspended organization", "the customer list does not say which are"),
    never(U, "`lastSync` of a roaming computer", "`psasync shadow` asks for it, from a small budget"),
    never(U, "what other integrations count", "`psasync shadow` compares it"),
    by(U, "labels", labels),
    never(C, "`questions` that a PATCH leaves out", NEEDS_WRITE),
    never(C, "custom fields in a PATCH", NEEDS_WRITE),
    by(C, "line breaks in an answer", line_breaks),
    by(C, "characters outside ASCII", beyond_ascii),
    by(C, "longest answer", longest),
    by(C, "numbers", numbers),
    by(C, "answer of a Date question", dates),
    never(C, "a new question", NEEDS_WRITE),
    never(C, "required foreign question without answer", NEEDS_WRITE),
    by(C, "`requiredFlag`", required_flags),
    by(C, "two records of one type at one company", shared_companies),
    never(C, "type hidden from the role", NEEDS_WRITE),
    never(C, "quoting in conditions", "conditions contain numbers only"),
    by(C, "`deletedFlag=false`", deleted_filter),
    by(C, "largest page", largest_page),
    never(C, "wrong keys", "it takes wrong keys"),
    by(C, "codebase", codebase),
    never(C, "missing client id", "it takes a request without one"),
    never(C, "body of a 409", NEEDS_WRITE),
    never(C, "answer to a question that the type no longer has", NEEDS_WRITE),
    by(C, "what a record lists of its questions", listed_questions),
    by(C, "answer of a List question", choices),
    by(C, "answer of a Checkbox question", checks),
    by(C, "`activeFlag` of a record", active_flags),
    never(C, "429 without `Retry-After`", NEEDS_FAILURE),
    never(C, "a write without answer", NEEDS_WRITE),
    by(C, "`_info.dateEntered`", dates_entered),
    by(C, "right to read company statuses", company_statuses),
    never(C, "Last Updated of other integrations", "nobody signs it"),
    by(C, "`_info.lastUpdated`", updates),
    never(C, "taking an answer away", NEEDS_WRITE),
];

/// One line for each row.
pub(super) fn check(seen: &Seen) -> Vec<Check> {
    ASSUMPTIONS.iter().map(|assumption| of(assumption, seen)).collect()
}

fn of(assumption: &Assumption, seen: &Seen) -> Check {
    let Assumption { service, name, shown } = assumption;
    let reading = match shown {
        Shown::Never(why) => NotShown((*why).to_owned()),
        Shown::By(shown) => shown(seen),
    };
    match reading {
        A(what) => Check::pass(NAME, format!("{service}, {name}: reading A, {what}")),
        B(what) => Check::pass(NAME, format!("{service}, {name}: reading B, {what}")),
        NotShown(why) => Check::skip(NAME, format!("{service}, {name}: not shown, {why}")),
    }
}

fn not_shown(why: &str) -> Reading {
    NotShown(why.to_owned())
}

/// What the sample of reports on one organization shows.
fn sample(seen: &Seen, shown: impl Fn(&SampleObserved) -> Option<Reading>) -> Reading {
    let reading = seen.umbrella.sample.as_ref().and_then(shown);
    reading.unwrap_or_else(|| not_shown("no report on an organization was answered"))
}

fn all(seen: &Seen, shown: impl Fn(&AllObserved) -> Reading) -> Reading {
    let reading = seen.umbrella.all.as_ref().map(shown);
    reading.unwrap_or_else(|| not_shown("the report on all organizations was not answered"))
}

fn records(seen: &Seen, shown: impl Fn(&RecordsObserved) -> Reading) -> Reading {
    let records = seen.connectwise.records.as_ref().filter(|records| records.rows > 0);
    records.map_or_else(|| not_shown("there is no record to look at"), shown)
}

fn companies(seen: &Seen, shown: impl Fn(&CompaniesObserved) -> Reading) -> Reading {
    let companies = seen.connectwise.companies.as_ref().filter(|companies| companies.rows > 0);
    companies.map_or_else(|| not_shown("there is no company to look at"), shown)
}

/// A where `a` of something are so, B where some are otherwise.
fn either((a, of_a): (usize, &str), (b, of_b): (usize, &str), none: &str) -> Reading {
    match (a, b) {
        (0, 0) => not_shown(none),
        (a, 0) => A(format!("{a} {of_a}")),
        (a, b) => B(format!("{b} {of_b}, {a} {of_a}")),
    }
}

fn own_token(seen: &Seen) -> Reading {
    sample(seen, |sample| {
        Some(if sample.is_token_its_own? {
            A("the token names the organization that it was asked for".into())
        } else {
            B("the token does not name the organization that it was asked for".into())
        })
    })
}

fn token_scopes(seen: &Seen) -> Reading {
    match &seen.scopes {
        None => not_shown("there is no token"),
        Some(Some(_)) => A("the token lists them".into()),
        Some(None) => B("the token does not list them".into()),
    }
}

fn customer_list(seen: &Seen) -> Reading {
    match seen.fleet.as_ref().and_then(|fleet| fleet.customers_path) {
        None => not_shown("no customer list was read"),
        Some(path) if path.contains("/providers/") => A("`providers/customers`".into()),
        Some(_) => B("`managed/customers`".into()),
    }
}

fn customer_count(seen: &Seen) -> Reading {
    let Some(fleet) = seen.fleet.as_ref().filter(|fleet| fleet.customers_path.is_some()) else {
        return not_shown("no customer list was read");
    };
    let (listed, counted) = (
        fleet.customers.items.len() as u64,
        fleet.console.as_ref().and_then(|console| console.customer_count),
    );
    match counted {
        _ if !fleet.customers_ended => not_shown("the customer list was not read to its end"),
        None => not_shown("the console does not say how many there are"),
        Some(counted) if counted == listed => A(format!("both are {listed}")),
        Some(counted) => B(format!("the console counts {counted}, the list has {listed}")),
    }
}

fn console_package(seen: &Seen) -> Reading {
    let console =
        seen.fleet.as_ref().and_then(|fleet| Some((fleet, fleet.console.as_ref()?.package.as_ref()?)));
    let Some((fleet, package)) = console else { return not_shown("the console does not name a package") };
    let named: Vec<_> = fleet.customers.items.iter().filter_map(|one| one.package.as_ref()).collect();
    let same = named.iter().filter(|own| **own == package).count();
    either(
        (same, "customers have the console's"),
        (named.len() - same, "customers have another"),
        "the customer list names no packages",
    )
}

fn active_count(seen: &Seen) -> Reading {
    all(seen, |all| match all.active_day {
        None => not_shown("the report on one day was not answered"),
        Some(day) if day < all.active_week => {
            A(format!("{} active in 7 days, {day} in one", all.active_week))
        }
        Some(day) => not_shown(&format!(
            "{} active in 7 days and {day} in one: reading B, or everybody is active every day",
            all.active_week
        )),
    })
}

fn identity_types(seen: &Seen) -> Reading {
    sample(seen, |sample| {
        let IdentitiesObserved { networks, others, .. } = sample.identities?;
        Some(either(
            (networks, "of the type asked for"),
            (others, "of other types"),
            "the organization has no network",
        ))
    })
}

fn silent(seen: &Seen) -> Reading {
    let Some(fleet) = seen.fleet.as_ref().filter(|fleet| fleet.customers_path.is_some()) else {
        return not_shown("no customer list was read");
    };
    all(seen, |all| {
        let absent = fleet.customers.items.iter().filter(|one| !all.organizations.contains(&one.id)).count();
        either(
            (all.silent, "are there with nothing active"),
            (absent, "are absent"),
            "every organization is active",
        )
    })
}

fn identity_rows(seen: &Seen) -> Reading {
    sample(seen, |sample| {
        let IdentitiesObserved { networks, others, .. } = sample.identities?;
        let rows = networks + others;
        Some(if rows >= 5000 {
            A(format!("{rows} rows came"))
        } else {
            NotShown(format!("the organization that was looked at has {}", counted(rows, "row")))
        })
    })
}

fn identity_ids(seen: &Seen) -> Reading {
    sample(seen, |sample| {
        let IdentitiesObserved { with_one_id, with_several_ids, .. } = sample.identities?;
        Some(either(
            (with_one_id, "names with one id"),
            (with_several_ids, "names with several ids"),
            "the organization has no network",
        ))
    })
}

fn threat_ids(seen: &Seen) -> Reading {
    sample(seen, |sample| {
        Some(if sample.has_threat_ids? {
            A("65 is Command and Control, 67 is Malware".into())
        } else {
            B("65 or 67 has another name".into())
        })
    })
}

fn summary_rows(seen: &Seen) -> Reading {
    sample(seen, |sample| {
        let (wanted, others) = sample.summaries?;
        Some(either(
            (wanted, "of the category asked for"),
            (others, "of other categories"),
            "the organization that was looked at has no blocked malware",
        ))
    })
}

fn top_limit(seen: &Seen) -> Reading {
    sample(seen, |sample| {
        Some(match sample.top_categories? {
            0 => not_shown("the organization that was looked at has no traffic"),
            1 => A("one row where one was asked for".into()),
            rows => B(format!("{rows} rows where one was asked for")),
        })
    })
}

fn regions(seen: &Seen) -> Reading {
    let is_known = |host: &str| host.ends_with(".umbrella.com") || host.ends_with(".sse.cisco.com");
    sample(seen, |sample| {
        Some(match sample.region.as_deref() {
            None => not_shown("the organization that was looked at is answered without a redirect"),
            Some(host) if is_known(host) => A(format!("`{host}`")),
            Some(host) => B(format!("`{host}`")),
        })
    })
}

fn labels(seen: &Seen) -> Reading {
    all(seen, |all| {
        either(
            (all.escaped, "names are escaped"),
            (all.plain, "names are plain"),
            "no organization's name has such a character",
        )
    })
}

fn line_breaks(seen: &Seen) -> Reading {
    records(seen, |records| match records.with_line_break {
        0 => not_shown("no answer that was looked at has one"),
        count => B(format!("{count} answers have one")),
    })
}

fn beyond_ascii(seen: &Seen) -> Reading {
    records(seen, |records| match records.beyond_ascii {
        0 => not_shown("no answer that was looked at has one"),
        count => A(format!("{count} answers have some")),
    })
}

fn longest(seen: &Seen) -> Reading {
    records(seen, |records| match records.longest_text {
        1000.. => A(format!("the longest has {} characters", records.longest_text)),
        fewer => NotShown(format!("the longest that was looked at has {fewer} characters")),
    })
}

fn numbers(seen: &Seen) -> Reading {
    records(seen, |records| {
        either(
            (records.numbers, "answers are JSON numbers"),
            (records.numbers_as_text, "answers are texts"),
            "no numeric question is answered",
        )
    })
}

fn dates(seen: &Seen) -> Reading {
    records(seen, |records| {
        either(
            (records.iso_dates, "answers are ISO times"),
            (records.other_dates, "answers are not"),
            "no Date question is answered",
        )
    })
}

fn required_flags(seen: &Seen) -> Reading {
    records(seen, |records| {
        either(
            (records.required_agrees, "agree"),
            (records.required_differs, "differ, or lack it"),
            "no question is listed",
        )
    })
}

fn shared_companies(seen: &Seen) -> Reading {
    records(seen, |records| match records.shared_companies {
        0 => not_shown("no company that was looked at has two"),
        1 => B("1 company has several".into()),
        count => B(format!("{count} companies have several")),
    })
}

fn deleted_filter(seen: &Seen) -> Reading {
    companies(seen, |companies| match companies.deleted {
        0 => not_shown(&format!(
            "none of {} is deleted: reading A, or there is no deleted company",
            counted(companies.rows, "row")
        )),
        deleted => B(format!("{deleted} of {} are deleted", counted(companies.rows, "row"))),
    })
}

fn largest_page(seen: &Seen) -> Reading {
    companies(seen, |companies| match (companies.rows, companies.has_next) {
        (1000.., _) => A("1000 companies came".into()),
        (fewer, true) => B(format!("{fewer} companies came, and `Link` names a next page")),
        (fewer, false) => NotShown(format!("there are {fewer} companies")),
    })
}

fn codebase(seen: &Seen) -> Reading {
    let tenant = seen.tenant.as_ref();
    tenant.map_or_else(
        || not_shown("the login company was not found"),
        |tenant| NotShown(format!("it is `{}` now, and only an upgrade changes it", tenant.codebase)),
    )
}

fn listed_questions(seen: &Seen) -> Reading {
    records(seen, |records| {
        let whole = records.rows - records.without_some;
        either(
            (whole, "records list every question"),
            (records.without_some, "records leave some out"),
            "there is no record",
        )
    })
}

fn choices(seen: &Seen) -> Reading {
    let has_choice =
        |table: &TypeTable| table.questions.iter().any(|one| one.field_type == FieldType::Choice);
    match seen.type_table.as_ref().map(has_choice) {
        Some(true) => not_shown("a record does not say which of its questions are lists"),
        _ => not_shown("the type has no List question"),
    }
}

fn checks(seen: &Seen) -> Reading {
    records(seen, |records| {
        either(
            (records.booleans, "answers are booleans"),
            (records.other_checks, "answers are not"),
            "no Checkbox question is answered",
        )
    })
}

fn active_flags(seen: &Seen) -> Reading {
    records(seen, |records| {
        either(
            (records.active_as_status, "records follow their status"),
            (records.active_otherwise, "records do not"),
            "no record says both",
        )
    })
}

fn dates_entered(seen: &Seen) -> Reading {
    records(seen, |records| {
        either(
            (records.rows - records.undated, "records have it"),
            (records.undated, "records lack it"),
            "there is no record",
        )
    })
}

fn company_statuses(seen: &Seen) -> Reading {
    match seen.reads_company_statuses {
        None => not_shown("it was not asked"),
        Some(true) => A("the role may read them".into()),
        Some(false) => B("the role may not read them".into()),
    }
}

fn updates(seen: &Seen) -> Reading {
    records(seen, |records| match records.without_update {
        0 => not_shown("every record has it, and whether it changes takes a write"),
        missing => B(format!("{missing} records lack it")),
    })
}
