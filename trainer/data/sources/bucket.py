"""A bucket of any service that speaks S3."""

import io
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from domain.config.captions import JSON_ENDING, TEXT_ENDINGS
from domain.config.dataset import DatasetConfig, is_picture
from trainer.data.sources.metadata import Metadata, is_metadata, read_metadata
from trainer.data.sources.source import Picture, Source
from trainer.errors import TrainingError
from trainer.secrets import withhold

try:
    from obstore import exceptions
    from obstore.store import S3Store
except ImportError as missing:
    raise TrainingError("buckets need the library obstore; install simpletuner[data]") from missing

if TYPE_CHECKING:
    from obstore.store import S3Config

HEAD_BYTES = 1 << 16
"""What is read first of an object: enough for the size of nearly every picture."""

STATUS = re.compile(r"status code: (\d{3})")
ANSWER = re.compile(r"[\n<]")
"""Where what the library says ends, and what the service answered begins."""

AHEAD = 256
AT_ONCE = 32
PAGE = 1000
RETRIES = 4
SECONDS_OF_RETRIES = 30
USUAL_REGION = "us-east-1"


class Object(NamedTuple):
    num_bytes: int
    version: str


class Bucket:
    """The objects below a prefix, by the rest of their keys."""

    def __init__(self, dataset: DatasetConfig, *, prefix: str) -> None:
        """prefix: whole segments of keys. Keys stand in the dataset's own options; without any, nothing is signed."""
        self.place = f"s3://{posixpath.join(dataset.aws_bucket_name or '', prefix.strip('/'))}"
        self.dataset = dataset.id
        keys = {
            "access_key_id": dataset.aws_access_key_id,
            "secret_access_key": dataset.aws_secret_access_key,
            "session_token": dataset.aws_session_token,
        }
        self._keys = {name: key for name, key in keys.items() if key}
        config: S3Config = {
            "region": dataset.aws_region_name or USUAL_REGION,
            "skip_signature": not self._keys,
            **self._keys,  # type: ignore[typeddict-item]
        }
        if dataset.aws_endpoint_url:
            config["endpoint"] = dataset.aws_endpoint_url
        self._store = S3Store(
            dataset.aws_bucket_name or "",
            prefix=prefix.strip("/") or None,
            config=config,
            client_options={
                "allow_http": (dataset.aws_endpoint_url or "").startswith("http://"),
                "pool_max_idle_per_host": str(dataset.aws_max_pool_connections),
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=SECONDS_OF_RETRIES)},
        )

    @cached_property
    def objects(self) -> Mapping[str, Object]:
        """By name, listed page by page. Raises TrainingError."""
        found: dict[str, Object] = {}
        try:
            with self._explained():
                for page in self._store.list(chunk_size=PAGE):
                    for each in page:
                        etag = (each["e_tag"] or "").strip('"')
                        version = etag or f"{each['last_modified'].timestamp()}-{each['size']}"
                        found[each["path"]] = Object(each["size"], version)
        except OSError as error:
            raise TrainingError(f"dataset {self.dataset!r}: {self.place} {error}") from error
        return found

    def read(self, name: str, start: int, end: int) -> bytes:
        """Raises OSError."""
        if end <= start:
            return b""
        with self._explained():
            return bytes(self._store.get_range(name, start=start, end=end))

    def open(self, name: str, *, head: bytes = b"") -> BinaryIO:
        """head: how the object begins, where that was read already. Raises OSError."""
        if name not in self.objects:
            raise OSError("it is not there")
        return cast(BinaryIO, io.BufferedReader(ObjectFile(self, name, head=head), HEAD_BYTES))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What goes wrong as OSError whose message goes on behind the place, and holds no key."""
        try:
            yield
        except (exceptions.BaseError, OSError, ValueError) as error:
            raise OSError(self._reason(error)) from error

    def _reason(self, error: Exception) -> str:
        """What the service answers is not repeated: it may hold what was signed."""
        status = STATUS.search(str(error))
        match int(status[1]) if status else 0:
            case 401 | 403 if self._keys:
                return "may not be read with these keys; correct aws_access_key_id and aws_secret_access_key, or let them read"
            case 401 | 403:
                return (
                    "may not be read without keys; store them as secrets, and name them in aws_access_key_id and "
                    "aws_secret_access_key"
                )
            case 404:
                return "is not there; correct aws_bucket_name, aws_data_prefix or aws_endpoint_url"
        said = ANSWER.split(str(error), maxsplit=1)[0]
        return f"cannot be read: {' '.join(withhold(said, self._keys).split()):.300}; correct aws_endpoint_url, or try again"


class ObjectFile(io.RawIOBase):
    """The beginning in one request, and all the rest in a second one as soon as any of it is needed."""

    def __init__(self, bucket: Bucket, name: str, *, head: bytes = b"") -> None:
        super().__init__()
        self._bucket = bucket
        self._name = name
        self._size = bucket.objects[name].num_bytes
        self._content = head
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        end = min(self._position + len(buffer), self._size)
        self._fill(end)
        piece = self._content[self._position : end]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _fill(self, end: int) -> None:
        there = len(self._content)
        if end > there:
            upto = min(HEAD_BYTES, self._size) if end <= HEAD_BYTES else self._size
            self._content += self._bucket.read(self._name, there, upto)


class BucketFolder(Source):
    """The pictures in a bucket. What is asked of each of them is fetched for many at once, ahead of the asking."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._metadata: Metadata | None = None
        self._ahead: dict[str, bytes] = {}

    def __str__(self) -> str:
        return self._bucket.place

    def pictures(self) -> Iterator[Picture]:
        names = iter(self._picture_names())
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while chunk := list(islice(names, AHEAD)):
                wanted = [each for name in chunk for each in (name, *self._names_beside(name))]
                read = pool.map(_or_nothing(self._head_of), wanted)
                self._ahead = {name: head for name, head in zip(wanted, read, strict=True) if head is not None}
                yield from map(self.picture, chunk)
        self._ahead = {}

    def picture(self, name: str) -> Picture:
        return Picture(source=self, name=name, version=self._bucket.objects[name].version)

    def open(self, name: str) -> BinaryIO:
        return self._bucket.open(name, head=self._ahead.get(name, b""))

    def read_beside(self, name: str, ending: str) -> bytes | None:
        beside = f"{posixpath.splitext(name)[0]}{ending}"
        if beside not in self._bucket.objects:
            return None
        try:
            with self._bucket.open(beside, head=self._ahead.get(beside, b"")) as file:
                return file.read()
        except OSError as error:
            raise TrainingError(f"dataset {self._bucket.dataset!r}: {self.place_of(beside)} {error}") from error

    def captions_of(self, name: str) -> tuple[str, ...]:
        if self._metadata is None:
            tables = [each for each in self._bucket.objects if is_metadata(each)]
            self._metadata = read_metadata(self, tables=tables, pictures=self._picture_names())
        return self._metadata.of(name)

    def left_out(self) -> Sequence[str]:
        return self._metadata.left_out if self._metadata is not None else ()

    def place_of(self, name: str) -> str:
        return f"{self._bucket.place}/{name}"

    def _picture_names(self) -> list[str]:
        """Hidden files and folders do not count, as on a disk."""
        return sorted(
            name
            for name in self._bucket.objects
            if is_picture(posixpath.basename(name)) and not any(part.startswith(".") for part in name.split("/"))
        )

    def _names_beside(self, name: str) -> Iterator[str]:
        stem = posixpath.splitext(name)[0]
        return (each for ending in (*TEXT_ENDINGS, JSON_ENDING) if (each := stem + ending) in self._bucket.objects)

    def _head_of(self, name: str) -> bytes:
        return self._bucket.read(name, 0, min(HEAD_BYTES, self._bucket.objects[name].num_bytes))


def _or_nothing(read: Callable[[str], bytes]) -> Callable[[str], bytes | None]:
    """What cannot be read now is tried again when it is asked for, and told then."""

    def try_once(name: str) -> bytes | None:
        try:
            return read(name)
        except OSError:
            return None

    return try_once
