"""On how many devices a run computes, and how they share the work."""

from typing import Any, Literal

from domain.config.options import Group, Part, option


class DeviceOptions(Part):
    group = Group("devices", "Devices", "How many devices train together, how they share, and what is compiled.")

    num_processes: int = option(1, label="GPUs", advanced=True, ge=1, le=64, help="How many GPUs train together.")
    num_machines: int = option(
        1, label="Machines", advanced=True, later=True, ge=1, help="How many machines train together."
    )
    machine_rank: int = option(
        0, label="This machine's place", advanced=True, later=True, ge=0, help="Counted from 0, the first one leads."
    )
    main_process_ip: str = option(
        "127.0.0.1", label="Address of the first", advanced=True, later=True, help="Where the others find it."
    )
    main_process_port: int = option(
        29500, label="Its port", advanced=True, later=True, ge=1, le=65535, help="On which port the others find it."
    )
    same_network: bool = option(
        True, label="One network", advanced=True, later=True, help="All machines can reach one another directly."
    )
    deepspeed_config: dict[str, Any] | str | None = option(
        None,
        label="DeepSpeed",
        advanced=True,
        later=True,
        may_be_file=True,
        model_types=["full"],
        help="Shards optimizer, gradients and weights by DeepSpeed: its JSON, a file with it, or zero1, zero2, zero3.",
    )
    offload_param_path: str | None = option(
        None,
        label="DeepSpeed's folder",
        advanced=True,
        later=True,
        kind="path",
        model_types=["full"],
        help="Where DeepSpeed keeps weights that it moves to disk.",
    )
    fsdp_enable: bool = option(
        False, label="FSDP", advanced=True, later=True, help="Shards weights over the devices by PyTorch itself."
    )
    fsdp_version: int = option(
        2, label="Version", advanced=True, later=True, ge=1, le=2, requires={"fsdp_enable": True}, help="1 or 2."
    )
    fsdp_reshard_after_forward: bool = option(
        True,
        label="Shard again",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="Give weights back after the forward pass and gather them anew in the backward pass: less memory, slower.",
    )
    fsdp_cpu_offload: bool = option(
        False,
        label="Shards in main memory",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="Keep shards in main memory when they are not needed.",
    )
    fsdp_cpu_ram_efficient_loading: bool = option(
        False,
        label="Load once",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="Only the first process loads the weights and hands them on.",
    )
    fsdp_activation_checkpointing: bool = option(
        False,
        label="Checkpointing by FSDP",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="Let FSDP compute activations again instead of the model.",
    )
    fsdp_limit_all_gathers: bool = option(
        True,
        label="Gather in turn",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="Do not gather the next weights before the last ones are given back.",
    )
    fsdp_state_dict_type: Literal["SHARDED_STATE_DICT", "FULL_STATE_DICT"] = option(
        "SHARDED_STATE_DICT",
        label="Checkpoints of FSDP",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="Each device saves its shard, or one saves everything.",
    )
    fsdp_auto_wrap_policy: Literal["TRANSFORMER_BASED_WRAP", "SIZE_BASED_WRAP", "NO_WRAP"] = option(
        "TRANSFORMER_BASED_WRAP",
        label="Sharded together",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="By the model's blocks, by size, or all at once.",
    )
    fsdp_transformer_layer_cls_to_wrap: list[str] | None = option(
        None,
        label="Blocks",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="Class names of the blocks, as a list or with commas. Empty: as the model says.",
    )
    context_parallel_size: int = option(
        1,
        label="Devices for a picture",
        advanced=True,
        later=True,
        ge=1,
        requires={"fsdp_enable": True},
        help="Spread the tokens of one picture over this many devices, for very large ones.",
    )
    context_parallel_comm_strategy: Literal["allgather", "alltoall"] = option(
        "allgather",
        label="They exchange by",
        advanced=True,
        later=True,
        requires={"fsdp_enable": True},
        help="How these devices exchange keys and values of attention.",
    )
    dynamo_backend: Literal[
        "no",
        "inductor",
        "eager",
        "aot_eager",
        "aot_ts_nvfuser",
        "nvprims_nvfuser",
        "cudagraphs",
        "ofi",
        "fx2trt",
        "onnxrt",
        "tensorrt",
        "ipex",
        "tvm",
        "hpu_backend",
    ] = option(
        "no",
        label="Compile",
        advanced=True,
        usable=["no", "inductor", "eager", "aot_eager", "cudagraphs"],
        help="Compile the denoiser by torch.compile: inductor is up to twice as fast after a first step that takes a minute. cudagraphs compiles nothing, but starts the kernels of a step at once.",
    )
    dynamo_mode: Literal["", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] = option(
        "",
        label="Compile for",
        advanced=True,
        help="How much time compiling may take for more speed. reduce-overhead also starts all kernels of a step at once, which makes small batches several times as fast on one NVIDIA GPU.",
    )
    dynamo_fullgraph: bool = option(
        False, label="Compile whole", advanced=True, help="Fail where the model cannot be compiled as one."
    )
    dynamo_dynamic: bool = option(
        False, label="For any size", advanced=True, help="Do not compile anew for each size of pictures."
    )
    dynamo_use_regional_compilation: bool = option(
        True,
        label="Block by block",
        advanced=True,
        help="Compile one block and use it for all: nearly as fast, and ready in seconds.",
    )
    find_unused_parameters: bool | None = option(
        None,
        label="Look for idle weights",
        advanced=True,
        help="Let devices find out which weights a step did not use; needed when some are skipped, as by module_dropout of LyCORIS. Costs a look at the graph in each step. Empty: off.",
    )
    torch_num_threads: int = option(
        8, label="Threads", advanced=True, later=True, ge=1, help="Threads that torch uses on the CPU."
    )
