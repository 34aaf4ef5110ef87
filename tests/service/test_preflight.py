"""What is said before a start, on real folders, and that the ways out mend what they are offered for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.service.conftest import Script
from tests.trainer.filming import film

ROOT = Path(__file__).parents[2]
MODEL = str(ROOT / "examples/models/emoji-small")
ASK = """query ($id: ID!, $devices: [Int!]) { preflight(environmentId: $id, devices: $devices) {
    ok totalSteps stepsPerEpoch epochs effectiveBatchSize numImages isEstimate
    memory { estimatedBytes perPhase { phase bytes } availableBytes fits }
    disk { neededBytes freeBytes } download { repository estimatedBytes freeBytes fits }
    buckets { dataset width height numImages scheduled smallestRepeats usable }
    problems { severity code message path suggestion suggestions } } }"""
START = "mutation ($i: StartTrainingInput!) { startTraining(input: $i) { run { id } errors { code message path } } }"
UPDATES = {
    "environment": "mutation ($i: UpdateEnvironmentInput!) { updateEnvironment(input: $i) { errors { message } } }",
    "dataset": "mutation ($i: UpdateDatasetInput!) { updateDataset(input: $i) { errors { message } } }",
}

Make = Callable[..., str]


def pictures(folder: Path, *sizes: tuple[int, int], captions: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (number % 255, 0, 0)).save(folder / f"{number:03}.png")
        if captions:
            (folder / f"{number:03}.txt").write_text("a picture")
    return folder


@pytest.fixture
def make(script: Script, request: pytest.FixtureRequest) -> Make:
    """Creates an environment on folders, each a dataset; returns its id."""
    number = iter(range(100))

    def create(
        *folders: Path,
        datasets: dict[str, Any] | None = None,
        name: str = "",
        held_out: int = 0,
        masks: Path | None = None,
        **config: Any,
    ) -> str:
        """held_out: how many of the folders, from the last, are measured alone. masks: of the pictures in the others."""
        given = name or f"{request.node.name}-{next(number)}"
        name = given[-90:].replace("[", "(").replace("]", ")").replace("/", "-")
        ids = []
        entries: dict[str, dict[str, Any]] = {}
        for place, folder in enumerate(folders):
            kind = "eval" if place >= len(folders) - held_out else "image"
            entries[f"{name}-{place}"] = {"instance_data_dir": str(folder), "dataset_type": kind, **(datasets or {})}
        if masks is not None:
            entries[f"{name}-0"]["conditioning_data"] = f"{name}-masks"
            kinds = {"dataset_type": "conditioning", "conditioning_type": "mask"}
            entries[f"{name}-masks"] = {"instance_data_dir": str(masks), **kinds}
        for called, entry in entries.items():
            made = script.ask(
                "mutation ($i: CreateDatasetInput!) { createDataset(input: $i) { dataset { id } errors { message } } }",
                i={"name": called, "config": entry},
            )["createDataset"]
            assert made["errors"] == []
            ids.append(made["dataset"]["id"])
        usual = {
            "model_family": "sd1x",
            "pretrained_model_name_or_path": MODEL,
            "resolution": 64,
            "train_batch_size": 2,
            "max_train_steps": 10,
            "checkpoint_step_interval": 5,
            "validation_step_interval": 5,
            "validation_prompt": "a cat",
        }
        made = script.ask(
            "mutation ($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { id } errors { message } } }",
            i={"name": name, "config": usual | config, "datasetIds": ids},
        )["createEnvironment"]
        assert made["errors"] == []
        environment_id: str = made["environment"]["id"]
        return environment_id

    return create


def look(script: Script, environment_id: str, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = script.ask(ASK, id=environment_id, **variables)["preflight"]
    return found


def codes(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem["severity"], problem["code"]) for problem in found["problems"]]


def test_good_environment_has_nothing_to_say(script: Script, make: Make, tmp_path: Path) -> None:
    found = look(script, make(pictures(tmp_path / "a", *[(80, 80)] * 5)))
    assert (found["ok"], found["problems"], found["isEstimate"]) == (True, [], False)
    assert (found["totalSteps"], found["stepsPerEpoch"], found["epochs"]) == (10, 3, 4)
    assert (found["effectiveBatchSize"], found["numImages"]) == (2, 5)
    assert found["memory"] is None  # the weights are a small model's, whose size is not that of the family


def test_held_out_pictures_are_looked_at_and_not_counted(script: Script, make: Make, tmp_path: Path) -> None:
    folders = pictures(tmp_path / "a", *[(80, 80)] * 4), pictures(tmp_path / "b", *[(80, 80)] * 3)
    found = look(script, make(*folders, held_out=1))
    assert (found["problems"], found["stepsPerEpoch"], found["numImages"]) == ([], 2, 4)
    assert codes(look(script, make(*folders, held_out=2))) == [("ERROR", "NO_DATASET")]
    assert codes(look(script, make(*folders, held_out=1, eval_dataset_id="x"))) == [("ERROR", "NO_HELD_OUT_DATASET")]
    missing = look(script, make(folders[0], tmp_path / "missing", held_out=1))
    assert codes(missing) == [("ERROR", "DATASET_MISSING")]


def test_epochs_decide_where_steps_are_not_given(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 5)
    found = look(script, make(folder, max_train_steps=0, num_train_epochs=3, datasets={"repeats": 1}))
    assert (found["totalSteps"], found["stepsPerEpoch"], found["epochs"]) == (15, 5, 3)


def test_each_way_out_of_small_buckets_mends_it(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(160, 80)] * 3, *[(80, 80)] * 9)
    environment_id = make(folder, train_batch_size=4, gradient_accumulation_steps=2, datasets={"crop": False})
    found = look(script, environment_id)
    assert codes(found) == [("ERROR", "BUCKET_TOO_SMALL")]
    assert not found["ok"]
    labels = [suggestion["label"].partition(" for ")[0] for suggestion in found["problems"][0]["suggestions"]]
    assert labels == ["Batch size 1", "Repeats 2", "Fill up small buckets", "Leave out small buckets"]
    refused = script.ask(START, i={"environmentId": environment_id})["startTraining"]
    assert [error["message"] for error in refused["errors"]] == [found["problems"][0]["message"]]
    for place, expected in enumerate([7, 6, 3, 2]):
        fresh = make(folder, train_batch_size=4, gradient_accumulation_steps=2, datasets={"crop": False})
        apply(script, look(script, fresh)["problems"][0]["suggestions"][place])
        mended = look(script, fresh)
        assert (mended["ok"], "BUCKET_TOO_SMALL" in {code for _, code in codes(mended)}) == (True, False)
        assert mended["stepsPerEpoch"] == expected


def apply(script: Script, suggestion: dict[str, Any]) -> None:
    target = suggestion["target"]
    given = {key: value for key, value in suggestion.items() if key not in ("label", "target")}
    answer = script.ask(UPDATES[target], i=given)
    assert answer[f"update{target.title()}"]["errors"] == []


def test_pictures_of_all_kinds_are_sorted(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "odd ñame", *[(80, 80)] * 4)
    Image.new("CMYK", (80, 80)).save(folder / "ink.jpg")
    Image.new("RGB", (1, 10_000)).save(folder / "thin.png")
    (folder / "cut.png").write_bytes((folder / "000.png").read_bytes()[:20])
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (160, 80)).save(folder / "turned.jpg", exif=turned)
    environment_id = make(folder, train_batch_size=1, datasets={"crop": False})
    found = look(script, environment_id)
    assert codes(found) == [
        ("WARNING", "UNREADABLE_PICTURES"),
        ("WARNING", "PICTURES_LEFT_OUT"),
        ("WARNING", "CAPTIONS_MISSING"),
    ]
    assert [(each["width"], each["height"], each["numImages"]) for each in found["buckets"]] == [
        (48, 88, 1),
        (64, 64, 5),
    ]
    assert look(script, environment_id) == found
    (folder / "cut.png").unlink()
    assert codes(look(script, environment_id))[0] == ("WARNING", "PICTURES_LEFT_OUT")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_family": "stable_cascade", "mixed_precision": "no"}, ("ERROR", "INVALID_CONFIG")),
        ({"pretrained_model_name_or_path": "/nowhere"}, ("ERROR", "BASE_MODEL_MISSING")),
        ({"pretrained_model_name_or_path": str(ROOT)}, ("ERROR", "BASE_MODEL_INCOMPLETE")),
        ({"init_lora": "/nowhere/x.safetensors"}, ("ERROR", "ADAPTER_MISSING")),
        (
            {"init_lora": "own/name", "use_ema": True, "init_lora_ema": "/nowhere/x.safetensors"},
            ("ERROR", "ADAPTER_MISSING"),
        ),
        ({"pretrained_model_name_or_path": "owner/name"}, ("INFO", "WEIGHTS_DOWNLOAD")),
        ({"validation_prompt": None}, ("WARNING", "NO_VALIDATION_PROMPT")),
        ({"checkpoint_step_interval": 500}, ("INFO", "NO_CHECKPOINT_BETWEEN")),
        ({"validation_step_interval": 500}, ("INFO", "NO_VALIDATION_BETWEEN")),
        ({"optimizer": "bnb-adamw8bit"}, ("WARNING", "OPTIMIZER_NEEDS_GPU")),
        ({"ramtorch": True}, ("INFO", "UNUSED_OPTIONS")),
        ({"seed": "{env:NOT_OPEN}"}, ("ERROR", "INVALID_CONFIG")),
    ],
)
def test_trouble_is_named(
    script: Script, make: Make, tmp_path: Path, config: dict[str, Any], expected: tuple[str, str]
) -> None:
    found = look(script, make(pictures(tmp_path / "a", *[(80, 80)] * 4), **config))
    assert codes(found) == [expected]
    assert found["ok"] is (expected[0] != "ERROR")


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ({"probability": 0}, [("INFO", "DATASET_NOT_DRAWN"), ("ERROR", "NO_DATASET")]),
        ({"start_epoch": 2}, [("ERROR", "NO_DATASET_IN_STEP")]),
        ({"end_step": 20}, []),
        ({"end_step": 19}, [("ERROR", "NO_DATASET_IN_STEP")]),
    ],
)
def test_steps_in_which_nothing_is_trained_on_are_refused(
    script: Script, make: Make, tmp_path: Path, dataset: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 4)
    assert codes(look(script, make(folder, datasets=dataset, max_train_steps=20))) == expected


def test_masks_that_are_not_there_keep_a_run_from_starting(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 4)
    found = look(script, make(folder, datasets={"conditioning_data": "masks"}))
    assert codes(found) == [("ERROR", "INVALID_DATASET")]
    assert "the environment has no such dataset" in found["problems"][0]["message"]


def test_pictures_without_a_mask_of_their_size_are_not_counted(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 6)
    masks = pictures(tmp_path / "masks", *[(80, 80)] * 4, (64, 64))
    found = look(script, make(folder, masks=masks))
    assert codes(found) == [("WARNING", "PICTURES_WITHOUT_MASK")]
    (message,) = [problem["message"] for problem in found["problems"]]
    assert message.startswith("2 of 6 pictures")
    assert "004.png is 80×80 and its mask 64×64; make them the same size" in message
    assert "005.png has no mask of its name" in message
    assert (found["ok"], found["numImages"]) == (True, 4)


def test_folders_without_pictures_are_named(script: Script, make: Make, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert codes(look(script, make(tmp_path / "empty", tmp_path / "gone"))) == [
        ("ERROR", "DATASET_EMPTY"),
        ("ERROR", "DATASET_MISSING"),
    ]
    assert codes(look(script, make())) == [("ERROR", "NO_DATASET")]


def test_what_is_not_trained_on_is_passed_over(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 5)
    assert codes(look(script, make(folder, datasets={"disabled": True, "crop_style": "face"}))) == [
        ("ERROR", "NO_DATASET")
    ]
    assert codes(look(script, make(folder, datasets={"dataset_type": "text_embeds"}))) == [("ERROR", "NO_DATASET")]
    assert look(script, make(folder, datasets={"max_num_samples": 4}))["numImages"] == 4


LISTED = {"metadata_backend": "parquet", "parquet": {"path": "/list.csv", "filename_column": "name"}}


@pytest.mark.parametrize("table", [{"type": "csv", "csv_file": "/list.csv", "csv_cache_dir": "/kept"}, LISTED])
def test_pictures_of_other_sources_are_not_looked_at(
    script: Script, make: Make, tmp_path: Path, table: dict[str, Any]
) -> None:
    """Nor those of which a table says which there are: one that is not in it is not trained on."""
    pictures(tmp_path, (80, 80))
    found = look(script, make(tmp_path, datasets=table, max_train_steps=0, num_train_epochs=3))
    assert codes(found) == [("INFO", "PICTURES_NOT_LOOKED_AT")]
    assert (found["ok"], found["totalSteps"]) == (True, None)


def test_more_processes_than_chosen_devices_are_refused(script: Script, make: Make, tmp_path: Path) -> None:
    environment_id = make(pictures(tmp_path / "a", *[(80, 80)] * 4), num_processes=2)
    assert codes(look(script, environment_id, devices=[0])) == [("ERROR", "TOO_FEW_DEVICES")]


def test_memory_and_disk_of_published_weights(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(600, 600)] * 4)
    found = look(script, make(folder, pretrained_model_name_or_path=None, model_flavour="1.5", resolution=512))
    phases = {each["phase"]: each["bytes"] for each in found["memory"]["perPhase"]}
    assert list(phases) == ["text_encoding", "latent_caching", "training", "validation"]
    assert found["memory"]["estimatedBytes"] == max(phases.values())
    assert found["memory"]["fits"] is (found["memory"]["estimatedBytes"] <= found["memory"]["availableBytes"])
    assert found["disk"]["neededBytes"] > found["download"]["estimatedBytes"]
    assert found["download"]["fits"] is (found["download"]["estimatedBytes"] <= found["download"]["freeBytes"])
    (said,) = [each["message"] for each in found["problems"] if each["code"] == "WEIGHTS_DOWNLOAD"]
    assert "(an estimated 4.3 GB)" in said


def test_disk_is_not_needed_for_what_is_not_kept(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(600, 600)] * 4)
    usual = {"pretrained_model_name_or_path": None, "model_flavour": "1.5", "resolution": 512}
    latents, text = 4 * 4 * 64 * 64, 77 * 768 * 2

    def needed(datasets: dict[str, Any] | None = None, **config: Any) -> float:
        return float(look(script, make(folder, datasets=datasets, **usual, **config))["disk"]["neededBytes"])

    everything = needed()
    for saved, given in (
        (latents, {"vae_cache_disable": True}),
        (latents, {"datasets": {"vae_cache_clear_each_epoch": True}}),
        (latents + text, {"vae_cache_disable": True, "datasets": {"text_cache_disable": True}}),
    ):
        assert everything - needed(**given) == 4 * saved


def test_validation_images_are_counted_and_need_room(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(600, 600)] * 4)
    usual = {
        "pretrained_model_name_or_path": None,
        "model_flavour": "1.5",
        "resolution": 512,
        "num_validation_images": 3,
    }
    ask = "query ($id: ID!) { preflight(environmentId: $id) { numValidationImages disk { neededBytes } } }"
    with_pictures = script.ask(ask, id=make(folder, **usual))["preflight"]
    without = script.ask(ask, id=make(folder, validation_disable=True, **usual))["preflight"]
    # before the first of ten steps, after the fifth and after the last
    assert (with_pictures["numValidationImages"], without["numValidationImages"]) == (3 * 3, 0)
    assert with_pictures["disk"]["neededBytes"] - without["disk"]["neededBytes"] == 9 * 512 * 512 * 2


def test_download_of_nobody_knows_what_has_no_size(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 4)
    found = look(script, make(folder, pretrained_model_name_or_path="owner/name"))
    assert found["download"]["repository"] == "owner/name"
    assert (found["download"]["estimatedBytes"], found["download"]["fits"]) == (None, None)
    assert look(script, make(folder))["download"] is None


LOKR = {"algo": "lokr", "linear_dim": 2, "factor": 4}
TRAINED = "query ($id: ID!) { preflight(environmentId: $id) { numTrainableParameters problems { code message } } }"


def test_number_that_is_trained_is_counted_from_the_weights(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 4)
    lokr = script.server.workspace / "datasets" / "lycoris_config.json"
    lokr.parent.mkdir(exist_ok=True)
    lokr.write_text(json.dumps(LOKR))

    def counted(**config: Any) -> float | None:
        found: dict[str, Any] = script.ask(TRAINED, id=make(folder, **config))["preflight"]
        assert found["problems"] == []
        number: float | None = found["numTrainableParameters"]
        return number

    # of each of 16 attentions' four layers, as tests/trainer/test_adapter_size.py compares with the trainer
    assert counted(lora_rank=6) == 2 * counted(lora_rank=3)  # type: ignore[operator]
    inline = counted(lora_type="lycoris", lycoris_config=LOKR)
    assert inline == counted(lora_type="lycoris", lycoris_config=str(lokr)) is not None
    assert counted(lora_type="lycoris", lycoris_config=LOKR | {"algo": "boft"}) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"algo": "dylora"}', "LyCORIS reads its files as those of another algorithm"),
        ('{"algo": "lokr", "rang": 4}', "rang is not known"),
        ("{", "cannot be read"),
        ("[]", "must be an object"),
        ('{"algo": "lokr", "dora_wd": true}', "lora_format is comfyui, which measures the rows of dora_wd"),
        (None, "No such file or directory"),
    ],
    ids=["algorithm", "key", "broken", "list", "format", "missing"],
)
def test_file_for_lycoris_is_read_before_a_start(
    script: Script, make: Make, tmp_path: Path, content: str | None, said: str
) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 4)
    path = script.server.workspace / "datasets" / f"{tmp_path.name}.json"
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_text(content)
    found = look(script, make(folder, lora_type="lycoris", lycoris_config=str(path), lora_format="comfyui"))
    assert codes(found) == [("ERROR", "INVALID_CONFIG")]
    assert said in found["problems"][0]["message"]


def test_file_for_lycoris_that_is_not_open_to_everybody_is_left_to_the_trainer(
    script: Script, make: Make, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 4)
    (tmp_path / "secret.json").write_text('{"algo": "something secret"}')
    link = script.server.workspace / "datasets" / f"{tmp_path.name}-link.json"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "secret.json")
    for path in (tmp_path / "secret.json", link):
        found = script.ask(TRAINED, id=make(folder, lora_type="lycoris", lycoris_config=str(path)))["preflight"]
        assert found == {"numTrainableParameters": None, "problems": []}


def test_memory_is_that_of_the_longest_clips(script: Script, make: Make, tmp_path: Path) -> None:
    """Of the published weights, whose size is known."""
    for number in range(4):
        film(tmp_path / f"{number}.mkv", num_frames=20)
        (tmp_path / f"{number}.txt").write_text("a film")
    needed = []
    for datasets in ({"num_frames": 5}, {"num_frames": 17}):
        video = {"dataset_type": "video", "video": datasets}
        found = look(script, make(tmp_path, datasets=video, model_family="wan", pretrained_model_name_or_path=None))
        needed.append({each["phase"]: each["bytes"] for each in found["memory"]["perPhase"]})
    short, long = needed
    assert long["training"] > short["training"]
    assert long["latent_caching"] > short["latent_caching"]
