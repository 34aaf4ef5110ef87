"""What trades speed for memory, apart from fewer bits."""

from typing import Literal

from domain.config.options import Group, Part, option


class MemoryOptions(Part):
    group = Group("memory", "Memory", "What makes a run fit a smaller GPU, and what that costs in speed.")

    gradient_checkpointing: bool = option(
        False,
        label="Gradient checkpointing",
        help="Compute activations again in the backward pass: less memory, about a third slower.",
    )
    gradient_checkpointing_interval: int | None = option(
        None,
        label="Checkpoint every nth block",
        advanced=True,
        ge=1,
        requires={"gradient_checkpointing": True},
        help="Compute again only every nth block, from the first one on: less slow, and less memory saved. Empty: all blocks.",
    )
    gradient_checkpointing_backend: Literal["torch", "torch-ffn", "unsloth", "unsloth-ffn"] = option(
        "torch",
        label="Checkpointing by",
        advanced=True,
        later=True,
        requires={"gradient_checkpointing": True},
        help="torch computes again; unsloth also keeps what it needs in main memory. ffn: only the feed-forward layers.",
    )
    gradient_checkpointing_segment_stride: int | None = option(
        None,
        label="Blocks per segment",
        advanced=True,
        later=True,
        ge=1,
        requires={"gradient_checkpointing": True},
        help="Treat this many blocks as one: fewer activations are kept, more at once are computed again.",
    )
    gradient_checkpointing_offload_attention: bool = option(
        False,
        label="Attention in main memory",
        advanced=True,
        later=True,
        requires={"gradient_checkpointing": True},
        help="Keep the results of attention in main memory instead of computing them again.",
    )
    attention_mechanism: Literal[
        "diffusers",
        "xformers",
        "sla",
        "sageattention",
        "sageattention-int8-fp16-triton",
        "sageattention-int8-fp16-cuda",
        "sageattention-int8-fp8-cuda",
        "flash-attn",
        "flash-attn-hub",
        "flash-attn-2",
        "flash-attn-varlen-hub",
        "flash-attn-3",
        "flash-attn-3-hub",
        "flash-attn-3-varlen",
        "flash-attn-3-varlen-hub",
        "flash-attn-4-hub",
        "flex",
        "metal-flash-attention",
        "metal-flash-attention-int8",
        "metal-flash-attention-int4",
        "native",
        "cudnn",
        "native-efficient",
        "native-flash",
        "native-math",
        "native-npu",
        "native-xla",
    ] = option(
        "diffusers",
        label="Attention",
        advanced=True,
        usable=["diffusers", "native", "native-flash", "native-efficient", "native-math", "cudnn"],
        help="Which implementation computes attention. diffusers takes the fastest of torch's own but cuDNN's, which fails for some families.",
    )
    sageattention_usage: Literal["training", "inference", "training+inference"] = option(
        "inference",
        label="SageAttention for",
        advanced=True,
        later=True,
        help="Where SageAttention is used; it rounds, so training with it loses gradients of attention.",
    )
    offload_during_startup: bool = option(
        False,
        label="Offload while encoding",
        advanced=True,
        help="Keep on the GPU only what is encoding right now, until training starts: text encoders, then the VAE, then the denoiser.",
    )
    offload_during_save: bool = option(
        False,
        label="Offload while saving",
        advanced=True,
        later=True,
        help="Move weights to main memory while a checkpoint is written.",
    )
    enable_group_offload: bool = option(
        False,
        label="Group offload",
        advanced=True,
        later=True,
        help="Keep blocks of the base model in main memory and bring each to the GPU when its turn comes.",
    )
    group_offload_type: Literal["block_level", "leaf_level"] = option(
        "block_level",
        label="Size of groups",
        advanced=True,
        later=True,
        requires={"enable_group_offload": True},
        help="Whole blocks, or single layers: less memory and slower.",
    )
    group_offload_blocks_per_group: int = option(
        1,
        label="Blocks per group",
        advanced=True,
        later=True,
        ge=1,
        requires={"enable_group_offload": True, "group_offload_type": "block_level"},
        help="How many blocks are moved together.",
    )
    group_offload_use_stream: bool = option(
        False,
        label="Move while computing",
        advanced=True,
        later=True,
        requires={"enable_group_offload": True},
        help="Bring the next group while this one computes, on a CUDA stream of its own.",
    )
    group_offload_to_disk_path: str | None = option(
        None,
        label="Groups on disk",
        advanced=True,
        later=True,
        kind="path",
        requires={"enable_group_offload": True},
        help="A folder to keep the groups in when main memory is short too.",
    )
    group_offload_text_encoder: bool = option(
        False,
        label="Text encoders too",
        advanced=True,
        later=True,
        requires={"enable_group_offload": True},
        help="Offload the text encoders in groups as well.",
    )
    group_offload_vae: bool = option(
        False,
        label="VAE too",
        advanced=True,
        later=True,
        requires={"enable_group_offload": True},
        help="Offload the VAE in groups as well.",
    )
    ramtorch: bool = option(
        False,
        label="RamTorch",
        advanced=True,
        later=True,
        help="Keep the weights of linear layers in main memory and stream them to the GPU layer by layer.",
    )
    ramtorch_target_modules: list[str] | None = option(
        None,
        label="Streamed modules",
        advanced=True,
        later=True,
        requires={"ramtorch": True},
        help="Patterns of module names to stream, as a list or with commas. Empty: all linear layers.",
    )
    ramtorch_text_encoder: bool = option(
        False,
        label="Stream text encoders",
        advanced=True,
        later=True,
        requires={"ramtorch": True},
        help="Stream the text encoders as well.",
    )
    ramtorch_vae: bool = option(
        False,
        label="Stream the VAE",
        advanced=True,
        later=True,
        requires={"ramtorch": True},
        help="Stream the VAE as well.",
    )
    ramtorch_transformer_percent: float = option(
        100,
        label="Share streamed",
        advanced=True,
        later=True,
        ge=0,
        le=100,
        unit="%",
        requires={"ramtorch": True},
        help="Which share of the denoiser's layers is streamed; the rest stays on the GPU.",
    )
    ramtorch_text_encoder_percent: float = option(
        100,
        label="Share of text encoders streamed",
        advanced=True,
        later=True,
        ge=0,
        le=100,
        unit="%",
        requires={"ramtorch_text_encoder": True},
        help="Which share of the text encoders' layers is streamed.",
    )
    musubi_blocks_to_swap: int = option(
        0,
        label="Blocks to swap",
        advanced=True,
        later=True,
        ge=0,
        help="How many of the transformer's blocks wait in main memory for their turn. 0 turns it off.",
    )
    musubi_block_swap_device: str = option(
        "cpu",
        label="Where swapped blocks wait",
        advanced=True,
        later=True,
        help="A device of torch, nearly always cpu.",
    )
    accelerator_cache_clear_interval: int | None = option(
        None,
        label="Give memory back every",
        advanced=True,
        ge=0,
        unit="steps",
        help="Return unused GPU memory this often, against fragmentation. Empty: never.",
    )
    set_grads_to_none: bool = option(
        False,
        label="Drop gradients",
        advanced=True,
        later=True,
        moot="gradients are always freed after a step, but for steps that are one CUDA graph, which keeps their place",
        help="Free the memory of gradients after each update instead of filling it with zeros.",
    )
    delete_model_after_load: bool = option(
        False,
        label="Delete downloads",
        advanced=True,
        later=True,
        help="Remove downloaded weights from the disk once they are loaded. The next run downloads them again.",
    )
