"""SimpleQuery: pages, orders, operators, fields, totals."""

import pytest
from alibabacloud_imm20200930 import models
from support.cloud import eventually
from support.media import jpeg, png
from support.raw import Request
from support.space import Space, all_of, any_of, none_of, where

MANY = 250


@pytest.fixture(scope="module")
def many(cloud):
    """250 small files: sizes that repeat, names that sort."""
    space = Space(cloud, "many")
    for index in range(MANY):
        space.put(f"{index % 7}/file-{index:03}.txt", b"." * (index % 10))
    space.bind()
    assert space.count() == MANY
    return space


def all_pages(space, **request):
    """Everything that a query finds, page by page, and the totals that it gave."""
    files, totals, token = [], [], ""
    for _ in range(2 * MANY):
        page = space.query(next_token=token, **request)
        files += page.files or []
        totals.append(page.total_hits)
        token = page.next_token
        if not token:
            return files, totals
    raise AssertionError("there is no last page")


def expected(key=None, reverse=False):
    names = [f"{index % 7}/file-{index:03}.txt" for index in range(MANY)]
    return sorted(names, key=key, reverse=reverse)


def size_of(name: str) -> int:
    return int(name[-7:-4]) % 10


@pytest.mark.parametrize("page_size", [1, 7, 50, 100])
def test_pages_have_no_duplicate_and_no_gap(many, page_size):
    files, totals = all_pages(many, max_results=page_size)
    # By URI where nothing is said.
    assert [file.filename for file in files] == expected()
    assert set(totals) == {MANY}
    assert len(totals) == -(-MANY // page_size)


ORDERS = {
    "Size desc by default": (("Size", None), lambda name: (-size_of(name), name)),
    "Size asc": (("Size", "asc"), lambda name: (size_of(name), name)),
    "Size desc": (("Size", "desc"), lambda name: (-size_of(name), name)),
    "Size asc, Filename asc": (("Size,Filename", "asc,asc"), lambda name: (size_of(name), name)),
    "Filename asc": (("Filename", "asc"), None),
}


@pytest.mark.parametrize(("request_of", "key"), ORDERS.values(), ids=ORDERS)
def test_orders(many, request_of, key):
    sort, order = request_of
    files, _ = all_pages(many, sort=sort, order=order, max_results=33)
    assert [file.filename for file in files] == expected(key)


def test_descending_by_two_fields(many):
    files, _ = all_pages(many, sort="Size,Filename", order="desc,desc", max_results=100)
    names = [file.filename for file in files]
    assert names == sorted(names, key=lambda name: (size_of(name), name), reverse=True)
    assert sorted(names) == expected()


def test_a_filter_is_paged_alike(many):
    files, totals = all_pages(many, condition=where("Filename", "prefix", "3/"), max_results=10)
    wanted = [name for name in expected() if name.startswith("3/")]
    assert [file.filename for file in files] == wanted
    assert set(totals) == {len(wanted)}


def test_pages_outlive_changes(many):
    """Files that come behind the page are seen, those before it are not; nothing is doubled."""
    first = many.query(max_results=100, sort="Filename", order="asc")
    many.put("0/a-new-first.txt")
    many.put("9/a-new-last.txt")
    eventually(lambda: many.query(where("Filename", "eq", "9/a-new-last.txt")).files)
    eventually(lambda: many.query(where("Filename", "eq", "0/a-new-first.txt")).files)
    names, token = [file.filename for file in first.files], first.next_token
    while token:
        page = many.query(max_results=100, sort="Filename", order="asc", next_token=token)
        names += [file.filename for file in page.files]
        token = page.next_token
    for key in ("0/a-new-first.txt", "9/a-new-last.txt"):
        many.s3.delete_object(Bucket=many.bucket, Key=key)
    eventually(lambda: many.count() == MANY)
    assert names == [*expected(), "9/a-new-last.txt"]


def test_a_token_is_of_its_query_alone(many):
    token = many.query(max_results=10).next_token
    for request in ({"sort": "Size"}, {"condition": where("Size", "gt", "1")}):
        with pytest.raises(Exception) as caught:
            many.query(max_results=10, next_token=token, **request)
        assert caught.value.code == "InvalidNextToken"


def test_totals_can_be_left_out(many):
    assert many.query(max_results=1).total_hits == MANY
    page = many.query(max_results=1, without_total_hits=True)
    assert page.total_hits is None
    assert len(page.files) == 1
    assert page.next_token


def test_page_sizes(many):
    assert len(many.query().files) == 100
    assert len(many.query(max_results=0).files) == 100
    nothing = many.query(where("Size", "gt", "1000"))
    assert (nothing.files or [], nothing.total_hits, nothing.next_token or "") == ([], 0, "")


def test_with_fields(cloud, many):
    # Sent by hand: the SDK makes empty lists of what is not in a reply.
    params = {"ProjectName": many.project, "DatasetName": many.dataset, "WithFields": ["URI", "Size"]}
    files = Request("SimpleQuery", {**params, "MaxResults": "3"}).send(cloud).body["Files"]
    assert [set(file) for file in files] == [{"URI", "Size"}] * 3


@pytest.fixture(scope="module")
def mixed(cloud):
    """A few files of which much is known."""
    space = Space(cloud, "mixed")
    canon = jpeg(4000, 3000, Make="Canon", Model="EOS 5D", DateTimeOriginal="2021:06:29 14:50:13", OffsetTimeOriginal="+08:00")
    nikon = jpeg(1920, 1080, Make="Nikon", DateTimeOriginal="2019:01:02 03:04:05", OffsetTimeOriginal="+00:00")
    files = {
        "Holiday/sun set.jpg": canon,
        "Holiday/beach.jpg": nikon,
        "work/chart.png": png(300, 200),
        "work/北京 plan.txt": "北京".encode(),
        "empty": b"",
    }
    uris = {key: space.put(key, body) for key, body in files.items()}
    space.bind()
    labels = {"Holiday/sun set.jpg": "Sea", "Holiday/beach.jpg": "sea side", "work/chart.png": "Office"}
    space.imm.batch_update_file_meta(
        models.BatchUpdateFileMetaRequest(
            files=[
                models.InputFile(uri=uris[key], custom_id=f"id-{label}", custom_labels={"Category": label})
                for key, label in labels.items()
            ],
            **space.names,
        )
    )
    space.sizes = {key: len(body) for key, body in files.items()}
    return space


SUN, BEACH, CHART, PLAN, EMPTY = "Holiday/sun set.jpg", "Holiday/beach.jpg", "work/chart.png", "work/北京 plan.txt", "empty"
OPERATORS = [
    (where("ImageWidth", "eq", "4000"), {SUN}),
    (where("ImageWidth", "gt", "1920"), {SUN}),
    (where("ImageWidth", "gte", "1920"), {SUN, BEACH}),
    (where("ImageWidth", "lt", "1920"), {CHART}),
    (where("ImageWidth", "lte", "1920"), {BEACH, CHART}),
    (where("ImageWidth", "lt", "1920.5"), {BEACH, CHART}),
    (where("Size", "eq", "0"), {EMPTY}),
    (where("Filename", "prefix", "Holiday/"), {SUN, BEACH}),
    (where("Filename", "prefix", "holiday/"), set()),
    (where("Filename", "match-phrase", "holiday Sun"), {SUN}),
    (where("Filename", "match-phrase", "sun holiday"), set()),
    (where("Filename", "match-phrase", "北京"), {PLAN}),
    (where("Filename", "gt", "work/chart.png"), {PLAN}),
    (where("ContentType", "eq", "image/png"), {CHART}),
    (where("MediaType", "eq", "image"), {SUN, BEACH, CHART}),
    (where("ProduceTime", "eq", "2021-06-29T06:50:13Z"), {SUN}),
    (where("ProduceTime", "lt", "2020-01-01T00:00:00Z"), {BEACH}),
    (where("ProduceTime", "exist"), {SUN, BEACH}),
    (where("EXIF.Make", "eq", "Canon"), {SUN}),
    (where("EXIF.Make", "exist"), {SUN, BEACH}),
    (where("CustomLabels.Category", "eq", "sea"), {SUN}),
    (where("CustomLabels.category", "prefix", "SEA"), {SUN, BEACH}),
    (where("CustomLabels.Category", "match-phrase", "side"), {BEACH}),
    (where("CustomLabels.other", "exist"), set()),
    (where("CustomId", "eq", "id-Office"), {CHART}),
    (all_of(where("MediaType", "eq", "image"), where("ImageWidth", "lt", "2000")), {BEACH, CHART}),
    (any_of(where("Size", "eq", "0"), where("ImageWidth", "eq", "300")), {EMPTY, CHART}),
    (none_of(where("MediaType", "eq", "image")), {PLAN, EMPTY}),
    (none_of(where("Size", "eq", "0"), where("ImageWidth", "exist")), {PLAN}),
    (all_of(any_of(where("EXIF.Make", "eq", "Canon"), where("EXIF.Make", "eq", "Nikon")), none_of(where("ImageWidth", "gt", "2000"))), {BEACH}),
]


@pytest.mark.parametrize(("condition", "found"), OPERATORS, ids=[str(index) for index in range(len(OPERATORS))])
def test_operators(mixed, condition, found):
    page = mixed.query(condition)
    assert {file.filename for file in page.files or []} == found
    assert page.total_hits == len(found)


def test_missing_values_come_last_either_way(mixed):
    for order, with_value in (("asc", [BEACH, SUN]), ("desc", [SUN, BEACH])):
        names = mixed.keys(sort="ProduceTime", order=order)
        assert names[:2] == with_value
        assert set(names[2:]) == {CHART, PLAN, EMPTY}


def test_a_sort_by_labels(mixed):
    assert mixed.keys(where("CustomLabels.Category", "exist"), sort="CustomLabels.Category", order="asc") == [
        CHART,
        SUN,
        BEACH,
    ]
