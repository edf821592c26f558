//! The description of a request by a gateway: what is believed is this site's, and no header that a server may take for the
//! target or the method says anything else.

#![no_main]

mod head;

use std::sync::LazyLock;

use doorward::{
    caller::{Caller, Config, Origin, SslRequired, TrustedPeer},
    proxy::gateway::Original,
    target::Target,
};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use url::Url;

const ORIGIN: &str = "https://a.example";

static CONFIG: LazyLock<Config> = LazyLock::new(|| Config {
    public_url: Some(Origin::of(&Url::parse(ORIGIN).unwrap())),
    allowed_hosts: Vec::new(),
    trusted_proxies: vec![TrustedPeer::Network("127.0.0.1/32".parse().unwrap())],
    ssl_required: SslRequired::None,
    confidential_port: None,
});

/// The values of all headers of this name, with `_` or `-` in it.
fn spelt<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |(found, _)| found.as_str().replace('_', "-") == name)
        .map(|(_, value)| value.to_str().unwrap())
}

fuzz_target!(|text: &[u8]| {
    let mut headers = head::headers(text);
    headers.insert("host", "a.example".parse().unwrap());
    let asked = head::request(Target::parse("/oauth2/auth").unwrap(), headers.clone());
    let Ok(caller) = Caller::of(&asked, &CONFIG) else { return };
    let Ok(original) = Original::read(asked, &caller) else { return };
    let (target, method) = (&original.request().target, original.request().method.as_str());
    assert_eq!(Target::parse(&target.to_string()).as_ref(), Ok(target));
    for name in ["x-forwarded-uri", "x-original-uri", "x-original-url", "x-rewrite-url"] {
        for said in spelt(&headers, name) {
            let path = said.strip_prefix(ORIGIN).unwrap_or(said);
            assert_eq!(Target::parse(path).as_ref(), Ok(target), "{name}: {said}");
        }
    }
    for name in
        ["x-forwarded-method", "x-http-method", "x-http-method-override", "x-method-override", "x-original-method"]
    {
        assert!(spelt(&headers, name).all(|said| said == method), "{name} is not {method}");
    }
});
