"""The text files beside the pictures of a local dataset, read and written within its folder and nowhere else."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any

from domain.config.captions import JSON_ENDING, METADATA_FILES, TEXT_ENDINGS
from domain.errors import InvalidInput

MAX_BYTES = 1 << 20


class Sidecars:
    """Of one folder."""

    def __init__(self, folder: Path, *, is_one_caption: bool) -> None:
        self._folder = Path(os.path.realpath(folder))
        self._name = blake2b(os.fsencode(self._folder), digest_size=16).hexdigest()
        self._is_one_caption = is_one_caption

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Sidecars | None":
        """None for a dataset whose captions are not in such files."""
        folder = config.get("instance_data_dir")
        is_local = str(config.get("type", "local")) == "local"
        if not is_local or not folder or (config.get("caption_strategy") or "textfile") != "textfile":
            return None
        return cls(Path(folder), is_one_caption=bool(config.get("disable_multiline_split")))

    def path_of(self, name: str) -> Path | None:
        """The one that counts, or is to be written; None where following links leads out of the folder."""
        try:
            path = self._folder / name
            parent = Path(os.path.realpath(path.parent))
        except ValueError:
            return None
        if not parent.is_relative_to(self._folder):
            return None
        beside = [parent / path.with_suffix(ending).name for ending in TEXT_ENDINGS]
        return next((each for each in beside if os.path.lexists(each)), beside[0])

    def other_file_of(self, name: str) -> str | None:
        """What has the captions of a picture without a text file: JSON beside it, or a table of its folder or one above."""
        picture = PurePosixPath(name)
        beside = [str(picture.with_suffix(JSON_ENDING))]
        tables = [str(folder / table) for folder in picture.parents for table in METADATA_FILES]
        return next((each for each in (*beside, *tables) if (self._folder / each).is_file()), None)

    def read(self, path: Path) -> bytes | None:
        """None when there is no file. Raises InvalidInput for one that is no caption, or lies elsewhere."""
        if not path.exists() and not path.is_symlink():
            return None
        if not Path(os.path.realpath(path)).is_relative_to(self._folder) or not path.is_file():
            raise InvalidInput(f"{path.name!r} is a link that leads elsewhere, or no file; replace it by a file")
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInput(f"{path.name!r} is larger than {MAX_BYTES >> 20} MB, which is no caption")
        return path.read_bytes()

    def captions(self, content: bytes | None) -> tuple[str, ...]:
        """As training reads them: each line one, or the whole."""
        text = (content or b"").decode("utf-8-sig", errors="replace")
        if self._is_one_caption:
            return (text.strip(),) if text.strip() else ()
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    def content(self, captions: tuple[str, ...]) -> bytes | None:
        text = "\n".join(captions)
        return f"{text}\n".encode("utf-8", "replace") if text.strip() else None

    def write(self, path: Path, content: bytes | None) -> None:
        """At once or not at all, while it is locked; None takes the file away. Raises OSError.

        What a kill leaves behind has always the same name, so that the next one to write there takes it away.
        """
        temporary = path.with_name(f".caption-{self._name}")
        temporary.unlink(missing_ok=True)
        if content is None:
            path.unlink(missing_ok=True)
            return
        try:
            mode = path.stat().st_mode & 0o777 if path.is_file() else 0o644
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def locked(self, locks: Path) -> Iterator[None]:
        """One edit of a folder at a time, whichever dataset it is edited as."""
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (locks / f"captions-{self._name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
