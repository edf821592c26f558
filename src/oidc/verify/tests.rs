//! The one suite about tokens: each row breaks one thing in a token that is otherwise good, beside the good one.

mod attacks;
mod claims;

use serde_json::{Map, Value, json};

use super::*;
use crate::oidc::{
    ClientAuth, ProviderId,
    claims::ClaimError,
    test_keys::{TestKey, config, der, key_set},
};

const NOW: i64 = 1_760_000_000;
const ISSUER: &str = "https://idp.example/realms/one";
const SKEW: i64 = 30;
/// No hash of [`ACCESS_TOKEN`].
const OTHER_HASH: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const ACCESS_TOKEN: &str = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW + seconds)
}

fn verifier(algorithms: &[Algorithm], auth: &ClientAuth) -> Verifier {
    let issuer = Issuer::new(ISSUER);
    let config = config(ProviderId::Plain { issuer: issuer.clone() }, algorithms, auth);
    Verifier::new(issuer, &config)
}

fn secret() -> ClientAuth {
    ClientAuth::SecretBasic(SecretString::new("client-secret"))
}

/// A provider with one key, and the verifier that knows it.
struct Provider {
    key: TestKey,
    algorithm: Algorithm,
    keys: KeySet,
    verifier: Verifier,
}

impl Provider {
    fn new(algorithm: Algorithm) -> Self {
        let key = TestKey::fitting(algorithm);
        Self {
            keys: key_set(&[key.jwk_with(json!({"kid": "k1", "use": "sig"}))]),
            key,
            algorithm,
            verifier: verifier(&[algorithm], &secret()),
        }
    }

    fn token(&self, claims: &Value) -> String {
        self.token_with(json!({"kid": "k1", "typ": "JWT"}), claims)
    }

    fn token_with(&self, header: Value, claims: &Value) -> String {
        self.key.token(self.algorithm, header, claims)
    }

    fn id_token(&self, token: &str) -> Result<Verified<IdTokenClaims>, VerifyError> {
        self.verifier.id_token(token, &login(), &self.keys, now())
    }
}

fn login() -> IdTokenChecks<'static> {
    IdTokenChecks { nonce: Some("n-0S6"), ..IdTokenChecks::default() }
}

/// The claims of a good ID token.
fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "248289761001", "aud": "app", "sid": "s1", "nonce": "n-0S6",
        "iat": NOW - 1, "exp": NOW + 300,
    })
}

/// The good claims, changed; `null` takes a claim away.
fn with(changes: Value) -> Value {
    changed(good(), changes)
}

fn changed(claims: Value, changes: Value) -> Value {
    let (Value::Object(mut claims), Value::Object(changes)) = (claims, changes) else {
        panic!("claims are objects");
    };
    claims.extend(changes);
    let present: Map<String, Value> = claims.into_iter().filter(|(_, value)| !value.is_null()).collect();
    Value::Object(present)
}

fn missing(claim: &'static str) -> Result<(), VerifyError> {
    Err(ClaimError::Missing(claim).into())
}

fn malformed(claim: &'static str) -> Result<(), VerifyError> {
    Err(ClaimError::Malformed(claim).into())
}

fn mismatch(claim: &'static str) -> Result<(), VerifyError> {
    Err(VerifyError::Mismatch(claim))
}
