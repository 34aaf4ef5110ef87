"""Fills the cache before the first step: all processes of the run share the work, and go on where an earlier start ended."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from domain.config.buckets import Placement, Shape
from trainer.data.cache import EncodingCache
from trainer.data.digests import UNREADABLE, Digests
from trainer.data.encoding import Encoder, chunks, encode_mask, mask_key
from trainer.data.encodings import Cut
from trainer.data.pictures import UnreadablePicture, read_picture
from trainer.data.reading import Seen, read
from trainer.data.sources.source import Picture
from trainer.data.turns import Turns
from trainer.errors import TrainingError
from trainer.inbox import Inbox
from trainer.journal import Journal, phase

CAPTIONS_AT_ONCE = 8
CLIPS_AHEAD = 1
"""How many are read while one is encoded: each may be a gigabyte."""

DIGESTED_AT_ONCE = 64
MASKS_AT_ONCE = 16

Item = TypeVar("Item")


class Builder:
    """One process's part. next_turns: new ones for each phase, from which all processes take."""

    def __init__(self, *, next_turns: Callable[[], Turns], journal: Journal, inbox: Inbox, num_threads: int) -> None:
        self._next_turns = next_turns
        self._journal = journal
        self._inbox = inbox
        self._num_threads = min(num_threads, os.cpu_count() or 1)

    def digest(
        self, pictures: Mapping[int, tuple[Picture, Placement | None]], digests: Digests, *, num_done: int
    ) -> dict[int, str]:
        """Of this process's part of the pictures, by their places; with what one is to be decoded to, if it is."""

        def digest_of(place: int) -> str:
            picture, placement = pictures[place]
            return digests.of(picture, decodes_to=placement)

        found: dict[int, str] = {}
        with ThreadPoolExecutor(self._num_threads) as threads:
            for chunk in self._share("read_images", chunks(list(pictures), DIGESTED_AT_ONCE), num_done=num_done):
                found.update(zip(chunk, threads.map(digest_of, chunk), strict=True))
        return found

    def encode_captions(
        self, encoder: Encoder, captions: Sequence[str], cache: EncodingCache, *, num_done: int
    ) -> None:
        """captions: those that the cache lacks. num_done: how many it has. Ends early when a stop is asked for."""
        for chunk in self._share("encode_captions", chunks(captions, CAPTIONS_AT_ONCE), num_done=num_done):
            for caption in chunk:
                cache.write(encoder.text_key(caption), encoder.encode_caption(caption))
        cache.flush()

    def encode_pictures(
        self,
        encoder: Encoder,
        cuts: Sequence[Cut],
        cache: EncodingCache,
        *,
        num_done: int,
    ) -> None:
        """cuts: those that the cache lacks. One that cannot be read stays missing."""
        pieces = _chunks_by_shape(cuts, encoder)
        with ThreadPoolExecutor(self._num_threads) as threads:
            for chunk, read_ones in self._read_ahead(self._share("encode_images", pieces, num_done=num_done), threads):
                readable = [(cut, seen) for cut, seen in zip(chunk, read_ones, strict=True) if seen]
                if readable:
                    encoded = encoder.encode([seen for _, seen in readable])
                    for (cut, _), latents in zip(readable, encoded, strict=True):
                        cache.write(encoder.latents_key(cut.digest, cut.placement), latents)
        cache.flush()

    def encode_masks(self, masks: Sequence[Cut], cache: EncodingCache, *, num_done: int) -> None:
        """masks: those that the cache lacks. Raises TrainingError for one that cannot be read."""
        for chunk in self._share("encode_masks", chunks(masks, MASKS_AT_ONCE), num_done=num_done):
            for mask in chunk:
                try:
                    picture = read_picture(mask.picture, mask.placement, digest=mask.digest)
                except UnreadablePicture as error:
                    raise TrainingError(f"{error}; mend the mask, or take its picture out of the dataset") from error
                cache.write(mask_key(mask.digest, mask.placement), encode_mask(picture))
        cache.flush()

    def _read_ahead(
        self, pieces: Iterator[Sequence[Cut]], threads: ThreadPoolExecutor
    ) -> Iterator[tuple[Sequence[Cut], list[Seen | None]]]:
        """Threads read the next pictures while those before are encoded."""
        waiting: deque[tuple[Sequence[Cut], list[Future[Seen | None]]]] = deque()
        for piece in pieces:
            waiting.append((piece, [threads.submit(_read, cut) for cut in piece]))
            num_ahead = CLIPS_AHEAD if piece[0].placement.frames else self._num_threads
            while sum(len(waits) for waits, _ in waiting) > len(piece) + num_ahead:
                oldest, reading = waiting.popleft()
                yield oldest, [each.result() for each in reading]
        for oldest, reading in waiting:
            yield oldest, [each.result() for each in reading]

    def _share(self, name: str, pieces: Sequence[Sequence[Item]], *, num_done: int) -> Iterator[Sequence[Item]]:
        """The next chunk that no process has taken, until there is none or a stop is asked for."""
        turns = self._next_turns()
        total = num_done + sum(len(piece) for piece in pieces)
        with phase(self._journal, name, total=total) as progress:
            progress.advance(num_done)
            num_told = 0
            while (turn := turns.take()) < len(pieces):
                if self._inbox.wants_stop():
                    turns.end()
                    return
                yield pieces[turn]
                progress.advance(sum(len(piece) for piece in pieces[num_told : turn + 1]))
                num_told = turn + 1
            progress.advance(sum(len(piece) for piece in pieces[num_told:]))


def why_unreadable(cut: Cut) -> str:
    try:
        read(cut.picture, cut.placement, digest=None if cut.digest == UNREADABLE else cut.digest)
    except UnreadablePicture as error:
        return str(error)
    return f"{cut.picture} could not be encoded"


def _read(cut: Cut) -> Seen | None:
    try:
        return read(cut.picture, cut.placement, digest=cut.digest)
    except UnreadablePicture:
        return None


def _chunks_by_shape(cuts: Sequence[Cut], encoder: Encoder) -> list[Sequence[Cut]]:
    """Of one shape in each, clips behind pictures; batches as large as they get."""
    by_shape: dict[tuple[bool, Shape], list[Cut]] = {}
    for cut in cuts:
        by_shape.setdefault((cut.placement.frames is not None, cut.placement.shape), []).append(cut)
    sizes = {is_clip: encoder.num_at_once(is_clip=is_clip) for is_clip in (False, True)}
    return [chunk for kind in sorted(by_shape) for chunk in chunks(by_shape[kind], sizes[kind[0]])]
