//! The clock that deadlines are counted by, and times of the machine's zone.

/// Now. In models time passes only when nobody has anything else to do, or by the checker's choice.
pub fn now() -> std::time::Instant {
    #[cfg(not(model))]
    return std::time::Instant::now();
    #[cfg(model)]
    return crate::driver::models::time::now();
}

/// Seconds since 1970 of a time: year, month from 1, day, hour, minute, second; in UTC, or in the zone of the machine.
/// `None` for one that is none.
pub fn unix_time(fields: [u16; 6], utc: bool) -> Option<u64> {
    let [year, month, day, hour, minute, second] = fields.map(i32::from);
    // SAFETY: `tm` is plain numbers and a pointer, for which zero is a value.
    let mut time: libc::tm = unsafe { std::mem::zeroed() };
    time.tm_year = year.checked_sub(1900)?;
    time.tm_mon = month.checked_sub(1)?;
    time.tm_mday = day;
    time.tm_hour = hour;
    time.tm_min = minute;
    time.tm_sec = second;
    // Whether it is summer there is for the system to find out.
    time.tm_isdst = -1;
    // SAFETY: both read and normalise the `tm`, which is ours.
    let seconds = unsafe {
        if utc {
            libc::timegm(&mut time)
        } else {
            libc::mktime(&mut time)
        }
    };
    // The 31st of a month with 30 days becomes another day.
    if time.tm_mday != day {
        return None;
    }
    u64::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_sorts() {
        assert_eq!(unix_time([1970, 1, 1, 0, 0, 1], true), Some(1));
        assert_eq!(
            unix_time([2001, 9, 9, 1, 46, 40], true),
            Some(1_000_000_000)
        );
        assert_eq!(unix_time([2024, 2, 29, 0, 0, 0], true), Some(1_709_164_800));
        assert_eq!(unix_time([2023, 2, 29, 0, 0, 0], true), None);
        let here = unix_time([2024, 2, 29, 12, 0, 0], false).unwrap();
        assert!(here.abs_diff(1_709_208_000) <= 14 * 3600);
    }
}
