//! What an operator needs to know of each command besides its options: examples, environment, files, exit codes. Told by `--help`, and by the
//! manual page.

/// The rest of a command's manual. Each list in the order in which it is shown; an empty one is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manual {
    /// A command line, and what it is for.
    pub(super) examples: &'static [(&'static str, &'static str)],
    /// A variable, and what it does.
    pub(super) environment: &'static [(&'static str, &'static str)],
    /// A file, and what it holds.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// A signal, and what it does.
    pub(super) signals: &'static [(&'static str, &'static str)],
    /// An exit code, and when the program ends with it.
    pub(super) exit_codes: &'static [(u8, &'static str)],
}

/// `EX_UNAVAILABLE` of sysexits.h: a listener cannot be bound, or who is to be asked (the identity server, a node) cannot be.
pub(super) const UNAVAILABLE: u8 = 69;
/// `EX_CONFIG` of sysexits.h: the configuration is faulty.
pub(super) const BAD_CONFIG: u8 = 78;
/// What could be done was not: `ExitCode::FAILURE`.
const FAILED: u8 = 1;
/// What clap ends the program with when the command line is wrong.
const USAGE: u8 = 2;

const USAGE_CODE: (u8, &str) = (USAGE, "the command line is wrong");
const FAULTY: (u8, &str) = (BAD_CONFIG, "the configuration is faulty: one line for each fault on standard error");
const UNWRITTEN: (u8, &str) = (FAILED, "standard output cannot be written");

const CONFIGURATION: (&str, &str) = ("adapter.json", "the configuration, unless --config names another file");
const OVERRIDES: (&str, &str) = (
    "DOORWARD__*",
    "overrides a key of the configuration: DOORWARD__SIDECAR__LISTEN is sidecar.listen, DOORWARD__AUTH_SERVER_URL is auth-server-url; \
     lists and objects as JSON; an empty one counts as not set",
);
const SUBSTITUTED: (&str, &str) =
    ("NAME", "any variable that the configuration asks for as ${env.NAME} or ${env.NAME:default}");
const POD_IP: (&str, &str) =
    ("POD_IP", "what this node is called at Keycloak, where sidecar.node-host does not say; else the machine's name");
const ROOTS: (&str, &str) = (
    "SSL_CERT_FILE, SSL_CERT_DIR",
    "where the machine's certificate authorities are, if not in the usual place. Proxy variables never count",
);

/// The program as a whole.
pub(super) const PROGRAM: Manual = Manual {
    examples: &[
        ("doorward keygen > cookie-key", "a key for sidecar.cookie.keys"),
        ("doorward check -c adapter.json", "every fault of the file, and what the identity server says"),
        ("doorward serve -c adapter.json", "serve"),
    ],
    environment: &[OVERRIDES, SUBSTITUTED, POD_IP, ROOTS],
    files: &[
        CONFIGURATION,
        ("revocations.jsonl", "in the directory sidecar.persist, if that is set: what was ended here, over a restart"),
    ],
    signals: &[
        (
            "SIGTERM, SIGINT",
            "no longer ready, no new connections; what is in flight is finished for limits.drain at the longest, then exit 0. A second one: \
             what is in flight is dropped, exit 1",
        ),
        (
            "SIGHUP",
            "reads the configuration again, as a changed file does; a faulty one is told in the log, and what is there goes on",
        ),
    ],
    exit_codes: &[
        (0, "done, or stopped as asked"),
        (FAILED, "something failed while running; asked twice to stop; a node refuses, or knows no such session"),
        USAGE_CODE,
        (UNAVAILABLE, "a listener cannot be bound; the identity server, or the node, cannot be asked"),
        FAULTY,
    ],
};

/// `serve`.
pub(super) const SERVE: Manual = Manual {
    examples: &[
        ("doorward serve -c /etc/doorward/adapter.json", "serve with this configuration"),
        (
            "DOORWARD__SIDECAR__LOG__FILTER=debug doorward serve",
            "with adapter.json of the current directory, and a log that tells more",
        ),
    ],
    exit_codes: &[
        (0, "stopped as asked"),
        (FAILED, "something failed while running, or it was asked twice to stop"),
        USAGE_CODE,
        (UNAVAILABLE, "a listener cannot be bound"),
        FAULTY,
    ],
    ..PROGRAM
};

/// `check`.
pub(super) const CHECK: Manual = Manual {
    examples: &[
        ("doorward check -c adapter.json", "before a start, or in a pipeline"),
        (
            "doorward check --keycloak-admin-user admin --keycloak-admin-password-file password",
            "what at the realm would keep a logout from coming here, too",
        ),
    ],
    signals: &[],
    exit_codes: &[
        (0, "no fault; warnings and findings do not count as one"),
        (FAILED, "standard output cannot be written, or the administrator's password cannot be read"),
        USAGE_CODE,
        (UNAVAILABLE, "the identity server, or with an administrator its realm, cannot be asked"),
        (
            BAD_CONFIG,
            "the configuration is faulty: one line for each fault on standard error; or the identity server does not accept the client's \
             credentials, as standard output tells",
        ),
    ],
    ..PROGRAM
};

/// `keygen`.
pub(super) const KEYGEN: Manual = Manual {
    examples: &[("(umask 077; doorward keygen > /etc/doorward/cookie-key)", "a key in a file that nobody else reads")],
    environment: &[],
    files: &[],
    signals: &[],
    exit_codes: &[(0, "a key was printed"), UNWRITTEN, USAGE_CODE],
};

/// `sessions`.
pub(super) const SESSIONS: Manual = Manual {
    examples: &[
        ("doorward sessions list --user alice", "the sessions of one user"),
        ("doorward sessions end --user alice", "end them at this node"),
        ("doorward sessions list --url https://node-2.example.com:9080 --json", "another node, as JSON"),
    ],
    files: &[CONFIGURATION],
    signals: &[],
    exit_codes: &[
        (0, "the node has done it"),
        (FAILED, "the node refuses, or knows no such session"),
        USAGE_CODE,
        (UNAVAILABLE, "the node cannot be asked"),
        (BAD_CONFIG, "the configuration is faulty, or has no sidecar.admin.token"),
    ],
    ..PROGRAM
};

/// `completions`.
pub(super) const COMPLETIONS: Manual = Manual {
    examples: &[
        (
            "doorward completions bash > /etc/bash_completion.d/doorward",
            "bash; or in ~/.local/share/bash-completion/completions",
        ),
        ("doorward completions zsh > /usr/local/share/zsh/site-functions/_doorward", "zsh: a folder of its fpath"),
        ("doorward completions fish > ~/.config/fish/completions/doorward.fish", "fish"),
    ],
    exit_codes: &[(0, "the script was printed"), UNWRITTEN, USAGE_CODE],
    ..KEYGEN
};

/// `man`.
pub(super) const MAN: Manual = Manual {
    examples: &[
        ("doorward man > /usr/local/share/man/man1/doorward.1", "install it"),
        ("doorward man > doorward.1 && man -l doorward.1", "read it"),
    ],
    exit_codes: &[(0, "the page was printed"), UNWRITTEN, USAGE_CODE],
    ..KEYGEN
};

impl Manual {
    /// What stands below the options in `--help`.
    pub(super) fn help(&self) -> String {
        let paragraphs = self.lists().into_iter().map(|(title, entries)| {
            let apart = if title == "Exit codes" { "  " } else { "\n          " };
            let lines = entries.iter().map(|(term, meaning)| format!("\n  {term:<2}{apart}{meaning}"));
            format!("{title}:{}", lines.collect::<String>())
        });
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }

    /// Its lists that are not empty, each with a heading.
    pub(super) fn lists(&self) -> Vec<(&'static str, Vec<(String, &'static str)>)> {
        let texts = |list: &[(&'static str, &'static str)]| list.iter().map(|(t, m)| ((*t).to_owned(), *m)).collect();
        let codes = self.exit_codes.iter().map(|(code, meaning)| (code.to_string(), *meaning)).collect();
        let lists = [
            ("Examples", texts(self.examples)),
            ("Signals", texts(self.signals)),
            ("Environment", texts(self.environment)),
            ("Files", texts(self.files)),
            ("Exit codes", codes),
        ];
        lists.into_iter().filter(|(_, list): &(_, Vec<_>)| !list.is_empty()).collect()
    }
}
