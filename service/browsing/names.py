"""Names for new files and folders: good on this machine, and on those that the folder may be copied to."""

import re
import unicodedata

from domain.errors import InvalidInput

MAX_NAME_BYTES = 230
"""File systems take 255; numbers may have to be added."""

FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL
)
"""What Windows takes for devices, whatever ending follows."""

NUMBERED = re.compile(r" \(([1-9][0-9]{0,3})\)$")


def checked_name(written: str, *, key: str) -> str:
    """The name as it is written to disk. Raises InvalidInput for one that could not be used everywhere."""
    name = unicodedata.normalize("NFC", written).strip()
    if not name:
        raise InvalidInput(f"{key} is empty; give a name", path=(key,))
    found = FORBIDDEN.search(name)
    if found:
        raise InvalidInput(
            f"{key} is {written!r:.200}, which holds {found.group()!r}; a name may not contain any of "
            '/ \\ : * ? " < > | or control characters',
            path=(key,),
        )
    if name.startswith(".") or name.endswith("."):
        raise InvalidInput(f"{key} is {written!r:.200}, which begins or ends with a dot; leave it out", path=(key,))
    if RESERVED.fullmatch(name):
        raise InvalidInput(f"{key} is {written!r:.200}, which Windows keeps for devices; choose another", path=(key,))
    if len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidInput(
            f"{key} is {written[:40]!r}… of {len(name.encode())} bytes; a name has at most {MAX_NAME_BYTES}",
            path=(key,),
        )
    return name


def safe_name(written: str) -> str:
    """The nearest name that can be used everywhere, for what somebody else has chosen; not for `..`."""
    name = FORBIDDEN.sub("_", unicodedata.normalize("NFC", written)).strip().rstrip(". ")
    if RESERVED.fullmatch(name) or not name or is_hidden(name):
        name = f"_{name}"
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, ending = split_ending(name)
    ending = _cut(ending, MAX_NAME_BYTES // 2)
    return _cut(stem, MAX_NAME_BYTES - len(ending.encode())).strip() + ending


def _cut(text: str, num_bytes: int) -> str:
    return text.encode()[:num_bytes].decode(errors="ignore")


def is_hidden(name: str) -> bool:
    return name.startswith(".")


def numbered(name: str, number: int) -> str:
    """`cat.png`, `cat (2).png`, `cat (3).png`."""
    if number == 1:
        return name
    stem, ending = split_ending(name)
    return f"{stem} ({number}){ending}"


def number_in(name: str) -> int:
    """1 for a name without one."""
    found = NUMBERED.search(split_ending(name)[0])
    return int(found.group(1)) if found else 1


def split_ending(name: str) -> tuple[str, str]:
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem else (name, "")
