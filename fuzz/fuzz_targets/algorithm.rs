//! The name of a signature algorithm, as a token's header claims it: only registered names are taken, and each is the
//! name of what came out; `Ed25519` is the other name of `EdDSA`.

#![no_main]

use doorward::oidc::Algorithm;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    if let Ok(algorithm) = name.parse::<Algorithm>() {
        assert!(algorithm.name() == name || (name, algorithm) == ("Ed25519", Algorithm::EdDsa));
    }
});
