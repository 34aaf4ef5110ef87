"""ZIP archives that people pack, and those that nobody packs who means well."""

import io
import os
import stat
import struct
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.browsing.names import MAX_NAME_BYTES, checked_name, safe_name
from service.browsing.reach import Folder
from service.uploads.archive import MAX_ENTRIES
from service.uploads.kinds import Unfit
from service.uploads.records import MAX_NAMED, Report
from service.uploads.unpacking import Unpacking, remove_staging
from tests.service.conftest import Server, set_up
from tests.service.people import CONSOLE, Household
from tests.service.uploading import BEGIN, PATIENCE_SECONDS, Tus, killed_at, picture

GB = 1 << 30
UPLOAD_ID = UUID(int=5)
FOREVER: Callable[[float], None] = lambda progress: None  # noqa: E731


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is about a machine that loses its power."""
    monkeypatch.setattr(os, "sync", lambda: None)


def packed(entries: dict[str, bytes], **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name) if not options else name, content)
    return file


@contextmanager
def saved(file: io.BytesIO, path: Path) -> Iterator[Any]:
    path.write_bytes(file.getvalue())
    with path.open("rb") as opened:
        yield opened


def unpack(
    file: io.BytesIO, folder: Path, *, max_bytes: int = GB, tell: Callable[[float], None] = FOREVER, clear: bool = True
) -> Report:
    """Into the folder, as the service does it."""
    folder.mkdir(exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    try:
        with saved(file, folder.parent / f"{folder.name}.zip") as archive:
            unpacking = Unpacking(
                UPLOAD_ID, place, max_bytes=max_bytes, may_place=lambda _: True, tell=tell, check_video=lambda _: None
            )
            report = unpacking.run(archive)
    finally:
        os.close(place)
        if clear:
            remove_staging(Folder(folder, folder, True), UPLOAD_ID)
    return report


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- what people pack


def test_archive_comes_into_its_folders(tmp_path: Path) -> None:
    cats = {"10_grey/cat.png": picture(), "10_grey/cat.txt": b"a cat", "metadata.jsonl": b"{}\n"}
    entries = cats | {
        "10_grey/": b"",
        "__MACOSX/10_grey/._cat.png": b"x",
        "10_grey/.DS_Store": b"x",
        ".git/config.txt": b"x",
        "run.exe": b"MZ",
        "inner.zip": packed({"a.png": picture()}).getvalue(),
        "fake.png": b"no picture",
    }
    report = unpack(packed(entries), tmp_path / "folder")
    assert tree(tmp_path / "folder") == cats
    assert (report.num_added, report.added) == (3, list(cats))
    assert report.num_ignored == 3
    assert [name for name, _ in report.skipped] == ["run.exe", "inner.zip", "fake.png"]
    assert "holds no picture" in report.skipped[2][1]


def test_lists_of_a_report_are_bounded(tmp_path: Path) -> None:
    entries = {f"{number}.txt": b"x" for number in range(MAX_NAMED + 50)}
    report = unpack(packed(entries), tmp_path / "folder")
    assert (report.num_added, len(report.added)) == (MAX_NAMED + 50, MAX_NAMED)


def test_picture_and_caption_are_renamed_together(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    unpack(packed({"cat.png": picture(1), "cat.txt": b"a cat"}), folder)
    report = unpack(packed({"cat.png": picture(2), "cat.txt": b"a cat", "dog.png": picture(3)}), folder)
    assert report.renamed == [("cat.png", "cat (2).png"), ("cat.txt", "cat (2).txt")]
    assert tree(folder) == {
        "cat.png": picture(1),
        "cat.txt": b"a cat",
        "cat (2).png": picture(2),
        "cat (2).txt": b"a cat",
        "dog.png": picture(3),
    }
    again = unpack(packed({"cat.png": picture(2), "cat.txt": b"a cat", "dog.png": picture(3)}), folder)
    assert (again.num_added, again.duplicates) == (0, ["cat (2).png", "cat (2).txt", "dog.png"])


def test_what_is_in_the_way_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "busy.png").mkdir(parents=True)
    (folder / "a").write_text("a file")
    (tmp_path / "outside").mkdir()
    (folder / "out").symlink_to(tmp_path / "outside")
    entries = {"busy.png": picture(), "a/b.png": picture(), "out/c.png": picture(), "d.png": picture()}
    report = unpack(packed(entries), folder)
    assert report.added == ["busy (2).png", "d.png"]
    assert [name for name, _ in report.skipped] == ["a/b.png", "out/c.png"]
    assert list((tmp_path / "outside").iterdir()) == []


def test_large_archives_have_another_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    file = packed({"a.txt": b"a", "b.txt": b"b"})
    assert b"PK\x06\x06" in file.getvalue()
    assert unpack(io.BytesIO(b"a program before it" + file.getvalue()), tmp_path / "folder").added == ["a.txt", "b.txt"]


# ---- odd names


def raw_entry(raw: bytes, *, is_utf8: bool) -> io.BytesIO:
    """An archive of one text whose name has these bytes."""
    file = packed({"x" * len(raw) + ".txt": b"text"})
    content = file.getvalue().replace(b"x" * len(raw) + b".txt", raw + b".txt")
    if is_utf8:
        content = content.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x08")
        content = content.replace(b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00\x00\x08")
    return io.BytesIO(content)


@pytest.mark.parametrize(
    ("raw", "is_utf8", "name"),
    [
        ("Bär".encode(), True, "Bär.txt"),
        ("Bär".encode(), False, "Bär.txt"),
        (b"B\x84r", False, "Bär.txt"),
        ("Ba\u0308r".encode(), True, "Bär.txt"),
        ("日本".encode(), False, "日本.txt"),
        (b"a\\b\\c", False, "a/b/c.txt"),
        (b"./a//b", False, "a/b.txt"),
        (b"a:b?c*d", False, "a_b_c_d.txt"),
        (b"NUL", False, "_NUL.txt"),
        (b"aux.tar", False, "_aux.tar.txt"),
        (b"dots. /x", False, "dots/x.txt"),
        (b"tab\tbell\x07", False, "tab_bell_.txt"),
    ],
)
def test_odd_name_is_made_safe(tmp_path: Path, raw: bytes, is_utf8: bool, name: str) -> None:
    unpack(raw_entry(raw, is_utf8=is_utf8), tmp_path / "folder")
    assert list(tree(tmp_path / "folder")) == [name]


def test_names_that_differ_by_case_alone_stay_apart(tmp_path: Path) -> None:
    entries = {"Cat.png": picture(1), "cat.png": picture(2), "CAT.png": picture(3), "cat?.png": picture(4)}
    report = unpack(packed(entries), tmp_path / "folder")
    assert report.num_added == 4
    assert sorted(tree(tmp_path / "folder").values()) == sorted(entries.values())
    names = [name.casefold() for name in tree(tmp_path / "folder")]
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    "name", ["../out.txt", "a/../../out.txt", "/etc/out.txt", "C:\\out.txt", "..\\out.txt", "\\\\host\\out.txt", "a/.."]
)
def test_name_that_leads_out_is_skipped(tmp_path: Path, name: str) -> None:
    report = unpack(packed({name: b"out", "fine.txt": b"in"}), tmp_path / "folder")
    assert tree(tmp_path / "folder") == {"fine.txt": b"in"}
    assert [reason for _, reason in report.skipped] == ["leads out of the folder"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "folder.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_link_or_device_is_skipped(tmp_path: Path, kind: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("link.txt")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("fine.txt", "in")
    report = unpack(file, tmp_path / "folder")
    assert (list(tree(tmp_path / "folder")), report.skipped[0][0]) == (["fine.txt"], "link.txt")


NAMES = st.text(alphabet=st.sampled_from("aA./\\:ß\u0308e? ~-\u00e9日CON1\t"), max_size=12) | st.text(max_size=300)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(NAMES, min_size=1, max_size=12))
@example(["a", "A", "a/b", "a.txt/c"])
@example(["x" * 300, "x" * 301, "é" * 200])
def test_any_names_come_inside_and_apart(names: list[str]) -> None:
    names = [name.encode(errors="ignore").decode().replace("\0", "") for name in names]
    with TemporaryDirectory() as root:
        folder = Path(root) / "folder"
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("first.txt", b"first")
            for number, name in enumerate(names):
                archive.writestr(zipfile.ZipInfo(f"{name}.txt"), f"content {number}")
        report = unpack(file, folder)
        assert sorted(path.name for path in Path(root).iterdir()) == ["folder", "folder.zip"]
        found = tree(folder)
        assert report.num_added == len(found)
        assert report.num_added + report.num_duplicates + report.num_skipped + report.num_ignored == len(names) + 1
        folded = [unicodedata.normalize("NFC", name.casefold()) for name in found]
        assert len(set(folded)) == len(folded)
        parts = [part for name in found for part in name.split("/")]
        assert [safe_name(part) for part in parts if len(part.encode()) <= MAX_NAME_BYTES] == [
            part for part in parts if len(part.encode()) <= MAX_NAME_BYTES
        ]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400))
@example("CON")
@example("x" * 300 + ".png")
def test_safe_name_is_a_good_name(written: str) -> None:
    name = safe_name(written)
    assert checked_name(name, key="name") == name
    assert len(name.encode()) <= MAX_NAME_BYTES


# ---- what nobody packs who means well


def damaged(at: str) -> io.BytesIO:
    content = bytearray(packed({"a.png": picture(1), "b.png": picture(2, size=(64, 64))}).getvalue())
    match at:
        case "end":
            return io.BytesIO(bytes(content[:-30]))
        case "half":
            return io.BytesIO(bytes(content[: len(content) // 2]))
        case "bytes":
            at_second = content.index(b"b.png") + 40
            content[at_second] ^= 0xFF
        case "header":
            content[content.index(b"b.png") - 30] ^= 0xFF
        case "directory":
            content[content.rindex(b"b.png") - 46] ^= 0xFF
    return io.BytesIO(bytes(content))


@pytest.mark.parametrize("at", ["end", "half", "bytes", "header", "directory"])
def test_damaged_archive_leaves_nothing(tmp_path: Path, at: str) -> None:
    with pytest.raises(Unfit, match="is no complete ZIP archive"):
        unpack(damaged(at), tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


def bomb(num_bytes: int = 64 << 20) -> io.BytesIO:
    return packed({"zeros.txt": bytes(num_bytes)}, compression=zipfile.ZIP_DEFLATED)


def overlapping() -> io.BytesIO:
    """Many entries that share the same compressed bytes."""
    file = packed({"a.txt": b"x" * 500_000})
    content = file.getvalue()
    end = content.rindex(b"PK\x05\x06")
    directory = content.index(b"PK\x01\x02")
    entry = content[directory:end]
    entries = b"".join(entry.replace(b"a.txt", b"%c.txt" % letter) for letter in b"abcdefghij")
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10, 10, len(entries), directory, 0)
    return io.BytesIO(content[:directory] + entries + tail)


def lying() -> io.BytesIO:
    """One that says it is small."""
    file = bomb(1 << 20)
    content = file.getvalue()
    return io.BytesIO(content.replace(struct.pack("<L", 1 << 20), struct.pack("<L", 100)))


def encrypted() -> io.BytesIO:
    content = bytearray(packed({"a.png": picture()}).getvalue())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    return io.BytesIO(bytes(content))


def quine_like() -> io.BytesIO:
    inner = packed({"a.png": picture()})
    for _ in range(3):
        inner = packed({"inner.zip": inner.getvalue()})
    return inner


def with_endless_directory() -> io.BytesIO:
    """Its directory claims to be longer than any."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", *[0] * 4, *[0] * 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    entries = entry * (MAX_ENTRIES + 1)
    return io.BytesIO(entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(entries), 0, 0))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (bomb, "times its own size"),
        (overlapping, "overlap"),
        (lying, "damaged"),
        (encrypted, "encrypted"),
        (quine_like, "archive in an archive"),
        (with_endless_directory, "holds more than 100000 files"),
        (lambda: packed({"a.txt": b"x"}, compression=zipfile.ZIP_BZIP2), "packed by bzip2"),
        (lambda: packed({"a.txt": b"x"}, compression=zipfile.ZIP_LZMA), "packed by LZMA"),
        (lambda: packed({"a.txt": b"x" * 2_000_000}), "holds nothing that is taken"),
        (lambda: packed({"a.csv": b"x" * 2_000_000}), "at most 1000000 are unpacked"),
        (lambda: packed({}), "holds nothing that is taken"),
        (lambda: packed({"a.exe": b"x"}), "'a.exe' is neither a picture nor a video nor captions"),
        (lambda: packed({"a.png": b"x"}), "'a.png' holds no picture"),
        (lambda: io.BytesIO(b"PK\x05\x06"), "is no complete ZIP archive"),
        (lambda: io.BytesIO(b"Rar!\x1a\x07\x00 and more"), "is no complete ZIP archive"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_archive_is_refused_as_a_whole(tmp_path: Path, make: Callable[[], io.BytesIO], said: str) -> None:
    limit = 1_000_000 if "1000000" in said else GB
    with pytest.raises(Unfit, match=said):
        unpack(make(), tmp_path / "folder", max_bytes=limit)
    assert list((tmp_path / "folder").iterdir()) == []


def test_rules_about_paths_count_inside_an_archive_as_well(server: Server) -> None:
    admin, household = set_up(server), Household(server)
    folder = server.workspace / "datasets/ruled"
    folder.mkdir(parents=True)
    household.application.change_policy(
        lambda policy: policy.create_level(CONSOLE, name="narrow", description="", permissions=["config.*"])
    )
    create = "mutation ($input: CreateAccessRuleInput!) { createAccessRule(input: $input) { errors { message } } }"
    for pattern, action, priority in ((f"{folder.resolve()}*", "ALLOW", 0), ("*/private*", "DENY", 1)):
        rule = {"name": action, "level": "narrow", "kind": "PATH", "pattern": pattern, "action": action}
        made = admin.ask(create, input=rule | {"priority": priority})
        assert made["createAccessRule"]["errors"] == []
    tus = Tus(household.new_person("nora", ["narrow"]).session, folder)
    content = packed({"private/a.txt": b"a", "open/b.txt": b"b"}).getvalue()
    report = tus.send("both.zip", content, extract=True)["report"]
    assert report["added"] == ["open/b.txt"]
    assert report["skipped"] == [{"name": "private/a.txt", "reason": "would go where a rule keeps you from"}]
    assert tree(folder) == {"open/b.txt": b"b"}
    answer = tus.script.post(BEGIN, input={"path": str(folder), "filename": "private.txt", "sizeBytes": 1}).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


# ---- kills


def test_kill_at_any_moment_changes_nothing(tmp_path: Path) -> None:
    """A child dies before the first thing that it does to the disk, another before the second, and so on."""
    entries = {
        "cat.txt": b"a cat",
        "cat.png": picture(2),
        "deep/er/dog.png": picture(3),
        "same.png": picture(4),
        "fake.png": b"no",
    }
    file = packed(entries)

    def new_folder(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "cat.png").write_bytes(picture(1))
        (folder / "same.png").write_bytes(picture(4))
        return folder

    whole = new_folder("whole")
    report = unpack(file, whole)
    assert (report.num_added, report.num_duplicates, report.num_renamed, report.num_skipped) == (3, 1, 2, 1)
    moment, was_killed = 0, True
    while was_killed:
        moment += 1
        folder = new_folder(f"killed-{moment}")
        was_killed = killed_at(moment, lambda folder=folder: unpack(file, folder, clear=False))  # type: ignore[misc]
        assert asdict(unpack(file, folder)) == asdict(report), moment
        assert tree(folder) == tree(whole), moment
    assert moment > 30


def test_service_that_is_killed_while_it_unpacks_goes_on(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    script = set_up(server)
    folder = server.workspace / "datasets/killed"
    folder.mkdir(parents=True)
    tus = Tus(script, folder)
    entries = {f"{number:04}.png": picture(number) for number in range(100)} | {
        f"{number:04}.txt": b"caption" for number in range(1000)
    }
    content = packed(entries).getvalue()
    upload = tus.begun("many.zip", len(content), extract=True)
    assert tus.patch(upload["url"], 0, content).status_code == 204
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(folder.glob(".upload-*/1*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    server.kill()
    assert (folder / "0000.png").exists() is False
    server.start()
    report = tus.ended(upload)["report"]
    assert (report["numAdded"], report["numDuplicates"], report["numRenamed"]) == (1100, 0, 0)
    assert tree(folder) == entries
    assert list((server.workspace / "uploads").iterdir()) == []
    assert "Traceback" not in server.log()
