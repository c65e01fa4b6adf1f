//! The manual pages, one for each command, from the definitions of the command line, of the exit codes and of the settings.
//!
//! The same version of psasync writes the same pages on every machine and on every day.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::CONFIG_PRESET;
use crate::config::keys::{KEYS, Kind, Preset};
use crate::run::Exit;

/// One manual page.
pub(super) struct Page {
    /// Such as `psasync-plan.1`.
    pub(super) file_name: String,
    /// In roff.
    pub(super) text: String,
}

/// The page of `command`, and behind it those of the commands below it that `--help` lists.
pub(super) fn pages(command: Command) -> Vec<Page> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, &mut pages);
    pages
}

fn collect(command: &Command, pages: &mut Vec<Page>) {
    pages.push(page(command, pages.is_empty()));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        collect(below, pages);
    }
}

fn page(command: &Command, is_first: bool) -> Page {
    let version = format!("psasync {}", crate::VERSION);
    let man = Man::new(command.clone()).source(version).manual("psasync");
    let mut text = Vec::new();
    let written = man.render(&mut text);
    debug_assert!(written.is_ok(), "memory takes everything");
    let mut own = Roff::new();
    exit_status(&mut own);
    if is_first {
        environment(&mut own);
        files(&mut own);
    } else {
        own.control("SH", ["SEE ALSO"]).text([bold("psasync"), roman("(1)")]);
    }
    let text = String::from_utf8_lossy(&text).into_owned() + &own.to_roff();
    Page { file_name: man.get_filename(), text }
}

fn exit_status(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        entry(roff, &exit.code().to_string(), exit.meaning());
    }
}

fn environment(roff: &mut Roff) {
    roff.control("SH", ["ENVIRONMENT"]);
    entry(roff, "PSASYNC_CONFIG", "the configuration file, where --config does not name one");
    entry(roff, "NO_COLOR", "set to anything: no colour, where --color does not ask for it");
    for key in KEYS {
        let twin = match key.kind {
            Kind::Secret => format!("; or {}_FILE, a file that holds it", key.variable()),
            _ => String::new(),
        };
        entry(roff, &key.variable(), &format!("{}{twin}", key.doc));
    }
}

fn files(roff: &mut Roff) {
    roff.control("SH", ["FILES"]);
    entry(roff, CONFIG_PRESET, "the configuration; what it says is overridden by the variables above");
    for key in KEYS {
        if let (Kind::Path, Preset::Text(path)) = (key.kind, key.preset)
            && !path.is_empty()
        {
            entry(roff, path, &format!("{}, in the configuration's folder", key.doc));
        }
    }
}

fn entry(roff: &mut Roff, name: &str, meaning: &str) {
    roff.control("TP", []).text([bold(name)]).text([roman(meaning)]);
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Cli;

    fn all() -> Vec<Page> {
        pages(Cli::command())
    }

    /// The entries of a section by their names.
    fn names(page: &Page, section: &str) -> Vec<String> {
        let text = page.text.replace("\\-", "-");
        let body = text.split(&format!("\n.SH {section}\n")).nth(1).unwrap();
        let entries = body.split("\n.SH ").next().unwrap().split(".TP\n").skip(1);
        entries.map(|entry| entry.split("\\f").nth(1).unwrap()[1..].to_owned()).collect()
    }

    #[test]
    fn every_command_has_a_page_and_every_page_the_sections_of_one() {
        let pages = all();
        let files: Vec<_> = pages.iter().map(|page| page.file_name.as_str()).collect();
        assert_eq!(files[0], "psasync.1");
        for file in ["psasync-plan.1", "psasync-config-check.1", "psasync-history-forget.1"] {
            assert!(files.contains(&file), "{file}: {files:?}");
        }
        for page in &pages {
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "\"GLOBAL OPTIONS\"", "\"EXIT STATUS\""] {
                assert!(page.text.contains(&format!("\n.SH {section}\n")), "{}: {section}", page.file_name);
            }
        }
    }

    #[test]
    fn every_page_has_every_exit_code() {
        let codes = Exit::ALL.map(|exit| exit.code().to_string());
        for page in all() {
            assert_eq!(names(&page, "\"EXIT STATUS\""), codes, "{}", page.file_name);
        }
    }

    #[test]
    fn the_first_page_has_every_variable_and_every_file() {
        let page = &all()[0];
        let variables = names(page, "ENVIRONMENT");
        assert_eq!(variables.len(), KEYS.len() + 2);
        for key in KEYS {
            assert!(variables.contains(&key.variable()), "{}", key.path);
        }
        assert_eq!(names(page, "FILES"), ["./psasync.toml", "companies.csv", "psasync.db"]);
    }

    #[test]
    fn pages_have_no_date() {
        for page in all() {
            let title = page.text.lines().find(|line| line.starts_with(".TH ")).unwrap();
            let name = page.file_name.trim_end_matches(".1");
            assert_eq!(title, format!(".TH {name} 1  \"psasync {}\" psasync", crate::VERSION));
        }
    }
}
