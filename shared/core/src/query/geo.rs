//! Places: the points of `LatLong`, and the areas that conditions name.

use crate::error::{Error, Result};

/// Mean radius of the earth, in metres (IUGG).
const EARTH_METRES: f64 = 6_371_008.8;
/// Points of a polygon, at most.
const MAX_POINTS: usize = 1000;

/// Degrees north and east.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Latitude, -90 to 90.
    pub lat: f64,
    /// Longitude, -180 to 180.
    pub long: f64,
}

/// An area on the earth. Its border belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Area {
    /// All points up to a distance in metres, along the great circle.
    Circle(Point, f64),
    /// Between two parallels and two meridians: top left, bottom right. Where the
    /// left is east of the right, the box crosses the 180th meridian.
    Box(Point, Point),
    /// Inside of a polygon with straight sides on the map of degrees. One that
    /// is wider than half of the world is taken to cross the 180th meridian.
    Polygon(Vec<Point>),
}

impl Point {
    /// Reads `"lat,long"`.
    pub fn parse(text: &str) -> Option<Self> {
        let (lat, long) = text.split_once(',')?;
        let point = Self { lat: lat.trim().parse().ok()?, long: long.trim().parse().ok()? };
        let is_valid = (-90.0..=90.0).contains(&point.lat) && (-180.0..=180.0).contains(&point.long);
        is_valid.then_some(point)
    }

    /// The distance in metres.
    pub fn distance(self, other: Self) -> f64 {
        let (lat1, lat2) = (self.lat.to_radians(), other.lat.to_radians());
        let (dlat, dlong) = (lat2 - lat1, (other.long - self.long).to_radians());
        let h = (dlat / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * (dlong / 2.0).sin().powi(2);
        2.0 * EARTH_METRES * h.sqrt().min(1.0).asin()
    }
}

impl Area {
    /// Reads the value of `geo-distance`: `"lat,long;metres"`.
    ///
    /// # Errors
    /// `InvalidArgument` with the form that it must have.
    pub fn circle(value: &str) -> Result<Self> {
        let read = || {
            let (point, metres) = value.split_once(';')?;
            let metres: f64 = metres.trim().parse().ok()?;
            (metres.is_finite() && metres >= 0.0).then_some(())?;
            Some(Self::Circle(Point::parse(point)?, metres))
        };
        read().ok_or_else(|| wrong("geo-distance", value, "\"latitude,longitude;metres\""))
    }

    /// Reads the value of `geo-bounding-box`: `"lat,long;lat,long"`, top left
    /// and bottom right.
    ///
    /// # Errors
    /// `InvalidArgument` with the form that it must have.
    pub fn bounding_box(value: &str) -> Result<Self> {
        let read = || {
            let (top_left, bottom_right) = value.split_once(';')?;
            let (a, b) = (Point::parse(top_left)?, Point::parse(bottom_right)?);
            (a.lat >= b.lat).then_some(Self::Box(a, b))
        };
        read().ok_or_else(|| {
            wrong(
                "geo-bounding-box",
                value,
                "\"latitude,longitude;latitude,longitude\", the top left corner and then the bottom right one",
            )
        })
    }

    /// Reads the value of `geo-polygon`: at least three `"lat,long"` with `;`
    /// between them.
    ///
    /// # Errors
    /// `InvalidArgument` with the form that it must have.
    pub fn polygon(value: &str) -> Result<Self> {
        let points: Option<Vec<Point>> = value.trim_end_matches(';').split(';').map(Point::parse).collect();
        match points {
            Some(points) if (3..=MAX_POINTS).contains(&points.len()) => Ok(Self::Polygon(points)),
            _ => Err(wrong(
                "geo-polygon",
                value,
                "3 to 1000 points \"latitude,longitude\" with semicolons between them",
            )),
        }
    }

    /// Whether a point lies in it.
    pub fn contains(&self, point: Point) -> bool {
        match self {
            Self::Circle(center, metres) => center.distance(point) <= *metres,
            Self::Box(a, b) => {
                let between = if a.long <= b.long {
                    (a.long..=b.long).contains(&point.long)
                } else {
                    point.long >= a.long || point.long <= b.long
                };
                (b.lat..=a.lat).contains(&point.lat) && between
            }
            Self::Polygon(points) => in_polygon(points, point),
        }
    }
}

fn wrong(operation: &str, value: &str, right: &str) -> Error {
    let shown: String = value.chars().take(100).collect();
    Error::invalid_argument(format!("The value {shown:?} of {operation} is not {right}."))
}

/// The even-odd rule, with the border inside.
fn in_polygon(points: &[Point], point: Point) -> bool {
    let longs = points.iter().map(|p| p.long);
    let (west, east) =
        longs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let crosses = east - west > 180.0;
    // East of the 180th meridian goes on counting where the polygon crosses it.
    let x_of = |p: Point| if crosses && p.long < 0.0 { p.long + 360.0 } else { p.long };
    let (x, y) = (x_of(point), point.lat);
    let mut inside = false;
    let ends = points.iter().cycle().skip(1);
    for (a, b) in points.iter().zip(ends) {
        let (ax, ay, bx, by) = (x_of(*a), a.lat, x_of(*b), b.lat);
        let cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
        let on_side =
            cross == 0.0 && (ax.min(bx)..=ax.max(bx)).contains(&x) && (ay.min(by)..=ay.max(by)).contains(&y);
        if on_side {
            return true;
        }
        if (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
            inside = !inside;
        }
    }
    inside
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn areas_contain_points() {
        let circle = |text| Area::circle(text).unwrap();
        let bounds = |text| Area::bounding_box(text).unwrap();
        let polygon = |text| Area::polygon(text).unwrap();
        let table = [
            (circle("48.8584,2.2945;600"), "48.8606,2.2876", true),
            (circle("48.8584,2.2945;500"), "48.8606,2.2876", false),
            (circle("0,179.999;1000"), "0,-179.999", true),
            (circle("90,0;1"), "90,123", true),
            (bounds("49,2;48,3"), "48.5,2.5", true),
            (bounds("49,2;48,3"), "49,3", true),
            (bounds("49,2;48,3"), "48.5,3.1", false),
            (bounds("10,170;-10,-170"), "0,-175", true),
            (bounds("10,170;-10,-170"), "0,0", false),
            (polygon("0,0;0,10;10,10;10,0"), "5,5", true),
            (polygon("0,0;0,10;10,10;10,0"), "10,5", true),
            (polygon("0,0;0,10;10,10;10,0"), "11,5", false),
            (polygon("0,0;10,0;0,10;"), "6,6", false),
            (polygon("-5,175;5,175;5,-175;-5,-175"), "0,-179", true),
            (polygon("-5,175;5,175;5,-175;-5,-175"), "0,0", false),
        ];
        for (area, point, want) in table {
            assert_eq!(area.contains(Point::parse(point).unwrap()), want, "{area:?} {point}");
        }
    }

    #[test]
    fn values_of_a_wrong_form_are_refused() {
        for value in ["", "1,2", "1,2;-5", "91,0;5", "1;2", "1,2;inf", "a,b;3"] {
            assert!(Area::circle(value).is_err(), "{value}");
        }
        for value in ["", "1,2", "1,2;3,4", "1,2;x"] {
            assert!(Area::bounding_box(value).is_err(), "{value}");
        }
        for value in ["", "1,2;3,4", "1,2;3,4;5,999"] {
            assert!(Area::polygon(value).is_err(), "{value}");
        }
    }
}
