//! Lengths of time and sizes as people write them.

use std::time::Duration;

const SECOND: u64 = 1000;
const UNITS_OF_TIME: [(&str, u64); 6] =
    [("ms", 1), ("s", SECOND), ("m", 60 * SECOND), ("h", 3600 * SECOND), ("d", 86_400 * SECOND), ("", SECOND)];
const UNITS_OF_SIZE: [(&str, u64); 4] = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("", 1)];

/// `500ms`, `30s`, `10m`, `10h`, `7d`, or whole seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    scaled(text, &UNITS_OF_TIME).map(Duration::from_millis)
}

/// `64k`, `10m`, `1g` (powers of 1024), or whole bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    scaled(text, &UNITS_OF_SIZE)
}

/// A length of time as [`duration`] reads it, in the largest unit that holds it exactly.
pub(super) fn written(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut units = UNITS_OF_TIME.iter().rev().filter(|(name, _)| !name.is_empty());
    match units.find(|(_, scale)| millis.is_multiple_of(*scale)) {
        Some((name, scale)) if millis > 0 => format!("{}{name}", millis / scale),
        _ => "0s".to_owned(),
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let read = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(read("500ms"), Some(500));
        assert_eq!(read("30"), Some(30_000));
        assert_eq!(read("10h"), Some(36_000_000));
        for wrong in ["", "s", "1.5s", "-1s", "10 m", "1w", "99999999999999999999", "9999999999999999d"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(written(Duration::from_secs(600)), "10m");
        assert_eq!(written(Duration::from_millis(1500)), "1500ms");
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("64k"), Some(65_536));
        assert_eq!(size("1G"), Some(1 << 30));
        assert_eq!(size("17"), Some(17));
        assert_eq!(size("1t"), None);
    }
}
