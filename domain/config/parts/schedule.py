"""How long a run is, and how much it takes at once."""

from domain.config.options import Group, Part, option


class ScheduleOptions(Part):
    group = Group("schedule", "Schedule", "How long to train, and how many pictures count for one update.")

    max_train_steps: int = option(
        0,
        label="Steps",
        ge=0,
        empty_is_default=True,
        help="How many optimizer updates to make. 0 means: as many as the epochs below need.",
    )
    num_train_epochs: int = option(
        1,
        label="Epochs",
        ge=0,
        le=100_000,
        empty_is_default=True,
        help="How often to go through the data. Counts only while Steps is 0.",
    )
    train_batch_size: int = option(
        4,
        label="Batch size",
        ge=1,
        le=4096,
        help="Pictures that each device takes at once. Lower it when memory runs out.",
    )
    gradient_accumulation_steps: int = option(
        1,
        label="Gradient accumulation",
        ge=1,
        le=4096,
        help="Batches added up for one update. Multiplies the effective batch size without more memory.",
    )
    seed: int = option(
        42,
        label="Seed",
        ge=0,
        lt=2**31,
        empty_is_default=True,
        help="Start of everything that is drawn at random. The same seed gives the same run.",
    )
    seed_for_each_device: bool = option(
        True,
        label="A seed for each device",
        advanced=True,
        later=True,
        help="Draw differently on each GPU. Off: all of them draw the same noise.",
    )
    strict_epoch_limit: bool = option(
        False,
        label="End with the last epoch",
        advanced=True,
        later=True,
        requires={"max_train_steps": 0},
        help="End exactly with the epoch, even when the planned number of steps is not reached.",
    )
