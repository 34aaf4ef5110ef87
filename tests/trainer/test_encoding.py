"""What is encoded depends on the picture alone, is shared, survives kills and damage, and is never stale."""

import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from domain.config.buckets import Geometry, Placement, Size, place
from domain.config.training import TrainingConfig
from tests.trainer.runs import MakeRun, RunDirectory, write_run
from tests.trainer.small_families import SMALL, save_small
from trainer.__main__ import main
from trainer.data.cache import EncodingCache
from trainer.data.digests import UNREADABLE, Digests
from trainer.data.encoding import Encoder
from trainer.data.encodings import Cut, Encodings
from trainer.data.pictures import UnreadablePicture, read_picture
from trainer.data.recut import cut_anew
from trainer.data.shards import Shard
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Picture
from trainer.data.turns import SharedTurns
from trainer.errors import TrainingError
from trainer.families.family import BaseModel
from trainer.families.registry import FAMILIES
from trainer.families.weights import WeightDigests, digest_of
from trainer.wire import Logged, PhaseChanged, Planned, read_run_spec

TrainHere = Callable[[RunDirectory], int]
CPU = torch.device("cpu")


def noisy_picture(number: int, *, size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.frombytes("RGB", size, random.Random(number).randbytes(size[0] * size[1] * 3))


class NoFamily:
    """Of which nothing is asked but its name."""

    text_identity = latents_identity = "same"
    encode_captions = encode_pictures = None


# ---- an encoding depends on its key alone -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sdxl", "qwen_image", "sana"])
def test_latents_do_not_depend_on_what_is_encoded_with_them(name: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"tokenizer_max_length": 24} | SMALL[name].options
    config = TrainingConfig.model_validate({"model_family": name, **options})
    source = str(save_small(name, tmp_path))
    family = FAMILIES[config.model_family].load(
        BaseModel(source=source, config=config, device=CPU, dtype=torch.float32)
    )
    encoder = Encoder(family, batch_size=3, device=CPU)
    pictures = [noisy_picture(number) for number in range(7)]
    together = [each["latents"] for start in (0, 3, 6) for each in encoder.encode(pictures[start : start + 3])]
    for number, order in enumerate([[0], [1, 0], [4, 2, 6]]):
        again = encoder.encode([pictures[place] for place in order])
        assert all(torch.equal(each["latents"], together[place]) for each, place in zip(again, order, strict=True)), (
            number
        )


def test_batch_of_another_size_is_another_key() -> None:
    placement = place(Geometry(resolution=64, resolution_type="pixel", alignment=64), Size(64, 64))
    assert isinstance(placement, Placement)

    keys = {Encoder(NoFamily(), batch_size=size, device=CPU).latents_key("a", placement) for size in (1, 2)}  # type: ignore[arg-type]
    assert len(keys) == 2


def test_latents_of_another_version_of_the_library_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    placement = place(Geometry(resolution=64, alignment=8), Size(64, 64))
    assert isinstance(placement, Placement)
    encoder = Encoder(NoFamily(), batch_size=1, device=CPU)  # type: ignore[arg-type]
    before = encoder.latents_key("a", placement)
    monkeypatch.setattr("diffusers.__version__", "1000.0")
    assert encoder.latents_key("a", placement) != before


def test_what_is_no_number_is_not_kept() -> None:
    class Overflowing:
        text_identity = latents_identity = "same"

        def encode_captions(self, captions: Sequence[str]) -> list[dict[str, torch.Tensor]]:
            return [{"embeds": torch.tensor([1.0, torch.inf])}]

        def encode_pictures(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels * torch.nan

        encode_videos = encode_pictures

        def encode_beginnings(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
            return {}

    encoder = Encoder(Overflowing(), batch_size=1, device=CPU)
    with pytest.raises(TrainingError, match="text encoder of the base model makes nan or inf of the caption 'a cat'"):
        encoder.encode_caption("a cat")
    with pytest.raises(TrainingError, match="autoencoder of the base model makes nan or inf of a picture"):
        encoder.encode([noisy_picture(1)])
    with pytest.raises(TrainingError, match="autoencoder of the base model makes nan or inf of a video"):
        encoder.encode([(noisy_picture(1),)])


def test_identity_of_an_autoencoder_follows_weights_and_configuration() -> None:
    from diffusers import AutoencoderKL  # noqa: PLC0415 - slow import

    torch.manual_seed(1)
    vae = AutoencoderKL(block_out_channels=(32,), latent_channels=4)
    first = digest_of(vae)
    vae.register_to_config(_name_or_path="elsewhere")
    assert digest_of(vae) == first
    vae.register_to_config(scaling_factor=0.5)
    second = digest_of(vae)
    torch.nn.init.zeros_(next(vae.parameters()))
    assert len({first, second, digest_of(vae)}) == 3


def test_digests_of_weights_are_remembered_for_files_as_they_are(tmp_path: Path) -> None:
    from diffusers import AutoencoderKL  # noqa: PLC0415 - slow import

    folder, remembered = tmp_path / "model" / "vae", tmp_path / "cache" / "weights.json"
    AutoencoderKL(block_out_channels=(32,), latent_channels=4).save_pretrained(folder)

    def loaded(dtype: torch.dtype = torch.float32) -> torch.nn.Module:
        vae: torch.nn.Module = AutoencoderKL.from_pretrained(folder, dtype=dtype)
        return vae

    fresh = WeightDigests(folder=remembered.parent, seen_at=time.time())
    assert fresh.of(loaded()) == digest_of(loaded())
    assert not remembered.exists()
    settled = WeightDigests(folder=remembered.parent, seen_at=time.time() + 60)
    assert settled.of(loaded()) == digest_of(loaded())
    (key,) = json.loads(remembered.read_bytes())
    remembered.write_text(json.dumps({key: "remembered"}))
    assert settled.of(loaded()) == "remembered"
    assert fresh.of(loaded()) == digest_of(loaded())
    assert settled.of(loaded(torch.bfloat16)) == digest_of(loaded(torch.bfloat16))

    def of_the_whole() -> torch.nn.Module:
        vae: torch.nn.Module = AutoencoderKL.from_pretrained(folder.parent, subfolder="vae")
        return vae

    unchanged = settled.of(of_the_whole())
    weights = folder / "diffusion_pytorch_model.safetensors"
    before = weights.stat()
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert settled.of(loaded()) == digest_of(loaded())
    assert settled.of(of_the_whole()) == digest_of(loaded()) != unchanged


# ---- digests of contents ----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    noisy_picture(1).save(folder / "a.png")
    return folder


def picture_in(folder: Path) -> Picture:
    return next(LocalFolder(folder, dataset="a").pictures())


def test_digest_is_remembered_for_a_version_that_was_seen_long_before(folder: Path, tmp_path: Path) -> None:
    digests = Digests(tmp_path, seen_at=time.time() - 10)
    digest = digests.of(picture_in(folder))
    digests.save()
    assert Digests(tmp_path, seen_at=time.time()).known(picture_in(folder)) == digest
    noisy_picture(2, size=(70, 70)).save(folder / "a.png")
    assert Digests(tmp_path, seen_at=time.time()).known(picture_in(folder)) is None


def test_digest_of_a_version_that_was_just_seen_is_not_remembered(folder: Path, tmp_path: Path) -> None:
    """The file could be changed within the same instant: same time, same size, another content."""
    digests = Digests(tmp_path, seen_at=time.time())
    first = digests.of(picture_in(folder))
    digests.save()
    status = (folder / "a.png").stat()
    content = bytearray((folder / "a.png").read_bytes())
    content[-20] ^= 1
    (folder / "a.png").write_bytes(content)
    os.utime(folder / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Digests(tmp_path, seen_at=time.time()).of(picture_in(folder)) != first


def test_memory_of_digests_that_is_not_whole_is_no_memory(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "digests.json").write_text('{"a": ["b')
    assert Digests(tmp_path, seen_at=0).known(picture_in(folder)) is None


def test_file_that_cannot_be_read_has_no_digest(folder: Path, tmp_path: Path) -> None:
    picture = picture_in(folder)
    (folder / "a.png").unlink()
    assert Digests(tmp_path, seen_at=0).of(picture) == UNREADABLE


def test_picture_that_changed_since_it_was_digested_is_not_encoded(folder: Path) -> None:
    placement = place(Geometry(resolution=64, resolution_type="pixel", alignment=64), Size(64, 64))
    assert isinstance(placement, Placement)
    with pytest.raises(UnreadablePicture, match="was changed while"):
        read_picture(picture_in(folder), placement, digest="another")


# ---- shared work ------------------------------------------------------------------------------------------------------


def test_every_turn_is_taken_once_by_somebody(tmp_path: Path) -> None:
    first, second = SharedTurns(tmp_path / "turns", is_new=True), SharedTurns(tmp_path / "turns", is_new=False)
    assert [turns.take() for turns in (first, second, second, first)] == [0, 1, 2, 3]
    second.end()
    assert first.take() > 1 << 60


def encoded(run: RunDirectory) -> dict[str, torch.Tensor]:
    shards = [Shard(path) for path in (run.path / "cache/shards").iterdir()]
    entries = {key: shard.read(key, is_checked=True) for shard in shards for key in shard.keys}
    return {key: entry["latents"] for key, entry in entries.items() if "latents" in entry}


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Pictures of three sizes, one of them twice, and one that cannot be read."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(11):
        noisy_picture(number, size=((64, 64), (128, 64), (64, 128))[number % 3]).save(folder / f"{number:02}.png")
    (folder / "again.png").write_bytes((folder / "00.png").read_bytes())
    whole = (folder / "05.png").read_bytes()
    (folder / "05.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_processes_share_the_work_and_make_what_one_makes(tmp_path: Path, many: Path, train_here: TrainHere) -> None:
    options: dict[str, Any] = {"folder": many, "max_train_steps": 1, "train_batch_size": 1}
    alone = write_run(tmp_path / "alone", **options)
    assert train_here(alone) == 0
    together = write_run(tmp_path / "together", num_processes=2, **options)
    process = together.start(num_processes=2)
    process.communicate(timeout=120)
    assert process.returncode == 0
    expected, found = encoded(alone), encoded(together)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert len(expected) == 10
    assert [run.of(Planned)[0].num_images for run in (alone, together)] == [11, 11]
    ended = [message for message in together.of(PhaseChanged) if message.phase == "encode_images" and message.ended]
    assert (ended[0].progress, ended[0].total) == (12, 12)


def test_run_that_is_killed_while_it_encodes_goes_on_as_if_it_had_not_been(
    tmp_path: Path, train_here: TrainHere
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(60):
        noisy_picture(number).save(folder / f"{number:02}.png")
    options: dict[str, Any] = {"folder": folder, "max_train_steps": 3, "train_batch_size": 4}
    killed = write_run(tmp_path / "killed", **options)
    process = killed.start()
    killed.wait_for(
        lambda run: any(each.phase == "encode_images" and each.progress for each in run.of(PhaseChanged)), process
    )
    process.kill()
    process.communicate()
    assert train_here(write_run(tmp_path / "killed", resume=True, **options)) == 0
    whole = write_run(tmp_path / "whole", **options)
    assert train_here(whole) == 0
    assert killed.losses() == whole.losses()
    assert encoded(killed).keys() == encoded(whole).keys()


def test_runs_share_what_they_encoded(tmp_path: Path, many: Path, train_here: TrainHere) -> None:
    shared = tmp_path / "shared"
    runs = [
        write_run(tmp_path / name, folder=many, cache=shared, train_batch_size=1, vae_batch_size=size)
        for name, size in (("first", 4), ("second", 4), ("third", 2))
    ]
    written = []
    for run in runs:
        assert train_here(run) == 0
        written.append(len(list((shared / "shards").iterdir())))
    assert runs[0].losses() == runs[1].losses()
    assert written[0] == written[1] < written[2]
    assert not (runs[0].path / "cache").exists()


def test_damaged_shard_is_encoded_again_in_the_midst_of_a_run(
    make_run: MakeRun, pictures: Path, train_here: TrainHere
) -> None:
    run = make_run(folder=pictures, max_train_steps=3)
    assert train_here(run) == 0
    expected = run.losses()
    for shard in (run.path / "cache/shards").iterdir():
        content = bytearray(shard.read_bytes())
        content[-3] ^= 1
        shard.write_bytes(content)
    for checkpoint in run.path.glob("checkpoint-*"):
        subprocess.run(["rm", "-r", str(checkpoint)], check=True)
    assert train_here(run) == 0
    assert run.losses() == expected
    assert any("is damaged" in message.message for message in run.of(Logged))


# ---- encoded while training -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beforehand(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run on three noisy pictures that are encoded before."""
    folder = tmp_path_factory.mktemp("noisy")
    for number in range(3):
        noisy_picture(number, size=(96, 72)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"picture {number}")
    run = write_run(tmp_path_factory.mktemp("beforehand"), folder=folder, max_train_steps=4, train_batch_size=1)
    assert main([str(run.path)]) == 0
    return run


@pytest.mark.parametrize(
    ("options", "num_pictures"),
    [
        ({"vae_cache_ondemand": True, "text_cache_ondemand": True}, 3),
        ({"dataset": {"vae_cache_ondemand": True}}, 3),
        ({"dataset": {"vae_cache_disable": True}, "text_cache_ondemand": True}, 0),
        ({"vae_cache_disable": True, "text_cache_disable": True, "dataloader_prefetch": False}, 0),
    ],
)
def test_encoding_while_training_changes_nothing_but_what_is_kept(
    beforehand: RunDirectory, make_run: MakeRun, train_here: TrainHere, options: dict[str, Any], num_pictures: int
) -> None:
    folder = Path(read_run_spec(beforehand.path).datasets[0]["instance_data_dir"])
    run = make_run(folder=folder, max_train_steps=4, train_batch_size=1, **options)
    assert train_here(run) == 0
    assert run.losses() == beforehand.losses()
    assert len(encoded(run)) == num_pictures
    if "text_cache_disable" in options:  # the empty caption is needed for certain
        assert sum(len(Shard(path).keys) for path in (run.path / "cache/shards").iterdir()) == 1


def test_cuts_are_drawn_anew_in_each_epoch_and_the_same_after_a_resume(
    beforehand: RunDirectory, tmp_path: Path, train_here: TrainHere
) -> None:
    folder = Path(read_run_spec(beforehand.path).datasets[0]["instance_data_dir"])
    options: dict[str, Any] = {
        "folder": folder,
        "dataset": {"vae_cache_clear_each_epoch": True, "crop": True, "crop_style": "random"},
        "train_batch_size": 3,
    }
    whole = write_run(tmp_path / "whole", max_train_steps=3, **options)
    assert train_here(whole) == 0
    cut = write_run(tmp_path / "cut", max_train_steps=1, **options)
    assert train_here(cut) == 0
    assert train_here(write_run(tmp_path / "cut", max_train_steps=3, resume=True, **options)) == 0
    assert cut.losses() == whole.losses()
    assert not encoded(whole)


def test_cuts_of_epochs_differ_and_have_one_size() -> None:
    geometry = Geometry(
        resolution=64, alignment=64, crop=True, crop_style="random", crop_aspect="random", crop_aspects=((1, 1), (2, 1))
    )
    first = place(geometry, Size(300, 200), seed=5)
    assert isinstance(first, Placement)
    cuts = [cut_anew(geometry, first, 5, epoch) for epoch in range(20)]
    assert {cut.target for cut in cuts} == {first.target}
    assert len({cut.region for cut in cuts}) > 15
    assert cuts == [cut_anew(geometry, first, 5, epoch) for epoch in range(20)]


@pytest.mark.parametrize("option", ["vae_cache_ondemand", "vae_cache_disable"])
def test_picture_that_cannot_be_read_is_skipped_also_where_none_is_encoded_before(
    tmp_path: Path, many: Path, train_here: TrainHere, option: str
) -> None:
    """Also when its digest is known from a run that encoded all before."""
    (many / "gone.png").symlink_to(tmp_path / "nowhere.png")
    options: dict[str, Any] = {
        "folder": many,
        "cache": tmp_path / "cache",
        "train_batch_size": 1,
        "max_train_steps": 12,
    }
    runs = [write_run(tmp_path / "before", **options), write_run(tmp_path / "late", **options | {option: True})]
    for run in runs:
        for path in many.glob("??.png"):
            os.utime(path, (1, 1))
        assert train_here(run) == 0
        assert [each for each in run.warnings() if "05.png cannot be read as a picture: " in each and "skipped" in each]
    assert runs[0].losses() == runs[1].losses()
    assert [run.of(Planned)[0].num_images for run in runs] == [11, 11]


def test_picture_that_is_gone_when_it_is_needed_ends_the_run(folder: Path, tmp_path: Path) -> None:
    picture = picture_in(folder)
    placement = place(Geometry(resolution=64, alignment=64), Size(*Image.open(folder / "a.png").size))
    assert isinstance(placement, Placement)
    digest = Digests(tmp_path, seen_at=0).of(picture)
    (folder / "a.png").unlink()
    encodings = Encodings(Encoder(NoFamily(), batch_size=1, device=CPU), EncodingCache(tmp_path))  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=r"a\.png cannot be read .*; put it back or remove it"):
        encodings.find_latents(Cut(picture=picture, digest=digest, placement=placement))
