"""From the samples of an order to the loader of its batches: what is not encoded yet is, by all processes together."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TypeVar

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

from domain.config.buckets import Placement, picture_seed
from domain.config.cache_use import CacheUse, cache_use
from domain.config.parts.dataset_use import UseOptions
from trainer.data.building import Builder, why_unreadable
from trainer.data.cache import EncodingCache
from trainer.data.captions import NO_CAPTION
from trainer.data.digests import UNREADABLE, Digests
from trainer.data.encoding import Encoder, EncodingFamily, mask_key
from trainer.data.encodings import Cut, Encodings
from trainer.data.epochs import EpochOrder
from trainer.data.loader import Loader, Shown
from trainer.data.recut import cut_anew
from trainer.data.samples import Sample, nothing_left
from trainer.data.sources.source import Picture
from trainer.data.turns import OwnTurns, SharedTurns, Turns
from trainer.errors import StopRequested, TrainingError
from trainer.inbox import Inbox
from trainer.journal import Journal, log
from trainer.order import Order, buckets_of

TURNS_FILE = ".turns"
MIXING = set(UseOptions.model_fields)

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedData:
    """num_images: pictures that could be read. digest: of what is shown and how often; a step is the same where it is."""

    loader: Loader
    epochs: EpochOrder
    num_images: int
    digest: str


class Assembly:
    """What the processes of a run do together before the first step."""

    def __init__(self, order: Order, accelerator: Accelerator, *, journal: Journal, inbox: Inbox) -> None:
        self._order = order
        self._accelerator = accelerator
        self._journal = journal
        self._inbox = inbox
        self._phases = itertools.count()
        self._builder = Builder(
            next_turns=self._next_turns, journal=journal, inbox=inbox, num_threads=order.config.max_workers
        )

    def load(self, family: EncodingFamily, *, seen_at: float) -> LoadedData:
        """seen_at: when the versions of the pictures had been looked at. Raises TrainingError and StopRequested."""
        order, accelerator = self._order, self._accelerator
        cache = EncodingCache(order.cache, tell=partial(log, self._journal, "warning"))
        encoder = Encoder(family, batch_size=order.config.vae_batch_size, device=accelerator.device)
        uses = [cache_use(dataset, order.config) for dataset in order.datasets]
        digests = Digests(order.cache, seen_at=seen_at)
        cuts, masks = self._cuts(digests, uses), self._masks(digests)
        self._encode(encoder, cache, cuts=cuts, masks=masks, uses=uses)
        is_there = [
            cut.digest != UNREADABLE
            and (not uses[sample.dataset].builds_latents or cache.has(encoder.latents_key(cut.digest, cut.placement)))
            for sample, cut in zip(order.samples, cuts, strict=True)
        ]
        skipped = [not there for there in is_there]
        self._tell_of_skipped(list(itertools.compress(zip(order.samples, cuts, strict=True), skipped)))
        samples, cuts = list(itertools.compress(order.samples, is_there)), list(itertools.compress(cuts, is_there))
        captions = {NO_CAPTION: None} | {caption: None for sample in samples for caption in sample.captions}
        cache.keep(
            [
                *(encoder.text_key(caption) for caption in captions),
                *(encoder.latents_key(cut.digest, cut.placement) for cut in cuts),
                *(mask_key(mask.digest, mask.placement) for mask in masks.values()),
            ]
        )
        epochs = EpochOrder(buckets_of(samples, order.datasets), order.config, datasets=order.datasets)
        loader = Loader(
            [
                Shown(
                    cut=cut,
                    captions=sample.captions,
                    caption_dropout=sample.caption_dropout,
                    is_regularisation=order.datasets[sample.dataset].is_regularisation_data,
                    mask=None if sample.mask is None else masks[sample],
                    timestep_offset=order.datasets[sample.dataset].timestep_sampling_offset,
                    keeps_text=uses[sample.dataset].keeps_text,
                    recut=self._recut(sample) if uses[sample.dataset].cuts_anew else None,
                )
                for sample, cut in zip(samples, cuts, strict=True)
            ],
            epochs,
            Encodings(encoder, cache),
            config=order.config,
            process_index=accelerator.process_index,
            device=accelerator.device,
        )
        return LoadedData(
            loader=loader, epochs=epochs, num_images=len(samples), digest=self._digest(samples, cuts, masks)
        )

    def _cuts(self, digests: Digests, uses: Sequence[CacheUse]) -> list[Cut]:
        """Of all samples, with the digests of their pictures."""
        samples = self._order.samples
        # Those that are encoded beforehand are decoded then.
        decoded = [None if uses[each.dataset].builds_latents else each.placement for each in samples]
        found = self._digests_of([(each.picture, to) for each, to in zip(samples, decoded, strict=True)], digests)
        return [
            Cut(
                picture=sample.picture,
                digest=digest,
                placement=sample.placement,
                is_kept=uses[sample.dataset].keeps_latents,
            )
            for sample, digest in zip(samples, found, strict=True)
        ]

    def _masks(self, digests: Digests) -> dict[Sample, Cut]:
        """Of the samples that have one."""
        masked = [(sample, sample.mask) for sample in self._order.samples if sample.mask is not None]
        found = self._digests_of([(mask, None) for _, mask in masked], digests) if masked else []
        return {
            sample: Cut(picture=mask, digest=digest, placement=sample.placement)
            for (sample, mask), digest in zip(masked, found, strict=True)
        }

    def _digests_of(self, pictures: Sequence[tuple[Picture, Placement | None]], digests: Digests) -> list[str]:
        """Each with what it is to be decoded to, if it is."""
        known = [digests.known(picture, decodes_to=placement) for picture, placement in pictures]
        unknown = self._agreed([place for place, digest in enumerate(known) if digest is None])
        found: dict[int, str] = {}
        if unknown:
            missing = {place: pictures[place] for place in unknown}
            mine = self._builder.digest(missing, digests, num_done=len(pictures) - len(unknown))
            found.update(gather_object(list(mine.items())))
            digests.save()
            self._go_on()
        known = self._agreed(known)
        return [found.get(place) or digest or UNREADABLE for place, digest in enumerate(known)]

    def _encode(
        self,
        encoder: Encoder,
        cache: EncodingCache,
        *,
        cuts: Sequence[Cut],
        masks: Mapping[Sample, Cut],
        uses: Sequence[CacheUse],
    ) -> None:
        """What is encoded before the first step and is not there yet."""
        samples = self._order.samples
        texts = [sample.captions for sample in samples if uses[sample.dataset].builds_text]
        captions = list(dict.fromkeys([NO_CAPTION, *itertools.chain.from_iterable(texts)]))
        unwritten = self._agreed([caption for caption in captions if not cache.has(encoder.text_key(caption))])
        self._builder.encode_captions(encoder, unwritten, cache, num_done=len(captions) - len(unwritten))
        built = [place for place, sample in enumerate(samples) if uses[sample.dataset].builds_latents]
        keys: dict[str, int] = {}
        for place in built:
            if cuts[place].digest != UNREADABLE:
                keys.setdefault(encoder.latents_key(cuts[place].digest, cuts[place].placement), place)
        missing = self._agreed([place for key, place in keys.items() if not cache.has(key)])
        if built:
            self._builder.encode_pictures(
                encoder, [cuts[place] for place in missing], cache, num_done=len(built) - len(missing)
            )
        whole = [mask for sample, mask in masks.items() if not uses[sample.dataset].cuts_anew]
        if whole:
            unmade = self._agreed(
                [place for place, mask in enumerate(whole) if not cache.has(mask_key(mask.digest, mask.placement))]
            )
            self._builder.encode_masks([whole[place] for place in unmade], cache, num_done=len(whole) - len(unmade))
        self._go_on()
        cache.look_again()
        if self._accelerator.is_main_process:
            cache.save_index()

    def _recut(self, sample: Sample) -> Callable[[int], Placement]:
        """The cut of each epoch, from the run's seed and the picture's name alone."""
        order = self._order
        seed = picture_seed(order.config.seed, dataset=order.datasets[sample.dataset].id, name=sample.picture.name)
        return partial(cut_anew, order.geometries[sample.dataset], sample.placement, seed)

    def _digest(self, samples: Sequence[Sample], cuts: Sequence[Cut], masks: Mapping[Sample, Cut]) -> str:
        """Of what the pictures hold and are called, not of where they are."""
        digest = blake2b(digest_size=16)
        for dataset in self._order.datasets:
            digest.update(json.dumps([dataset.id, dataset.model_dump(mode="json", include=MIXING)]).encode())
        for sample, cut in zip(samples, cuts, strict=True):
            mask = masks[sample].digest if sample.mask is not None else None
            shown = [sample.dataset, sample.picture.name, cut.digest, mask, sample.captions, sample.caption_dropout]
            digest.update(json.dumps([*shown, str(sample.placement)]).encode())
        return digest.hexdigest()

    def _agreed(self, thing: Thing) -> Thing:
        """What the main process says, for all: others may have looked a moment later."""
        agreed: Thing = broadcast_object_list([thing])[0]
        return agreed

    def _next_turns(self) -> Turns:
        """The file is new for each phase, and there before any process takes a turn."""
        number = next(self._phases)
        if self._accelerator.num_processes == 1:
            return OwnTurns()
        path = self._order.run_dir / f"{TURNS_FILE}-{number}"
        turns = SharedTurns(path, is_new=self._accelerator.is_main_process)
        self._accelerator.wait_for_everyone()
        return turns

    def _go_on(self) -> None:
        """When all are done; unless a stop was asked for."""
        self._accelerator.wait_for_everyone()
        if self._agreed(self._inbox.wants_stop()):
            raise StopRequested

    def _tell_of_skipped(self, skipped: Sequence[tuple[Sample, Cut]]) -> None:
        """Name what cannot be used. Raises TrainingError when a dataset has no readable picture at all."""
        ordered = sorted(skipped, key=lambda each: each[0].picture.name)
        reasons: dict[int, list[str]] = {}
        for sample, cut in ordered:
            reasons.setdefault(sample.dataset, []).append(why_unreadable(cut))
        for each in itertools.chain.from_iterable(reasons.values()):
            log(self._journal, "warning", f"skipped: {each}")
        counts = [0] * len(self._order.datasets)
        for sample in self._order.samples:
            counts[sample.dataset] += 1
        for place, dataset in enumerate(self._order.datasets):
            if counts[place] == len(reasons.get(place, [])):
                raise TrainingError(nothing_left(dataset, reasons[place]))
