"""Which class trains which family."""

from domain.config.training import ModelFamily as FamilyKey
from trainer.families.auraflow import AuraFlow
from trainer.families.chroma import Chroma
from trainer.families.cosmos import Cosmos
from trainer.families.ernie import Ernie
from trainer.families.family import ModelFamily
from trainer.families.flux import Flux
from trainer.families.flux2 import Flux2
from trainer.families.hidream import HiDream
from trainer.families.kandinsky5_image import Kandinsky5Image
from trainer.families.kolors import Kolors
from trainer.families.krea2 import Krea2
from trainer.families.longcat_image import LongCatImage
from trainer.families.ltxvideo import LTXVideo
from trainer.families.lumina2 import Lumina2
from trainer.families.pixart import PixArtSigma
from trainer.families.qwen_image import QwenImage
from trainer.families.sana import Sana
from trainer.families.sd3 import StableDiffusion3
from trainer.families.sdxl import StableDiffusionXL
from trainer.families.stable_diffusion import StableDiffusion
from trainer.families.wan import Wan
from trainer.families.z_image import ZImage
from trainer.families.z_image_omni import ZImageOmni

FAMILIES: dict[FamilyKey, type[ModelFamily]] = {
    "sdxl": StableDiffusionXL,
    "flux": Flux,
    "sd3": StableDiffusion3,
    "z_image": ZImage,
    "qwen_image": QwenImage,
    "flux2": Flux2,
    "chroma": Chroma,
    "pixart": PixArtSigma,
    "sana": Sana,
    "auraflow": AuraFlow,
    "lumina2": Lumina2,
    "hidream": HiDream,
    "kolors": Kolors,
    "cosmos": Cosmos,
    "sd1x": StableDiffusion,
    "sd2x": StableDiffusion,
    "wan": Wan,
    "ltxvideo": LTXVideo,
    "ernie": Ernie,
    "kandinsky5_image": Kandinsky5Image,
    "krea2": Krea2,
    "longcat_image": LongCatImage,
    "z_image_omni": ZImageOmni,
}
