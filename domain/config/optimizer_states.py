"""What optimizers keep for each trained weight, in bytes, by the names of the option `optimizer`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateSize:
    """like_weights: how many numbers in the format of the weights. bytes: how many bytes whatever that format is."""

    like_weights: float = 0.0
    bytes: float = 0.0

    def of(self, weight_bytes: int) -> float:
        return self.like_weights * weight_bytes + self.bytes


TWO_MOMENTS = StateSize(like_weights=2)
EIGHT_BITS = 1.02
"""A byte, and a scale for every 256 of them."""

# By the end of the name, without the library in front of it; the longest that fits counts.
SIZES: dict[str, StateSize] = {
    "adamw_bf16": StateSize(bytes=4),
    "adam": TWO_MOMENTS,
    "adamw": TWO_MOMENTS,
    "stableadamw": TWO_MOMENTS,
    "radam": TWO_MOMENTS,
    "nadam": TWO_MOMENTS,
    "adamax": TWO_MOMENTS,
    "sparseadam": TWO_MOMENTS,
    "asgd": StateSize(like_weights=1),
    "adadelta": TWO_MOMENTS,
    "adamw_schedulefree": TWO_MOMENTS,
    "sgd": StateSize(like_weights=1),
    "rmsprop": StateSize(like_weights=1),
    "adagrad": StateSize(like_weights=1),
    "lion": StateSize(like_weights=1),
    "muon": StateSize(like_weights=1),
    "adafactor": StateSize(like_weights=0.01),
    "came": StateSize(like_weights=1.01),
    "ranger": StateSize(like_weights=3),
    "ademamix": StateSize(like_weights=3),
    "adan": StateSize(like_weights=4),
    "prodigy": StateSize(like_weights=4),
    "soap": StateSize(like_weights=5),
    "adam8bit": StateSize(bytes=2 * EIGHT_BITS),
    "adamw8bit": StateSize(bytes=2 * EIGHT_BITS),
    "adamfp8": StateSize(bytes=2 * EIGHT_BITS),
    "adamwfp8": StateSize(bytes=2 * EIGHT_BITS),
    "adamw4bit": StateSize(bytes=2 * 0.52),
    "lion8bit": StateSize(bytes=EIGHT_BITS),
    "adagrad8bit": StateSize(bytes=EIGHT_BITS),
    "ademamix8bit": StateSize(bytes=3 * EIGHT_BITS),
    "sdnq-adamw": StateSize(bytes=2 * EIGHT_BITS),
    "sdnq-adafactor": StateSize(like_weights=0.01),
    "sdnq-came": StateSize(bytes=EIGHT_BITS),
    "sdnq-lion": StateSize(bytes=EIGHT_BITS),
    "sdnq-muon": StateSize(bytes=EIGHT_BITS),
}
IN_FORMAT_OF_RUN = frozenset({"adamw_bf16"})
"""With which what is trained has the run's number format; with all others it has 32 bits."""


def state_size(optimizer: str) -> StateSize | None:
    """None for an optimizer that nobody here knows. A `+no_quant` takes sdnq's small formats back."""
    name, _, variant = optimizer.lower().partition("+")
    name = name.removesuffix("-paged")
    if variant == "no_quant":
        name = name.removeprefix("sdnq-")
    return SIZES.get(name) or SIZES.get(name.split("-", 1)[-1])
