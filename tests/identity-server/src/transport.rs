//! The web framework's side: a request in, an answer out, and the faults that are about connections rather than content.

use std::{
    convert::Infallible,
    net::TcpListener,
    sync::{Arc, mpsc},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    body::BodyStream,
    dev::ServerHandle,
    http::StatusCode,
    web::{self, Bytes, Data},
};
use futures_util::stream;
use tokio::sync::watch;

use crate::{
    endpoints,
    http::{Headers, PATIENCE},
    message::{Answer, Received, decode_form},
    misbehave::{Endpoint, Fault},
    paths::Paths,
    state::Shared,
};

/// Largest request body, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// Serves until the handle that `started` is given is told to stop, and nothing is served any more. Blocks its thread.
pub(crate) fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    started: impl FnOnce(ServerHandle),
) -> std::io::Result<()> {
    // Nothing is ever sent: it hangs up when the last worker is gone, with all its connections.
    let (alive, workers) = mpsc::channel::<Infallible>();
    let served = actix_rt::System::new().block_on(async move {
        let app = move || {
            App::new()
                .app_data(Data::from(Arc::clone(&shared)))
                .app_data(alive.clone())
                .app_data(web::PayloadConfig::new(BODY_LIMIT))
                .default_service(web::to(handle))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run();
        started(server.handle());
        server.await
    });
    // Without grace the server does not wait for its workers, and one that has not yet heard that it is over would go on
    // with what comes on the connections that it has.
    let _ = workers.recv_timeout(PATIENCE);
    served
}

async fn handle(request: HttpRequest, body: Bytes, shared: Data<Shared>) -> HttpResponse {
    // Before the request is seen to have arrived, or a release that follows at once would be missed.
    let mut gate = shared.gate.subscribe();
    let received = read(&request, &body);
    let (endpoint, faults) = arrive(&shared, &received);
    for fault in &faults {
        match fault {
            Fault::Hang => pass(&mut gate).await,
            Fault::DropConnection => return dropped(),
            Fault::Answer { status, headers, body } => {
                return write(Answer { status: *status, headers: headers.clone(), body: body.clone() });
            }
            _ => {}
        }
    }
    let answer = endpoints::answer(&mut shared.lock(), endpoint, &received, &faults);
    for fault in &faults {
        match fault {
            Fault::HoldAnswer => pass(&mut gate).await,
            Fault::LoseAnswer => return dropped(),
            _ => {}
        }
    }
    write(answer)
}

fn arrive(shared: &Shared, received: &Received) -> (Endpoint, Vec<Fault>) {
    let mut state = shared.lock();
    let endpoint = Paths::of(&state.options).find(&received.path);
    let faults = state.log.arrive(endpoint, received.clone());
    shared.arrived.notify_all();
    (endpoint, faults.0)
}

async fn pass(gate: &mut watch::Receiver<u64>) {
    // An error means that the server is going away, which ends the wait as well.
    let _ = gate.changed().await;
}

fn read(request: &HttpRequest, body: &[u8]) -> Received {
    let headers: Headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let is_form = |value: &str| value.starts_with("application/x-www-form-urlencoded");
    let form = crate::http::find(&headers, "content-type").is_some_and(is_form);
    Received {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: decode_form(request.query_string().as_bytes()),
        form: if form { decode_form(body) } else { Vec::new() },
        headers,
    }
}

fn write(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in answer.headers {
        response.append_header(header);
    }
    response.body(answer.body)
}

/// A body that fails before its first byte makes the framework close the connection with nothing sent: the head is still
/// in its buffer then.
fn dropped() -> HttpResponse {
    let failing = stream::once(async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionAborted)) });
    HttpResponse::Ok().body(BodyStream::new(failing))
}
