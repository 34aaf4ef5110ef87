"""Which texts the pictures of a dataset are shown with."""

from typing import Any

from domain.config.options import Group, Part, option
from domain.config.parts.captions import CaptionStrategy


class DatasetCaptionOptions(Part):
    group = Group("captions", "Captions", "Which texts the pictures are shown with.")

    caption_strategy: CaptionStrategy = option(
        "textfile",
        label="Source of captions",
        usable=["textfile", "filename", "instanceprompt"],
        spellings={"instance_prompt": "instanceprompt"},
        help="textfile: a .txt beside each picture. filename: the file's name. instanceprompt: one prompt for all.",
    )
    instance_prompt: str | None = option(
        None,
        label="Instance prompt",
        requires={"caption_strategy": "instanceprompt"},
        aliases=["instanceprompt"],
        help="The caption of every picture, with your trigger word.",
    )
    prepend_instance_prompt: bool = option(
        False,
        label="Before each caption",
        advanced=True,
        later=True,
        help="Put the instance prompt before each caption.",
    )
    only_instance_prompt: bool = option(
        False,
        label="Nothing else",
        advanced=True,
        later=True,
        help="Use the instance prompt instead of captions, even where there are some.",
    )
    disable_multiline_split: bool = option(
        False,
        label="Whole files",
        advanced=True,
        later=True,
        help="Take a text file as one caption. Off: each of its lines is one, and a picture is shown with any of them.",
    )
    caption_shuffle: dict[str, Any] | bool | None = option(
        None,
        label="Shuffle",
        kind="json",
        advanced=True,
        later=True,
        help="Also show captions with their parts in another order: how often, and what separates the parts.",
    )
    caption_filter_list: str | list[str] | None = option(
        None,
        label="Filter",
        kind="json",
        advanced=True,
        later=True,
        help="A file, or a list, of what is taken out of captions or replaced in them.",
    )
