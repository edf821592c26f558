//! What the client reads, from bytes.

use super::*;

fn body_of(bytes: &[u8], framing: Framing) -> io::Result<String> {
    let mut text = String::new();
    Body::new(bytes, framing).read_to_string(&mut text).map(|_| text)
}

#[test]
fn a_chunked_body_ends_at_its_last_chunk() {
    let text = body_of(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\nrest", Framing::Chunked);
    assert_eq!(text.unwrap(), "abcde");
}

#[test]
fn a_body_that_is_cut_short_is_an_error() {
    assert!(body_of(b"abc", Framing::Length(4)).is_err());
    assert!(body_of(b"3\r\nab", Framing::Chunked).is_err());
    assert!(body_of(b"3\r\nabc\r\n", Framing::Chunked).is_err());
    assert_eq!(body_of(b"abc", Framing::UntilClose).unwrap(), "abc");
}

#[test]
fn a_head_that_is_not_strict_is_refused() {
    for head in ["HTTP/1.1 200 OK\nA: b\n\n", "X\r\nA : b\r\n\r\n", "X\r\n folded\r\n\r\n", "X\r\nno colon\r\n\r\n"] {
        assert!(matches!(read_head(&mut head.as_bytes()), Err(Error::Malformed(_))), "{head:?}");
    }
    assert!(matches!(read_head(&mut "X\r\nA: b\r\n".as_bytes()), Err(Error::Closed)));
    assert!(matches!(read_head(&mut "".as_bytes()), Ok(None)));
}

#[test]
fn two_framings_are_refused() {
    let twice = vec![("Content-Length".into(), "1".into()), ("content-length".into(), "1".into())];
    assert!(Framing::of_request(&twice).is_err());
    let both = vec![("Content-Length".into(), "1".into()), ("Transfer-Encoding".into(), "chunked".into())];
    assert!(Framing::of_request(&both).is_err());
}

#[test]
fn a_request_carries_what_it_needs_and_nothing_else() {
    let text = String::from_utf8(Request::form("/a?b", &[("x y", "&")]).to_bytes("h:1")).unwrap();
    assert!(text.starts_with("POST /a?b HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    assert!(text.ends_with("Content-Length: 7\r\n\r\nx+y=%26"), "{text}");
}
