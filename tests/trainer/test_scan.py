"""What a scan notes of folders that nobody has seen, and that it can be killed at any moment."""

import json
import os
import random
import sqlite3
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.filming import film, record_sound
from trainer.scan.index import decode_name
from trainer.scan.look import Fault

ROWS = (
    "name, key, version, beside, read_version, caption_version, width, height, format, mode, orientation, has_alpha, "
    "num_frames, num_bytes, digest, fault, message, captions"
)


class Scanned:
    """A dataset's folder, and the folder that its index is kept in."""

    def __init__(self, tmp_path: Path) -> None:
        self.pictures, self.kept = tmp_path / "pictures", tmp_path / "kept"
        self.pictures.mkdir()
        self.kept.mkdir()
        self.number = 0

    def order(self, *, dataset: dict[str, Any] | None = None, **more: Any) -> None:
        self.number += 1
        written = {"id": "ink", "instance_data_dir": str(self.pictures)} | (dataset or {})
        (self.kept / "order.json").write_text(json.dumps({"id": str(self.number), "dataset": written} | more))

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "trainer.scan", str(self.kept)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def scan(self, **order: Any) -> int:
        self.order(**order)
        process = self.start()
        process.communicate(timeout=100)
        return process.returncode

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.kept / "index.sqlite3")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def listed(self) -> bool:
        try:
            return bool(self.query("SELECT 1 FROM pictures"))
        except sqlite3.OperationalError:  # it is being made
            return False

    def rows(self) -> list[tuple[Any, ...]]:
        return self.query(f"SELECT {ROWS} FROM pictures ORDER BY name")

    def noted(self, columns: str) -> dict[str, list[Any]]:
        found = self.query(f"SELECT name, {columns} FROM pictures ORDER BY name")
        return {decode_name(name): rest for name, *rest in found}


@pytest.fixture
def scanned(tmp_path: Path) -> Scanned:
    return Scanned(tmp_path)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def fill_with_oddities(folder: Path) -> None:
    picture = Image.radial_gradient("L").resize((64, 48))
    picture.convert("RGB").save(folder / "plain.png")
    (folder / "plain.txt").write_text("one\n\ntwo\n")
    (folder / "Öl & 漢字 '%\"\n.jpg").write_bytes(b"")
    picture.convert("RGB").save(folder / "Öl & 漢字 '%\"\n.jpg", "JPEG")
    (folder / "deep/er").mkdir(parents=True)
    picture.convert("CMYK").save(folder / "deep/er/cmyk.jpg")
    Image.new("I;16", (5, 7)).save(folder / "sixteen.png")
    picture.convert("P").save(folder / "palette.png", transparency=0)
    Image.merge("LA", (picture, picture)).convert("RGBA").save(folder / "alpha.webp", lossless=True)
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]
    for name, form in (("moving.webp", "WEBP"), ("moving.png", "PNG"), ("gif.png", "GIF")):
        frames[0].save(folder / name, form, save_all=True, append_images=frames[1:])
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.convert("RGB").save(folder / "turned.jpg", exif=turned)
    Image.new("RGB", (1, 10000)).save(folder / "thin.png")
    with open(os.fsencode(folder) + b"/not-\xff-text.png", "wb") as file:
        file.write((folder / "plain.png").read_bytes())
    whole = (folder / "deep/er/cmyk.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "bomb.png").write_bytes(bomb(60000, 60000))
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no picture")
    (folder / "script.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    os.mkfifo(folder / "pipe.png")
    (folder / "loop").symlink_to(folder)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "linked.png").symlink_to(folder / "plain.png")
    outside = folder.parent / "outside"
    outside.mkdir()
    picture.save(outside / "secret.png")
    (outside / "secret.txt").write_text("a secret")
    (folder / "thin.txt").symlink_to(outside / "secret.txt")
    (outside / "secret.json").write_text('{"caption": "a secret"}')
    (folder / "linked.json").symlink_to(outside / "secret.json")
    (folder / "escaped.png").symlink_to(outside / "secret.png")
    (folder / "folder.png").mkdir()


@pytest.mark.parametrize("headers_first", [True, False])
def test_oddities_are_noted_as_what_they_are(scanned: Scanned, headers_first: bool) -> None:
    fill_with_oddities(scanned.pictures)
    assert scanned.scan(headers_first=headers_first) == 0
    whole = {name: rest for name, (fault, *rest) in scanned.noted(
        "fault, width, height, format, mode, orientation, has_alpha, num_frames"
    ).items() if fault is None}  # fmt: skip
    assert whole == {
        "Öl & 漢字 '%\"\n.jpg": [64, 48, "JPEG", "RGB", 1, 0, 1],
        "alpha.webp": [64, 48, "WEBP", "RGBA", 1, 1, 1],
        "deep/er/cmyk.jpg": [64, 48, "JPEG", "CMYK", 1, 0, 1],
        "gif.png": [8, 8, "GIF", "P", 1, 0, 3],
        "linked.png": [64, 48, "PNG", "RGB", 1, 0, 1],
        "moving.png": [8, 8, "PNG", "RGB", 1, 0, 3],
        "moving.webp": [8, 8, "WEBP", "RGB", 1, 0, 3],
        "not-\udcff-text.png": [64, 48, "PNG", "RGB", 1, 0, 1],
        "palette.png": [64, 48, "PNG", "P", 1, 1, 1],
        "plain.png": [64, 48, "PNG", "RGB", 1, 0, 1],
        "sixteen.png": [5, 7, "PNG", "I;16", 1, 0, 1],
        "thin.png": [1, 10000, "PNG", "RGB", 1, 0, 1],
        "turned.jpg": [48, 64, "JPEG", "RGB", 6, 0, 1],
    }
    faults = {name: fault for name, (fault,) in scanned.noted("fault").items() if fault is not None}
    assert faults == {
        "bomb.png": Fault.TOO_LARGE,
        "cut.jpg": Fault.TRUNCATED,
        "empty.png": Fault.NOT_A_PICTURE,
        "escaped.png": Fault.OUTSIDE,
        "loop.png": Fault.UNREADABLE,
        "pipe.png": Fault.UNREADABLE,
        "script.jpg": Fault.NOT_A_PICTURE,
        "text.png": Fault.NOT_A_PICTURE,
    }
    digests = scanned.noted("digest")
    assert digests["plain.png"] == digests["linked.png"] == digests["not-\udcff-text.png"] != digests["thin.png"]
    assert scanned.noted("captions")["plain.png"] == ['["one", "two"]']
    assert scanned.noted("captions")["thin.png"] == scanned.noted("captions")["linked.png"] == [None]
    assert scanned.noted("captions")["escaped.png"] == ["[]"]
    assert scanned.query("SELECT state, num_done, num_total, error FROM scan") == [("finished", 21, 21, None)]


def test_links_lead_to_allowed_folders(scanned: Scanned) -> None:
    fill_with_oddities(scanned.pictures)
    assert scanned.scan(allowed=[str(scanned.pictures.parent / "outside")]) == 0
    assert scanned.noted("fault, width")["escaped.png"] == [None, 64]


def test_second_scan_reads_what_changed_and_drops_what_is_gone(scanned: Scanned) -> None:
    for name in ("a", "b", "c", "d"):
        Image.new("RGB", (8, 8)).save(scanned.pictures / f"{name}.png")
    assert scanned.scan() == 0
    # What is not read again keeps what a scan would not find.
    with sqlite3.connect(scanned.kept / "index.sqlite3") as connection:
        connection.execute("UPDATE pictures SET mode = 'kept'")
    connection.close()
    (scanned.pictures / "a.png").unlink()
    Image.new("L", (16, 16)).save(scanned.pictures / "b.png")
    (scanned.pictures / "c.txt").write_text("said now")
    Image.new("RGBA", (8, 8)).save(scanned.pictures / "e.png")
    assert scanned.scan() == 0
    assert scanned.noted("mode, captions") == {
        "b.png": ["L", "[]"],
        "c.png": ["kept", '["said now"]'],
        "d.png": ["kept", "[]"],
        "e.png": ["RGBA", "[]"],
    }
    assert scanned.scan(dataset={"caption_strategy": "filename"}) == 0
    assert scanned.noted("mode, captions")["c.png"] == ["kept", '["c"]']


def test_another_folder_under_the_same_names_is_read_anew(scanned: Scanned) -> None:
    Image.new("RGB", (8, 8)).save(scanned.pictures / "a.png")
    other = scanned.pictures.parent / "other"
    other.mkdir()
    Image.new("RGB", (9, 7)).save(other / "a.png")
    moment = (10**9, 10**9)
    size = max(path.stat().st_size for path in (scanned.pictures / "a.png", other / "a.png"))
    for path in (scanned.pictures / "a.png", other / "a.png"):
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))
        os.utime(path, ns=moment)
    assert scanned.scan() == 0
    assert scanned.scan(dataset={"instance_data_dir": str(other)}) == 0
    assert scanned.noted("width, height") == {"a.png": [9, 7]}


def endless_animation() -> bytes:
    """A GIF whose frames take seconds to count."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * 4_000_000 + b";"


def test_picture_that_needs_too_much_memory_or_time_ends_no_scan(scanned: Scanned) -> None:
    Image.new("RGB", (12000, 12000)).save(scanned.pictures / "large.png", compress_level=1)
    (scanned.pictures / "long.png").write_bytes(endless_animation())
    Image.new("RGB", (8, 8)).save(scanned.pictures / "small.png")
    assert scanned.scan(limits={"memory_bytes": 600 << 20, "seconds": 2}) == 0
    faults = {"large.png": [Fault.TOO_LARGE], "long.png": [Fault.TIMED_OUT], "small.png": [None]}
    assert scanned.noted("fault") == faults


def test_missing_folder_and_damaged_index_are_told_apart(scanned: Scanned) -> None:
    Image.new("RGB", (8, 8)).save(scanned.pictures / "a.png")
    (scanned.kept / "index.sqlite3").write_bytes(b"no index at all" * 1000)
    assert scanned.scan() == 0
    assert len(scanned.rows()) == 1
    assert scanned.scan(dataset={"instance_data_dir": "/nowhere"}) == 1
    [(state, error)] = scanned.query("SELECT state, error FROM scan")
    assert state == "failed"
    assert "/nowhere of dataset 'ink' does not exist" in error


def test_index_that_is_damaged_inside_is_made_anew(scanned: Scanned) -> None:
    for number in range(300):
        Image.new("RGB", (8, 8), number).save(scanned.pictures / f"{number}.png")
    assert scanned.scan() == 0
    wanted = scanned.rows()
    path = scanned.kept / "index.sqlite3"
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xa5" * (len(content) - 8192))
    assert scanned.scan() == 0
    assert scanned.rows() == wanted


def test_files_that_vanish_during_the_scan_end_nothing(scanned: Scanned) -> None:
    for number in range(400):
        Image.new("RGB", (300, 300), number).save(scanned.pictures / f"{number}.png")
    scanned.order()
    process = scanned.start()
    deadline = time.monotonic() + 30
    while not (scanned.kept / "index.sqlite3-wal").exists() or not scanned.listed():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    for number in range(0, 400, 2):
        (scanned.pictures / f"{number}.png").unlink()
    process.communicate(timeout=60)
    assert process.returncode == 0
    noted = scanned.noted("fault")
    assert len(noted) == 400
    assert {fault for number in range(1, 400, 2) for fault in noted[f"{number}.png"]} == {None}
    assert scanned.scan() == 0
    assert sorted(scanned.noted("fault")) == sorted(f"{number}.png" for number in range(1, 400, 2))


def test_killed_at_any_moment_it_ends_with_the_same_rows(scanned: Scanned, tmp_path: Path) -> None:
    draw = random.Random(5)
    for number in range(700):
        picture = Image.new("RGB", (draw.randrange(1, 90), draw.randrange(1, 90)), number)
        picture.save(scanned.pictures / f"{number}.png")
        if number % 3:
            (scanned.pictures / f"{number}.txt").write_text(f"number {number}")
        if number % 50 == 0:
            (scanned.pictures / f"cut{number}.png").write_bytes((scanned.pictures / f"{number}.png").read_bytes()[:60])
    assert scanned.scan() == 0
    wanted = scanned.rows()
    for path in scanned.kept.iterdir():
        path.unlink()
    scanned.order()
    num_kills = 0
    while num_kills < 6:
        process = scanned.start()
        time.sleep(draw.uniform(0.6, 1.8))
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        num_kills += 1
    assert num_kills > 0
    assert scanned.scan() == 0
    assert scanned.rows() == wanted


def test_two_scans_of_one_folder_do_not_meet(scanned: Scanned) -> None:
    os.mkfifo(scanned.pictures / "a.png")
    for number in range(300):
        Image.new("RGB", (400, 400), number).save(scanned.pictures / f"{number}.png")
    scanned.order()
    first = scanned.start()
    deadline = time.monotonic() + 20
    while not (scanned.kept / "index.sqlite3").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = scanned.start()
    assert second.wait(timeout=60) == 3
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_scan_and_preview_load_no_torch() -> None:
    script = "import sys, trainer.scan.__main__, trainer.scan.crew, trainer.preview; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_videos_are_measured_and_decoded_to_their_ends(scanned: Scanned) -> None:
    folder = scanned.pictures
    film(folder / "turned.mp4", num_frames=9, size=(96, 64), turned=90, has_sound=True)
    (folder / "turned.txt").write_text("a film on its side")
    film(folder / "uneven.mkv", num_frames=4, milliseconds=[0, 10, 500, 2000])
    film(folder / "one.webm", num_frames=1)
    record_sound(folder / "sound.mp4")
    cut = film(folder / "cut.mp4", num_frames=60, container_options={"movflags": "faststart"})
    cut.write_bytes(cut.read_bytes()[:-500])
    damaged = film(folder / "damaged.mp4", num_frames=60, container_options={"movflags": "faststart"})
    content = bytearray(damaged.read_bytes())
    content[-400:-200] = bytes(range(200))
    damaged.write_bytes(content)
    (folder / "playlist.mp4").write_text("#EXTM3U\n/etc/passwd\n")
    Image.new("RGB", (8, 8)).save(folder / "picture.png")
    assert scanned.scan(dataset={"dataset_type": "video"}) == 0
    columns = "width, height, format, mode, orientation, num_frames, round(seconds, 2), fault, captions"
    noted = scanned.noted(columns)
    assert noted["turned.mp4"] == [64, 96, "MP4", "h264", 8, 9, 0.56, None, '["a film on its side"]']
    assert noted["uneven.mkv"][:8] == [64, 64, "MKV", "ffv1", 1, 4, 2.06, None]
    assert noted["one.webm"][:8] == [64, 64, "MKV", "vp9", 1, 1, 0.06, None]
    assert {name: rest[7] for name, rest in noted.items() if rest[7]} == {
        "sound.mp4": Fault.NOT_A_PICTURE,
        "playlist.mp4": Fault.NOT_A_PICTURE,
        "cut.mp4": Fault.TRUNCATED,
        "damaged.mp4": Fault.BROKEN,
    }
    assert "picture.png" not in noted
    [(message,)] = scanned.query("SELECT message FROM pictures WHERE CAST(name AS TEXT) = 'sound.mp4'")
    assert message == "it has sound and no video"
