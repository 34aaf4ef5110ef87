"""What would go wrong if a run started now, as far as the service can tell without loading anything."""

from pathlib import Path

from sqlalchemy.orm import Session

from domain.config.checks import check_startable, check_training
from domain.config.effective import effective_config, is_default_environment
from domain.errors import InvalidInput, Problem
from service.access.config_rights import is_meant_as_path
from service.folders import count_pictures
from service.read_models.dataset import find_datasets
from service.read_models.environment import EnvironmentRow, find_default_environment


def check_files(session: Session, environment: EnvironmentRow) -> None:
    """Raises InvalidInput when the base model or a dataset is a folder that is not there, or holds no pictures.

    What is wrong with the configuration itself comes first: nobody should fetch files for what cannot be trained.
    """
    default = None if is_default_environment(environment.name) else find_default_environment(session)
    config = effective_config(environment.config, default.config if default else None)
    check_startable(check_training(config))
    problems: list[Problem] = []
    written = config.get("pretrained_model_name_or_path")
    if isinstance(written, str) and is_meant_as_path(written) and not Path(written).is_dir():
        problems.append(
            Problem(
                f"the base model {written} is no folder on this machine; correct pretrained_model_name_or_path",
                ("environmentId",),
            )
        )
    for dataset in find_datasets(session, environment.dataset_ids):
        folder = str(dataset.config.get("instance_data_dir", ""))
        num_pictures = count_pictures(folder)
        if num_pictures is None:
            problems.append(
                Problem(f"the folder {folder} of the dataset {dataset.name!r} does not exist", ("environmentId",))
            )
        elif num_pictures == 0:
            problems.append(
                Problem(f"the folder {folder} of the dataset {dataset.name!r} has no pictures", ("environmentId",))
            )
    if problems:
        raise InvalidInput.from_problems(problems)
