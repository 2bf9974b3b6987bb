"""That the check of every reply's members and types finds what it is for."""

import pytest

from support import shapes

FINE = {"RequestId": "a", "Files": [{"Size": 1, "Duration": 1, "CustomLabels": {"a": "b"}}]}


def test_what_is_declared_passes():
    shapes.check("SimpleQuery", FINE, True)


@pytest.mark.parametrize(
    "file",
    [
        {"Size": "1"},
        {"Size": 1.5},
        {"Size": True},
        {"Size": None},
        {"Duration": "1.5"},
        {"URI": 1},
        {"CustomLabels": []},
        {"CustomLabels": None},
        {"Addresses": {}},
        {"Addresses": ["Paris"]},
        {"Addresses": [{"City": 1}]},
        {"ImageScore": "1"},
        {"Sise": 1},
    ],
    ids=str,
)
def test_anything_else_is_found(file):
    with pytest.raises(AssertionError, match=r"SimpleQuery\.Files\[0\]"):
        shapes.check("SimpleQuery", {"Files": [file]}, True)


def test_an_older_sdk_does_not_know_every_member():
    shapes.check("SimpleQuery", {"Files": [{"Sise": 1}]}, False)
