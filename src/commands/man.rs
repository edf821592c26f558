//! `doorward man`: one manual page, in roff, for all commands: options from the commands themselves, the rest from [`Manual`].

use std::{
    io::{self, Write, stdout},
    process::ExitCode,
};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::manual::{Manual, PROGRAM};

/// Prints the page.
pub(super) fn run() -> ExitCode {
    let printed = page(&super::Arguments::command()).and_then(|page| stdout().write_all(&page));
    printed.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn page(program: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let version = program.get_version().unwrap_or_default();
    writeln!(page, ".TH DOORWARD 1 \"\" \"doorward {version}\" \"Operation\"")?;
    let man = Man::new(program.clone().disable_help_subcommand(true));
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    commands(&mut page, program, "doorward")?;
    tables(&mut page, &PROGRAM)?;
    writeln!(page, ".SH \"SEE ALSO\"\nThe pages of its documentation: README.md, docs/operations.md.")?;
    Ok(page)
}

/// Each command below `parent`, which is called as `called`, with its own options.
fn commands(page: &mut Vec<u8>, parent: &Command, called: &str) -> io::Result<()> {
    for command in parent.get_subcommands() {
        let called = format!("{called} {}", command.get_name());
        // As `parent` has it, without the options that it adds to all: those stand at `parent`.
        let alone = command.clone().bin_name(called.clone()).disable_help_flag(true).disable_help_subcommand(true);
        writeln!(page, ".SS \"{called}\"")?;
        let man = Man::new(alone);
        page.extend(body(|section| man.render_synopsis_section(section))?.bytes());
        writeln!(page, ".PP")?;
        page.extend(body(|section| man.render_description_section(section))?.bytes());
        page.extend(body(|section| man.render_options_section(section))?.bytes());
        commands(page, command, &called)?;
    }
    Ok(())
}

/// A section without its heading, and without what a page needs once only.
fn body(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut section = Vec::new();
    render(&mut section)?;
    let section = String::from_utf8_lossy(&section).into_owned();
    let lines = section.lines().filter(|line| ![".SH", ".ie", ".el"].iter().any(|head| line.starts_with(head)));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

fn tables(page: &mut Vec<u8>, manual: &Manual) -> io::Result<()> {
    for (title, entries) in manual.lists() {
        writeln!(page, ".SH \"{}\"", title.to_uppercase().replace("CODES", "STATUS"))?;
        for (term, meaning) in entries {
            writeln!(page, ".TP\n\\fB{}\\fR\n{}", roff(&term), roff(meaning))?;
        }
    }
    Ok(())
}

/// `text` as roff takes it: what has a meaning to roff, loses it. Our texts hold no line breaks.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('~', "\\(ti");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}
