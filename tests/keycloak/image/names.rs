//! A name server for those that read `/etc/resolv.conf`: knows one name, and says of every other that there is none.

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
};

/// The port that `resolv.conf` cannot name another of.
const PORT: u16 = 53;
/// Type of an IPv4 address (RFC 1035, section 3.2.2).
const A: u16 = 1;
/// Length of a message's header (RFC 1035, section 4.1.1).
const HEADER: usize = 12;

/// A running name server, at a loopback address of its own. Its thread ends with the process.
pub(crate) struct Names {
    address: Ipv4Addr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    /// Starts one that says 127.0.0.1 of `known`.
    pub(crate) fn start(known: &'static str) -> Self {
        let [.., high, low] = std::process::id().to_be_bytes();
        let mut candidates = (1..=250).map(|third| Ipv4Addr::new(127, third, high, low | 1));
        let bound = candidates.find_map(|address| Some((address, UdpSocket::bind((address, PORT)).ok()?)));
        let (address, socket) = bound.expect("port 53 can be bound: as root, or as root of a namespace");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&asked);
        thread::spawn(move || {
            let mut message = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut message) {
                if let Some((name, answer)) = answer(&message[..length], known) {
                    heard.lock().expect("no one panics holding it").push(name);
                    // Who is gone needs no answer.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, asked }
    }

    /// What a pod's `/etc/resolv.conf` says, with the search list that Kubernetes writes.
    pub(crate) fn resolv_conf(&self) -> String {
        let search = "shop.svc.cluster.local svc.cluster.local cluster.local";
        format!("nameserver {}\nsearch {search}\noptions ndots:5\n", self.address)
    }

    /// Whether anybody asked for this name.
    pub(crate) fn was_asked(&self, name: &str) -> bool {
        self.asked.lock().expect("no one panics holding it").iter().any(|asked| asked == name)
    }
}

/// The name that a message asks for, and the answer to it: the address, nothing of that type, or no such name.
fn answer(question: &[u8], known: &str) -> Option<(String, Vec<u8>)> {
    let (name, end) = name(question)?;
    let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
    let is_answered = name == known && kind == A;
    let code = if name == known { 0 } else { 3 };
    let id = question.get(..2)?;
    let mut answer = [id, &[0x85, 0x80 | code, 0, 1, 0, u8::from(is_answered), 0, 0, 0, 0]].concat();
    answer.extend_from_slice(question.get(HEADER..end + 4)?);
    if is_answered {
        // A pointer to the name, type A, class IN, one second, four bytes.
        answer.extend_from_slice(&[0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    Some((name, answer))
}

/// The name in a question, and where it ends (RFC 1035, section 4.1.2).
fn name(question: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEADER);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).into_owned());
        at += length;
    }
}
