//! Persons in pictures: regions of the Metadata Working Group and of Microsoft, and the
//! names of IPTC. Both kinds of regions are relative to the picture as it is stored.

use crate::extra::{Boundary, Extra, Figure, MAX_NAME, MAX_PERSONS};
use crate::text;
use crate::xml::{Element, RDF};

pub(crate) const MWG: &str = "http://www.metadataworkinggroup.com/schemas/regions/";
pub(crate) const MICROSOFT: &str = "http://ns.microsoft.com/photo/1.2/";

/// A region, its box in parts of the picture's sides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    name: Option<String>,
    /// Left, top, width, height.
    area: Option<[f64; 4]>,
}

/// Regions of one packet.
#[derive(Debug, Default, Clone)]
pub(crate) struct Regions {
    list: Vec<Region>,
    /// Sides of the picture that they were drawn on.
    applied: Option<(f64, f64)>,
}

/// Elements in `e`, also where a description of its own holds them.
fn inner<'t, 'a>(e: Element<'t, 'a>) -> impl Iterator<Item = Element<'t, 'a>> {
    e.children().flat_map(|child| {
        let (own, below) = match child.is(RDF, "Description") {
            true => (None, Some(child.children())),
            false => (Some(child), None),
        };
        own.into_iter().chain(below.into_iter().flatten())
    })
}

/// A member of a structure: an attribute or an element, of the structure itself or of the
/// description in it.
pub(crate) fn member(e: Element<'_, '_>, name: &str) -> Option<String> {
    let described = e.children().find(|c| c.is(RDF, "Description"));
    let attribute = e.attribute(name).or_else(|| described.and_then(|d| d.attribute(name)));
    attribute.or_else(|| inner(e).find(|c| c.name() == name)?.text().map(str::to_owned))
}

fn number(e: Element<'_, '_>, name: &str) -> Option<f64> {
    member(e, name)?.trim().parse::<f64>().ok().filter(|v| v.is_finite())
}

fn items<'t, 'a>(e: Element<'t, 'a>) -> impl Iterator<Item = Element<'t, 'a>> {
    e.descendants().filter(|d| d.is(RDF, "li")).take(4 * MAX_PERSONS)
}

impl Regions {
    /// Takes `mwg-rs:Regions` or `MP:RegionInfo`.
    pub(crate) fn read(&mut self, e: Element<'_, '_>) {
        match e.name() {
            "Regions" => self.working_group(e),
            _ => self.microsoft(e),
        }
    }

    pub(crate) fn append(&mut self, other: Regions) {
        if self.list.is_empty() {
            *self = other;
        }
    }

    fn working_group(&mut self, e: Element<'_, '_>) {
        let applied = inner(e).find(|c| c.name() == "AppliedToDimensions");
        self.applied = applied.and_then(|a| Some((number(a, "w")?, number(a, "h")?)));
        for li in inner(e).filter(|c| c.name() == "RegionList").flat_map(items) {
            // Others are pets, points of focus and codes.
            if member(li, "Type").is_some_and(|kind| !kind.trim().eq_ignore_ascii_case("face")) {
                continue;
            }
            let area = inner(li).find(|c| c.name() == "Area");
            // Items of a keyword list within a region are none.
            let name = member(li, "Name").and_then(|n| text::clean(&n, MAX_NAME));
            if area.is_some() || name.is_some() {
                let area = area.and_then(|a| self.area(a));
                self.list.push(Region { name, area });
            }
        }
    }

    /// Centre and sides, or a circle's diameter, in parts of the sides or in pixels.
    fn area(&self, e: Element<'_, '_>) -> Option<[f64; 4]> {
        let (x, y) = (number(e, "x")?, number(e, "y")?);
        let round = number(e, "d");
        let (mut w, mut h) = (number(e, "w").or(round)?, number(e, "h").or(round)?);
        let (mut x, mut y) = (x, y);
        let pixels = member(e, "unit").is_some_and(|unit| unit.trim() == "pixel");
        if let Some((across, down)) = self.applied.filter(|(w, h)| *w > 0.0 && *h > 0.0) {
            if pixels {
                (x, y, w, h) = (x / across, y / down, w / across, h / down);
            } else if round.is_some() {
                // A diameter is a part of the shorter side.
                let side = across.min(down);
                (w, h) = (w * side / across, h * side / down);
            }
        } else if pixels {
            return None;
        }
        (w > 0.0 && h > 0.0).then_some([x - w / 2.0, y - h / 2.0, w, h])
    }

    fn microsoft(&mut self, e: Element<'_, '_>) {
        for li in inner(e).filter(|c| c.name() == "Regions").flat_map(items) {
            let name = member(li, "PersonDisplayName").and_then(|n| text::clean(&n, MAX_NAME));
            let area = member(li, "Rectangle").and_then(|r| {
                let sides: Vec<f64> = r.split(',').filter_map(|n| n.trim().parse().ok()).collect();
                match *sides.as_slice() {
                    [x, y, w, h] if sides.iter().all(|v| v.is_finite()) && w > 0.0 && h > 0.0 => {
                        Some([x, y, w, h])
                    }
                    _ => None,
                }
            });
            if name.is_some() || area.is_some() {
                self.list.push(Region { name, area });
            }
        }
    }

    /// Writes names and figures; `sides` are those of the stored picture.
    pub(crate) fn write(self, extra: &mut Extra, sides: Option<(u32, u32)>, orientation: u32) {
        let mut names: Vec<String> = self.list.iter().filter_map(|r| r.name.clone()).collect();
        names.append(&mut extra.persons);
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        extra.persons = names;
        let Some((w, h)) = sides else { return };
        let sideways = orientation >= 5;
        // Some programs draw on the picture as it is shown, and say so by its sides.
        let shown = sideways && w != h && self.applied == Some((f64::from(h), f64::from(w)));
        let (across, down) = if sideways { (h, w) } else { (w, h) };
        for region in self.list {
            let Some(area) = region.area else { continue };
            let area = if shown { area } else { turned(area, orientation) };
            if let Some(boundary) = boundary(area, f64::from(across), f64::from(down)) {
                extra.figures.push(Figure {
                    figure_type: Some("face".into()),
                    figure_name: region.name,
                    boundary: Some(boundary),
                });
            }
        }
    }
}

/// A box of the stored picture in the displayed one (EXIF's numbers).
fn turned([x, y, w, h]: [f64; 4], orientation: u32) -> [f64; 4] {
    let (right, below) = (1.0 - x - w, 1.0 - y - h);
    match orientation {
        2 => [right, y, w, h],
        3 => [right, below, w, h],
        4 => [x, below, w, h],
        5 => [y, x, h, w],
        6 => [below, x, h, w],
        7 => [below, right, h, w],
        8 => [y, right, h, w],
        _ => [x, y, w, h],
    }
}

/// In pixels, what lies outside cut off.
fn boundary([x, y, w, h]: [f64; 4], across: f64, down: f64) -> Option<Boundary> {
    let px = |part: f64, side: f64| (part.clamp(0.0, 1.0) * side).round() as u32;
    let (left, top) = (px(x, across), px(y, down));
    let (width, height) = (px(x + w, across).checked_sub(left)?, px(y + h, down).checked_sub(top)?);
    (width > 0 && height > 0).then_some(Boundary { left, top, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(sides: (u32, u32), orientation: u32, applied: Option<(f64, f64)>) -> Vec<Boundary> {
        let region = Region { name: Some("A".into()), area: Some([0.1, 0.2, 0.3, 0.4]) };
        let mut extra = Extra::default();
        Regions { list: vec![region], applied }.write(&mut extra, Some(sides), orientation);
        extra.figures.into_iter().filter_map(|f| f.boundary).collect()
    }

    #[test]
    fn boxes_follow_the_picture_as_displayed() {
        let b = |left, top, width, height| vec![Boundary { left, top, width, height }];
        let table = [
            (1, None, b(100, 100, 300, 200)),
            (2, None, b(600, 100, 300, 200)),
            (3, None, b(600, 200, 300, 200)),
            (4, None, b(100, 200, 300, 200)),
            (5, None, b(100, 100, 200, 300)),
            (6, None, b(200, 100, 200, 300)),
            (7, None, b(200, 600, 200, 300)),
            (8, None, b(100, 600, 200, 300)),
            (6, Some((1000.0, 500.0)), b(200, 100, 200, 300)),
            // Drawn on the picture as shown.
            (6, Some((500.0, 1000.0)), b(50, 200, 150, 400)),
        ];
        for (orientation, applied, want) in table {
            assert_eq!(drawn((1000, 500), orientation, applied), want, "{orientation} {applied:?}");
        }
    }

    #[test]
    fn boxes_outside_are_cut_or_left_out() {
        let table = [
            ([-0.1, 0.0, 0.3, 0.5], Some(Boundary { left: 0, top: 0, width: 20, height: 50 })),
            ([1.2, 0.0, 0.3, 0.5], None),
            ([0.0, 0.0, 1e-9, 0.5], None),
            ([f64::MAX, 0.0, 1.0, 1.0], None),
        ];
        for (area, want) in table {
            assert_eq!(boundary(area, 100.0, 100.0), want, "{area:?}");
        }
    }
}
