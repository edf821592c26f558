//! What docs/operations.md says of metrics, exit codes and answers, held against the program.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::{
    architecture::files::{rust_files, text_of},
    support::{
        Scene, commands,
        families::{Family, families, read},
        run_doorward,
    },
};

fn page() -> String {
    text_of("docs/operations.md")
}

/// What stands under a heading, to the next of the same rank or a higher one.
pub(crate) fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let rank = heading.split(' ').next().unwrap();
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("there is no {heading}"));
    let ends = (1..=rank.len()).filter_map(|rank| rest.find(&format!("\n{} ", "#".repeat(rank))));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// The rows of all tables, each as its cells.
pub(crate) fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    lines.map(|line| line.split('|').map(str::trim).collect()).collect()
}

/// The words of a cell that stand in backquotes.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_metric_stands_in_the_page_with_its_type_and_labels_and_none_that_is_not_there() {
    let page = page();
    let mut told = BTreeMap::new();
    for row in rows(section(&page, "## Metrics")) {
        let [name, kind, labels, meaning, _] = row[..] else { panic!("a row of five: {row:?}") };
        let Some(name) = name.strip_prefix("`doorward_") else { continue };
        assert!(!meaning.is_empty(), "{name} means nothing");
        let family = Family { kind: kind.to_owned(), labels: quoted(labels) };
        assert!(told.insert(format!("doorward_{}", name.trim_end_matches('`')), family).is_none(), "{name} twice");
    }
    assert_eq!(told, families());
}

/// Else one that is counted nowhere in the list of [`families`] would be missed by all of these.
#[test]
fn all_metrics_that_are_made_are_known_here() {
    let names = Regex::new("\"(doorward_[a-z_]+)\"").unwrap();
    let source = text_of("src/status/metrics/families.rs");
    let made: BTreeSet<_> = names.captures_iter(&source).map(|found| found[1].to_owned()).collect();
    assert_eq!(made, families().into_keys().collect());
}

#[test]
fn a_running_node_serves_these_metrics_and_no_others() {
    let scene = Scene::start();
    scene.signed_in();
    let (known, served) = (families(), read(&scene.adapter.admin("/metrics").text()));
    assert!(served.len() > 10, "{served:?}");
    for (name, family) in served {
        assert_eq!(known.get(&name), Some(&family), "{name}");
    }
}

/// A supervisor that stops it sooner, or starts it again in vain, does what the page warns of.
#[test]
fn the_unit_stops_and_starts_it_as_the_pages_say() {
    let (unit, page) = (text_of("packaging/doorward.service"), page());
    let set = |name: &str| {
        let (_, rest) = unit.split_once(&format!("\n{name}=")).unwrap_or_else(|| panic!("no {name}"));
        rest.lines().next().unwrap().to_owned()
    };
    for name in ["RestartPreventExitStatus", "TimeoutStopSec"] {
        let told: Vec<_> =
            page.split(&format!("`{name}=")).skip(1).map(|rest| rest.split('`').next().unwrap()).collect();
        assert_eq!(told, [set(name)], "{name}");
    }
    let stop = set("TimeoutStopSec");
    let installation = text_of("docs/installation.md");
    for words in [format!("--stop-timeout {stop} "), format!("stop_grace_period: {stop}s"), format!("up to {stop} s,")]
    {
        assert!(installation.contains(&words), "{words}");
    }
}

fn codes_in(text: &str, pattern: &str) -> BTreeSet<u8> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].parse().unwrap()).collect()
}

#[test]
fn every_exit_code_stands_in_the_page_in_the_manual_and_in_the_help() {
    let source: String = rust_files("src/commands").into_iter().map(|file| file.text).collect();
    assert!(!Regex::new(r"ExitCode::from\(\d").unwrap().is_match(&source), "a code without a name");
    let mut codes = codes_in(&source, r"const \w+: u8 = (\d+);");
    codes.insert(0);
    assert!(codes.len() >= 5, "{codes:?}");
    assert_eq!(codes_in(section(&page(), "### Exit codes"), r"(?m)^\| (\d+) \|"), codes, "in the page");
    let manual = run_doorward(&["man"]).stdout;
    let manual = String::from_utf8(manual).unwrap();
    let (_, manual) = manual.split_once(".SH \"EXIT STATUS\"").unwrap();
    assert_eq!(codes_in(manual, r"(?m)^\\fB(\d+)\\fR$"), codes, "in the manual");
    for command in [vec![]].into_iter().chain(commands()) {
        let help = run_doorward(&[&command.iter().map(String::as_str).collect::<Vec<_>>()[..], &["--help"]].concat());
        let told = codes_in(&String::from_utf8(help.stdout).unwrap(), r"(?m)^  (\d+) ");
        assert!(told.is_subset(&codes) && (command.len() > 1 || told.contains(&0)), "{command:?}: {told:?}");
    }
}

/// Where what people are told is written down.
const SPEAKERS: [&str; 9] =
    ["caller", "forms", "front", "login", "message/handshake", "proxy", "respond", "site", "target"];

/// In our texts a sentence begins with a capital letter and ends with a full stop, and nothing else does.
#[test]
fn every_sentence_that_users_are_told_stands_in_the_page() {
    let page = page();
    let sentence = Regex::new("\"([A-Z][^\"\\\\]* [^\"\\\\]*\\.)\"").unwrap();
    let holes = Regex::new(r"\{\w*\}").unwrap();
    let (mut told, mut missing) = (0, Vec::new());
    for file in rust_files("src") {
        let path = file.path.strip_prefix("src").unwrap().to_str().unwrap();
        if path.contains("tests") || !SPEAKERS.iter().any(|speaker| path.starts_with(speaker)) {
            continue;
        }
        // Tests stand at the end of a file.
        let source = file.text.split("#[cfg(test)]").next().unwrap();
        let spoken: Vec<_> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for found in sentence.captures_iter(&spoken.join("\n")) {
            told += 1;
            let text = holes.replace_all(&found[1], "…").into_owned();
            if !page.contains(&text) {
                missing.push(format!("{path}: {text}"));
            }
        }
    }
    assert!(told > 50, "only {told} sentences were found");
    assert!(missing.is_empty(), "not in the page:\n{}", missing.join("\n"));
}
