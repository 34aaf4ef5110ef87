"""AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) for weights in bf16, which are rounded by chance.

Updates are mostly smaller than the distance of two numbers in bf16, and rounding to the nearest one would lose them. Rounded
up or down by chance, in proportion to the distances, they are kept on average (Zamirai et al. 2021, arXiv:2010.06192).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from trainer.randomness import seed_for


class AdamWBf16(Optimizer):
    """Reckons in fp32; both moments are kept in the format of the weights. Weights in fp32 are not rounded.

    Chance comes from the seed and the number of steps, so all processes round alike and a resume needs nothing.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        seed: int = 0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        self._seed = seed

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        generators: dict[torch.device, torch.Generator] = {}
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self._state_of(parameter)
                state["step"] += 1
                if parameter.device not in generators:
                    seed = seed_for("rounding", self._seed, state["step"])
                    generators[parameter.device] = torch.Generator(parameter.device).manual_seed(seed)
                _update(parameter, state, group, generators[parameter.device])

    def _state_of(self, parameter: Parameter) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state |= {"step": 0, "mean": torch.zeros_like(parameter), "variance": torch.zeros_like(parameter)}
        return state


def _update(parameter: Parameter, state: dict[str, Any], group: dict[str, Any], generator: torch.Generator) -> None:
    (beta1, beta2), step = group["betas"], state["step"]
    assert parameter.grad is not None
    gradient = parameter.grad.float()
    mean = torch.lerp(state["mean"].float(), gradient, 1 - beta1)
    variance = torch.lerp(state["variance"].float(), gradient.square(), 1 - beta2)
    root = variance.sqrt().div_((1 - beta2**step) ** 0.5).add_(group["eps"])
    weights = parameter.float() * (1 - group["lr"] * group["weight_decay"])
    weights.addcdiv_(mean, root, value=-group["lr"] / (1 - beta1**step))
    for kept, exact in ((state["mean"], mean), (state["variance"], variance), (parameter.data, weights)):
        kept.copy_(round_by_chance(exact, generator) if kept.dtype == torch.bfloat16 else exact)


def round_by_chance(exact: Tensor, generator: torch.Generator) -> Tensor:
    """A tensor in fp32 to bf16: up with a chance of how far it lies above the lower neighbour, else down.

    bf16 is the upper half of fp32: what is added to the lower half carries over with exactly that chance.
    """
    chance = torch.randint(1 << 16, exact.shape, generator=generator, device=exact.device, dtype=torch.int32)
    bits = exact.contiguous().view(torch.int32) + chance
    return (bits & -(1 << 16)).view(torch.float32).to(torch.bfloat16)
