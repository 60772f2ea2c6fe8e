//! The line for a person that goes with each name of a directory, as of `ls -l`.

use crate::sftp::Attributes;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY_SECONDS: u64 = 24 * 60 * 60;
/// Times further away than this are shown with the year instead of the time of day.
const HALF_YEAR_SECONDS: u64 = 182 * DAY_SECONDS;

/// What the line says beside the attributes.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The file's name; bytes that would move the cursor are shown as "?".
    pub name: &'a [u8],
    /// How many links lead to the file; 0 is not known.
    pub links: u64,
    /// The name of its user; without one, the number.
    pub user: Option<&'a [u8]>,
    /// The name of its group; without one, the number.
    pub group: Option<&'a [u8]>,
    /// Seconds since 1970.
    pub now: u64,
}

/// The line. Times are UTC.
pub fn long_name(shown: Shown<'_>, attributes: &Attributes) -> Vec<u8> {
    let (user, group) = attributes.owner.unwrap_or_default();
    let text = |name: Option<&[u8]>, number: u32| match name {
        Some(name) => String::from_utf8_lossy(name).into_owned(),
        None if attributes.owner.is_some() => number.to_string(),
        None => String::from("?"),
    };
    let time = attributes
        .times
        .map_or_else(String::new, |(_, modified)| time(modified, shown.now));
    let mut line = format!(
        "{} {:>4} {:<8} {:<8} {:>8} {:>12} ",
        mode(attributes.permissions),
        if shown.links == 0 {
            String::from("?")
        } else {
            shown.links.to_string()
        },
        text(shown.user, user),
        text(shown.group, group),
        attributes.size.unwrap_or(0),
        time,
    )
    .into_bytes();
    line.extend(
        shown
            .name
            .iter()
            .map(|byte| if byte.is_ascii_control() { b'?' } else { *byte }),
    );
    line
}

/// Ten characters such as "drwxr-xr-x".
fn mode(permissions: Option<u32>) -> String {
    let Some(bits) = permissions else {
        return String::from("??????????");
    };
    let kind = match bits & Attributes::TYPE_MASK {
        Attributes::DIRECTORY => 'd',
        Attributes::SYMLINK => 'l',
        0o140_000 => 's',
        0o060_000 => 'b',
        0o020_000 => 'c',
        0o010_000 => 'p',
        _ => '-',
    };
    let mut text = String::from(kind);
    for (shift, special, both, alone) in [
        (6, 0o4000, 's', 'S'),
        (3, 0o2000, 's', 'S'),
        (0, 0o1000, 't', 'T'),
    ] {
        let part = bits >> shift;
        text.push(if part & 4 != 0 { 'r' } else { '-' });
        text.push(if part & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & special != 0, part & 1 != 0) {
            (true, true) => both,
            (true, false) => alone,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// "Nov 27 08:37", or "Nov 27  2019" when it is long ago or to come.
fn time(seconds: u32, now: u64) -> String {
    let seconds = u64::from(seconds);
    let (year, month, day) = date(seconds / DAY_SECONDS);
    let month = MONTHS.get(month).copied().unwrap_or("?");
    let recent = seconds <= now && now - seconds < HALF_YEAR_SECONDS;
    if recent {
        let minutes = seconds % DAY_SECONDS / 60;
        format!("{month} {day:>2} {:02}:{:02}", minutes / 60, minutes % 60)
    } else {
        format!("{month} {day:>2}  {year}")
    }
}

/// Year, month from 0 and day from 1 of a day since 1970-01-01 in the Gregorian calendar.
fn date(mut days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 0;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_like_those_of_ls() {
        let attributes = Attributes {
            size: Some(1234),
            owner: Some((0, 50)),
            permissions: Some(0o100_644),
            times: Some((0, 1_700_000_000)),
            ..Attributes::new()
        };
        let mut shown = Shown {
            name: b"a\x1b\xff",
            links: 2,
            user: Some(b"root"),
            group: None,
            now: 1_700_000_100,
        };
        assert_eq!(
            long_name(shown, &attributes),
            b"-rw-r--r--    2 root     50           1234 Nov 14 22:13 a?\xff"
        );
        shown.now = 1_800_000_000;
        assert!(String::from_utf8_lossy(&long_name(shown, &attributes)).contains("Nov 14  2023 a?"));
        assert!(long_name(shown, &Attributes::new()).starts_with(b"??????????"));
    }

    #[test]
    fn modes() {
        for (bits, text) in [
            (0o040_755, "drwxr-xr-x"),
            (0o120_777, "lrwxrwxrwx"),
            (0o104_755, "-rwsr-xr-x"),
            (0o102_644, "-rw-r-Sr--"),
            (0o041_777, "drwxrwxrwt"),
            (0o010_600, "prw-------"),
        ] {
            assert_eq!(mode(Some(bits)), text);
        }
    }

    #[test]
    fn dates() {
        assert_eq!(date(0), (1970, 0, 1));
        assert_eq!(date(11_016), (2000, 1, 29));
        assert_eq!(date(11_017), (2000, 2, 1));
        assert_eq!(date(49_709), (2106, 1, 6));
    }
}
