"""LyCORIS (Yeh et al. 2024, arXiv:2309.14859) by its own package: LoKr, LoHa and others beside a frozen denoiser."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from lycoris import LycorisNetwork, create_lycoris, create_lycoris_from_weights
from lycoris.config import PRESET
from lycoris.modules.lokr import LokrModule
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from domain.config.lycoris import lycoris_problems
from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.families.family import BaseModel, ModelFamily
from trainer.trained.beginning import check_weights, read_adapter
from trainer.trained.lora import ADAPTER_FILE
from trainer.trained.lycoris_names import ALPHA, bounds_of, comfy_names_of
from trainer.trained.trained import AVERAGE_FOLDER, Trained

SETTINGS_FILE = "lycoris_config.json"
AVERAGE_FILE = "ema_model.safetensors"

OWN_PRESET = "simpletuner"

EVERYTHING = ["Linear", "Conv1d", "Conv2d", "Conv3d", "GroupNorm", "LayerNorm"]
"""What is adapted when nothing is said; norms only with train_norm."""

DIMENSIONS = {"linear_dim": "dim", "linear_alpha": "alpha"}
"""What settings are called where they are said of some layers."""


class Lycoris(Trained):
    """settings: what lycoris_config says. names: what files call its layers, as the library has them or as ComfyUI.
    strength: the multiplier that inference loads the adapter with."""

    def __init__(
        self,
        family: ModelFamily,
        network: LycorisNetwork,
        settings: Mapping[str, Any],
        *,
        dtype: torch.dtype,
        for_comfyui: bool,
        strength: float = 1.0,
    ) -> None:
        super().__init__([family.denoiser, network], dtype=dtype, constants=list(network.buffers()))
        self._family = family
        self._network = network
        self._settings = settings
        self._names = comfy_names_of(network, family) if for_comfyui else {}
        self._strength = strength

    @classmethod
    def beside(cls, family: ModelFamily, base: BaseModel) -> Self:
        """An adapter in fp32, drawn from the run's seed. Raises TrainingError when it adapts nothing, or what LyCORIS
        cannot read from its own file, or ComfyUI from one that is meant for it."""
        config = base.config
        settings = _read_settings(config)
        torch.manual_seed(config.seed)
        network = make_network(family.denoiser, settings)
        network.apply_to()
        network.to(base.device)
        drop_ranks_on(base.device, network)
        if config.init_lokr_norm:
            _begin_with_noise(network, config.init_lokr_norm)
        return cls(
            family,
            network,
            settings,
            dtype=base.dtype,
            for_comfyui=config.lora_format == "comfyui",
            strength=config.validation_lycoris_strength,
        )

    @contextmanager
    def as_inference_sees_it(self) -> Iterator[None]:
        with super().as_inference_sees_it():
            self._network.set_multiplier(self._strength)
            try:
                yield
            finally:
                self._network.set_multiplier(1.0)

    @contextmanager
    def left_out(self) -> Iterator[None]:
        for layer in self._network.loras:
            layer.restore()
        try:
            yield
        finally:
            for layer in self._network.loras:
                layer.apply_to()

    def begin_with(self, source: str, *, option: str) -> None:
        file = read_adapter(source, option=option)
        try:
            is_own = any(name.startswith("lycoris_") for name in file.weights)
            names = {} if is_own else comfy_names_of(self._network, self._family)
        except TrainingError as error:
            raise file.misfit("has no layers by the names of LyCORIS", "lycoris_config") from error
        check_weights(file, self._named(names), "lycoris_config")
        if not self._has_own_alphas(file.weights, names):
            raise file.misfit("has other alphas than this configuration", "lycoris_config")
        self._network.load_state_dict(self._unnamed(file.weights, names))

    def save(self, folder: Path, about: Mapping[str, str], *, averaged: bool = False) -> Path:
        """As create_lycoris_from_weights or ComfyUI reads it, with the settings beside it and in it."""
        path = _path(folder, averaged=averaged)
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = json.dumps(self._settings, indent=2)
        path.with_name(SETTINGS_FILE).write_text(settings)
        save_file(self._named(self._names), path, metadata={**about, "lycoris_config": settings})
        return path

    def load(self, folder: Path, *, averaged: bool = False) -> None:
        weights = load_file(_path(folder, averaged=averaged))
        misfit = TrainingError(
            f"the adapter in {folder} is of another kind or has other layers than this configuration; resume with the "
            "lycoris_config it was trained with"
        )
        if self._named(self._names).keys() != weights.keys() or not self._has_own_alphas(weights, self._names):
            raise misfit
        try:
            self._network.load_state_dict(self._unnamed(weights, self._names))
        except RuntimeError as error:
            raise misfit from error

    def _named(self, names: Mapping[str, str]) -> dict[str, Tensor]:
        """All weights as a file has them; names: of layers that are called otherwise than in the library."""
        named = {}
        for name, tensor in self._network.state_dict().items():
            layer, _, weight = name.partition(".")
            named[f"{names.get(layer, layer)}.{weight}"] = tensor.detach().contiguous()
        if names:
            named |= {names[layer] + ALPHA: bound for layer, bound in bounds_of(self._network)}
        return named

    def _has_own_alphas(self, named: Mapping[str, Tensor], names: Mapping[str, str]) -> bool:
        own = {name: alpha for name, alpha in self._named(names).items() if name.endswith(ALPHA)}
        return all(name in named and named[name].item() == alpha.item() for name, alpha in own.items())

    def _unnamed(self, named: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
        """Back from a file that has the alphas of this network."""
        own = self._network.state_dict()
        return {
            name: own[name] if name.endswith(ALPHA) else named[file_name]
            for name, file_name in zip(own, self._named(names), strict=True)
        }


def drop_ranks_on(device: torch.device, network: LycorisNetwork) -> None:
    """LoKr of LyCORIS 4.1 draws which ranks it leaves out in main memory, wherever its weights are, and stops there."""
    for layer in network.loras:
        if isinstance(layer, LokrModule) and layer.rank_dropout and device.type != "cpu":
            layer.get_weight = _made_on(device, layer.get_weight)


def _made_on(device: torch.device, make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def made(*args: Any, **kwargs: Any) -> Tensor:
        with device:
            return make(*args, **kwargs)

    return made


def _path(folder: Path, *, averaged: bool) -> Path:
    return folder / AVERAGE_FOLDER / AVERAGE_FILE if averaged else folder / ADAPTER_FILE


def _read_settings(config: TrainingConfig) -> dict[str, Any]:
    """Raises TrainingError for a file that cannot be read, or says what cannot be."""
    written = config.lycoris_config
    if isinstance(written, str):
        try:
            written = json.loads(Path(written).read_bytes())
        except (OSError, ValueError) as error:
            raise TrainingError(
                f"lycoris_config names {config.lycoris_config}, which cannot be read: {error}"
            ) from error
    if not isinstance(written, dict):
        raise TrainingError(f"lycoris_config is {written!r:.80} but must be an object with algo and the like")
    for problem in lycoris_problems(written):
        raise TrainingError(problem)
    return written


def make_network(denoiser: nn.Module, settings: Mapping[str, Any]) -> LycorisNetwork:
    said = {key: value for key, value in settings.items() if key != "apply_preset"}
    # By name, for the library applies a preset of its own where none is named, which has convolutions.
    PRESET[OWN_PRESET] = _preset(settings.get("apply_preset", {}))
    try:
        network = create_lycoris(denoiser, warn_on_unmatched=False, preset=OWN_PRESET, **said)
        create_lycoris_from_weights(1.0, "", denoiser, weights_sd=_state_of(network))
    except (RuntimeError, ValueError, AttributeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:300]
        raise TrainingError(
            f"LyCORIS cannot make and read back what lycoris_config says for these layers: {reason}; choose another factor "
            "or linear_dim, or adapt fewer kinds of layers"
        ) from error
    if not network.loras:
        raise TrainingError(
            "lycoris_config adapts no layer of this base model; correct target_module and target_name in apply_preset"
        )
    return network


@torch.no_grad()
def _begin_with_noise(network: LycorisNetwork, share: float) -> None:
    """Let LoKr change each weight by noise whose norm is this share of the weight's, in place of zeros."""
    layers = [layer for layer in network.loras if isinstance(layer, LokrModule)]
    if not layers:
        raise TrainingError("init_lokr_norm is set, but lycoris_config adapts no layer by lokr; leave it empty")
    for layer in layers:
        zeros = layer.lokr_w2 if layer.use_w2 else layer.lokr_w2_b
        zeros.normal_()
        size = layer.eval().get_weight(layer.shape).norm()  # Training leaves some ranks out.
        zeros.mul_(share * layer.org_module[0].weight.norm() / size)
        layer.train()


def _preset(written: Mapping[str, Any]) -> dict[str, Any]:
    """All of a preset: the library keeps what an earlier one said."""
    overrides = {
        key: {
            name: {DIMENSIONS.get(setting, setting): value for setting, value in settings.items()}
            for name, settings in written.get(key, {}).items()
        }
        for key in ("module_algo_map", "name_algo_map")
    }
    classes = written.get("target_module", written.get("unet_target_module"))
    names = written.get("target_name", written.get("unet_target_name", []))
    is_open = classes is None and not names and not any(overrides.values())
    return {
        "enable_conv": written.get("enable_conv", True),
        "target_module": EVERYTHING if is_open else classes or [],
        "target_name": names,
        "exclude_name": written.get("exclude_name", []),
        "use_fnmatch": written.get("use_fnmatch", False),
        "lora_prefix": "lycoris",
        **overrides,
    }


def _state_of(network: LycorisNetwork) -> dict[str, torch.Tensor]:
    """Of a network that is not applied yet."""
    return {
        f"{layer.lora_name}.{key}": tensor.detach()
        for layer in network.loras
        for key, tensor in layer.state_dict().items()
    }
