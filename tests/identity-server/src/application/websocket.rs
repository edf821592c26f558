//! The application's WebSocket (RFC 6455): it agrees to a handshake, says back every text and binary message, answers pings and closes when
//! told so.

use std::io::{self, BufRead, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{After, Heard};

/// Largest message that is said back.
const MOST: u64 = 16 << 20;

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

struct Frame {
    opcode: u8,
    payload: Vec<u8>,
}

/// Answers the handshake and then serves the connection to its end.
pub(super) fn serve(out: &mut impl Write, reader: &mut impl BufRead, heard: &Heard, how: &str) -> io::Result<After> {
    let key = if how == "wrong" { "another" } else { heard.header("sec-websocket-key").unwrap_or_default() };
    let accept = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
    write!(
        out,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Accept: {}\r\nX-From: application\r\n\r\n",
        STANDARD.encode(accept)
    )?;
    loop {
        let frame = read(reader)?;
        let opcode = if frame.opcode == PING { PONG } else { frame.opcode };
        write(out, opcode, &frame.payload)?;
        if opcode == CLOSE {
            return Ok(After::Close);
        }
    }
}

fn read(reader: &mut impl BufRead) -> io::Result<Frame> {
    let [first, second] = exactly(reader)?;
    if second & 0x80 == 0 {
        return Err(io::Error::other("a client's frame without a mask"));
    }
    let length = match second & 0x7f {
        126 => u64::from(u16::from_be_bytes(exactly(reader)?)),
        127 => u64::from_be_bytes(exactly(reader)?),
        short => u64::from(short),
    };
    let mask: [u8; 4] = exactly(reader)?;
    let length = usize::try_from(length.min(MOST)).unwrap_or_default();
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload)?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(Frame { opcode: first & 0x0f, payload })
}

fn exactly<const N: usize>(reader: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn write(out: &mut impl Write, opcode: u8, payload: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x80 | opcode];
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => frame.push(short),
        (_, Ok(middle)) => {
            frame.push(126);
            frame.extend(middle.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    out.write_all(&frame)
}
