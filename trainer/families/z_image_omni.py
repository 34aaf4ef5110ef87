"""Z-Image Omni: Z-Image that can also begin with pictures; here it begins with none."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import ZImageOmniPipeline
from torch import Tensor

from trainer.families.comfyui import LIKE_Z_IMAGE, QUERY_KEY_VALUE, ComfyNames
from trainer.families.family import BaseModel, Conditions, TextEmbeds
from trainer.families.pipelines import load_pipeline
from trainer.families.z_image import PARTS, ZImage

UNUSED: dict[str, Any] = {"siglip": None, "siglip_processor": None}
"""What looks at the pictures that it would begin with."""


class ZImageOmni(ZImage):
    comfy_names = ComfyNames(
        prefix="diffusion_model.",
        layers=(*LIKE_Z_IMAGE, r"siglip_refiner\..+", r"siglip_embedder\.1"),
        renamed=((r"^(siglip_refiner\.\d+\.attention)\.to_out\.0$", r"\1.out"),),
        joined=((r"(siglip_refiner\.\d+\.attention)\.to_(?P<part>[qkv])", QUERY_KEY_VALUE, r"\1.qkv"),),
    )

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        return cls(load_pipeline(ZImageOmniPipeline, base, parts=PARTS, **UNUSED), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), as many as the caption has; prompt_mask: ones, (tokens,)."""
        embeds, _ = self._pipeline.encode_prompt(
            list(captions),
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=self._num_tokens,
        )
        return [{"prompt_embeds": each, "prompt_mask": torch.ones(len(each), dtype=torch.bool)} for (each,) in embeds]

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """As Z-Image; each sample is a list of pictures, of which the only one is noisy."""
        batch = len(noisy)
        masked = zip(conditions["prompt_embeds"], conditions["prompt_mask"], strict=True)
        prediction: list[Tensor] = self.denoiser(
            [[each] for each in noisy.to(self._dtype).unsqueeze(2)],
            1 - timesteps,
            [[embeds[mask]] for embeds, mask in masked],
            siglip_feats=[None] * batch,
            image_noise_mask=[[1]] * batch,
            return_dict=False,
        )[0]
        return -torch.stack(prediction).squeeze(2)
