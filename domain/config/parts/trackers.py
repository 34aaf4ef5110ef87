"""Numbers and pictures for others to see while a run goes on."""

from typing import Any, Literal

from domain.config.options import Group, Part, option


class TrackerOptions(Part):
    group = Group("trackers", "Trackers", "Sending numbers and pictures elsewhere while a run goes on.")

    report_to: str = option(
        "none",
        label="Report to",
        advanced=True,
        later=True,
        help="Trackers with commas between them: simpletuner, tensorboard, wandb, swanlab, comet_ml, custom-tracker, all or none.",
    )
    tracker_project_name: str = option(
        "simpletuner",
        label="Project",
        advanced=True,
        later=True,
        aliases=["project_name"],
        help="The project that runs are gathered in.",
    )
    tracker_run_name: str | None = option(
        None, label="Run", advanced=True, later=True, help="What the run is called there. Empty: its name here."
    )
    tracker_image_layout: Literal["gallery", "table"] = option(
        "gallery", label="Pictures as", advanced=True, later=True, help="How validation pictures are laid out."
    )
    custom_tracker: str | None = option(
        None,
        label="Tracker of your own",
        advanced=True,
        later=True,
        is_script=True,
        requires={"report_to": "custom-tracker"},
        help="Name of the Python file with the tracker; it runs on the machine that trains.",
    )
    logging_dir: str = option(
        "logs",
        label="Folder of TensorBoard",
        advanced=True,
        later=True,
        kind="path",
        help="Where TensorBoard's files are written.",
    )
    webhook_config: dict[str, Any] | list[dict[str, Any]] | str | None = option(
        None,
        label="Webhooks",
        advanced=True,
        later=True,
        may_be_file=True,
        aliases=["webhooks_config"],
        help="Addresses that are told how a run goes: a JSON object with webhook_type and its address, or a list of them.",
    )
    webhook_reporting_interval: int | None = option(
        None,
        label="Tell webhooks every",
        advanced=True,
        later=True,
        ge=30,
        unit="seconds",
        help="How often progress is told. Empty: at each event only.",
    )
