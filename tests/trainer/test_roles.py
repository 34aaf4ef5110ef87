"""Whole runs with masks, and with pictures of what the model should not forget."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.runs import RunDirectory, write_run

Train = Callable[[RunDirectory], int]
LOKR = {"lora_type": "lycoris", "lycoris_config": {"algo": "lokr", "linear_dim": 4, "linear_alpha": 4}}


def masks_in(folder: Path, pictures: Path, mask: Image.Image) -> dict[str, Any]:
    folder.mkdir()
    for picture in pictures.glob("*.png"):
        mask.save(folder / picture.name)
    return {
        "id": "masks",
        "dataset_type": "conditioning",
        "conditioning_type": "mask",
        "instance_data_dir": str(folder),
    }


def half_white() -> Image.Image:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    return mask


def test_loss_counts_where_masks_are_white(tmp_path: Path, pictures: Path, train_here: Train) -> None:
    """Everywhere, nowhere, in one half and never are told apart."""
    losses = {}
    for name, mask, share in (
        ("white", Image.new("L", (64, 64), 255), 1.0),
        ("black", Image.new("L", (64, 64)), 1.0),
        ("half", half_white(), 1.0),
        ("never", half_white(), 0.0),
    ):
        masks = masks_in(tmp_path / f"masks-{name}", pictures, mask)
        dataset = {"conditioning_data": "masks"}
        run = write_run(
            tmp_path / name,
            folder=pictures,
            dataset=dataset,
            more_datasets=[masks],
            masked_loss_probability=share,
            cache=tmp_path / "cache",
        )
        assert train_here(run) == 0
        losses[name] = run.losses()
    plain = write_run(tmp_path / "plain", folder=pictures, cache=tmp_path / "cache")
    assert train_here(plain) == 0
    assert losses["never"] == plain.losses()
    assert losses["white"] == pytest.approx(plain.losses(), rel=1e-5)
    assert losses["black"] == {1: 0.0, 2: 0.0}
    assert losses["half"][1] != pytest.approx(plain.losses()[1], rel=1e-3)


def test_mask_that_cannot_be_read_ends_the_run_before_its_first_step(
    tmp_path: Path, pictures: Path, train_here: Train
) -> None:
    masks = masks_in(tmp_path / "masks", pictures, half_white())
    damaged = tmp_path / "masks" / "red.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    run = write_run(tmp_path / "run", folder=pictures, dataset={"conditioning_data": "masks"}, more_datasets=[masks])
    assert train_here(run) == 1
    assert run.losses() == {}
    assert "masks/red.png cannot be read as a picture" in (run.ended().reason or "")


@pytest.mark.parametrize("kind", [{}, LOKR, {"model_type": "full"}], ids=["lora", "lokr", "full"])
def test_adapters_learn_nothing_new_of_what_is_known(
    tmp_path: Path, pictures: Path, train_here: Train, kind: dict[str, Any]
) -> None:
    """A fresh adapter says what the base model says; with all weights trained, there is none to ask."""
    known = {"is_regularisation_data": True, "probability": 1e6}
    new = {"id": "new", "instance_data_dir": str(pictures), "probability": 1e-6}
    run = write_run(
        tmp_path / "run",
        folder=pictures,
        dataset=known,
        more_datasets=[new],
        max_train_steps=1,
        adam_weight_decay=0,
        **kind,
    )
    assert train_here(run) == 0
    is_told = any("trained on like all others" in warning for warning in run.warnings())
    assert (run.losses()[1] == 0, is_told) == ((False, True) if kind == {"model_type": "full"} else (True, False))
