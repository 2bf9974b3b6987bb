//! The addresses of places that callers set: they follow `LatLong` as those of a
//! file's own place do.

use crate::model::{Address, InputFile, Template};

/// The addresses of a place; empty where it has none, or where this build looks
/// none up.
pub type Addresses = Vec<Address>;

/// Looks up the addresses of the place that a call sets, where the template has
/// places looked up; `None` where the call sets no place.
pub(crate) fn addresses_of(file: &InputFile, template: &Template) -> Option<Addresses> {
    let place = file.place()?;
    if !template.features.geocode {
        return Some(Addresses::new());
    }
    Some(locate(place).into_iter().collect())
}

#[cfg(feature = "geocode")]
fn locate((latitude, longitude): (f64, f64)) -> Option<Address> {
    let found = mediadex_media::locate(latitude, longitude)?;
    serde_json::from_value(serde_json::to_value(found).ok()?).ok()
}

#[cfg(not(feature = "geocode"))]
fn locate(_: (f64, f64)) -> Option<Address> {
    None
}
