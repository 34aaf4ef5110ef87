"""All families, in the order that people see them: by how much they are used, the seldom ones by name."""

from domain.families.auraflow import AURAFLOW
from domain.families.chroma import CHROMA
from domain.families.cosmos import COSMOS
from domain.families.deepfloyd import DEEPFLOYD
from domain.families.ernie import ERNIE
from domain.families.family import Family
from domain.families.flux import FLUX
from domain.families.flux2 import FLUX2
from domain.families.hidream import HIDREAM
from domain.families.ideogram import IDEOGRAM
from domain.families.kandinsky5_image import KANDINSKY5_IMAGE
from domain.families.kolors import KOLORS
from domain.families.krea2 import KREA2
from domain.families.longcat_image import LONGCAT_IMAGE
from domain.families.ltxvideo import LTXVIDEO
from domain.families.lumina2 import LUMINA2
from domain.families.omnigen import OMNIGEN
from domain.families.pixart import PIXART
from domain.families.qwen_image import QWEN_IMAGE
from domain.families.sana import SANA
from domain.families.sd1x import SD1X
from domain.families.sd2x import SD2X
from domain.families.sd3 import SD3
from domain.families.sdxl import SDXL
from domain.families.stable_cascade import STABLE_CASCADE
from domain.families.wan import WAN
from domain.families.z_image import Z_IMAGE
from domain.families.z_image_omni import Z_IMAGE_OMNI

USUAL = (
    SDXL,
    FLUX,
    SD3,
    Z_IMAGE,
    QWEN_IMAGE,
    FLUX2,
    CHROMA,
    PIXART,
    SANA,
    AURAFLOW,
    LUMINA2,
    HIDREAM,
    KOLORS,
    COSMOS,
    SD1X,
    SD2X,
)
VIDEO = (WAN, LTXVIDEO)
SELDOM = (
    DEEPFLOYD,
    ERNIE,
    IDEOGRAM,
    KANDINSKY5_IMAGE,
    KREA2,
    LONGCAT_IMAGE,
    OMNIGEN,
    STABLE_CASCADE,
    Z_IMAGE_OMNI,
)

FAMILIES: dict[str, Family] = {family.key: family for family in (*USUAL, *VIDEO, *SELDOM)}
