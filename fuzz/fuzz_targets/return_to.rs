//! Where a browser goes after sign-in, asked for by a stranger: whatever the text, the browser stays on the site, and does
//! not end at an endpoint of our own.

#![no_main]

use doorward::{caller::Origin, login::ReturnTo};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|text: &str| {
    let base = Url::parse("https://app.example.com/oauth2/callback").unwrap();
    let origin = Origin::of(&base);
    let to = ReturnTo::parse(text, &origin, "/oauth2");
    let landed = base.join(to.as_str()).unwrap();
    assert_eq!(landed.origin(), base.origin(), "{to}");
    assert!(!landed.path().starts_with("/oauth2/"), "{to}");
    assert_eq!(ReturnTo::parse(to.as_str(), &origin, "/oauth2"), to);
});
