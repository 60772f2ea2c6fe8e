//! Numbers, times and sizes as configuration files write them.

/// A number from 0 to 2^31 - 1.
pub(super) fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    i32::try_from(number).is_ok().then_some(number)
}

/// Seconds: `90`, `90s`, `1m30s`, `2h`, `1d`, `1w`.
pub(super) fn seconds(text: &str) -> Option<u32> {
    let mut total: u32 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, unit) = rest.split_at(end);
        let mut behind = unit.chars();
        let multiplier = match behind.next() {
            None | Some('s' | 'S') => 1,
            Some('m' | 'M') => 60,
            Some('h' | 'H') => 60 * 60,
            Some('d' | 'D') => 24 * 60 * 60,
            Some('w' | 'W') => 7 * 24 * 60 * 60,
            Some(_) => return None,
        };
        total = total.checked_add(number(digits)?.checked_mul(multiplier)?)?;
        rest = behind.as_str();
    }
    i32::try_from(total).is_ok().then_some(total)
}

/// Bytes: `100000`, `512K`, `1.5G`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty())
        || fraction.contains('.')
        || whole.len() > 18
        || fraction.len() > 18
    {
        return None;
    }
    let power = match unit.to_ascii_uppercase().as_str() {
        // Without a unit a fraction of a byte is nothing.
        "" | "B" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        "E" => 6,
        _ => return None,
    };
    let scale = 1_u128.checked_shl(10 * power)?;
    let parse = |digits: &str| {
        if digits.is_empty() {
            Some(0)
        } else {
            digits.parse::<u128>().ok()
        }
    };
    let parts = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = parse(fraction)?.checked_mul(scale)?.checked_div(parts)?;
    let total = parse(whole)?.checked_mul(scale)?.checked_add(part)?;
    u64::try_from(total)
        .ok()
        .filter(|total| i64::try_from(*total).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("0", 0),
            ("90", 90),
            ("90s", 90),
            ("1m30s", 90),
            ("1M30", 90),
            ("2h", 7200),
            ("1d", 86_400),
            ("1w1d1h1m1s", 694_861),
            ("2147483647", i32::MAX.unsigned_abs()),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            "x",
            "1x",
            "m",
            "-1",
            "2147483648",
            "3551w",
            "1 m",
            "1.5m",
            "99999999999",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", 0),
            ("16", 16),
            ("512K", 512 << 10),
            ("1m", 1 << 20),
            ("1G", 1 << 30),
            ("1.5G", 3 << 29),
            (".5k", 512),
            ("7E", 7 << 60),
            ("1.5", 1),
            ("12B", 12),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            ".",
            "G",
            "1.2.3",
            "1GB",
            "-1",
            "8E",
            "9223372036854775808",
            "1 G",
        ] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("2147483647"), Some(i32::MAX.unsigned_abs()));
        for bad in ["", "-1", "2147483648", "1x", " 1"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
