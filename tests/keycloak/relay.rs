//! A port that is dead until somebody opens it, and then leads to another server: an identity server that was down.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

use url::Url;

/// A relay to one server.
pub(crate) struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// A free port on which nothing listens yet.
    pub(crate) fn closed() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        Self { address: listener.local_addr().expect("a bound socket has an address") }
    }

    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address)).expect("a socket address makes an address")
    }

    /// From now on the port leads to `server`, until this process ends.
    pub(crate) fn open(&self, server: &Url) {
        let listener = TcpListener::bind(self.address).expect("the port is still free");
        let server = server.socket_addrs(|| None).expect("an address on loopback")[0];
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // What cannot be joined is dropped, which the other side sees as a closed connection.
                let _ = TcpStream::connect(server).and_then(|far| join(near, far));
            }
        });
    }
}

fn join(near: TcpStream, far: TcpStream) -> io::Result<()> {
    let (back_from, back_to) = (far.try_clone()?, near.try_clone()?);
    thread::spawn(move || copy(&near, &far));
    thread::spawn(move || copy(&back_from, &back_to));
    Ok(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    // A connection that breaks ends like one that closes: the other side is told that no more will come.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
