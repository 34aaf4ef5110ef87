"""UNets of the families, as tests/benchmarks/facts.py works them out from their classes in diffusers.

The numbers are its output; `python -m tests.benchmarks.facts FAMILY` prints them again.
"""

from domain.families.network import Blocks, Cost, Denoiser

SD1X = Denoiser(
    parameters=859_520_964,
    linear=270_049_280,
    blocks=(Blocks(4, 62_403_120), Blocks(4, 127_698_960)),
    lora_width=199_296,
    plain=Cost(4416.8, 100_096, 6_202_470),
    recomputed=Cost(1044.5, 4_416, 235_520),
    dropout_pixel=249.4,
    full=1.077,
    full_recomputed=1.025,
)
SD2X = Denoiser(
    parameters=865_910_724,
    linear=301_219_840,
    blocks=(Blocks(4, 62_976_560), Blocks(4, 128_559_120)),
    lora_width=207_488,
    plain=Cost(4259.5, 116_480, 6_202_061),
    recomputed=Cost(887.9, 5_440, 235_520),
    dropout_pixel=247.4,
    full=1.116,
    full_recomputed=1.205,
)
SDXL = Denoiser(
    parameters=2_567_463_684,
    linear=2_232_647_680,
    blocks=(Blocks(3, 274_313_920), Blocks(3, 441_361_493)),
    lora_width=1_451_520,
    plain=Cost(7333.7, 910_720, 39_561_216),
    recomputed=Cost(687.6, 0, 72_192),
    dropout_pixel=589.1,
    full=1.109,
    full_recomputed=1.236,
)
SDXL_REFINER = Denoiser(
    parameters=2_259_526_660,
    linear=1_445_855_232,
    blocks=(Blocks(4, 177_377_376), Blocks(4, 315_159_936)),
    lora_width=843_776,
    plain=Cost(7092.6, 436_992, 25_005_056),
    recomputed=Cost(750.9, 0, 83_456),
    dropout_pixel=541.0,
    full=1.123,
    full_recomputed=1.254,
)
KOLORS = Denoiser(
    parameters=2_579_458_820,
    linear=2_244_640_768,
    blocks=(Blocks(3, 274_313_920), Blocks(3, 441_361_493)),
    lora_width=1_451_520,
    plain=Cost(7333.7, 914_816, 39_561_216),
    recomputed=Cost(687.6, 4_096, 72_192),
    dropout_pixel=582.5,
    full=1.109,
    full_recomputed=1.236,
)
IF_MEDIUM = Denoiser(
    parameters=371_605_830,
    linear=136_839_168,
    blocks=(Blocks(4, 24_570_000), Blocks(4, 47_192_064)),
    lora_width=102_912,
    plain=Cost(89998.5, 52_992, 3_637_760),
    recomputed=Cost(45634.5, 51_456, 3_423_744),
    dropout_pixel=3792.0,
    full=1.337,
    full_recomputed=1.27,
)
IF_LARGE = Denoiser(
    parameters=935_365_830,
    linear=283_639_808,
    blocks=(Blocks(4, 68_219_120), Blocks(4, 131_041_280)),
    lora_width=171_520,
    plain=Cost(149793.0, 88_320, 5_976_576),
    recomputed=Cost(75853.0, 85_760, 5_659_136),
    dropout_pixel=6320.0,
    full=1.332,
    full_recomputed=1.261,
)
IF_XLARGE = Denoiser(
    parameters=4_304_695_110,
    linear=1_151_860_736,
    blocks=(Blocks(4, 330_058_256), Blocks(4, 634_050_560)),
    lora_width=377_344,
    plain=Cost(329176.5, 194_304, 12_997_120),
    recomputed=Cost(166508.5, 188_672, 12_367_360),
    dropout_pixel=13904.0,
    full=1.328,
    full_recomputed=1.257,
)
CASCADE = Denoiser(
    parameters=3_589_103_632,
    linear=3_576_168_448,
    blocks=(Blocks(2, 886_112_256), Blocks(2, 894_500_864)),
    lora_width=1_048_576,
    plain=Cost(5457.0, 1_053_840, 47_859_200),
    recomputed=Cost(591.8, 8_192, 136_704),
    dropout_pixel=317.6,
    full=1.347,
    full_recomputed=1.069,
)
CASCADE_LITE = Denoiser(
    parameters=1_030_785_040,
    linear=1_024_327_680,
    blocks=(Blocks(2, 250_503_168), Blocks(2, 255_221_760)),
    lora_width=393_216,
    plain=Cost(2037.8, 396_280, 18_409_301),
    recomputed=Cost(261.6, 6_144, 103_936),
    dropout_pixel=117.5,
    full=1.36,
    full_recomputed=1.103,
)
