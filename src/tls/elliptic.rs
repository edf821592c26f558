//! Elliptic keys as Java writes them: a PKCS#8 whose `ECPrivateKey` (RFC 5915) lacks its public half, which is optional there and which
//! `ring` cannot do without. The certificate beside the key has it.

use rustls::{pki_types::CertificateDer, server::ParsedCertificate};

use super::der::{BIT_STRING, INTEGER, OCTET_STRING, SEQUENCE, element, written};
use crate::domain::SecretBytes;

/// `id-ecPublicKey` (RFC 5480, section 2.1.1), in DER.
const EC_PUBLIC_KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
/// `parameters [0]` and `publicKey [1]` of an `ECPrivateKey`.
const PARAMETERS: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0xa1;

/// `key` with the public half that stands in `certificate`; `None` when it lacks none, or is no such key, or one of another curve. That both
/// halves belong together is for the reader of the key to check, and `ring` does.
pub(super) fn completed(key: &SecretBytes, certificate: &CertificateDer<'_>) -> Option<SecretBytes> {
    let half = PrivateHalf::read(key.expose())?;
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let public = certificate.subject_public_key_info();
    let mut rest = public.as_ref();
    let mut public = element(SEQUENCE, &mut rest)?;
    let algorithm = element(SEQUENCE, &mut public)?;
    let point = element(BIT_STRING, &mut public)?;
    (algorithm == half.algorithm).then(|| half.with(point))
}

/// A PKCS#8 (RFC 5208, section 5) of an elliptic key without its public half.
struct PrivateHalf<'a> {
    /// The contents of `privateKeyAlgorithm`, which names the curve.
    algorithm: &'a [u8],
    version: &'a [u8],
    private: &'a [u8],
}

impl<'a> PrivateHalf<'a> {
    fn read(mut key: &'a [u8]) -> Option<Self> {
        let mut info = element(SEQUENCE, &mut key)?;
        let _version = element(INTEGER, &mut info)?;
        let algorithm = element(SEQUENCE, &mut info)?;
        let mut inner = element(OCTET_STRING, &mut info)?;
        let mut fields = element(SEQUENCE, &mut inner)?;
        let version = element(INTEGER, &mut fields)?;
        let private = element(OCTET_STRING, &mut fields)?;
        let _parameters = element(PARAMETERS, &mut fields);
        let lacks_public = element(PUBLIC_KEY, &mut fields).is_none();
        (algorithm.starts_with(EC_PUBLIC_KEY) && lacks_public).then_some(Self { algorithm, version, private })
    }

    fn with(&self, point: &[u8]) -> SecretBytes {
        let [version, point] = [(INTEGER, self.version), (BIT_STRING, point)].map(|(tag, part)| written(tag, &[part]));
        let private = written(OCTET_STRING, &[self.private]);
        let key = written(SEQUENCE, &[&version, &private, &written(PUBLIC_KEY, &[&point])]);
        let algorithm = written(SEQUENCE, &[self.algorithm]);
        let info = written(SEQUENCE, &[&written(INTEGER, &[&[0]]), &algorithm, &written(OCTET_STRING, &[&key])]);
        SecretBytes::new(info.as_slice())
    }
}
