//! One source file: where it stands in the tree, and what it names outside its tests.

use std::path::Path;

use super::tokens::{Token, tokens};

/// A file of `src/`.
pub(super) struct Source {
    /// Its module, for example `login`, `attempt`; empty for `lib.rs`.
    pub(super) module: Vec<String>,
    /// What it says outside its tests.
    tokens: Vec<Token>,
    /// Modules that it declares for tests only.
    tests: Vec<String>,
    paths: Vec<Vec<String>>,
    /// Paths that begin with `::`, so with a crate and nothing else.
    foreign: Vec<Vec<String>>,
    own_names: Vec<String>,
}

impl Source {
    /// Takes the text of `file`, a path below `src/`.
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let mut module: Vec<String> =
            file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        module.pop_if(|last| last == "mod" || last == "lib");
        let (tokens, tests) = without_tests(&tokens(text));
        let (paths, foreign, own_names) = (Vec::new(), Vec::new(), Vec::new());
        let mut source = Self { module, tokens, tests, paths, foreign, own_names };
        source.read_paths();
        source
    }

    /// The folder or file directly below `src/`.
    pub(super) fn top(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    /// Whether it is `place` or lies in it.
    pub(super) fn is_in(&self, place: &str) -> bool {
        let mut module = self.module.iter();
        place.split("::").all(|part| module.next().is_some_and(|own| own == part))
    }

    /// The modules for tests only that it declares, as paths.
    pub(super) fn test_modules(&self) -> impl Iterator<Item = String> {
        self.tests.iter().map(|name| [&self.module[..], std::slice::from_ref(name)].concat().join("::"))
    }

    /// The modules that it declares.
    pub(super) fn modules(&self) -> impl Iterator<Item = &str> {
        let pairs = self.tokens.windows(2).filter(|pair| pair[0].is("mod"));
        pairs.filter_map(|pair| pair[1].word())
    }

    /// The other top modules that it names.
    pub(super) fn imports(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().filter_map(|path| self.top_of(path)).filter(|top| *top != self.top())
    }

    /// Whether it names `path` of another crate (`hyper`, `std::env`).
    pub(super) fn names(&self, path: &str) -> bool {
        let not_own = self.paths.iter().filter(|found| !self.own_names.contains(&found[0]));
        let wanted: Vec<&str> = path.split("::").collect();
        not_own
            .chain(&self.foreign)
            .any(|found| found.iter().map(String::as_str).take(wanted.len()).eq(wanted.iter().copied()))
    }

    /// Whether it names a status by its constant.
    pub(super) fn names_a_status(&self) -> bool {
        let is_constant = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        self.paths.iter().any(|path| path.windows(2).any(|pair| pair[0] == "StatusCode" && is_constant(&pair[1])))
    }

    /// Whether it may end in a panic by its own words.
    pub(super) fn panics(&self) -> bool {
        let calls = self.tokens.windows(3).any(|t| {
            t[0].is(".") && ["unwrap", "expect", "unwrap_err", "expect_err"].iter().any(|n| t[1].is(n)) && t[2].is("(")
        });
        let macros = ["panic", "unreachable", "unimplemented", "todo"];
        calls || self.tokens.windows(2).any(|t| macros.iter().any(|name| t[0].is(name)) && t[1].is("!"))
    }

    /// The top module that `path` begins in, if it begins at the crate's root.
    fn top_of<'a>(&'a self, path: &'a [String]) -> Option<&'a str> {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let at = match path[0].as_str() {
            "crate" | "doorward" => 1,
            "super" if supers == self.module.len() => supers,
            _ => return None,
        };
        path.get(at).map(String::as_str)
    }

    fn read_paths(&mut self) {
        self.own_names = self.modules().map(str::to_owned).collect();
        let mut at = 0;
        while at < self.tokens.len() {
            let before = |distance: usize| at.checked_sub(distance).map(|at| &self.tokens[at]);
            let from_crates = before(1).is_some_and(|t| t.is("::"));
            let continues = from_crates && before(2).is_some_and(|t| t.word().is_some() || t.is(">"));
            let starts = !continues;
            if self.tokens[at].is("use") && starts {
                let mut found = Vec::new();
                at = use_tree(&self.tokens, at + 1, &[], &mut found);
                self.own_names.extend(found.iter().filter(|(path, _)| path.len() > 1).map(|(_, name)| name.clone()));
                self.paths.extend(found.into_iter().map(|(path, _)| path));
            } else if self.tokens[at].word().is_some() && starts {
                let path = chain(&self.tokens[at..]);
                at += path.len() * 2 - 1;
                let kept = if from_crates { &mut self.foreign } else { &mut self.paths };
                kept.extend((path.len() > 1).then_some(path));
            } else {
                at += 1;
            }
        }
    }
}

/// Whether an attribute of `text` lets a lint pass by `allow`.
pub(super) fn allows_lints(text: &str) -> bool {
    tokens(text).windows(3).any(|t| (t[0].is("[") || t[0].is(",")) && t[1].is("allow") && t[2].is("("))
}

/// `a::b::c` at the start of `tokens`.
fn chain(tokens: &[Token]) -> Vec<String> {
    let words = tokens.chunks(2).take_while(|pair| pair[0].word().is_some());
    let mut path = Vec::new();
    for pair in words {
        path.extend(pair[0].word().map(str::to_owned));
        if !pair.get(1).is_some_and(|token| token.is("::")) {
            break;
        }
    }
    path
}

/// Reads one tree of a `use` from `at` on, each leaf with the name that it gets; returns where the tree ends.
fn use_tree(tokens: &[Token], at: usize, before: &[String], found: &mut Vec<(Vec<String>, String)>) -> usize {
    let mut path = before.to_vec();
    let mut at = at;
    let mut name = None;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Word(word) if word == "as" => {
                name = tokens[at + 1].word().map(str::to_owned);
                at += 1;
            }
            Token::Word(word) if word == "self" && !path.is_empty() => {}
            Token::Word(word) => path.push(word.clone()),
            Token::Sign('{') => {
                while !tokens[at].is("}") {
                    at = use_tree(tokens, at + 1, &path, found);
                }
                return at + 1;
            }
            Token::Sign(',' | '}' | ';') => break,
            _ => {}
        }
        at += 1;
    }
    if path.len() > before.len() || !path.is_empty() && tokens[at - 1].is("self") {
        let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
        found.push((path, name));
    }
    at
}

/// `tokens` without what stands under `#[cfg(test)]`, and the names of the modules declared there.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut modules, mut rest) = (Vec::new(), Vec::new(), tokens);
    while let Some(first) = rest.first() {
        if !starts_with(rest, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            kept.push(first.clone());
            rest = &rest[1..];
            continue;
        }
        let item = &rest[7..];
        let end = item_len(item);
        let declared = item[..end].windows(3).find(|t| t[0].is("mod") && t[2].is(";"));
        modules.extend(declared.and_then(|t| t[1].word()).map(str::to_owned));
        rest = &item[end..];
    }
    (kept, modules)
}

/// To the first `;` outside braces, or the end of the first braces.
fn item_len(item: &[Token]) -> usize {
    let mut depth = 0;
    for (at, token) in item.iter().enumerate() {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            _ => {}
        }
        if depth == 0 && (token.is("}") || token.is(";")) {
            return at + 1;
        }
    }
    item.len()
}

fn starts_with(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.is(text))
}

#[test]
fn every_way_to_name_another_module_or_crate_is_seen() {
    let text = "
        use crate::{a::{self, X}, b::Y as Z};
        use super::super::c; use super::near; use {hyper::{Body, body as http}, ring};
        mod own;
        fn f(x: crate::d::T) { a::g(); http::h(); own::k(); ::a::b(); Vec::<u8>::zstd::x(); std::env::var(); url::Url::parse(crate::e::<u8>()); }
        #[cfg(test)] pub(super) mod sample;
        #[cfg(test)] mod tests { use crate::z; fn t() { aes_gcm::x(); { } } }
        fn g() { crate::f::h() }";
    let source = Source::new("m/n.rs".as_ref(), text);
    assert_eq!(source.imports().collect::<Vec<_>>(), ["a", "a", "b", "c", "d", "e", "f"]);
    let named = |path: &&str| source.names(path);
    let all = ["hyper", "ring", "url", "std::env", "a", "http", "own", "zstd", "aes_gcm", "std::fs"];
    assert_eq!(all.iter().copied().filter(named).collect::<Vec<_>>(), ["hyper", "ring", "url", "std::env", "a"]);
    assert_eq!(source.test_modules().collect::<Vec<_>>(), ["m::n::sample"]);
    assert!(source.is_in("m") && source.is_in("m::n") && !source.is_in("m::n::o") && !source.is_in("n"));
}

#[test]
fn panics_statuses_and_allowances_are_seen() {
    let source = |text: &str| Source::new("m.rs".as_ref(), text);
    for text in ["x.unwrap()", "x.expect(\"y\")", "panic!(\"\")", "todo!()"] {
        assert!(source(text).panics(), "{text}");
    }
    assert!(!source("x.unwrap_or(1); #[expect(y)] #[cfg(test)] fn f() { x.unwrap() }").panics());
    assert!(source("http::StatusCode::OK").names_a_status());
    assert!(!source("StatusCode::from_u16(1); // StatusCode::OK").names_a_status());
    assert!(allows_lints("#![allow(x)]") && allows_lints("#[cfg_attr(y, allow(x))]") && !allows_lints("allow(x)"));
}
