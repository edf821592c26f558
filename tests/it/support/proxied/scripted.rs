//! An application whose every byte the story itself says.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use identity_server::http::PATIENCE;

use super::Wire;

/// A listener; its connections are the story's to answer.
pub(crate) struct Scripted {
    address: SocketAddr,
    connections: mpsc::Receiver<TcpStream>,
}

impl Scripted {
    /// Listens on a free port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (told, connections) = mpsc::channel();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if told.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { address, connections }
    }

    /// As `sidecar.upstream` writes it.
    pub(crate) fn upstream(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next connection that is made to it.
    pub(crate) fn accept(&self) -> Wire<TcpStream> {
        Wire::of(self.connections.recv_timeout(PATIENCE).expect("a connection from the adapter"))
    }

    /// Whether there is no connection that was not yet accepted.
    pub(crate) fn is_idle(&self) -> bool {
        self.connections.try_recv().is_err()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        // One more connection, so that the listener sees that nobody waits for it.
        drop(TcpStream::connect(self.address));
    }
}
