//! Compact JSON Web Signatures (RFC 7515): made, with the faults a test asked for, and read back.

use ring::{error::Unspecified, hmac, signature::UnparsedPublicKey};
use serde_json::{Value, json};

use crate::{
    keys::{Algorithm, Generation, decode, encode},
    misbehave::TokenFault,
};

/// A token about to be signed.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    /// The header's `typ`.
    pub(crate) typ: &'a str,
    /// The claims.
    pub(crate) claims: Value,
    /// What to sign by.
    pub(crate) algorithm: Algorithm,
    /// The key of `HS*`.
    pub(crate) secret: &'a [u8],
}

/// Signs a draft with everything that `faults` do to it.
pub(crate) fn sign(keys: &Generation, draft: Draft<'_>, faults: &[TokenFault]) -> Result<String, Unspecified> {
    let algorithm = faults.iter().fold(draft.algorithm, |chosen, fault| match fault {
        TokenFault::Algorithm(other) => *other,
        _ => chosen,
    });
    let mut header = json!({ "alg": algorithm.name(), "typ": draft.typ, "kid": keys.kid(algorithm) });
    let mut claims = draft.claims;
    for fault in faults {
        match fault {
            TokenFault::Claim(patch) => patch.apply(&mut claims),
            TokenFault::Unsigned => header["alg"] = json!("none"),
            TokenFault::Hs256(_) => {
                header = json!({ "alg": "HS256", "typ": draft.typ, "kid": keys.kid(Algorithm::Rs256) });
            }
            _ => {}
        }
    }
    for fault in faults {
        if let TokenFault::Header(patch) = fault {
            patch.apply(&mut header);
        }
    }
    let payload = faults.iter().fold(claims.to_string(), |text, fault| match fault {
        TokenFault::Payload(rewrite) => rewrite(&text),
        _ => text,
    });
    let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.as_bytes()));
    let signature = signature(keys, algorithm, draft.secret, message.as_bytes(), faults)?;
    Ok(format!("{message}.{}", encode(&signature)))
}

fn signature(
    keys: &Generation,
    algorithm: Algorithm,
    secret: &[u8],
    message: &[u8],
    faults: &[TokenFault],
) -> Result<Vec<u8>, Unspecified> {
    let mut signature = keys.sign(algorithm, secret, message)?;
    for fault in faults {
        match fault {
            TokenFault::OtherKey => {
                // The next fixture, so that RSA differs too, and a secret that nobody else has.
                signature = Generation::make(keys.number() + 1)?.sign(algorithm, b"another secret", message)?;
            }
            TokenFault::Unsigned => signature.clear(),
            TokenFault::Hs256(secret) => signature = keys.sign(Algorithm::Hs256, secret, message)?,
            TokenFault::CorruptSignature => signature.iter_mut().take(1).for_each(|byte| *byte ^= 1),
            _ => {}
        }
    }
    Ok(signature)
}

/// The claims of a token, without looking at its signature: for tokens that this server made itself, and for tests.
#[must_use]
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
#[must_use]
pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let bytes = token.split('.').nth(index).and_then(decode);
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// What a token's signature is checked with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum VerificationKey<'a> {
    /// Any of `HS*`.
    Secret(&'a str),
    /// This algorithm only.
    Public(Algorithm, &'a [u8]),
}

/// The claims of a token whose signature is right.
pub(crate) fn verify(token: &str, key: VerificationKey<'_>) -> Option<Value> {
    let (message, signature) = token.rsplit_once('.')?;
    let signature = decode(signature)?;
    let named = Algorithm::named(header(token)["alg"].as_str()?)?;
    match key {
        VerificationKey::Secret(secret) => {
            let key = hmac::Key::new(named.hmac()?, secret.as_bytes());
            hmac::verify(&key, message.as_bytes(), &signature).ok()?;
        }
        VerificationKey::Public(algorithm, public_key) if algorithm == named => {
            let key = UnparsedPublicKey::new(algorithm.verification()?, public_key);
            key.verify(message.as_bytes(), &signature).ok()?;
        }
        VerificationKey::Public(..) => return None,
    }
    Some(claims(token))
}

/// `at_hash` (OpenID Connect Core 1.0, section 3.1.3.6).
pub(crate) fn at_hash(algorithm: Algorithm, access_token: &str) -> String {
    use ring::digest::{SHA256, SHA384, SHA512, digest};
    let hash = match algorithm {
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 | Algorithm::Hs384 => &SHA384,
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Hs512 | Algorithm::EdDsa => &SHA512,
        _ => &SHA256,
    };
    let digest = digest(hash, access_token.as_bytes());
    encode(&digest.as_ref()[..digest.as_ref().len() / 2])
}
