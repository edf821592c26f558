//! TLS from the other side: an authority of a story's own, relays that begin or end TLS, and a client that sees what it is shown.

use std::{
    fs,
    future::Future,
    io,
    net::{SocketAddr, TcpListener, TcpStream as Blocking},
    path::Path,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use identity_server::http::PATIENCE;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    sync::oneshot,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::proxied::Wire;

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for this name.
    pub(crate) fn issue(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

impl Pair {
    /// Writes it to `chain.pem` and `key.pem`; what `sidecar.tls` names.
    pub(crate) fn write(&self, folder: &Path) -> serde_json::Value {
        let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
        fs::write(&chain, &self.certificate).unwrap();
        fs::write(&key, &self.key).unwrap();
        serde_json::json!({ "certificate": chain, "key": key, "reload-interval": "10ms" })
    }
}

/// Passes connections on, in a thread of its own. Ends when dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    /// The heads of what was asked for, where it reads them.
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Speaks TLS as `pair` says and passes what is in it on to `target`. With `clients`, callers must show a certificate of theirs.
    pub(crate) fn ends_tls(pair: &Pair, target: SocketAddr, clients: Option<&str>) -> Self {
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
        Self::start(move |socket, _| {
            let acceptor = acceptor.clone();
            async move {
                let mut socket = acceptor.accept(socket).await?;
                let mut target = TcpStream::connect(target).await?;
                copy_bidirectional(&mut socket, &mut target).await.map(drop)
            }
        })
    }

    /// Passes on to `target` what it hears in clear, under TLS with whoever `authority` signed for `name`.
    pub(crate) fn begins_tls(target: SocketAddr, authority: &Authority, name: &'static str) -> Self {
        let connector = TlsConnector::from(Arc::new(client_config(authority, rustls::DEFAULT_VERSIONS, &[])));
        Self::start(move |mut socket, _| {
            let connector = connector.clone();
            async move {
                let target = TcpStream::connect(target).await?;
                let mut target = connector.connect(ServerName::try_from(name).unwrap(), target).await?;
                copy_bidirectional(&mut socket, &mut target).await.map(drop)
            }
        })
    }

    /// A forward proxy for `CONNECT`; every name leads to this machine.
    pub(crate) fn forward_proxy() -> Self {
        Self::start(|mut socket, heads| async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await?);
            }
            let head = String::from_utf8(head).unwrap();
            let authority = head.split(' ').nth(1).unwrap().to_owned();
            heads.lock().unwrap().push(head);
            let port: u16 = authority.rsplit_once(':').unwrap().1.parse().unwrap();
            let mut target = TcpStream::connect(("127.0.0.1", port)).await?;
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            copy_bidirectional(&mut socket, &mut target).await.map(drop)
        })
    }

    fn start<F: Future<Output = io::Result<()>> + Send + 'static>(
        handle: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = heads.clone();
        let (stop, mut stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    tokio::select! {
                        accepted = listener.accept() => serve(handle(accepted.unwrap().0, noted.clone())),
                        _ = &mut stopped => return,
                    }
                }
            });
        });
        Self { address, heads, stop: Some(stop), thread: Some(thread) }
    }
}

/// How a connection ends is for its ends to see.
#[expect(clippy::disallowed_methods, reason = "the connections end with the relay's runtime")]
fn serve(connection: impl Future<Output = io::Result<()>> + Send + 'static) {
    tokio::spawn(connection);
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// A connection under TLS.
pub(crate) type TlsWire = Wire<StreamOwned<ClientConnection, Blocking>>;

/// Shakes hands with `address`: the connection, and the certificate that was shown.
pub(crate) fn shake(
    address: SocketAddr,
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> io::Result<(TlsWire, Shown)> {
    let config = client_config(authority, versions, protocols);
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from("app.test").unwrap()).unwrap();
    let mut socket = Blocking::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    while client.is_handshaking() {
        client.complete_io(&mut socket)?;
    }
    let shown = Shown {
        certificate: client.peer_certificates().unwrap()[0].clone().into_owned(),
        protocol: client.alpn_protocol().map(<[u8]>::to_vec),
    };
    Ok((Wire::over(StreamOwned::new(client, socket)), shown))
}

/// What a server has shown and chosen.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) protocol: Option<Vec<u8>>,
}

impl Shown {
    pub(crate) fn is(&self, pair: &Pair) -> bool {
        CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap() == self.certificate
    }
}

fn client_config(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots(authority.pem())).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}

fn roots(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    roots
}
