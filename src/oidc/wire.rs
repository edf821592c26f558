//! The token endpoint's answers as `openidconnect` reads them. Its generics are named here and nowhere else. The ID token
//! stays text: our own verifier reads it, and names what it refuses.

use std::fmt;

use openidconnect::{
    AdditionalClaims, Client, EmptyExtraTokenFields, EndpointNotSet, EndpointSet, ExtraTokenFields, IdToken,
    StandardErrorResponse, StandardTokenIntrospectionResponse, StandardTokenResponse, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
        CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// What a token response holds besides RFC 6749's fields.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Extra {
    /// The ID token's text.
    #[serde(default)]
    pub(super) id_token: Option<String>,
    /// Keycloak's `not-before-policy`, in seconds: the greatest of the realm's, the client's and this user's.
    #[serde(default, rename = "not-before-policy")]
    not_before_policy: Option<i64>,
}

impl Extra {
    /// The instant before which this subject's tokens count no more, on the provider's clock.
    pub(super) fn not_before(&self) -> Option<Timestamp> {
        self.not_before_policy.filter(|seconds| *seconds > 0).map(Timestamp::from_secs)
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extra([redacted])")
    }
}

impl ExtraTokenFields for Extra {}

/// No claims: `openidconnect` verifies nothing for us.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct NoClaims {}

impl AdditionalClaims for NoClaims {}

/// A token response.
pub(super) type TokenReply = StandardTokenResponse<Extra, CoreTokenType>;

/// A token endpoint's refusal.
pub(super) type TokenRefusal = StandardErrorResponse<CoreErrorResponseType>;

impl TokenResponse<NoClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>
    for TokenReply
{
    /// Never: see the module's text.
    fn id_token(
        &self,
    ) -> Option<&IdToken<NoClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>> {
        None
    }
}

/// A client that knows its authorization and token endpoints.
pub(super) type WireClient = Client<
    NoClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    TokenRefusal,
    TokenReply,
    StandardTokenIntrospectionResponse<EmptyExtraTokenFields, CoreTokenType>,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
>;
