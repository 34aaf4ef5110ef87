"""What is saved of a run, when, and what happens when the disk is full."""

from typing import Literal

from domain.config.options import Group, Part, option


class CheckpointOptions(Part):
    group = Group("checkpoints", "Checkpoints", "What is saved while training, to go on from and to use.")

    checkpoint_step_interval: int = option(
        500,
        label="Checkpoint every",
        ge=1,
        unit="steps",
        aliases=["checkpointing_steps", "save_every_n_steps"],
        help="Steps between checkpoints. A run that dies goes on from the last one.",
    )
    checkpoint_epoch_interval: int | None = option(
        None,
        label="Checkpoint after epochs",
        advanced=True,
        ge=1,
        unit="epochs",
        help="Also save whenever this many epochs are done.",
    )
    checkpoints_total_limit: int = option(
        5,
        label="Checkpoints kept",
        ge=0,
        aliases=["save_total_limit"],
        help="Older checkpoints are removed when there are more. Pinned ones do not count, and the best stays. 0: all are kept.",
    )
    checkpointing_rolling_steps: int = option(
        0,
        label="Rolling checkpoint every",
        advanced=True,
        ge=0,
        unit="steps",
        help="Further checkpoints that are soon replaced by the next one, so that little is lost. 0: none.",
    )
    checkpoints_rolling_total_limit: int = option(
        1,
        label="Rolling checkpoints kept",
        advanced=True,
        ge=1,
        help="How many of them there are at most.",
    )
    checkpointing_use_tempdir: bool = option(
        False,
        label="Save aside first",
        advanced=True,
        later=True,
        moot="every checkpoint is written to a temporary folder and moved when it is whole",
        help="Write checkpoints to a temporary folder and move them when they are whole.",
    )
    resume_from_checkpoint: str | None = option(
        None,
        label="Go on from",
        advanced=True,
        help="latest, or the name of a checkpoint such as checkpoint-500, to go on from when a run is resumed. Empty: latest.",
    )
    i_know_what_i_am_doing: bool = option(
        False,
        label="Resume with another batch",
        advanced=True,
        help="Let a run go on with another number of processes, batch size or accumulation than before. It goes on, but not as it would have without the interruption.",
    )
    delete_invalid_checkpoints: bool = option(
        False,
        label="Delete damaged checkpoints",
        advanced=True,
        help="Remove checkpoints that turn out to be damaged when a run is resumed. Off: they are set aside.",
    )
    save_text_encoder: bool = option(
        False,
        label="Save text encoders",
        advanced=True,
        model_types=["full"],
        help="Put the text encoders, as they are used, into each checkpoint too. The pipeline at the end always has them.",
    )
    disk_low_threshold: str | None = option(
        None,
        label="Free space needed",
        advanced=True,
        help="How much must be free on the disk before a checkpoint is written, for example 20GB; K, M, G and T count by 1024. Empty: it is tried.",
    )
    disk_low_action: Literal["stop", "wait", "script"] = option(
        "stop",
        label="When space is short",
        advanced=True,
        help="stop ends the run before anything is written, to be resumed from the checkpoint before. wait goes on when there is room. script runs a command that makes some, and ends the run if it does not.",
    )
    disk_low_script: str | None = option(
        None,
        label="Script that makes room",
        advanced=True,
        is_script=True,
        requires={"disk_low_action": "script"},
        help="The command that is run, in the folder of the run and without its secrets, when space is short.",
    )
    output_dir: str = option(
        "simpletuner-results",
        label="Folder of results",
        advanced=True,
        later=True,
        moot="each run has a folder of its own in the workspace",
        kind="path",
        help="Where the command line keeps a run. Here each run has its own folder.",
    )
