//! What a request presents: one credential or a no, whatever stands in `Authorization` and in the query; what was taken as ours
//! is not passed on.

#![no_main]

mod head;

use doorward::{
    proxy::authenticate::{Config, Credential, SignIn},
    target::Target,
};
use http::header;
use libfuzzer_sys::fuzz_target;

fn is_one_word(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| (0x21..0x7f).contains(&byte))
}

/// The first line is a target, the rest are headers.
fn read(text: &[u8], basic: bool, query_parameter: bool) {
    let (first, rest) = text.split_at(text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len()));
    let Some(target) = std::str::from_utf8(first).ok().and_then(|first| Target::parse(first).ok()) else { return };
    let mut request = head::request(target, head::headers(rest));
    let before = request.headers.get_all(header::AUTHORIZATION).iter().count();
    let config = Config { realm: "shop".into(), sign_in: SignIn::Offered, basic, query_parameter };
    let Ok(found) = config.credential(&mut request) else { return };
    let left = request.headers.get_all(header::AUTHORIZATION).iter().count();
    assert!(before <= 1);
    if query_parameter {
        assert_eq!(request.target.take_parameters("access_token"), Vec::<String>::new());
    }
    match found {
        Some(Credential::Basic { username, password }) => {
            assert!(basic && before == 1 && left == 0 && !username.contains(':'));
            drop(password);
        }
        Some(Credential::Bearer(token)) => {
            assert!(query_parameter || (before == 1 && is_one_word(token.expose())));
        }
        None => assert_eq!(left, before),
    }
}

fuzz_target!(|text: &[u8]| {
    for (basic, query_parameter) in [(false, false), (false, true), (true, false), (true, true)] {
        read(text, basic, query_parameter);
    }
});
