//! The dashboard and the alert rules, held against the metrics that there are, and read by Prometheus' own tool.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
};

use regex::Regex;
use serde_json::{Value, json};

use crate::{
    architecture::files::{repository, text_of},
    operations_page::{rows, section},
    support::families::families,
};

const ALERTS: &str = "docs/monitoring/alerts.yaml";

/// What Prometheus adds to whatever it reads.
const EVERYWHERE: [&str; 2] = ["instance", "job"];

/// `./test setup` puts it below `target/`; elsewhere it may be installed.
fn promtool(arguments: &[&str]) -> Output {
    let ours = repository().join("target/tools/bin/promtool");
    let program = if ours.exists() { &ours } else { Path::new("promtool") };
    Command::new(program).args(arguments).current_dir(repository()).output().expect("promtool is there (./test setup)")
}

fn must_pass(arguments: &[&str]) {
    let output = promtool(arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}\n{printed}");
}

/// Name and expression of each alert.
fn alerts() -> Vec<(String, String)> {
    let text = text_of(ALERTS);
    let alerts = text.split("- alert: ").skip(1).map(|alert| {
        let (name, rest) = alert.split_once('\n').unwrap();
        let (_, rest) = rest.split_once("expr:").unwrap();
        let end = rest.find("labels: {").unwrap();
        (name.to_owned(), rest[..end].to_owned())
    });
    alerts.collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&text_of("docs/monitoring/grafana-dashboard.json")).unwrap()
}

/// Its panels, without the rows between them.
fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

/// Whether each metric in `expression` is there, and has the labels that are asked for; `named` are labels that are shown.
fn must_ask_for_what_there_is(expression: &str, named: &str, whose: &str) {
    let (metric, label) = (Regex::new(r"(doorward_\w+)(?:\{([^}]*)\})?"), Regex::new(r"(\w+)\s*(?:=~|!~|!=|=)\s*\x22"));
    let (families, label) = (families(), label.unwrap());
    let mut known: BTreeSet<&str> = EVERYWHERE.into();
    for found in metric.unwrap().captures_iter(expression) {
        let family = families.get(&found[1]).unwrap_or_else(|| panic!("{whose}: there is no {}", &found[1]));
        known.extend(family.labels.iter().map(String::as_str));
        for asked in label.captures_iter(found.get(2).map_or("", |labels| labels.as_str())) {
            let asked = &asked[1];
            let is_there = family.labels.contains(asked) || EVERYWHERE.contains(&asked);
            assert!(is_there, "{whose}: {} has no label {asked}", &found[1]);
        }
    }
    let grouped = Regex::new(r"\b(?:by|on|without|ignoring) \(([^)]*)\)|\{\{\s*(\w+)\s*\}\}").unwrap();
    for found in grouped.captures_iter(&format!("{expression} {named}")) {
        let labels = found.get(1).or(found.get(2)).unwrap().as_str();
        for label in labels.split(',').map(str::trim) {
            assert!(known.contains(label), "{whose}: nothing in it has a label {label}");
        }
    }
}

#[test]
fn the_dashboard_has_no_two_panels_alike_and_says_of_each_what_it_shows() {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    let titles: BTreeSet<_> = all.iter().map(|panel| panel["title"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), titles.len()), (all.len(), all.len()), "ids or titles twice");
    for panel in panels(&dashboard) {
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
        let title = &panel["title"];
        assert!(["cps", "percentunit", "reqps", "s", "short"].contains(&unit), "{title}: unit {unit}");
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}: no description");
        let at = &panel["gridPos"];
        assert!(at["x"].as_u64().unwrap() + at["w"].as_u64().unwrap() <= 24, "{title}: too far right");
    }
}

#[test]
fn the_dashboard_asks_for_metrics_and_labels_that_there_are() {
    let dashboard = dashboard();
    assert!(panels(&dashboard).len() > 20);
    let mut rules = Vec::new();
    for panel in panels(&dashboard) {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{}: asks for nothing", panel["title"]);
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            must_ask_for_what_there_is(
                expression,
                target["legendFormat"].as_str().unwrap(),
                &panel["title"].to_string(),
            );
            // Grafana fills these in.
            let filled = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
            assert!(!filled.contains('$'), "{expression}");
            rules.push(json!({ "record": format!("panel:{}", rules.len()), "expr": filled }));
        }
    }
    // JSON is YAML: as recording rules, Prometheus' own parser reads them.
    let (folder, rules) =
        (tempfile::tempdir().unwrap(), json!({ "groups": [{ "name": "dashboard", "rules": rules }] }));
    let file = folder.path().join("rules.json");
    std::fs::write(&file, rules.to_string()).unwrap();
    must_pass(&["check", "rules", file.to_str().unwrap()]);
}

#[test]
fn the_alerts_ask_for_metrics_and_labels_that_there_are() {
    must_pass(&["check", "rules", ALERTS]);
    let alerts = alerts();
    assert!(alerts.len() > 10);
    for (name, expression) in alerts {
        must_ask_for_what_there_is(&expression, "", &name);
    }
}

#[test]
fn each_alert_fires_for_its_trouble_and_none_on_a_good_day() {
    const FIRED: &str = "tests/monitoring/alerts_test.yaml";
    must_pass(&["test", "rules", FIRED]);
    let tests = text_of(FIRED);
    for (name, _) in alerts() {
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "nothing makes {name} fire");
    }
}

#[test]
fn each_alert_is_explained_in_the_page() {
    let page = text_of("docs/operations.md");
    let rows = rows(section(&page, "## Alert rules"));
    let told: BTreeSet<_> = rows.iter().filter_map(|row| row[0].strip_prefix('`')?.strip_suffix('`')).collect();
    let alerts = alerts();
    assert_eq!(told, alerts.iter().map(|(name, _)| name.as_str()).collect());
}
