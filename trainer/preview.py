"""Pictures for people, made where pictures are decoded: python -m trainer.preview, one JSON line in and one out.

    thumbnail   name, out, edge               a small copy, upright, on white; of a video, its first frame
    preview     name, out, placement          the very pixels that training sees, of a clip its first frame; answers with the
                caption_options               captions, by the environment's caption options
    copy        name, out                     the file as it is
    measure     path                          answers with the width, height, num_frames and seconds of a video file

Each of the others has the dataset's entry, its secrets, the folders that links may lead to, and the version of the
picture. A request that takes too long ends the process; whoever asked sees that and starts another one.
"""

import json
import os
import resource
import shutil
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from domain.config.buckets import Placement, Region, Size
from domain.config.clips import Frames
from domain.config.dataset import PICTURE_FORMATS, DatasetConfig
from domain.config.parts.captions import CaptionOptions
from domain.config.secrets import fill_in_secrets
from domain.errors import Refusal
from trainer.data.captions import captions_of, read_caption_rules
from trainer.data.decoding import BrokenVideo
from trainer.data.pictures import (
    DECODING_ERRORS,
    UPRIGHT,
    UnreadablePicture,
    orientation_of,
    to_rgb,
)
from trainer.data.reading import read_still
from trainer.data.sources.registry import source_of
from trainer.data.sources.source import Picture, Source
from trainer.data.videos import measure, read_first_frame
from trainer.errors import TrainingError

SECONDS = 60
MEMORY_BYTES = 4 << 30
REDUCING_GAP = 2.0


class Maker:
    def __init__(self) -> None:
        self._dataset: DatasetConfig | None = None
        self._source: Source | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises what sources and pictures raise."""
        if request["do"] == "measure":
            return _measured(Path(request["path"]))
        written = fill_in_secrets(request["dataset"], secrets=request.get("secrets", {}), environment=os.environ)
        dataset = DatasetConfig(**written)
        if self._source is None or dataset != self._dataset:
            open_folders = tuple(map(Path, request["open_folders"]))
            self._dataset, self._source = dataset, source_of(dataset, open_folders=open_folders)
        picture = Picture(source=self._source, name=request["name"], version=request["version"])
        out = Path(request["out"])
        match request["do"]:
            case "thumbnail":
                thumbnail = _video_thumbnail if dataset.holds_videos else _thumbnail
                _save(thumbnail(picture, request["edge"]), out, "WEBP")
                return {}
            case "preview":
                _save(read_still(picture, placement_of(request["placement"])), out, "PNG")
                rules = read_caption_rules(dataset, CaptionOptions(**request["caption_options"]))
                return {"captions": list(captions_of(picture, rules))}
            case _:
                with picture.open() as opened, _temporary(out).open("wb") as copy:
                    shutil.copyfileobj(opened, copy)
                os.replace(_temporary(out), out)
                return {}


def _measured(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = measure(file)
    except BrokenVideo as error:
        return {"error": f"it {error}"}
    return {
        "width": found.size.width,
        "height": found.size.height,
        "num_frames": found.num_frames,
        "seconds": found.seconds,
    }


def placement_of(written: dict[str, Any]) -> Placement:
    return Placement(
        original=Size(*written["original"]),
        target=Size(*written["target"]),
        intermediary=Size(*written["intermediary"]),
        crop_top=written["crop_top"],
        crop_left=written["crop_left"],
        region=Region(*written["region"]),
        aspect=written["aspect"],
        frames=None if written["frames"] is None else Frames(*written["frames"]),
    )


def _thumbnail(picture: Picture, edge: int) -> Image.Image:
    with picture.open() as opened, Image.open(opened, formats=PICTURE_FORMATS) as file:
        file.draft("RGB", (2 * edge, 2 * edge))
        orientation = orientation_of(file)
        upright = to_rgb(file.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else file)
    upright.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    return upright


def _video_thumbnail(video: Picture, edge: int) -> Image.Image:
    frame = read_first_frame(video)
    frame.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    return frame


def _save(image: Image.Image, out: Path, form: str) -> None:
    image.save(_temporary(out), form)
    os.replace(_temporary(out), out)


def _temporary(out: Path) -> Path:
    return out.with_name(f".{out.name}.{os.getpid()}")


def main() -> None:
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    maker = Maker()
    for line in sys.stdin:
        signal.alarm(SECONDS)
        try:
            answer = maker.answer(json.loads(line))
        except MemoryError:
            answer = {"error": "it needs more memory than one picture may take"}
        except (UnreadablePicture, TrainingError, Refusal, *DECODING_ERRORS) as error:
            answer = {"error": " ".join(str(error).split())}
        signal.alarm(0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
