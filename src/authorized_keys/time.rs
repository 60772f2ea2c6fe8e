//! The option `expiry-time`.

/// A time as it stands in a file: `YYYYMMDD[HHMM[SS]]`, with `Z` behind it in UTC, and else in the zone of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// Year, month from 1, day, hour, minute, second.
    pub fields: [u16; 6],
    /// Whether it is in UTC.
    pub utc: bool,
}

impl Expiry {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, utc) = match text.strip_suffix(['Z', 'z']) {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let is_time = digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_time || ![8, 12, 14].contains(&digits.len()) {
            return None;
        }
        let field =
            |from: usize, to: usize| digits.get(from..to).map_or(Some(0), |d| d.parse().ok());
        let fields = [
            field(0, 4)?,
            field(4, 6)?,
            field(6, 8)?,
            field(8, 10)?,
            field(10, 12)?,
            field(12, 14)?,
        ];
        let [year, month, day, hour, minute, second] = fields;
        let good = year >= 1970
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        good.then_some(Expiry { fields, utc })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let fields = |text| Expiry::parse(text).map(|expiry| expiry.fields);
        assert_eq!(fields("20240229"), Some([2024, 2, 29, 0, 0, 0]));
        assert_eq!(fields("202402291530"), Some([2024, 2, 29, 15, 30, 0]));
        assert_eq!(fields("20240229153059Z"), Some([2024, 2, 29, 15, 30, 59]));
        assert!(Expiry::parse("20240229Z").unwrap().utc);
        for bad in [
            "",
            "2024",
            "2024022",
            "20241301",
            "20240100",
            "202401012400",
            "2024-01-01",
            "+2024010",
        ] {
            assert_eq!(Expiry::parse(bad), None, "{bad}");
        }
    }
}
