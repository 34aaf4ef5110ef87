"""What of a configuration memory depends on, in the units of the estimate; see memory.py.

Read from a plain mapping of option values as they are in effect, so that values of files, in text or not, and options
that the form does not offer yet count as well. What cannot be understood counts as not set: refusing is not done here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BITS_OF_SCALES = 0.5
"""For each weight in fewer than 8 bits: a 16-bit scale and an offset for every 64 of them."""
BITS_OF_CHANNEL_SCALES = 0.02
"""For each weight in 8 bits: one scale for every row of a matrix."""
PAGED = "paged"
VAE_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
"""Of each weight, by vae_dtype."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """batch_size: pictures in one forward pass on one device.

    weight_bytes: of each frozen weight that is not quantised; quantised_bits: of each that is, None for none.
    optimizer: its name. lora_type: standard, lycoris. is_counterweighted: a second adapter of the same size lies beside
    it, which is not trained.
    checkpointed: which share of the blocks is computed again. swapped_blocks: how many blocks wait in RAM. streamed:
    which share of the linear layers comes from RAM for each use. shards_states, shards_gradients, shards_weights: among
    the devices of a run. offloads_startup: no network is on the device before the first step while it has nothing to
    do. vae_bytes: of each weight of the autoencoder; keeps_vae: it is on the device while training. tokens: None for
    the family's own limit. num_trained: parameters of the adapter, where weights that are here tell; None for what is
    usual. strange: options that were not understood.
    """

    is_full: bool
    weight_bytes: int
    quantised_bits: float | None
    is_mixed: bool
    batch_size: int
    accumulates: bool
    lora_type: str
    lora_rank: int
    is_counterweighted: bool
    lora_dropout: float
    has_own_targets: bool
    trains_text_encoders: bool
    optimizer: str
    offloads_optimizer: bool
    ema_on_device: bool
    ema_in_ram: bool
    checkpointed: float
    compiles: bool
    keeps_scores: bool
    swapped_blocks: int
    offloaded_group: int | None
    streamed: float
    shards_states: bool
    shards_gradients: bool
    shards_weights: bool
    vae_batch_size: int
    vae_tiles: bool
    vae_bytes: int
    keeps_vae: bool
    encoder_bits: tuple[float | None, ...]
    offloads_startup: bool
    tokens: int | None
    validates: bool
    checkpoints_kept: int
    num_trained: int | None = None
    strange: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "MemoryPlan":
        """values: options as in config.json; what is missing is as in a new environment."""
        read = _Reader(values)
        mixed = read.text("mixed_precision", "bf16")
        in_full = mixed == "no" or read.text("base_model_default_dtype", "bf16") == "fp32"
        stage = read.stage()
        shards_all = read.flag("fsdp_enable") or stage >= 3
        in_use = read.flag("use_ema")
        ema_stays = read.text("ema_device", "cpu") == "accelerator" and not read.flag("ema_cpu_only")
        return cls(
            is_full=read.text("model_type", "lora") == "full",
            weight_bytes=4 if in_full else 2,
            quantised_bits=read.bits("base_model_precision"),
            is_mixed=mixed != "no",
            batch_size=max(1, read.count("train_batch_size", 4)),
            accumulates=read.count("gradient_accumulation_steps", 1) > 1,
            lora_type=read.text("lora_type", "standard"),
            lora_rank=max(1, read.count("lora_rank", 16)),
            is_counterweighted=_has_counterweight(read),
            lora_dropout=read.number("lora_dropout", 0.1),
            has_own_targets=bool(values.get("peft_lora_target_modules")),
            trains_text_encoders=read.flag("train_text_encoder"),
            optimizer=read.text("optimizer", "torch-adamw"),
            offloads_optimizer=read.text("optimizer_cpu_offload_method", "none") not in ("none", ""),
            ema_on_device=in_use and ema_stays,
            ema_in_ram=in_use and not ema_stays,
            checkpointed=_share_checkpointed(read),
            compiles=read.text("dynamo_backend", "no") not in ("no", ""),
            keeps_scores=read.text("attention_mechanism", "diffusers") == "native-math",
            swapped_blocks=max(0, read.count("musubi_blocks_to_swap", 0)),
            offloaded_group=_offloaded_group(read),
            streamed=_share_streamed(read),
            shards_states=stage >= 1 or shards_all,
            shards_gradients=stage >= 2 or shards_all,
            shards_weights=shards_all,
            vae_batch_size=1 if read.flag("vae_enable_slicing") else max(1, read.count("vae_batch_size", 4)),
            vae_tiles=read.flag("vae_enable_tiling"),
            vae_bytes=VAE_BYTES.get(read.text("vae_dtype", "default"), 4 if in_full else 2),
            keeps_vae=read.flag("keep_vae_loaded"),
            encoder_bits=tuple(read.bits(f"text_encoder_{number}_precision") for number in range(1, 5)),
            offloads_startup=read.flag("offload_during_startup"),
            tokens=read.count("tokenizer_max_length", 0) or None,
            validates=not read.flag("validation_disable"),
            checkpoints_kept=max(1, read.count("checkpoints_total_limit", 5)),
            strange=tuple(read.strange),
        )


def bits_of(precision: str) -> float | None:
    """Bits of a quantised weight with its scales, None for no_change; raises ValueError for what is no precision.

    Of names with two widths, such as int8dq-int4-torchao, the smaller one is that of the weights.
    """
    if precision in ("no_change", "", "none"):
        return None
    widths = [int(width) for width in re.findall(r"(?:int|fp|nf|mxfp|nvfp)(\d+)", precision)]
    if not widths:
        raise ValueError(precision)
    narrowest = min(widths)
    if narrowest >= 16:
        return float(narrowest)
    return narrowest + (BITS_OF_CHANNEL_SCALES if narrowest == 8 else BITS_OF_SCALES)


class _Reader:
    """Options by key, as text, flag or number, whatever form they have; strange: those that made no sense."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.strange: list[str] = []

    def text(self, key: str, default: str) -> str:
        value = self._values.get(key)
        return default if value is None else str(value)

    def flag(self, key: str) -> bool:
        return str(self._values.get(key, False)).strip().lower() in ("true", "1", "yes", "on")

    def number(self, key: str, default: float) -> float:
        value = self._values.get(key)
        if value is None or value == "":
            return default
        try:
            number = float(value)
        except (TypeError, ValueError):
            self.strange.append(key)
            return default
        if not -1e12 < number < 1e12:
            self.strange.append(key)
            return default
        return number

    def count(self, key: str, default: int) -> int:
        return int(self.number(key, default))

    def bits(self, key: str) -> float | None:
        try:
            return bits_of(self.text(key, "no_change"))
        except ValueError:
            self.strange.append(key)
            return None

    def stage(self) -> int:
        """Of ZeRO: from the words zero1 to zero3, or from a configuration of DeepSpeed; 0 for none."""
        written = self._values.get("deepspeed_config")
        if not written:
            return 0
        if isinstance(written, str):
            word = re.fullmatch(r"zero-?([0-3])", written.strip().lower())
            if word:
                return int(word[1])
            try:
                written = json.loads(written)
            except ValueError:
                self.strange.append("deepspeed_config")
                return 0
        section = written.get("zero_optimization") if isinstance(written, Mapping) else None
        stage = section.get("stage") if isinstance(section, Mapping) else None
        if not isinstance(stage, int):
            self.strange.append("deepspeed_config")
            return 0
        return stage


def _has_counterweight(read: _Reader) -> bool:
    is_lora = read.text("model_type", "lora") == "lora" and read.text("lora_type", "standard") == "standard"
    return is_lora and read.text("lora_init_type", "default") in ("olora", "pissa")


def _share_checkpointed(read: _Reader) -> float:
    if not read.flag("gradient_checkpointing"):
        return 0.0
    return 1 / max(1, read.count("gradient_checkpointing_interval", 1))


def _offloaded_group(read: _Reader) -> int | None:
    """How many blocks are on the device at once."""
    if not read.flag("enable_group_offload"):
        return None
    blocks = 1 if read.text("group_offload_type", "block_level") == "leaf_level" else None
    held = blocks or max(1, read.count("group_offload_blocks_per_group", 1))
    return held * 2 if read.flag("group_offload_use_stream") else held


def _share_streamed(read: _Reader) -> float:
    if not read.flag("ramtorch"):
        return 0.0
    targets = read.text("ramtorch_target_modules", "")
    if targets not in ("", "*"):
        read.strange.append("ramtorch_target_modules")
    return min(1.0, max(0.0, read.number("ramtorch_transformer_percent", 100) / 100))
