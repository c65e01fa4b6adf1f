//! House rules, checked by reading the source tree.
//!
//! Every rule is a function over one file, a test that applies it to the tree, and a test that a made-up offence does not escape it.

#![expect(clippy::unwrap_used, reason = "a source tree that cannot be read has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Source files are shorter than this.
const LINES_MAX: usize = 600;
/// The one file that prints.
const PRINTER: &str = "src/cli/printer.rs";
/// The one file that reads the system clock.
const CLOCK: &str = "src/clock.rs";
/// The one file that may name the folder of the services' OpenAPI documents.
const CI: &str = ".ci/run";
/// Decide without doing: the same input always gives the same output.
const PURE: [&str; 5] = ["domain", "mapping", "plan", "resolve", "translate"];

/// A file of the tree; `path` starts at the repository's root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_rust_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder) && self.path.ends_with(".rs")
    }

    /// The top-level module of `src/` that the file belongs to.
    fn module(&self) -> Option<&str> {
        let name = self.path.strip_prefix("src/")?.split('/').next()?;
        Some(name.strip_suffix(".rs").unwrap_or(name))
    }

    /// One offence for each line of `text` (the file's own, or its code) in which `is_offence` finds something.
    fn offences<'a>(&self, text: &'a str, is_offence: impl Fn(&'a str) -> Option<String>) -> Vec<String> {
        let lines = text.lines().enumerate();
        lines
            .filter_map(|(at, line)| Some(format!("{}:{}: {}", self.path, at + 1, is_offence(line)?)))
            .collect()
    }
}

/// All text files that belong to the repository.
fn tree() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = tracked(root).unwrap_or_default();
    if paths.is_empty() {
        walk(root, root, &mut paths);
    }
    let read = |path: String| Some(Source { text: fs::read_to_string(root.join(&path)).ok()?, path });
    paths.into_iter().filter_map(read).collect()
}

/// What git knows, and what it would add; `None` where there is no git, or the sources came without its folder.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
    let names = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| names.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(root: &Path, folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            walk(root, &path, paths);
        } else if path.is_file() {
            paths.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}

/// Applies `rule` to every file, and fails with all offences and what to do about them.
fn assert_tidy(rule: impl Fn(&Source) -> Vec<String>, advice: &str) {
    let files = tree();
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the source tree was not found");
    let offences: Vec<_> = files.iter().flat_map(rule).collect();
    assert!(offences.is_empty(), "{advice}\n{}", offences.join("\n"));
}

/// Rust without comments and without the contents of texts; lines stay where they are.
fn code(rust: &str) -> String {
    let mut code = String::with_capacity(rust.len());
    let mut rest = rust;
    while let Some(next) = rest.chars().next() {
        let (kept, len) = token(rest).unwrap_or((true, next.len_utf8()));
        let (token, behind) = rest.split_at(len);
        if kept {
            code.push_str(token);
        } else {
            code.extend(token.chars().filter(|c| *c == '\n'));
        }
        rest = behind;
    }
    code
}

/// Whether what begins here is kept, and how long it is; `None` for a single character of code.
fn token(rest: &str) -> Option<(bool, usize)> {
    let upto = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let word_len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let behind = &rest[word_len..];
    if rest.starts_with("//") {
        return Some((false, rest.find('\n').unwrap_or(rest.len())));
    }
    if rest.starts_with("/*") {
        return Some((false, upto("*/", 2)));
    }
    if matches!(&rest[..word_len], "r" | "br") && behind.starts_with(['"', '#']) {
        let hashes = behind.len() - behind.trim_start_matches('#').len();
        if behind[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return Some((false, upto(&end, word_len + hashes + 1)));
        }
    }
    if word_len > 0 {
        return Some((true, word_len));
    }
    match rest.as_bytes() {
        [b'"', ..] => Some((false, 1 + quoted_len(&rest[1..], b'"'))),
        [b'\'', b'\\', ..] => Some((false, 1 + quoted_len(&rest[1..], b'\''))),
        [b'\'', ..] => {
            // A character, unless it is a lifetime: then no quote follows.
            let inner = rest[1..].chars().next()?;
            let is_character = rest[1 + inner.len_utf8()..].starts_with('\'');
            is_character.then(|| (false, 2 + inner.len_utf8()))
        }
        _ => None,
    }
}

/// How long a quoted text is up to its closing `quote`, which counts.
fn quoted_len(text: &str, quote: u8) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            byte if byte == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether `word` stands in `line` with nothing that would continue it on either side.
fn has_word(line: &str, word: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(continues) && !after.is_some_and(continues)
    })
}

/// The first of `words` in `line`, as an offence.
fn first_word(line: &str, words: &[&str]) -> Option<String> {
    words.iter().find(|word| has_word(line, word)).map(|word| format!("`{word}`"))
}

#[test]
fn code_is_told_from_comments_and_texts() {
    let rust =
        "a(\"b \\\" // c\", 'd', '\\'', r#\"e \" f\"#); // g\n/* h\n */ fn i<'j>(_: &'j str) { k!(b\"l\") }";
    assert_eq!(code(rust), "a(, , , ); \n\n fn i<'j>(_: &'j str) { k!(b) }");
    assert_eq!(code("\"one\ntwo\" three"), "\n three");
}

// Dependencies between the modules of the crate.

/// The top-level modules in the order of `src/lib.rs`, each with the number of its group; an empty line ends a group.
fn modules(lib: &str) -> BTreeMap<String, usize> {
    let mut modules = BTreeMap::new();
    for (group, text) in lib.split("\n\n").enumerate() {
        let named = text.lines().filter_map(|line| {
            let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            line.strip_prefix("mod ")?.strip_suffix(';')
        });
        modules.extend(named.map(|name| (name.to_owned(), group)));
    }
    modules
}

/// The modules that `code` names behind `crate::`, with the lines in which it does.
fn used_modules(code: &str) -> Vec<(usize, String)> {
    let flat = code.replace("crate ::", "crate::");
    let line_of = |at: usize| flat[..at].matches('\n').count() + 1;
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut used = Vec::new();
    for (at, found) in flat.match_indices("crate::") {
        if flat[..at].ends_with(is_name) || flat[..at].ends_with('$') {
            continue;
        }
        let behind = &flat[at + found.len()..];
        let names: Vec<_> = match behind.strip_prefix('{') {
            Some(group) => top_level_names(group),
            None => vec![behind],
        };
        for name in names {
            let name: String = name.trim_start().chars().take_while(|&c| is_name(c)).collect();
            used.push((line_of(at), name));
        }
    }
    used
}

/// What stands between the commas of `{a::{b, c}, d}`, behind its opening brace.
fn top_level_names(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    names.into_iter().filter(|name| !name.trim().is_empty()).collect()
}

/// Uses of a module below the file's own.
fn wrong_directions(source: &Source, modules: &BTreeMap<String, usize>) -> Vec<String> {
    let Some(own) = source.module().filter(|_| source.is_rust_in("src/")) else { return Vec::new() };
    let Some(own_group) = modules.get(own) else { return Vec::new() };
    let below = |used: &String| modules.get(used).is_some_and(|group| group > own_group);
    let used = used_modules(&code(&source.text)).into_iter().filter(|(_, used)| below(used));
    used.map(|(line, used)| format!("{}:{line}: `{own}` uses `{used}`", source.path)).collect()
}

/// A module of a group that reaches itself over others of its group; `uses` holds (module, module that it uses).
fn cycle(uses: &BTreeSet<(String, String)>) -> Option<String> {
    uses.iter().map(|(user, _)| user).find(|user| reachable(user, uses).contains(user.as_str())).cloned()
}

fn reachable<'a>(from: &'a str, uses: &'a BTreeSet<(String, String)>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        let direct = uses.iter().filter(|(user, _)| user == next).map(|(_, used)| used.as_str());
        open.extend(direct.filter(|used| reached.insert(*used)));
    }
    reached
}

fn lib_modules() -> BTreeMap<String, usize> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    modules(&fs::read_to_string(lib).unwrap())
}

#[test]
fn every_module_uses_only_modules_above_it() {
    let modules = lib_modules();
    assert_tidy(
        |source| wrong_directions(source, &modules),
        "src/lib.rs lists the modules in dependency order: move the code, or the module",
    );
}

#[test]
fn modules_of_one_group_do_not_depend_on_each_other_in_a_circle() {
    let modules = lib_modules();
    let uses =
        tree().iter().filter(|source| source.is_rust_in("src/")).flat_map(same_group(&modules)).collect();
    assert_eq!(cycle(&uses), None, "break the circle through this module of src/lib.rs");
}

/// For a file: (its module, a module of the same group that it uses).
fn same_group(modules: &BTreeMap<String, usize>) -> impl Fn(&Source) -> Vec<(String, String)> {
    |source| {
        let Some((own, group)) = source.module().and_then(|own| modules.get_key_value(own)) else {
            return Vec::new();
        };
        let used = used_modules(&code(&source.text)).into_iter().map(|(_, used)| used);
        used.filter(|used| used != own && modules.get(used) == Some(group))
            .map(|used| (own.clone(), used))
            .collect()
    }
}

#[test]
fn every_file_of_the_crate_belongs_to_a_listed_module() {
    let modules = lib_modules();
    let is_listed = |module: &str| matches!(module, "lib" | "main") || modules.contains_key(module);
    assert_tidy(
        |source| match source.module().filter(|_| source.is_rust_in("src/")) {
            Some(module) if !is_listed(module) => vec![source.path.clone()],
            _ => Vec::new(),
        },
        "list the module in src/lib.rs, where the dependency order is kept",
    );
}

#[test]
fn a_wrong_direction_is_noticed() {
    let modules = modules("pub mod a;\npub mod b;\n\npub mod c;\n#[cfg(x)]\nmod d;\n");
    assert_eq!(modules.len(), 4);
    let offences = |path, text| wrong_directions(&Source::new(path, text), &modules);
    assert_eq!(offences("src/a/x.rs", "\nuse crate::c::C;"), ["src/a/x.rs:2: `a` uses `c`"]);
    assert_eq!(offences("src/b.rs", "use crate::{a::{c, d}, d};"), ["src/b.rs:1: `b` uses `d`"]);
    assert!(offences("src/b.rs", "use crate::a; // crate::c\nfn f() -> &str { \"crate::c\" }").is_empty());
    assert!(offences("src/c.rs", "use crate::d; use crate::a;").is_empty());
}

#[test]
fn a_circle_is_noticed() {
    let uses =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(cycle(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert_eq!(cycle(&uses(&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")])).as_deref(), Some("a"));
}

// What pure modules, and all but one module, do without.

fn impurities(source: &Source) -> Vec<String> {
    const WORDS: [&str; 8] =
        ["async", "await", "tokio", "tracing", "std::env", "std::fs", "Utc::now", "SystemTime"];
    let is_pure = source.module().is_some_and(|module| PURE.contains(&module));
    if !is_pure || !source.is_rust_in("src/") {
        return Vec::new();
    }
    source.offences(&code(&source.text), |line| first_word(line, &WORDS))
}

fn clock_readings(source: &Source) -> Vec<String> {
    let is_production = source.is_rust_in("src/") || source.is_rust_in("simulator/src/");
    if !is_production || source.path == CLOCK {
        return Vec::new();
    }
    source.offences(&code(&source.text), |line| {
        first_word(line, &["Utc::now", "Local::now", "SystemTime::now"])
    })
}

#[test]
fn what_decides_is_pure() {
    assert_tidy(
        impurities,
        "take it as a parameter: these modules read no clock, environment, disk or network",
    );
}

#[test]
fn only_one_file_reads_the_system_clock() {
    assert_tidy(
        clock_readings,
        "time comes in through `clock::Clock`, or through the simulation's own clock",
    );
}

#[test]
fn impurity_is_noticed() {
    let offences = |path, text| impurities(&Source::new(path, text)).len();
    for text in
        ["async fn f() {}", "use tokio::time;", "std::env::var(\"X\")", "tracing::info!()", "Utc::now()"]
    {
        assert_eq!(offences("src/plan/x.rs", text), 1, "{text}");
        assert_eq!(offences("src/apply/x.rs", text), 0, "{text}");
    }
    assert_eq!(offences("src/plan/x.rs", "// async\nlet asynchronous = \"tokio\";"), 0);
}

#[test]
fn a_clock_reading_is_noticed() {
    let offences = |path, text| clock_readings(&Source::new(path, text)).len();
    assert_eq!(offences("src/run/x.rs", "let now = chrono::Utc::now();"), 1);
    assert_eq!(offences("simulator/src/x.rs", "SystemTime::now()"), 1);
    assert_eq!(offences(CLOCK, "Utc::now()"), 0);
}

// The wall between psasync and the simulated services, and around wire structs.

fn shared_code(source: &Source) -> Vec<String> {
    if source.is_rust_in("simulator/") {
        return source.offences(&code(&source.text), |line| first_word(line, &["psasync"]));
    }
    if source.path == "simulator/Cargo.toml" {
        let is_dependency = |line: &str| line.trim_start().starts_with("psasync").then(|| line.to_owned());
        return source.offences(&source.text, is_dependency);
    }
    if source.is_rust_in("src/") && source.module() != Some("cli") {
        return source.offences(&code(&source.text), |line| first_word(line, &["simulator"]));
    }
    Vec::new()
}

/// `src/http/wire.rs` is the network itself and holds no structs of a service.
fn exposed_wire_structs(source: &Source) -> Vec<String> {
    if !source.path.ends_with("/wire.rs") || source.module().is_none_or(|module| module == "http") {
        return Vec::new();
    }
    source.offences(&code(&source.text), |line| {
        let is_exposed = has_word(line, "pub") && has_word(&line.replace("pub(super)", ""), "pub");
        is_exposed.then(|| line.trim().to_owned())
    })
}

#[test]
fn simulated_services_and_clients_share_no_code() {
    assert_tidy(
        shared_code,
        "a field that a client misreads must not be confirmed by a simulation that misreads it, too; only `src/cli` starts it",
    );
}

#[test]
fn wire_structs_stay_inside_their_client() {
    assert_tidy(
        exposed_wire_structs,
        "nothing in `wire.rs` is visible beyond `pub(super)`: convert it to the domain",
    );
}

#[test]
fn shared_code_is_noticed() {
    let offences = |path, text| shared_code(&Source::new(path, text)).len();
    assert_eq!(offences("simulator/src/x.rs", "use psasync::domain;"), 1);
    assert_eq!(
        offences("simulator/Cargo.toml", "description = \"for psasync\"\npsasync = { path = \"..\" }"),
        1
    );
    assert_eq!(offences("src/run/x.rs", "simulator::World::demo()"), 1);
    assert_eq!(offences("src/cli/demo.rs", "simulator::World::demo()"), 0);
    assert_eq!(offences("src/run/x.rs", "//! As the simulator does."), 0);
}

#[test]
fn an_exposed_wire_struct_is_noticed() {
    let offences = |path, text| exposed_wire_structs(&Source::new(path, text)).len();
    assert_eq!(
        offences("src/umbrella/wire.rs", "pub struct Token;\npub(crate) struct B;\npub(super) struct C;"),
        2
    );
    assert_eq!(offences("src/http/wire.rs", "pub struct Wire;"), 0);
}

// Style.

fn waved_through(source: &Source) -> Vec<String> {
    if !source.path.ends_with(".rs") {
        return Vec::new();
    }
    source.offences(&code(&source.text), |line| {
        ["#[allow(", "#![allow(", "#[ignore", "todo!(", "unimplemented!(", "dbg!("]
            .into_iter()
            .find(|offence| line.contains(offence))
            .map(|offence| format!("`{offence}`"))
    })
}

fn left_for_later(source: &Source) -> Vec<String> {
    const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
    source.offences(&source.text, |line| first_word(line, &NOTES))
}

fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let counts = source.is_rust_in("src/") || source.is_rust_in("simulator/src/");
    if counts && lines >= LINES_MAX { vec![format!("{}: {lines} lines", source.path)] } else { Vec::new() }
}

fn printing(source: &Source) -> Vec<String> {
    let counts = source.is_rust_in("src/") || source.is_rust_in("simulator/src/");
    if !counts || source.path == PRINTER {
        return Vec::new();
    }
    let macros = ["println", "eprintln", "print", "eprint"];
    source.offences(&code(&source.text), |line| {
        macros.into_iter().find(|name| has_word(line, &format!("{name}!"))).map(|name| format!("`{name}!`"))
    })
}

fn machine_paths(source: &Source) -> Vec<String> {
    const PATHS: [&str; 3] = [concat!("/ho", "me"), concat!("/wo", "rk"), concat!("/ro", "ot")];
    const DOCUMENTS: &str = concat!("../sha", "red");
    let mut offences = source.offences(&source.text, |line| first_word(line, &PATHS));
    if source.path != CI {
        offences
            .extend(source.offences(&source.text, |line| line.contains(DOCUMENTS).then(|| DOCUMENTS.into())));
    }
    offences
}

#[test]
fn nothing_is_waved_through() {
    assert_tidy(
        waved_through,
        "`#[expect(lint, reason = \"…\")]` says why; what is not finished is not committed",
    );
}

#[test]
fn nothing_is_left_for_later() {
    assert_tidy(left_for_later, "do it, or leave it out");
}

#[test]
fn files_are_short() {
    assert_tidy(too_long, "split it where its subject splits");
}

#[test]
fn only_the_printer_prints() {
    assert_tidy(printing, "results go through src/cli/printer.rs, everything else through `tracing`");
}

#[test]
fn no_file_names_a_folder_of_somebodys_machine() {
    assert_tidy(
        machine_paths,
        "write a path that starts at the repository, or one that exists on every machine",
    );
}

#[test]
fn what_is_waved_through_is_noticed() {
    let offences = |text| waved_through(&Source::new("tests/x.rs", text)).len();
    for text in
        ["#[allow(dead_code)]", "#![allow(dead_code)]", "#[ignore = \"slow\"]", "todo!()", "unimplemented!()"]
    {
        assert_eq!(offences(text), 1, "{text}");
    }
    assert_eq!(offences("#[expect(dead_code, reason = \"#[allow( is not\")]"), 0);
}

#[test]
fn what_is_left_for_later_is_noticed() {
    let offences = |text: &str| left_for_later(&Source::new("docs/x.md", text)).len();
    assert_eq!(offences(&format!("a\n{}: b\n{}", concat!("TO", "DO"), concat!("FIX", "ME"))), 2);
    assert_eq!(offences("METHODOLOGY, Todos"), 0);
}

#[test]
fn a_long_file_is_noticed() {
    let offences = |path, lines| too_long(&Source::new(path, &"x\n".repeat(lines))).len();
    assert_eq!(offences("src/x.rs", LINES_MAX), 1);
    assert_eq!(offences("simulator/src/x.rs", LINES_MAX - 1), 0);
    assert_eq!(offences("tests/x.rs", LINES_MAX), 0);
}

#[test]
fn printing_is_noticed() {
    let offences = |path, text| printing(&Source::new(path, text)).len();
    assert_eq!(offences("src/run/x.rs", "println!(\"x\");\nanstream::eprint!(\"x\")"), 2);
    assert_eq!(offences(PRINTER, "println!(\"x\")"), 0);
    assert_eq!(offences("src/run/x.rs", "writeln!(out)?; // println!()"), 0);
}

#[test]
fn a_machine_path_is_noticed() {
    let offences = |path, text: &str| machine_paths(&Source::new(path, text)).len();
    for folder in [concat!("/ho", "me"), concat!("/wo", "rk"), concat!("/ro", "ot")] {
        assert_eq!(offences("README.md", &format!("see `{folder}/x`")), 1, "{folder}");
        assert_eq!(offences("README.md", &format!("see `{folder}space` and net{folder}er")), 0, "{folder}");
    }
    assert_eq!(offences("README.md", concat!("in ../sha", "red/x")), 1);
    assert_eq!(offences(CI, concat!("in ../sha", "red/x")), 0);
}
