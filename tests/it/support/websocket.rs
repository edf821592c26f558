//! A WebSocket client, frame by frame (RFC 6455).

use std::net::{SocketAddr, TcpStream};

use identity_server::http::{Headers, Response};

use super::proxied::Wire;

/// The key of RFC 6455, section 1.3, and the only right answer to it.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// An open WebSocket.
pub(crate) struct WebSocket {
    /// Its connection.
    pub(crate) wire: Wire<TcpStream>,
    /// The headers of the 101.
    pub(crate) headers: Headers,
}

/// A whole opening handshake, with these lines besides.
pub(crate) fn handshake(path: &str, lines: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    )
}

/// A client's frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 77, 177, 250];
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => frame.push(0x80 | short),
        (_, Ok(middle)) => {
            frame.push(0xfe);
            frame.extend(middle.to_be_bytes());
        }
        _ => {
            frame.push(0xff);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

impl WebSocket {
    /// Opens one; fails when it is refused.
    pub(crate) fn open(address: SocketAddr, path: &str, lines: &str) -> Self {
        Self::ask(address, path, lines).unwrap_or_else(|answer| panic!("{}: {}", answer.status, answer.text()))
    }

    /// Asks for one.
    pub(crate) fn ask(address: SocketAddr, path: &str, lines: &str) -> Result<Self, Response> {
        let mut wire = Wire::connect(address);
        wire.say(handshake(path, lines));
        let answer = wire.answer();
        if answer.status == 101 { Ok(Self { wire, headers: answer.headers }) } else { Err(answer) }
    }

    /// Sends one frame.
    pub(crate) fn say(&mut self, opcode: u8, payload: &[u8]) {
        self.wire.say(frame(opcode, payload));
    }

    /// Reads one frame of a server.
    pub(crate) fn hear(&mut self) -> (u8, Vec<u8>) {
        let head = self.wire.exactly(2);
        assert_eq!(head[1] & 0x80, 0, "a server does not mask");
        let length = match head[1] {
            126 => self.wire.exactly(2),
            127 => self.wire.exactly(8),
            short => vec![short],
        };
        let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        (head[0] & 0x0f, self.wire.exactly(length))
    }

    /// Says something and hears it again.
    pub(crate) fn echo(&mut self, text: &str) {
        self.say(TEXT, text.as_bytes());
        assert_eq!(self.hear(), (TEXT, text.as_bytes().to_vec()));
    }

    /// Reads on to the end: the code of the close frame that stood there, if one did.
    pub(crate) fn closed(&mut self) -> Option<u16> {
        match self.wire.rest().as_slice() {
            [] => None,
            [0x88, 2, high, low] => Some(u16::from_be_bytes([*high, *low])),
            other => panic!("not an end: {other:?}"),
        }
    }
}
