"""SimpleQuery beyond scalars (nested, places, aggregations), FuzzyQuery, SemanticQuery."""

import pytest
from alibabacloud_imm20200930 import models
from support.raw import Request
from support.space import Space, all_of, any_of, none_of, where

PARIS = models.Address(country="France", city="Paris", address_line="Paris, France")
LYON = models.Address(country="France", city="Lyon", address_line="Lyon, France")
TOKYO = models.Address(country="Japan", city="Tokyo", address_line="東京都, Japan")

FILES = {
    "trip/eiffel.jpg": {"lat_long": "48.8584,2.2945", "addresses": [PARIS], "produce_time": "2023-06-05T10:00:00+02:00",
        "title": "Eiffel tower at night", "custom_labels": {"Category": "Sights"}, "media_type": "image"},
    "trip/fourviere.jpg": {"lat_long": "45.7623,4.8222", "addresses": [LYON], "produce_time": "2023-07-01T10:00:00Z",
        "title": "Basilica", "custom_labels": {"category": "sights"}, "media_type": "image"},
    "trip/shibuya.mp4": {"lat_long": "35.6595,139.7005", "addresses": [TOKYO, PARIS], "produce_time": "2022-12-31T23:59:59Z",
        "title": "渋谷の夜", "custom_labels": {"Category": "Nightlife"}, "media_type": "video"},
    "notes/plan.txt": {"title": "Plan of the trip", "artist": "Ann Example"},
}  # fmt: skip
EIFFEL, FOURVIERE, SHIBUYA, PLAN = FILES
ALL = set(FILES)


@pytest.fixture(scope="module")
def trip(cloud):
    space = Space(cloud, "trip")
    uris = {key: space.put(key, b"." * (10 * index)) for index, key in enumerate(FILES)}
    space.bind()
    space.imm.batch_update_file_meta(
        models.BatchUpdateFileMetaRequest(
            files=[models.InputFile(uri=uris[key], **values) for key, values in FILES.items()], **space.names
        )
    )
    return space


def nested(*conditions):
    return models.SimpleQuery(operation="nested", sub_queries=list(conditions))


CITY, COUNTRY = "Addresses.City", "Addresses.Country"
CONDITIONS = {
    "any element": (all_of(where(CITY, "eq", "Paris"), where(COUNTRY, "eq", "Japan")), {SHIBUYA}),
    "one element": (nested(all_of(where(CITY, "eq", "Paris"), where(COUNTRY, "eq", "Japan"))), set()),
    "one element, a match": (nested(all_of(where(CITY, "eq", "Paris"), where(COUNTRY, "eq", "France"))), {EIFFEL, SHIBUYA}),
    "not in one element": (nested(none_of(where(COUNTRY, "eq", "France"))), {SHIBUYA}),
    "no element": (none_of(nested(where(COUNTRY, "eq", "France"))), {PLAN}),
    "circle": (where("LatLong", "geo-distance", "48.8566,2.3522;10000"), {EIFFEL}),
    "wide circle": (where("LatLong", "geo-distance", "48.8566,2.3522;500000"), {EIFFEL, FOURVIERE}),
    "box": (where("LatLong", "geo-bounding-box", "50,0;45,5"), {EIFFEL, FOURVIERE}),
    "box over the date line": (where("LatLong", "geo-bounding-box", "50,100;30,-100"), {SHIBUYA}),
    "polygon": (where("LatLong", "geo-polygon", "44,3;44,7;49,5"), {FOURVIERE}),
    "place and label": (all_of(where("LatLong", "exist"), where("CustomLabels.CATEGORY", "eq", "SIGHTS")), {EIFFEL, FOURVIERE}),
    "s3 and oss": (any_of(where("URI", "prefix", "s3://nowhere/"), where("Filename", "eq", PLAN)), {PLAN}),
    "words": (models.SimpleQuery(operation="fuzzy", value="tow eiff"), set()),
    "words, the last begun": (models.SimpleQuery(operation="fuzzy", value="eiffel tow"), {EIFFEL}),
}


@pytest.mark.parametrize(("condition", "found"), CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(trip, condition, found):
    assert set(trip.keys(condition)) == found


def test_an_object_is_found_by_either_scheme(trip):
    for scheme in ("s3", "oss"):
        assert trip.keys(where("URI", "eq", f"{scheme}://{trip.bucket}/{PLAN}")) == [PLAN]


def aggregate(space, *aggregations, condition=None, **more):
    asked = [models.SimpleQueryRequestAggregations(field=field, operation=operation) for field, operation in aggregations]
    return space.query(condition, aggregations=asked, **more)


def test_every_aggregation_in_one_call(trip):
    page = aggregate(
        trip,
        ("Size", "min"),
        ("Size", "max"),
        ("Size", "average"),
        ("Size", "sum"),
        ("LatLong", "count"),
        (COUNTRY, "distinct"),
        (COUNTRY, "group"),
        ("CustomLabels.category", "group"),
        ("ProduceTime", "date_histogram:month"),
        ("ProduceTime", "max"),
    )
    assert not page.files
    assert page.total_hits == len(FILES)
    assert [item.value for item in page.aggregations[:6]] == [0, 30, 15, 60, 3, 2]
    groups = [[(group.value, group.count) for group in item.groups] for item in page.aggregations[6:9]]
    assert groups == [
        [("France", 3), ("Japan", 1)],
        [("Sights", 2), ("Nightlife", 1)],
        [("2022-12-01T00:00:00Z", 1), ("2023-06-01T00:00:00Z", 1), ("2023-07-01T00:00:00Z", 1)],
    ]
    assert page.aggregations[9].value == 1688205600000


def test_aggregations_are_over_what_satisfies_the_query(trip):
    page = aggregate(trip, ("Size", "sum"), condition=where(COUNTRY, "eq", "Japan"))
    assert [item.value for item in page.aggregations] == [20]
    page = aggregate(trip, ("Filename", "group"), max_results=2)
    assert [(group.value, group.count) for group in page.aggregations[0].groups] == [(PLAN, 1), (EIFFEL, 1)]


WRONG = {
    "unknown field": (where("Colour", "eq", "red"), 'no field "Colour"'),
    "wrong case": (where("size", "eq", "1"), "Did you mean Size?"),
    "wrong operator": (where("Size", "prefix", "1"), "does not apply to the field Size"),
    "no number": (where("Size", "gt", "big"), "is not a number"),
    "no time": (where("ProduceTime", "gt", "June"), "RFC 3339"),
    "no circle": (where("LatLong", "geo-distance", "Paris"), "latitude,longitude;metres"),
    "no box": (where("LatLong", "geo-bounding-box", "1,2;3,4"), "top left"),
    "two points": (where("LatLong", "geo-polygon", "1,2;3,4"), "3 to 1000 points"),
    "nested scalar": (nested(where("Size", "eq", "1")), "Size cannot stand in nested"),
    "unknown operator": (where("Size", "near", "1"), 'no operation "near"'),
}


@pytest.mark.parametrize(("condition", "text"), WRONG.values(), ids=WRONG)
def test_errors_say_what_would_be_right(trip, condition, text):
    with pytest.raises(Exception) as caught:
        trip.query(condition)
    assert caught.value.code == "InvalidArgument"
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("field", "operation", "text"),
    [
        ("Title", "sum", "use count, distinct or group"),
        ("Size", "median", 'no aggregation "median"'),
        ("Colour", "count", 'no field "Colour"'),
    ],
)
def test_wrong_aggregations(trip, field, operation, text):
    with pytest.raises(Exception) as caught:
        aggregate(trip, (field, operation))
    assert text in caught.value.message


def test_limits(trip):
    deep = where("Size", "eq", "1")
    for _ in range(5):
        deep = all_of(deep)
    for request in (
        {"condition": deep},
        {"condition": any_of(*[where("Size", "eq", "1")] * 101)},
        {"sort": "Size,Filename,ETag,Title,Artist,Album"},
    ):
        with pytest.raises(Exception) as caught:
            trip.query(**request)
        assert caught.value.code == "LimitExceededError"
    with pytest.raises(Exception) as caught:
        trip.query(max_results=101)
    assert caught.value.code == "InvalidMaxResults"


def test_parts_of_fields(cloud, trip):
    params = {"ProjectName": trip.project, "DatasetName": trip.dataset, "WithFields": ["Addresses.City", "Filename"]}
    query = {"Field": "Filename", "Operation": "eq", "Value": SHIBUYA}
    reply = Request("SimpleQuery", {**params, "Query": query, "WithStats": "true"}).send(cloud).body
    assert reply["Files"] == [{"Filename": SHIBUYA, "Addresses": [{"City": "Tokyo"}, {"City": "Paris"}]}]
    assert reply["Stats"]["ReadUnits"] > 0


def fuzzy(space, query, **more):
    return space.imm.fuzzy_query(models.FuzzyQueryRequest(query=query, **space.names, **more)).body


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("eiffel", {EIFFEL}),
        ("EIFFEL nig", {EIFFEL}),
        ("trip", ALL),
        ("trip sights", {EIFFEL, FOURVIERE}),
        ("paris", {EIFFEL, SHIBUYA}),
        ("渋谷", {SHIBUYA}),
        ("東京", {SHIBUYA}),
        ("ann exam", {PLAN}),
        ("ann eiffel", set()),
        ("nothing like it", set()),
    ],
)
def test_fuzzy_query(trip, query, found):
    page = fuzzy(trip, query)
    assert {file.filename for file in page.files or []} == found
    assert page.total_hits == len(found)


def test_fuzzy_pages_and_orders(trip):
    names, token = [], ""
    while True:
        page = fuzzy(trip, "trip", max_results=1, next_token=token)
        names += [file.filename for file in page.files]
        token = page.next_token
        if not token:
            break
    # The title weighs more than the path.
    assert names[0] == PLAN
    assert sorted(names) == sorted(FILES)
    by_size = [file.filename for file in fuzzy(trip, "trip", sort="Size", order="asc").files]
    assert by_size == [EIFFEL, FOURVIERE, SHIBUYA, PLAN]
    with pytest.raises(Exception) as caught:
        fuzzy(trip, " ?! ")
    assert caught.value.code == "InvalidQuery"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("photos in Paris in 2023", {EIFFEL}),
        ("videos before 2023", {SHIBUYA}),
        ("sights in France", {EIFFEL, FOURVIERE}),
        ("2023年的照片", {EIFFEL, FOURVIERE}),
        ("2023年6月", {EIFFEL}),
        ("在東京拍的视频", {SHIBUYA}),
        ("eiffel tower", {EIFFEL}),
    ],
)
def test_semantic_query(trip, query, found):
    request = models.SemanticQueryRequest(query=query, **trip.names)
    assert {file.filename for file in trip.imm.semantic_query(request).body.files or []} == found


def test_the_parse_is_shown(cloud, trip):
    names = {"ProjectName": trip.project, "DatasetName": trip.dataset}
    reply = Request("SemanticQuery", {**names, "Query": "photos of sights in Paris in 2023"}).send(cloud).body
    assert reply["Parse"]["MediaTypes"] == ["image"]
    assert reply["Parse"]["Places"] == ["Paris"]
    assert reply["Parse"]["Time"]["From"] == "2023-01-01T00:00:00Z"
    assert reply["Parse"]["Labels"] == ["sights"]
    reply = Request("SemanticQuery", {**names, "Query": "tower"}).send(cloud).body
    assert reply["Parse"] == {"Fallback": "FuzzyQuery"}
    images = Request("SemanticQuery", {**names, "Query": "trip", "MediaTypes": ["video"]}).send(cloud).body["Files"]
    assert [file["Filename"] for file in images] == [SHIBUYA]
    for params, code in (({}, "MissingQuery"), ({"SourceURI": "oss://a/b"}, "InvalidSourceURI")):
        assert Request("SemanticQuery", {**names, **params}).send(cloud).code == code
