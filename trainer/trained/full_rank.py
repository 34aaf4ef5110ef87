"""Full rank: all weights of the denoiser are trained, in fp32 whatever the forward pass computes in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from trainer.errors import TrainingError
from trainer.families.family import BaseModel, ModelFamily
from trainer.families.places import read_denoiser
from trainer.trained.trained import Trained

WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
"""What from_pretrained looks for in the folder of a network."""

PIPELINE_FOLDER = "pipeline"
AVERAGE_SUFFIX = "_ema"

LIBRARIES = ("diffusers", "transformers")
"""Whose parts of a pipeline are saved with it; others, such as guards of what is drawn, have packages of their own."""


class FullRank(Trained):
    """Checkpoints hold the denoiser's folder of the diffusers layout; the final weights are a whole pipeline."""

    def __init__(self, family: ModelFamily, *, dtypes: Sequence[torch.dtype], saves_text_encoders: bool) -> None:
        super().__init__([family.denoiser], dtype=dtypes)
        self._family = family
        self._saves_text_encoders = saves_text_encoders

    @classmethod
    def of(cls, family: ModelFamily, base: BaseModel) -> Self:
        """Inference loads the base model in its number format, so that is loaded too; to train it, its weights are read
        again as they are stored, for updates are too small for 16 bits."""
        dtypes = [parameter.dtype for parameter in family.denoiser.parameters()]
        if base.dtype != torch.float32:
            _read_in_fp32(family, base)
        family.denoiser.requires_grad_(True)
        return cls(family, dtypes=dtypes, saves_text_encoders=base.config.save_text_encoder)

    def save(self, folder: Path, about: Mapping[str, str], *, averaged: bool = False) -> Path:
        if self._saves_text_encoders and not averaged:
            for name, text_encoder in self._family.text_encoders().items():
                text_encoder.save_pretrained(folder / name)  # type: ignore[operator]
        return self._save_denoiser(folder, about, averaged=averaged)

    def _save_denoiser(self, folder: Path, about: Mapping[str, str], *, averaged: bool = False) -> Path:
        network: Any = self._family.denoiser
        path = self._path(folder, averaged=averaged)
        path.mkdir(parents=True)
        network.save_config(path)
        weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file(weights, path / WEIGHTS_FILE, metadata=dict(about))
        return path / WEIGHTS_FILE

    def load(self, folder: Path, *, averaged: bool = False) -> None:
        weights = load_file(self._path(folder, averaged=averaged) / WEIGHTS_FILE)
        try:
            self._family.denoiser.load_state_dict(weights)
        except RuntimeError as error:
            raise TrainingError(
                f"the weights in {folder} are of another model; resume with the base model that it was trained from"
            ) from error

    def export(self, folder: Path, about: Mapping[str, str]) -> Path:
        """A pipeline that from_pretrained loads. Its other parts are as they were used, in the number format of the run."""
        pipeline, denoiser = self._family.pipeline, self._family.denoiser
        path = folder / PIPELINE_FOLDER
        for name, part in pipeline.components.items():
            if type(part).__module__.partition(".")[0] not in LIBRARIES:
                pipeline.register_to_config(**{name: (None, None)})
            elif part is not denoiser:
                part.save_pretrained(path / name)
        pipeline.save_config(path)
        return self._save_denoiser(path, about)

    def _path(self, folder: Path, *, averaged: bool) -> Path:
        return folder / f"{self._family.denoiser_part}{AVERAGE_SUFFIX if averaged else ''}"


@torch.no_grad()
def _read_in_fp32(family: ModelFamily, base: BaseModel) -> None:
    network: Any = type(family.denoiser)
    stored: nn.Module = read_denoiser(network, family.denoiser_part, base, dtype=torch.float32)
    for parameter, exact in zip(family.denoiser.parameters(), stored.parameters(), strict=True):
        parameter.data = exact.data.to(parameter.device)
