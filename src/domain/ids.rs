//! Identifiers as types, so that a subject is never taken for a session. All are opaque strings,
//! compared byte for byte: Keycloak's `sid` has changed its form before and will again.

use std::fmt;

use serde::Serialize;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it stands; nothing is normalised.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier's exact text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// The identifier under which one login is known to the identity server as
    /// `client_session_state`. Opaque and random; never the cookie's key nor derived from it, since the
    /// identity server stores it.
    AdapterSessionId
);
id!(
    /// `client_id` of this relying party (RFC 6749, section 2.2).
    ClientId
);
id!(
    /// An issuer exactly as the provider writes it. Compared as bytes, never as a normalised URL
    /// (OpenID Connect Discovery 1.0, section 4.3).
    Issuer
);
id!(
    /// Under which name the identity server reaches this node: registered there, and told as `client_session_host`. One exact spelling,
    /// lower case and without a port, since Keycloak compares the two.
    NodeHost
);
id!(
    /// One start of one node: random, made anew at every start. Tells whose clock stamped a proof.
    NodeIncarnation
);
id!(
    /// `sid`: the session at the identity server (OpenID Connect Back-Channel Logout 1.0, section 2.1).
    Sid
);
id!(
    /// `sub`: the user at the issuer, at most 255 characters (OpenID Connect Core 1.0, section 2).
    Subject
);
