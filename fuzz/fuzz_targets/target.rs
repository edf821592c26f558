//! A request target: what is taken has one form that reads as itself, and nothing in it that servers fold or decode twice.

#![no_main]

use doorward::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    let Ok(target) = Target::parse(raw) else { return };
    let canonical = target.to_string();
    assert_eq!(Target::parse(&canonical).as_ref(), Ok(&target), "{canonical}");
    assert!(canonical.bytes().all(|byte| (0x21..0x7f).contains(&byte)));
    for reading in target.readings() {
        assert!(reading.starts_with('/') && !reading.contains("//") && !reading.contains('\\'), "{reading:?}");
        assert!(!reading.split('/').any(|segment| segment == "." || segment == ".."), "{reading:?}");
        assert!(!reading.chars().any(char::is_control), "{reading:?}");
    }
    assert!(!target.path().to_ascii_lowercase().contains("%2f"));
});
