"""What is known about a model family before any weights are loaded."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Flavour:
    """One set of published weights of a family."""

    key: str
    name: str
    repository: str


@dataclass(frozen=True, slots=True)
class Family:
    """alignment: edges of pictures must be multiples of this many pixels. capabilities: what we can do with it today."""

    key: str
    name: str
    modality: Literal["image"]
    flavours: tuple[Flavour, ...]
    default_flavour: str
    default_resolution: int
    alignment: int
    capabilities: tuple[str, ...]

    def flavour(self, key: str | None) -> Flavour | None:
        """The flavour of that key, the default one for None; None when there is no such flavour."""
        wanted = key or self.default_flavour
        return next((flavour for flavour in self.flavours if flavour.key == wanted), None)
