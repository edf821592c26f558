//! The admin listener: health, readiness and metrics. Never the public port.

use std::{net::SocketAddr, sync::Arc};

use actix_web::{HttpResponse, http::header, web};

use crate::{
    revocation::Revocations,
    status::{Metrics, Readiness, RegistrationStatus},
    tls::ListenerTls,
};

/// Where the admin listener listens.
#[derive(Clone, Debug)]
pub struct Config {
    /// TCP address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS, if it speaks that.
    pub tls: Option<ListenerTls>,
}

/// What the admin listener tells of.
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
}

/// Mounts the admin listener's routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics));
}

/// The process lives and answers.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// 200 when this node should be sent traffic, 503 when not; says why.
async fn readyz(admin: web::Data<Admin>) -> HttpResponse {
    let report = admin.readiness.report();
    let mut answer = if report.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.insert_header((header::CACHE_CONTROL, "no-store")).json(report)
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
