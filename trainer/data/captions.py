"""What is written beside a picture, by a dataset's strategy; domain/config/captions.py says what becomes of it."""

import json
from pathlib import Path, PurePosixPath

from domain.config.captions import JSON_ENDING, TEXT_ENDINGS, CaptionRules, caption_rules_of, captions_from, filters_of
from domain.config.dataset import DatasetConfig
from domain.config.parts.captions import CaptionOptions
from trainer.data.sources.source import Picture, captions_in
from trainer.errors import TrainingError

NO_CAPTION = ""
CAPTION_KEYS = ("caption", "captions", "text", "prompt")
"""Under which JSON beside a picture has its caption."""

MAX_FILTER_BYTES = 1 << 20


def read_caption_rules(dataset: DatasetConfig, config: CaptionOptions) -> CaptionRules:
    """config: of the environment; without one, its defaults. Raises TrainingError."""
    try:
        return caption_rules_of(dataset, config, filters=filters_of(dataset) or _filters_in_file(dataset))
    except ValueError as error:
        raise TrainingError(f"dataset {dataset.id!r}: {error}") from error


def captions_of(picture: Picture, rules: CaptionRules) -> tuple[str, ...]:
    """The alternatives for one picture, one of which is taken each time it is shown; empty when there is none."""
    written = _written(picture, rules) if rules.reads_captions else ()
    # Halves of characters, which JSON and file names can hold, are nothing that a tokenizer reads.
    return captions_from([each.encode(errors="replace").decode() for each in written], rules)


def _written(picture: Picture, rules: CaptionRules) -> tuple[str, ...]:
    """textfile: what is beside it, and otherwise what the source says of it. filename: its name, underscores read as spaces."""
    match rules.strategy:
        case "textfile" | "webshart":
            return _beside(picture, rules) or picture.source.captions_of(picture.name)
        case "filename":
            return (" ".join(PurePosixPath(picture.name).stem.replace("_", " ").split()),)
        case _:
            return picture.source.captions_of(picture.name)


def _beside(picture: Picture, rules: CaptionRules) -> tuple[str, ...]:
    for ending in TEXT_ENDINGS:
        written = picture.source.read_beside(picture.name, ending)
        if written is not None:
            return _lines_of(written, keeps_together=rules.keeps_lines_together)
    written = picture.source.read_beside(picture.name, JSON_ENDING)
    return _json_captions(written) if written is not None else ()


def _lines_of(written: bytes, *, keeps_together: bool) -> tuple[str, ...]:
    text = written.decode("utf-8-sig", errors="replace")
    lines = [text] if keeps_together else text.splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def _json_captions(written: bytes) -> tuple[str, ...]:
    """None in JSON that is meant for something else."""
    try:
        record = json.loads(written)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(record, dict):
        return ()
    return next((found for key in CAPTION_KEYS if (found := captions_in(record.get(key)))), ())


def _filters_in_file(dataset: DatasetConfig) -> tuple[str, ...]:
    path = dataset.caption_filter_list
    if not isinstance(path, str):
        return ()
    try:
        with Path(path).open("rb") as file:
            return tuple(file.read(MAX_FILTER_BYTES).decode("utf-8-sig", errors="replace").splitlines())
    except OSError as error:
        raise TrainingError(
            f"dataset {dataset.id!r}: caption_filter_list is {path}, which cannot be read ({error.strerror}); "
            "correct it, or write the entries as a JSON list"
        ) from error
