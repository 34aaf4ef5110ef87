"""The optimizer: from torch and from libraries, by the names of the option `optimizer`."""

import importlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from inspect import Parameter as Argument
from inspect import signature
from typing import Any

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch.nn import Parameter
from torch.optim import Optimizer

from domain.config.optimizer_settings import read_settings
from domain.config.training import TrainingConfig
from trainer.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an optimizer is made. fixed: arguments that its name says. extra: of our package, where its own is in one."""

    package: str
    name: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    extra: str | None = None
    needs_cuda: bool = False


OF_TORCH = ["Adam", "AdamW", "SGD", "RAdam", "NAdam", "RMSprop", "Adagrad", "Adadelta", "Adafactor", "Adamax", "ASGD"]
OF_OPTIMI = ["StableAdamW", "AdamW", "Lion", "RAdam", "Ranger", "Adan", "Adam", "SGD"]
OF_TORCHAO = ["AdamW8bit", "AdamW4bit", "AdamFp8", "AdamWFp8"]
OF_BITSANDBYTES = ["Adam", "AdamW", "Lion", "AdEMAMix", "Adagrad"]
PAGED = ("AdamW", "Lion", "AdEMAMix")
"""Their memory moves to main memory when the GPU's runs out, where their name says so."""

FOR_GPUS: dict[str, Any] = {"extra": "low-bit", "needs_cuda": True}


def _recipes() -> Iterator[tuple[str, Recipe]]:
    for name in OF_TORCH:
        yield f"torch-{name.lower()}", Recipe(package="torch.optim", name=name)
    for name in OF_OPTIMI:
        yield f"optimi-{name.lower()}", Recipe(package="optimi", name=name)
    for name in OF_TORCHAO:
        yield f"ao-{name.lower()}", Recipe(package="torchao.optim", name=name, **FOR_GPUS)
    for name in OF_BITSANDBYTES:
        for bits in ("", "8bit"):
            recipe = Recipe(package="bitsandbytes.optim", name=name + bits, **FOR_GPUS)
            yield f"bnb-{name.lower()}{bits}", recipe
            if name in PAGED:
                yield f"bnb-{name.lower()}{bits}-paged", replace(recipe, fixed={"is_paged": True})
    yield "adamw_bf16", Recipe(package="trainer.adamw_bf16", name="AdamWBf16")
    yield "adamw_schedulefree", Recipe(package="schedulefree", name="AdamWScheduleFree")
    yield "prodigy", Recipe(package="prodigyopt", name="Prodigy")
    yield "soap", Recipe(package="pytorch_optimizer", name="SOAP")
    # Adjusted, updates of matrices are as large as AdamW's of the rest, so that one learning rate is right for both.
    yield "muon", Recipe(package="pytorch_optimizer", name="Muon", fixed={"use_adjusted_lr": True})


RECIPES = dict(_recipes())

FUSED = ("torch-adam", "torch-adamw")
"""On GPUs these update all parameters by one kernel instead of several for each."""

MEMORY = {
    "optimi": ("setup", "step", "foreach", "triton", "kahan_sum"),
    "prodigyopt": ("k", "d", "d_max", "d_hat", "d_numerator", "d_denom"),
    "pytorch_optimizer": ("step",),
    "schedulefree": ("k", "weight_sum", "lr_max", "scheduled_lr", "train_mode"),
}
"""What optimizers remember beside their settings, by package, where others have only settings."""


def make_optimizer(config: TrainingConfig, parameters: Sequence[Parameter]) -> Optimizer:
    """Raises TrainingError when its package is missing or does not know an argument."""
    arguments = _arguments(config)
    if config.optimizer in FUSED:
        arguments.setdefault("fused", all(parameter.is_cuda for parameter in parameters))
    if config.optimizer == "adamw_bf16":
        arguments.setdefault("seed", config.seed)
    # What a library says when it is made is not for the terminal of a run.
    with redirect_stdout(io.StringIO()):
        made: Optimizer = _class_of(config)(_groups(config, parameters, arguments), **arguments)
    # Schedules look for it there, and not every library puts it there.
    made.defaults.setdefault("lr", config.scaled_learning_rate)
    if config.optimizer == "prodigy" and config.prodigy_steps is not None:
        _stop_adapting(made, after=config.prodigy_steps)
    return made


def check_optimizer(config: TrainingConfig, device: torch.device) -> None:
    """Before anything is loaded. Raises TrainingError for an optimizer that cannot be made, or not run on the device."""
    if RECIPES[config.optimizer].needs_cuda and device.type != "cuda":
        raise TrainingError(
            f"optimizer is {config.optimizer}, which is for GPUs, and there is none; set it to torch-adamw, or to "
            "optimi-lion or torch-adafactor, which need less memory"
        )
    try:
        make_optimizer(config, [Parameter(torch.zeros(1, 1))])
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"{config.optimizer} does not take these settings: {reason}; correct optimizer_config, or the options of the optimizer"
        ) from error


def hold_for_optimizer(config: TrainingConfig, parameters: Sequence[Parameter], dtype: torch.dtype) -> None:
    """adamw_bf16 trains weights in bf16, where the run computes in it.

    Raises TrainingError when their gradients are wanted in another format, which this torch cannot.
    """
    if config.optimizer != "adamw_bf16" or dtype != torch.bfloat16:
        return
    is_exact = config.gradient_precision == "fp32"
    if is_exact and not hasattr(torch.Tensor, "grad_dtype"):
        raise TrainingError(
            f"gradient_precision is fp32, which torch {torch.__version__} cannot do for weights in bf16; install 2.10 or newer, "
            "or set it to unmodified"
        )
    for parameter in parameters:
        parameter.data = parameter.data.to(dtype)
        if is_exact:
            parameter.grad_dtype = torch.float32


def learning_rate_of(optimizer: Optimizer) -> float:
    """Of the next step; prodigy multiplies the one that is set by what it has found."""
    group = optimizer.param_groups[0]
    return float(group["lr"] * group.get("d", 1.0))


def is_schedule_free(optimizer: Optimizer) -> bool:
    return "train_mode" in optimizer.param_groups[0]


@contextmanager
def weights_for_inference(optimizer: AcceleratedOptimizer, parameters: Sequence[Parameter]) -> Iterator[None]:
    """Schedule-free training (Defazio et al. 2024, arXiv:2405.15682) takes gradients at other weights than those it
    finds; these are in their place meanwhile, and what was there comes back bit for bit."""
    inner = optimizer.optimizer
    if not is_schedule_free(inner):
        yield
        return
    kept = [parameter.detach().clone() for parameter in parameters]
    inner.eval()
    try:
        yield
    finally:
        for parameter, weights in zip(parameters, kept, strict=True):
            parameter.data.copy_(weights)
        for group in inner.param_groups:
            group["train_mode"] = True


def memory_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Of each group of parameters, what the optimizer remembers of it beside what it remembers of each parameter."""
    keys = MEMORY.get(type(optimizer).__module__.partition(".")[0], ())
    return [{key: group[key] for key in keys if key in group} for group in optimizer.param_groups]


def _class_of(config: TrainingConfig) -> Any:
    recipe = RECIPES[config.optimizer]
    try:
        return getattr(importlib.import_module(recipe.package), recipe.name)
    except ImportError as error:
        package = recipe.package.partition(".")[0]
        how = f'pip install "simpletuner[{recipe.extra}]"' if recipe.extra else f"pip install {package}"
        raise TrainingError(f"optimizer is {config.optimizer}, which needs the package {package}: {how}") from error


def _arguments(config: TrainingConfig) -> dict[str, Any]:
    """Those of the configuration that the optimizer has, and those of optimizer_config, which win."""
    known = signature(_class_of(config)).parameters
    arguments: dict[str, Any] = {"lr": config.scaled_learning_rate, **RECIPES[config.optimizer].fixed}
    if "weight_decay" in known:
        arguments["weight_decay"] = config.adam_weight_decay
    if config.adam_epsilon is not None and "eps" in known and isinstance(known["eps"].default, float):
        arguments["eps"] = config.adam_epsilon
    if "betas" in known:
        arguments["betas"] = _betas(config, known["betas"].default)
    written = read_settings(config.optimizer_config)
    for key in written:
        if key not in known or known[key].kind is Argument.VAR_KEYWORD or key in ("params", "lr"):
            names = [name for name, each in known.items() if each.kind is not Argument.VAR_KEYWORD]
            there = ", ".join(sorted(set(names) - {"params", "lr", "betas"}))
            raise TrainingError(
                f"optimizer_config says what {key} is, which {config.optimizer} does not have; it has {there}"
            )
    return arguments | written


def _betas(config: TrainingConfig, usual: Sequence[float]) -> tuple[float, ...]:
    given = (config.optimizer_beta1, config.optimizer_beta2)
    chosen = [default if beta is None else beta for beta, default in zip(given, usual, strict=False)]
    return (*chosen, *usual[2:])


def _groups(config: TrainingConfig, parameters: Sequence[Parameter], arguments: Mapping[str, Any]) -> list[Any]:
    """Muon is for matrices; what has one dimension gets AdamW's updates."""
    if config.optimizer != "muon":
        return list(parameters)
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    rest = [parameter for parameter in parameters if parameter.ndim <= 1]
    of_rest = {"lr": arguments["lr"], "weight_decay": arguments["weight_decay"], "betas": _betas(config, (0.9, 0.999))}
    groups = [{"params": matrices, "use_muon": True}, {"params": rest, "use_muon": False, **of_rest}]
    return [group for group in groups if group["params"]]


def _stop_adapting(optimizer: Optimizer, *, after: int) -> None:
    """The estimate grows by nothing from then on. k counts through resumes."""

    def hold(made: Optimizer, *_: Any) -> None:
        for group in made.param_groups:
            if group["k"] >= after:
                group["growth_rate"] = 1.0

    optimizer.register_step_pre_hook(hold)
