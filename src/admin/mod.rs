//! The admin listener: the back channel, health, readiness, metrics, and behind a token the session API. Never the public port.

mod back_channel;
mod guard;
mod keycloak;
mod logout_token;
mod nodes;
mod sessions;

use std::{net::SocketAddr, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, http::header, middleware::from_fn, web};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{
    caller,
    current::Current,
    domain::SecretString,
    message::{Body, BodyError, Response, Transport},
    revocation::Revocations,
    status::{Metrics, Readiness, RegistrationStatus},
    tls::ListenerTls,
};
pub use back_channel::{BackChannel, Word, refused_written};
pub use sessions::SessionApi;

/// Where the admin listener listens, and to whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// TCP address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS, if it speaks that.
    pub tls: Option<ListenerTls>,
    /// What opens the session API; without it there is none.
    pub token: Option<SecretString>,
    /// Below which path the public listener answers the back channel's words too.
    pub public_path: Option<String>,
}

/// Who may say what on the admin listener.
#[derive(Debug)]
pub struct Access {
    /// From where it may be said in clear.
    pub caller: caller::Config,
    /// What opens the session API; without it there is none.
    pub token: Option<SecretString>,
}

/// What the admin listener tells of, and hears for.
#[derive(Debug)]
pub struct Admin {
    /// Whether this node should be sent traffic.
    pub readiness: Arc<Readiness>,
    /// Whether this node is registered at the identity server.
    pub registration: Arc<RegistrationStatus>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What was ended.
    pub revocations: Arc<Revocations>,
    /// What the identity server says.
    pub back_channel: BackChannel,
    /// Who may say it.
    pub access: Current<Access>,
    /// What carries it to us.
    pub transport: Transport,
    /// What lists and ends sessions.
    pub sessions: SessionApi,
}

/// Mounts the admin listener's routes.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = web::resource("/sessions/{id}").get(sessions::show).delete(sessions::end_one);
    let many = web::resource("/sessions").get(sessions::list).delete(sessions::end_many);
    let nodes = web::resource("/nodes").get(nodes::nodes);
    let api = web::scope("").guard(actix_web::guard::fn_guard(guard::is_for_api)).wrap(from_fn(guard::guard));
    config
        .service(api.service(one).service(many).service(nodes))
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics))
        .default_service(web::to(words));
}

/// The process lives and answers.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// 200 when this node should be sent traffic, 503 when not; says why, and more to who has the token.
async fn readyz(admin: web::Data<Admin>, request: HttpRequest) -> HttpResponse {
    let report = admin.readiness.report();
    let mut answer = if report.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    if guard::may_see_details(&admin, &request) {
        answer.json(nodes::detailed(&admin, report))
    } else {
        answer.json(report)
    }
}

async fn metrics(admin: web::Data<Admin>) -> HttpResponse {
    match admin.metrics.text(admin.readiness.report().ready, admin.revocations.len()) {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// The words of the back channel, under any path.
async fn words(admin: web::Data<Admin>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let Some(word) = Word::at_end_of(request.path()) else { return HttpResponse::NotFound().finish() };
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    if !admin.access.get().caller.admits(&forwarding(&request), peer, admin.transport) {
        return sent(admin.back_channel.insecure(word));
    }
    let stream = payload.map(|piece| piece.map_err(|_| BodyError::Broken)).boxed_local();
    let body = Body::Stream { length: None, stream };
    sent(admin.back_channel.answer(word, request.method().as_str(), body).await)
}

/// What a proxy says of whom it stands for.
fn forwarding(request: &HttpRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ["x-forwarded-for", "x-forwarded-proto"] {
        for value in request.headers().get_all(name) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }
    headers
}

fn sent(response: Response) -> HttpResponse {
    let status = header_status(response.status);
    let mut answer = HttpResponse::build(status);
    // Keycloak keeps connections for later, and sends nothing again on one that turns out to be dead: after a crash of this node the next
    // message would be lost.
    answer.force_close();
    for (name, value) in &response.headers {
        answer.append_header((name.as_str(), value.as_bytes()));
    }
    match response.body {
        Body::Full(bytes) => answer.body(bytes),
        Body::Empty | Body::Stream { .. } | Body::Tunnel(_) => answer.finish(),
    }
}

fn header_status(status: StatusCode) -> actix_web::http::StatusCode {
    actix_web::http::StatusCode::from_u16(status.as_u16()).unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR)
}
