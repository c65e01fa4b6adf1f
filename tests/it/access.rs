//! What a person reads where a credential, an address or a right is wrong: one test for each way.

use bytes::Bytes;
use http::Response;
use insta::assert_snapshot;
use psasync::http::{ExchangeError, TlsProblem};
use psasync::render::text;
use psasync::run::Exit;
use psasync::run::doctor::{Check, Verdict, exit_of};
use simulator::world::{ConfigurationStatus, Question, Role};
use simulator::{Service, World};

use crate::customers::acme;
use crate::rendering::plain;
use crate::simulated::{Night, TYPE};

/// What is not as it should be, as a person reads it.
fn trouble(checks: &[Check]) -> String {
    let is_trouble = |check: &&Check| matches!(check.verdict, Verdict::Warn | Verdict::Fail(_));
    plain(&text::checks(checks.iter().filter(is_trouble)))
}

async fn umbrella(night: Night) -> String {
    trouble(&night.check_umbrella().await.checks)
}

async fn connectwise(night: Night) -> String {
    trouble(&night.check_connectwise().await.checks)
}

fn night() -> Night {
    Night::of(acme())
}

fn with_scopes(scopes: &[&str]) -> Night {
    let mut world = acme();
    world.umbrella.scopes = scopes.iter().map(ToString::to_string).collect();
    Night::of(world)
}

fn with_role(change: impl FnOnce(&mut Role)) -> Night {
    let mut world = acme();
    change(&mut world.connectwise.role);
    Night::of(world)
}

fn with_world(change: impl FnOnce(&mut World)) -> Night {
    let mut world = acme();
    change(&mut world);
    Night::of(world)
}

/// Both services behind a network that fails in one way.
fn behind(error: ExchangeError) -> Night {
    let night = night();
    night.instead(move |_| Some(Err(error.clone())));
    night
}

/// ConnectWise's host answers the look-up of the codebase with this.
fn looked_up(status: u16, body: &'static str) -> Night {
    let night = night();
    night.instead(move |request| {
        let is_look_up = request.uri().path().starts_with("/login/companyinfo/");
        let answer = Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap();
        is_look_up.then_some(Ok(answer))
    });
    night
}

/// Every request to ConnectWise's API, but not the look-up, is answered with this.
fn answered(status: u16, body: &'static str) -> Night {
    let night = night();
    night.instead(move |request| {
        let answer = Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap();
        request.uri().path().contains("/apis/3.0/").then_some(Ok(answer))
    });
    night
}

fn tls(problem: TlsProblem, detail: &str) -> ExchangeError {
    ExchangeError::Tls { host: "service.example".into(), detail: detail.into(), problem }
}

#[tokio::test(start_paused = true)]
async fn where_everything_is_right_nothing_is_said() {
    assert_eq!(umbrella(night()).await, "");
    assert_eq!(connectwise(night()).await, "");
    let checks = night().check_umbrella().await.checks;
    assert_snapshot!(plain(&text::checks(&checks)), @"
    pass  Umbrella takes the API key and gives a token
    pass  the key has `admin.customers:read`: the customer list
    pass  the key has `reports.customers:read`: the reports on all organizations, and the console's package and customer count
    pass  the key has `reports.aggregations:read`: the reports on one organization
    pass  the key has `reports.utilities:read`: identities and categories
    pass  the key has no scope that psasync does not need
    pass  a console with a managed customer list (MSP, Multi-org)
    pass  1 customer; the console counts 1
    pass  the console's package is Umbrella DNS Security Advantage; the customer list names none, and the mapping may
    ");
    let night = night();
    let checks = night.check_connectwise().await.checks;
    assert_snapshot!(plain(&text::checks(&checks)), @"
    pass  the login company `demo` (Demo Managed Services) is known: codebase `v2025_1`, version v2025.1.1
    pass  `api-na.myconnectwise.net` answers as ConnectWise does
    pass  ConnectWise takes the keys and the client id
    pass  API version 2025.1; `connectwise.api_version` is 2025.1
    pass  the role has Companies > Company Maintenance: Inquire All
    pass  the role has Companies > Configurations: Inquire All
    pass  the role may read company statuses
    skip  Companies > Configurations: Add All and Edit All cannot be proved by reading
          hint: `psasync probe-write COMPANY` proves Edit; the first record that is made proves Add
    pass  the role has none of what was tried beside: Service Desk > Service Tickets: Inquire; Finance > Agreements: Inquire; Finance > Invoicing: Inquire; System > Member Maintenance: Inquire; Companies > Contacts: Inquire
    pass  `Active` is flagged as default, and new records get it
    pass  the configuration type `OpenDNS_Umbrella` exists and is active
    pass  16 of 16 questions are there and can hold their answers
    ");
    assert_eq!(exit_of(&checks), Exit::Done);
    assert!(night.log(Service::ConnectWise).len() <= 14, "{:?}", night.calls(Service::ConnectWise));
    assert!(night.log(Service::ConnectWise).iter().all(|logged| logged.method == http::Method::GET));
}

// Umbrella

#[tokio::test(start_paused = true)]
async fn a_wrong_umbrella_key() {
    let night = night().set("umbrella.api_key", "wrong");
    assert_snapshot!(umbrella(night).await, @"
    fail  Umbrella refused the API key: HTTP 401: Invalid authentication credentials
          hint: check `umbrella.api_key` and `umbrella.api_secret`, the key's expiry date and its network restrictions in the Umbrella console
    ");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_or_expired_umbrella_secret() {
    let night = night().set("umbrella.api_secret", "wrong");
    assert_snapshot!(umbrella(night).await, @"
    fail  Umbrella refused the API key: HTTP 401: Invalid authentication credentials
          hint: check `umbrella.api_key` and `umbrella.api_secret`, the key's expiry date and its network restrictions in the Umbrella console
    ");
}

#[tokio::test(start_paused = true)]
async fn an_umbrella_key_that_is_used_from_a_network_it_is_not_meant_for() {
    let night = night().with_fault("403@umbrella:/auth/v2/token**");
    assert_snapshot!(umbrella(night).await, @"
    fail  Umbrella refused the API key: HTTP 403: Forbidden
          hint: check `umbrella.api_key` and `umbrella.api_secret`, the key's expiry date and its network restrictions in the Umbrella console
    ");
}

#[tokio::test(start_paused = true)]
async fn an_umbrella_key_without_the_customer_list() {
    let night =
        with_scopes(&["reports.customers:read", "reports.aggregations:read", "reports.utilities:read"]);
    assert_snapshot!(umbrella(night).await, @"
    fail  the key lacks `admin.customers:read`: the customer list
          hint: add the scope, read-only, to the API key in the Umbrella console
    ");
}

#[tokio::test(start_paused = true)]
async fn an_umbrella_key_without_the_reports_on_one_organization() {
    let night = with_scopes(&["admin.customers:read", "reports.customers:read", "reports.utilities:read"]);
    assert_snapshot!(umbrella(night).await, @"
    fail  the key lacks `reports.aggregations:read`: the reports on one organization
          hint: add the scope, read-only, to the API key in the Umbrella console
    ");
}

#[tokio::test(start_paused = true)]
async fn an_umbrella_key_without_the_reports_on_all() {
    let night = with_scopes(&["admin.customers:read", "reports.aggregations:read", "reports.utilities:read"]);
    assert_snapshot!(umbrella(night).await, @"
    warn  the key lacks `reports.customers:read`: the reports on all organizations, and the console's package and customer count; each organization is asked by itself instead
          hint: add the scope, read-only, to the API key in the Umbrella console
    warn  neither the customer list nor the console names a package
          hint: name packages in the mapping's `package` column; until then the old answers stay
    ");
}

#[tokio::test(start_paused = true)]
async fn an_umbrella_key_that_may_more_than_it_needs() {
    let night = with_scopes(&[
        "admin.customers:read",
        "admin.customers:write",
        "reports:read",
        "deployments.networks:read",
    ]);
    assert_snapshot!(umbrella(night).await, @"
    warn  the key may do more than psasync needs: `admin.customers:write`, `reports:read`, `deployments.networks:read`
          hint: make a key with the scopes in docs/access.md only
    warn  neither the customer list nor the console names a package
          hint: name packages in the mapping's `package` column; until then the old answers stay
    ");
}

#[tokio::test(start_paused = true)]
async fn an_umbrella_console_of_another_kind() {
    let night = night().set("umbrella.customers", "providers");
    assert_snapshot!(umbrella(night).await, @"
    fail  this Umbrella console offers no customer list of the kind asked for: HTTP 403: Forbidden
          hint: set `umbrella.customers` to `auto`, or to `mapping` so that the organizations come from the mapping file
    ");
}

#[tokio::test(start_paused = true)]
async fn a_customer_list_that_ends_too_early() {
    let night = with_world(|world| world.umbrella.console.customer_count = Some(5));
    assert_snapshot!(umbrella(night).await, @"
    warn  1 customer, and there may be more: the customer list has 1 organizations, the console counts 5
          hint: organizations on the list are served, absent ones are `organization-unknown`; run again, and if it stays, compare with the list in the Umbrella console
    ");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_has_no_token_endpoint() {
    let night = night().with_fault("404@umbrella:/auth/v2/token**");
    assert_snapshot!(umbrella(night).await, @"
    fail  a token could not be read from Umbrella: HTTP 404: Not Found
          hint: check `umbrella.base_url`: there is no token endpoint; Umbrella's API is at `https://api.umbrella.com`, its console elsewhere
    ");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_redirects_to_a_login() {
    let night = night().with_fault("redirect(https://login.umbrella.com/)@umbrella:/auth/v2/token**");
    assert_snapshot!(umbrella(night).await, @"
    fail  a token could not be read from Umbrella: HTTP 302: redirected
          hint: check `umbrella.base_url`: there is no token endpoint; Umbrella's API is at `https://api.umbrella.com`, its console elsewhere
    ");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_answers_with_a_page_in_place_of_a_token() {
    let night = night().with_fault("html@umbrella:/auth/v2/token**");
    assert_snapshot!(umbrella(night).await, @r#"
    fail  Umbrella's answer for a token cannot be used: the answer is not JSON but the web page "Maintenance"
          hint: check `umbrella.base_url` (Umbrella's API is at `https://api.umbrella.com`); a proxy or a maintenance page in between answers like this, too
    "#);
}

#[tokio::test(start_paused = true)]
async fn an_umbrella_that_is_down() {
    let night = night().with_fault("503@umbrella:/auth/v2/token**");
    assert_snapshot!(umbrella(night).await, @"
    fail  a token could not be read from Umbrella: HTTP 503: Service Unavailable
          hint: run again later; Umbrella's status page tells of outages
    ");
}

#[tokio::test(start_paused = true)]
async fn an_umbrella_host_without_an_address() {
    let night = night().set("umbrella.base_url", "https://api.umbrela.example");
    assert_snapshot!(umbrella(night).await, @"
    fail  a token could not be read from Umbrella: the host name `api.umbrela.example` could not be resolved: no such host
          hint: check the host in `base_url` and this machine's name resolution
    ");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_redirects_to_a_host_that_is_not_listed() {
    let night = night().with_fault("redirect(https://reports.example/x)@umbrella:/admin/v2**");
    assert_snapshot!(umbrella(night).await, @"
    fail  the customer list could not be read from Umbrella: `api.umbrella.com` redirects to `reports.example`, which `umbrella.redirect_hosts` does not list
          hint: if the host is Umbrella's, add it to `umbrella.redirect_hosts`; otherwise check `umbrella.base_url`
    ");
}

// The way to a host

#[tokio::test(start_paused = true)]
async fn nobody_who_listens() {
    let night = || {
        behind(ExchangeError::Unconnected {
            host: "service.example".into(),
            detail: "Connection refused (os error 111)".into(),
        })
    };
    assert_snapshot!(umbrella(night()).await + &connectwise(night()).await, @"
    fail  a token could not be read from Umbrella: no connection to `service.example`: Connection refused (os error 111)
          hint: check the host and port in `base_url`, and firewalls in between
    fail  the codebase could not be read from ConnectWise: no connection to `service.example`: Connection refused (os error 111)
          hint: check the host and port in `base_url`, and firewalls in between
    ");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_in_time() {
    let night = || {
        behind(ExchangeError::Timeout {
            host: "service.example".into(),
            after: std::time::Duration::from_secs(60),
        })
    };
    assert_snapshot!(umbrella(night()).await + &connectwise(night()).await, @"
    fail  a token could not be read from Umbrella: `service.example` did not answer within 60 s
          hint: raise `http.read_timeout_s` if the service is slow
    fail  the codebase could not be read from ConnectWise: `service.example` did not answer within 60 s
          hint: raise `http.read_timeout_s` if the service is slow
    ");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_makes_no_connection() {
    let night = || {
        behind(ExchangeError::Proxy {
            host: "service.example".into(),
            detail: "tunnel error: proxy authorization required".into(),
        })
    };
    assert_snapshot!(umbrella(night()).await + &connectwise(night()).await, @"
    fail  a token could not be read from Umbrella: the proxy made no connection to `service.example`: tunnel error: proxy authorization required
          hint: check `http.proxy`
    fail  the codebase could not be read from ConnectWise: the proxy made no connection to `service.example`: tunnel error: proxy authorization required
          hint: check `http.proxy`
    ");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_expired() {
    let night = || behind(tls(TlsProblem::Certificate, "invalid peer certificate: Expired"));
    assert_snapshot!(umbrella(night()).await + &connectwise(night()).await, @"
    fail  a token could not be read from Umbrella: no secure connection to `service.example`: invalid peer certificate: Expired
          hint: renew the server's certificate, and check this machine's clock
    fail  the codebase could not be read from ConnectWise: no secure connection to `service.example`: invalid peer certificate: Expired
          hint: renew the server's certificate, and check this machine's clock
    ");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_an_unknown_issuer() {
    let night = || behind(tls(TlsProblem::UnknownIssuer, "invalid peer certificate: UnknownIssuer"));
    assert_snapshot!(umbrella(night()).await + &connectwise(night()).await, @"
    fail  a token could not be read from Umbrella: no secure connection to `service.example`: invalid peer certificate: UnknownIssuer
          hint: if a private authority or an inspecting proxy signed the certificate, name its root in `http.ca_file`
    fail  the codebase could not be read from ConnectWise: no secure connection to `service.example`: invalid peer certificate: UnknownIssuer
          hint: if a private authority or an inspecting proxy signed the certificate, name its root in `http.ca_file`
    ");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_another_name() {
    let night =
        || behind(tls(TlsProblem::OtherName, "invalid peer certificate: certificate not valid for name"));
    assert_snapshot!(umbrella(night()).await + &connectwise(night()).await, @"
    fail  a token could not be read from Umbrella: no secure connection to `service.example`: invalid peer certificate: certificate not valid for name
          hint: write the host in `base_url` as the server's certificate names it
    fail  the codebase could not be read from ConnectWise: no secure connection to `service.example`: invalid peer certificate: certificate not valid for name
          hint: write the host in `base_url` as the server's certificate names it
    ");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_speaks_no_tls() {
    let night = || behind(tls(TlsProblem::NotTls, "received corrupt message of type InvalidContentType"));
    assert_snapshot!(umbrella(night()).await + &connectwise(night()).await, @"
    fail  a token could not be read from Umbrella: no secure connection to `service.example`: received corrupt message of type InvalidContentType
          hint: what answers there speaks no TLS: check host and port in `base_url`
    fail  the codebase could not be read from ConnectWise: no secure connection to `service.example`: received corrupt message of type InvalidContentType
          hint: what answers there speaks no TLS: check host and port in `base_url`
    ");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks() {
    let night = || {
        behind(ExchangeError::Broken {
            host: "service.example".into(),
            detail: "connection reset by peer".into(),
        })
    };
    assert_snapshot!(umbrella(night()).await + &connectwise(night()).await, @"
    fail  a token could not be read from Umbrella: the connection to `service.example` broke: connection reset by peer
          hint: run again later; Umbrella's status page tells of outages
    fail  the codebase could not be read from ConnectWise: the connection to `service.example` broke: connection reset by peer
          hint: nothing was written; run again when ConnectWise answers
    ");
}

// ConnectWise

#[tokio::test(start_paused = true)]
async fn a_wrong_connectwise_key() {
    let night = night().set("connectwise.private_key", "wrong");
    assert_snapshot!(connectwise(night).await, @"
    fail  ConnectWise refused the credentials: HTTP 401: UserNotAuthenticated
          hint: check `connectwise.public_key` and `private_key`, that the API member is active, and `company_id`, `client_id` and `base_url`; the cloud answers 404 to wrong keys
    ");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_public_key() {
    let night = night().set("connectwise.public_key", "wrong");
    assert_snapshot!(connectwise(night).await, @"
    fail  ConnectWise refused the credentials: HTTP 401: UserNotAuthenticated
          hint: check `connectwise.public_key` and `private_key`, that the API member is active, and `company_id`, `client_id` and `base_url`; the cloud answers 404 to wrong keys
    ");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_in_the_cloud() {
    let night =
        with_world(|world| world.connectwise.hides_wrong_keys = true).set("connectwise.private_key", "wrong");
    assert_snapshot!(connectwise(night).await, @"
    fail  ConnectWise refused the credentials: HTTP 404: no explanation
          hint: check `connectwise.public_key` and `private_key`, that the API member is active, and `company_id`, `client_id` and `base_url`; the cloud answers 404 to wrong keys
    ");
}

#[tokio::test(start_paused = true)]
async fn a_login_company_that_nobody_knows() {
    let night = night().set("connectwise.company_id", "nobody");
    assert_snapshot!(connectwise(night).await, @"
    fail  the login company `nobody` is unknown to ConnectWise at `na.myconnectwise.net`
          hint: `connectwise.company_id` is what is typed as company at ConnectWise's login; a company of the cloud lives in one region only, so check the host in `connectwise.base_url`, too
    ");
}

#[tokio::test(start_paused = true)]
async fn a_login_company_of_another_region() {
    let night = looked_up(200, "null");
    assert_snapshot!(connectwise(night).await, @"
    fail  the login company `demo` is unknown to ConnectWise at `na.myconnectwise.net`
          hint: `connectwise.company_id` is what is typed as company at ConnectWise's login; a company of the cloud lives in one region only, so check the host in `connectwise.base_url`, too
    ");
}

#[tokio::test(start_paused = true)]
async fn a_client_id_that_is_not_taken() {
    let night = night().set("connectwise.client_id", "wrong");
    assert_snapshot!(connectwise(night).await, @"
    fail  ConnectWise does not take the client id: HTTP 403: The clientId header is missing or not known.
          hint: check `client_id` in `[connectwise]`: it is the integration's, from developer.connectwise.com, and no key of the API member
    ");
}

#[tokio::test(start_paused = true)]
async fn a_codebase_that_is_not_the_tenants() {
    let night = with_world(|world| world.connectwise.other_codebases.clear())
        .set("connectwise.codebase", "v4_6_release");
    assert_snapshot!(connectwise(night).await, @"
    warn  the login company `demo` (Demo Managed Services) is known: codebase `v2025_1`, version v2025.1.1; the configuration names `v4_6_release`
          hint: set `connectwise.codebase` to `auto`, so that an upgrade of the tenant changes nothing
    ");
}

#[tokio::test(start_paused = true)]
async fn the_host_that_people_log_in_at() {
    let night = night().set("connectwise.base_url", "https://na.myconnectwise.net");
    assert_snapshot!(connectwise(night).await, @"
    warn  `na.myconnectwise.net` is the host that people log in at
          hint: set `connectwise.base_url` to `https://api-na.myconnectwise.net`, the API's own host
    ");
}

#[tokio::test(start_paused = true)]
async fn the_login_host_that_refuses_the_api() {
    let night = answered(403, r#"{"code":"Security","message":"SSL is required.","errors":null}"#)
        .set("connectwise.base_url", "https://na.myconnectwise.net");
    assert_snapshot!(connectwise(night).await, @"
    warn  `na.myconnectwise.net` is the host that people log in at
          hint: set `connectwise.base_url` to `https://api-na.myconnectwise.net`, the API's own host
    fail  `na.myconnectwise.net` is not the host of ConnectWise's API: HTTP 403: SSL is required.
          hint: set `connectwise.base_url` to `https://api-na.myconnectwise.net`, with `api-` in front
    ");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_redirects() {
    let night = night().with_fault("redirect(https://na.myconnectwise.net/)@connectwise:/apis/3.0**");
    assert_snapshot!(connectwise(night).await, @"
    fail  the list of companies could not be read from ConnectWise: HTTP 302: redirected
          hint: redirects are not followed: set `connectwise.base_url` to the API's own host, in the cloud the one with `api-`
    ");
}

#[tokio::test(start_paused = true)]
async fn an_address_with_pages_only() {
    let night = looked_up(200, "<html><head><title>Welcome to nginx!</title></head></html>");
    assert_snapshot!(connectwise(night).await, @r#"
    fail  `na.myconnectwise.net` does not answer as ConnectWise does: the answer is not JSON but the web page "Welcome to nginx!"
          hint: check `connectwise.base_url`: in the cloud `https://api-na.myconnectwise.net` and its like for the other regions; a proxy or a maintenance page in between answers like this, too
    "#);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_knows_no_companyinfo() {
    let night = looked_up(404, "<html><head><title>404 Not Found</title></head></html>");
    assert_snapshot!(connectwise(night).await, @r#"
    fail  `na.myconnectwise.net` does not answer as ConnectWise does: HTTP 404: the web page "404 Not Found"
          hint: check `connectwise.base_url`: in the cloud `https://api-na.myconnectwise.net` and its like for the other regions; a proxy or a maintenance page in between answers like this, too
    "#);
}

#[tokio::test(start_paused = true)]
async fn an_address_with_json_of_something_else() {
    let night = looked_up(200, r#"{"name":"some other service"}"#);
    assert_snapshot!(connectwise(night).await, @"
    fail  `na.myconnectwise.net` does not answer as ConnectWise does: the answer has an unexpected shape at `.`: missing field `Codebase`
          hint: check `connectwise.base_url`: in the cloud `https://api-na.myconnectwise.net` and its like for the other regions; a proxy or a maintenance page in between answers like this, too
    ");
}

#[tokio::test(start_paused = true)]
async fn a_connectwise_host_without_an_address() {
    let night = night().set("connectwise.base_url", "https://api-nz.myconnectwise.example");
    assert_snapshot!(connectwise(night).await, @"
    fail  the codebase could not be read from ConnectWise: the host name `nz.myconnectwise.example` could not be resolved: no such host
          hint: check the host in `base_url` and this machine's name resolution
    ");
}

#[tokio::test(start_paused = true)]
async fn a_page_in_front_of_the_api() {
    let night = answered(200, "<html><head><title>Sign in to the proxy</title></head></html>");
    assert_snapshot!(connectwise(night).await, @r#"
    fail  the list of companies could not be read from ConnectWise: the answer is not JSON but the web page "Sign in to the proxy"
          hint: check `connectwise.base_url`; a proxy, a login page or a maintenance page in between answers like this, too
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_server_does_not_have() {
    let night = night().set("connectwise.api_version", "2031.1");
    assert_snapshot!(connectwise(night).await, @"
    fail  the list of companies could not be read from ConnectWise: HTTP 400: Version '2031.1' is not supported. Check your accept header.
          hint: set `connectwise.api_version` to a version that the server has, or leave it empty for the newest
    ");
}

#[tokio::test(start_paused = true)]
async fn a_connectwise_that_is_down() {
    let night = night().with_fault("503@connectwise:/apis/3.0**");
    assert_snapshot!(connectwise(night).await, @"
    fail  the list of companies could not be read from ConnectWise: HTTP 503: Service Unavailable
          hint: nothing was written; run again when ConnectWise answers
    ");
}

#[tokio::test(start_paused = true)]
async fn a_connectwise_that_throttles_for_ever() {
    let night = night().with_fault("429(1)@connectwise:/apis/3.0**");
    assert_snapshot!(connectwise(night).await, @"
    fail  the list of companies could not be read from ConnectWise: HTTP 429: Too many requests. Please try again in 30 seconds.
          hint: nothing was written; run again when ConnectWise answers
    ");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_company_maintenance() {
    let night = with_role(|role| role.reads_companies = false);
    assert_snapshot!(connectwise(night).await, @"
    fail  ConnectWise refused the list of companies: HTTP 403: You do not have security permission to perform this action.
          hint: give the API member's role Companies > Company Maintenance: Inquire All; a missing or wrong `client_id` looks the same
    ");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_configurations() {
    let night = with_role(|role| role.reads_configurations = false);
    assert_snapshot!(connectwise(night).await, @"
    fail  ConnectWise refused the list of configurations: HTTP 403: You do not have security permission to perform this action.
          hint: give the API member's role Companies > Configurations: Inquire All; a missing or wrong `client_id` looks the same
    ");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_company_statuses() {
    let night = with_role(|role| role.reads_company_statuses = false);
    assert_snapshot!(connectwise(night).await, @"
    warn  the role may not read company statuses, so inactive companies are not reported
          hint: give the API member's role this right (System > Table Setup: Inquire, for Company / Company Status), or ignore this
    ");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_configuration_statuses() {
    let night = with_role(|role| role.reads_statuses = false);
    assert_snapshot!(connectwise(night).await, @"
    fail  ConnectWise refused the list of configuration statuses: HTTP 403: You do not have security permission to perform this action.
          hint: give the API member's role Companies > Configurations: Inquire All; a missing or wrong `client_id` looks the same
    ");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_any_right() {
    let night = with_role(|role| {
        *role = Role {
            reads_companies: false,
            reads_company_statuses: false,
            reads_statuses: false,
            reads_configurations: false,
            ..Role::default()
        }
    });
    assert_snapshot!(connectwise(night).await, @"
    fail  ConnectWise refused the list of companies: HTTP 403: You do not have security permission to perform this action.
          hint: give the API member's role Companies > Company Maintenance: Inquire All; a missing or wrong `client_id` looks the same
    fail  ConnectWise refused the list of configurations: HTTP 403: You do not have security permission to perform this action.
          hint: give the API member's role Companies > Configurations: Inquire All; a missing or wrong `client_id` looks the same
    warn  the role may not read company statuses, so inactive companies are not reported
          hint: give the API member's role this right (System > Table Setup: Inquire, for Company / Company Status), or ignore this
    fail  ConnectWise refused the list of configuration statuses: HTTP 403: You do not have security permission to perform this action.
          hint: give the API member's role Companies > Configurations: Inquire All; a missing or wrong `client_id` looks the same
    ");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_more_than_it_needs() {
    let night =
        with_role(|role| role.reads_besides = vec!["service/tickets".into(), "finance/invoices".into()]);
    assert_snapshot!(connectwise(night).await, @"
    warn  the role may do more than psasync needs: Service Desk > Service Tickets: Inquire; Finance > Invoicing: Inquire
          hint: give the API member a role of its own, with the rights in docs/access.md only
    ");
}

#[tokio::test(start_paused = true)]
async fn a_type_that_is_not_there() {
    let night = night().set("record.type_name", "Nobody");
    assert_snapshot!(connectwise(night).await, @"
    warn  there is no configuration type `Nobody`, or the role's Customize list hides it: the next run creates it
          hint: run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All
    ");
}

#[tokio::test(start_paused = true)]
async fn a_type_that_is_not_there_and_not_to_be_made() {
    let night = night().set("record.type_name", "Nobody").set("record.manage_type", "false");
    assert_snapshot!(connectwise(night).await, @"
    fail  there is no configuration type `Nobody`, or the role's Customize list hides it; `record.manage_type` is false
          hint: run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All
    ");
}

#[tokio::test(start_paused = true)]
async fn a_type_that_the_customize_list_hides() {
    let night = with_role(|role| role.unlisted_types = vec![TYPE.into()]);
    assert_snapshot!(connectwise(night).await, @"
    warn  there is no configuration type `OpenDNS_Umbrella`, or the role's Customize list hides it: the next run creates it
          hint: run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All
    ");
}

#[tokio::test(start_paused = true)]
async fn a_type_that_is_inactive() {
    let night = with_world(|world| world.connectwise.types[0].inactive = true);
    assert_snapshot!(connectwise(night).await, @"
    fail  the configuration type `OpenDNS_Umbrella` is inactive in ConnectWise
          hint: check the configuration type in ConnectWise (Setup Tables > Configuration)
    ");
}

#[tokio::test(start_paused = true)]
async fn another_default_status() {
    let night = with_world(|world| {
        world.connectwise.statuses = vec![
            ConfigurationStatus { id: 1, description: "In service".into(), default: true, closed: false },
            ConfigurationStatus { id: 2, description: "Active".into(), default: false, closed: false },
        ];
    });
    assert_snapshot!(connectwise(night).await, @r#"
    warn  `In service` is flagged as default, and new records get it
          hint: flag "Active" as default in ConnectWise (System > Setup Tables > Configuration > Configuration Status)
    "#);
}

#[tokio::test(start_paused = true)]
async fn no_default_status() {
    let night = with_world(|world| world.connectwise.statuses[0].default = false);
    assert_snapshot!(connectwise(night).await, @r#"
    fail  no configuration status is flagged as default: records are updated, and none is created
          hint: flag "Active" as default in ConnectWise (System > Setup Tables > Configuration > Configuration Status), or set `record.status`
    "#);
}

#[tokio::test(start_paused = true)]
async fn no_default_status_and_one_by_name() {
    let night =
        with_world(|world| world.connectwise.statuses[0].default = false).set("record.status", "Active");
    assert_snapshot!(connectwise(night).await, @r#"
    warn  new records get the status `Active` of `record.status`; no status is flagged as default
          hint: flag "Active" as default in ConnectWise (System > Setup Tables > Configuration > Configuration Status)
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_does_not_exist() {
    let night = night().set("record.status", "Nope");
    assert_snapshot!(connectwise(night).await, @"
    fail  `record.status`: ConnectWise has no configuration status `Nope`; it has `Active`, `Inactive`
          hint: correct the name, or leave `record.status` empty for the status flagged as default
    ");
}

#[tokio::test(start_paused = true)]
async fn questions_that_cannot_hold_their_answers() {
    let night = with_world(|world| {
        let questions = &mut world.connectwise.types[0].questions;
        questions[0].field_type = "Number".into();
        questions[1].field_type = "Checkbox".into();
        questions[2].inactive = true;
        questions[3].question = "Network Total".into();
        questions[4].question = "Networks Total?".into();
        let twin = Question { id: 4900, ..questions[5].clone() };
        questions.push(twin);
        questions.remove(6);
        questions.push(Question {
            id: 4901,
            question: "Door code".into(),
            field_type: "Password".into(),
            ..Question::default()
        });
    });
    assert_snapshot!(connectwise(night).await, @r#"
    warn  missing in ConnectWise: `Networks Active (7 Days)`, `Roaming Agents Deployed`; the next run creates them
          hint: run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All
    warn  inactive in ConnectWise, and left out: `Seats`
          hint: make them active in ConnectWise, unless an administrator meant it
    fail  Package left out: its question has the type Checkbox
          hint: rename the question in ConnectWise, so that one of the right type can be created
    fail  Networks Total left out: the question "Network Total" is almost the same
          hint: rename the question in ConnectWise, or create the field's own with `psasync bootstrap --create-near-match`
    fail  Networks Inactive (7 Days) left out: several active questions have this text
          hint: make all but one of these questions inactive in ConnectWise
    fail  the type has a question of type Password, which writing would destroy: no record of it is written
          hint: move the password out of this configuration type, or set `record.type_name` to another type
    "#);
}
