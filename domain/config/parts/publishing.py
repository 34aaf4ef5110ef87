"""Where results go, and what is run then."""

from typing import Any

from domain.config.options import Group, Part, option


class PublishingOptions(Part):
    group = Group(
        "publishing", "Publishing", "Uploading what was trained, and running scripts when something is saved."
    )

    push_to_hub: bool = option(
        False,
        label="Upload to the Hub",
        later=True,
        help="Upload the trained weights to the Hugging Face Hub at the end.",
    )
    hub_model_id: str | None = option(
        None,
        label="Repository",
        later=True,
        requires={"push_to_hub": True},
        help="Where they go, as owner/name or a name of yours.",
    )
    push_checkpoints_to_hub: bool = option(
        False,
        label="Upload checkpoints",
        advanced=True,
        later=True,
        requires={"push_to_hub": True},
        help="Also upload each checkpoint when it is saved.",
    )
    push_to_hub_background: bool = option(
        False,
        label="Upload while training",
        advanced=True,
        later=True,
        requires={"push_to_hub": True},
        help="Go on training while files are uploaded.",
    )
    model_card_private: bool = option(
        True,
        label="Private",
        later=True,
        requires={"push_to_hub": True},
        help="Only you can see the repository that is made.",
    )
    model_card_note: str | None = option(
        None,
        label="Note",
        advanced=True,
        later=True,
        kind="long_text",
        requires={"push_to_hub": True},
        help="Text for the model's page.",
    )
    model_card_safe_for_work: bool = option(
        False,
        label="Safe for work",
        advanced=True,
        later=True,
        requires={"push_to_hub": True},
        help="Say on the model's page that its pictures are safe for work.",
    )
    modelspec_comment: str | list[str] | None = option(
        None,
        label="Comment in the file",
        advanced=True,
        kind="long_text",
        help="Text that is kept in the header of the saved weights.",
    )
    publishing_config: dict[str, Any] | list[dict[str, Any]] | str | None = option(
        None,
        label="Other places",
        advanced=True,
        later=True,
        may_be_file=True,
        help="Uploads to S3, Backblaze, Azure or Dropbox: a JSON object, or a list of them, each with its provider.",
    )
    post_checkpoint_script: str | None = option(
        None,
        label="Script after saving",
        advanced=True,
        later=True,
        is_script=True,
        help="A command that is run after each checkpoint, with placeholders such as {local_checkpoint_path}.",
    )
    post_upload_script: str | None = option(
        None,
        label="Script after uploading",
        advanced=True,
        later=True,
        is_script=True,
        help="A command that is run after each upload, with placeholders such as {remote_checkpoint_path}.",
    )
