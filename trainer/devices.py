"""What a run computes on: one process for each device, the number format, and the module that all of it wraps."""

from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs
from torch import Tensor, nn

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.families.family import Conditions, ModelFamily
from trainer.inbox import Wish
from trainer.launcher import ending_with_the_launcher

ATTENTION_KERNELS = {
    "diffusers": {"flash", "efficient", "math"},
    "native": {"flash", "efficient", "math", "cudnn"},
    "native-flash": {"flash"},
    "native-efficient": {"efficient"},
    "native-math": {"math"},
    "cudnn": {"cudnn"},
}
"""Which of torch's kernels each attention_mechanism allows; math takes any shape, and is slow."""

LONGEST_WAIT = timedelta(hours=6)
"""How long processes wait for each other, for example while the main one makes validation images."""


def start_accelerator(config: TrainingConfig) -> Accelerator:
    """Raises TrainingError when there are not as many processes as the configuration says."""
    has_device = torch.accelerator.is_available()
    _choose_arithmetic(config)
    if not has_device:
        torch.set_num_threads(1)
    with ending_with_the_launcher():
        accelerator = Accelerator(
            cpu=not has_device,
            mixed_precision=config.mixed_precision if has_device else "no",
            gradient_accumulation_steps=config.gradient_accumulation_steps,
            kwargs_handlers=[
                InitProcessGroupKwargs(timeout=LONGEST_WAIT),
                DistributedDataParallelKwargs(find_unused_parameters=bool(config.find_unused_parameters)),
            ],
        )
    if accelerator.num_processes != config.num_processes:
        raise TrainingError(
            f"num_processes is {config.num_processes} but {accelerator.num_processes} were started; "
            f"start the trainer with torchrun --nproc_per_node {config.num_processes} or correct num_processes"
        )
    return accelerator


def _choose_arithmetic(config: TrainingConfig) -> None:
    """TF32 for what is in fp32, and the kernels that attention may use on NVIDIA GPUs.

    cuDNN's is left out unless asked for: its backward pass fails for FLUX.1's shapes, or writes where it must not.
    """
    torch.set_float32_matmul_precision("highest" if config.disable_tf32 else "high")
    torch.backends.cudnn.allow_tf32 = not config.disable_tf32
    kernels = ATTENTION_KERNELS[config.attention_mechanism]
    torch.backends.cuda.enable_flash_sdp("flash" in kernels)
    torch.backends.cuda.enable_mem_efficient_sdp("efficient" in kernels)
    torch.backends.cuda.enable_math_sdp("math" in kernels)
    torch.backends.cuda.enable_cudnn_sdp("cudnn" in kernels)


def clear_cache_if_due(step: int, config: TrainingConfig) -> None:
    """Give memory that torch keeps for later back to the device, every so many steps."""
    interval = config.accelerator_cache_clear_interval
    if interval and step % interval == 0:
        free_memory()


def free_memory() -> None:
    """Of the device, what nothing uses any more."""
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def dtype_of(accelerator: Accelerator) -> torch.dtype:
    """In what the frozen weights are held; the adapter is in fp32 always."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(accelerator.mixed_precision, torch.float32)


class Wishes:
    """Lets all processes do what the main one was asked for, without waiting for a device."""

    def __init__(self, accelerator: Accelerator) -> None:
        is_alone = accelerator.num_processes == 1
        self._group = None if is_alone else torch.distributed.new_group(backend="gloo")

    def share(self, wishes: Wish) -> Wish:
        """wishes: counted in the main process only."""
        if self._group is None:
            return wishes
        told = torch.tensor(int(wishes))
        torch.distributed.broadcast(told, src=0, group=self._group)
        return Wish(int(told))


class Predictor(nn.Module):
    """The denoiser's forward pass as a module of its own, so that data parallelism and mixed precision wrap it and
    leave the denoiser as diffusers made it. trained: the modules that have weights to train."""

    def __init__(self, family: ModelFamily, trained: nn.Module) -> None:
        super().__init__()
        self.trained = trained
        self._predict = family.predict

    def forward(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        return self._predict(noisy, timesteps, conditions)
