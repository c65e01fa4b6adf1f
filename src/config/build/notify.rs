//! Builds the sections `notify.*`, each of which may be left out as a whole.

use super::Reader;
use crate::config::model::{Event, Heartbeat, Hook, Notify, Smtp, SmtpLogin, SmtpTls, Webhook};
use crate::config::problem::Fault;
use crate::config::validate;
use crate::secret::Secret;

pub(super) fn notify(reader: &mut Reader<'_>) -> Option<Notify> {
    let webhook = section(reader, "notify.webhook", webhook);
    let slack = section(reader, "notify.slack", |reader| hook(reader, "notify.slack.url", "notify.slack.on"));
    let teams = section(reader, "notify.teams", |reader| hook(reader, "notify.teams.url", "notify.teams.on"));
    let smtp = section(reader, "notify.smtp", smtp);
    let heartbeat = section(reader, "notify.heartbeat", |reader| {
        Some(Heartbeat { url: address(reader, "notify.heartbeat.url")? })
    });
    Some(Notify { webhook: webhook?, slack: slack?, teams: teams?, smtp: smtp?, heartbeat: heartbeat? })
}

/// The outer `None` stands for a problem, the inner one for a section that was left out.
fn section<'a, T>(
    reader: &mut Reader<'a>,
    name: &str,
    read: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<Option<T>> {
    if reader.settled.has_section(name) { read(reader).map(Some) } else { Some(None) }
}

fn webhook(reader: &mut Reader<'_>) -> Option<Webhook> {
    let url = address(reader, "notify.webhook.url");
    let token = reader.checked_secret_unless_empty("notify.webhook.token", validate::header_secret);
    let on = events(reader, "notify.webhook.on");
    Some(Webhook { url: url?, token: token?, on: on? })
}

fn hook(reader: &mut Reader<'_>, url: &str, on: &str) -> Option<Hook> {
    let (url, on) = (address(reader, url), events(reader, on));
    Some(Hook { url: url?, on: on? })
}

fn smtp(reader: &mut Reader<'_>) -> Option<Smtp> {
    let host = reader.parse("notify.smtp.host", validate::mail_host);
    let tls = reader.choice("notify.smtp.tls", validate::smtp_tls);
    let tls = encrypted(reader, host.as_deref(), tls);
    let login = login(reader);
    let from = reader.parse("notify.smtp.from", validate::mailbox);
    let to = reader.parse_list("notify.smtp.to", validate::mailbox);
    let to = some(reader, "notify.smtp.to", to, "names nobody to write to");
    let on = events(reader, "notify.smtp.on");
    let port = u16::try_from(reader.integer("notify.smtp.port")?).ok().filter(|port| *port > 0);
    let tls = tls?;
    Some(Smtp {
        host: host?,
        port: port.unwrap_or(tls.port()),
        tls,
        login: login?,
        from: from?,
        to: to?,
        on: on?,
    })
}

/// How the connection is encrypted, unless it would leave this machine without that.
fn encrypted(reader: &mut Reader<'_>, host: Option<&str>, tls: Option<SmtpTls>) -> Option<SmtpTls> {
    let (host, tls) = (host?, tls?);
    if tls != SmtpTls::None || validate::is_local_mail_host(host) {
        return Some(tls);
    }
    let fault = Fault::new("`none` sends mail in the clear; it is accepted for loopback hosts only");
    reject(reader, "notify.smtp.tls", fault.hint("write `starttls` or `implicit`"))
}

/// The outer `None` stands for a problem, the inner one for no login.
fn login(reader: &mut Reader<'_>) -> Option<Option<SmtpLogin>> {
    const KEYS: [&str; 2] = ["notify.smtp.username", "notify.smtp.password"];
    let username = reader.parse_unless_empty(KEYS[0], validate::text);
    let password = reader.checked_secret_unless_empty(KEYS[1], |_| Ok(()));
    let (given, missing) = match (username?, password?) {
        (None, None) => return Some(None),
        (Some(username), Some(password)) => return Some(Some(SmtpLogin { username, password })),
        (Some(_), None) => (KEYS[0], KEYS[1]),
        (None, Some(_)) => (KEYS[1], KEYS[0]),
    };
    let fault = Fault::new(format!("is set, and `{missing}` is not"));
    reject(reader, given, fault.hint("set both, or none for a mail server without login"))
}

fn address(reader: &mut Reader<'_>, path: &str) -> Option<Secret> {
    reader.checked_secret_unless_empty(path, validate::hook_url)?
}

fn events(reader: &mut Reader<'_>, path: &str) -> Option<Vec<Event>> {
    let events = reader.parse_list(path, validate::event);
    some(reader, path, events, "names no run to tell of")
}

/// The items, unless there are none.
fn some<T>(reader: &mut Reader<'_>, path: &str, items: Option<Vec<T>>, otherwise: &str) -> Option<Vec<T>> {
    let items = items?;
    if !items.is_empty() {
        return Some(items);
    }
    let section = path.rsplit_once('.').map_or(path, |(section, _)| section);
    reject(reader, path, Fault::new(otherwise).hint(format!("name one, or leave `[{section}]` out")))
}

/// Reports what is wrong with a key.
fn reject<T>(reader: &mut Reader<'_>, path: &str, fault: Fault) -> Option<T> {
    let (place, _) = reader.settled.get(path)?;
    reader.report(path, place, fault);
    None
}
