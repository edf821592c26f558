//! Who reads a code block, by its language.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use clap::CommandFactory as _;
use serde_json::Value;

use super::{adapter_files, blocks::Block};

/// Python's own readers; each reads standard input, and prints what is wrong.
const XML: &str = "import sys, xml.dom.minidom as m; m.parseString('<_>' + sys.stdin.read() + '</_>')";
const INI: &str = "import sys, configparser as c; c.ConfigParser(strict=False, interpolation=None, allow_no_value=True)\
                   .read_string('[_]\\n' + sys.stdin.read())";
const TOML: &str = "import sys, tomllib; tomllib.loads(sys.stdin.read())";
const PYTHON: &str = "import sys, ast; ast.parse(sys.stdin.read())";
/// Elements that are opened are closed, in this order.
const HTML: &str = "
import sys, html.parser
class Reader(html.parser.HTMLParser):
    open = []
    def handle_starttag(self, tag, attributes):
        if tag not in ('br', 'hr', 'img', 'input', 'link', 'meta'): self.open.append(tag)
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag: sys.exit(f'</{tag}> closes nothing')
reader = Reader()
reader.feed(sys.stdin.read())
if reader.open: sys.exit(f'{reader.open} stay open')
";

/// What is wrong with `block`.
pub(super) fn check(block: &Block) -> Result<(), String> {
    let words = block.words().strip_suffix("example").unwrap_or(block.words()).trim();
    let parsed = match block.language() {
        "json" => return json(&block.text, block.words()),
        "sh" => return shell(&block.text, words),
        "nginx" => return nginx(&block.text, words),
        "yaml" => yaml(&block.text),
        "xml" => told_by("python3", &["-c", XML], &block.text),
        "html" => told_by("python3", &["-c", HTML], &block.text),
        "ini" => told_by("python3", &["-c", INI], &block.text),
        "toml" => told_by("python3", &["-c", TOML], &block.text),
        "python" => told_by("python3", &["-c", PYTHON], &block.text),
        "http" => http(&block.text),
        "apache" => apache(&block.text),
        "java" => brackets(&block.text),
        "text" => Ok(()),
        _ => Err("is no language that anybody here reads".to_owned()),
    };
    if words.is_empty() { parsed } else { Err(format!("says `{words}`, which nobody understands")) }
}

fn json(text: &str, words: &str) -> Result<(), String> {
    if let Some(of) = words.strip_prefix("fragment") {
        return adapter_files::check_fragment(text, of.strip_prefix(" of "));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match words {
        "" | "example" if adapter_files::is_whole(&value) => adapter_files::check_whole(value),
        "example" => Ok(()),
        _ => {
            Err("is no whole configuration: say `json fragment`, `json fragment of sidecar` or `json example`"
                .to_owned())
        }
    }
}

fn shell(text: &str, words: &str) -> Result<(), String> {
    if !words.is_empty() && !words.starts_with("run ") {
        return Err(format!("says `{words}`, which nobody understands"));
    }
    told_by("bash", &["-n"], text)?;
    text.replace("\\\n", " ").lines().filter_map(doorward).try_for_each(|words| {
        let matched = doorward::commands::Arguments::command().try_get_matches_from(words);
        matched.map(drop).or_else(|error| if error.use_stderr() { Err(error.to_string()) } else { Ok(()) })
    })
}

/// The words of a line that calls Doorward, up to whatever the shell takes for itself.
fn doorward(line: &str) -> Option<Vec<&str>> {
    let line = line.split("&& ").last()?;
    let words = line.split_whitespace().take_while(|word| !word.starts_with(['|', '>', '<', '&', ';', '#']));
    let words: Vec<_> = words.map(|word| word.trim_end_matches(';').trim_matches(['"', '\''])).collect();
    words.first().is_some_and(|word| word.rsplit('/').next() == Some("doorward")).then_some(words)
}

/// One document or several. The actions of a Helm template are taken out, with their line where nothing else stands in it.
fn yaml(text: &str) -> Result<(), String> {
    let mut plain = String::new();
    for line in text.lines().filter(|line| !(line.trim().starts_with("{{") && line.trim().ends_with("}}"))) {
        let mut parts = line.split("{{");
        plain += parts.next().unwrap_or_default();
        for part in parts {
            plain += "action";
            plain += part.split_once("}}").map_or("", |(_, rest)| rest);
        }
        plain.push('\n');
    }
    yaml_rust2::YamlLoader::load_from_str(&plain).map(drop).map_err(|error| error.to_string())
}

/// A whole block stands in `http`, a fragment in a `server`.
fn nginx(text: &str, words: &str) -> Result<(), String> {
    let site = match words {
        "" => text.to_owned(),
        "fragment" => format!("server {{ listen 127.0.0.1:80;\n{text}\n}}"),
        _ => return Err(format!("says `{words}`, which nobody understands")),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nginx.conf");
    let around = format!("pid {}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{site}\n}}\n", folder.path().display());
    fs::write(&file, around).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    told_by("/usr/sbin/nginx", &["-q", "-t", "-p", &path(folder.path()), "-c", &path(&file)], "")
}

/// A request or an answer: its first line, header fields, and behind an empty line its body, of which JSON is parsed.
fn http(text: &str) -> Result<(), String> {
    let mut lines = text.lines().take_while(|line| !line.is_empty());
    let first = lines.next().filter(|line| line.ends_with("HTTP/1.1") || line.starts_with("HTTP/1.1 "));
    first.ok_or("begins with no request line and no status line")?;
    let field = |line: &str| line.split_once(": ").is_some_and(|(name, _)| http::HeaderName::try_from(name).is_ok());
    if let Some(line) = lines.find(|line| !field(line)) {
        return Err(format!("has no header field in `{line}`"));
    }
    match text.split_once("\n\n") {
        Some((head, body)) if head.contains("application/json") => json(body, "example"),
        _ => Ok(()),
    }
}

/// Sections that are opened are closed, in this order; every other line is a directive or a comment.
fn apache(text: &str) -> Result<(), String> {
    let mut open = Vec::new();
    let mut continued = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let first = line.trim_matches(['<', '>']).split_whitespace().next().unwrap_or_default();
        if let Some(closed) = first.strip_prefix('/') {
            if open.pop() != Some(closed) {
                return Err(format!("closes `{closed}` in `{line}`"));
            }
        } else if line.starts_with('<') {
            open.push(first);
        } else if !continued && !first.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return Err(format!("has no directive in `{line}`"));
        }
        continued = line.ends_with('\\');
    }
    if open.is_empty() { Ok(()) } else { Err(format!("leaves {open:?} open")) }
}

/// Brackets that are opened are closed, in this order, outside of texts.
fn brackets(text: &str) -> Result<(), String> {
    let mut open = Vec::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        for letter in code.split('"').step_by(2).flat_map(str::chars) {
            match letter {
                '(' => open.push(')'),
                '[' => open.push(']'),
                '{' => open.push('}'),
                ')' | ']' | '}' if open.pop() != Some(letter) => return Err(format!("closes too much in `{line}`")),
                _ => {}
            }
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("lacks {open:?}")) }
}

/// Runs `program` with `input`. When it fails, what it printed says why.
fn told_by(program: &str, arguments: &[&str], input: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    // A program that has seen enough closes its end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}
