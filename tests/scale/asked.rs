//! What simulated services were asked, and whether that was within their limits.

use std::collections::BTreeMap;

/// One request.
struct Request {
    at_ms: i64,
    service: String,
    method: String,
    path: String,
    organization: String,
    status: u16,
}

pub(crate) struct Asked(Vec<Request>);

/// Published limits: how many requests in so many milliseconds.
const TOKEN: &[(usize, i64)] = &[(20, 60_000)];
const ADMIN: &[(usize, i64)] = &[(5, 1_000), (14, 60_000), (350, 1_800_000)];
const REPORTS: &[(usize, i64)] = &[(5, 1_000)];
const CONNECTWISE: &[(usize, i64)] = &[(1_000, 60_000)];

impl Asked {
    /// The requests of a log, in the order of their arrival.
    pub(crate) fn of(log: &str) -> Self {
        let mut requests: Vec<_> = log.lines().map(request).collect();
        requests.sort_by_key(|request| request.at_ms);
        Self(requests)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn count(&self, method: &str, is_counted: impl Fn(&str) -> bool) -> usize {
        self.0
            .iter()
            .filter(|one| one.service == "connectwise" && one.method == method && is_counted(&one.path))
            .count()
    }

    pub(crate) fn creates_of_records(&self) -> usize {
        self.count("POST", |path| path.ends_with("/company/configurations"))
    }

    /// Of the type and its questions.
    pub(crate) fn creates_of_setup(&self) -> usize {
        self.count("POST", |path| path.contains("/company/configurations/types"))
    }

    pub(crate) fn changes_of_records(&self) -> usize {
        self.count("PATCH", |_| true)
    }

    /// No request was refused for its number, and no sliding window ever held more than `speed` times what is published.
    pub(crate) fn assert_within_limits(&self, speed: u32) {
        assert!(self.0.iter().all(|request| request.status != 429), "a budget was exceeded");
        let mut budgets = BTreeMap::<(String, &[(usize, i64)]), Vec<i64>>::new();
        for request in &self.0 {
            budgets.entry(budget(request)).or_default().push(request.at_ms);
        }
        assert!(budgets.len() > 3, "tokens, customers, reports and ConnectWise were asked");
        for ((name, windows), times) in budgets {
            for (max, span) in windows {
                let max = max * speed as usize;
                let fullest = (0..times.len())
                    .map(|first| times[first..].partition_point(|at| at - times[first] < *span));
                let fullest = fullest.max().unwrap_or_default();
                assert!(fullest <= max, "{name}: {fullest} requests in {span} ms, the limit is {max}");
            }
        }
    }
}

/// Which budget a request draws on, and what that may hold.
fn budget(request: &Request) -> (String, &'static [(usize, i64)]) {
    let path = request.path.as_str();
    match request.service.as_str() {
        "connectwise" => ("ConnectWise".to_owned(), CONNECTWISE),
        _ if path == "/auth/v2/token" => ("tokens".to_owned(), TOKEN),
        _ if path.starts_with("/admin/") => ("customers".to_owned(), ADMIN),
        _ if path.ends_with("/consoles") => ("consoles".to_owned(), ADMIN),
        _ => (format!("reports of {}", request.organization), REPORTS),
    }
}

fn request(line: &str) -> Request {
    let parts: Vec<_> = line.split('\t').collect();
    let [at, service, method, path, organization, status] = parts[..] else { panic!("no request: {line}") };
    Request {
        at_ms: at.parse().unwrap(),
        service: service.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        organization: organization.to_owned(),
        status: status.parse().unwrap(),
    }
}
