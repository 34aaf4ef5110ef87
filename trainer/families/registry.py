"""Which class trains which family."""

from domain.config.training import ModelFamily as FamilyKey
from trainer.families.family import ModelFamily
from trainer.families.stable_diffusion import StableDiffusion

FAMILIES: dict[FamilyKey, type[ModelFamily]] = {"sd1x": StableDiffusion, "sd2x": StableDiffusion}
