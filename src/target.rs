//! The one reading of a request target. The path on which rules decide is the path that is forwarded: what
//! servers are known to read in two ways is refused here, before anything else looks at it.
//!
//! Refused are: anything but origin form, empty and dot segments (also encoded), `\`, encoded `/` and `\`, broken or
//! doubled percent-encoding, control characters, and bytes that are not UTF-8. Path parameters (`;v=1`) are kept, but only
//! where they change nothing: see [`Target::readings`].

use std::fmt;

use thiserror::Error;
use url::form_urlencoded;

/// A request target with exactly one reading.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    encoded: String,
    decoded: String,
    query: Option<String>,
}

/// Why a request target is refused. None of them quotes the target.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{}", self.sentence())]
pub enum TargetError {
    /// A control character, or a byte outside US-ASCII that is not percent-encoded.
    BadCharacter,
    /// `%` without two hexadecimal digits.
    BrokenEncoding,
    /// `.` or `..` as a segment, in clear, encoded, or before path parameters.
    DotSegment,
    /// `%25` before two hexadecimal digits: who decodes twice reads another path.
    DoubleEncoding,
    /// `//`: some servers fold it, some do not.
    EmptySegment,
    /// `%2F`, `%5C` or `\`.
    EncodedSlash,
    /// The decoded path is not UTF-8.
    NotUtf8,
    /// Absolute form, authority form, `*`, or a fragment, where the HTTP parser has not cut it off already.
    NotOriginForm,
}

impl TargetError {
    /// The reason as a sentence for whoever sent the request.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::BadCharacter => "The request target holds a character that must be percent-encoded.",
            Self::BrokenEncoding => "The path holds a broken percent-encoding.",
            Self::DotSegment => "The path holds a dot segment.",
            Self::DoubleEncoding => "The path is percent-encoded twice.",
            Self::EmptySegment => "The path holds an empty segment.",
            Self::EncodedSlash => "The path holds an encoded slash or a backslash.",
            Self::NotUtf8 => "The path is not UTF-8.",
            Self::NotOriginForm => "The request target must be a path.",
        }
    }
}

impl Target {
    /// Reads a request target as it stands in the request line.
    ///
    /// # Errors
    /// When the target has more than one reading, or none.
    pub fn parse(raw: &str) -> Result<Self, TargetError> {
        if !raw.starts_with('/') || raw.contains('#') {
            return Err(TargetError::NotOriginForm);
        }
        if raw.bytes().any(|b| b <= b' ' || b >= 0x7f) {
            return Err(TargetError::BadCharacter);
        }
        let (path, query) = match raw.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (raw, None),
        };
        let (encoded, decoded) = canonical(path)?;
        refuse_ambiguous_segments(&decoded)?;
        Ok(Self { encoded, decoded, query })
    }

    /// The canonical path, percent-encoded: what is forwarded.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.encoded
    }

    /// The path with every percent-encoding undone: what rules are compared with.
    #[must_use]
    pub fn decoded_path(&self) -> &str {
        &self.decoded
    }

    /// The query exactly as sent, without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Takes every parameter of this name out of the query, and gives their values, decoded as forms are (the URL Standard's
    /// `application/x-www-form-urlencoded` parser). What stays of the query stays as it was sent.
    pub fn take_parameters(&mut self, name: &str) -> Vec<String> {
        let Some(query) = self.query.take() else { return Vec::new() };
        let value = |pair: &str| {
            let mut read = form_urlencoded::parse(pair.as_bytes());
            read.next().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let taken: Vec<String> = query.split('&').filter_map(value).collect();
        let kept: Vec<&str> = query.split('&').filter(|pair| value(pair).is_none()).collect();
        self.query = match (taken.is_empty(), kept.is_empty()) {
            (true, _) => Some(query),
            (false, true) => None,
            (false, false) => Some(kept.join("&")),
        };
        taken
    }

    /// The decoded path, and the path as servers read it that cut parameters (`;…`) off each segment (Java's do). A
    /// decision on the path holds only when it is the same for all of them.
    pub fn readings(&self) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
        let bare = self.decoded.contains(';').then(|| without_parameters(&self.decoded).into());
        std::iter::once(self.decoded.as_str().into()).chain(bare)
    }
}

impl fmt::Debug for Target {
    /// Without the query, which may hold a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.encoded)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encoded)?;
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

/// The canonical and the decoded form of a path. Only unreserved characters lose their encoding (RFC 3986, section 6.2.2.2):
/// `%3B` and `;` are not the same to every server.
fn canonical(path: &str) -> Result<(String, String), TargetError> {
    let mut encoded = String::with_capacity(path.len());
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let (byte, keep) = match byte {
            b'\\' => return Err(TargetError::EncodedSlash),
            b'%' => (decode_escape(rest.next(), rest.next())?, UNRESERVED),
            plain => (plain, PATH_CHARACTERS),
        };
        push_encoded(&mut encoded, byte, keep);
        bytes.push(byte);
    }
    let decoded = String::from_utf8(bytes).map_err(|_| TargetError::NotUtf8)?;
    refuse_ambiguous_characters(&decoded)?;
    Ok((encoded, decoded))
}

fn refuse_ambiguous_characters(decoded: &str) -> Result<(), TargetError> {
    if decoded.chars().any(char::is_control) {
        return Err(TargetError::BadCharacter);
    }
    if holds_escape(decoded) { Err(TargetError::DoubleEncoding) } else { Ok(()) }
}

fn decode_escape(high: Option<u8>, low: Option<u8>) -> Result<u8, TargetError> {
    let value = hex(high).zip(hex(low)).map(|(high, low)| high * 16 + low);
    match value.ok_or(TargetError::BrokenEncoding)? {
        b'/' | b'\\' => Err(TargetError::EncodedSlash),
        byte => Ok(byte),
    }
}

fn hex(digit: Option<u8>) -> Option<u8> {
    let value = char::from(digit?).to_digit(16)?;
    u8::try_from(value).ok()
}

fn holds_escape(decoded: &str) -> bool {
    decoded.as_bytes().windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit())
}

/// Segments that servers fold: `//`, `/./`, `/../`, and `/..;x/`, which Tomcat reads as `/../`.
fn refuse_ambiguous_segments(decoded: &str) -> Result<(), TargetError> {
    let mut segments = decoded.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split(';').next().unwrap_or_default();
        if name == "." || name == ".." {
            return Err(TargetError::DotSegment);
        }
        let last = segments.peek().is_none();
        if name.is_empty() && !(last && segment.is_empty()) {
            return Err(TargetError::EmptySegment);
        }
    }
    Ok(())
}

fn without_parameters(decoded: &str) -> String {
    let segments: Vec<&str> = decoded.split('/').map(|s| s.split(';').next().unwrap_or_default()).collect();
    segments.join("/")
}

/// Writes `byte` as itself when it is a letter, a digit or in `keep`, else percent-encoded with upper-case digits.
fn push_encoded(encoded: &mut String, byte: u8, keep: &[u8]) {
    if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
        encoded.push(char::from(byte));
    } else {
        encoded.push('%');
        encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX_DIGITS[usize::from(digit)])));
    }
}

/// What may stand in a path besides letters and digits (RFC 3986, section 3.3).
const PATH_CHARACTERS: &[u8] = b"/-._~!$&'()*+,;=:@";
const UNRESERVED: &[u8] = b"-._~";
const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(raw: &str) -> Result<String, TargetError> {
        Target::parse(raw).map(|t| t.path().to_owned())
    }

    #[test]
    fn a_plain_path_is_kept_and_its_query_untouched() {
        let target = Target::parse("/a/b.c/?x=%2e%2E//..&y=%zz").unwrap();
        assert_eq!(target.path(), "/a/b.c/");
        assert_eq!(target.query(), Some("x=%2e%2E//..&y=%zz"));
        assert_eq!(target.to_string(), "/a/b.c/?x=%2e%2E//..&y=%zz");
        assert_eq!(path("/").unwrap(), "/");
    }

    #[test]
    fn equal_spellings_become_one() {
        assert_eq!(path("/%61dmin").unwrap(), "/admin");
        assert_eq!(path("/a%20b").unwrap(), "/a%20b");
        assert_eq!(path("/%c3%a4").unwrap(), "/%C3%A4");
        assert_eq!(path("/a|b").unwrap(), "/a%7Cb");
        assert_eq!(path("/%40x@").unwrap(), "/%40x@");
        assert_eq!(path("/a%3bb;c").unwrap(), "/a%3Bb;c");
        assert_eq!(path("/100%25").unwrap(), "/100%25");
        assert_eq!(path("/secret%23/status").unwrap(), "/secret%23/status");
        assert_eq!(path("/a%3Fb").unwrap(), "/a%3Fb");
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        use TargetError::*;
        for (raw, error) in [
            ("/public/../admin", DotSegment),
            ("/public/%2e%2e/admin", DotSegment),
            ("/public/.%2e/admin", DotSegment),
            ("/public/..;/admin", DotSegment),
            ("/public/..%3b/admin", DotSegment),
            ("/admin/.", DotSegment),
            ("/./admin", DotSegment),
            ("/public%2f..%2fadmin", EncodedSlash),
            ("/public%5C..", EncodedSlash),
            ("/public\\admin", EncodedSlash),
            ("//admin", EmptySegment),
            ("/a//b", EmptySegment),
            ("/a//", EmptySegment),
            ("/;/admin", EmptySegment),
            ("/;x", EmptySegment),
            ("/%zz", BrokenEncoding),
            ("/%", BrokenEncoding),
            ("/%4", BrokenEncoding),
            ("/%252e%252e/admin", DoubleEncoding),
            ("/%25%32%66", DoubleEncoding),
            ("/%00", BadCharacter),
            ("/a%0d%0ab", BadCharacter),
            ("/a b", BadCharacter),
            ("/\u{e4}", BadCharacter),
            ("/%c0%ae%c0%ae/admin", NotUtf8),
            ("/%ff", NotUtf8),
            ("/a#b", NotOriginForm),
            ("http://evil/", NotOriginForm),
            ("*", NotOriginForm),
            ("", NotOriginForm),
            ("admin", NotOriginForm),
        ] {
            assert_eq!(path(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn path_parameters_give_a_second_reading_to_agree_with() {
        let readings = |raw: &str| Target::parse(raw).unwrap().readings().map(|r| r.to_string()).collect::<Vec<_>>();
        assert_eq!(readings("/a/b"), ["/a/b"]);
        assert_eq!(readings("/admin;jsessionid=1/x;y"), ["/admin;jsessionid=1/x;y", "/admin/x"]);
        assert_eq!(readings("/admin%3Bx"), ["/admin;x", "/admin"]);
    }

    proptest! {
        #[test]
        fn a_canonical_target_reads_as_itself(raw in "(/[a-zA-Z0-9%;.~@: |-]{0,8}){1,4}(\\?[a-z/.%]{0,6})?") {
            if let Ok(target) = Target::parse(&raw) {
                let again = Target::parse(&target.to_string()).unwrap();
                prop_assert_eq!(&again, &target);
                prop_assert!(!target.path().contains("//") && !target.path().contains("/../"));
            }
        }

        #[test]
        fn nothing_makes_the_reader_panic(raw in "\\PC{0,40}") {
            let _ = Target::parse(&raw);
        }
    }
}
