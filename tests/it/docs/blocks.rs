//! Pages as Markdown: their code blocks, and their text without these.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page by its path from the repository's root.
pub(super) struct Page {
    pub(super) path: String,
    pub(super) text: String,
}

/// A fenced code block.
pub(super) struct Block {
    /// The line of its opening fence, from 1.
    pub(super) line: usize,
    /// What follows the opening fence: the language, and more words.
    pub(super) info: String,
    pub(super) text: String,
}

impl Block {
    pub(super) fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or_default()
    }

    /// The words behind the language.
    pub(super) fn words(&self) -> &str {
        self.info.split_once(' ').map_or("", |(_, words)| words)
    }
}

/// The Markdown files among `places`, files or folders. One that is not there holds none.
pub(super) fn pages(places: &[&str]) -> Vec<Page> {
    let mut paths = Vec::new();
    for place in places {
        collect(&root().join(place), &mut paths);
    }
    paths.sort();
    paths.iter().map(|path| Page::read(path.strip_prefix(root()).unwrap().to_str().unwrap())).collect()
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(place: &Path, paths: &mut Vec<PathBuf>) {
    if place.is_file() && place.extension().is_some_and(|extension| extension == "md") {
        paths.push(place.to_owned());
    } else if place.is_dir() && place.file_name().is_some_and(|name| name != "node_modules" && name != "target") {
        for entry in fs::read_dir(place).unwrap() {
            collect(&entry.unwrap().path(), paths);
        }
    }
}

impl Page {
    pub(super) fn read(path: &str) -> Self {
        Self { path: path.to_owned(), text: fs::read_to_string(root().join(path)).unwrap() }
    }

    /// The code blocks, without the indentation of the list that they stand in.
    ///
    /// # Panics
    /// When one is never closed.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let Some(info) = line.trim_start().strip_prefix("```") else { continue };
            let indentation = line.len() - line.trim_start().len();
            let mut text = String::new();
            loop {
                let (_, line) = lines.next().unwrap_or_else(|| panic!("{}:{}: never closed", self.path, number + 1));
                if line.trim() == "```" {
                    break;
                }
                text += line.get(indentation..).unwrap_or_default();
                text.push('\n');
            }
            blocks.push(Block { line: number + 1, info: info.trim().to_owned(), text });
        }
        blocks
    }

    /// The lines with their numbers, from 1, without code blocks and without code within a line.
    pub(super) fn prose(&self) -> Vec<(usize, String)> {
        let mut within = false;
        let mut prose = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            let fence = line.trim_start().starts_with("```");
            within ^= fence;
            if !within && !fence {
                prose.push((number + 1, without_code(line)));
            }
        }
        prose
    }

    /// The anchors that its headings make, as GitHub makes them: of headings of the same words the later ones get a number.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        let mut within = false;
        for line in self.text.lines() {
            within ^= line.trim_start().starts_with("```");
            let Some(heading) = line.strip_prefix('#').filter(|_| !within) else { continue };
            let anchor = anchor(heading.trim_start_matches('#').trim());
            let same = anchors.iter().filter(|other| **other == anchor).count();
            anchors.push(if same == 0 { anchor } else { format!("{anchor}-{same}") });
        }
        anchors
    }
}

/// Lower case, blanks as hyphens, punctuation left out.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
}

/// Every second part between backticks is code. Link texts keep their brackets, which is all that is asked of them.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("code")
}
