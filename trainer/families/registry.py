"""Which class trains which family."""

from domain.config.training import ModelFamily as FamilyKey
from trainer.families.family import ModelFamily
from trainer.families.flux import Flux
from trainer.families.sd3 import StableDiffusion3
from trainer.families.sdxl import StableDiffusionXL
from trainer.families.stable_diffusion import StableDiffusion

FAMILIES: dict[FamilyKey, type[ModelFamily]] = {
    "sdxl": StableDiffusionXL,
    "flux": Flux,
    "sd3": StableDiffusion3,
    "sd1x": StableDiffusion,
    "sd2x": StableDiffusion,
}
