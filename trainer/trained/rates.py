"""Learning rates that differ among what is trained."""

from collections.abc import Sequence

from torch.nn import Parameter
from torch.optim import Optimizer

from domain.config.training import TrainingConfig


def give_text_encoders_their_rate(
    optimizer: Optimizer, parameters: Sequence[Parameter], config: TrainingConfig
) -> None:
    """parameters: those of the text encoders, which get groups of their own, behind those that are there."""
    if config.text_encoder_lr is None or not parameters:
        return
    share = config.text_encoder_lr / config.learning_rate
    chosen = {id(parameter) for parameter in parameters}
    for group in list(optimizer.param_groups):
        own = [each for each in group["params"] if id(each) in chosen]
        rest = [each for each in group["params"] if id(each) not in chosen]
        if own and rest:
            group["params"] = rest
            optimizer.add_param_group({**group, "params": own, "lr": group["lr"] * share})
        elif own:
            group["lr"] *= share
