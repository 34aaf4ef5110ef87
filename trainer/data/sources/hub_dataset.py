"""A dataset of the Hugging Face Hub, or a local copy of one, by row."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from huggingface_hub import constants

from domain.config.buckets import Size
from domain.config.parts.dataset_source import HubFilter, HubSettings
from trainer.data.sources.source import Picture, Source, captions_in, whole_number
from trainer.errors import TrainingError
from trainer.hub import STORE, explain_refusal

try:
    import datasets
except ImportError as missing:
    raise TrainingError(
        "datasets of the Hugging Face Hub need the library datasets; install simpletuner[data]"
    ) from missing

USUAL_CAPTION_COLUMNS = ("text", "caption", "captions", "prompt")
SAVED_TO_DISK = ("state.json", "dataset_dict.json")
ROWS_AT_ONCE = 1000

Row = Mapping[str, Any]


class HubDataset(Source):
    """Pictures are named by the numbers of their rows, from 0 on."""

    def __init__(
        self,
        place: str,
        *,
        split: str,
        revision: str | None,
        config_name: str | None,
        column: str,
        column_option: str,
        caption_columns: Sequence[str],
        settings: HubSettings,
        cache_dir: str | None,
        dataset: str,
    ) -> None:
        """place: a name on the Hub, or the path of a folder that was saved to disk or has .parquet files. column: of pictures or
        videos; column_option: that names it."""
        self._place = place
        self._split = split
        self._revision = revision
        self._config_name = config_name
        self._column = column
        self._column_option = column_option
        self._caption_columns = tuple(caption_columns)
        self._settings = settings
        self._cache_dir = cache_dir
        self._dataset = dataset
        self._left_out: list[str] = []

    def __str__(self) -> str:
        return self._place

    def pictures(self) -> Iterator[Picture]:
        """Filtered rows are left out in silence, for that is what was asked for; only their number is told."""
        num_filtered = 0
        for number, row in enumerate(self._all_facts()):
            if is_kept(row, self._settings):
                yield self._picture(number, row)
            else:
                num_filtered += 1
        if num_filtered:
            self._left_out.append(f"{num_filtered} rows of {self._place}, by filter_func")

    def open(self, name: str) -> BinaryIO:
        value = self._rows[int(name)][self._column]
        content = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(content, bytes):
            return BytesIO(content)
        path = value.get("path") if isinstance(value, dict) else None
        if not path:
            raise OSError("it has no picture")
        if not self._is_of_dataset(Path(path)):
            raise OSError(f"it names {path}, outside the dataset")
        return Path(path).open("rb")

    def read_beside(self, name: str, ending: str) -> bytes | None:
        return None

    def captions_of(self, name: str) -> tuple[str, ...]:
        row = self._facts[int(name)] if self._facts is not None else {}
        columns = self._caption_columns or USUAL_CAPTION_COLUMNS
        found = tuple(caption for column in columns for caption in captions_in(_value_at(row, column)))
        spare = (self._settings.fallback_caption_column, self._settings.description_column)
        return found or next((more for each in spare if each and (more := captions_in(_value_at(row, each)))), ())

    def left_out(self) -> Sequence[str]:
        return self._left_out

    def place_of(self, name: str) -> str:
        return f"row {int(name)} of {self._place}"

    def _picture(self, number: int, row: Row) -> Picture:
        columns = (self._settings.width_column, self._settings.height_column)
        width, height = (whole_number(_value_at(row, column)) if column else None for column in columns)
        size = Size(width, height) if width and height else None
        return Picture(source=self, name=f"{number:09}", version=self._rows._fingerprint, size=size)

    def _is_of_dataset(self, path: Path) -> bool:
        """What a dataset says is no reason to read any file of this machine."""
        homes = [self._cache_dir, datasets.config.HF_CACHE_HOME, datasets.config.HF_DATASETS_CACHE]
        homes += [self._place] if Path(self._place).is_absolute() else []
        real = path.resolve()
        return any(real.is_relative_to(Path(home).resolve()) for home in homes if home)

    # ---- loading

    @cached_property
    def _rows(self) -> Any:
        """With pictures as they are encoded."""
        datasets.disable_progress_bars()
        rows = self._load()
        if isinstance(rows, dict):
            if self._split not in rows:
                raise self._unreadable(f"it has no split {self._split!r}, but {', '.join(rows)}; correct split")
            rows = rows[self._split]
        self._check_columns(rows)
        kind = rows.features[self._column]
        if isinstance(kind, datasets.Value):
            if kind.dtype in ("binary", "large_binary"):
                return rows
            raise self._without_pictures()
        try:
            return rows.cast_column(self._column, self._feature())
        except (TypeError, ValueError) as error:
            raise self._without_pictures() from error

    def _feature(self) -> Any:
        """Whose values are files as they are."""
        return datasets.Video(decode=False) if self._column_option == "video_column" else datasets.Image(decode=False)

    @cached_property
    def _facts(self) -> Any:
        """All but the pictures, which would be read with every row; None when there is nothing else."""
        others = [name for name in self._rows.column_names if name != self._column]
        return self._rows.select_columns(others) if others else None

    def _all_facts(self) -> Iterator[Row]:
        num_rows = len(self._rows)
        if self._facts is None:
            yield from ({} for _ in range(num_rows))
            return
        for start in range(0, num_rows, ROWS_AT_ONCE):
            batch = self._facts[start : start + ROWS_AT_ONCE]
            yield from (dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True))

    def _load(self) -> Any:
        """Raises TrainingError that says what to do."""
        try:
            if not Path(self._place).is_absolute():
                return datasets.load_dataset(
                    self._place,
                    name=self._config_name,
                    split=self._split,
                    revision=self._revision,
                    cache_dir=self._cache_dir,
                )
            if any((Path(self._place) / name).is_file() for name in SAVED_TO_DISK):
                return datasets.load_from_disk(self._place)
            files = [str(path) for path in self._parquet_files()]
            return datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=self._cache_dir)
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise self._refused(error) from error

    def _parquet_files(self) -> list[Path]:
        """Of the split, which is a part of their names or of the folder that they are in; all when there is no other."""
        folder = Path(self._place)
        within = folder / self._config_name if self._config_name else folder
        files = [folder] if folder.is_file() else sorted(within.rglob("*.parquet"))
        named = [path for path in files if self._split in re.split(r"[-_./]", str(path.relative_to(folder)))]
        if not files:
            raise self._unreadable(
                "there is no dataset that was saved to disk, and no .parquet file; correct dataset_name"
            )
        if not named and any(_names_a_split(path) for path in files):
            raise self._unreadable(f"none of its .parquet files is of the split {self._split!r}; correct split")
        return named or files

    def _check_columns(self, rows: Any) -> None:
        settings = self._settings
        named = [self._column, *self._caption_columns, settings.fallback_caption_column]
        for column in [*named, settings.width_column, settings.height_column]:
            if column and column.partition(".")[0] not in rows.column_names:
                there = ", ".join(rows.column_names)
                raise self._unreadable(f"it has no column {column!r}, but {there:.500}; correct the name of the column")

    def _refused(self, error: Exception) -> TrainingError:
        if isinstance(error, datasets.exceptions.DatasetNotFoundError):
            return self._unreadable(
                "the Hub does not give it out; correct dataset_name, or where it is gated or private accept its terms at "
                f"{constants.ENDPOINT}/datasets/{self._place}, {STORE} that may read it, and start again"
            )
        refusal = explain_refusal(error, f"datasets/{self._place}")
        if refusal is not None:
            return self._unreadable(refusal)
        reason = " ".join(str(error).split())
        return self._unreadable(f"{reason:.500}; correct dataset_name, dataset_config, split or revision")

    def _without_pictures(self) -> TrainingError:
        kind = "videos" if self._column_option == "video_column" else "pictures"
        return self._unreadable(f"its column {self._column!r} has no {kind}; correct {self._column_option}")

    def _unreadable(self, reason: str) -> TrainingError:
        return TrainingError(f"dataset {self._dataset!r}: {self._place} cannot be used: {reason}")


def is_kept(row: Row, settings: HubSettings) -> bool:
    """Whether the filter lets a row through; what a row says nothing about does not let it through."""
    wanted = settings.filter_func
    return wanted is None or (
        _is_of_collection(row, wanted)
        and _is_good_enough(row, wanted)
        and _is_large_enough(row, settings.width_column or "width", wanted.min_width)
        and _is_large_enough(row, settings.height_column or "height", wanted.min_height)
    )


def _is_of_collection(row: Row, wanted: HubFilter) -> bool:
    names = (wanted.collection,) if isinstance(wanted.collection, str) else wanted.collection
    return not names or row.get("collection") in names


def _is_good_enough(row: Row, wanted: HubFilter) -> bool:
    for metric, least in (wanted.quality_thresholds or {}).items():
        value = _value_at(row, f"{wanted.quality_column}.{metric}")
        if not isinstance(value, int | float) or value < least:
            return False
    return True


def _is_large_enough(row: Row, column: str, least: int | None) -> bool:
    return least is None or (whole_number(_value_at(row, column)) or 0) >= least


def _value_at(row: Row, path: str) -> Any:
    """path: a column, or with dots a field in it."""
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _names_a_split(path: Path) -> bool:
    return bool({"train", "test", "validation", "val", "dev"} & set(re.split(r"[-_./]", path.name)))
