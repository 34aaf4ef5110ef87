"""The examples: what the client and the demo ask is in the schema, and every environment is a valid one."""

import json
import re
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from domain.config.checks import check_dataset, check_training
from domain.config.dataset import is_picture, is_video
from domain.config.forms import normalise_keys

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ENVIRONMENTS = sorted(folder.name for folder in (EXAMPLES / "environments").iterdir())
SCRIPTS = ("client.py", "demo.py")
SCHEMA = build_schema((EXAMPLES.parent / "schema.graphql").read_text())


@pytest.mark.parametrize("script", SCRIPTS)
def test_documents_are_valid(script: str) -> None:
    source = (EXAMPLES / script).read_text()
    documents = re.findall(
        r'^[A-Z_]+ = "{1,3}((?:query|mutation|subscription|\{).*?)"{1,3}\n', source, re.MULTILINE | re.DOTALL
    )
    assert documents
    assert [error.message for document in documents for error in validate(SCHEMA, parse(document))] == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_is_valid(name: str) -> None:
    folder = EXAMPLES / "environments" / name
    config = check_training(normalise_keys(json.loads((folder / "config.json").read_text())))
    datasets = [check_dataset(entry) for entry in json.loads((folder / "multidatabackend.json").read_text())]
    named = [config.pretrained_model_name_or_path or ".", *(dataset.instance_data_dir for dataset in datasets)]
    assert [path for path in named if not (folder / path).is_dir()] == []


@pytest.mark.parametrize("dataset", sorted(folder.name for folder in (EXAMPLES / "datasets").glob("*/")))
def test_dataset_has_a_caption_for_each_picture_or_video(dataset: str) -> None:
    folder = EXAMPLES / "datasets" / dataset
    shown = {file.stem for file in folder.iterdir() if is_picture(file.name) or is_video(file.name)}
    assert shown == {file.stem for file in folder.glob("*.txt") if file.read_text().strip()}
    assert shown
