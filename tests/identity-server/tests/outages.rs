//! The server when it does not answer.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

use identity_server::{
    Client, Endpoint, Fault, IdentityServer, Options, User,
    http::{self, Request},
};

fn server() -> IdentityServer {
    let client = Client::confidential("app", "secret", "http://app.example.com/callback");
    IdentityServer::start(Options::new(client, User::named("ada"))).unwrap()
}

fn discovery(server: &IdentityServer) -> Result<u16, http::Error> {
    let request = Request::get("/.well-known/openid-configuration");
    http::send(server.address(), &request).map(|response| response.status)
}

#[test]
fn a_stopped_server_refuses_connections_and_comes_back_on_the_same_port() {
    let mut server = server();
    assert_eq!(discovery(&server).unwrap(), 200);
    server.stop();
    assert!(discovery(&server).is_err());
    server.restart().unwrap();
    assert_eq!(discovery(&server).unwrap(), 200);
    assert_eq!(server.calls(Endpoint::Discovery), 2);
}

/// A connection on which a request was answered, and which may be used again.
fn kept(address: SocketAddr) -> TcpStream {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(http::PATIENCE)).unwrap();
    assert!(is_served(&mut connection));
    connection
}

fn is_served(connection: &mut TcpStream) -> bool {
    let asked = connection.write_all(b"HEAD /.well-known/openid-configuration HTTP/1.1\r\nHost: x\r\n\r\n");
    asked.and_then(|()| connection.read(&mut [0; 4096])).is_ok_and(|read| read > 0)
}

#[test]
fn a_stopped_server_serves_nobody_on_a_connection_that_was_kept() {
    let mut server = server();
    for round in 1..=100 {
        let mut connections = [(); 4].map(|()| kept(server.address()));
        server.stop();
        assert!(!connections.iter_mut().any(is_served), "round {round}");
        assert_eq!(server.calls(Endpoint::Discovery), 4 * round);
        server.restart().unwrap();
    }
}

#[test]
fn a_dropped_connection_brings_not_one_byte() {
    let server = server();
    server.next(Endpoint::Discovery, Fault::DropConnection);
    // Not even a head: opening succeeds as soon as one has come.
    let error = http::open(server.address(), &Request::get("/.well-known/openid-configuration")).unwrap_err();
    assert!(matches!(error, http::Error::Closed | http::Error::Connection(_)), "{error}");
    assert_eq!(discovery(&server).unwrap(), 200);
}

#[test]
fn a_lost_answer_has_its_effect_all_the_same() {
    let server = server();
    let url = "/authorize?client_id=app&response_type=code&scope=openid&redirect_uri=http://app.example.com/callback\
               &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    server.next(Endpoint::Authorization, Fault::LoseAnswer);
    assert!(http::open(server.address(), &Request::get(url)).is_err());
    assert_eq!(server.sessions().len(), 1);
}

#[test]
fn what_hangs_goes_on_when_it_is_released() {
    let server = server();
    for (number, fault) in [Fault::Hang, Fault::HoldAnswer].into_iter().enumerate() {
        server.next(Endpoint::Discovery, fault);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| discovery(&server));
            assert!(server.wait_for_calls(Endpoint::Discovery, number + 1));
            server.release();
            assert_eq!(waiting.join().unwrap().unwrap(), 200);
        });
    }
}

#[test]
fn a_server_stops_while_a_request_hangs() {
    let mut server = server();
    server.always(Endpoint::Discovery, Fault::Hang);
    let address = server.address();
    let waiting = thread::spawn(move || http::send(address, &Request::get("/.well-known/openid-configuration")));
    assert!(server.wait_for_calls(Endpoint::Discovery, 1));
    server.stop();
    assert!(waiting.join().unwrap().is_err());
}
