//! A container without an engine: the image's files in a folder that is all its process sees, and what engines and orchestrators put there.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{process::Process, server};

/// It listens within milliseconds; a machine may have something else to do.
const START: Duration = Duration::from_secs(30);
/// Longer than any request of these stories takes to drain.
const STOP_SECONDS: u8 = 10;

/// An image's files in a folder of a story's own.
pub(crate) struct Container {
    folder: TempDir,
    image: Value,
}

impl Container {
    /// Of the image that `tests/image/assemble` left in `target/image`, with nothing mounted.
    pub(crate) fn new() -> Self {
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/image");
        let text = fs::read_to_string(image.join("config.json")).expect("an image: `./test image` makes it");
        let container = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            image: serde_json::from_str(&text).expect("podman writes JSON"),
        };
        let copied = Command::new("cp").arg("-r").arg(image.join("root")).arg(container.root()).status();
        assert!(copied.is_ok_and(|status| status.success()), "the image's files can be copied");
        open(&container.root(), 0o755);
        container
    }

    /// Mounts a file, readable for everybody, as secrets and configurations are.
    pub(crate) fn mount(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().expect("files are in folders")).expect("the folder is writable");
        fs::write(&file, content).expect("the folder is writable");
        open(&file, 0o644);
        let above = file.ancestors().skip(1).take_while(|folder| *folder != self.folder.path());
        above.for_each(|folder| open(folder, 0o755));
    }

    /// Puts another program in the place of the image's.
    pub(crate) fn replace_program(&self, program: &Path) {
        fs::copy(program, self.program()).expect("the program can be copied");
    }

    /// Runs it as the image says, and waits until it listens at the public address.
    pub(crate) fn start(&self, name: &str) -> Process {
        let arguments = texts(&self.image["Cmd"]);
        let log = server::logs().join(format!("image-{name}.log"));
        let mut process = Process::start(&mut self.command(&arguments), STOP_SECONDS, log).expect("a shell starts");
        let listening = |printed: &str| printed.contains(r#""listener":"public""#).then_some(());
        process.wait_for(START, listening).unwrap_or_else(|reason| panic!("the image does not start: {reason}"));
        process
    }

    /// Runs it with these arguments in place of the image's, or with the image's, to its end.
    pub(crate) fn run(&self, arguments: Option<&[&str]>) -> Output {
        let arguments = arguments
            .map_or_else(|| texts(&self.image["Cmd"]), |given| given.iter().map(|one| (*one).to_owned()).collect());
        self.command(&arguments).output().expect("a shell starts")
    }

    /// What the kernel says of the running process in a file of `/proc`.
    pub(crate) fn proc(&self, file: &str) -> String {
        let program = self.program();
        let processes = fs::read_dir("/proc").expect("a Linux machine").flatten().map(|entry| entry.path());
        let mut ours = processes.filter(|process| fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program));
        let process = ours.next().expect("the process runs");
        fs::read_to_string(process.join(file)).expect("we are root, if only of a namespace")
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/image/enter"));
        let user = self.image["User"].as_str().expect("the image names a user");
        command.arg(self.root()).arg(user).args(texts(&self.image["Entrypoint"])).args(arguments);
        command
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn program(&self) -> PathBuf {
        self.root().join(texts(&self.image["Entrypoint"])[0].trim_start_matches('/'))
    }
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
