//! What Umbrella says about one organization. Every group of fields carries its own completeness.

use super::finding::Reason;

/// Something that was read, or the reason why it was not. What was not read is never 0, empty or absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading<T> {
    /// The complete answer.
    Read(T),
    /// No complete answer: the field keeps what it says.
    Unread(Unread),
}

/// Why something was not read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unread {
    /// The reason code that a person sees.
    pub reason: Reason,
    /// What happened, for a person.
    pub sentence: String,
}

impl Unread {
    /// A report that failed, was refused or came in part.
    #[must_use]
    pub fn report(sentence: impl Into<String>) -> Self {
        Self { reason: Reason::ReportUnread, sentence: sentence.into() }
    }
}

impl<T> Reading<T> {
    /// What was read.
    pub fn read(&self) -> Option<&T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Unread(_) => None,
        }
    }

    /// Why it was not read.
    pub fn unread(&self) -> Option<&Unread> {
        match self {
            Self::Read(_) => None,
            Self::Unread(unread) => Some(unread),
        }
    }

    /// Converts what was read, and passes on why something was not.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Read(value) => Reading::Read(convert(value)),
            Self::Unread(unread) => Reading::Unread(unread),
        }
    }
}

impl<T> From<Result<T, Unread>> for Reading<T> {
    fn from(result: Result<T, Unread>) -> Self {
        match result {
            Ok(value) => Self::Read(value),
            Err(unread) => Self::Unread(unread),
        }
    }
}

/// The networks or the roaming agents of an organization, from one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// How many there are.
    pub total: u64,
    /// How many had traffic in the 7 days before the scheduled time.
    pub active: u64,
    /// The names of the others, as Umbrella spells them, unescaped.
    pub inactive: Vec<String>,
}

/// Threats of one category, over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Threats {
    /// Distinct blocked domains. Wire: `summary.domains`.
    pub sites: u64,
    /// Blocked requests. Wire: `summary.requestsblocked`.
    pub requests: u64,
}

/// A content category with its DNS requests over a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryRequests {
    /// Wire: `category.label`, unescaped.
    pub name: String,
    /// Wire: `count`.
    pub requests: u64,
}

/// What the six "Last Month" fields are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthMetrics {
    /// DNS requests.
    pub queries: Reading<u64>,
    /// Category Malware (67), blocked.
    pub malware: Reading<Threats>,
    /// Category Command and Control (65), blocked.
    pub botnet: Reading<Threats>,
    /// Allowed domains, most requests first.
    pub top_domains: Reading<Vec<String>>,
    /// Blocked domains, most requests first.
    pub top_domains_blocked: Reading<Vec<String>>,
    /// Content categories that are not deprecated, most requests first.
    pub top_categories: Reading<Vec<CategoryRequests>>,
}

impl MonthMetrics {
    /// Nothing was read, all for the same reason.
    #[must_use]
    pub fn unread(why: &Unread) -> Self {
        fn all<T>(why: &Unread) -> Reading<T> {
            Reading::Unread(why.clone())
        }
        Self {
            queries: all(why),
            malware: all(why),
            botnet: all(why),
            top_domains: all(why),
            top_domains_blocked: all(why),
            top_categories: all(why),
        }
    }
}

impl MonthMetrics {
    /// Why something was not read.
    pub fn unread_because(&self) -> impl Iterator<Item = &Unread> {
        let Self { queries, malware, botnet, top_domains, top_domains_blocked, top_categories } = self;
        let reasons = [
            queries.unread(),
            malware.unread(),
            botnet.unread(),
            top_domains.unread(),
            top_domains_blocked.unread(),
            top_categories.unread(),
        ];
        reasons.into_iter().flatten()
    }
}

/// The answer of one of the reports that the six "Last Month" fields are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MonthAnswer {
    /// DNS requests.
    Queries(u64),
    /// Blocked threats of both categories.
    Threats {
        /// Category Malware.
        malware: Threats,
        /// Category Command and Control.
        botnet: Threats,
    },
    /// Allowed domains, most requests first.
    TopDomains(Vec<String>),
    /// Blocked domains, most requests first.
    TopDomainsBlocked(Vec<String>),
    /// Content categories, most requests first.
    TopCategories(Vec<CategoryRequests>),
}

/// The answers on one window that are known without asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthAnswers {
    /// DNS requests.
    pub queries: Option<u64>,
    /// Malware and botnet.
    pub threats: Option<(Threats, Threats)>,
    /// Allowed domains.
    pub top_domains: Option<Vec<String>>,
    /// Blocked domains.
    pub top_domains_blocked: Option<Vec<String>>,
    /// Content categories.
    pub top_categories: Option<Vec<CategoryRequests>>,
}

impl MonthAnswers {
    /// How many there are of a window, one from each report.
    pub const COUNT: usize = 5;

    /// How many of them are known.
    #[must_use]
    pub fn known(&self) -> usize {
        let Self { queries, threats, top_domains, top_domains_blocked, top_categories } = self;
        let known: [bool; Self::COUNT] = [
            queries.is_some(),
            threats.is_some(),
            top_domains.is_some(),
            top_domains_blocked.is_some(),
            top_categories.is_some(),
        ];
        known.into_iter().filter(|is_known| *is_known).count()
    }

    /// What is known, and `why` the rest is not.
    #[must_use]
    pub fn into_metrics(self, why: &Unread) -> MonthMetrics {
        fn reading<T>(known: Option<T>, why: &Unread) -> Reading<T> {
            known.ok_or_else(|| why.clone()).into()
        }
        let (malware, botnet) = self.threats.unzip();
        MonthMetrics {
            queries: reading(self.queries, why),
            malware: reading(malware, why),
            botnet: reading(botnet, why),
            top_domains: reading(self.top_domains, why),
            top_domains_blocked: reading(self.top_domains_blocked, why),
            top_categories: reading(self.top_categories, why),
        }
    }

    /// Adds an answer.
    pub fn add(&mut self, answer: MonthAnswer) {
        match answer {
            MonthAnswer::Queries(queries) => self.queries = Some(queries),
            MonthAnswer::Threats { malware, botnet } => self.threats = Some((malware, botnet)),
            MonthAnswer::TopDomains(names) => self.top_domains = Some(names),
            MonthAnswer::TopDomainsBlocked(names) => self.top_domains_blocked = Some(names),
            MonthAnswer::TopCategories(rows) => self.top_categories = Some(rows),
        }
    }
}

/// Everything that Umbrella says about one organization in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Package name.
    pub package: Reading<String>,
    /// Licensed seats.
    pub seats: Reading<u64>,
    /// Identities of type network.
    pub networks: Reading<Presence>,
    /// Identities of types roaming and anyconnect.
    pub agents: Reading<Presence>,
    /// The values of the window.
    pub month: MonthMetrics,
}
