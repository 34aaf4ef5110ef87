"""A bucket of any service that speaks S3."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from domain.config.captions import JSON_ENDING, TEXT_ENDINGS
from domain.config.dataset import DatasetConfig, is_picture
from domain.config.rules import bucket_problems
from trainer.data.sources.metadata import Metadata, is_metadata, read_metadata
from trainer.data.sources.ranges import HEAD_BYTES, Ahead, open_part
from trainer.data.sources.shards import SHARD_ENDING, Shelf
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

STATUS = re.compile(r"status code: (\d{3})")
ANSWER = re.compile(r"[\n<]")
"""Where what the library says ends, and what the service answered begins."""

PAGE = 1000
RETRIES = 4
SECONDS_OF_RETRIES = 30
USUAL_REGION = "us-east-1"


class Object(NamedTuple):
    num_bytes: int
    version: str


class Bucket:
    """The objects below a prefix, by the rest of their keys."""

    def __init__(self, dataset: DatasetConfig, *, name: str, prefix: str) -> None:
        """prefix: whole segments of keys. Keys of the service stand in the dataset's own options; without any, nothing is signed."""
        for problem in bucket_problems(dataset):
            raise TrainingError(f"dataset {dataset.id!r}: {problem.message}")
        self.place = f"s3://{posixpath.join(name, prefix.strip('/'))}"
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
            name,
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
        return open_part(partial(self.read, name), self.objects[name].num_bytes, head=head)

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


class BucketFolder(Source):
    """The pictures in a bucket. What is asked of each of them is fetched for many at once, ahead of the asking."""

    def __init__(self, bucket: Bucket, *, counts: Callable[[str], bool] = is_picture) -> None:
        """counts: as in LocalFolder."""
        self._bucket = bucket
        self._counts = counts
        self._metadata: Metadata | None = None
        self._ahead = Ahead(self._head_of)

    def __str__(self) -> str:
        return self._bucket.place

    def pictures(self) -> Iterator[Picture]:
        yield from map(self.picture, self._ahead.over(self._picture_names(), beside=self._names_beside))

    def picture(self, name: str) -> Picture:
        return Picture(source=self, name=name, version=self._bucket.objects[name].version)

    def open(self, name: str) -> BinaryIO:
        return self._bucket.open(name, head=self._ahead.head(name))

    def read_beside(self, name: str, ending: str) -> bytes | None:
        beside = f"{posixpath.splitext(name)[0]}{ending}"
        if beside not in self._bucket.objects:
            return None
        try:
            with self._bucket.open(beside, head=self._ahead.head(beside)) as file:
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
            if self._counts(posixpath.basename(name)) and not any(part.startswith(".") for part in name.split("/"))
        )

    def _names_beside(self, name: str) -> Iterator[str]:
        stem = posixpath.splitext(name)[0]
        return (each for ending in (*TEXT_ENDINGS, JSON_ENDING) if (each := stem + ending) in self._bucket.objects)

    def _head_of(self, name: str) -> bytes:
        return self._bucket.read(name, 0, min(HEAD_BYTES, self._bucket.objects[name].num_bytes))


class BucketShelf(Shelf):
    """Archives in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def __str__(self) -> str:
        return self._bucket.place

    @property
    def is_far(self) -> bool:
        return True

    def shards(self) -> Mapping[str, tuple[int, str]]:
        found = {name: each for name, each in sorted(self._bucket.objects.items()) if name.endswith(SHARD_ENDING)}
        if not found:
            raise TrainingError(
                f"dataset {self._bucket.dataset!r}: source is {self._bucket.place}, where there is no {SHARD_ENDING} "
                "archive; correct it"
            )
        return {name: (each.num_bytes, each.version) for name, each in found.items()}

    def read(self, shard: str, start: int, end: int) -> bytes:
        return self._bucket.read(shard, start, end)
