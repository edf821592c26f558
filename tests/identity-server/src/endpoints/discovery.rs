//! What the server says of itself: its metadata (OpenID Connect Discovery 1.0, section 3) and its keys (RFC 7517).

use serde_json::json;

use crate::{keys::Algorithm, message::Answer, misbehave::Endpoint, state::State};

pub(super) fn metadata(state: &State) -> Answer {
    let url = |endpoint| state.url(endpoint);
    let algorithms: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    Answer::json(
        200,
        &json!({
            "issuer": state.issuer(),
            "authorization_endpoint": url(Endpoint::Authorization),
            "token_endpoint": url(Endpoint::Token),
            "userinfo_endpoint": url(Endpoint::UserInfo),
            "end_session_endpoint": url(Endpoint::EndSession),
            "revocation_endpoint": url(Endpoint::Revocation),
            "jwks_uri": url(Endpoint::Jwks),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "id_token_signing_alg_values_supported": algorithms,
            "token_endpoint_auth_methods_supported": AUTHENTICATION_METHODS,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": AUTHENTICATION_METHODS,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "sid", "name", "email", "groups"],
        }),
    )
}

pub(super) fn jwks(state: &State) -> Answer {
    let present = state.keys.jwks(state.options.algorithm);
    let keys: Vec<_> = state.junk_keys.iter().cloned().chain(present).chain(state.old_keys.iter().cloned()).collect();
    Answer::json(200, &json!({ "keys": keys }))
}

const AUTHENTICATION_METHODS: [&str; 5] =
    ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"];
