"""Video families trained for real on videos, with pictures beside them."""

import csv
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import datasets
from domain.config.buckets import geometry_of
from domain.config.checks import check_dataset, check_training
from domain.families.registry import FAMILIES as KNOWN_FAMILIES
from tests.trainer.filming import film
from tests.trainer.runs import RunDirectory, write_run
from tests.trainer.small_families import SMALL, save_small
from tests.trainer.test_encoding import encoded
from trainer.data.captions import read_caption_rules
from trainer.data.encoding import Encoder
from trainer.data.measurements import MEASUREMENTS_FILE
from trainer.data.reading import read
from trainer.data.samples import read_samples
from trainer.families.family import BaseModel
from trainer.families.registry import FAMILIES
from trainer.order import read_order
from trainer.wire import PhaseChanged, Planned, RunSpec, read_run_spec

TrainHere = Callable[[RunDirectory], int]

NUM_FRAMES = {"wan": 9, "ltxvideo": 17}
NUM_TOKENS = 24


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven videos of two shapes, two of which are twice as fast as the others; a short one, and one that is damaged."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(4):
        film(folder / f"wide-{number}.mp4", num_frames=18 + number, size=(192, 64), rate=32 if number < 2 else 16)
        (folder / f"wide-{number}.txt").write_text(f"a wide film {number}")
    for number in range(3):
        film(folder / f"square-{number}.mkv", num_frames=20, size=(64, 64))
    film(folder / "short.webm", num_frames=4)
    broken = film(folder / "broken.mp4", num_frames=60, container_options={"movflags": "faststart"})
    broken.write_bytes(broken.read_bytes()[:-400])
    return folder


def run_on(folder: Path, clips: Path, *, family: str, pictures: Path | None = None, **options: Any) -> RunDirectory:
    """Three steps on clips, and where there are pictures, on those as well."""
    model = folder / family
    if not model.exists():
        save_small(family, model)
    more = {"id": "stills", "instance_data_dir": str(pictures)}
    given: dict[str, Any] = {
        "max_train_steps": 4,
        "train_batch_size": 1,
        "learning_rate": 1e-2,
        "tokenizer_max_length": NUM_TOKENS,
        "checkpoint_step_interval": 2,
    }
    dataset = {
        "id": "clips",
        "dataset_type": "video",
        "crop": False,
        "resolution": 64,
        "video": {"num_frames": NUM_FRAMES[family]},
    } | options.pop("dataset", {})
    return write_run(
        folder / options.pop("name", "run"),
        folder=clips,
        dataset=dataset,
        more_datasets=[more] if pictures else [],
        model_family=family,
        pretrained_model_name_or_path=str(model),
        **given | SMALL[family].options | options,
    )


def of_run(run: RunDirectory) -> tuple[Path, RunSpec]:
    return run.path, read_run_spec(run.path)


@pytest.mark.parametrize("family", NUM_FRAMES)
def test_clips_and_pictures_train_together_and_resume_exactly(
    family: str, tmp_path: Path, clips: Path, pictures: Path, train_here: TrainHere
) -> None:
    run = run_on(tmp_path, clips, family=family, pictures=pictures, dataset={"upscale": True}, max_train_steps=6)
    assert train_here(run) == 0
    assert run.of(Planned)[0].num_images == 11
    counting = [each for each in run.of(PhaseChanged) if each.phase == "count_frames"]
    assert [(each.progress, each.total) for each in counting if each.ended] == [(9, 9)]
    shapes = {tuple(each.shape[1:]) for each in encoded(run).values()}
    scale, wide = (32, (3, 2, 4)) if family == "ltxvideo" else (8, (3, 4, 12))
    assert shapes == {(1, 64 // scale, 64 // scale), (3, 64 // scale, 64 // scale), wide}
    expected = run.losses()
    shutil.rmtree(run.path / "checkpoint-6")
    shutil.rmtree(run.path / "checkpoint-4")
    resumed = run_on(
        tmp_path, clips, family=family, pictures=pictures, dataset={"upscale": True}, max_train_steps=6, resume=True
    )
    assert train_here(resumed) == 0
    assert resumed.losses() == expected
    said = "\n".join(run.warnings())
    assert f"skipped: {clips}/short.webm has 4 frames, fewer than the {NUM_FRAMES[family]} that a clip needs" in said
    assert f"skipped: {clips}/broken.mp4 is cut short: its header tells of 60 frames, and" in said


def test_clips_that_are_encoded_while_training_give_the_same_losses(
    tmp_path: Path, clips: Path, train_here: TrainHere
) -> None:
    kept, made, anew = (
        run_on(tmp_path, clips, family="wan", name=name, dataset={"upscale": True} | how)
        for name, how in (
            ("kept", {}),
            ("made", {"vae_cache_disable": True}),
            ("anew", {"vae_cache_clear_each_epoch": True}),
        )
    )
    assert [train_here(run) for run in (kept, made, anew)] == [0, 0, 0]
    assert kept.losses() == made.losses()
    assert anew.losses() != kept.losses()
    assert encoded(made) == {}


def test_clip_is_a_part_by_the_seed_and_another_part_is_another_encoding(tmp_path: Path, clips: Path) -> None:
    orders = [
        read_order(*of_run(run))
        for run in (run_on(tmp_path, clips, family="wan", name=f"run-{seed}", seed=seed) for seed in (1, 2, 1))
    ]
    parts = [[sample.placement.frames for sample in order.samples] for order in orders]
    assert parts[0] == parts[2] != parts[1]
    assert (orders[0].cache / MEASUREMENTS_FILE).is_file()


def test_videos_of_another_speed_are_named_until_they_are_brought_to_it(tmp_path: Path, clips: Path) -> None:
    as_they_are, brought = (
        read_order(*of_run(run))
        for run in (
            run_on(tmp_path, clips, family="wan", name="plain", dataset={"upscale": True}),
            run_on(tmp_path, clips, family="wan", name="brought", dataset={"upscale": True}, framerate=16),
        )
    )
    [remark] = [each for each in as_they_are.remarks() if "frame rate" in each]
    assert remark == (
        "dataset 'clips': 2 of 7 videos have another frame rate than the 16 frames a second of Wan, for example "
        f"{clips}/wide-0.mp4 with 32, so Wan learns another speed from them; set framerate to 16 to bring them to it"
    )
    assert [each for each in brought.remarks() if "frame rate" in each] == []
    totals = {each.picture.name: each.placement.frames and each.placement.frames.total for each in brought.samples}
    assert (totals["wide-0.mp4"], totals["wide-2.mp4"]) == (9, 20)


def test_encoding_of_a_clip_depends_on_nothing_that_is_encoded_at_once(tmp_path: Path, clips: Path) -> None:
    """So any process may make it."""
    order = read_order(*of_run(run_on(tmp_path, clips, family="wan")))
    base = BaseModel(source=order.base_model, config=order.config, device=torch.device("cpu"), dtype=torch.float32)
    family = FAMILIES["wan"].load(base)
    first, second = (Encoder(family, batch_size=size, device=torch.device("cpu")) for size in (1, 4))
    placements = [sample.placement for sample in order.samples]
    seen = [read(sample.picture, sample.placement) for sample in order.samples]
    assert [first.latents_key("", each) for each in placements] == [second.latents_key("", each) for each in placements]
    assert all(
        torch.equal(first.encode([each])[0]["latents"], second.encode([each])[0]["latents"]) for each in seen[:2]
    )


def test_clips_and_captions_are_the_same_wherever_videos_come_from(tmp_path: Path) -> None:
    folder, root = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    root.mkdir()
    captions = {"a.mp4": "a fox", "b.mp4": "a crow"}
    for number, (name, caption) in enumerate(captions.items()):
        film(folder / name, num_frames=9 + number)
        (folder / name).with_suffix(".txt").write_text(caption)
    with tarfile.open(root / "all.tar", "w") as archive:
        for path in folder.iterdir():
            archive.add(path, path.name)
    with (folder / "list.csv").open("w") as file:
        csv.writer(file).writerows([("url", "caption"), *captions.items()])
    rows = {"clip": [(folder / name).read_bytes() for name in captions], "text": list(captions.values())}
    datasets.Dataset.from_dict(rows).save_to_disk(root / "copy")
    sources: dict[str, dict[str, Any]] = {
        "local": {"instance_data_dir": str(folder)},
        "webshart": {"source": str(root)},
        "csv": {"csv_file": str(folder / "list.csv"), "csv_cache_dir": str(root), "csv_caption_column": "caption"},
        "huggingface": {"dataset_name": str(root / "copy"), "video_column": "clip"},
    }
    found = []
    for kind, options in sources.items():
        strategy = {} if kind == "local" else {"caption_strategy": kind}
        written = {"id": "clips", "type": kind, "dataset_type": "video", "video": {"num_frames": 9}}
        dataset = check_dataset(written | strategy | options)
        config = check_training({"model_family": "wan", "resolution": 64})
        geometry, rules = geometry_of(dataset, config, KNOWN_FAMILIES["wan"]), read_caption_rules(dataset, config)
        samples = read_samples(dataset, number=0, geometry=geometry, captions=rules, seed=1).samples
        first = read(samples[0].picture, samples[0].placement)
        assert isinstance(first, tuple)
        found.append(([each.captions for each in samples], [frame.tobytes() for frame in first]))
    assert [captions for captions, _ in found] == [[("a fox",), ("a crow",)]] * 4
    assert all(frames == found[0][1] for _, frames in found)
