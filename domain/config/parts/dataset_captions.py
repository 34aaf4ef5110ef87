"""Which texts the pictures of a dataset are shown with."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.config.options import Group, Part, option
from domain.config.parts.captions import USABLE_STRATEGIES, CaptionStrategy


class CaptionShuffle(BaseModel):
    """How the parts of captions change places.

    count: how many other orders of each caption there are. position_start: how many parts stay at the beginning.
    include_original: whether the caption as it is written is one of those that a picture is shown with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enable: bool = True
    count: int = Field(default=1, ge=1, le=100)
    seed: int = 0
    split_on: Literal["comma", "space", "period"] = "comma"
    position_start: int = Field(default=0, ge=0)
    include_original: bool = True


class DatasetCaptionOptions(Part):
    group = Group("captions", "Captions", "Which texts the pictures are shown with.")

    caption_strategy: CaptionStrategy | None = option(
        None,
        label="Source of captions",
        usable=USABLE_STRATEGIES,
        spellings={"instance_prompt": "instanceprompt"},
        help="textfile: a file beside each picture, or metadata.jsonl. filename: the file's name. instanceprompt: one "
        "prompt for all. Empty: as in the environment.",
    )
    instance_prompt: str | tuple[str, ...] | None = option(
        None,
        label="Instance prompt",
        kind="text",
        aliases=["instanceprompt"],
        help="The caption of every picture, or of those without one, with your trigger word. Empty: as in the environment.",
    )
    prepend_instance_prompt: bool | None = option(
        None,
        label="Before each caption",
        advanced=True,
        help="Put the instance prompt before each caption. Empty: as in the environment.",
    )
    only_instance_prompt: bool | None = option(
        None,
        label="Nothing else",
        advanced=True,
        help="Use the instance prompt instead of captions, even where there are some. Empty: as in the environment.",
    )
    disable_multiline_split: bool | None = option(
        None,
        label="Whole files",
        advanced=True,
        help="Take a text file as one caption. Off: each of its lines is one, and a picture is shown with any of them. "
        "Empty: as in the environment.",
    )
    caption_prefix: str | None = option(
        None, label="Prefix", advanced=True, help="Put before every caption of the dataset, with a space between."
    )
    caption_suffix: str | None = option(
        None,
        label="Suffix",
        advanced=True,
        help="Put behind every caption of the dataset, with a space between unless it begins with a comma or the like.",
    )
    caption_dropout_probability: float | None = option(
        None,
        label="Caption dropout",
        advanced=True,
        ge=0,
        le=1,
        help="Share of the pictures of this dataset shown without their caption. Empty: as in the environment.",
    )
    caption_shuffle: CaptionShuffle | bool | None = option(
        None,
        label="Shuffle",
        kind="json",
        advanced=True,
        help="Also show captions with their parts in another order: true, or a JSON object with count, seed, split_on "
        "(comma, space, period), position_start (how many parts stay in front) and include_original.",
    )
    caption_filter_list: str | tuple[str, ...] | None = option(
        None,
        label="Filter",
        kind="json",
        advanced=True,
        may_be_file=True,
        help="What is taken out of captions: a JSON list, or a file with one entry in each line. An entry is plain text, "
        "a regular expression as /…/, or s/old/new/ to replace.",
    )
