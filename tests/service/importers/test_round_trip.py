"""What was imported, written as a folder of the existing command line, is imported as the same."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.environment_folder import DATASETS_FILE, EnvironmentFolder, rendered, write_environment_folder
from service.importers.findings import Imported
from service.importers.simpletuner import INLINE
from tests.service.importers.reading import FIXTURES, import_folder


def fixtures() -> list[Imported]:
    found = [each for folder in sorted(FIXTURES.iterdir()) for each in import_folder(folder)]
    return [each for each in found if each.is_readable]


def written(imported: Imported, parent: Path) -> Path:
    """By the service's own writer; datasets alone have no config.json."""
    folder = parent / imported.name
    options = dict(imported.config)
    held = {key: options.pop(key) for key in INLINE if isinstance(options.get(key), Mapping)}
    content = EnvironmentFolder(
        config=options,
        datasets=imported.entries,
        lycoris=held.get("lycoris_config"),
        prompts=held.get("user_prompt_library"),
    )
    if imported.config:
        write_environment_folder(folder, content)
    else:
        folder.mkdir()
        (folder / DATASETS_FILE).write_text(rendered(folder, content)[DATASETS_FILE])
    return folder


@pytest.mark.parametrize("imported", fixtures(), ids=lambda each: f"{each.format}-{each.source}")
def test_import_of_an_export_is_equal(imported: Imported) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = written(imported, Path(parent))
        results = import_folder(folder)
    again = results[0]
    assert [each.format for each in results] == ["simpletuner" if imported.config else "simpletuner_datasets"]
    assert dict(again.config) == dict(imported.config)
    assert list(again.datasets) == list(imported.datasets)
    assert again.kept == imported.kept
    assert again.unmapped == ()
    if imported.config:
        assert again.name == imported.name


def test_file_of_the_service_is_imported_as_it_is(tmp_path: Path) -> None:
    config = {"model_family": "sd1x", "lora_rank": 4, "user_prompt_library": {"a": "a fox"}, "seed": 3}
    imported = Imported(source="x", format="simpletuner", name="mine", config=config)
    assert dict(import_folder(written(imported, tmp_path))[0].config) == config
