//! Finds the private key in a PEM text (RFC 7468) and decodes it. Whether the key is any good is not asked here.

use base64::{Engine, engine::general_purpose::STANDARD};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    domain::SecretBytes,
    oidc::{PrivateKey, PrivateKeyForm},
};

/// Why there is no usable private key. `Display` says how to convert it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum PemError {
    #[error("holds no PEM block `PRIVATE KEY` or `RSA PRIVATE KEY`")]
    NoPrivateKey,
    #[error("holds more than one private key")]
    SeveralKeys,
    #[error("holds a PEM block that is not closed or not base64")]
    Broken,
    #[error(
        "holds an encrypted key; decrypt it with `openssl pkcs8 -in KEY -out KEY.pem` and protect the file instead"
    )]
    Encrypted,
    #[error("holds an `EC PRIVATE KEY`; convert it with `openssl pkcs8 -topk8 -nocrypt -in KEY -out KEY.pem`")]
    Sec1,
}

/// The one private key in `text`; certificates and public keys beside it are passed over.
pub(super) fn private_key(text: &str) -> Result<PrivateKey, PemError> {
    let mut found = None;
    let mut rest = text;
    while let Some((label, body, after)) = block(rest)? {
        rest = after;
        if let Some(form) = form(label, body)? {
            let der = decode(body)?;
            if found.replace(PrivateKey { der, form }).is_some() {
                return Err(PemError::SeveralKeys);
            }
        }
    }
    found.ok_or(PemError::NoPrivateKey)
}

/// The next block's label, its body, and what follows it.
fn block(text: &str) -> Result<Option<(&str, &str, &str)>, PemError> {
    let Some((_, begun)) = text.split_once("-----BEGIN ") else {
        return Ok(None);
    };
    let (label, rest) = begun.split_once("-----").ok_or(PemError::Broken)?;
    let end = format!("-----END {label}-----");
    let (body, after) = rest.split_once(end.as_str()).ok_or(PemError::Broken)?;
    Ok(Some((label, body, after)))
}

fn form(label: &str, body: &str) -> Result<Option<PrivateKeyForm>, PemError> {
    match label {
        "ENCRYPTED PRIVATE KEY" => Err(PemError::Encrypted),
        "EC PRIVATE KEY" => Err(PemError::Sec1),
        // The header of an old-style encrypted key (RFC 1421, section 4.6.1.1).
        "PRIVATE KEY" | "RSA PRIVATE KEY" if body.contains("ENCRYPTED") => Err(PemError::Encrypted),
        "PRIVATE KEY" => Ok(Some(PrivateKeyForm::Pkcs8)),
        "RSA PRIVATE KEY" => Ok(Some(PrivateKeyForm::Pkcs1)),
        _ => Ok(None),
    }
}

fn decode(body: &str) -> Result<SecretBytes, PemError> {
    let dense: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    let der = STANDARD.decode(dense.as_bytes()).map_err(|_| PemError::Broken)?;
    if der.is_empty() {
        return Err(PemError::Broken);
    }
    Ok(SecretBytes::new(der))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn the_private_key_is_found_beside_its_certificate() {
        let text = pem("CERTIFICATE", "AAAA") + &pem("PRIVATE KEY", "a2V5\nIQ==");
        let key = private_key(&text).unwrap();
        assert_eq!(key.form, PrivateKeyForm::Pkcs8);
        assert_eq!(key.der.expose(), b"key!");
        let key = private_key(&pem("RSA PRIVATE KEY", "a2V5")).unwrap();
        assert_eq!(key.form, PrivateKeyForm::Pkcs1);
    }

    #[test]
    fn what_is_no_plain_key_is_told_apart() {
        let refusal = |text: String| private_key(&text).unwrap_err();
        assert_eq!(refusal(pem("EC PRIVATE KEY", "AAAA")), PemError::Sec1);
        assert_eq!(refusal(pem("ENCRYPTED PRIVATE KEY", "AAAA")), PemError::Encrypted);
        let old = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA";
        assert_eq!(refusal(pem("RSA PRIVATE KEY", old)), PemError::Encrypted);
        assert_eq!(refusal(pem("PRIVATE KEY", "AAAA") + &pem("PRIVATE KEY", "AAAA")), PemError::SeveralKeys);
        assert_eq!(refusal(pem("PRIVATE KEY", "A*AA")), PemError::Broken);
        assert_eq!(refusal("-----BEGIN PRIVATE KEY-----\nAAAA".to_owned()), PemError::Broken);
        assert_eq!(refusal(pem("CERTIFICATE", "AAAA")), PemError::NoPrivateKey);
    }
}
