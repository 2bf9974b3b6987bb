//! Sidecars: files next to an object that say more of it, or say it better. XMP packets
//! that editors and catalogues keep apart from the pictures (`NAME.xmp`,
//! `NAME.EXT.xmp`), and the JSON of Google Takeout.
//!
//! They say who, what, when and where; never how large, how long or of what kind an
//! object is.

mod names;
mod packet;
mod takeout;

pub use names::{Bond, Kind, Window, belongs, is_sidecar, mains_of, sidecars_of};

use crate::extraction::{Features, Limits, Problem, ProblemKind, Record};

/// Bytes read of a sidecar.
pub const MAX_BYTES: u64 = 1024 * 1024;
/// Sidecars read of one object.
pub const MAX_READ: usize = 8;

/// A sidecar whose content is at hand, or not.
#[derive(Debug, Clone)]
pub struct Sidecar {
    /// Its name, without a folder.
    pub name: String,
    /// Its content, up to [`MAX_BYTES`]; else why there is none.
    pub content: Result<Vec<u8>, String>,
    /// It is longer.
    pub is_cut: bool,
}

/// The sidecars of an object among names of its folder, in the order in which they are
/// to be read: what comes later replaces what came before. Of several that are read into
/// the same fields, the one whose name is nearest comes last.
pub fn of_object<'a>(main: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all: Vec<(Bond, &str)> = names.filter_map(|name| Some((belongs(name, main)?, name))).collect();
    all.sort_unstable();
    let first = all.len().saturating_sub(MAX_READ);
    all.drain(..first);
    all.into_iter().map(|(_, name)| name).collect()
}

/// What could not be read.
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, kind: ProblemKind, what: &str, why: &str) {
        let problem = Problem { kind, what: what.to_owned(), why: why.to_owned() };
        if self.0.len() < 32 && !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }
}

impl Record {
    /// Adds what sidecars say, which come in the order of [`of_object`]. What cannot be
    /// read of them becomes a [`Problem`] that names the sidecar.
    pub fn add_sidecars(
        &mut self,
        (main, size): (&str, u64),
        sidecars: &[Sidecar],
        features: Features,
        limits: &Limits,
    ) {
        let mut read = Record { problems: Vec::new(), ..self.clone() };
        let run =
            std::panic::AssertUnwindSafe(|| read.read_sidecars((main, size), sidecars, features, limits));
        match std::panic::catch_unwind(run) {
            Ok(problems) => {
                self.metadata = read.metadata;
                let new: Vec<Problem> =
                    problems.0.into_iter().filter(|problem| !self.problems.contains(problem)).collect();
                self.problems.extend(new);
            }
            Err(_) => self.problems.push(Problem {
                kind: ProblemKind::Panic,
                what: "sidecars".to_owned(),
                why: "the parser failed on these bytes".to_owned(),
            }),
        }
    }

    fn read_sidecars(
        &mut self,
        (main, size): (&str, u64),
        sidecars: &[Sidecar],
        features: Features,
        limits: &Limits,
    ) -> Problems {
        let mut problems = Problems(Vec::new());
        let m = &mut self.metadata;
        let (own_place, own_date) = (m.lat_long.clone(), m.produce_time.clone());
        // Takeout's time is UTC, and where it was taken is not known with it.
        let mut utc = false;
        let mut has_takeout = false;
        // The nearest JSON stands last, and is asked first.
        let (packets, exported): (Vec<&Sidecar>, Vec<&Sidecar>) = sidecars
            .iter()
            .partition(|sidecar| belongs(&sidecar.name, main).is_none_or(|bond| bond.kind == Kind::Xmp));
        for sidecar in exported.into_iter().rev().chain(packets) {
            let content = match &sidecar.content {
                Ok(content) => content.as_slice(),
                Err(why) => {
                    problems.add(ProblemKind::Unread, &sidecar.name, why);
                    continue;
                }
            };
            let Some(bond) = belongs(&sidecar.name, main) else { continue };
            if bond.kind == Kind::Xmp {
                let before = m.produce_time.clone();
                let told = (sidecar.name.as_str(), content, sidecar.is_cut);
                packet::read(m, &mut problems, told, (limits.max_text, size));
                utc &= m.produce_time == before;
            } else if has_takeout {
                // Only one of them is of this object.
            } else if sidecar.is_cut {
                problems.add(
                    ProblemKind::Limit,
                    &sidecar.name,
                    "it is longer than what is read of a sidecar",
                );
            } else {
                match takeout::read(content) {
                    Ok(Some(told)) if !bond.is_cut || names::is_title_of(&told.title, main) => {
                        utc = told.write(m, limits.max_text);
                        has_takeout = true;
                    }
                    Ok(_) => {}
                    Err(why) => problems.add(ProblemKind::Malformed, &sidecar.name, why),
                }
            }
        }
        if m.lat_long != own_place {
            m.addresses.clear();
            if m.timezone_source.take().is_some() {
                // The zone of where it was said to be.
                m.timezone = None;
            }
        }
        #[cfg(feature = "geocode")]
        if features.geocode && (m.lat_long != own_place || m.produce_time != own_date) {
            crate::add_address(m, utc);
        }
        #[cfg(not(feature = "geocode"))]
        let _ = (features, own_date, utc);
        for what in crate::extra::cut_lists(&mut m.extra) {
            problems.add(ProblemKind::Limit, what, "the first ones are kept");
        }
        for (what, why) in crate::cut_texts(m, limits) {
            problems.add(ProblemKind::Limit, what, &why);
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metadata;
    use serde_json::{Value, json};

    fn record(metadata: &Value) -> Record {
        Record {
            metadata: serde_json::from_value::<Metadata>(metadata.clone()).unwrap(),
            detected: None,
            content_hash: None,
            ranges_read: Vec::new(),
            bytes_read: 0,
            cpu: std::time::Duration::ZERO,
            problems: Vec::new(),
        }
    }

    /// What is known of an object with sidecars, and the reason where it is not all.
    fn with(main: &str, own: &Value, sidecars: &[(&str, &str)]) -> (Value, Option<String>) {
        let names = of_object(main, sidecars.iter().map(|(name, _)| *name));
        let of = |name: &str| sidecars.iter().find(|(other, _)| *other == name).unwrap().1;
        let read: Vec<Sidecar> = names
            .into_iter()
            .map(|name| Sidecar { name: name.to_owned(), content: Ok(of(name).into()), is_cut: false })
            .collect();
        let mut record = record(own);
        let features = Features { geocode: false, ..Features::all() };
        record.add_sidecars((main, 1000), &read, features, &Limits::default());
        (serde_json::to_value(&record.metadata).unwrap(), record.reason())
    }

    fn xmp(properties: &str) -> String {
        format!(
            r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
            <rdf:Description rdf:about="" {properties}</rdf:Description></rdf:RDF></x:xmpmeta>"#
        )
    }

    fn takeout(more: &Value) -> String {
        let mut json = json!({"title": "a.jpg", "description": "", "creationTime": {"timestamp": "1700000000"},
            "photoTakenTime": {"timestamp": "1600000000", "formatted": "13 Sept 2020, 12:26:40 UTC"},
            "geoData": {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0, "latitudeSpan": 0.0, "longitudeSpan": 0.0},
            "url": "https://photos.google.com/photo/x", "googlePhotosOrigin": {"mobileUpload": {}}});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json.to_string()
    }

    #[test]
    fn xmp_sidecars_replace_what_the_file_says_of_its_content() {
        let own = json!({"ImageWidth": 30, "ImageHeight": 20, "Title": "own", "Description": "own",
            "Keywords": ["own"], "Authors": ["own"], "Rating": 1, "Persons": ["Own"], "LensModel": "own lens",
            "ProduceTime": "2020-01-02T03:04:05+00:00", "LatLong": "1.000000,1.000000",
            "ContentType": "image/jpeg"});
        let told = xmp(
            r#"xmp:Rating="4" xmp:Label="Red" exif:DateTimeOriginal="2021-02-03T04:05:06+02:00" aux:Lens="other"
            exif:PixelXDimension="9999" tiff:ImageWidth="9999" exif:GPSLatitude="52,30.0N" exif:GPSLongitude="13,15.0E">
            <dc:title><rdf:Alt><rdf:li xml:lang="x-default">told</rdf:li></rdf:Alt></dc:title>
            <dc:description><rdf:Alt><rdf:li xml:lang="x-default">told of it</rdf:li></rdf:Alt></dc:description>
            <dc:creator><rdf:Seq><rdf:li>Ana</rdf:li></rdf:Seq></dc:creator>
            <dc:subject><rdf:Bag><rdf:li>x</rdf:li><rdf:li>y</rdf:li><rdf:li>x</rdf:li></rdf:Bag></dc:subject>
            <Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Bo</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>"#,
        );
        let (file, reason) = with("a.jpg", &own, &[("a.jpg.xmp", &told)]);
        let want = json!({"ImageWidth": 30, "ImageHeight": 20, "Title": "told", "Description": "told of it",
            "Keywords": ["x", "y"], "Authors": ["Ana"], "Rating": 4, "ColorLabel": "Red", "Persons": ["Bo"],
            "LensModel": "own lens", "ProduceTime": "2021-02-03T04:05:06+02:00", "Timezone": "+02:00",
            "LatLong": "52.500000,13.250000", "ContentType": "image/jpeg"});
        assert_eq!((file, reason), (want, None));
        // What it does not say stays.
        let (file, _) = with("a.jpg", &own, &[("a.xmp", &xmp(r#"xmp:Rating="5">"#))]);
        let mut want = own;
        want["Rating"] = json!(5);
        assert_eq!(file, want);
    }

    #[test]
    fn the_sidecar_with_the_whole_name_is_the_last_to_speak() {
        let (far, near) = (xmp(r#"xmp:Rating="1" xmp:Label="far">"#), xmp(r#"xmp:Rating="2">"#));
        let told = takeout(&json!({"favorited": true, "description": "of Google"}));
        let (file, _) = with(
            "a.jpg",
            &json!({}),
            &[("a.jpg.xmp", &near), ("a.jpg.json", &told), ("a.xmp", &far), ("b.xmp", &far)],
        );
        assert_eq!((&file["Rating"], &file["ColorLabel"]), (&json!(2), &json!("far")));
        assert_eq!(file["Description"], json!("of Google"));
    }

    #[test]
    fn a_date_keeps_the_zone_and_the_digits_that_the_file_has() {
        let table = [
            ("2020-01-02T03:04:05.25+09:00", "+09:00", "2020-01-02T03:04:05", "2020-01-02T03:04:05.25+09:00"),
            ("2020-01-02T03:04:05.25+09:00", "+09:00", "2020-01-02T03:04:06", "2020-01-02T03:04:06+00:00"),
            ("2020-01-02T03:04:05+00:00", "", "2020-01-02T03:04:05+01:00", "2020-01-02T03:04:05+01:00"),
        ];
        for (own, zone, told, want) in table {
            let mut file = json!({ "ProduceTime": own });
            if !zone.is_empty() {
                file["Timezone"] = json!(zone);
            }
            let told = xmp(&format!(r#"exif:DateTimeOriginal="{told}">"#));
            assert_eq!(with("a.jpg", &file, &[("a.xmp", &told)]).0["ProduceTime"], json!(want));
        }
    }

    #[test]
    fn takeout_adds_and_gives_way_to_the_files_own_date_and_place() {
        let told = takeout(&json!({"description": "A day out", "favorited": true,
            "people": [{"name": "Ana"}, {"name": "Bo"}, {}],
            "geoData": {"latitude": 0.0, "longitude": 0.0}, "geoDataExif": {"latitude": 48.5, "longitude": 2.25}}));
        let (file, reason) = with("a.jpg", &json!({}), &[("a.jpg.json", &told)]);
        let want = json!({"Title": "a.jpg", "Description": "A day out", "Rating": 5, "Persons": ["Ana", "Bo"],
            "LatLong": "48.500000,2.250000", "ProduceTime": "2020-09-13T12:26:40+00:00"});
        assert_eq!((file, reason), (want, None));
        let own = json!({"Title": "T", "Description": "D", "Persons": ["Bo"], "LatLong": "1.000000,1.000000",
            "ProduceTime": "2020-01-02T03:04:05+00:00", "Rating": 2});
        let (file, _) = with("a.jpg", &own, &[("a.jpg.supplemental-metadata.json", &told)]);
        let want = json!({"Title": "T", "Description": "A day out", "Persons": ["Bo", "Ana"], "Rating": 2,
            "LatLong": "1.000000,1.000000", "ProduceTime": "2020-01-02T03:04:05+00:00"});
        assert_eq!(file, want);
        // Nothing is known of time and place, which is written with zeros.
        let none = json!({"photoTakenTime": {"timestamp": "0"}, "creationTime": {"timestamp": "0"}});
        let (file, _) = with("a.jpg", &json!({}), &[("a.jpg.json", &takeout(&none))]);
        assert_eq!(file, json!({"Title": "a.jpg"}));
    }

    #[test]
    fn cut_names_are_told_by_their_title() {
        let main = "a_name_that_is_longer_than_forty_six_characters_are.jpg";
        let sidecar = "a_name_that_is_longer_than_forty_six_character.json";
        for (title, want) in [(main, true), ("a_name_that_is_longer_than_forty_six_characters_is.jpg", false)]
        {
            let (file, reason) = with(
                main,
                &json!({}),
                &[(sidecar, &takeout(&json!({ "title": title, "description": "D" })))],
            );
            assert_eq!((file["Description"] == json!("D"), reason), (want, None), "{title}");
        }
    }

    #[test]
    fn broken_sidecars_are_named_and_other_programs_json_is_passed_over() {
        let cut =
            xmp(r#"xmp:Rating="4"><dc:subject>"#).replace("</rdf:Description></rdf:RDF></x:xmpmeta>", "");
        let long = format!(r#"xmp:Rating="4"><dc:subject>{}"#, "x".repeat(10));
        let many = format!("[{}0]", "{},".repeat(20_000));
        let table = [
            ("a.jpg.json", many.as_str(), Some("a.jpg.json: it has more values than are read of a sidecar")),
            ("a.xmp", "", Some("a.xmp: it has no XMP packet")),
            ("a.xmp", "\u{0}\u{1}garbage", Some("a.xmp: it has no XMP packet")),
            ("a.xmp", cut.as_str(), Some("a.xmp: the packet ends before its properties do")),
            ("a.jpg.json", "{\"title\": ", Some("a.jpg.json: it is no JSON")),
            ("a.jpg.json", "{\"title\": \"video\", \"uploader\": \"x\"}", None),
            ("a.jpg.json", "[1]", None),
            ("a.jpg.json", "{\"title\": 1, \"geoData\": {}}", None),
        ];
        for (name, content, want) in table {
            let (_, reason) = with("a.jpg", &json!({}), &[(name, content)]);
            assert_eq!(reason.as_deref(), want, "{name} {content}");
        }
        let mut record = record(&json!({}));
        let read = [
            Sidecar { name: "a.xmp".into(), content: Ok(xmp(&long).into()), is_cut: true },
            Sidecar {
                name: "a.jpg.xmp".into(),
                content: Err("access to it is denied".into()),
                is_cut: false,
            },
        ];
        record.add_sidecars(("a.jpg", 1), &read, Features::all(), &Limits::default());
        assert_eq!(record.metadata.extra.rating, Some(4));
        let want = "a.xmp: it is longer than what is read of a sidecar; a.jpg.xmp: access to it is denied";
        assert_eq!(record.reason().as_deref(), Some(want));
    }

    #[test]
    fn lists_and_texts_of_sidecars_have_the_limits_of_all_others() {
        let people: Vec<Value> = (0..100).map(|n| json!({"name": format!("p{n}")})).collect();
        let told = takeout(&json!({"people": people, "description": "x".repeat(5000)}));
        let (file, reason) = with("a.jpg", &json!({}), &[("a.jpg.json", &told)]);
        assert_eq!(file["Persons"].as_array().map(Vec::len), Some(64));
        let want = "Persons: the first ones are kept; Description: cut at max_text";
        assert_eq!(reason.as_deref(), Some(want));
    }
}
