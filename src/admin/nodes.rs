//! What this node knows of itself, for who has `admin.token`.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::Admin;
use crate::{
    audit::rfc3339,
    domain::Timestamp,
    status::{RegistrationSnapshot, Report},
};

/// `GET /nodes`: the nodes that this one knows, which is itself alone.
pub(super) async fn nodes(admin: web::Data<Admin>) -> HttpResponse {
    let (deaf, bound) = hearing(&admin);
    let node = json!({
        "host": admin.registration.host().as_str(),
        "self": true,
        "started": rfc3339(admin.sessions.started),
        "deaf": deaf,
        "bound": bound,
        "registration": shown(&admin.registration.snapshot()),
    });
    HttpResponse::Ok().json(json!({ "nodes": [node] }))
}

/// What `/readyz` tells besides, to who may know.
pub(super) fn detailed(admin: &Admin, report: Report) -> Value {
    let (deaf, bound) = hearing(admin);
    let mut details = json!(report);
    details["registration_detail"] = shown(&admin.registration.snapshot());
    details["deaf"] = deaf.into();
    details["bound"] = bound.into();
    details
}

/// Whether messages to end sessions may have been missed, and for how many seconds a session may be used at most after its end, as things
/// stand.
fn hearing(admin: &Admin) -> (bool, f64) {
    let (horizon, now) = (admin.revocations.horizon(), admin.sessions.clock.now());
    (horizon.is_deaf(now), horizon.bound(now).as_secs_f64())
}

fn shown(snapshot: &RegistrationSnapshot) -> Value {
    let instant = |secs: i64| rfc3339(Timestamp::from_secs(secs));
    json!({
        "host": snapshot.host,
        "state": snapshot.state,
        "registered_at": snapshot.registered_at.map(instant),
        "failing_since": snapshot.failing_since.map(instant),
        "reason": snapshot.reason,
    })
}
