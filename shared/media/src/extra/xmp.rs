//! Properties of XMP packets that are extensions: ratings, labels, persons, lenses,
//! panoramas, gain maps, motion photos, keywords with those above them.

use crate::extra::exif::{number, percent, rounded};
use crate::extra::motion::Container;
use crate::extra::regions::{self, Regions, member};
use crate::extra::{Extra, MAX_NAME};
use crate::text;
use crate::xml::{Element, RDF};

const XMP: &str = "http://ns.adobe.com/xap/1.0/";
const PHOTOSHOP: &str = "http://ns.adobe.com/photoshop/1.0/";
const EXIF: &str = "http://ns.adobe.com/exif/1.0/";
const EXIF_EX: &str = "http://cipa.jp/exif/1.0/";
const AUX: &str = "http://ns.adobe.com/exif/1.0/aux/";
const LIGHTROOM: &str = "http://ns.adobe.com/lightroom/1.0/";
const DIGIKAM: &str = "http://www.digikam.org/ns/1.0/";
const IPTC_EXT: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const GPANO: &str = "http://ns.google.com/photos/1.0/panorama/";
const CAMERA: &str = "http://ns.google.com/photos/1.0/camera/";
const CONTAINER: &str = "http://ns.google.com/photos/1.0/container/";
const GAIN_MAP: &str = "http://ns.adobe.com/hdr-gain-map/1.0/";
const APPLE_GAIN_MAP: &str = "http://ns.apple.com/HDRGainMap/1.0/";
const MICROSOFT_PHOTO: &str = "http://ns.microsoft.com/photo/1.0";

/// What a packet says beyond the common fields.
#[derive(Debug, Default, Clone)]
pub(crate) struct More {
    extra: Extra,
    /// Stars by Microsoft's percentage: what `xmp:Rating` says goes before it.
    percent: Option<i32>,
    aux_lens: Option<String>,
    regions: Regions,
    container: Container,
    /// Keywords of programs that part them by a slash.
    slashed: Vec<String>,
}

/// Text of a property, or of the items of its list.
fn values(e: Element<'_, '_>) -> Vec<String> {
    let items: Vec<Element<'_, '_>> =
        e.descendants().filter(|d| d.is(RDF, "li")).take(2 * crate::MAX_KEYWORDS).collect();
    let all = if items.is_empty() { vec![e] } else { items };
    all.into_iter().filter_map(|e| text::clean(e.text()?, 4096)).collect()
}

impl More {
    /// Takes a property that is written as an attribute.
    pub(crate) fn attribute(&mut self, ns: &str, name: &str, value: &str) {
        if known(ns)
            && let Some(value) = text::clean(&text::unescape_xml(value), 4096)
        {
            self.take(ns, name, &[value]);
        }
    }

    /// Takes a property that is an element.
    pub(crate) fn element(&mut self, e: Element<'_, '_>) {
        match (e.namespace(), e.name()) {
            (regions::MWG, "Regions") | (regions::MICROSOFT, "RegionInfo") => {
                let mut found = Regions::default();
                found.read(e);
                self.regions.append(found);
            }
            (CONTAINER, "Directory") => self.container.directory(e),
            (IPTC_EXT, "PersonInImageWDetails") => {
                let names = e.descendants().filter(|d| d.is(IPTC_EXT, "PersonName"));
                let names: Vec<String> = names.take(crate::MAX_KEYWORDS).flat_map(values).collect();
                self.take(IPTC_EXT, "PersonInImage", &names);
            }
            (IPTC_EXT, "LocationCreated" | "LocationShown") => {
                let item = e.descendants().find(|d| d.is(RDF, "li")).unwrap_or(e);
                let city = member(item, "City").and_then(|c| text::clean(&c, MAX_NAME));
                Extra::fill(&mut self.extra.city, city);
            }
            (ns, name) if known(ns) => self.take(ns, name, &values(e)),
            _ => {}
        }
    }

    fn take(&mut self, ns: &str, name: &str, values: &[String]) {
        let Some(first) = values.first() else { return };
        let x = &mut self.extra;
        let short = || text::clean(first, MAX_NAME);
        let positive = || number(first).filter(|v| *v > 0.0 && *v < 1e6).map(rounded);
        let whole = || positive().filter(|v| *v >= 1.0).map(|v| v.round() as u32);
        let lists = |list: &mut Vec<String>| {
            let room = (crate::MAX_KEYWORDS + 1).saturating_sub(list.len());
            list.extend(values.iter().filter_map(|v| text::clean(v, MAX_NAME)).take(room));
        };
        match (ns, name) {
            (XMP, "Rating") => {
                let stars = number(first).filter(|v| (-1.0..=5.0).contains(v));
                Extra::fill(&mut x.rating, stars.map(|v| v.round() as i32));
            }
            (XMP, "Label") => Extra::fill(&mut x.color_label, short()),
            (PHOTOSHOP, "Headline") => Extra::fill(&mut x.headline, Some(first.clone())),
            (PHOTOSHOP, "City") => x.city = short().or(x.city.take()),
            (PHOTOSHOP, "Credit") => Extra::fill(&mut x.credit, short()),
            (PHOTOSHOP, "ICCProfile") => Extra::fill(&mut x.color_profile, short()),
            (EXIF, "ExposureTime") => Extra::fill(&mut x.exposure_time, positive()),
            (EXIF, "FNumber") => Extra::fill(&mut x.f_number, positive()),
            (EXIF, "FocalLength") => Extra::fill(&mut x.focal_length, positive()),
            (EXIF, "FocalLengthIn35mmFilm") => Extra::fill(&mut x.focal_length_in35mm, whole()),
            (EXIF, "ISOSpeedRatings") | (EXIF_EX, "PhotographicSensitivity") => {
                Extra::fill(&mut x.iso, whole());
            }
            (EXIF_EX, "LensModel") => Extra::fill(&mut x.lens_model, short()),
            (EXIF_EX, "LensMake") => Extra::fill(&mut x.lens_make, short()),
            (AUX, "Lens") => Extra::fill(&mut self.aux_lens, short()),
            (LIGHTROOM, "hierarchicalSubject") => lists(&mut x.hierarchical_keywords),
            (DIGIKAM, "TagsList") => lists(&mut self.slashed),
            (IPTC_EXT, "PersonInImage") => lists(&mut x.persons),
            (GPANO, "ProjectionType") => Extra::fill(&mut x.projection, short()),
            (CAMERA, name) => self.container.camera(name, first),
            (GAIN_MAP, "Version") => Extra::fill(&mut x.gain_map, Some("hdrgm".into())),
            (APPLE_GAIN_MAP, _) => Extra::fill(&mut x.gain_map, Some("apple".into())),
            (ns, name) if ns.starts_with(MICROSOFT_PHOTO) => match name {
                "Rating" => Extra::fill(&mut self.percent, number(first).and_then(percent)),
                "LastKeywordXMP" => lists(&mut self.slashed),
                "LensManufacturer" => Extra::fill(&mut x.lens_make, short()),
                "LensModel" => Extra::fill(&mut self.aux_lens, short()),
                _ => {}
            },
            _ => {}
        }
    }

    /// Puts what another packet says behind what this one says.
    pub(crate) fn append(&mut self, other: More) {
        let (x, o) = (&mut self.extra, other.extra);
        Extra::fill(&mut x.rating, o.rating);
        Extra::fill(&mut x.color_label, o.color_label);
        Extra::fill(&mut x.headline, o.headline);
        Extra::fill(&mut x.city, o.city);
        Extra::fill(&mut x.credit, o.credit);
        Extra::fill(&mut x.color_profile, o.color_profile);
        Extra::fill(&mut x.exposure_time, o.exposure_time);
        Extra::fill(&mut x.f_number, o.f_number);
        Extra::fill(&mut x.focal_length, o.focal_length);
        Extra::fill(&mut x.focal_length_in35mm, o.focal_length_in35mm);
        Extra::fill(&mut x.iso, o.iso);
        Extra::fill(&mut x.lens_model, o.lens_model);
        Extra::fill(&mut x.lens_make, o.lens_make);
        Extra::fill(&mut x.projection, o.projection);
        Extra::fill(&mut x.gain_map, o.gain_map);
        Extra::fill(&mut self.percent, other.percent);
        Extra::fill(&mut self.aux_lens, other.aux_lens);
        x.persons.extend(o.persons);
        x.hierarchical_keywords.extend(o.hierarchical_keywords);
        self.slashed.extend(other.slashed);
        self.regions.append(other.regions);
        self.container.append(other.container);
    }

    /// What IPTC's older record says of the same.
    pub(crate) fn iptc(&mut self, dataset: u8, value: String) {
        let x = &mut self.extra;
        match dataset {
            90 => Extra::fill(&mut x.city, text::clean(&value, MAX_NAME)),
            105 => Extra::fill(&mut x.headline, Some(value)),
            110 => Extra::fill(&mut x.credit, text::clean(&value, MAX_NAME)),
            _ => {}
        }
    }

    /// The kind of the gain map that a container of pictures tells.
    pub(crate) fn has_gain_map(&mut self, kind: &str) {
        Extra::fill(&mut self.extra.gain_map, Some(kind.to_owned()));
    }

    /// Takes the name of a colour profile out of the profile itself.
    pub(crate) fn profile(&mut self, name: Option<String>) {
        // It is the profile that is used; what XMP names may be of an earlier one.
        self.extra.color_profile = name.or(self.extra.color_profile.take());
    }

    /// Writes it under what EXIF says.
    pub(crate) fn write(
        mut self,
        to: &mut Extra,
        exif: Option<&crate::ExifMap>,
        sides: Option<(u32, u32)>,
        orientation: u32,
        size: u64,
    ) {
        let mut own = Extra::default();
        if let Some(exif) = exif {
            super::exif::fill(&mut own, exif);
        }
        let mut x = std::mem::take(&mut self.extra);
        // Programs that rate write XMP last.
        to.rating = to.rating.or(x.rating).or(own.rating).or(self.percent);
        Extra::fill(&mut to.exposure_time, own.exposure_time.or(x.exposure_time));
        Extra::fill(&mut to.f_number, own.f_number.or(x.f_number));
        Extra::fill(&mut to.iso, own.iso.or(x.iso));
        Extra::fill(&mut to.focal_length, own.focal_length.or(x.focal_length));
        Extra::fill(&mut to.focal_length_in35mm, own.focal_length_in35mm.or(x.focal_length_in35mm));
        Extra::fill(&mut to.lens_make, own.lens_make.or(x.lens_make.take()));
        let lens = own.lens_model.or(x.lens_model.take()).or(self.aux_lens);
        Extra::fill(&mut to.lens_model, lens);
        Extra::fill(&mut to.color_label, x.color_label.take());
        Extra::fill(&mut to.headline, x.headline.take());
        Extra::fill(&mut to.city, x.city.take());
        Extra::fill(&mut to.credit, x.credit.take());
        Extra::fill(&mut to.projection, x.projection.take());
        Extra::fill(&mut to.gain_map, x.gain_map.take().or(self.container.gain_map()));
        Extra::fill(&mut to.color_profile, x.color_profile.take());
        Extra::fill(&mut to.motion_photo_offset, self.container.offset(size));
        let parted = self.slashed.iter().map(|k| k.replace('/', "|"));
        let mut seen = std::collections::BTreeSet::new();
        let all = x.hierarchical_keywords.drain(..).chain(parted);
        to.hierarchical_keywords.extend(all.filter(|k| seen.insert(k.clone())));
        to.persons.append(&mut x.persons);
        self.regions.write(to, sides, orientation);
    }
}

/// Whether a namespace has properties that are taken.
fn known(ns: &str) -> bool {
    const ALL: [&str; 12] = [
        XMP,
        PHOTOSHOP,
        EXIF,
        EXIF_EX,
        AUX,
        LIGHTROOM,
        DIGIKAM,
        IPTC_EXT,
        GPANO,
        CAMERA,
        GAIN_MAP,
        APPLE_GAIN_MAP,
    ];
    ALL.contains(&ns) || ns.starts_with(MICROSOFT_PHOTO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extra::{Boundary, Figure};

    /// What a packet with these properties says of a picture of 1000 by 500 pixels.
    fn read(properties: &str) -> Extra {
        let xml = format!(
            r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
            xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#" xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"
            xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
            xmlns:apple="http://ns.apple.com/HDRGainMap/1.0/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"
            {properties}</rdf:Description></rdf:RDF>"#
        );
        let packet = crate::image::xmp::parse(xml.as_bytes());
        let mut extra = Extra::default();
        packet.more.write(&mut extra, None, Some((1000, 500)), 1, 9000);
        extra
    }

    fn face(name: &str, left: u32, top: u32, width: u32, height: u32) -> Figure {
        let boundary = Some(Boundary { left, top, width, height });
        Figure { figure_type: Some("face".into()), figure_name: Some(name.into()), boundary }
    }

    #[test]
    fn ratings_and_labels() {
        let table = [
            (r#"xmp:Rating="3">"#, Some(3)),
            (r#"xmp:Rating="-1">"#, Some(-1)),
            (r#"xmp:Rating="7">"#, None),
            (r#"MicrosoftPhoto:Rating="75">"#, Some(4)),
            (r#"xmp:Rating="2" MicrosoftPhoto:Rating="99">"#, Some(2)),
            ("><xmp:Rating>4.0</xmp:Rating>", Some(4)),
            (r#"xmp:Rating="x">"#, None),
        ];
        for (properties, want) in table {
            assert_eq!(read(properties).rating, want, "{properties}");
        }
        assert_eq!(read(r#"xmp:Label="Red">"#).color_label.as_deref(), Some("Red"));
    }

    #[test]
    fn persons_in_regions() {
        let group = "><mwg-rs:Regions rdf:parseType='Resource'><mwg-rs:RegionList><rdf:Bag>
            <rdf:li rdf:parseType='Resource'><mwg-rs:Name>Ana</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type>
            <mwg-rs:Area rdf:parseType='Resource'><stArea:x>0.5</stArea:x><stArea:y>0.5</stArea:y><stArea:w>0.2</stArea:w><stArea:h>0.4</stArea:h></mwg-rs:Area></rdf:li>
            <rdf:li rdf:parseType='Resource'><mwg-rs:Name>Rex</mwg-rs:Name><mwg-rs:Type>Pet</mwg-rs:Type></rdf:li>
            <rdf:li><rdf:Description mwg-rs:Name='Bo'><mwg-rs:Area stArea:x='0.1' stArea:y='0.2' stArea:d='0.1'/></rdf:Description></rdf:li>
            </rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>";
        let pixels = "><mwg-rs:Regions><rdf:Description><mwg-rs:AppliedToDimensions stDim:w='2000' stDim:h='1000'/>
            <mwg-rs:RegionList><rdf:Bag><rdf:li mwg-rs:Name='Ana' mwg-rs:Type='Face'><mwg-rs:Area stArea:x='1000' stArea:y='500' stArea:w='200' stArea:h='200' stArea:unit='pixel'/></rdf:li>
            </rdf:Bag></mwg-rs:RegionList></rdf:Description></mwg-rs:Regions>";
        let microsoft = "><MP:RegionInfo rdf:parseType='Resource'><MPRI:Regions><rdf:Bag>
            <rdf:li MPReg:Rectangle='0.1, 0.2, 0.3, 0.4' MPReg:PersonDisplayName='Ana'/>
            <rdf:li MPReg:PersonDisplayName='Bo'/><rdf:li MPReg:Rectangle='1, 2'/></rdf:Bag></MPRI:Regions></MP:RegionInfo>";
        let iptc = "><Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Ana</rdf:li><rdf:li>Cy</rdf:li><rdf:li>Ana</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>";
        let table = [
            (group, vec!["Ana", "Bo"], vec![face("Ana", 400, 150, 200, 200), face("Bo", 50, 75, 100, 50)]),
            (pixels, vec!["Ana"], vec![face("Ana", 450, 200, 100, 100)]),
            (microsoft, vec!["Ana", "Bo"], vec![face("Ana", 100, 100, 300, 200)]),
            (iptc, vec!["Ana", "Cy"], vec![]),
        ];
        for (properties, persons, figures) in table {
            let extra = read(properties);
            assert_eq!(
                (extra.persons, extra.figures),
                (persons.into_iter().map(str::to_owned).collect(), figures)
            );
        }
    }

    #[test]
    fn keywords_with_those_above_them() {
        let properties = "><lr:hierarchicalSubject><rdf:Bag><rdf:li>A|B</rdf:li></rdf:Bag></lr:hierarchicalSubject>
            <digiKam:TagsList><rdf:Seq><rdf:li>A/B</rdf:li><rdf:li>C/D</rdf:li></rdf:Seq></digiKam:TagsList>
            <MicrosoftPhoto:LastKeywordXMP><rdf:Bag><rdf:li>E</rdf:li></rdf:Bag></MicrosoftPhoto:LastKeywordXMP>";
        assert_eq!(read(properties).hierarchical_keywords, ["A|B", "C|D", "E"]);
    }

    #[test]
    fn what_cameras_and_phones_write() {
        let x = read(
            r#"GPano:ProjectionType="equirectangular" GCamera:MicroVideo="1" GCamera:MicroVideoOffset="1000"
            hdrgm:Version="1.0" exif:FNumber="56/10" exif:ExposureTime="1/8" aux:Lens="50mm" photoshop:ICCProfile="Display P3">
            <exif:ISOSpeedRatings><rdf:Seq><rdf:li>400</rdf:li></rdf:Seq></exif:ISOSpeedRatings>
            <Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:City>Rome</Iptc4xmpExt:City></rdf:li></rdf:Bag></Iptc4xmpExt:LocationCreated>"#,
        );
        assert_eq!((x.projection.as_deref(), x.motion_photo_offset), (Some("equirectangular"), Some(8000)));
        assert_eq!((x.gain_map.as_deref(), x.iso), (Some("hdrgm"), Some(400)));
        assert_eq!(
            (x.f_number, x.exposure_time, x.lens_model.as_deref()),
            (Some(5.6), Some(0.125), Some("50mm"))
        );
        assert_eq!((x.color_profile.as_deref(), x.city.as_deref()), (Some("Display P3"), Some("Rome")));
        assert_eq!(read(r#"apple:HDRGainMapVersion="65536">"#).gain_map.as_deref(), Some("apple"));
    }

    #[test]
    fn lists_are_bounded() {
        let item = "<rdf:li>Ana</rdf:li>".repeat(5000);
        let x = read(&format!(
            "><Iptc4xmpExt:PersonInImage><rdf:Bag>{item}</rdf:Bag></Iptc4xmpExt:PersonInImage>"
        ));
        assert_eq!(x.persons, ["Ana"]);
        let faces: String = (0..5000).map(|n| format!("<rdf:li MPReg:PersonDisplayName='{n}'/>")).collect();
        let x = read(&format!(
            "><MP:RegionInfo><MPRI:Regions><rdf:Bag>{faces}</rdf:Bag></MPRI:Regions></MP:RegionInfo>"
        ));
        assert!(x.persons.len() <= 256, "{}", x.persons.len());
    }
}
