"""Pictures in a bucket, over real HTTP with signed requests."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from domain.config.buckets import Geometry
from domain.config.checks import check_dataset
from domain.config.dataset import DatasetConfig
from domain.config.secrets import fill_in_secrets
from domain.config.training import TrainingConfig
from tests.providers.bucket import KEY, NAME, RunningBucket, running_bucket
from trainer.data.captions import read_caption_rules
from trainer.data.pictures import read_picture
from trainer.data.samples import Found, read_samples
from trainer.data.sources.ranges import HEAD_BYTES
from trainer.errors import TrainingError

CONFIG = TrainingConfig(model_family="sd1x")
SECRET = "a-wrong-secret-that-nobody-may-see"


def picture(size: tuple[int, int] = (64, 64), *, noise: bool = False) -> bytes:
    file = BytesIO()
    image = Image.effect_noise(size, 100).convert("RGB") if noise else Image.new("RGB", size)
    image.save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBucket]:
    with running_bucket(tmp_path_factory.mktemp("bucket")) as bucket:
        yield bucket


def dataset_of(bucket: RunningBucket, prefix: str, **options: Any) -> DatasetConfig:
    keys = {"aws_access_key_id": "{secret:S3_KEY}", "aws_secret_access_key": "{secret:S3_SECRET_KEY}"}
    written = {
        "id": "ink",
        "type": "aws",
        "aws_bucket_name": NAME,
        "aws_endpoint_url": bucket.address,
        "aws_data_prefix": prefix,
        **keys,
        **options,
    }
    secrets = {"S3_KEY": KEY, "S3_SECRET_KEY": KEY}
    return check_dataset(fill_in_secrets(written, secrets=secrets, environment={}))


def found_in(dataset: DatasetConfig) -> Found:
    geometry = Geometry(resolution=64, alignment=8)
    return read_samples(dataset, number=0, geometry=geometry, captions=read_caption_rules(dataset, CONFIG), seed=1)


def test_pictures_below_the_prefix_are_found_with_their_captions(bucket: RunningBucket) -> None:
    large = picture((400, 400), noise=True)
    assert len(large) > 3 * HEAD_BYTES
    objects = {
        "a.png": picture(),
        "a.txt": b"a cat\na tabby",
        "deep/b c \u00e9.png": picture((80, 64)),
        "deep/metadata.jsonl": '{"file_name": "b c \u00e9.png", "text": "by the table"}'.encode(),
        "flaky.png": picture(),
        "flaky.caption": b"a bird",
        "large.png": large,
        ".hidden/c.png": picture(),
        "broken.png": b"nonsense",
    }
    for name, content in objects.items():
        bucket.put(f"some/folder/{name}", content)
    bucket.put("some/folderol/z.png", picture())
    bucket.requests.clear()
    found = found_in(dataset_of(bucket, "/some/folder/"))
    assert {sample.picture.name: sample.captions for sample in found.samples} == {
        "a.png": ("a cat", "a tabby"),
        "deep/b c \u00e9.png": ("by the table",),
        "flaky.png": ("a bird",),
        "large.png": ("",),
    }
    place = f"s3://{NAME}/some/folder"
    assert [each.partition(" cannot be read")[0] for each in found.left_out] == [f"{place}/broken.png"]
    ranges = [each["range"] for each in bucket.requests if "large.png" in each["url"]]
    assert ranges == [f"bytes=0-{HEAD_BYTES - 1}"]
    bucket.requests.clear()
    sample = next(sample for sample in found.samples if sample.picture.name == "large.png")
    assert str(sample.picture) == f"{place}/large.png"
    assert read_picture(sample.picture, sample.placement).size == (64, 64)
    ranges = [each["range"] for each in bucket.requests]
    assert ranges == [f"bytes=0-{HEAD_BYTES - 1}", f"bytes={HEAD_BYTES}-{len(large) - 1}"]
    with sample.picture.open() as file:
        assert file.read() == large
        assert (file.seek(-4, 2), file.read()) == (len(large) - 4, large[-4:])


def test_version_follows_the_content_and_nothing_else(bucket: RunningBucket) -> None:
    def version() -> str:
        return found_in(dataset_of(bucket, "versions")).samples[0].picture.version

    bucket.put("versions/a.png", picture())
    before = version()
    bucket.put("versions/a.png", picture())
    assert version() == before
    bucket.put("versions/a.png", picture((72, 72)))
    assert version() != before


def test_listing_goes_on_after_the_first_page(bucket: RunningBucket) -> None:
    for number in range(20):
        bucket.put(f"many/{number:04}.txt", b"")
    bucket.put("many/z.png", picture())
    bucket.requests.clear()
    assert [sample.picture.name for sample in found_in(dataset_of(bucket, "many")).samples] == ["z.png"]
    assert sum("list-type=2" in each["url"] for each in bucket.requests) == 3


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"aws_secret_access_key": SECRET}, "may not be read with these keys; correct aws_access_key_id and"),
        ({"aws_bucket_name": "nowhere"}, "is not there; correct aws_bucket_name, aws_data_prefix or aws_endpoint_url"),
        (
            {"aws_endpoint_url": "http://127.0.0.1:9"},
            "cannot be read: .*; correct aws_endpoint_url, or try again",
        ),
    ],
)
def test_bucket_that_cannot_be_read_is_explained_without_its_keys(
    bucket: RunningBucket, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainingError, match=f"dataset 'ink': s3://.*/a {reason}") as error:
        found_in(dataset_of(bucket, "a", **options))
    assert SECRET not in str(error.value)
    assert KEY not in str(error.value)


def test_address_that_is_none_is_refused_before_anybody_is_asked(bucket: RunningBucket) -> None:
    with pytest.raises(
        TrainingError, match="dataset 'ink': aws_endpoint_url is 'localhost:9000'; write it as https://"
    ):
        found_in(dataset_of(bucket, "a", aws_endpoint_url="localhost:9000"))


def test_empty_prefix_is_named(bucket: RunningBucket) -> None:
    with pytest.raises(TrainingError, match=rf"s3://{NAME}/none of dataset 'ink' has no pictures"):
        found_in(dataset_of(bucket, "none"))
