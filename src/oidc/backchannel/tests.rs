//! Both kinds of push: each row breaks one thing in a message that is otherwise good.

mod admin_action;
mod logout_token;

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value, json};

use super::*;
use crate::{
    domain::{ManualClock, SecretString, SystemRandom, Timestamp},
    oidc::{
        Algorithm, ClientAuth, PrivateKey, PrivateKeyForm,
        keys::KeySet,
        test_keys::{self, TestKey, config, key_set},
        verify::Verifier,
    },
};

const NOW: i64 = 1_760_000_000;
const ISSUER: &str = "https://idp.example/realms/one";
const ASYMMETRIC: [Algorithm; 9] = [
    Algorithm::EdDsa,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
];

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn secret() -> ClientAuth {
    ClientAuth::SecretBasic(SecretString::new("client-secret"))
}

fn plain() -> ProviderId {
    ProviderId::Plain { issuer: Issuer::new(ISSUER) }
}

/// A realm with one key, and the verifier that knows it and believes ID tokens of `algorithms`.
struct Realm {
    key: TestKey,
    algorithm: Algorithm,
    keys: KeySet,
    verifier: Verifier,
}

impl Realm {
    fn new(algorithm: Algorithm, algorithms: &[Algorithm]) -> Self {
        let key = TestKey::fitting(algorithm);
        let config = config(plain(), algorithms, &secret());
        Self {
            keys: key_set(&[key.jwk_with(json!({"kid": "k1", "use": "sig"}))]),
            key,
            algorithm,
            verifier: Verifier::new(Issuer::new(ISSUER), &config),
        }
    }

    fn token(&self, claims: &Value) -> String {
        self.key.token(self.algorithm, json!({"kid": "k1", "typ": "JWT"}), claims)
    }
}

/// `claims`, changed; [`absent`] takes one away.
fn changed(claims: Value, changes: Value) -> Value {
    let (Value::Object(mut claims), Value::Object(changes)) = (claims, changes) else {
        panic!("claims are objects");
    };
    claims.extend(changes);
    let present: Map<String, Value> = claims.into_iter().filter(|(_, value)| *value != absent()).collect();
    Value::Object(present)
}

fn absent() -> Value {
    json!("(absent)")
}

fn provider(auth: &ClientAuth) -> Provider {
    let config = config(plain(), &ASYMMETRIC, auth);
    Provider::build(config, Arc::new(ManualClock::at(now())), Arc::new(SystemRandom)).unwrap()
}

#[tokio::test]
async fn another_provider_than_keycloak_has_no_admin_actions() {
    let outcome = provider(&secret()).admin_action("", AdminWord::Logout).await;
    assert_eq!(outcome.unwrap_err(), AdminActionError::NotKeycloak);
}

#[test]
fn the_clients_key_is_published_as_it_signs() {
    for (pem, algorithm) in [
        (test_keys::RSA, Algorithm::Rs256),
        (test_keys::P256, Algorithm::Es256),
        (test_keys::P384, Algorithm::Es384),
        (test_keys::ED25519, Algorithm::EdDsa),
    ] {
        let key = PrivateKey { der: crate::domain::SecretBytes::new(test_keys::der(pem)), form: PrivateKeyForm::Pkcs8 };
        let lifetime = std::time::Duration::from_secs(60);
        let auth = ClientAuth::PrivateKeyJwt { key, key_id: Some("k".to_owned()), lifetime };
        let more = json!({"kid": "k", "use": "sig", "alg": algorithm.name()});
        let expected = json!({"keys": [TestKey::fixture(algorithm).jwk_with(more)]});
        assert_eq!(provider(&auth).client_jwks(), expected);
    }
}

#[test]
fn a_client_without_a_private_key_publishes_none() {
    let by_secret = ClientAuth::SecretJwt { secret: SecretString::new("client-secret"), algorithm: Algorithm::Hs256 };
    for auth in [ClientAuth::None, secret(), by_secret] {
        assert_eq!(provider(&auth).client_jwks(), json!({"keys": []}));
    }
}

#[test]
fn every_refusal_has_a_word_of_its_own() {
    let words = [
        AdminActionError::Expired.kind(),
        AdminActionError::LivesTooLong.kind(),
        AdminActionError::NotKeycloak.kind(),
        AdminActionError::OtherToken("iss").kind(),
        AdminActionError::TooMany.kind(),
        AdminActionError::WrongAction(AdminWord::Logout).kind(),
        AdminActionError::WrongResource.kind(),
    ];
    assert_eq!(HashSet::from(words).len(), words.len());
}
