"""Lines of a file: its bytes decoded, its line ends made one."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T", bytes, str)

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins as this one does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Fault:
    """A line that cannot be decoded, and why."""

    reason: str


def encoding_of(content: bytes) -> str:
    """What a byte order mark says; UTF-8 without one."""
    return next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")


def lines_of(content: bytes) -> Iterator[str | Fault]:
    """The lines of a file, or one fault where the whole cannot be decoded as its mark says."""
    encoding = encoding_of(content)
    if encoding in ("utf-16", "utf-32"):
        try:
            yield from with_line_feeds(content.decode(encoding)).split("\n")
        except UnicodeDecodeError:
            yield Fault(f"it begins as {encoding} and is none")
        return
    for line in with_line_feeds(content.removeprefix(codecs.BOM_UTF8)).split(b"\n"):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            byte = line[error.start]
            yield Fault(
                f"byte 0x{byte:02X} is no UTF-8: bring the file to UTF-8, with iconv for one"
            )


def with_line_feeds(content: T) -> T:
    """Bytes or text whose lines end with a line feed, be it by a carriage return or both before."""
    if isinstance(content, bytes):
        return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content.replace("\r\n", "\n").replace("\r", "\n")
