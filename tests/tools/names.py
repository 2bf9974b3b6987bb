"""A folder of 200 files of several kinds with names that tools go wrong over,
and one that is large enough to be sent in parts."""

import os
import random
from pathlib import Path

from support.media import jpeg, png

#: The bytes of the large file; by hand, MEDIADEX_TOOLS_LARGE=200000000.
LARGE = int(os.environ.get("MEDIADEX_TOOLS_LARGE", 20_000_000))
FILES = 200
#: In two folders and at the top: each may be a folder's name as well.
FOLDERS = ["", "plain", "two words", "plus+plus", "北京", "cafe\u0301", "café", "émoji 🎉", ".hidden", "a&b=c?d#e"]
NAMES = [
    "plain.txt",
    "two words.txt",
    " leading and trailing ",
    "plus+plus.txt",
    "percent%20.txt",
    "100%.txt",
    "ampersand&equals=.txt",
    "question?.txt",
    "hash#.txt",
    "apostrophe's.txt",
    'quote".txt',
    "brackets[1]{2}(3).txt",
    "<less & greater>.txt",
    "semicolon;comma,.txt",
    "colon:at@.txt",
    "tilde~star*bang!.txt",
    "dollar$caret^.txt",
    "pipe|.txt",
    "cafe\u0301.txt",
    "café.txt",
    "北京 照片.txt",
    "📷 🦀.txt",
    "👩‍👩‍👧.txt",
    "مرحبا.txt",
    ".dot.txt",
    "..dots.txt",
    "dots...",
    "-dash.txt",
    "--help",
    "no extension",
    "UPPER.TXT",
    "upper.txt",
    "&#128247;.txt",
    "&amp;.txt",
    "l" * 251 + ".txt",
    "照" * 84 + ".a",
]


def fill(folder: Path, more: tuple[str, ...] = ()) -> None:
    """Writes the files; all are different."""
    chance = random.Random(17)
    folder.mkdir()
    places = [(place, name) for name in [*NAMES, *more] for place in FOLDERS]
    chance.shuffle(places)
    # Every name and every folder, whatever the shuffle says.
    first = [("", name) for name in [*NAMES, *more]] + [(place, "plain.txt") for place in FOLDERS]
    chosen = list(dict.fromkeys([*first, *places]))[: FILES - 1]
    for index, (place, name) in enumerate(chosen):
        path = folder / place / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content(index))
    (folder / "large + file.bin").write_bytes(chance.randbytes(LARGE))


def content(index: int) -> bytes:
    match index % 4:
        case 0:
            return png(index + 1, 2)
        case 1:
            return jpeg(index + 1, 3, Make="Canon", Model=f"no {index}")
        case 2:
            return f"text {index}\n".encode() * (index + 1)
        case _:
            # Some are empty.
            return b"" if index % 8 == 3 else bytes([index % 256]) * index


def files(folder: Path) -> dict[str, int]:
    """Paths and sizes of the files in a folder."""
    return {
        str((Path(at) / name).relative_to(folder)): (Path(at) / name).stat().st_size
        for at, _, names in os.walk(folder)
        for name in names
    }
