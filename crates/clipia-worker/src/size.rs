//! A size in bytes, as people write it: `1024`, `2GiB`.

/// The units and their bytes.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// The bytes that a text such as `2GiB` or `500 MB` says; none if it says no size.
pub fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    let known =
        UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit) || (unit.is_empty() && *name == "B"));
    number.parse::<u64>().ok()?.checked_mul(known?.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_size_has_a_number_and_perhaps_a_unit() {
        for (text, expected) in [
            ("2GiB", Some(2 << 30)),
            ("2 gib", Some(2 << 30)),
            ("500MB", Some(500_000_000)),
            ("0", Some(0)),
            ("17", Some(17)),
            ("17B", Some(17)),
            ("16777216TiB", None),
            ("", None),
            ("GiB", None),
            ("-1", None),
            ("1.5GiB", None),
            ("2 Gi", None),
            ("2GiB ", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    /// A size in the largest unit that leaves no rest.
    fn spelled(bytes: u64) -> String {
        let whole = UNITS
            .iter()
            .filter(|(name, unit)| (name.contains('i') || *name == "B") && bytes.is_multiple_of(*unit));
        match whole.max_by_key(|(_, unit)| *unit) {
            Some((name, unit)) => format!("{} {name}", bytes / unit),
            None => format!("{bytes} B"),
        }
    }

    proptest! {
        #[test]
        fn a_size_is_read_as_it_is_spelled(size in prop_oneof![any::<u64>(), (0..1_u64 << 20).prop_map(|mib| mib << 20)]) {
            prop_assert_eq!(bytes(&spelled(size)), Some(size));
        }
    }
}
