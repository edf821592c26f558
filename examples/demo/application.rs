//! The demo's application. It knows nothing of OpenID Connect: it reads headers and has a button.

use std::{future::Future, io, net::SocketAddr};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// Where the sign-out button posts to: the adapter's own endpoint, on the application's origin.
const SIGN_OUT: &str = "/oauth2/sign_out";

/// The application, about to run.
pub(crate) struct Running<S> {
    /// Where it listens: loopback, since only the adapter may reach it.
    pub(crate) address: SocketAddr,
    /// Its serving; ends when the demo does.
    pub(crate) server: S,
}

/// Starts the application at a free port.
///
/// # Errors
/// When there is no port to be had.
pub(crate) fn start() -> io::Result<Running<impl Future<Output = io::Result<()>>>> {
    let server = HttpServer::new(|| App::new().default_service(web::to(show)))
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))?;
    let address = server.addrs().first().copied().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok(Running { address, server: server.run() })
}

async fn show(request: HttpRequest) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page(&request))
}

fn page(request: &HttpRequest) -> String {
    let rows: String = TOLD.iter().map(|(name, meaning)| row(request, name, meaning)).collect::<Vec<_>>().concat();
    let user = header(request, "X-Forwarded-Preferred-Username");
    let user = user.as_deref().unwrap_or("nobody");
    let path = escape(request.path());
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Demo application</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body><main>\
         <h1>Hello, <b>{user}</b></h1>\
         <p>This page has no login code. It read who you are from the headers of your request for <code>{path}</code>.</p>\
         <table>{rows}</table>\
         <form method=\"post\" action=\"{SIGN_OUT}\"><button>Sign out</button></form>\
         <nav><a href=\"/\">Home</a> <a href=\"/another/page\">Another page</a></nav>\
         </main></body></html>"
    )
}

fn row(request: &HttpRequest, name: &str, meaning: &str) -> String {
    let value = header(request, name).unwrap_or_else(|| "<i>not told</i>".to_owned());
    format!("<tr><th scope=\"row\">{meaning}</th><td>{value}</td><td><code>{name}</code></td></tr>")
}

/// A header's value as markup.
fn header(request: &HttpRequest, name: &str) -> Option<String> {
    let value = request.headers().get(name)?;
    Some(escape(&String::from_utf8_lossy(value.as_bytes())))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;")
}

/// The headers of the default configuration, and what they say.
const TOLD: [(&str, &str); 5] = [
    ("X-Forwarded-Preferred-Username", "User name"),
    ("X-Forwarded-Email", "E-mail"),
    ("X-Forwarded-Groups", "Groups"),
    ("X-Forwarded-Roles", "Roles"),
    ("X-Forwarded-User", "Subject"),
];

const STYLE: &str = ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif;--line:#8884}\
body{margin:0;min-height:100vh;display:grid;place-items:center}main{width:min(44rem,92vw)}h1{font-weight:400}\
table{width:100%;border-collapse:collapse;margin:1rem 0}th,td{text-align:left;padding:.5rem;border-top:1px solid var(--line);\
overflow-wrap:anywhere}th{font-weight:600}td code{opacity:.6;font-size:.8rem}\
button{font:inherit;padding:.5rem 1.25rem;border-radius:.5rem;border:1px solid var(--line);cursor:pointer}\
nav{display:flex;flex-wrap:wrap;gap:1rem;margin-top:1.5rem}";
