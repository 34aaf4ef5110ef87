"""Texts of training pictures."""

from typing import Literal

from domain.config.options import Group, Part, option

CaptionStrategy = Literal["filename", "textfile", "instanceprompt", "parquet", "csv", "huggingface", "webshart"]

USABLE_STRATEGIES = ("textfile", "filename", "instanceprompt", "parquet", "csv", "huggingface", "webshart")


class CaptionOptions(Part):
    group = Group("captions", "Captions", "Texts of training pictures, and what is read of them.")

    caption_strategy: CaptionStrategy = option(
        "textfile",
        label="Captions of datasets",
        advanced=True,
        usable=USABLE_STRATEGIES,
        spellings={"instance_prompt": "instanceprompt"},
        help="Where captions come from for datasets that do not say so themselves.",
    )
    instance_prompt: str | tuple[str, ...] | None = option(
        None,
        label="Instance prompt",
        kind="text",
        advanced=True,
        aliases=["instanceprompt"],
        help="One caption for all pictures, for datasets that have no instance prompt of their own.",
    )
    prepend_instance_prompt: bool = option(
        False,
        label="Before each caption",
        advanced=True,
        help="Put the instance prompt before each caption.",
    )
    only_instance_prompt: bool = option(
        False,
        label="Nothing else",
        advanced=True,
        help="Use the instance prompt instead of captions, even where there are some.",
    )
    caption_dropout_probability: float = option(
        0.1,
        label="Caption dropout",
        ge=0,
        le=1,
        help="Share of the pictures shown without their caption, which keeps guidance working.",
    )
    disable_multiline_split: bool = option(
        False,
        label="Whole files",
        advanced=True,
        help="Take a text file as one caption. Off: each of its lines is one, and a picture is shown with any of them.",
    )
    tokenizer_max_length: int | None = option(
        None,
        label="Tokens",
        advanced=True,
        ge=1,
        le=4096,
        aliases=["maximum_caption_length"],
        help="How many tokens of a caption are read. Empty: what the family takes.",
    )
    parquet_caption_column: str | None = option(
        None,
        label="Caption column",
        advanced=True,
        later=True,
        requires={"caption_strategy": "parquet"},
        help="Which column of a parquet file holds the captions.",
    )
    parquet_filename_column: str | None = option(
        None,
        label="File column",
        advanced=True,
        later=True,
        requires={"caption_strategy": "parquet"},
        help="Which column of a parquet file names the pictures.",
    )
