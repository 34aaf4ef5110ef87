"""peft's LoRA beside a linear layer, with fewer passes over memory while it is trained."""

from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import Tensor, nn
from torch.nn.functional import linear

from trainer.trained.counterweight import whole


class LinearInTraining(Linear):  # type: ignore[misc]
    """y = W x + scale B A x, where the second product is added by the kernel that makes it (torch.addmm).

    peft brings x to the number format of A, makes B A x, scales it and adds it: each is a pass over activations, forward
    and backward, and some are kept in between. Where nothing is trained, as in validation, all is as peft does it, to the bit.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not self._can_add(x) or args or kwargs:
            result: Tensor = super().forward(x, *args, **kwargs)
            return result
        (name,) = self.active_adapters
        if torch.is_autocast_enabled(x.device.type):
            # Once for both products; each would keep a copy of its own.
            x = x.to(torch.get_autocast_dtype(x.device.type))
        base: Tensor = self.base_layer(x)
        down = linear(self.lora_dropout[name](x), whole(self.lora_A[name]))
        sum_of_both = torch.addmm(
            base.flatten(0, -2), down.flatten(0, -2), whole(self.lora_B[name]).t(), alpha=self.scaling[name]
        )
        return sum_of_both.view(base.shape)

    def _can_add(self, x: Tensor) -> bool:
        """One adapter, plain, that is trained now; and all in one number format, or cast by autocast."""
        names = self.active_adapters
        if not self.training or self.disable_adapters or self.merged or len(names) != 1 or names[0] not in self.lora_A:
            return False
        name = names[0]
        is_plain = name not in self.lora_variant and not self.lora_bias[name]
        has_one_format: bool = x.dtype == self.lora_A[name].weight.dtype
        return is_plain and (torch.is_autocast_enabled(x.device.type) or has_one_format)


def add_at_once(network: nn.Module) -> None:
    """In place; names of weights stay. Layers that are quantised, or no linear ones, remain peft's."""
    for module in network.modules():
        layer: Any = module
        if type(layer) is Linear and type(layer.get_base_layer()) is nn.Linear:
            layer.__class__ = LinearInTraining
