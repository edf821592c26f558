//! `redirect-rewrite-rules`: how a path of ours is called outside, where a gateway calls it otherwise. As Java's `String.replaceFirst` does it,
//! which Keycloak's adapters use (`OAuthRequestAuthenticator.rewrittenRedirectUri`).

use regex::Regex;
use thiserror::Error;

/// One rule. The pattern is matched in time that grows with the path only.
#[derive(Clone, Debug)]
pub struct RedirectRewrite {
    pattern: Regex,
    replacement: Vec<Piece>,
}

/// What a match is replaced by, piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Group(usize),
    Text(String),
}

/// Why a rule cannot be used. Its words are for whoever wrote it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RewriteError {
    /// Not a regular expression, or one with lookaround, backreferences or possessive quantifiers, which need unbounded time.
    #[error(
        "is not a regular expression that can be used here (lookaround, backreferences and possessive quantifiers cannot)"
    )]
    Pattern,
    /// `$` that names no group of the pattern, or a `\\` at the end.
    #[error("holds a `$` that names no group of its pattern, or ends with `\\`")]
    Replacement,
}

impl PartialEq for RedirectRewrite {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.as_str() == other.pattern.as_str() && self.replacement == other.replacement
    }
}

impl Eq for RedirectRewrite {}

impl RedirectRewrite {
    /// Reads a rule: a regular expression, and a replacement in which `$1` and `${name}` stand for groups and `\` takes the next character
    /// as it is (`java.util.regex.Matcher.appendReplacement`).
    ///
    /// # Errors
    /// When either cannot be read.
    pub fn new(pattern: &str, replacement: &str) -> Result<Self, RewriteError> {
        let pattern = Regex::new(pattern).map_err(|_| RewriteError::Pattern)?;
        let replacement = pieces(replacement, &pattern).ok_or(RewriteError::Replacement)?;
        Ok(Self { pattern, replacement })
    }

    /// `path` with the first match replaced; as it is when nothing matches.
    #[must_use]
    pub fn apply(&self, path: &str) -> String {
        let Some(found) = self.pattern.captures(path) else { return path.to_owned() };
        let range = found.get_match().range();
        let group = |index: usize| found.get(index).map_or("", |group| group.as_str());
        let replaced = self.replacement.iter().map(|piece| match piece {
            Piece::Group(index) => group(*index),
            Piece::Text(text) => text,
        });
        [&path[..range.start], &replaced.collect::<String>(), &path[range.end..]].concat()
    }
}

fn pieces(replacement: &str, pattern: &Regex) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find(['$', '\\']) {
        let (text, special) = rest.split_at(at);
        pieces.push(Piece::Text(text.to_owned()));
        let piece = match special.strip_prefix('$') {
            Some(name) => group(name, pattern)?,
            None => special.get(1..).and_then(literal)?,
        };
        pieces.push(piece.0);
        rest = piece.1;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Some(pieces)
}

fn literal(text: &str) -> Option<(Piece, &str)> {
    let mut characters = text.chars();
    let next = characters.next()?;
    Some((Piece::Text(next.to_string()), characters.as_str()))
}

/// The group that `name` begins with, and what follows. Of a number, as many digits count as still name a group.
fn group<'t>(name: &'t str, pattern: &Regex) -> Option<(Piece, &'t str)> {
    if let Some((name, rest)) = name.strip_prefix('{').and_then(|name| name.split_once('}')) {
        let index = pattern.capture_names().position(|known| known == Some(name))?;
        return Some((Piece::Group(index), rest));
    }
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let numbers = (1..=digits).rev().filter_map(|length| Some((name.get(..length)?.parse::<usize>().ok()?, length)));
    let (index, length) = numbers.into_iter().find(|(index, _)| *index < pattern.captures_len())?;
    Some((Piece::Group(index), name.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(pattern: &str, replacement: &str, path: &str) -> String {
        RedirectRewrite::new(pattern, replacement).unwrap().apply(path)
    }

    #[test]
    fn the_first_match_is_replaced_as_java_does_it() {
        assert_eq!(rewritten("^/wsmaster/api/(.*)$", "/api/$1", "/wsmaster/api/a/b"), "/api/a/b");
        assert_eq!(rewritten("a", "b", "/a/a"), "/b/a");
        assert_eq!(rewritten("x", "y", "/a"), "/a");
        assert_eq!(rewritten("^/(?<all>.*)$", "/v1/${all}", "/a"), "/v1/a");
        assert_eq!(rewritten("^/(a)", "/$1b$12$0", "/a/c"), "/aba2/a/c");
        assert_eq!(rewritten("^/a", r"/\$1\\", "/a"), r"/$1\");
        assert_eq!(rewritten("^/(a)?(.*)$", "/$1-$2", "/b"), "/-b");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for pattern in ["(", "a(?=b)", r"(a)\1", "a++b("] {
            assert_eq!(RedirectRewrite::new(pattern, "/").unwrap_err(), RewriteError::Pattern, "{pattern}");
        }
        for replacement in ["$", "$2", "$a", "${b}", "${", "\\"] {
            assert_eq!(
                RedirectRewrite::new("(a)", replacement).unwrap_err(),
                RewriteError::Replacement,
                "{replacement}"
            );
        }
    }
}
