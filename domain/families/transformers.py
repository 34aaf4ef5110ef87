"""Transformers of the families, as tests/benchmarks/facts.py works them out from their classes in diffusers.

The numbers are its output; `python -m tests.benchmarks.facts FAMILY` prints them again.
"""

from dataclasses import replace

from domain.families.network import Blocks, Cost, Denoiser

FLUX_DEV = Denoiser(
    parameters=11_901_408_320,
    linear=11_898_322_944,
    blocks=(Blocks(19, 339_831_296), Blocks(38, 141_591_808)),
    lora_width=1_167_360,
    plain=Cost(22294.3, 5_225_476, 39_915_520),
    recomputed=Cost(2070.0, 529_800, 622_592),
    dropout_pixel=2420.5,
    full=1.57,
    full_recomputed=1.053,
)
FLUX_SCHNELL = Denoiser(
    parameters=11_891_178_560,
    linear=11_888_099_328,
    blocks=(Blocks(19, 339_831_296), Blocks(38, 141_591_808)),
    lora_width=1_167_360,
    plain=Cost(22294.3, 5_225_476, 39_915_008),
    recomputed=Cost(2070.0, 529_800, 622_592),
    dropout_pixel=2420.5,
    full=1.57,
    full_recomputed=1.053,
)
SD35_MEDIUM = Denoiser(
    parameters=2_243_171_520,
    linear=2_241_822_720,
    blocks=(Blocks(24, 92_653_957),),
    lora_width=454_656,
    plain=Cost(8689.6, 1_303_472, 15_603_712),
    recomputed=Cost(747.8, 89_384, 850_944),
    dropout_pixel=919.5,
    full=1.472,
    full_recomputed=1.191,
    positions=384**2 * 1536,
)
SD35_LARGE = Denoiser(
    parameters=8_056_627_520,
    linear=8_053_694_464,
    blocks=(Blocks(38, 210_975_616),),
    lora_width=739_328,
    plain=Cost(16144.0, 3_295_952, 26_420_736),
    recomputed=Cost(1351.8, 258_256, 674_304),
    dropout_pixel=1367.1,
    full=1.588,
    full_recomputed=1.13,
    positions=192**2 * 2432,
)
CHROMA = Denoiser(
    parameters=8_899_983_424,
    linear=8_897_888_256,
    blocks=(Blocks(19, 226_548_224), Blocks(38, 113_271_040)),
    lora_width=1_167_360,
    plain=Cost(22270.3, 5_225_476, 41_366_016),
    recomputed=Cost(2046.0, 523_656, 4_112_384),
    dropout_pixel=2513.5,
    full=1.574,
    full_recomputed=1.1,
)
Z_IMAGE = Denoiser(
    parameters=6_154_908_736,
    linear=6_153_863_168,
    blocks=(Blocks(2, 180_910_336), Blocks(2, 176_962_816), Blocks(30, 180_910_336)),
    lora_width=1_044_480,
    plain=Cost(32887.5, 8_419_064, 34_017_280),
    recomputed=Cost(2226.5, 569_844, 1_336_320),
    dropout_pixel=1933.6,
    full=1.313,
    full_recomputed=1.117,
)
QWEN_IMAGE = Denoiser(
    parameters=20_430_401_088,
    linear=20_424_818_688,
    blocks=(Blocks(60, 339_831_296),),
    lora_width=1_474_560,
    plain=Cost(32121.2, 6_610_544, 57_033_216),
    recomputed=Cost(2358.2, 479_528, 5_081_088),
    dropout_pixel=3003.0,
    full=1.54,
    full_recomputed=1.041,
)
PIXART_600M = Denoiser(
    parameters=610_856_096,
    linear=610_209_792,
    blocks=(Blocks(28, 21_255_552),),
    lora_width=516_096,
    plain=Cost(5148.7, 262_144, 14_941_696),
    recomputed=Cost(523.6, 11_584, 551_936),
    dropout_pixel=1107.9,
    full=1.43,
    full_recomputed=1.085,
)
PIXART_900M = Denoiser(
    parameters=908_433_824,
    linear=907_481_088,
    blocks=(Blocks(42, 21_255_552),),
    lora_width=774_144,
    plain=Cost(7687.1, 392_064, 22_460_928),
    recomputed=Cost(649.6, 11_584, 551_936),
    dropout_pixel=1678.5,
    full=1.431,
    full_recomputed=1.069,
)
SANA_600M = Denoiser(
    parameters=591_747_872,
    linear=310_874_112,
    blocks=(Blocks(28, 20_646_144),),
    lora_width=516_096,
    plain=Cost(2486.1, 262_144, 17_056_256),
    recomputed=Cost(164.8, 11_584, 627_200),
    dropout_pixel=185.6,
    full=1.064,
    full_recomputed=1.047,
)
SANA_1600M = Denoiser(
    parameters=1_604_462_752,
    linear=848_762_880,
    blocks=(Blocks(20, 77_920_640),),
    lora_width=716_800,
    plain=Cost(3457.0, 364_160, 23_603_200),
    recomputed=Cost(285.1, 22_464, 1_217_024),
    dropout_pixel=265.6,
    full=1.066,
    full_recomputed=1.094,
)
SANA15_1600M = Denoiser(
    parameters=1_604_641_952,
    linear=848_762_880,
    blocks=(Blocks(20, 77_929_600),),
    lora_width=716_800,
    plain=Cost(4244.7, 633_040, 23_603_200),
    recomputed=Cost(324.5, 35_908, 1_217_024),
    dropout_pixel=255.9,
    full=1.117,
    full_recomputed=1.124,
)
SANA15_4800M = Denoiser(
    parameters=4_721_825_952,
    linear=2_454_394_880,
    blocks=(Blocks(60, 77_929_600),),
    lora_width=2_150_400,
    plain=Cost(12672.8, 1_890_160, 71_157_760),
    recomputed=Cost(499.5, 35_908, 1_217_024),
    dropout_pixel=780.7,
    full=1.115,
    full_recomputed=1.081,
)
FLUX2_DEV = Denoiser(
    parameters=32_223_281_152,
    linear=32_223_264_768,
    blocks=(Blocks(8, 981_467_648), Blocks(48, 490_733_824)),
    lora_width=3_342_336,
    plain=Cost(51311.0, 12_716_152, 107_566_080),
    recomputed=Cost(4519.4, 1_156_712, 2_164_736),
    dropout_pixel=2011.8,
    full=1.377,
    full_recomputed=1.021,
)
KLEIN_4B = Denoiser(
    parameters=3_875_544_576,
    linear=3_875_536_896,
    blocks=(Blocks(5, 245_367_296), Blocks(20, 122_683_648)),
    lora_width=737_280,
    plain=Cost(11871.0, 2_902_728, 23_650_304),
    recomputed=Cost(1518.3, 388_424, 1_083_392),
    dropout_pixel=458.0,
    full=1.367,
    full_recomputed=1.031,
)
KLEIN_9B = Denoiser(
    parameters=9_078_581_248,
    linear=9_078_571_008,
    blocks=(Blocks(8, 436_208_128), Blocks(24, 218_104_064)),
    lora_width=1_245_184,
    plain=Cost(20349.2, 4_929_336, 40_051_712),
    recomputed=Cost(2246.7, 574_888, 1_443_840),
    dropout_pixel=875.0,
    full=1.372,
    full_recomputed=1.028,
)
AURAFLOW = Denoiser(
    parameters=6_858_605_568,
    linear=6_830_260_224,
    blocks=(Blocks(4, 339_738_624), Blocks(32, 169_869_312)),
    lora_width=983_040,
    plain=Cost(20958.1, 5_365_240, 75_909_120),
    recomputed=Cost(1657.6, 424_320, 4_241_920),
    dropout_pixel=2083.0,
    full=1.188,
    full_recomputed=1.018,
)
LUMINA2 = Denoiser(
    parameters=2_609_769_152,
    linear=2_609_217_536,
    blocks=(Blocks(2, 87_312_576), Blocks(2, 77_866_176), Blocks(26, 87_312_576)),
    lora_width=460_800,
    plain=Cost(20332.7, 5_205_048, 15_180_800),
    recomputed=Cost(2746.8, 703_048, 2_408_448),
    dropout_pixel=1217.0,
    full=1.282,
    full_recomputed=1.22,
)
# Which expert reads what follows from the numbers, so that its steps were measured on a GPU.
HIDREAM = Denoiser(
    parameters=17_105_733_184,
    linear=17_103_257_600,
    blocks=(Blocks(16, 424_089_600), Blocks(32, 305_438_720)),
    lora_width=983_040,
    plain=Cost(35165.2, 23_309_872, 14_320_469),
    recomputed=Cost(1881.5, 1_496_912, 0),
    dropout_pixel=2554.8,
    full=1.0,
    full_recomputed=1.0,
)
COSMOS_2B = Denoiser(
    parameters=1_956_405_248,
    linear=1_956_388_864,
    blocks=(Blocks(28, 69_206_528),),
    lora_width=860_160,
    plain=Cost(14078.6, 691_712, 26_939_392),
    recomputed=Cost(1110.6, 24_704, 986_112),
    dropout_pixel=1320.0,
    full=1.473,
    full_recomputed=1.171,
)
COSMOS_14B = Denoiser(
    parameters=14_265_265_152,
    linear=14_265_241_600,
    blocks=(Blocks(36, 393_216_512),),
    lora_width=2_654_208,
    plain=Cost(45106.8, 1_998_720, 86_611_968),
    recomputed=Cost(3088.5, 55_520, 2_460_672),
    dropout_pixel=4260.0,
    full=1.476,
    full_recomputed=1.193,
)
WAN_1300M = Denoiser(
    parameters=1_418_996_800,
    linear=1_417_641_984,
    blocks=(Blocks(30, 46_440_704),),
    lora_width=737_280,
    plain=Cost(9830.4, 462_840, 22_395_904),
    recomputed=Cost(839.8, 18_500, 771_072),
    dropout_pixel=1378.0,
    full=1.35,
    full_recomputed=1.072,
)
WAN_14B = Denoiser(
    parameters=14_288_491_584,
    linear=14_283_243_520,
    blocks=(Blocks(40, 351_394_304),),
    lora_width=3_276_800,
    plain=Cost(38369.6, 2_060_960, 99_584_000),
    recomputed=Cost(2954.6, 61_508, 2_563_072),
    dropout_pixel=4750.0,
    full=1.272,
    full_recomputed=1.049,
)
# Traced with the only number of text tokens that it can read; what one more would cost is as without pictures.
WAN_I2V_14B = Denoiser(
    parameters=16_394_878_784,
    linear=16_388_587_520,
    blocks=(Blocks(40, 403_838_464),),
    lora_width=3_276_800,
    plain=Cost(39994.6, 2_060_960, 315_422_720),
    recomputed=Cost(2995.3, 61_508, 10_459_136),
    dropout_pixel=4739.4,
    full=1.302,
    full_recomputed=1.065,
)
WAN22_I2V_14B = Denoiser(
    parameters=14_288_901_184,
    linear=14_283_243_520,
    blocks=(Blocks(40, 351_394_304),),
    lora_width=3_276_800,
    plain=Cost(38369.6, 2_060_960, 99_584_000),
    recomputed=Cost(2954.6, 61_508, 2_563_072),
    dropout_pixel=4740.0,
    full=1.272,
    full_recomputed=1.049,
)
WAN_5B = Denoiser(
    parameters=4_999_787_712,
    linear=4_996_792_320,
    blocks=(Blocks(30, 163_656_704),),
    lora_width=1_474_560,
    plain=Cost(4687.3, 929_784, 44_771_328),
    recomputed=Cost(399.8, 36_932, 1_539_072),
    dropout_pixel=531.0,
    full=1.316,
    full_recomputed=1.243,
)
LTXVIDEO = Denoiser(
    parameters=1_923_385_472,
    linear=1_922_039_808,
    blocks=(Blocks(28, 67_155_968),),
    lora_width=917_504,
    plain=Cost(2853.0, 575_344, 26_465_280),
    recomputed=Cost(260.7, 24_644, 978_432),
    dropout_pixel=330.0,
    full=1.18,
    full_recomputed=1.132,
)
IDEOGRAM = Denoiser(
    parameters=9_279_288_448,
    linear=9_277_931_520,
    blocks=(Blocks(34, 264_278_528),),
    lora_width=2_976_768,
    plain=Cost(47701.5, 12_214_792, 90_865_664),
    recomputed=Cost(2967.8, 762_948, 0),
    dropout_pixel=6017.4,
    full=1.17,
    full_recomputed=1.315,
    stored_bits=8.02,
)
KANDINSKY5 = Denoiser(
    parameters=6_022_080_576,
    linear=6_019_809_280,
    blocks=(Blocks(2, 86_533_376), Blocks(50, 116_698_112)),
    lora_width=1_566_720,
    plain=Cost(26251.8, 1_734_360, 52_928_512),
    recomputed=Cost(1706.7, 47_248, 1_084_416),
    dropout_pixel=2098.8,
    full=1.564,
    full_recomputed=1.145,
)
KREA2 = Denoiser(
    parameters=12_820_073_036,
    linear=12_818_579_468,
    blocks=(Blocks(28, 434_159_872),),
    lora_width=1_200_128,
    plain=Cost(32082.6, 11_463_716, 41_706_496),
    recomputed=Cost(2910.7, 3_995_708, 3_902_464),
    dropout_pixel=3221.0,
    full=1.232,
    full_recomputed=1.075,
)
LONGCAT = Denoiser(
    parameters=6_270_668_864,
    linear=6_269_042_688,
    blocks=(Blocks(10, 339_831_296), Blocks(20, 141_591_808)),
    lora_width=614_400,
    plain=Cost(11883.5, 2_782_660, 20_865_536),
    recomputed=Cost(1422.0, 363_912, 622_592),
    dropout_pixel=1313.0,
    full=1.56,
    full_recomputed=1.078,
)
OMNIGEN = Denoiser(
    parameters=3_762_072_592,
    linear=3_663_249_408,
    blocks=(Blocks(32, 113_252_352),),
    lora_width=786_432,
    plain=None,
    recomputed=None,
    dropout_pixel=0,
    full=1.0,
    full_recomputed=1.0,
    positions=192**2 * 3072,
)
IDEOGRAM_NF4 = replace(IDEOGRAM, stored_bits=4.5)
# With parts for pictures to begin with, which nobody here has counted.
Z_IMAGE_OMNI = replace(Z_IMAGE, counted_by="publisher")
