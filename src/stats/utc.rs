//! Civil time in UTC, from seconds since 1970.

use std::fmt;
use std::time::Duration;

const SECONDS_PER_DAY: u64 = 86_400;

/// A point in time as a calendar and a clock in UTC show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
    micros: u32,
}

impl Utc {
    /// The time `since` after the beginning of 1970.
    pub fn from_unix(since: Duration) -> Self {
        let (year, month, day) = civil(since.as_secs() / SECONDS_PER_DAY);
        let second_of_day = since.as_secs() % SECONDS_PER_DAY;
        Utc { year, month, day, second_of_day, micros: since.subsec_micros() }
    }

    /// `2026-11-22T14:58:31.000123Z`
    pub fn iso(self) -> impl fmt::Display {
        let (h, m, s) = self.clock();
        format!("{:04}-{:02}-{:02}T{h:02}:{m:02}:{s:02}.{:06}Z", self.year, self.month, self.day, self.micros)
    }

    /// `261122 14:58:31`, as MariaDB heads its records.
    pub fn six_digits(self) -> impl fmt::Display {
        let (h, m, s) = self.clock();
        format!("{:02}{:02}{:02} {h:02}:{m:02}:{s:02}", self.year % 100, self.month, self.day)
    }

    fn clock(self) -> (u64, u64, u64) {
        (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar. Years begin in March here, so that
/// the leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_MARCH_OF_YEAR_0: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let shifted = days + DAYS_TO_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (shifted / DAYS_OF_400_YEARS, shifted % DAYS_OF_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(secs: u64, micros: u64) -> String {
        Utc::from_unix(Duration::from_secs(secs) + Duration::from_micros(micros)).iso().to_string()
    }

    #[test]
    fn known_instants() {
        assert_eq!(iso(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(iso(951_782_399, 1), "2000-02-28T23:59:59.000001Z");
        assert_eq!(iso(951_782_400, 0), "2000-02-29T00:00:00.000000Z");
        assert_eq!(iso(1_709_251_199, 999_999), "2024-02-29T23:59:59.999999Z");
        assert_eq!(iso(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
        assert_eq!(Utc::from_unix(Duration::from_secs(1_795_359_511)).six_digits().to_string(), "261122 14:58:31");
    }
}
