//! Paths as the configuration may write them: canonical, so that comparing bytes is comparing paths (RFC 3986, sections
//! 3.3 and 6.2.2).

use thiserror::Error;

use crate::proxy::PathPattern;

/// Why a path is not canonical.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum PathError {
    #[error("must begin with `/`")]
    NoSlash,
    #[error("must not end with `/`")]
    TrailingSlash,
    #[error("must not hold `//`")]
    EmptySegment,
    #[error("must not hold the segments `.` or `..`")]
    DotSegment,
    #[error("must hold letters, digits, `-`, `.`, `_`, `~` and `/` only")]
    Reserved,
    #[error("must not hold `?` or `#`: only the path is compared")]
    NotAPath,
    #[error("may hold `*` as its last segment only, as in `/a/*`")]
    Wildcard,
    #[error("must name one path, without `*`")]
    Many,
    #[error("holds a character that a path writes as `%XX`")]
    Raw,
    #[error("holds a `%` that no two upper-case hexadecimal digits follow")]
    Escape,
    #[error("holds a `%XX` for a character that is written as it is")]
    NeedlessEscape,
    #[error("holds a `%XX` for `/`, `\\` or a control character, which no request may carry in its path")]
    ForbiddenEscape,
}

/// A path below which our own endpoints live.
pub(super) fn prefix(text: &str) -> Result<String, PathError> {
    segments(text)?;
    if text.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    let unreserved = text.bytes().all(|byte| byte == b'/' || is_unreserved(byte));
    unreserved.then(|| text.to_owned()).ok_or(PathError::Reserved)
}

/// `/a` (that path alone, `/a/` is another), `/a/*` (that and everything below it) or `/*`.
pub(super) fn pattern(text: &str) -> Result<PathPattern, PathError> {
    if let Some(base) = text.strip_suffix("/*") {
        if !base.is_empty() {
            canonical(base)?;
        }
        if base.ends_with('/') {
            return Err(PathError::EmptySegment);
        }
        return Ok(PathPattern::Below(base.to_owned()));
    }
    canonical(text)?;
    Ok(PathPattern::Exact(text.to_owned()))
}

/// `/a`: that path alone.
pub(super) fn exact(text: &str) -> Result<&str, PathError> {
    match pattern(text)? {
        PathPattern::Exact(_) => Ok(text),
        PathPattern::Below(_) => Err(PathError::Many),
    }
}

fn canonical(text: &str) -> Result<(), PathError> {
    segments(text)?;
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        index += match bytes[index] {
            b'*' => return Err(PathError::Wildcard),
            b'?' | b'#' => return Err(PathError::NotAPath),
            b'%' => escape(bytes.get(index + 1..index + 3).unwrap_or_default())?,
            byte if byte == b'/' || is_unreserved(byte) || b"!$&'()+,;=:@".contains(&byte) => 1,
            _ => return Err(PathError::Raw),
        };
    }
    Ok(())
}

fn segments(text: &str) -> Result<(), PathError> {
    let below = text.strip_prefix('/').ok_or(PathError::NoSlash)?;
    if text.contains("//") {
        return Err(PathError::EmptySegment);
    }
    if below.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(PathError::DotSegment);
    }
    Ok(())
}

/// The length of the escape with these two digits, when it is one that a canonical path keeps.
fn escape(digits: &[u8]) -> Result<usize, PathError> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    if digits.len() != 2 || !digits.iter().all(is_digit) {
        return Err(PathError::Escape);
    }
    let value = |digit: u8| {
        if digit.is_ascii_digit() { digit - b'0' } else { digit - b'A' + 10 }
    };
    match value(digits[0]) * 16 + value(digits[1]) {
        byte if is_unreserved(byte) => Err(PathError::NeedlessEscape),
        byte if byte.is_ascii_control() || matches!(byte, b'/' | b'\\') => Err(PathError::ForbiddenEscape),
        _ => Ok(3),
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_canonical_path_of_unreserved_characters() {
        assert_eq!(prefix("/oauth2"), Ok("/oauth2".to_owned()));
        assert_eq!(prefix("/a/b.c~d"), Ok("/a/b.c~d".to_owned()));
        let refused = ["", "a", "/", "/a/", "//a", "/a//b", "/a/..", "/./a", "/a%20", "/a;b", "/a?b", "/ä"];
        for text in refused {
            assert!(prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_names_one_path_or_all_below_it() {
        assert_eq!(pattern("/*"), Ok(PathPattern::Below(String::new())));
        assert_eq!(pattern("/a/*"), Ok(PathPattern::Below("/a".to_owned())));
        assert_eq!(pattern("/a"), Ok(PathPattern::Exact("/a".to_owned())));
        assert_eq!(pattern("/"), Ok(PathPattern::Exact("/".to_owned())));
        assert_eq!(pattern("/a%20b;v=1"), Ok(PathPattern::Exact("/a%20b;v=1".to_owned())));
    }

    #[test]
    fn a_pattern_that_could_be_read_two_ways_is_refused() {
        let cases = [
            ("a", PathError::NoSlash),
            ("*", PathError::NoSlash),
            ("/a//*", PathError::EmptySegment),
            ("//*", PathError::EmptySegment),
            ("/a*", PathError::Wildcard),
            ("/*/b", PathError::Wildcard),
            ("/a/**", PathError::Wildcard),
            ("/a/../b", PathError::DotSegment),
            ("/a/./*", PathError::DotSegment),
            ("/a?b", PathError::NotAPath),
            ("/a#b", PathError::NotAPath),
            ("/a b", PathError::Raw),
            ("/a\\b", PathError::Raw),
            ("/ä", PathError::Raw),
            ("/a%2", PathError::Escape),
            ("/a%c3%a4", PathError::Escape),
            ("/%41", PathError::NeedlessEscape),
            ("/%2E%2E/b", PathError::NeedlessEscape),
            ("/a%2Fb", PathError::ForbiddenEscape),
            ("/a%00", PathError::ForbiddenEscape),
        ];
        for (text, error) in cases {
            assert_eq!(pattern(text), Err(error), "{text}");
        }
    }
}
