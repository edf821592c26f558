//! The files of the repository that the rules are about.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::source::Source;

/// A file with its path from the repository's root.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// The Rust files below `folder`, in no order. What tools put there is not ours.
pub(crate) fn rust_files(folder: &str) -> Vec<File> {
    let mut files = Vec::new();
    collect(&repository().join(folder), &mut files);
    assert!(!files.is_empty(), "there is nothing in {folder}/");
    files
}

/// The files of `src/`, without modules that are there for tests only.
pub(super) fn product() -> Vec<Source> {
    let below_src = |file: &File| file.path.strip_prefix("src").expect("it lies in src").to_owned();
    let sources = rust_files("src").iter().map(|file| Source::new(&below_src(file), &file.text)).collect::<Vec<_>>();
    let tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    sources.into_iter().filter(|source| !tests.iter().any(|test| source.is_in(test))).collect()
}

/// The text of a file of the repository.
pub(crate) fn text_of(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect("the file can be read")
}

/// The repository's root.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("the file can be read");
            files.push(File { path: path.strip_prefix(repository()).expect("it lies here").to_owned(), text });
        }
    }
}
