"""Zip archives whose bytes depend only on the names and contents of the files in them.

Equal archives make equal plans on every machine. Lambda must be able to read every file, whatever
the umask of the machine that packaged it:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-zip.html
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A file in an archive."""

    content: bytes
    is_executable: bool


def read(archive: Path) -> dict[str, File]:
    """The files of an archive, by name."""
    with zipfile.ZipFile(archive) as opened:
        return {
            entry.filename: File(opened.read(entry), bool(entry.external_attr >> 16 & 0o100))
            for entry in opened.infolist()
            if not entry.is_dir()
        }


def write(archive: Path, files: Mapping[str, File]) -> None:
    """Writes files with one order, time and mode, uncompressed.

    Compressed bytes differ between versions of zlib, and so between the machines that package.
    """
    with zipfile.ZipFile(archive, "w") as opened:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whose modes the attributes are
            entry.external_attr = (0o100755 if file.is_executable else 0o100644) << 16
            opened.writestr(entry, file.content)
