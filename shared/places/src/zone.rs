//! What a clock shows in a zone, by the rules that come with the program: the
//! machine's own are not asked, so that every machine gives the same answer.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

/// Minutes east of UTC in a zone at a moment, in seconds since 1970. `None` where
/// there is no such zone, or where its clocks did not yet count whole minutes.
pub fn offset_at(zone: &str, unix: i64) -> Option<i32> {
    minutes(rules(zone)?.to_offset(Timestamp::from_second(unix).ok()?))
}

/// Minutes east of UTC in a zone when its clocks showed this, in seconds since
/// 1970 counted as if they showed UTC. Of a time that came twice, the first.
pub fn offset_of_local(zone: &str, wall: i64) -> Option<i32> {
    let shown: DateTime = Offset::UTC.to_datetime(Timestamp::from_second(wall).ok()?);
    minutes(rules(zone)?.to_zoned(shown).ok()?.offset())
}

fn rules(zone: &str) -> Option<TimeZone> {
    static RULES: std::sync::LazyLock<TimeZoneDatabase> = std::sync::LazyLock::new(TimeZoneDatabase::bundled);
    RULES.get(zone).ok()
}

fn minutes(offset: Offset) -> Option<i32> {
    (offset.seconds() % 60 == 0).then_some(offset.seconds() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_zones() {
        // 2021-07-01 and 2021-01-01, noon.
        let (summer, winter) = (1_625_140_800, 1_609_502_400);
        for (zone, when, want) in [
            ("Europe/Berlin", summer, Some(120)),
            ("Europe/Berlin", winter, Some(60)),
            ("Asia/Kathmandu", summer, Some(345)),
            ("America/St_Johns", summer, Some(-150)),
            // Before 1893 Berlin's clocks were 53 minutes and 28 seconds ahead.
            ("Europe/Berlin", -3_000_000_000, None),
            ("Nowhere/At_All", summer, None),
            ("", summer, None),
        ] {
            assert_eq!(offset_at(zone, when), want, "{zone} {when}");
            assert_eq!(offset_of_local(zone, when), want, "{zone} {when}");
        }
        // 2021-10-31 02:30 came twice in Berlin, 2021-03-28 02:30 never.
        assert_eq!(offset_of_local("Europe/Berlin", 1_635_647_400), Some(120));
        assert_eq!(offset_of_local("Europe/Berlin", 1_616_898_600), Some(120));
        assert_eq!(offset_at("Europe/Berlin", i64::MAX), None);
    }

    #[test]
    fn every_zone_of_the_list_is_known() {
        let mut zones: Vec<&str> = (0..crate::first_of(crate::BANDS).unwrap())
            .filter_map(|at| crate::place(at).map(|place| place.zone))
            .filter(|zone| !zone.is_empty())
            .collect();
        zones.sort_unstable();
        zones.dedup();
        assert!(zones.len() > 350, "{}", zones.len());
        let unknown: Vec<_> = zones.into_iter().filter(|zone| rules(zone).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
