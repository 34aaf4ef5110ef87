"""What becomes of the captions that a picture has: the one place that says in which order.

1. What is written, by the strategy: each is an alternative, one of which is taken whenever the picture is shown.
2. The filter takes text out, or replaces it. What is empty then is no caption.
3. The parts of a caption change places: some other orders of each become alternatives as well, always the same ones.
4. The instance prompt stands in for captions where there are none, where the strategy is instanceprompt, and with
   only_instance_prompt; with prepend_instance_prompt it goes before each. It is neither filtered nor shuffled.
5. Prefix and suffix go around all.

Dropping captions comes last and is not done here: it is drawn each time a picture is shown.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from domain.config.dataset import DatasetConfig
from domain.config.parts.captions import CaptionOptions, CaptionStrategy
from domain.config.parts.dataset_captions import CaptionShuffle

TEXT_ENDINGS = (".txt", ".caption")
"""Of the file beside a picture with its captions, in the order in which they count."""

JSON_ENDING = ".json"
"""Of one that may hold them, among other things."""

METADATA_FILES = ("metadata.jsonl", "metadata.csv")
"""Which name the pictures of their folder with their captions, as Hugging Face's folders of pictures do."""

SEPARATORS = {"comma": ", ", "space": " ", "period": ". "}
CLOSING = (",", ".", ";", ":", "!", "?")
TRIES = 8
"""How often another order is drawn for each that is wanted, before there are taken to be no more."""

SUBSTITUTION = re.compile(r"s/((?:[^/\\]|\\.)*)/((?:[^/\\]|\\.)*)/", re.DOTALL)
BARE_EXPRESSION = re.compile(r"[\\^$*+\[\]{}|]|\(\?")
"""What plain text hardly has: an entry with it is a regular expression even without slashes, as the existing tool has it."""


@dataclass(frozen=True, slots=True)
class Replacement:
    pattern: re.Pattern[str]
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRules:
    """A dataset's own options, and the environment's where it says nothing. dropout: the share shown without a caption."""

    strategy: CaptionStrategy
    instance_prompts: tuple[str, ...] = ()
    prepends_instance_prompt: bool = False
    only_instance_prompt: bool = False
    keeps_lines_together: bool = False
    replacements: tuple[Replacement, ...] = ()
    shuffle: CaptionShuffle | None = None
    prefix: str = ""
    suffix: str = ""
    dropout: float = 0.0

    @property
    def reads_captions(self) -> bool:
        """Whether what is written beside pictures matters."""
        return not self.only_instance_prompt and self.strategy != "instanceprompt"


def caption_rules_of(dataset: DatasetConfig, config: CaptionOptions, *, filters: Sequence[str] = ()) -> CaptionRules:
    """config: the environment's. filters: the entries of the dataset's filter list, see filters_of and read from its file where it names one.

    Raises ValueError for an instance prompt that is missing where it is needed, and for a filter that cannot be.
    """
    rules = CaptionRules(
        strategy=dataset.caption_strategy or config.caption_strategy,
        instance_prompts=_prompts(dataset.instance_prompt) or _prompts(config.instance_prompt),
        prepends_instance_prompt=_first(dataset.prepend_instance_prompt, config.prepend_instance_prompt),
        only_instance_prompt=_first(dataset.only_instance_prompt, config.only_instance_prompt),
        keeps_lines_together=_first(dataset.disable_multiline_split, config.disable_multiline_split),
        replacements=read_filters(filters),
        shuffle=_shuffle(dataset.caption_shuffle),
        prefix=(dataset.caption_prefix or "").strip(),
        suffix=(dataset.caption_suffix or "").strip(),
        dropout=_dropout(dataset, config),
    )
    if not rules.reads_captions and not rules.instance_prompts:
        reason = (
            "caption_strategy is instanceprompt" if not rules.only_instance_prompt else "only_instance_prompt is on"
        )
        raise ValueError(f"instance_prompt is empty but {reason}; write the caption for all pictures there")
    return rules


def filters_of(dataset: DatasetConfig) -> tuple[str, ...]:
    """Those that the dataset lists itself; none where it names a file."""
    listed = dataset.caption_filter_list
    return listed if isinstance(listed, tuple) else ()


def captions_from(written: Sequence[str], rules: CaptionRules) -> tuple[str, ...]:
    """The alternatives of one picture; none when it has no caption."""
    captions = [text for text in (_filtered(each, rules.replacements) for each in written) if text]
    if rules.shuffle is not None:
        captions = [variant for caption in captions for variant in shuffled(caption, rules.shuffle)]
    prompts = rules.instance_prompts
    if prompts and (not captions or not rules.reads_captions):
        captions = list(prompts)
    elif prompts and rules.prepends_instance_prompt:
        captions = [f"{prompt} {caption}" for caption in captions for prompt in prompts]
    return tuple(_surrounded(caption, rules) for caption in captions)


def shuffled(caption: str, shuffle: CaptionShuffle) -> tuple[str, ...]:
    """The caption and other orders of its parts, which follow from the caption and the seed alone."""
    separator = SEPARATORS[shuffle.split_on]
    parts = [part.strip() for part in caption.split(separator.strip() or None) if part.strip()]
    kept, moved = parts[: shuffle.position_start], parts[shuffle.position_start :]
    if len(moved) < 2:
        return (caption,)
    ending = "." if shuffle.split_on == "period" and caption.rstrip().endswith(".") else ""
    draw = random.Random(blake2b(f"{shuffle.seed}:{caption}".encode("utf-8", "surrogatepass")).digest())
    variants: dict[str, None] = {}
    for _ in range(TRIES * shuffle.count):
        if len(variants) == shuffle.count:
            break
        order = draw.sample(moved, len(moved))
        if order != moved:
            variants[separator.join([*kept, *order]) + ending] = None
    others = tuple(variants)
    return (caption, *others) if shuffle.include_original or not others else others


def read_filters(entries: Iterable[str]) -> tuple[Replacement, ...]:
    """Empty entries do not count. Raises ValueError that names the first that cannot be."""
    return tuple(_replacement(entry.strip()) for entry in entries if entry.strip())


def _replacement(entry: str) -> Replacement:
    try:
        if entry.startswith("s/"):
            substitution = SUBSTITUTION.fullmatch(entry)
            if substitution is None:
                raise ValueError("has to have the form s/old/new/, with \\/ for a slash")
            new = substitution[2].replace("\\/", "/")
            pattern = re.compile(substitution[1].replace("\\/", "/"))
            pattern.sub(new, "")  # refuses groups that there are not
            return Replacement(pattern, new)
        if len(entry) > 2 and entry.startswith("/") and entry.endswith("/"):
            return Replacement(re.compile(entry[1:-1]), "")
        if BARE_EXPRESSION.search(entry):
            return Replacement(re.compile(entry), "")
    except (ValueError, re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"caption_filter_list has {entry!r:.80}, which cannot be understood: {error}") from error
    return Replacement(re.compile(re.escape(entry)), "")


def _filtered(caption: str, replacements: Sequence[Replacement]) -> str:
    """With what a removal leaves behind tidied up: doubled commas and spaces, and those at either end."""
    text = caption.strip()
    for each in replacements:
        text = each.pattern.sub(each.new, text)
    if replacements and text != caption.strip():
        text = " ".join(re.sub(r"\s*,(?:\s*,)+", ",", text).split()).strip(" ,")
    return text


def _surrounded(caption: str, rules: CaptionRules) -> str:
    text = f"{rules.prefix} {caption}" if rules.prefix else caption
    if not rules.suffix:
        return text
    return f"{text}{rules.suffix}" if rules.suffix.startswith(CLOSING) else f"{text} {rules.suffix}"


def _prompts(written: str | tuple[str, ...] | None) -> tuple[str, ...]:
    listed = (written,) if isinstance(written, str) else written or ()
    return tuple(each.strip() for each in listed if each.strip())


def _first(own: bool | None, fallback: bool) -> bool:
    return fallback if own is None else own


def _dropout(dataset: DatasetConfig, config: CaptionOptions) -> float:
    own = dataset.caption_dropout_probability
    return config.caption_dropout_probability if own is None else own


def _shuffle(written: CaptionShuffle | bool | None) -> CaptionShuffle | None:
    shuffle = CaptionShuffle() if written is True else written or None
    return shuffle if shuffle is not None and shuffle.enable else None
