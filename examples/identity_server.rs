//! The small identity server of the tests as a process of its own, for benchmarks and for trying things out: it signs in one user
//! without asking. `identity_server REDIRECT_URI` prints its issuer and serves until it is stopped.
//!
//! Its keys are public: it is for one machine and for nothing that matters.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
};

use identity_server::{Client, IdentityServer, Options, User};

fn main() -> Result<(), Box<dyn Error>> {
    let redirect_uri = env::args().nth(1).ok_or("usage: identity_server REDIRECT_URI")?;
    let client = Client::confidential("bench", "bench-secret", &redirect_uri);
    let user = User::named("ada").group("/staff").role("user");
    // Longer than any benchmark: a session that is due for renewal is another case.
    let options =
        Options { access_lifetime: 36_000, refresh_lifetime: 72_000, ..Options::new(client, user).realm("bench") };
    let server = IdentityServer::start(options)?;
    writeln!(io::stdout(), "{}", server.origin())?;
    // Ends with whoever started it.
    io::copy(&mut io::stdin(), &mut io::sink())?;
    drop(server);
    Ok(())
}
