//! The keys of `oidc.json` that `WildFly` Elytron, the successor of Keycloak's adapters there, has besides theirs (wildfly-elytron:
//! `OidcJsonConfiguration`; wildfly: `ElytronOidcDescriptionConstants`), and where each has its counterpart here.

use super::keycloak::Effect::{self, Ignored, Refused};

const NO_REQUEST_OBJECT: &str = "requests for a sign-in are not signed or encrypted; take it out, and let the identity server accept plain parameters";

/// Every key besides Keycloak's. Whoever relies on one that is refused would be served otherwise than it says.
pub(super) const KEYS: [(&str, Effect); 17] = [
    (
        "authentication-request-format",
        Refused(
            "the parameters are always sent as they are, which is `oauth2`; take it out, and for `request` or `request_uri` let the identity \
             server accept plain parameters",
        ),
    ),
    (
        "back-channel-logout-session-invalidation-limit",
        Ignored("what was ended is remembered for as long as a session may be believed"),
    ),
    (
        "logout-callback-path",
        Refused(
            "logout messages are heard at `/oauth2/backchannel-logout` and `/oauth2/frontchannel-logout`; take it out, and register these \
             (`sidecar.path-prefix` is the first part)",
        ),
    ),
    (
        "logout-path",
        Refused(
            "users sign out at `/oauth2/sign_out`; take it out, and let the application's links lead there (`sidecar.path-prefix` is the \
             first part)",
        ),
    ),
    (
        "logout-session-required",
        Ignored(
            "a back-channel message may name a session or a user, and a front-channel one names both its issuer and the session",
        ),
    ),
    ("post-logout-path", Ignored(AFTER_SIGN_OUT)),
    ("post-logout-uri", Ignored(AFTER_SIGN_OUT)),
    ("request-object-encryption-alg-value", Refused(NO_REQUEST_OBJECT)),
    ("request-object-encryption-enc-value", Refused(NO_REQUEST_OBJECT)),
    ("request-object-signing-algorithm", Refused(NO_REQUEST_OBJECT)),
    ("request-object-signing-key-alias", Refused(NO_REQUEST_OBJECT)),
    ("request-object-signing-key-password", Refused(NO_REQUEST_OBJECT)),
    ("request-object-signing-keystore-file", Refused(NO_REQUEST_OBJECT)),
    ("request-object-signing-keystore-password", Refused(NO_REQUEST_OBJECT)),
    ("request-object-signing-keystore-type", Refused(NO_REQUEST_OBJECT)),
    ("scope", Refused("write it as `sidecar.provider.scopes`, a list: `[\"profile\", \"email\"]`")),
    (
        "token-signature-algorithm",
        Refused(
            "write it as `sidecar.provider.algorithms`, a list: `[\"RS256\"]`; absent, others count besides that one",
        ),
    ),
];

const AFTER_SIGN_OUT: &str = "a sign-out ends at `/oauth2/signed_out`, which is to be registered";
