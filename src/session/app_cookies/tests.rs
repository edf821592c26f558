//! Whose cookie reaches the application, and in which bytes.

use proptest::prelude::*;

use super::*;
use crate::{
    domain::SecretBytes,
    session::{CookieConfig, SameSite},
};

fn own() -> OwnCookies {
    let config = CookieConfig {
        name: "OURS".to_owned(),
        path: "/".to_owned(),
        secure: true,
        same_site: SameSite::Lax,
        keys: Vec::new(),
    };
    OwnCookies::new(&config).unwrap()
}

fn ring(keys: &[u8]) -> KeyRing {
    KeyRing::new(&keys.iter().map(|byte| SecretBytes::new(vec![*byte; 32])).collect::<Vec<_>>()).unwrap()
}

fn at(site: &str, keys: &[u8]) -> AppCookies {
    let cookie = |name: &str, path: &str| AppCookie { name: name.to_owned(), path: path.to_owned() };
    AppCookies::new(&[cookie("JSESSIONID", "/"), cookie("sid", "/app")], &own(), &ring(keys), site).unwrap()
}

fn cookies() -> AppCookies {
    at("here", &[1])
}

fn text(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

/// What a browser sends back that was given `line`.
fn given(cookies: &AppCookies, line: &str, owner: Owner<'_>) -> String {
    let bound = cookies.bind(HeaderValue::from_str(line).unwrap(), owner);
    text(&bound).split(';').next().unwrap().to_owned()
}

fn admitted(cookies: &AppCookies, field: &str, owner: Owner<'_>) -> (Option<String>, u32) {
    let Admitted { field, withheld } = cookies.admit(&own(), &RequestCookies::from_fields([field]), owner);
    (field.as_ref().map(text), withheld)
}

fn passes(cookies: &AppCookies, field: &str, owner: Owner<'_>) -> bool {
    admitted(cookies, field, owner).0.is_some()
}

/// Owners whose texts would be alike if their parts ran together.
fn owners() -> Vec<(AdapterSessionId, Issuer, Subject)> {
    [("a", "b", "c"), ("ab", "bc", ""), ("", "", "bc"), ("nobody", "session", "a")]
        .map(|(id, issuer, subject)| (AdapterSessionId::new(id), Issuer::new(issuer), Subject::new(subject)))
        .to_vec()
}

#[test]
fn a_cookie_passes_for_its_owner_and_for_nobody_else() {
    let parts = owners();
    let kinds = parts.iter().flat_map(|(id, issuer, subject)| [Owner::Session(id), Owner::Token { issuer, subject }]);
    let all: Vec<_> = kinds.chain([Owner::Nobody]).collect();
    let cookies = cookies();
    for giver in &all {
        let kept = given(&cookies, "JSESSIONID=one.node1; Path=/; HttpOnly", *giver);
        for sender in &all {
            let expected = if giver == sender { (Some("JSESSIONID=one.node1".to_owned()), 0) } else { (None, 1) };
            assert_eq!(admitted(&cookies, &kept, *sender), expected, "given to {giver:?}, sent by {sender:?}");
        }
    }
}

#[test]
fn the_tag_stands_before_the_value_and_the_attributes_stay() {
    let line =
        "sid = a~b.node1 ;Path=/app; HttpOnly; SameSite=Strict;Max-Age=60; Expires=Thu, 01 Jan 2037 00:00:00 GMT";
    let bound = text(&cookies().bind(HeaderValue::from_static(line), Owner::Nobody));
    let (tag, rest) = bound.strip_prefix("sid=").unwrap().split_once('~').unwrap();
    assert_eq!(tag.len(), TAG_LEN);
    assert_eq!(rest, line.strip_prefix("sid = ").unwrap().replace(" ;Path", ";Path"));
    assert!(tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
}

#[test]
fn what_is_no_such_cookie_or_removes_one_stays_as_it_is() {
    for line in [
        "theme=dark; Path=/",
        "JSESSIONIDX=1",
        "JSESSIONID",
        "=JSESSIONID=1",
        "JSESSIONID=; Max-Age=0",
        "JSESSIONID= ; Path=/",
        "JSESSIONID=gone; max-age = 0",
        "JSESSIONID=gone; Max-Age=60; Max-Age=-1; Path=/",
        "; JSESSIONID=1",
        "",
    ] {
        assert_eq!(text(&cookies().bind(HeaderValue::from_static(line), Owner::Nobody)), line);
    }
    for line in ["JSESSIONID=1; Max-Age=-1; Max-Age=60", "JSESSIONID=1; Max-Age=soon", "jsessionid=1; Max-Age"] {
        assert_ne!(text(&cookies().bind(HeaderValue::from_static(line), Owner::Nobody)), line);
    }
}

#[test]
fn a_tag_that_was_moved_cut_or_guessed_is_none() {
    let cookies = cookies();
    let kept = given(&cookies, "JSESSIONID=abc", Owner::Nobody);
    let tagged = kept.strip_prefix("JSESSIONID=").unwrap();
    let (tag, _) = tagged.split_once('~').unwrap();
    assert!(passes(&cookies, &kept, Owner::Nobody));
    let spelt_otherwise = format!("{}{}", &tag[..TAG_LEN - 1], if tag.ends_with('B') { 'C' } else { 'B' });
    for forged in [
        format!("sid={tagged}"),
        format!("jsessionid={tagged}"),
        format!("JSESSIONID={tag}~abd"),
        format!("JSESSIONID={tag}~"),
        format!("JSESSIONID={tag}"),
        format!("JSESSIONID={tag}abc"),
        format!("JSESSIONID={}~abc", &tag[..21]),
        format!("JSESSIONID={tag}=~abc"),
        format!("JSESSIONID={spelt_otherwise}~abc"),
        format!("JSESSIONID=\"{tagged}\""),
        "JSESSIONID=abc".to_owned(),
        "JSESSIONID=~abc".to_owned(),
        "JSESSIONID=".to_owned(),
        "JSESSIONID".to_owned(),
        "JsessionId =abc".to_owned(),
    ] {
        assert_eq!(admitted(&cookies, &forged, Owner::Nobody), (None, 1), "{forged}");
    }
}

#[test]
fn two_of_one_name_are_judged_each_by_itself_and_others_stay() {
    let cookies = cookies();
    let one = given(&cookies, "JSESSIONID=one", Owner::Nobody);
    let id = AdapterSessionId::new("somebody");
    let two = given(&cookies, "JSESSIONID=two", Owner::Session(&id));
    let field = format!("a = \"1\";{one}; __Host-OURS=x; {two};b=2");
    assert_eq!(admitted(&cookies, &field, Owner::Nobody), (Some("a = \"1\"; JSESSIONID=one; b=2".to_owned()), 1));
    let both = format!("{one}; {}", given(&cookies, "JSESSIONID=three", Owner::Nobody));
    assert_eq!(admitted(&cookies, &both, Owner::Nobody), (Some("JSESSIONID=one; JSESSIONID=three".to_owned()), 0));
    let others = "a=1;b=\"2\" ;; =3;;";
    assert_eq!(admitted(&cookies, others, Owner::Nobody), (Some(others.to_owned()), 0));
}

/// Parsers of before RFC 6265 split at commas and blanks too, and take names in quotes.
#[test]
fn a_cookie_that_an_older_parser_would_read_as_one_of_these_is_left_out() {
    let cookies = cookies();
    for planted in [
        "a=b, JSESSIONID=evil",
        "a=b,JSESSIONID=evil",
        "a=b JSESSIONID=evil",
        "a=b\tjsessionid =evil",
        "\"JSESSIONID\"=evil",
        "a=\"JSESSIONID\"=evil",
        "\u{a0}JSESSIONID=evil",
    ] {
        assert_eq!(
            admitted(&cookies, &format!("x=y; {planted}"), Owner::Nobody),
            (Some("x=y".to_owned()), 1),
            "{planted}"
        );
    }
    for other in ["MYJSESSIONID=x", "JSESSIONIDS=x", "JSESSIONID-2=x", "a=JSESSIONID", "a=b-JSESSIONID=x"] {
        assert_eq!(admitted(&cookies, other, Owner::Nobody), (Some(other.to_owned()), 0), "{other}");
    }
}

#[test]
fn every_key_of_the_ring_recognises_its_tags_and_no_other_does() {
    let kept = given(&at("here", &[1]), "sid=abc", Owner::Nobody);
    assert!(passes(&at("here", &[2, 1]), &kept, Owner::Nobody));
    assert!(!passes(&at("here", &[2]), &kept, Owner::Nobody));
    let newer = given(&at("here", &[2, 1]), "sid=abc", Owner::Nobody);
    assert!(passes(&at("here", &[2]), &newer, Owner::Nobody), "the first makes tags");
}

#[test]
fn a_cookie_of_another_site_is_none() {
    let kept = given(&at("here", &[1]), "sid=abc", Owner::Nobody);
    assert!(!passes(&at("there", &[1]), &kept, Owner::Nobody));
}

#[test]
fn all_of_them_are_expired_at_their_paths() {
    let lines: Vec<_> = cookies().farewell().iter().map(text).collect();
    assert_eq!(
        lines,
        [
            "JSESSIONID=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
            "sid=; HttpOnly; SameSite=Lax; Secure; Path=/app; Max-Age=0",
        ]
    );
}

proptest! {
    /// As browsers keep them: what stands before the first `;`, without blanks around.
    #[test]
    fn every_value_comes_back_byte_for_byte(value in "[!-:<-~\u{80}-\u{ff}]([ -:<-~\u{80}-\u{ff}]{0,40}[!-:<-~\u{80}-\u{ff}])?") {
        let bytes: Vec<u8> = value.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let line = HeaderValue::from_bytes(&[b"JSESSIONID=", &bytes[..]].concat()).unwrap();
        let bound = cookies().bind(line.clone(), Owner::Nobody);
        let sent = RequestCookies::from_fields([bound.as_bytes()]);
        let back = cookies().admit(&own(), &sent, Owner::Nobody);
        prop_assert_eq!(back.field.unwrap(), line);
        let somebody = AdapterSessionId::new("somebody");
        prop_assert!(cookies().admit(&own(), &sent, Owner::Session(&somebody)).field.is_none());
    }

    #[test]
    fn no_bytes_make_it_panic(field: Vec<u8>, line: Vec<u8>) {
        let cookies = cookies();
        drop(cookies.admit(&own(), &RequestCookies::from_fields([&field]), Owner::Nobody));
        let named = [b"JSESSIONID=", &line[..]].concat();
        drop(cookies.admit(&own(), &RequestCookies::from_fields([&named]), Owner::Nobody));
        for line in [line, named] {
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                drop(cookies.bind(line, Owner::Nobody));
            }
        }
    }
}
