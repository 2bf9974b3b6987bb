"""Whether a reply has the members and types that the SDK's models declare.

Python's models take whatever comes. Those of typed languages do not: the SDK
for TypeScript refuses a text where it expects a number, and Go and Java fail
on a fraction where they expect a whole number. The declarations are the same,
generated from one description, so what fits Python's annotations fits theirs.
"""

import functools
import pathlib
import re
import typing


def _fields_beyond_imm() -> dict[str, set[str]]:
    """The fields that docs/fields.md lists, by the SDK's model."""
    text = (pathlib.Path(__file__).parents[3] / "docs" / "fields.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    names = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(names) > 40, names
    streams = {name.partition("[].")[2] for name in names if name.startswith("VideoStreams[].")}
    return {"File": {name for name in names if "." not in name}, "VideoStream": streams}


# What mediadex tells beyond the newest SDK. Every SDK passes over it.
MORE = {
    **_fields_beyond_imm(),
    "Figure": {"FigureName"},
    # What Java's model has instead of Reason.
    "Binding": {"Detail"},
    "SemanticQueryResponseBody": {"Parse", "TotalHits"},
    "TaskInfo": {"ProjectName", "EventId"},
}


class _Anything(list):
    """A value that any member takes: a list, a mapping or a model that is not empty."""

    def __init__(self, *items):
        super().__init__(items)

    def to_map(self):
        return {"is": "set"}

    def items(self):
        return [("is", _Anything())]


@functools.cache
def members(model) -> dict[str, object]:
    """The type of each member of a model, by the name that it has on the wire."""
    types = typing.get_type_hints(model.__init__)
    unset = model().to_map()
    found = {}
    for attribute, kind in types.items():
        if attribute in ("self", "return"):
            continue
        instance = model()
        setattr(instance, attribute, _Anything(_Anything()))
        names = [name for name, value in instance.to_map().items() if value != unset.get(name)]
        assert len(names) == 1, (model, attribute, names)
        found[names[0]] = kind
    return found


def misfits(value, kind, place: str, is_newest: bool) -> list[str]:
    """What in a value is not as its type says; members that an older SDK does
    not know are none of it."""
    origin = typing.get_origin(kind)
    if kind is typing.Any:
        return []
    if origin is list:
        if not isinstance(value, list):
            return [f"{place}: {value!r} is not a list"]
        (item,) = typing.get_args(kind)
        return [one for index, each in enumerate(value) for one in misfits(each, item, f"{place}[{index}]", is_newest)]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{place}: {value!r} is not an object"]
        _, item = typing.get_args(kind)
        return [one for name, each in value.items() for one in misfits(each, item, f"{place}.{name}", is_newest)]
    if kind in (str, bool, int, float):
        # A number may be a whole one, and True is none of them.
        allowed = (int, float) if kind is float else (kind,)
        fits = isinstance(value, allowed) and (kind is bool or not isinstance(value, bool))
        return [] if fits else [f"{place}: {value!r} is not {kind.__name__}"]
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is not an object"]
    declared = members(kind)
    found = []
    for name, each in value.items():
        if name in declared:
            found += misfits(each, declared[name], f"{place}.{name}", is_newest)
        elif is_newest and name not in MORE.get(kind.__name__, ()):
            found.append(f"{place}.{name}: not a member of {kind.__name__}")
    return found


def check(action: str, body: dict, is_newest: bool) -> None:
    """Fails with everything in a reply that its model does not declare."""
    from alibabacloud_imm20200930 import models

    model = getattr(models, f"{action}ResponseBody", None)
    # Operations of our own have none.
    if model is not None:
        found = misfits(body, model, action, is_newest)
        assert not found, "\n".join(found)
