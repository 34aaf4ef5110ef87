"""Whole runs on the same pictures from other places, each in this process."""

import csv
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
from tests.trainer.runs import RunDirectory, write_run

TrainHere = Callable[[RunDirectory], int]
STEPS = 2


def sources_of(folder: Path, root: Path) -> dict[str, dict[str, Any]]:
    """The pictures and captions of a folder in every form that lies on this machine: a dataset's options for each."""
    names = sorted(path.name for path in folder.glob("*.png"))
    captions = {name: (folder / name).with_suffix(".txt").read_text() for name in names}
    bare = root / "bare"
    bare.mkdir()
    for name in names:
        (bare / name).write_bytes((folder / name).read_bytes())
    with tarfile.open(root / "all.tar", "w") as archive:
        for path in folder.iterdir():
            archive.add(path, path.name)
    rows = {
        "image": [{"bytes": (folder / name).read_bytes(), "path": None} for name in names],
        "text": list(captions.values()),
    }
    copy = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    copy.save_to_disk(root / "copy")
    with (bare / "list.csv").open("w") as file:
        csv.writer(file).writerows([("url", "caption"), *captions.items()])
    table = root / "table.jsonl"
    table.write_text("\n".join(json.dumps({"name": name, "words": text}) for name, text in captions.items()))
    (root / "metadata").mkdir()
    for name in names:
        (root / "metadata" / name).write_bytes((folder / name).read_bytes())
    lines = (json.dumps({"file_name": name, "text": text}) for name, text in captions.items())
    (root / "metadata" / "metadata.jsonl").write_text("\n".join(lines))
    return {
        "metadata": {"instance_data_dir": str(root / "metadata")},
        "webshart": {"type": "webshart", "source": str(root), "caption_strategy": "webshart"},
        "huggingface": {"type": "huggingface", "dataset_name": str(root / "copy"), "caption_strategy": "huggingface"},
        "csv": {
            "type": "csv",
            "csv_file": str(bare / "list.csv"),
            "csv_cache_dir": str(root / "kept"),
            "csv_caption_column": "caption",
            "caption_strategy": "csv",
        },
        "parquet": {
            "instance_data_dir": str(bare),
            "caption_strategy": "parquet",
            "parquet": {"path": str(table), "filename_column": "name", "caption_column": "words"},
        },
    }


def test_pictures_train_alike_wherever_they_come_from(pictures: Path, train_here: TrainHere, tmp_path: Path) -> None:
    options: dict[str, Any] = {"max_train_steps": STEPS, "validation_disable": True}
    usual = write_run(tmp_path / "usual", folder=pictures, **options)
    assert train_here(usual) == 0
    expected = usual.losses()
    assert len(expected) == STEPS
    for kind, dataset in sources_of(pictures, tmp_path).items():
        run = write_run(tmp_path / f"run-{kind}", folder=pictures, dataset=dataset, **options)
        assert train_here(run) == 0, kind
        assert run.losses() == expected, kind
        assert run.warnings() == [], kind
