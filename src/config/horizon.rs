//! What a node believes of sessions, and for how long (`sidecar.skew` to `sidecar.when-unprovable`), and how it asks.

use std::{path::PathBuf, time::Duration};

use super::value::Object;
use crate::{oidc::ProviderId, proxy::validity::WhenUnprovable, renewal::ProveBy, revocation};

pub(super) const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Most proofs at a time, and in each second: what a Keycloak of two cores answers beside its other work.
const IN_FLIGHT: usize = 64;
const PER_SECOND: u32 = 500;

/// The horizon's parameters, and `persist`.
pub(super) fn revocation(keys: &Object<'_>) -> revocation::Config {
    let usual = revocation::Config::default();
    let time = |name, least: Duration, most: Duration, usual| keys.at(name).duration(least..=most).unwrap_or(usual);
    let config = revocation::Config {
        skew: time("skew", Duration::ZERO, 30 * SECOND, usual.skew),
        settle: time("settle", Duration::ZERO, 5 * MINUTE, usual.settle),
        outage_proof: time("outage-proof", SECOND, HOUR, usual.outage_proof),
        proof_life: time("proof-life", 10 * SECOND, 24 * HOUR, usual.proof_life),
        persist: keys.at("persist").text().map(PathBuf::from),
    };
    if config.proof_life <= config.outage_proof {
        keys.at("proof-life").fault("must be longer than `outage-proof`");
    }
    config
}

/// `when-unprovable`.
pub(super) fn when_unprovable(keys: &Object<'_>) -> WhenUnprovable {
    let choices = [("refuse", WhenUnprovable::Refuse), ("serve", WhenUnprovable::Serve)];
    keys.at("when-unprovable").one_of(&choices).unwrap_or(WhenUnprovable::Refuse)
}

/// `prove-by`, by default `userinfo` with Keycloak, where that knows of sessions, and `refresh` elsewhere.
pub(super) fn prove_by(keys: &Object<'_>, provider: Option<&ProviderId>) -> ProveBy {
    let choices = [("refresh", ProveBy::Refresh), ("userinfo", ProveBy::UserInfo)];
    keys.at("prove-by").one_of(&choices).unwrap_or(match provider {
        Some(ProviderId::Plain { .. }) => ProveBy::Refresh,
        Some(ProviderId::Keycloak { .. }) | None => ProveBy::UserInfo,
    })
}

/// `limits.proofs-in-flight` and `limits.proofs-per-second`.
pub(super) fn budget(limits: &Object<'_>) -> (usize, u32) {
    let per_second = limits.at("proofs-per-second").count(1..=100_000).and_then(|n| u32::try_from(n).ok());
    (limits.at("proofs-in-flight").count(1..=4096).unwrap_or(IN_FLIGHT), per_second.unwrap_or(PER_SECOND))
}
