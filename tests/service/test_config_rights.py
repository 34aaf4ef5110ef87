"""Which paths of a dataset somebody without paths.any may name."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.access import Rights
from domain.errors import NotAllowed
from service.access.config_rights import check_dataset_rights
from service.settings import Settings


def settings_in(tmp_path: Path) -> Settings:
    return Settings(
        workspace=tmp_path,
        database_url="sqlite://",
        configs=tmp_path / "configs",
        examples=tmp_path / "examples",
        client=tmp_path / "client",
        environment={},
    )


@pytest.mark.parametrize(
    ("key", "config"),
    [
        ("instance_data_dir", {"instance_data_dir": "PATH"}),
        ("source", {"source": "PATH"}),
        ("dataset_name", {"dataset_name": "PATH"}),
        ("cache_dir", {"cache_dir": "PATH"}),
        ("huggingface.cache_dir", {"huggingface": {"cache_dir": "PATH"}}),
        ("csv_file", {"csv_file": "PATH"}),
        ("csv_cache_dir", {"csv_cache_dir": "PATH"}),
        ("caption_filter_list", {"caption_filter_list": "PATH"}),
        ("parquet.path", {"parquet": {"path": "PATH", "filename_column": "name"}}),
    ],
)
def test_path_of_a_dataset_stays_where_everybody_may_look(tmp_path: Path, key: str, config: dict[str, Any]) -> None:
    settings = settings_in(tmp_path)
    rights = Rights(user_id=uuid4(), permissions=frozenset({"config.edit.all"}))
    check_dataset_rights(rights, settings, {}, _with(config, str(tmp_path / "datasets" / "mine")))
    for outside in ("/etc/passwd", str(tmp_path / "datasets" / ".." / "audit.key"), "{env:HOME}/x"):
        with pytest.raises(NotAllowed, match="outside the folders") as refusal:
            check_dataset_rights(rights, settings, {}, _with(config, outside))
        assert [problem.path for problem in refusal.value.problems] == [(key,)]
        everywhere = Rights(user_id=rights.user_id, permissions=rights.permissions | {"paths.any"})
        check_dataset_rights(everywhere, settings, {}, _with(config, outside))


def test_bucket_is_no_path_of_this_machine(tmp_path: Path) -> None:
    rights = Rights(user_id=uuid4(), permissions=frozenset({"config.edit.all"}))
    check_dataset_rights(rights, settings_in(tmp_path), {}, {"source": "s3://bucket/folder"})


def _with(config: dict[str, Any], path: str) -> dict[str, Any]:
    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put(each) for key, each in value.items()}
        return value.replace("PATH", path) if isinstance(value, str) else value

    return {key: put(value) for key, value in config.items()}
