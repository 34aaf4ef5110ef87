"""A folder as a tar: what tarfile reads of it is what lies in the folder."""

import io
import tarfile
from pathlib import Path

import pytest

from service.tarring import chunks_of, members_of, num_archive_bytes


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    folder = tmp_path / "pipeline"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "unet" / "weights.safetensors").write_bytes(bytes(range(256)) * 5000)
    (folder / "unet" / f"{'long' * 40}.json").write_text("")
    (tmp_path / "secret.txt").write_text("not of the pipeline")
    (folder / "link.json").symlink_to(tmp_path / "secret.txt")
    return folder


def test_archive_holds_the_files_and_no_links(pipeline: Path) -> None:
    members = members_of(pipeline)
    archive = b"".join(chunks_of(members))
    assert len(archive) == num_archive_bytes(members)
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = {each.name: opened.extractfile(each).read() for each in opened}  # type: ignore[union-attr]
    files = [path for path in pipeline.rglob("*") if path.is_file() and not path.is_symlink()]
    assert found == {path.relative_to(pipeline.parent).as_posix(): path.read_bytes() for path in files}


def test_file_that_became_shorter_cuts_the_archive_off(pipeline: Path) -> None:
    members = members_of(pipeline)
    (pipeline / "unet" / "weights.safetensors").write_bytes(b"short")
    with pytest.raises(OSError, match="became shorter"):
        b"".join(chunks_of(members))


def test_folder_that_is_not_there_has_no_members(tmp_path: Path) -> None:
    assert members_of(tmp_path / "pipeline") == []
