//! Turns `places.tsv.gz` into the table that `src/lib.rs` reads (its layout is
//! said there).

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

/// One line of the list.
struct Place<'a> {
    lat: u32,
    lon: u32,
    texts: [&'a str; 4],
    country: &'a str,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=places.tsv.gz");
    println!("cargo:rerun-if-changed=build.rs");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open("places.tsv.gz")?).read_to_string(&mut text)?;
    let mut places = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [lat, lon, name, first, second, country, zone] = fields[..] else {
            return Err(format!("places.tsv.gz: not seven fields: {line}").into());
        };
        let scaled = |degrees: &str, zero: f64| -> Result<u32, std::num::ParseFloatError> {
            Ok(((degrees.parse::<f64>()? + zero) * 1e4).round() as u32)
        };
        places.push(Place {
            lat: scaled(lat, 90.0)?,
            lon: scaled(lon, 180.0)?,
            texts: [name, first, second, zone],
            country,
        });
    }
    let band = |place: &Place<'_>| (place.lat / 10_000).min(179);
    places.sort_by_key(|place| (band(place), place.lon, place.lat));

    let mut table = Vec::new();
    for number in 0..=180 {
        let before = places.partition_point(|place| band(place) < number);
        table.extend(u32::try_from(before)?.to_le_bytes());
    }
    // The empty text is at 0.
    let mut texts = vec![0];
    let mut known: HashMap<&str, u32> = HashMap::from([("", 0)]);
    for place in &places {
        table.extend(&place.lat.to_le_bytes()[..3]);
        table.extend(&place.lon.to_le_bytes()[..3]);
        for text in place.texts {
            let at = match known.get(text) {
                Some(at) => *at,
                None => {
                    let at = u32::try_from(texts.len())?;
                    texts.push(u8::try_from(text.len())?);
                    texts.extend(text.as_bytes());
                    known.insert(text, at);
                    at
                }
            };
            table.extend(&at.to_le_bytes()[..3]);
        }
        table.extend(<[u8; 2]>::try_from(place.country.as_bytes())?);
    }
    table.extend(texts);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    std::fs::write(out.join("places.bin"), table)?;
    Ok(())
}
