"""The captions of a picture, by a dataset's strategy."""

from pathlib import PurePosixPath

from domain.config.dataset import DatasetConfig
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError

NO_CAPTION = ""


def captions_of(picture: Picture, dataset: DatasetConfig) -> tuple[str, ...]:
    """The alternatives for one picture, one of which is taken each time it is shown; empty when there is none.

    textfile: every line of the .txt beside it. filename: its name, underscores read as spaces. instanceprompt: the
    dataset's one prompt.
    """
    match dataset.caption_strategy:
        case "textfile":
            return _lines_of(picture.source.read_beside(picture.name, ".txt") or b"")
        case "filename":
            return (" ".join(PurePosixPath(picture.name).stem.replace("_", " ").split()),)
        case "instanceprompt":
            return (dataset.instance_prompt,) if dataset.instance_prompt else ()
        case other:
            raise TrainingError(f"dataset {dataset.id!r}: captions cannot come from {other} yet; write .txt files")


def _lines_of(written: bytes) -> tuple[str, ...]:
    text = written.decode("utf-8-sig", errors="replace")
    return tuple(line.strip() for line in text.splitlines() if line.strip())
