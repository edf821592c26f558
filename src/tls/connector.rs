//! TLS as a client: whom we believe, and who we are.

use std::{fmt, io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
    sign::SingleCertAndKey,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{HTTP_1_1, Identity, TlsError, provider, verifier::Lenient};

/// Whom we believe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Whose signature counts.
    pub roots: Roots,
    /// How much of a certificate is looked at.
    pub verification: Verification,
}

/// Whose signature counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// These alone.
    Only(Vec<CertificateDer<'static>>),
    /// The machine's and the embedded ones (Mozilla's), so that an image without a CA folder works, and these besides.
    Usual(Vec<CertificateDer<'static>>),
}

/// How much of a server's certificate is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Nothing: whoever answers is believed (keycloak-adapter: `disable-trust-manager`).
    AnyCertificate,
    /// Who signed it, and when, but not for whom (keycloak-adapter: `allow-any-hostname`).
    AnyHostname,
    /// All of it.
    #[default]
    Full,
}

/// Makes TLS connections to one server, HTTP/1.1 above them.
#[derive(Clone)]
pub struct Connector {
    name: ServerName<'static>,
    inner: TlsConnector,
}

impl Default for Roots {
    fn default() -> Self {
        Self::Usual(Vec::new())
    }
}

impl Trust {
    /// A client's side of TLS that believes as this says, and shows `identity` to whoever asks for it.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub fn client(&self, identity: Option<&Identity>) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let lenient = |roots| Arc::new(Lenient { roots, provider: provider() });
        let builder = match self.verification {
            Verification::Full => builder.with_root_certificates(self.roots.store()?),
            Verification::AnyHostname => {
                builder.dangerous().with_custom_certificate_verifier(lenient(Some(self.roots.store()?)))
            }
            Verification::AnyCertificate => builder.dangerous().with_custom_certificate_verifier(lenient(None)),
        };
        Ok(match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified()))),
        })
    }
}

impl Roots {
    fn store(&self) -> Result<RootCertStore, TlsError> {
        self.store_beside(|| rustls_native_certs::load_native_certs().certs)
    }

    /// With `machine` for the authorities that the machine believes. It is asked only where these count; where there are none, as in an
    /// image without a CA folder, that is no fault.
    fn store_beside(&self, machine: impl FnOnce() -> Vec<CertificateDer<'static>>) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        let own = match self {
            Self::Only(own) => own,
            Self::Usual(added) => {
                store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                // A machine's folder may hold what cannot be read; ours may not.
                store.add_parsable_certificates(machine());
                added
            }
        };
        for certificate in own {
            store.add(certificate.clone())?;
        }
        Ok(store)
    }
}

impl Connector {
    /// Connections to the server whose certificate names `name`, a DNS name or an address.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(name: ServerName<'static>, trust: &Trust) -> Result<Self, TlsError> {
        let mut config = trust.client(None)?;
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Self { name, inner: TlsConnector::from(Arc::new(config)) })
    }

    /// Shakes hands over `socket`.
    ///
    /// # Errors
    /// When the connection breaks, or the server may not be believed.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(&self, socket: S) -> io::Result<TlsStream<S>> {
        self.inner.connect(self.name.clone(), socket).await
    }
}

/// The same connector, not an equal one: what it believes cannot be compared.
impl PartialEq for Connector {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(self.inner.config(), other.inner.config())
    }
}

impl Eq for Connector {}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({:?})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::{
        client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
        pki_types::{UnixTime, pem::PemObject as _},
    };

    use super::*;

    const PUBLIC: &[u8] = include_bytes!("../../tests/keystores/PUBLIC-letsencrypt.pem");
    /// 1 August 2026, when these certificates were good.
    const THEN: Duration = Duration::from_secs(1_785_542_400);

    /// What a machine without any authority makes of a public server.
    fn verify(roots: &Roots) -> Result<(), rustls::Error> {
        let store = Arc::new(roots.store_beside(Vec::new).unwrap());
        let verifier = WebPkiServerVerifier::builder_with_provider(store, provider()).build().unwrap();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(PUBLIC).collect::<Result<_, _>>().unwrap();
        let name = ServerName::try_from("letsencrypt.org").unwrap();
        let now = UnixTime::since_unix_epoch(THEN);
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).map(drop)
    }

    #[test]
    fn public_servers_are_believed_where_the_machine_has_no_authorities() {
        assert_eq!(verify(&Roots::default()), Ok(()));
        let own = rcgen::generate_simple_self_signed(["own".to_owned()]).unwrap().cert.der().clone();
        assert!(verify(&Roots::Only(vec![own])).is_err());
    }
}
