//! The nearest place of coordinates, offline, and what time it is there.
//!
//! The list is GeoNames' places with over 1,000 people (CC BY 4.0; `prepare.py`
//! says where it comes from). It is a table in the binary that is read where it
//! lies: nothing is loaded, and only the pages that a look-up touches come into
//! memory.
//!
//! Layout, little-endian, made by `build.rs`: 181 numbers of 4 bytes, the first
//! place of each degree of latitude from the south and their end; the places, 20
//! bytes each, by degree of latitude and longitude; the texts, each behind its
//! length of one byte. A place: latitude and longitude from -90 and -180 in ten
//! thousandths of a degree, where its name, its two administrative divisions and
//! its time zone lie in the texts (3 bytes each), and its country's code.

mod zone;

pub use zone::{offset_at, offset_of_local};

static TABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/places.bin"));

/// Degrees of latitude, one band each.
const BANDS: usize = 180;
const HEAD: usize = (BANDS + 1) * 4;
const PLACE: usize = 20;
const KM_PER_DEGREE: f64 = 2.0 * std::f64::consts::PI * EARTH_KM / 360.0;
const EARTH_KM: f64 = 6371.0;

/// A place of the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// Its name, mostly in English or in Latin letters.
    pub name: &'static str,
    /// The first administrative division (a state, a province); may be empty.
    pub first: &'static str,
    /// The second (a county, a district); may be empty.
    pub second: &'static str,
    /// The country's code of two letters (ISO 3166).
    pub country: &'static str,
    /// The time zone's name (`Asia/Tokyo`); empty where it is not known.
    pub zone: &'static str,
}

/// The nearest place within `limit` kilometres, and how far it is. `None` where
/// there is none, or where the coordinates are none of the earth.
pub fn nearest(lat: f64, lon: f64, limit: f64) -> Option<(Place, f64)> {
    if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
        return None;
    }
    let home = band_of(lat);
    let mut best = Best { lat, lon, km: limit, at: None };
    best.look_through(home);
    // Bands away from it, as long as their nearer edge is near enough.
    for band in (0..home).rev() {
        if (lat - edge(band + 1)) * KM_PER_DEGREE > best.km {
            break;
        }
        best.look_through(band);
    }
    for band in home + 1..BANDS {
        if (edge(band) - lat) * KM_PER_DEGREE > best.km {
            break;
        }
        best.look_through(band);
    }
    Some((place(best.at?)?, best.km))
}

/// The nearest place so far.
struct Best {
    lat: f64,
    lon: f64,
    km: f64,
    at: Option<usize>,
}

impl Best {
    /// Looks at the places of a band from the longitude outward, both ways round,
    /// as long as the longitude alone does not put them too far away.
    fn look_through(&mut self, band: usize) {
        let (Some(start), Some(end)) = (first_of(band), first_of(band + 1)) else { return };
        let len = end.saturating_sub(start);
        if len == 0 {
            return;
        }
        let narrowest = edge(band).abs().max(edge(band + 1).abs()).to_radians().cos().max(0.0);
        let split = partition_point(start, end, |lon| lon < self.lon) - start;
        for step in 0..len {
            if !self.consider(start + (split + step) % len, narrowest, 1.0) {
                break;
            }
        }
        for step in 1..=len {
            if !self.consider(start + (split + len - step) % len, narrowest, -1.0) {
                break;
            }
        }
    }

    /// Takes a place if it is nearer; false where no place farther that way can be.
    fn consider(&mut self, at: usize, narrowest: f64, way: f64) -> bool {
        let Some((lat, lon)) = position(at) else { return false };
        // How far round it is, that way.
        let round = ((lon - self.lon) * way).rem_euclid(360.0);
        if round > 180.0 {
            return false;
        }
        let half = (round.to_radians() / 2.0).sin();
        let cos = self.lat.to_radians().cos();
        let least = 2.0 * EARTH_KM * ((cos * narrowest).sqrt() * half).min(1.0).asin();
        if least > self.km {
            return false;
        }
        let km = distance_km((self.lat, self.lon), (lat, lon));
        if km < self.km || (km == self.km && self.at.is_none()) {
            (self.km, self.at) = (km, Some(at));
        }
        true
    }
}

/// Great-circle distance of two points in degrees.
pub fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (lat1, lat2) = (a.0.to_radians(), b.0.to_radians());
    let (dlat, dlong) = (lat2 - lat1, (b.1 - a.1).to_radians());
    let h = (dlat / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * (dlong / 2.0).sin().powi(2);
    2.0 * EARTH_KM * h.sqrt().min(1.0).asin()
}

fn band_of(lat: f64) -> usize {
    ((lat + 90.0).floor().max(0.0) as usize).min(BANDS - 1)
}

/// The southern edge of a band, in degrees.
fn edge(band: usize) -> f64 {
    band as f64 - 90.0
}

fn first_of(band: usize) -> Option<usize> {
    let bytes = TABLE.get(band * 4..band * 4 + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
}

fn number(at: usize) -> Option<u32> {
    match TABLE.get(at..at + 3)? {
        [a, b, c] => Some(u32::from_le_bytes([*a, *b, *c, 0])),
        _ => None,
    }
}

fn position(at: usize) -> Option<(f64, f64)> {
    let start = HEAD + at * PLACE;
    Some((f64::from(number(start)?) / 1e4 - 90.0, f64::from(number(start + 3)?) / 1e4 - 180.0))
}

/// The first of these places whose longitude is not `before`.
fn partition_point(start: usize, end: usize, before: impl Fn(f64) -> bool) -> usize {
    let (mut low, mut high) = (start, end);
    while low < high {
        let middle = low.midpoint(high);
        match position(middle) {
            Some((_, lon)) if before(lon) => low = middle + 1,
            _ => high = middle,
        }
    }
    low
}

fn text(at: usize) -> Option<&'static str> {
    let start = HEAD + first_of(BANDS)? * PLACE + number(at)? as usize;
    let len = usize::from(*TABLE.get(start)?);
    std::str::from_utf8(TABLE.get(start + 1..start + 1 + len)?).ok()
}

fn place(at: usize) -> Option<Place> {
    let start = HEAD + at * PLACE;
    let (lat, lon) = position(at)?;
    Some(Place {
        lat,
        lon,
        name: text(start + 6)?,
        first: text(start + 9)?,
        second: text(start + 12)?,
        zone: text(start + 15)?,
        country: std::str::from_utf8(TABLE.get(start + 18..start + 20)?).ok()?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn known_places() {
        for (lat, lon, name, country, zone) in [
            (48.85, 2.35, "Paris", "FR", "Europe/Paris"),
            (40.7831, -73.9712, "Manhattan", "US", "America/New_York"),
            (44.894519, -93.308702, "Richfield", "US", "America/Chicago"),
            (35.6895, 139.6917, "Tokyo", "JP", "Asia/Tokyo"),
            (-16.9, 179.99, "Lambasa", "FJ", "Pacific/Fiji"),
        ] {
            let (found, _) = nearest(lat, lon, 200.0).unwrap();
            assert_eq!((found.name, found.country, found.zone), (name, country, zone));
        }
        for (lat, lon) in [(0.0, -30.0), (91.0, 0.0), (f64::NAN, 0.0), (0.0, 181.0)] {
            assert_eq!(nearest(lat, lon, 200.0), None, "{lat},{lon}");
        }
    }

    #[test]
    fn the_nearest_of_all_is_found_everywhere() {
        let count = first_of(BANDS).unwrap();
        assert!(count > 140_000, "{count}");
        let all: Vec<_> = (0..count).map(|at| position(at).unwrap()).collect();
        // Points spread over the earth, its poles and the date line too.
        let spread = (0..150u32).map(|n| {
            let (x, y) = ((f64::from(n) * 0.618_034).fract(), (f64::from(n) * 0.754_878).fract());
            (y * 180.0 - 90.0, x * 360.0 - 180.0)
        });
        let edges = [(90.0, 0.0), (-90.0, 10.0), (65.0, 180.0), (65.0, -180.0), (-17.0, -179.99), (0.0, 0.0)];
        for (lat, lon) in spread.chain(edges) {
            let least = all.iter().map(|at| distance_km((lat, lon), *at)).fold(f64::MAX, f64::min);
            let (_, km) = nearest(lat, lon, 30_000.0).unwrap();
            assert!((km - least).abs() < 1e-6, "{lat},{lon}: {km} instead of {least}");
            assert_eq!(nearest(lat, lon, 50.0).is_some(), least <= 50.0, "{lat},{lon}");
        }
    }

    #[test]
    fn every_place_can_be_read() {
        for at in 0..first_of(BANDS).unwrap() {
            let place = place(at).unwrap();
            assert_eq!(place.country.len(), 2, "{at}");
        }
        assert_eq!(place(first_of(BANDS).unwrap() + 10_000_000), None);
    }
}
