//! Files that psasync writes about itself: completions, manual pages, the schema of the configuration.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rstest::rstest;
use serde_json::Value;

use crate::secrets::runnable;
use crate::simulated::{psasync, text};

fn output(arguments: &[&str]) -> String {
    let output = psasync().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[rstest]
fn a_script_names_every_command(#[values("bash", "zsh", "fish", "powershell", "elvish")] shell: &str) {
    let script = output(&["completions", shell]);
    let words: BTreeSet<_> = script.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    let commands = runnable("");
    assert!(commands.len() > 10);
    for name in commands.iter().flat_map(|command| command.split(' ')) {
        assert!(words.contains(name), "{shell}: {name}");
    }
}

#[test]
fn help_says_where_each_shell_looks_for_its_script() {
    let help = output(&["completions", "--help"]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let line = help.lines().find(|line| line.trim_start().starts_with(shell));
        assert!(line.unwrap().contains(&format!("psasync completions {shell} >")), "{help}");
    }
}

/// Where there is no bash, the script is only read.
#[cfg(unix)]
#[test]
fn bash_completes_commands_and_options() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("psasync");
    fs::write(&script, output(&["completions", "bash"])).unwrap();
    let complete = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let (word, before) = (words[words.len() - 1], words[words.len() - 2]);
        let program = format!(
            "source {}; COMP_WORDS=({line}); COMP_CWORD={}; _psasync psasync '{word}' '{before}'; echo \"${{COMPREPLY[@]}}\"",
            script.display(),
            words.len() - 1
        );
        Command::new("bash").args(["--norc", "-c", &program]).output().map(|output| text(&output.stdout))
    };
    let Ok(commands) = complete("psasync co") else { return };
    assert_eq!(commands.trim(), "config completions");
    assert_eq!(complete("psasync plan --format m").unwrap().trim(), "markdown");
    assert_eq!(complete("psasync config sch").unwrap().trim(), "schema");
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    assert!(output(&["man", "--out", pages.to_str().unwrap()]).is_empty());
    for command in runnable("") {
        let page = fs::read_to_string(pages.join(format!("psasync-{}.1", command.replace(' ', "-"))));
        assert!(page.unwrap_or_else(|error| panic!("{command}: {error}")).contains("\n.SH SYNOPSIS\n"));
    }
    assert_eq!(output(&["man"]), fs::read_to_string(pages.join("psasync.1")).unwrap());
}

#[test]
fn the_schema_needs_no_configuration_and_is_json() {
    let schema: Value = serde_json::from_str(&output(&["config", "schema"])).unwrap();
    assert_eq!(schema["properties"]["umbrella"]["type"], "object");
}
