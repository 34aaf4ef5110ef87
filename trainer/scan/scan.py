"""A scan, top to bottom: what is there, how large it is, whether it can be read. Interrupted, it goes on where it was."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b

from domain.config.captions import JSON_ENDING, TEXT_ENDINGS
from domain.config.dataset import DatasetConfig
from domain.config.parts.captions import CaptionOptions
from domain.config.parts.dataset_captions import DatasetCaptionOptions
from trainer.data.sources.links import folders_for_links
from trainer.data.sources.registry import source_of
from trainer.data.sources.source import Picture
from trainer.scan import index as states
from trainer.scan.crew import Crew
from trainer.scan.index import Index, Listed, batches
from trainer.scan.order import Order

LISTING_SECONDS = 0.5


def scan(index: Index, order: Order) -> None:
    """Raises TrainingError when there is no such place, or its pictures cannot be read at all."""
    source = source_of(order.dataset, open_folders=order.allowed)
    index.begin(order.id, source=json.dumps(order.source, sort_keys=True))
    _list(index, order, source.pictures())
    with Crew(_with_own_folders(order)) as crew:
        if order.headers_first:
            index.enter(states.MEASURING)
            for found in batches(crew.look_at(index.unmeasured())):
                index.write(found)
        index.enter(states.READING)
        for found in batches(crew.look_at(index.unread())):
            index.write(found)
    index.enter(states.FINISHED)


def _list(index: Index, order: Order, pictures: Iterator[Picture]) -> None:
    options = _caption_options(order.dataset)
    listed: list[Listed] = []
    num_total, since = 0, time.monotonic()
    for picture in pictures:
        listed.append(Listed(picture.name, picture.version, _beside(picture, order.dataset, options)))
        num_total += 1
        if time.monotonic() - since > LISTING_SECONDS:
            index.note_listed(listed, num_total=num_total)
            listed, since = [], time.monotonic()
    index.note_listed(listed, num_total=num_total)
    index.take_over_listed()


def _caption_options(dataset: DatasetConfig) -> str:
    """What captions depend on besides their files."""
    chosen = dataset.model_dump(mode="json", include=set(DatasetCaptionOptions.model_fields))
    return blake2b(json.dumps(chosen, sort_keys=True).encode(), digest_size=8).hexdigest()


def _beside(picture: Picture, dataset: DatasetConfig, options: str) -> str | None:
    """Changes whenever the captions may have; None when that cannot be told without reading them."""
    match dataset.caption_strategy or CaptionOptions().caption_strategy:
        case "textfile":
            endings = (*TEXT_ENDINGS, JSON_ENDING)
            versions = [picture.source.version_beside(picture.name, ending) for ending in endings]
            versions.append(picture.source.version_of_captions())
            return None if None in versions else ":".join([options, *filter(None, versions)])
        case "filename" | "instanceprompt":
            return options
        case _:
            return None


def _with_own_folders(order: Order) -> Order:
    return replace(order, allowed=folders_for_links(order.dataset, order.allowed) or ())
