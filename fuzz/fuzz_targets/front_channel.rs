//! The query of a front-channel logout, which anybody can let a browser send: each parameter is read once or not at all, and whatever
//! is named as a session ends nothing by itself.

#![no_main]

use std::sync::LazyLock;

use doorward::{
    domain::{NodeIncarnation, Sid, Timestamp},
    forms::Params,
    revocation::{Config, Hinted, Revocations},
    target::Target,
};
use libfuzzer_sys::fuzz_target;
use url::form_urlencoded;

const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);

static REVOCATIONS: LazyLock<Revocations> =
    LazyLock::new(|| Revocations::open(Config::default(), NodeIncarnation::new("node"), NOW).unwrap());

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(target) = Target::parse(&format!("/oauth2/frontchannel-logout?{text}")) else { return };
    let query = target.query().unwrap_or_default();
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let Ok(params) = Params::parse(query) else {
        assert!(pairs.iter().enumerate().any(|(at, (name, _))| pairs[..at].iter().any(|(before, _)| before == name)));
        return;
    };
    assert_eq!(params.iter().count(), pairs.len());
    for (name, value) in &pairs {
        assert_eq!(params.get(name), Some(&**value).filter(|value| !value.is_empty()));
    }
    if let Some(sid) = params.get("sid") {
        let taken = REVOCATIONS.hint(&Sid::new(sid), Hinted::Known, NOW);
        assert!(taken && REVOCATIONS.is_empty());
    }
});
