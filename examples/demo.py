"""Fine-tunes the small model of this folder through the API, and shows how a script uses it.

    python examples/demo.py [--port 8080] [--once] [--example blip-mascot]

It starts the service with a workspace of its own (.demo), sets it up and makes an API key, creates an environment from an
example, starts its training, follows it over a websocket, and saves a sheet of pictures from before, during and after.
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from client import NOT_ENDED, Service, ServiceError

ROOT = Path(__file__).resolve().parent.parent
DATASETS = ROOT / "examples" / "datasets"

START_TIMEOUT_SECONDS = 60

SETUP = "{ setup { required } }"
VIEWER = "{ viewer { user { username } } }"
COMPLETE_SETUP = """mutation ($input: CompleteSetupInput!) {
  completeSetup(input: $input) { errors { message } }
}"""
SIGN_IN = """mutation ($input: SignInInput!) {
  signIn(input: $input) { errors { message } }
}"""
CREATE_API_KEY = """mutation ($input: CreateApiKeyInput!) {
  createApiKey(input: $input) { secret errors { message } }
}"""
ENVIRONMENT = "query ($name: String) { environment(name: $name) { id } }"
CREATE_ENVIRONMENT = """mutation ($input: CreateEnvironmentInput!) {
  createEnvironment(input: $input) { environment { id } errors { message } }
}"""
RUNS = """query ($filter: RunFilter) {
  trainingRuns(first: 1, filter: $filter) { edges { node { id } } }
}"""
START_TRAINING = """mutation ($input: StartTrainingInput!) {
  startTraining(input: $input) { run { id } errors { message } }
}"""
RUN = """query ($id: ID!) {
  trainingRun(id: $id) {
    name state step lastLoss endReason weightsUrl
    validationImages { step index prompt url }
  }
}"""


class DemoError(Exception):
    """Ends the demo; the message is all that is shown."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The service's own folder, and what the demo keeps in it."""

    folder: Path

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials.json"

    @property
    def service_log(self) -> Path:
        return self.folder / "service.log"

    @property
    def sheet(self) -> Path:
        return self.folder / "before-after.png"

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter" / "pytorch_lora_weights.safetensors"


# ---- the service ------------------------------------------------------------------------------------------------------


@contextmanager
def serving(service: Service, workspace: Workspace) -> Iterator[subprocess.Popen[bytes] | None]:
    """While the service answers: from a new process, or None for one that an earlier demo still runs."""
    if is_ready(service):
        require_same_workspace(service, workspace)
        yield None
        return
    process = start_service(service, workspace)
    try:
        wait_until_ready(service, process, workspace)
        yield process
    finally:
        process.terminate()
        process.wait()


def start_service(service: Service, workspace: Workspace) -> subprocess.Popen[bytes]:
    """In a process group of its own: Ctrl-C is for this script, which then ends the service in order."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIMPLETUNER_")}
    environment["SIMPLETUNER_WORKSPACE"] = str(workspace.folder)
    command = [str(Path(sys.executable).with_name("simpletuner")), "server", "--port", str(port_of(service))]
    with workspace.service_log.open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def wait_until_ready(service: Service, process: subprocess.Popen[bytes], workspace: Workspace) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not is_ready(service):
        if process.poll() is not None:
            raise DemoError(why_ended(service, workspace))
        if time.monotonic() > deadline:
            raise DemoError(f"no answer in {START_TIMEOUT_SECONDS} s; see {shown(workspace.service_log)}")
        time.sleep(0.1)


def is_ready(service: Service) -> bool:
    try:
        service.fetch("/healthz")
    except ServiceError:
        return False
    return True


def require_same_workspace(service: Service, workspace: Workspace) -> None:
    """Only a service with this workspace knows the key of an earlier demo."""
    service.api_key = read_credentials(workspace).get("apiKey")
    if service.api_key is None:
        raise DemoError(port_in_use(service))
    try:
        service.ask(VIEWER)
    except (ServiceError, ValueError, KeyError) as error:
        raise DemoError(port_in_use(service)) from error


def why_ended(service: Service, workspace: Workspace) -> str:
    lines = [line for line in workspace.service_log.read_text(errors="replace").split("\n") if line.strip()]
    if any("in use" in line for line in lines):
        return port_in_use(service)
    return f"the service ended: {lines[-1].removeprefix('simpletuner: ') if lines else 'it printed nothing'}"


def port_in_use(service: Service) -> str:
    port = port_of(service)
    return f"port {port} is used by another program; choose another: make demo PORT={port + 1}"


def port_of(service: Service) -> int:
    return urlsplit(service.url).port or 80


# ---- first start ------------------------------------------------------------------------------------------------------


def read_credentials(workspace: Workspace) -> dict[str, str]:
    try:
        credentials: dict[str, str] = json.loads(workspace.credentials.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DemoError(f"{shown(workspace.credentials)} is damaged; remove its folder to start afresh") from error
    return credentials


def write_credentials(workspace: Workspace, credentials: Mapping[str, str]) -> None:
    def only_mine(path: str, flags: int) -> int:
        return os.open(path, flags, 0o600)

    with open(workspace.credentials, "w", opener=only_mine) as file:
        json.dump(credentials, file, indent=2)


def sign_in(service: Service, workspace: Workspace) -> dict[str, str]:
    """Use the key of an earlier demo, else set the service up and make one. A password is written before it is used."""
    credentials = read_credentials(workspace)
    if service.ask(SETUP)["setup"]["required"]:
        credentials = {"username": "admin", "password": secrets.token_urlsafe(12)}
        write_credentials(workspace, credentials)
        service.ask(COMPLETE_SETUP, input={**credentials, "email": "admin@example.org"})
    elif not credentials:
        raise DemoError(f"{shown(workspace.credentials)} with the password is gone; remove its folder to start afresh")
    if "apiKey" not in credentials:
        service.ask(SIGN_IN, input={"login": credentials["username"], "password": credentials["password"]})
        credentials["apiKey"] = service.ask(CREATE_API_KEY, input={"name": "demo"})["createApiKey"]["secret"]
        write_credentials(workspace, credentials)
    service.api_key = credentials["apiKey"]
    return credentials


# ---- the run ----------------------------------------------------------------------------------------------------------


def find_or_create_environment(service: Service, example: str) -> str:
    environment = service.ask(ENVIRONMENT, name=example)["environment"]
    if environment is None:
        created = service.ask(CREATE_ENVIRONMENT, input={"name": example, "example": example})
        environment = created["createEnvironment"]["environment"]
    environment_id: str = environment["id"]
    return environment_id


def find_or_start_run(service: Service, environment_id: str) -> str:
    """The run of a demo that was stopped early, else a new one."""
    unfinished = service.ask(RUNS, filter={"environmentId": environment_id, "states": NOT_ENDED})["trainingRuns"][
        "edges"
    ]
    if unfinished:
        run_id: str = unfinished[0]["node"]["id"]
        return run_id
    # With the same key again, the service answers with the same run instead of starting another.
    request = {"environmentId": environment_id, "idempotencyKey": str(uuid.uuid4())}
    started: str = service.ask(START_TRAINING, input=request)["startTraining"]["run"]["id"]
    return started


@dataclass(frozen=True, slots=True)
class Status:
    """What a run is doing: a phase before or between steps, or steps; total is None while it is not known."""

    doing: str
    done: int
    total: int | None
    loss: str
    eta: str


def describe(run: Mapping[str, Any]) -> Status:
    phase = next((phase for phase in reversed(run["phases"]) if phase["endedAt"] is None), None)
    loss = "" if run["lastLoss"] is None else f"loss {run['lastLoss']:.4f}"
    eta = "" if run["etaSeconds"] is None else f"{run['etaSeconds']:.0f} s left"
    doing = phase["name"].replace("_", " ") if phase else "train" if run["state"] == "RUNNING" else run["state"].lower()
    if phase and not run["step"]:
        return Status(doing, phase["progress"], phase["total"], loss, eta)
    return Status(doing, run["step"], run["totalSteps"], loss, eta)


def show_bar(runs: Iterator[dict[str, Any]], console: Console) -> None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}  {task.fields[eta]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("requested", total=None, loss="", eta="")
        for run in runs:
            status = describe(run)
            progress.update(
                task,
                description=status.doing,
                completed=status.done,
                total=status.total,
                loss=status.loss,
                eta=status.eta,
            )


def show_lines(runs: Iterator[dict[str, Any]], console: Console) -> None:
    """One line for each phase and for every tenth of the steps."""
    seen = set()
    for run in runs:
        status = describe(run)
        tenth = 10 * run["step"] // run["totalSteps"] if run["totalSteps"] else 0
        if (status.doing, tenth) not in seen:
            progress = f"{status.done}/{status.total}" if status.total else ""
            console.print(f"  {status.doing:<16}{progress:>9}  {status.loss}  {status.eta}".rstrip())
        seen.add((status.doing, tenth))


# ---- the results ------------------------------------------------------------------------------------------------------


def save_adapter(service: Service, run: Mapping[str, Any], path: Path) -> None:
    if not run["weightsUrl"]:
        raise DemoError("the run finished without weights")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(service.fetch(run["weightsUrl"]))


def save_sheet(service: Service, run: Mapping[str, Any], *, dataset: Path, path: Path) -> None:
    """A column for each prompt; rows: pictures it learned from, then what it drew at step 0 and at each validation."""
    by_step: dict[int, list[Mapping[str, Any]]] = {}
    for image in sorted(run["validationImages"], key=lambda image: (image["step"], image["index"])):
        by_step.setdefault(image["step"], []).append(image)
    if not by_step:
        raise DemoError("the run made no validation images")
    first, last = min(by_step), max(by_step)
    files = sorted(dataset.glob("*.png"))[: len(by_step[first])]
    captions = [file.with_suffix(".txt").read_text() for file in files]
    rows = [Row("learned from", [Image.open(file) for file in files], captions)]
    for step, images in by_step.items():
        label = {first: f"before\nstep {step}", last: f"after\nstep {step}"}.get(step, f"step {step}")
        pictures = [Image.open(BytesIO(service.fetch(image["url"]))) for image in images]
        rows.append(Row(label, pictures, [image["prompt"] for image in images] if step == first else []))
    draw_sheet(rows).save(path)


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    pictures: Sequence[Image.Image]
    captions: Sequence[str]


def draw_sheet(rows: Sequence[Row], *, cell: int = 192, margin: int = 130, gap: int = 8, line: int = 26) -> Image.Image:
    """Pictures scaled to `cell` pixels without smoothing, labels on the left, captions above."""
    width = margin + max(len(row.pictures) for row in rows) * (cell + gap)
    height = gap + sum(cell + gap + (line if row.captions else 0) for row in rows)
    sheet = Image.new("RGB", (width, height), "#f4f4f5")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    top = gap
    for row in rows:
        for column, caption in enumerate(row.captions):
            draw.text((margin + column * (cell + gap), top + 4), fit(caption.strip(), font, cell), "#3f3f46", font)
        top += line if row.captions else 0
        draw.text((12, top + 4), row.label, "#18181b", font)
        for column, picture in enumerate(row.pictures):
            scaled = picture.convert("RGB").resize((cell, cell), Image.Resampling.NEAREST)
            sheet.paste(scaled, (margin + column * (cell + gap), top))
        top += cell + gap
    return sheet


def fit(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, cut so that it is no wider than that many pixels."""
    length = len(text)
    while font.getlength(text[:length]) > width:
        length -= 1
    return text if length == len(text) else f"{text[: length - 1]}…"


# ---- from start to end ------------------------------------------------------------------------------------------------


def shown(path: Path) -> str:
    return os.path.relpath(path)


def train(service: Service, example: str, workspace: Workspace, console: Console) -> None:
    run_id = find_or_start_run(service, find_or_create_environment(service, example))
    started = time.monotonic()
    show = show_bar if console.is_terminal else show_lines
    show(service.follow(run_id), console)
    run = service.ask(RUN, id=run_id)["trainingRun"]
    if run["state"] != "FINISHED":
        raise DemoError(f"the run {run['state'].lower()}: {run['endReason'] or 'no reason was given'}")
    save_adapter(service, run, workspace.adapter)
    save_sheet(service, run, dataset=DATASETS / example, path=workspace.sheet)
    seconds = time.monotonic() - started
    console.print(f"Finished {run['name']}: {run['step']} steps in {seconds:.0f} s, loss {run['lastLoss']:.4f}")
    console.print(f"  before and after   {shown(workspace.sheet)}")
    console.print(f"  the adapter        {shown(workspace.adapter)}")


def demonstrate(options: argparse.Namespace) -> None:
    console = Console(soft_wrap=True, highlight=False)
    workspace = Workspace(options.workspace.absolute())
    workspace.folder.mkdir(mode=0o700, exist_ok=True)
    service = Service(f"http://127.0.0.1:{options.port}")
    with serving(service, workspace) as process:
        credentials = sign_in(service, workspace)
        where = f"{service.url}   user {credentials['username']}   password {credentials['password']}"
        console.print(f"Serving {where}")
        train(service, options.example, workspace, console)
        if options.once:
            return
        console.print(f"  in the browser     {where}")
        if process is None:
            console.print("The service goes on where it was started.")
            return
        console.print("Serving until Ctrl-C.")
        try:
            process.wait()
        except KeyboardInterrupt:
            console.print("\nStopped.")
            return
        raise DemoError(why_ended(service, workspace))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fine-tune a small model through the API.")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--once", action="store_true", help="end after the run")
    parser.add_argument(
        "--example", default="ink-style", choices=sorted({file.parent.name for file in DATASETS.glob("*/*.png")})
    )
    parser.add_argument("--workspace", type=Path, default=ROOT / ".demo")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        demonstrate(options)
    except (DemoError, ServiceError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("\nStopped. A run that was under way goes on to its end; make demo follows it again.")
        sys.exit(130)


if __name__ == "__main__":
    main()
