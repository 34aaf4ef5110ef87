"""The encodings that batches are made of: read from the cache, and made where it lacks them."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from domain.config.buckets import Placement
from trainer.data.cache import EncodingCache, MissingEncoding
from trainer.data.encoding import MASK, Encoded, Encoder, chunks, encode_mask, mask_key
from trainer.data.pictures import UnreadablePicture, read_picture
from trainer.data.reading import Seen, read
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError
from trainer.families.family import TextEmbeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A part of a picture or a video. digest: of the file's content. is_kept: its latents are written to the cache."""

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

    def find_latents(self, cut: Cut) -> Encoded | Image.Image | None:
        """Where the cache has no latents, the picture itself; of a clip None: those that are ahead would fill the memory.

        Raises TrainingError when a picture cannot be read any more.
        """
        try:
            return self._cache.read(self._encoder.latents_key(cut.digest, cut.placement))
        except MissingEncoding:
            return _read_picture(cut) if cut.placement.frames is None else None

    def make_latents(self, pictures: Sequence[tuple[Cut, Image.Image | None]]) -> list[Encoded]:
        """pictures: of one shape, as find_latents gave them. Raises TrainingError for a clip that cannot be read any more."""
        made: list[Encoded] = []
        at_once = self._encoder.num_at_once(is_clip=any(cut.placement.frames for cut, _ in pictures))
        for chunk in chunks(pictures, at_once):
            encoded = self._encoder.encode([picture or _read(cut) for cut, picture in chunk])
            for (cut, _), latents in zip(chunk, encoded, strict=True):
                if cut.is_kept:
                    self._cache.write(self._encoder.latents_key(cut.digest, cut.placement), latents)
            made += encoded
        return made

    def mask(self, cut: Cut) -> Tensor:
        """See encode_mask. Raises TrainingError when it is needed and cannot be read any more."""
        key = mask_key(cut.digest, cut.placement)
        try:
            return self._cache.read(key)[MASK]
        except MissingEncoding:
            encoded = encode_mask(_read_picture(cut))
            if cut.is_kept:
                self._cache.write(key, encoded)
            return encoded[MASK]

    def close(self) -> None:
        """Write what was made."""
        self._cache.close()


def _read(cut: Cut) -> Seen:
    try:
        return read(cut.picture, cut.placement, digest=cut.digest)
    except UnreadablePicture as error:
        raise _lost(error) from error


def _read_picture(cut: Cut) -> Image.Image:
    try:
        return read_picture(cut.picture, cut.placement, digest=cut.digest)
    except UnreadablePicture as error:
        raise _lost(error) from error


def _lost(error: UnreadablePicture) -> TrainingError:
    return TrainingError(f"{error}; put it back or remove it from the dataset, then resume")
