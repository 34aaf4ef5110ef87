"""From what a person or a file wrote to a valid config, or to problems that name each option.

A configuration may hold more than is trained with: what only the existing command line knows, or nobody. It is kept, and
unused.py says of it that it does nothing; here it is passed over.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from domain.config.dataset import DatasetConfig
from domain.config.family_rules import family_problems
from domain.config.foreign import FOREIGN_KEYS
from domain.config.lycoris import comfyui_problems, lycoris_problems
from domain.config.options import Option, offered_options, options_by_key, options_of
from domain.config.rules import dataset_problems, problems_between
from domain.config.training import TrainingConfig
from domain.config.variables import holds_variable
from domain.errors import InvalidInput, Problem
from domain.families.family import Family, Flavour
from domain.families.registry import FAMILIES

Config = TypeVar("Config", bound=BaseModel)

MAX_NAMED_CHOICES = 8


def check_training(written: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> TrainingConfig:
    """Raises InvalidInput with one problem for each option that cannot be.

    An option whose value names a variable of the machine counts as its default: it is checked when a run is launched.
    before: with it, keys that nobody knows are refused as mistyped, unless they were there already.
    """
    config, unknown = _check(TrainingConfig, written, before)
    problems = tuple(problems_between(config, unknown=unknown))
    if problems:
        raise InvalidInput.from_problems(problems)
    return config


def check_dataset(written: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> DatasetConfig:
    """Raises InvalidInput with one problem for each key that cannot be; before: as in check_training."""
    config, unknown = _check(DatasetConfig, written, before)
    problems = tuple(dataset_problems(config, unknown=unknown))
    if problems:
        raise InvalidInput.from_problems(problems)
    return config


def check_known(written: Mapping[str, Any]) -> None:
    """Raises InvalidInput for options of a training configuration that nobody knows."""
    problems = tuple(_mistyped(options_by_key(TrainingConfig), written, {}))
    if problems:
        raise InvalidInput.from_problems(problems)


def check_startable(config: TrainingConfig, *, is_resume: bool = False) -> None:
    """A valid configuration can be kept that no run can be made of yet: then this raises InvalidInput."""
    family = FAMILIES[config.model_family]
    if config.model_type not in family.capabilities:
        trainable = [key for key, other in FAMILIES.items() if config.model_type in other.capabilities]
        if family.capabilities:
            way_out = f"set model_type to {' or '.join(family.capabilities)}"
        else:
            way_out = f"or set model_family to one of {', '.join(trainable)}"
        raise InvalidInput(
            f"{family.name} cannot be trained by this version yet"
            + (f" with model_type {config.model_type}" if family.capabilities else "")
            + f"; keep the configuration for a later one, {way_out}",
            path=("config", "model_type" if family.capabilities else "model_family"),
        )
    flavour = flavour_of(config) if config.pretrained_model_name_or_path is None else None
    problems = (
        *unusable_choices(config),
        *_unusable_lycoris(config, family),
        *_unusable_flavour(family, flavour),
        *_unusable_sizes(config),
        *(() if is_resume else _no_checkpoint_yet(config)),
        *family_problems(config.model_dump(exclude_unset=True), family=family, flavour=flavour),
    )
    if problems:
        raise InvalidInput.from_problems(problems)


def unusable_choices(config: BaseModel) -> Iterator[Problem]:
    """Options with values that would train something else than the trainer can do today."""
    if isinstance(config, DatasetConfig) and config.disabled:
        return
    for option in options_of(type(config)):
        value = getattr(config, option.key)
        if option.traits.decisive and value != option.default:
            yield Problem(
                f"{option.key} is {value!r:.80}, which this version cannot do yet; leave it out, "
                "or keep the configuration for a later one",
                ("config", option.key),
            )
        if value in option.later_choices:
            yield Problem(
                f"{option.key} is {value}, which this version cannot do yet; "
                f"set it to {_either(option)}, or keep the configuration for a later one",
                ("config", option.key),
            )


def _unusable_lycoris(config: TrainingConfig, family: Family) -> Iterator[Problem]:
    """Of settings that are written out: a file is read by the trainer."""
    written = config.lycoris_config
    if config.model_type == "lora" and config.lora_type == "lycoris" and isinstance(written, dict):
        problems = list(lycoris_problems(written))
        yield from (Problem(problem, ("config", "lycoris_config")) for problem in problems)
        if not problems:
            yield from lycoris_format_problems(config, family, written)


def lycoris_format_problems(config: TrainingConfig, family: Family, settings: Mapping[str, Any]) -> Iterator[Problem]:
    """Of settings that are written out or in a file, and have no problems."""
    if config.lora_format == "comfyui" and family.has_comfyui_names:
        for problem in comfyui_problems(settings, joined=family.joined_in_comfyui):
            yield Problem(problem, ("config", "lora_format"))


def _unusable_flavour(family: Family, flavour: Flavour | None) -> Iterator[Problem]:
    if flavour is not None and flavour.obstacle is not None:
        others = ", ".join(each.key for each in family.flavours if each.obstacle is None)
        yield Problem(
            f"model_flavour is {flavour.key}, which {flavour.obstacle}, and this version cannot train that yet; "
            f"set it to one of {others}, or keep the configuration for a later one",
            ("config", "model_flavour"),
        )


def _no_checkpoint_yet(config: TrainingConfig) -> Iterator[Problem]:
    if config.resume_from_checkpoint not in (None, "", "latest"):
        yield Problem(
            f"resume_from_checkpoint is {config.resume_from_checkpoint!r:.80}, but a new run has no checkpoint yet; "
            "leave it empty, or resume the run that has it",
            ("config", "resume_from_checkpoint"),
        )


def _unusable_sizes(config: TrainingConfig) -> Iterator[Problem]:
    try:
        _ = config.validation_sizes
    except ValueError as error:
        yield Problem(str(error), ("config", "validation_resolution"))


def frozen(config: BaseModel, written: Mapping[str, Any]) -> dict[str, Any]:
    """A checked configuration as a run keeps it: every option that the trainer acts on, with the value that counts.

    The rest would only suggest that it had a part in the result. What names a variable of the machine stays as it is
    written: its value may differ from one launch to the next, and does not belong in an event. What the weights switch on
    by themselves is written out, too.
    """
    if isinstance(config, TrainingConfig):
        config = settled(config)
    dumped = config.model_dump(mode="json")
    keys = [option.key for option in offered_options(type(config))]
    return {key: written[key] if holds_variable(written.get(key)) else dumped[key] for key in keys}


def flavour_of(config: TrainingConfig) -> Flavour:
    """The published weights that model_flavour names. Raises InvalidInput when the family has none of that name."""
    family = FAMILIES[config.model_family]
    flavour = family.flavour(config.model_flavour)
    if flavour is None:
        known = ", ".join(each.key for each in family.flavours)
        raise InvalidInput(
            f"{family.name} has no flavour {config.model_flavour!r}; set model_flavour to one of {known}",
            path=("config", "model_flavour"),
        )
    return flavour


def settled(config: TrainingConfig) -> TrainingConfig:
    """The config with what family and flavour switch on by themselves, where nothing else was written."""
    family = FAMILIES[config.model_family]
    flavour = _named_flavour(config)
    open_settings = {
        setting.key: setting.value
        for setting in family.settings_with(flavour)
        if setting.key in TrainingConfig.model_fields and setting.key not in config.model_fields_set
    }
    return config.model_copy(update=open_settings)


def num_tokens(config: TrainingConfig) -> int | None:
    """How many tokens of a caption are read; None where the text encoder reads captions of any length."""
    flavour = _named_flavour(config)
    limit = (flavour and flavour.token_limit) or FAMILIES[config.model_family].token_limit
    if limit is None:
        return config.tokenizer_max_length
    return min(config.tokenizer_max_length or limit.default, limit.largest)


def frame_rate(config: TrainingConfig) -> int:
    """Frames in a second of the videos that are trained on and drawn, in a family that makes videos."""
    video, flavour = FAMILIES[config.model_family].video, _named_flavour(config)
    assert video is not None, f"{config.model_family} makes pictures"
    return config.framerate or (flavour and flavour.frame_rate) or video.frame_rate


def validation_frames(config: TrainingConfig, *, num_frames: int) -> int:
    """Of each validation video; 1 is a picture. num_frames: of the longest clip that is trained on."""
    video = FAMILIES[config.model_family].video
    return 1 if video is None else video.fitting(config.validation_num_video_frames or num_frames)


def _named_flavour(config: TrainingConfig) -> Flavour | None:
    """The flavour that the weights are of; None for weights of one's own that nobody said it of."""
    if config.pretrained_model_name_or_path is not None and config.model_flavour is None:
        return None
    return FAMILIES[config.model_family].flavour(config.model_flavour)


def _check(
    model: type[Config], written: Mapping[str, Any], before: Mapping[str, Any] | None
) -> tuple[Config, frozenset[str]]:
    """The configuration, and the options of which only a variable of the machine is known."""
    known = options_by_key(model)
    variable = frozenset(key for key, value in written.items() if key in known and holds_variable(value))
    counted = {key: value for key, value in written.items() if key in known and key not in variable}
    problems = [
        Problem(f"{key} cannot be a variable, because everything else depends on it; write its value", ("config", key))
        for key in sorted(variable)
        if known[key].required
    ]
    try:
        config = model.model_validate(counted)
    except ValidationError as error:
        problems += [_explain(model, each) for each in error.errors()]
        problems += () if before is None else _mistyped(known, written, before)
        raise InvalidInput.from_problems(problems) from error
    problems += () if before is None else _mistyped(known, written, before)
    if problems:
        raise InvalidInput.from_problems(problems)
    return config, variable


def _mistyped(known: Mapping[str, Option], written: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Problem]:
    for key in written:
        if key not in known and key not in before and key not in FOREIGN_KEYS:
            yield Problem(f"there is no option named {key!r:.80}{suggestion(key, known)}", ("config", key))


def suggestion(key: str, known: Mapping[str, Option]) -> str:
    """What to put behind a key that nobody knows: the option that it is probably meant to be, if there is one."""
    close = get_close_matches(key.replace("-", "_").lower(), known, n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""


def _either(option: Option) -> str:
    if len(option.choices) > MAX_NAMED_CHOICES:
        return f"{option.default} or one of {len(option.choices) - 1} others"
    return " or ".join(filter(None, (", ".join(option.choices[:-1]), option.choices[-1])))


def _explain(model: type[BaseModel], error: Any) -> Problem:
    path = tuple(str(part) for part in error["loc"])
    key = path[0] if path else ""
    if error["type"] == "missing" and len(path) == 1:
        message = f"{key} is missing: {model.model_fields[key].description}"
    elif error["type"] == "value_error":
        message = str(error["ctx"]["error"])
        # What is wrong between options is said of the one that the message begins with.
        path = path or (message.split()[0],)
    else:
        requirement = error["msg"].removeprefix("Input ").replace("valid ", "")
        message = f"{'.'.join(path)} is {error['input']!r:.80} but {requirement}"
    return Problem(message, ("config", *path))
