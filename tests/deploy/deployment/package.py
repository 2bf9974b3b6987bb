"""What `sam package` does: every function's code as a zip in a bucket, and a
copy of the template that names the zips."""

import os
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATE = REPOSITORY / "template.yaml"
CODE = re.compile(r"^( *CodeUri: )target/lambda/([a-z-]+)/$", re.MULTILINE)


def lambda_directory() -> Path:
    """Where the built functions are, each as `<function>/bootstrap`."""
    return Path(os.environ.get("MEDIADEX_LAMBDA_DIR") or REPOSITORY / "target" / "lambda").resolve()


def functions() -> list[str]:
    """The functions of the template, by the names of their binaries."""
    return [found[2] for found in CODE.finditer(TEMPLATE.read_text(encoding="utf-8"))]


def package(s3, bucket: str, folder: Path) -> str:
    """Uploads the functions and gives the template that deploys them."""
    template = TEMPLATE.read_text(encoding="utf-8")
    assert template.count("CodeUri: ") == len(functions()), "a CodeUri is written in another way"

    def upload(name: str) -> None:
        path = folder / f"{name}.zip"
        write_zip(path, lambda_directory() / name / "bootstrap")
        s3.upload_file(str(path), bucket, path.name)
        path.unlink()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(upload, functions()))
    return CODE.sub(rf"\1s3://{bucket}/\2.zip", template)


def write_zip(path: Path, bootstrap: Path) -> None:
    """A zip as cargo-lambda makes it, but quicker."""
    if not bootstrap.is_file():
        raise FileNotFoundError(
            f"{bootstrap}: build the functions first (see .ci/run), or name their directory in MEDIADEX_LAMBDA_DIR"
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, bootstrap.read_bytes())
