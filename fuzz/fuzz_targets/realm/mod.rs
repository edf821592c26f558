//! A Keycloak realm with one key, and a party of it whose clock stands still: what is signed by that key is believed, and what is not is
//! not, whatever it says. The realm answers on this machine, once, when the party asks who it is.

use std::{
    collections::BTreeMap,
    future::Future,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, LazyLock},
    thread,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use doorward::{
    config::Config,
    domain::{ManualClock, SystemRandom, Timestamp},
    oidc::Provider,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

/// The one realm of this process.
pub static REALM: LazyLock<Realm> = LazyLock::new(Realm::start);
/// Seconds at which the party's clock stands.
pub const NOW: i64 = 1_900_000_000;
/// The party's name.
pub const CLIENT: &str = "shop";

/// A realm and its party.
pub struct Realm {
    /// The party.
    pub provider: Provider,
    key: Ed25519KeyPair,
    stranger: Ed25519KeyPair,
    runtime: Runtime,
}

impl Realm {
    fn start() -> Self {
        let key = |seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let public = URL_SAFE_NO_PAD.encode(key(1).public_key());
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, address, &public)));
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
        let provider = Provider::build(configuration(address).oidc, clock, Arc::new(SystemRandom)).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(provider.discover()).unwrap();
        Self { provider, key: key(1), stranger: key(2), runtime }
    }

    /// Waits for what the party says.
    pub fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// What the realm signs.
    pub fn signed(&self, payload: &[u8]) -> String {
        token(br#"{"alg":"EdDSA","kid":"realm"}"#, payload, &self.key)
    }

    /// What somebody else signs, under any header.
    pub fn forged(&self, header: &[u8], payload: &[u8]) -> String {
        token(header, payload, &self.stranger)
    }
}

/// `claims` with what `data` is laid over them, if it is an object.
pub fn overlaid(mut claims: Value, data: &[u8]) -> Vec<u8> {
    if let (Some(members), Ok(Value::Object(over))) = (claims.as_object_mut(), serde_json::from_slice(data)) {
        members.extend(over);
    }
    claims.to_string().into_bytes()
}

/// The members of a payload that was believed.
pub fn members(payload: &[u8]) -> serde_json::Map<String, Value> {
    serde_json::from_slice(payload).unwrap()
}

fn token(header: &[u8], payload: &[u8], key: &Ed25519KeyPair) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

fn issuer(address: SocketAddr) -> String {
    format!("http://{address}/realms/shop")
}

fn configuration(address: SocketAddr) -> Config {
    let file = json!({
        "realm": "shop", "auth-server-url": format!("http://{address}"), "resource": CLIENT, "ssl-required": "none",
        "credentials": { "secret": "s" },
        "sidecar": {
            "public-url": "http://app.test", "upstream": "http://127.0.0.1:3000", "provider": { "algorithms": ["EdDSA"] },
        },
    });
    Config::from_json(&file.to_string(), &BTreeMap::new()).unwrap()
}

/// Says who the realm is, or which key it has, to one request.
fn answer(mut stream: TcpStream, address: SocketAddr, public: &str) {
    let issuer = issuer(address);
    let mut asked = [0; 4096];
    let length = stream.read(&mut asked).unwrap_or_default();
    let body = if asked[..length].windows(5).any(|part| part == b"/keys") {
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": public, "kid": "realm", "use": "sig", "alg": "EdDSA" }] })
    } else {
        json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
        })
    }
    .to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length";
    let _ = write!(stream, "{head}: {}\r\n\r\n{body}", body.len());
}
