//! The questions about both services. What was answered is tried at once.

use std::sync::Arc;

use url::Url;

use super::session::{
    CLIENT_ID, COMPANY_ID, CONNECTWISE_URL, PRIVATE_KEY, PUBLIC_KEY, Session, UMBRELLA_KEY, UMBRELLA_SECRET,
    UMBRELLA_URL,
};
use crate::cli::context::{services, wire};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::clock::Clock;
use crate::config::Origin;
use crate::connectwise::{Located, Reader, Writer, api_url, is_cloud, locate};
use crate::http::Wire;
use crate::run::Exit;
use crate::run::doctor::{Wanted, check_connectwise, check_umbrella};
use crate::secret::Secret;
use crate::umbrella::{Fleet, Umbrella};

/// Asks for access to Umbrella until it works.
pub(super) async fn umbrella(session: &mut Session<'_>) -> Result<(Umbrella<Wire>, Fleet), Failure> {
    printer::note("Umbrella: an API key of the parent console (Admin > API Keys)");
    loop {
        session.text(UMBRELLA_URL, "Address of the API").await?;
        session.secret(UMBRELLA_KEY, "API key").await?;
        session.secret(UMBRELLA_SECRET, "Secret of that key").await?;
        let draft = session.draft()?;
        let (_, services) = services(&draft.config)?;
        let customers = draft.config.umbrella.customers;
        printer::note("trying them; a list of thousands of customers takes minutes");
        let access = unless_stopped(session, check_umbrella(&services.umbrella, customers, &[])).await?;
        let keys = [UMBRELLA_URL, UMBRELLA_KEY, UMBRELLA_SECRET];
        if session.passed(("Umbrella", "umbrella-"), &access.checks, &keys).await?
            && let Some(fleet) = access.fleet
        {
            return Ok((services.umbrella, fleet));
        }
    }
}

/// Asks for access to ConnectWise until it works.
pub(super) async fn connectwise(session: &mut Session<'_>) -> Result<(Reader<Wire>, Writer<Wire>), Failure> {
    printer::note("\nConnectWise: keys of an API member (System > Members > API Members), and a client id");
    loop {
        session.text(COMPANY_ID, "Company that you log in to").await?;
        address(session).await?;
        session.text(PUBLIC_KEY, "Public key").await?;
        session.secret(PRIVATE_KEY, "Private key").await?;
        session.secret(CLIENT_ID, "Client id").await?;
        let draft = session.draft()?;
        let (_, services) = services(&draft.config)?;
        let wanted = Wanted::of(&draft.config);
        let access = unless_stopped(session, check_connectwise(&services.reader, &wanted)).await?;
        let keys = [COMPANY_ID, CONNECTWISE_URL, PUBLIC_KEY, PRIVATE_KEY, CLIENT_ID];
        if !access.is_signed_in {
            other_region(session).await?;
        }
        if session.passed(("ConnectWise", "connectwise-"), &access.checks, &keys).await? {
            return Ok((services.reader, services.writer));
        }
    }
}

/// The address of ConnectWise: answered, or found by the login company.
async fn address(session: &mut Session<'_>) -> Result<(), Failure> {
    let draft = session.draft()?;
    if draft.missing().contains(CONNECTWISE_URL) && !own_server(session).await? {
        let located = search(session).await?;
        match located.regions.as_slice() {
            [region] => {
                let (found, codebase) = (origin(&region.base_url), &region.codebase);
                printer::note(&format!("found at {found} (codebase {codebase})"));
                session.answers.insert(CONNECTWISE_URL, Secret::new(found));
                return Ok(());
            }
            [] => nowhere(session, &located)?,
            several => {
                let found: Vec<_> = several.iter().map(|region| origin(&region.base_url)).collect();
                printer::note(&format!("found at {}", found.join(", ")));
                session.offer(CONNECTWISE_URL, &found[0]);
            }
        }
    }
    session.text(CONNECTWISE_URL, "Address of its API").await?;
    let draft = session.draft()?;
    let api = api_url(&draft.config.connectwise.base_url);
    let is_answer = draft.value(CONNECTWISE_URL).is_some_and(|(from, _)| from == Origin::Answer);
    if is_answer && api != draft.config.connectwise.base_url {
        printer::note(&format!("people log in there; the API is at {}", origin(&api)));
        session.answers.insert(CONNECTWISE_URL, Secret::new(origin(&api)));
    }
    Ok(())
}

/// Asks for the address at which people log in; nobody has to know it.
async fn own_server(session: &mut Session<'_>) -> Result<bool, Failure> {
    if session.is_offered(CONNECTWISE_URL) {
        return Ok(true);
    }
    loop {
        let Some(terminal) = &session.terminal else { return Ok(false) };
        let question = "Address at which you log in (Enter: look for the company in ConnectWise's cloud)";
        let answer = terminal.text(question, Some("")).await.map_err(|why| session.unanswered(why))?;
        if answer.is_empty() {
            return Ok(false);
        }
        let address = if answer.contains("://") { answer } else { format!("https://{answer}") };
        if session.accept(CONNECTWISE_URL, Secret::new(address)) {
            return Ok(true);
        }
    }
}

/// Looks for the login company in the cloud.
async fn search(session: &Session<'_>) -> Result<Located, Failure> {
    let config = session.draft()?.config;
    let company = &config.connectwise.company_id;
    printer::note(&format!("looking for `{company}` in ConnectWise's cloud"));
    let exchange = Arc::new(wire(&config)?);
    let clock = Clock::system();
    let seed = clock.now().timestamp_micros().unsigned_abs();
    unless_stopped(session, locate(&exchange, company, clock, seed)).await
}

/// No region knows the company: a person may have a server of their own.
fn nowhere(session: &Session<'_>, located: &Located) -> Result<(), Failure> {
    let unanswered: Vec<_> = located.unanswered.iter().map(|(_, why)| why.as_str()).collect();
    let company = session.draft()?.config.connectwise.company_id;
    let mut message = format!("no region of ConnectWise's cloud knows the company `{company}`");
    if !unanswered.is_empty() {
        message += &format!("; {}", unanswered.join("; "));
    }
    if session.terminal.is_some() {
        printer::note(&message);
        return Ok(());
    }
    let exit = if unanswered.is_empty() { Exit::Denied } else { Exit::Failed };
    let hint = "check `--company-id`, or name the address of your own server with `--connectwise-url`";
    Err(Failure::new(exit, message, hint))
}

/// Where keys are refused in the cloud, the company may be in another region of it.
async fn other_region(session: &mut Session<'_>) -> Result<(), Failure> {
    let config = session.draft()?.config;
    let asked = &config.connectwise.base_url;
    if !is_cloud(asked) {
        return Ok(());
    }
    let located = search(session).await?;
    if let Some(region) = located.regions.first()
        && located.regions.iter().all(|region| region.base_url != api_url(asked))
    {
        let found = origin(&region.base_url);
        printer::note(&format!("`{}` is not there, but at {found}", config.connectwise.company_id));
        session.offer(CONNECTWISE_URL, &found);
    }
    Ok(())
}

async fn unless_stopped<T>(session: &Session<'_>, work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        () = session.context.signals.stop.cancelled() => Err(session.unanswered(crate::cli::terminal::Unanswered)),
    }
}

/// Scheme, host and port, as the configuration has them.
fn origin(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
