//! Builds the sections `notify.*`, each of which may be left out as a whole.

use super::Reader;
use crate::config::model::{Event, Heartbeat, Hook, Notify, Webhook};
use crate::config::problem::Fault;
use crate::config::validate;
use crate::secret::Secret;

pub(super) fn notify(reader: &mut Reader<'_>) -> Option<Notify> {
    let webhook = section(reader, "notify.webhook", webhook);
    let slack = section(reader, "notify.slack", |reader| hook(reader, "notify.slack.url", "notify.slack.on"));
    let teams = section(reader, "notify.teams", |reader| hook(reader, "notify.teams.url", "notify.teams.on"));
    let heartbeat = section(reader, "notify.heartbeat", |reader| {
        Some(Heartbeat { url: address(reader, "notify.heartbeat.url")? })
    });
    Some(Notify { webhook: webhook?, slack: slack?, teams: teams?, heartbeat: heartbeat? })
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

fn address(reader: &mut Reader<'_>, path: &str) -> Option<Secret> {
    reader.checked_secret_unless_empty(path, validate::hook_url)?
}

fn events(reader: &mut Reader<'_>, path: &str) -> Option<Vec<Event>> {
    let events = reader.parse_list(path, validate::event)?;
    if events.is_empty() {
        let (place, _) = reader.settled.get(path)?;
        let fault = Fault::new("names no run to tell of");
        let section = path.rsplit_once('.').map_or(path, |(section, _)| section);
        reader.report(path, place, fault.hint(format!("name one, or leave `[{section}]` out")));
        return None;
    }
    Some(events)
}
