"""Text encoders and autoencoders, each once, and which of them a family needs beside its denoiser."""

from domain.families.network import Autoencoder, Clip, ImageEncoder, TextEncoder

CLIP_L = TextEncoder("CLIP L", 123_060_480)
CLIP_G = TextEncoder("CLIP bigG", 694_659_840)
OPENCLIP_H = TextEncoder("OpenCLIP H", 340_387_840)
T5_XXL = TextEncoder("T5 XXL", 4_762_310_656)
T5_11B = TextEncoder("T5 11B", 4_864_791_552)
UMT5_XXL = TextEncoder("UMT5 XXL", 5_680_910_336)
PILE_T5_XL = TextEncoder("Pile-T5 XL", 1_223_550_976)
GEMMA2_2B = TextEncoder("Gemma 2 2B", 2_614_341_888)
QWEN3_4B = TextEncoder("Qwen3 4B", 4_022_468_096)
QWEN3_8B = TextEncoder("Qwen3 8B", 8_190_735_360)
LLAMA_31_8B = TextEncoder("Llama 3.1 8B", 8_030_261_248)
QWEN25_VL = TextEncoder("Qwen2.5-VL 7B", 8_290_000_000, "publisher")
QWEN3_VL_4B = TextEncoder("Qwen3-VL 4B", 4_440_000_000, "publisher")
QWEN3_VL_8B = TextEncoder("Qwen3-VL 8B", 8_770_000_000, "publisher")
MISTRAL_SMALL = TextEncoder("Mistral Small 3.1 24B", 24_000_000_000, "publisher")
CHATGLM3 = TextEncoder("ChatGLM3 6B", 6_240_000_000, "publisher")

SD_VAE = Autoencoder(
    name="AutoencoderKL, 4 channels",
    parameters=83_653_863,
    factor=8,
    channels=4,
    encode_pixel=1280,
    decode_pixel=1536,
)
FLUX_VAE = Autoencoder(
    name="AutoencoderKL, 16 channels",
    parameters=83_819_683,
    factor=8,
    channels=16,
    encode_pixel=1280,
    decode_pixel=1536,
)
FLUX2_VAE = Autoencoder(
    name="AutoencoderKLFlux2", parameters=84_046_115, factor=8, channels=32, encode_pixel=1280, decode_pixel=1537
)
QWEN_VAE = Autoencoder(
    name="AutoencoderKLQwenImage", parameters=126_892_531, factor=8, channels=16, encode_pixel=1928, decode_pixel=3459
)
# Reads and makes videos four frames at a time, so that only the frames themselves grow with their number.
WAN_VAE = Autoencoder(
    name="AutoencoderKLWan",
    parameters=126_892_531,
    factor=8,
    channels=16,
    encode_pixel=1928,
    decode_pixel=3459,
    encode_clip=Clip(7434, 6.2),
    decode_clip=Clip(10121, 6.2),
)
WAN22_VAE = Autoencoder(
    name="AutoencoderKLWan",
    parameters=704_688_668,
    factor=16,
    channels=48,
    encode_pixel=982,
    decode_pixel=2903,
    encode_clip=Clip(3741, 12.2),
    decode_clip=Clip(10761, 6.1),
)
LTX_VAE = Autoencoder(
    name="AutoencoderKLLTXVideo",
    parameters=419_193_649,
    factor=32,
    channels=128,
    encode_pixel=144,
    decode_pixel=152,
    encode_clip=Clip(0, 118),
    decode_clip=Clip(20, 100.1),
)
DC_AE = Autoencoder(
    name="AutoencoderDC", parameters=312_250_275, factor=32, channels=32, encode_pixel=1792, decode_pixel=1666
)

CLIP_VISION_H = ImageEncoder("CLIP ViT-H", 630_766_080, tokens=257, width=1280)

# None: reads captions with an encoder of which nobody here knows the size. Empty: needs none.
TEXT_ENCODERS: dict[str, tuple[TextEncoder, ...] | None] = {
    "sdxl": (CLIP_L, CLIP_G),
    "flux": (CLIP_L, T5_XXL),
    "sd3": (CLIP_L, CLIP_G, T5_XXL),
    "z_image": (QWEN3_4B,),
    "qwen_image": (QWEN25_VL,),
    "flux2": (MISTRAL_SMALL,),
    "chroma": (T5_XXL,),
    "pixart": (T5_XXL,),
    "sana": (GEMMA2_2B,),
    "auraflow": (PILE_T5_XL,),
    "lumina2": (GEMMA2_2B,),
    "hidream": (CLIP_L, CLIP_G, T5_XXL, LLAMA_31_8B),
    "kolors": (CHATGLM3,),
    "cosmos": (T5_11B,),
    "sd1x": (CLIP_L,),
    "sd2x": (OPENCLIP_H,),
    "wan": (UMT5_XXL,),
    "ltxvideo": (T5_XXL,),
    "deepfloyd": (T5_XXL,),
    "ernie": None,
    "ideogram": (QWEN3_VL_8B,),
    "kandinsky5_image": (QWEN25_VL, CLIP_L),
    "krea2": (QWEN3_VL_4B,),
    "longcat_image": (QWEN25_VL,),
    "omnigen": (),
    "stable_cascade": (CLIP_G,),
    "z_image_omni": (QWEN3_4B,),
}
TEXT_ENCODERS_OF_FLAVOURS: dict[tuple[str, str], tuple[TextEncoder, ...]] = {
    ("flux2", "klein-4b"): (QWEN3_4B,),
    ("flux2", "klein-9b"): (QWEN3_8B,),
    ("sdxl", "refiner-1.0"): (CLIP_G,),
    ("sdxl", "refiner-0.9"): (CLIP_G,),
}

# None: works on pixels. Missing: nobody here knows its size, as of the encoder of Stable Cascade's stage C.
AUTOENCODERS: dict[str, Autoencoder | None] = {
    "sdxl": SD_VAE,
    "flux": FLUX_VAE,
    "sd3": FLUX_VAE,
    "z_image": FLUX_VAE,
    "qwen_image": QWEN_VAE,
    "flux2": FLUX2_VAE,
    "chroma": FLUX_VAE,
    "pixart": SD_VAE,
    "sana": DC_AE,
    "auraflow": SD_VAE,
    "lumina2": FLUX_VAE,
    "hidream": FLUX_VAE,
    "kolors": SD_VAE,
    "cosmos": WAN_VAE,
    "sd1x": SD_VAE,
    "sd2x": SD_VAE,
    "wan": WAN_VAE,
    "ltxvideo": LTX_VAE,
    "deepfloyd": None,
    "ernie": FLUX2_VAE,
    "ideogram": FLUX2_VAE,
    "kandinsky5_image": FLUX_VAE,
    "krea2": QWEN_VAE,
    "longcat_image": FLUX_VAE,
    "omnigen": SD_VAE,
    "z_image_omni": FLUX_VAE,
}
AUTOENCODERS_OF_FLAVOURS: dict[tuple[str, str], Autoencoder] = {("wan", "ti2v-5b-2.2"): WAN22_VAE}

# What sees the first frame of a video, in flavours that are told it so.
IMAGE_ENCODERS: dict[tuple[str, str], ImageEncoder] = {
    ("wan", "i2v-14b-2.1"): CLIP_VISION_H,
    ("wan", "i2v-14b-2.1-720p"): CLIP_VISION_H,
}

# How many numbers the denoiser gets for each token of a caption; those of several encoders side by side count together.
TEXT_WIDTHS: dict[str, int] = {
    "sdxl": 2048,
    "flux": 4096,
    "sd3": 4096,
    "z_image": 2560,
    "qwen_image": 3584,
    "flux2": 15360,
    "chroma": 4096,
    "pixart": 4096,
    "sana": 2304,
    "auraflow": 2048,
    "lumina2": 2304,
    "hidream": 33 * 4096,
    "kolors": 4096,
    "cosmos": 1024,
    "sd1x": 768,
    "sd2x": 1024,
    "wan": 4096,
    "ltxvideo": 4096,
    "deepfloyd": 4096,
    "ideogram": 13 * 4096,
    "kandinsky5_image": 3584,
    "krea2": 12 * 2560,
    "longcat_image": 3584,
    "stable_cascade": 1280,
    "z_image_omni": 2560,
}
TEXT_WIDTHS_OF_FLAVOURS = {("flux2", "klein-4b"): 7680, ("flux2", "klein-9b"): 12288}


def text_width_of(family: str, flavour: str) -> int | None:
    """None where it is not known, or where the denoiser reads the tokens themselves."""
    return TEXT_WIDTHS_OF_FLAVOURS.get((family, flavour), TEXT_WIDTHS.get(family))


def text_encoders_of(family: str, flavour: str | None) -> tuple[TextEncoder, ...] | None:
    """None where their size is not known."""
    return TEXT_ENCODERS_OF_FLAVOURS.get((family, flavour or ""), TEXT_ENCODERS.get(family))


def autoencoder_of(family: str, flavour: str | None) -> Autoencoder | None:
    """None for families that work on pixels, and for those of which AUTOENCODERS has nothing."""
    return AUTOENCODERS_OF_FLAVOURS.get((family, flavour or "")) or AUTOENCODERS.get(family)


def image_encoder_of(family: str, flavour: str | None) -> ImageEncoder | None:
    return IMAGE_ENCODERS.get((family, flavour or ""))
