"""What a dataset's encodings do with the cache: made before or while training, kept or not, the same in each epoch or not."""

from dataclasses import dataclass

from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """builds_…: encoded before the first step. keeps_…: written to the cache. cuts_anew: pictures have another cut in each
    epoch."""

    builds_latents: bool
    keeps_latents: bool
    builds_text: bool
    keeps_text: bool
    cuts_anew: bool


def cache_use(dataset: DatasetConfig, config: TrainingConfig) -> CacheUse:
    cuts_anew = dataset.vae_cache_clear_each_epoch
    keeps_latents = not (cuts_anew or config.vae_cache_disable or dataset.vae_cache_disable)
    keeps_text = not (config.text_cache_disable or dataset.text_cache_disable)
    return CacheUse(
        builds_latents=keeps_latents and not (config.vae_cache_ondemand or dataset.vae_cache_ondemand),
        keeps_latents=keeps_latents,
        builds_text=keeps_text and not (config.text_cache_ondemand or dataset.text_cache_ondemand),
        keeps_text=keeps_text,
        cuts_anew=cuts_anew,
    )
