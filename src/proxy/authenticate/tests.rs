//! What a request presents, header by header.

use http::{Method, StatusCode};

use super::*;
use crate::{domain::SystemRandom, message::RequestId, target::Target};

fn config(basic: bool, query_parameter: bool) -> Config {
    Config { realm: "shop".into(), sign_in: SignIn::Offered, basic, query_parameter }
}

fn request(target: &str, authorization: &[&str]) -> Request {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    Request {
        method: Method::GET,
        target: Target::parse(target).unwrap(),
        headers,
        peer: None,
        id: RequestId::random(&SystemRandom),
        body: crate::message::Body::Empty,
        transport: crate::message::Transport::Plain,
        handshake: None,
    }
}

/// What was found, as text; a refusal by its status.
fn found(config: &Config, target: &str, authorization: &[&str]) -> Result<String, StatusCode> {
    let found = config.credential(&mut request(target, authorization)).map_err(|refusal| refusal.status())?;
    Ok(match found {
        Some(Credential::Bearer(token)) => format!("bearer {}", token.expose()),
        Some(Credential::Basic { username, password }) => format!("{username} with {}", password.expose()),
        None => "nothing".to_owned(),
    })
}

#[test]
fn a_bearer_token_is_read_in_any_case_and_a_broken_one_is_final() {
    let config = config(false, false);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(found(&config, "/", &[&format!("{scheme}   a.b.c ")]), Ok("bearer a.b.c".into()));
    }
    for broken in ["Bearer", "Bearer ", "bearer a b", "Bearer a\tb"] {
        assert_eq!(found(&config, "/", &[broken]), Err(StatusCode::UNAUTHORIZED), "{broken}");
    }
    for other in ["Bearers a", "Digest a", "Basic YTpi", "a.b.c", ""] {
        assert_eq!(found(&config, "/", &[other]), Ok("nothing".into()), "{other}");
    }
}

#[test]
fn there_is_one_credential_or_none() {
    let config = config(true, true);
    let twice = ["Bearer a", "Bearer a"];
    assert_eq!(found(&config, "/", &twice), Err(StatusCode::BAD_REQUEST));
    assert_eq!(found(&config, "/", &["Digest a", "Bearer b"]), Err(StatusCode::BAD_REQUEST));
    assert_eq!(found(&config, "/?access_token=a", &["Bearer b"]), Err(StatusCode::BAD_REQUEST));
    assert_eq!(found(&config, "/?access_token=a&access_token=b", &[]), Err(StatusCode::BAD_REQUEST));
    assert_eq!(found(&config, "/?access_token=a", &["Basic YTpi"]), Err(StatusCode::BAD_REQUEST));
}

#[test]
fn a_token_in_the_query_is_taken_out_of_it_where_it_is_read() {
    let mut asked = request("/a?x=1&access%5Ftoken=t%2Eu&y=%zz", &[]);
    assert!(config(false, true).credential(&mut asked).unwrap().is_some());
    assert_eq!(asked.target.to_string(), "/a?x=1&y=%zz");
    assert_eq!(found(&config(false, true), "/?access_token=", &[]), Ok("nothing".into()));
    let mut left = request("/a?access_token=t", &[]);
    assert!(config(false, false).credential(&mut left).unwrap().is_none());
    assert_eq!(left.target.to_string(), "/a?access_token=t");
}

#[test]
fn basic_counts_only_where_it_is_enabled_and_then_goes_no_further() {
    assert_eq!(found(&config(true, false), "/", &["basic YWRhOmE6Yg=="]), Ok("ada with a:b".into()));
    for broken in ["Basic", "Basic !", "Basic YQ==", "Basic //8="] {
        assert_eq!(found(&config(true, false), "/", &[broken]), Err(StatusCode::UNAUTHORIZED), "{broken}");
    }
    let mut asked = request("/", &["Basic YTpi"]);
    config(true, false).credential(&mut asked).unwrap();
    assert!(!asked.headers.contains_key(header::AUTHORIZATION));
}

#[test]
fn programs_are_told_by_four_signs() {
    let of = |fields: &[(&'static str, &'static str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        is_program(&headers)
    };
    let html = ("accept", "text/html,*/*;q=0.8");
    for program in [
        &[][..],
        &[("accept", "application/json")],
        &[html, ("x-requested-with", "xmlhttprequest")],
        &[html, ("faces-request", "partial/ajax")],
        &[html, ("soapaction", "")],
    ] {
        assert!(of(program), "{program:?}");
    }
    for browser in [&[html][..], &[("accept", "text/*")], &[html, ("faces-request", "Partial/ajax")]] {
        assert!(!of(browser), "{browser:?}");
    }
}
