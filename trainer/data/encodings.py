"""The encodings that batches are made of: read from the cache, and made where it lacks them."""

from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from domain.config.buckets import Placement
from trainer.data.cache import EncodingCache, MissingEncoding
from trainer.data.encoding import LATENTS, Encoder
from trainer.data.pictures import UnreadablePicture, read_picture
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError
from trainer.families.family import TextEmbeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A part of a picture. digest: of the picture's content."""

    picture: Picture
    digest: str
    placement: Placement


class Encodings:
    def __init__(self, encoder: Encoder, cache: EncodingCache) -> None:
        self._encoder = encoder
        self._cache = cache

    def text(self, caption: str) -> TextEmbeds:
        key = self._encoder.text_key(caption)
        try:
            return self._cache.read(key)
        except MissingEncoding:
            embeds = self._encoder.encode_caption(caption)
            self._cache.write(key, embeds)
            return embeds

    def latents(self, cut: Cut) -> Tensor:
        """Raises TrainingError when the picture is needed and cannot be read any more."""
        key = self._encoder.latents_key(cut.digest, cut.placement)
        try:
            return self._cache.read(key)[LATENTS]
        except MissingEncoding:
            (encoded,) = self._encoder.encode_pictures([_read(cut)])
            self._cache.write(key, encoded)
            return encoded[LATENTS]


def _read(cut: Cut) -> Image.Image:
    try:
        return read_picture(cut.picture, cut.placement, digest=cut.digest)
    except UnreadablePicture as error:
        raise TrainingError(f"{error}; put it back or remove it from the dataset, then resume") from error
