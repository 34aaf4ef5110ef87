"""Tables that list pictures: of a folder, and as addresses."""

import csv
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from domain.config.buckets import Geometry, Size
from domain.config.checks import check_dataset
from domain.config.training import TrainingConfig
from trainer.data.captions import read_caption_rules
from trainer.data.samples import Found, read_samples
from trainer.data.sources.downloads import PrivateHosts
from trainer.errors import TrainingError

CONFIG = TrainingConfig(model_family="sd1x")
GEOMETRY = Geometry(resolution=64, alignment=8)


def found_in(entry: Mapping[str, Any]) -> Found:
    dataset = check_dataset({"id": "ink", **entry})
    return read_samples(dataset, number=0, geometry=GEOMETRY, captions=read_caption_rules(dataset, CONFIG), seed=1)


def captions_by_name(found: Found) -> dict[str, tuple[str, ...]]:
    return {sample.picture.name: sample.captions for sample in found.samples}


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return path


def save(folder: Path, *names: str, size: tuple[int, int] = (64, 64)) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(folder / name)


# ---- a table of a folder

FORMATS = pytest.mark.parametrize("ending", [".parquet", ".jsonl", ".csv"])


@FORMATS
def test_table_has_captions_and_sizes_of_a_folder(tmp_path: Path, ending: str) -> None:
    save(tmp_path / "pictures", "001.png", "deep/b.png", "c.png", "unlisted.png")
    rows = [
        {"name": "001", "caption": "a cat", "more": "a tabby", "title": "unused", "w": 64, "h": 64},
        {"name": "deep/b.png", "caption": "", "more": "", "title": "a title", "w": 64, "h": 64},
        {"name": "c", "caption": "a bird", "more": "", "title": "", "w": 640, "h": 64},
        {"name": "gone", "caption": "nobody", "more": "", "title": "", "w": 1, "h": 1},
        {"name": "../c", "caption": "outside", "more": "", "title": "", "w": 1, "h": 1},
    ]
    table = write_table(tmp_path / f"table{ending}", rows)
    found = found_in(
        {
            "instance_data_dir": str(tmp_path / "pictures"),
            "caption_strategy": "parquet",
            "metadata_backend": "parquet",
            "parquet": {
                "path": str(table),
                "filename_column": "name",
                "caption_column": ["caption", "more"],
                "fallback_caption_column": "title",
                "width_column": "w",
                "height_column": "h",
            },
        }
    )
    assert captions_by_name(found) == {
        "001.png": ("a cat", "a tabby"),
        "c.png": ("a bird",),
        "deep/b.png": ("a title",),
    }
    assert {each.picture.name: each.placement.original for each in found.samples}["c.png"] == Size(640, 64)
    assert list(found.left_out) == [
        f"row 5 of {table}: '../c' is no place in the folder",
        f"{tmp_path}/pictures/unlisted.png is not in the table {table}",
        f"'gone' in the table {table} is not in the folder",
    ]


def test_table_for_captions_alone_leaves_the_others_without(tmp_path: Path) -> None:
    save(tmp_path, "a.png", "a.jpg", "b.png")
    table = write_table(tmp_path / "t.jsonl", [{"name": "a.png", "caption": "mine"}])
    options = {"path": str(table), "filename_column": "name", "caption_column": "caption"}
    entry = {"instance_data_dir": str(tmp_path), "caption_strategy": "parquet"}
    found = found_in({**entry, "parquet": {**options, "identifier_includes_extension": True}})
    assert captions_by_name(found) == {"a.jpg": ("",), "a.png": ("mine",), "b.png": ("",)}
    found = found_in({**entry, "parquet": options})
    assert captions_by_name(found) == {"a.jpg": ("mine",), "a.png": ("mine",), "b.png": ("",)}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.parquet", b"PAR1 nonsense", r"t\.parquet is no \.parquet file that can be read"),
        ("t.csv", b"name,words\na,b\n", r"dataset 'ink': .*t\.csv has no column 'caption'; it has name, words"),
        ("t.xlsx", b"", r"t\.xlsx is no table that can be read: it ends in '\.xlsx', not \.jsonl, \.csv or \.parquet"),
        (None, b"", r"dataset 'ink': the table .* cannot be read \(No such file or directory\); correct parquet\.path"),
    ],
)
def test_table_that_cannot_be_read_is_named(tmp_path: Path, name: str | None, content: bytes, reason: str) -> None:
    save(tmp_path, "a.png")
    table = tmp_path / (name or "nowhere.csv")
    if name:
        table.write_bytes(content)
    options = {"path": str(table), "filename_column": "name", "caption_column": "caption"}
    with pytest.raises(TrainingError, match=reason):
        found_in({"instance_data_dir": str(tmp_path), "caption_strategy": "parquet", "parquet": options})


# ---- a table of addresses


class Site:
    """A web server; answers: status, content type and content by path, or several for one request after the other."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, str, bytes]]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                answers = site.answers.get(self.path.partition("?")[0], [(404, "text/plain", b"no")])
                status, kind, content = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.send_header("Location" if status == 302 else "Content-Type", kind)
                self.send_header("Content-Length", str(len(content) + (9 if kind == "image/cut" else 0)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None: ...

        self.server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.port = self.server.server_port


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    threading.Thread(target=site.server.serve_forever, daemon=True).start()
    yield site
    site.server.shutdown()
    site.server.server_close()


def picture(color: str = "red") -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 64), color).save(file, "png")
    return file.getvalue()


@pytest.fixture
def open_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("SIMPLETUNER_PRIVATE_HOSTS", "intern.example, 127.0.0.1/32")
    return site


def entry_of(table: Path) -> dict[str, Any]:
    return {
        "type": "csv",
        "csv_file": str(table),
        "csv_cache_dir": str(table.parent / "kept"),
        "csv_caption_column": "caption",
        "caption_strategy": "csv",
    }


@FORMATS
def test_pictures_are_downloaded_once_and_failures_named(tmp_path: Path, open_site: Site, ending: str) -> None:
    site = open_site
    site.answers = {
        "/a.png": [(200, "image/png", picture())],
        "/later": [(503, "text/plain", b""), (200, "image/png", picture("blue"))],
        "/page": [(200, "text/html", b"<html>")],
        "/away.png": [(302, f"{site.address}/a.png", b"")],
        "/inside.png": [(302, f"http://127.0.0.2:{site.port}/a.png", b"")],
        "/cut.png": [(200, "image/cut", picture()[:50])],
    }
    save(tmp_path, "near.png")
    paths = ["a.png", "a.png", "later?token=secret", "page", "away.png", "inside.png", "cut.png", "gone.png"]
    rows = [{"url": f"{site.address}/{path}", "caption": f"{number}"} for number, path in enumerate(paths)]
    others = ["near.png", str(tmp_path / "near.png"), "../x.png", "/etc/passwd", "file:///etc/passwd", "none.png"]
    rows += [{"url": name, "caption": name} for name in others]
    table = write_table(tmp_path / f"list{ending}", rows)
    found = found_in(entry_of(table))
    assert sorted(sample.captions for sample in found.samples) == sorted(
        [("0", "1"), ("2",), ("4",), ("near.png", f"{tmp_path}/near.png")]
    )
    assert sorted(found.left_out) == sorted(
        [
            f"row 11 of {table}: '../x.png' is no place in its folder",
            f"row 12 of {table}: '/etc/passwd' is no place in its folder",
            f"{site.address}/page is no picture but text/html",
            f"{site.address}/inside.png leads to 127.0.0.2, which is not in the public internet; who has the machine "
            "can allow it with SIMPLETUNER_PRIVATE_HOSTS",
            f"{site.address}/cut.png cannot be downloaded: IncompleteRead(0 bytes read, 9 more expected)",
            f"{site.address}/gone.png answers 404 Not Found",
            f"row 13 of {table} has no address that begins with http:// or https://",
            f"{tmp_path}/none.png is not there",
        ]
    )
    later = next(sample.picture for sample in found.samples if sample.captions == ("2",))
    assert str(later) == f"{site.address}/later"
    (tmp_path / "kept" / later.name[:2] / "0.tmp").write_bytes(b"of a killed download")
    site.asked.clear()
    again = found_in(entry_of(table))
    assert [sample.picture.name for sample in again.samples] == [sample.picture.name for sample in found.samples]
    assert not {"/a.png", "/later?token=secret"} & set(site.asked)
    assert list((tmp_path / "kept").glob("*/*.tmp")) == []


def test_nothing_is_asked_of_the_own_network(tmp_path: Path, site: Site) -> None:
    site.answers = {"/a.png": [(200, "image/png", picture())]}
    addresses = [f"{site.address}/a.png", f"http://localhost:{site.port}/a.png"]
    table = write_table(tmp_path / "list.csv", [{"url": each, "caption": ""} for each in addresses])
    with pytest.raises(
        TrainingError, match=r"2 are left out; first: .* leads to 127\.0\.0\.1, which is not in the public"
    ):
        found_in(entry_of(table))
    assert site.asked == []


@pytest.mark.parametrize(
    ("written", "host", "address", "expected"),
    [
        ("", "example.org", "93.184.216.34", True),
        ("", "example.org", "10.0.0.1", False),
        ("", "example.org", "169.254.169.254", False),
        ("", "example.org", "::1", False),
        ("", "example.org", "fe80::1%eth0", False),
        ("", "example.org", "::ffff:127.0.0.1", False),
        ("", "example.org", "100.64.0.1", False),
        ("10.0.0.0/8", "example.org", "10.1.2.3", True),
        ("10.0.0.0/8", "example.org", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8, nas", "NAS", "192.168.0.4", True),
        ("nas", "other", "192.168.0.4", False),
    ],
)
def test_private_addresses_are_asked_only_where_allowed(written: str, host: str, address: str, expected: bool) -> None:
    assert PrivateHosts.parse(written).allow(host, address) is expected


@pytest.mark.parametrize(
    "address",
    ["http://[::1/a.png", "http://host:99999/", "http://host:x/", "ftp://host/a.png", "://x", "http:///x", "data://x"],
)
def test_address_that_is_none_is_named_by_its_row(tmp_path: Path, address: str) -> None:
    table = write_table(tmp_path / "list.csv", [{"url": address, "caption": ""}])
    with pytest.raises(TrainingError, match=r"first: row 1 of .*list\.csv has no address that begins with http://"):
        found_in(entry_of(table))


def test_folder_that_nothing_can_be_kept_in_is_named(tmp_path: Path) -> None:
    table = write_table(tmp_path / "list.csv", [{"url": "http://example.invalid/a.png", "caption": ""}])
    (tmp_path / "kept").touch()
    with pytest.raises(TrainingError, match=r"csv_cache_dir is .*kept, where nothing can be kept \(File exists\)"):
        found_in(entry_of(table))
