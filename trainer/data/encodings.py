"""The encodings that batches are made of: read from the cache, and made where it lacks them."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from domain.config.buckets import Placement
from trainer.data.cache import EncodingCache, MissingEncoding
from trainer.data.encoding import LATENTS, MASK, Encoder, chunks, encode_mask, mask_key
from trainer.data.pictures import UnreadablePicture, read_picture
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError
from trainer.families.family import TextEmbeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A part of a picture. digest: of the picture's content. is_kept: its latents are written to the cache."""

    picture: Picture
    digest: str
    placement: Placement
    is_kept: bool = True


class Encodings:
    """find_… look in the cache, also from a thread that reads ahead; make_… compute what it lacks."""

    def __init__(self, encoder: Encoder, cache: EncodingCache) -> None:
        self._encoder = encoder
        self._cache = cache

    def find_text(self, caption: str) -> TextEmbeds | None:
        try:
            return self._cache.read(self._encoder.text_key(caption))
        except MissingEncoding:
            return None

    def make_text(self, caption: str, *, is_kept: bool) -> TextEmbeds:
        embeds = self._encoder.encode_caption(caption)
        if is_kept:
            self._cache.write(self._encoder.text_key(caption), embeds)
        return embeds

    def find_latents(self, cut: Cut) -> Tensor | Image.Image:
        """The picture itself where the cache has no latents of it. Raises TrainingError when it cannot be read any more."""
        try:
            return self._cache.read(self._encoder.latents_key(cut.digest, cut.placement))[LATENTS]
        except MissingEncoding:
            return _read(cut)

    def make_latents(self, pictures: Sequence[tuple[Cut, Image.Image]]) -> list[Tensor]:
        """pictures: of one size."""
        made: list[Tensor] = []
        for chunk in chunks(pictures, self._encoder.batch_size):
            encoded = self._encoder.encode_pictures([picture for _, picture in chunk])
            for (cut, _), latents in zip(chunk, encoded, strict=True):
                if cut.is_kept:
                    self._cache.write(self._encoder.latents_key(cut.digest, cut.placement), latents)
                made.append(latents[LATENTS])
        return made

    def mask(self, cut: Cut) -> Tensor:
        """See encode_mask. Raises TrainingError when it is needed and cannot be read any more."""
        key = mask_key(cut.digest, cut.placement)
        try:
            return self._cache.read(key)[MASK]
        except MissingEncoding:
            encoded = encode_mask(_read(cut))
            if cut.is_kept:
                self._cache.write(key, encoded)
            return encoded[MASK]

    def close(self) -> None:
        """Write what was made."""
        self._cache.close()


def _read(cut: Cut) -> Image.Image:
    try:
        return read_picture(cut.picture, cut.placement, digest=cut.digest)
    except UnreadablePicture as error:
        raise TrainingError(f"{error}; put it back or remove it from the dataset, then resume") from error
