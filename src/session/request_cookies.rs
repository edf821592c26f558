//! The cookies of one request, read strictly: nothing is decoded, unquoted or repaired, and two of the same name are
//! none. The header holds arbitrary bytes; nothing here panics on them.

use std::{borrow::Cow, fmt};

use http::HeaderValue;

/// The `Cookie` fields of one request as they came. Holds the session: does not print itself.
#[derive(Clone, Default)]
pub struct RequestCookies(Field);

/// All of them together.
#[derive(Clone)]
enum Field {
    /// The one field, shared with the head that it came in.
    AsSent(HeaderValue),
    /// Several, joined; or none.
    Joined(Vec<u8>),
}

impl Default for Field {
    fn default() -> Self {
        Self::Joined(Vec::new())
    }
}

/// How often a cookie occurs in a request. Its value does not print itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// Not at all.
    Absent,
    /// Several times, even with equal values: which one the browser means cannot be known, since a neighbouring host
    /// may have put one of them there. To be treated like an absent one, never as "the first".
    Ambiguous,
    /// Once, with this value.
    One(&'a [u8]),
}

/// What becomes of one cookie on its way to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is left out.
    Goes,
    /// It is passed on without so many bytes at the start of its value; without all of it, if there are not so many.
    LosesStart(usize),
    /// It is passed on as it is.
    Stays,
}

impl RequestCookies {
    /// From the values of the request's `Cookie` fields, in order; several are one, joined by `; ` (RFC 9113,
    /// section 8.2.3).
    pub fn from_fields<F: AsRef<[u8]>>(fields: impl IntoIterator<Item = F>) -> Self {
        let mut header = Vec::new();
        for field in fields {
            if !header.is_empty() {
                header.extend_from_slice(b"; ");
            }
            header.extend_from_slice(field.as_ref());
        }
        Self(Field::Joined(header))
    }

    /// From a head of the `http` crate.
    #[must_use]
    pub fn from_headers(headers: &http::HeaderMap) -> Self {
        let mut fields = headers.get_all(http::header::COOKIE).iter();
        match (fields.next(), fields.next()) {
            (Some(one), None) => Self(Field::AsSent(one.clone())),
            _ => Self::from_fields(headers.get_all(http::header::COOKIE)),
        }
    }

    /// The cookie of this exact name. Its value is as it came, quotes and all.
    #[must_use]
    pub fn find(&self, name: &str) -> Lookup<'_> {
        let mut values = self.pairs().filter(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => Lookup::Absent,
            (Some(value), None) => Lookup::One(value),
            (Some(_), Some(_)) => Lookup::Ambiguous,
        }
    }

    /// Whether a cookie of this exact name came, once or more often.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.find(name) != Lookup::Absent
    }

    /// The names, in order, doubles included; those that are not UTF-8 left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs().filter_map(|(name, _)| std::str::from_utf8(name).ok())
    }

    /// The `Cookie` field without the cookies whose name `is_dropped`, `None` when nothing is left. A header of which
    /// nothing is dropped stays as it is, byte for byte.
    pub(super) fn without(&self, is_dropped: impl Fn(&[u8]) -> bool) -> Option<HeaderValue> {
        if !self.pairs().any(|(name, _)| is_dropped(name)) {
            return field(self.header());
        }
        let kept = self.parts().filter(|part| !is_dropped(name_and_value(part).0));
        field(&kept.collect::<Vec<_>>().join(&b"; "[..]))
    }

    /// The `Cookie` field after `judge` has told each cookie's fate by its name and value, `None` when nothing is left. A header of which
    /// everything stays is as it was, byte for byte.
    pub(super) fn filtered(&self, mut judge: impl FnMut(&[u8], &[u8]) -> Fate) -> Option<HeaderValue> {
        let mut all_stay = true;
        let mut passed: Vec<Cow<'_, [u8]>> = Vec::new();
        for part in self.parts() {
            let (name, value) = name_and_value(part);
            let fate = judge(name, value);
            all_stay &= fate == Fate::Stays;
            match fate {
                Fate::Goes => {}
                Fate::LosesStart(count) => {
                    let rest = value.get(count..).unwrap_or_default();
                    passed.push([name, b"=", rest].concat().into());
                }
                Fate::Stays => passed.push(part.into()),
            }
        }
        if all_stay { field(self.header()) } else { field(&passed.join(&b"; "[..])) }
    }

    fn header(&self) -> &[u8] {
        match &self.0 {
            Field::AsSent(field) => field.as_bytes(),
            Field::Joined(fields) => fields,
        }
    }

    /// What stands between semicolons, without blanks around it and without empty parts.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let header = self.header();
        let mut start = 0;
        // A session is a long value, and the field is read several times for each request: not byte by byte.
        let ends = memchr::memchr_iter(b';', header).chain([header.len()]);
        let parts = ends.map(move |end| header[std::mem::replace(&mut start, end + 1)..end].trim_ascii());
        parts.filter(|part| !part.is_empty())
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.parts().map(name_and_value)
    }
}

/// A part without `=` is a name without a value: so it is never taken for a value of ours, but is stripped if it has
/// a name of ours.
fn name_and_value(part: &[u8]) -> (&[u8], &[u8]) {
    match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (part[..at].trim_ascii_end(), part[at + 1..].trim_ascii_start()),
        None => (part, b""),
    }
}

/// What came as a header is one again; anything else is not passed on.
fn field(bytes: &[u8]) -> Option<HeaderValue> {
    if bytes.trim_ascii().is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_bytes(bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl fmt::Debug for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Ambiguous => "Ambiguous",
            Self::One(_) => "One([redacted])",
        })
    }
}

impl fmt::Debug for RequestCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cookies(header: &str) -> RequestCookies {
        RequestCookies::from_fields([header])
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name_in_any_field() {
        let cookies = RequestCookies::from_fields(["a=1; b=2", "c=3"]);
        assert_eq!(cookies.find("b"), Lookup::One(b"2"));
        assert_eq!(cookies.find("c"), Lookup::One(b"3"));
        assert_eq!(cookies.find("B"), Lookup::Absent);
        assert_eq!(cookies.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn two_of_a_name_are_ambiguous_even_when_equal() {
        assert_eq!(cookies("a=1; b=2; a=1").find("a"), Lookup::Ambiguous);
        assert_eq!(RequestCookies::from_fields(["a=1", "a=2"]).find("a"), Lookup::Ambiguous);
    }

    #[test]
    fn nothing_is_decoded_or_unquoted() {
        let cookies = cookies("a=\"1%20\"; b%61=2; c==3=");
        assert_eq!(cookies.find("a"), Lookup::One(b"\"1%20\""));
        assert_eq!(cookies.find("ba"), Lookup::Absent);
        assert_eq!(cookies.find("c"), Lookup::One(b"=3="));
    }

    #[test]
    fn a_header_of_which_nothing_is_dropped_stays_as_it_is() {
        let kept = cookies("a=1;b=\"2\" ;; =3;;").without(|name| name == b"x");
        assert_eq!(kept.unwrap().as_bytes(), b"a=1;b=\"2\" ;; =3;;");
    }

    #[test]
    fn dropped_cookies_leave_the_others_in_order() {
        let drop_x = |name: &[u8]| name == b"x";
        assert_eq!(cookies("x=0; a=1;x =5;b=2; x").without(drop_x).unwrap(), "a=1; b=2");
        assert_eq!(cookies("x=0").without(drop_x), None);
        assert_eq!(RequestCookies::default().without(drop_x), None);
    }

    #[test]
    fn each_cookie_has_its_own_fate() {
        let judge = |name: &[u8], value: &[u8]| match (name, value) {
            (b"x", _) => Fate::Goes,
            (b"y", value) => Fate::LosesStart(if value.len() > 2 { 2 } else { 9 }),
            _ => Fate::Stays,
        };
        assert_eq!(cookies("a = 1;x=0; y=12=3;;y=4; b").filtered(judge).unwrap(), "a = 1; y==3; y=; b");
        assert_eq!(cookies("a=1;b=2 ;; =3;;").filtered(judge).unwrap(), "a=1;b=2 ;; =3;;");
        assert_eq!(cookies("x=0").filtered(judge), None);
    }

    #[test]
    fn the_cookies_of_a_request_do_not_print_themselves() {
        let cookies = cookies("a=hunter2");
        let printed = format!("{cookies:?} {:?} {:?}", cookies.find("a"), cookies.without(|_| false));
        assert_eq!(printed, "[redacted] One([redacted]) Some(Sensitive)");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(header: Vec<u8>, name: String) {
            let cookies = RequestCookies::from_fields([header]);
            let found = cookies.find(&name);
            prop_assert_eq!(cookies.holds(&name), found != Lookup::Absent);
            cookies.names().count();
            cookies.without(|found| found == name.as_bytes());
            cookies.without(|found| found.len() % 2 == 0);
        }
    }
}
