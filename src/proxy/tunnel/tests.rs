//! What a tunnel does with time and with ends that do not keep up, on a clock that moves by itself.

use tokio::{
    io::{DuplexStream, duplex},
    task::{JoinHandle, LocalSet, spawn_local},
    time::{advance, sleep},
};

use super::*;
use crate::{message::Tunnel as _, status::Streams};

const IDLE: Duration = Duration::from_secs(60);

struct Ends {
    client: DuplexStream,
    application: DuplexStream,
    carried: JoinHandle<()>,
    metrics: Arc<Metrics>,
}

/// A tunnel between two pipes that hold 1 KiB each.
fn carry(already: &'static [u8], most: Option<Duration>) -> Ends {
    let (client, near) = duplex(1024);
    let (application, far) = duplex(1024);
    let metrics = Arc::new(Metrics::new().unwrap());
    let registration = Arc::new(Streams::default()).register(None);
    let tunnel = Tunnel { application: far, idle: IDLE, most, registration, metrics: metrics.clone() };
    #[expect(clippy::disallowed_methods, reason = "the test's own task")]
    let carried = spawn_local(Box::new(tunnel).carry(Box::new(near), Bytes::from_static(already)));
    Ends { client, application, carried, metrics }
}

fn counted(metrics: &Metrics, outcome: &str) -> bool {
    let text = String::from_utf8(metrics.text(true, 0).unwrap()).unwrap();
    text.contains(&format!("doorward_tunnels_total{{outcome=\"{outcome}\"}} 1"))
        && text.contains("doorward_tunnels_open 0")
}

fn on_a_fast_clock(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, story);
}

#[test]
fn traffic_one_way_keeps_a_tunnel_open_and_silence_of_both_ends_it() {
    on_a_fast_clock(async {
        let mut ends = carry(b"", None);
        let mut heard = [0; 2];
        for _ in 0..5 {
            sleep(IDLE * 9 / 10).await;
            ends.application.write_all(b"\x89\x00").await.unwrap();
            ends.client.read_exact(&mut heard).await.unwrap();
        }
        advance(IDLE).await;
        let mut rest = Vec::new();
        ends.client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [0x88, 2, 3, 0xe9]);
        assert_eq!(ends.application.read(&mut heard).await.unwrap(), 0);
        drop(ends.client);
        ends.carried.await.unwrap();
        assert!(counted(&ends.metrics, "idle"));
    });
}

#[test]
fn an_end_that_stops_reading_loses_nothing_and_holds_up_the_other() {
    on_a_fast_clock(async {
        let mut ends = carry(b"first ", None);
        let sent: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let copy = sent.clone();
        let (mut client, mut application) = (ends.client, ends.application);
        #[expect(clippy::disallowed_methods, reason = "the test's own task")]
        let sending = spawn_local(async move {
            client.write_all(&copy).await.unwrap();
            client
        });
        sleep(Duration::from_secs(5)).await;
        assert!(!sending.is_finished());
        let mut heard = vec![0; 6 + sent.len()];
        application.read_exact(&mut heard).await.unwrap();
        assert!(heard.starts_with(b"first ") && heard[6..] == sent);
        ends.client = sending.await.unwrap();
        drop((ends.client, application));
        ends.carried.await.unwrap();
    });
}

#[test]
fn one_that_has_left_gives_the_other_a_moment_to_finish_and_no_more() {
    on_a_fast_clock(async {
        let mut ends = carry(b"", None);
        ends.client.shutdown().await.unwrap();
        assert_eq!(ends.application.read(&mut [0; 8]).await.unwrap(), 0);
        ends.application.write_all(b"bye").await.unwrap();
        let mut heard = [0; 3];
        ends.client.read_exact(&mut heard).await.unwrap();
        let since = Instant::now();
        ends.carried.await.unwrap();
        assert!(since.elapsed() <= Duration::from_secs(1));
        assert!(counted(&ends.metrics, "client_left"));
    });
}
