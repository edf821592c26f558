//! What the program says of itself: help, manual page, shell completions.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use regex::Regex;

use crate::support::{commands, run_doorward};

fn printed(arguments: &[&str]) -> String {
    let output = run_doorward(arguments);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn help(command: &[String], how: &str) -> String {
    let mut line: Vec<&str> = command.iter().map(String::as_str).collect();
    line.push(how);
    printed(&line)
}

#[test]
fn every_command_has_a_short_help_and_a_long_one_with_examples_and_exit_codes() {
    let mut seen = 0;
    for command in commands().into_iter().filter(|command| command.len() == 1).chain([vec![]]) {
        let (short, long) = (help(&command, "-h"), help(&command, "--help"));
        assert!(long.len() > short.len(), "{command:?}");
        for told in ["\nExamples:\n", "\nExit codes:\n"] {
            assert!(long.contains(told) && !short.contains(told), "{command:?}: {told}");
        }
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
    let serve = printed(&["serve", "--help"]);
    for told in ["SIGTERM", "SIGHUP", "DOORWARD__", "POD_IP", "adapter.json", "revocations.jsonl"] {
        assert!(serve.contains(told), "{told}");
    }
}

#[test]
fn the_version_is_told() {
    assert_eq!(printed(&["--version"]), concat!("doorward ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_manual_page_is_roff_that_groff_has_nothing_to_say_of() {
    let page = printed(&["man"]);
    let mut groff = Command::new("groff");
    groff
        .args(["-ww", "-man", "-Tutf8", "-P-cbou"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut groff = groff.spawn().expect("groff is there (./test setup)");
    groff.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = groff.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = String::from_utf8(output.stdout).unwrap();
    for told in
        ["EXIT STATUS", "SIGNALS", "ENVIRONMENT", "FILES", "EXAMPLES", "SIGHUP", "SIGTERM", "DOORWARD__", "POD_IP"]
    {
        assert!(shown.contains(told), "{told}\n{shown}");
    }
    assert!(!shown.contains("\\f") && !shown.contains("\\e"), "an escape is shown");
}

#[test]
fn the_manual_page_holds_every_command_and_every_option() {
    let page = printed(&["man"]).replace("\\-", "-");
    let options = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z-]+)").unwrap();
    for command in commands() {
        assert!(page.contains(&format!(".SS \"doorward {}\"\n", command.join(" "))), "{command:?}");
        let help = help(&command, "-h");
        for option in options.captures_iter(&help).filter(|found| &found[1] != "--help") {
            assert!(page.contains(&option[1]), "{command:?} {}", &option[1]);
        }
    }
}

/// What bash completes `line` to, by the function that the script registers.
fn completed_by_bash(line: &[&str]) -> Vec<String> {
    const ASK: &str = r#"
        source "$0" || exit
        [[ "$(complete -p doorward)" =~ -F\ ([^ ]+) ]] || exit
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "${BASH_REMATCH[1]}" doorward "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        compgen -W "${COMPREPLY[*]}" -- "${COMP_WORDS[COMP_CWORD]}"
    "#;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("doorward");
    fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let output = Command::new("bash").args(["--norc", "-c", ASK]).arg(&script).args(line).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    assert_eq!(completed_by_bash(&["doorward", "ch"]), ["check"]);
    assert_eq!(completed_by_bash(&["doorward", "sessions", "end", "--u"]), ["--user", "--url"]);
    assert_eq!(completed_by_bash(&["doorward", "completions", "z"]), ["zsh"]);
    assert_eq!(completed_by_bash(&["doorward", "no-such-c"]), [""; 0]);
}

#[test]
fn scripts_for_other_shells_name_every_command() {
    for (shell, head) in
        [("zsh", "#compdef doorward"), ("fish", "complete -c doorward"), ("elvish", ""), ("powershell", "")]
    {
        let script = printed(&["completions", shell]);
        assert!(script.contains(head), "{shell}");
        for command in commands() {
            assert!(script.contains(command.last().unwrap()), "{shell}: {command:?}");
        }
    }
    assert_eq!(run_doorward(&["completions", "sh"]).status.code(), Some(2));
}
