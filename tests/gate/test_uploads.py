"""How much visitors may upload, and when it goes."""

import asyncio
import os
import time
from math import inf

import apart
import pytest
from gate.behind import APP, UPLOAD, client, form, held
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.testclient import TestClient

from robustaudio.gate import Gate, Rules, uploads
from robustaudio.gate.refusal import Refusal
from robustaudio.gate.uploads import Uploads


def test_an_address_uploads_so_much_in_an_hour(tmp_path, monkeypatch):
    room = Uploads([tmp_path], inf, address_mb=1)
    gate = Gate(APP, Rules(uploads=room))
    one, two = (
        TestClient(gate, "http://127.0.0.1:7860", client=(address, 1))
        for address in ("203.0.113.7", "203.0.113.8")
    )
    assert [one.post(UPLOAD, **form(300_000)).status_code for _ in range(4)] == [200] * 3 + [507]
    sentence = one.post(UPLOAD, **form(300_000)).text
    assert sentence.startswith("1 MB were uploaded from your address in the last hour")
    assert two.post(UPLOAD, **form(300_000)).status_code == 200
    chunked = {"content": iter([b"\0" * 100_000] * 9), "headers": {"Content-Type": "x"}}
    assert two.post(UPLOAD, **chunked).status_code == 507  # its length was not named
    hour = room._hours["203.0.113.7"]
    room._hours["203.0.113.7"] = type(hour)((at - 3_601, size) for at, size in hour)
    assert one.post(UPLOAD, **form(300_000)).status_code == 200


def test_small_files_count_for_what_they_fill(tmp_path):
    room = Uploads([tmp_path], address_mb=1)
    ask = client(uploads=room)
    few = [("files", (f"{number}.wav", b"x")) for number in range(4)]
    statuses = [ask.post(UPLOAD, files=few).status_code for _ in range(25)]
    assert statuses == [200] * 20 + [507] * 5  # 12 kB each, and what is sent around it
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.wav").write_bytes(b"x")
    assert room.measure() == uploads.FILE + uploads.FOLDER


def test_the_folder_has_so_much_room_whoever_wrote_into_it(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "STALE_S", 0.0)
    visits = tmp_path / "visits"
    (visits / "a").mkdir(parents=True)
    folder = tmp_path / "uploads"
    folder.mkdir()
    (visits / "a" / "kept.wav").write_bytes(b"\0" * 600_000)
    ask = client(uploads=Uploads([folder, visits], most_mb=1))
    assert ask.post(UPLOAD, **form(300_000)).status_code == 200
    (folder / "result.wav").write_bytes(b"\0" * 300_000)
    answer = ask.post(UPLOAD, **form(300_000))
    assert answer.status_code == 507 and answer.headers["retry-after"]
    assert answer.text == "the server has no room for more files now; try again in an hour."
    (folder / "result.wav").unlink()
    assert ask.post(UPLOAD, **form(300_000)).status_code == 200


@pytest.mark.parametrize("named", [True, False])
def test_uploads_at_once_count_together(tmp_path, named):
    """Each alone would have room; lengths count when they are named, else as they come."""
    room = Uploads([tmp_path], most_mb=1)

    async def slow(scope, receive, send) -> None:
        try:
            while (await receive()).get("more_body"):
                await asyncio.sleep(0.02)
        except MultiPartException:
            return await PlainTextResponse("damaged", 400)(scope, receive, send)
        return await JSONResponse({})(scope, receive, send)

    gate = Gate(slow, Rules(uploads=room))

    async def body():
        for _ in range(10):
            yield b"\0" * 30_000
            await asyncio.sleep(0.01)

    def send(asking):
        headers = {"Content-Length": "300000"} if named else {}
        return asking.post(UPLOAD, content=body(), headers=headers)

    addresses = [f"203.0.113.{number}" for number in range(6)]
    statuses = apart.run(held(gate, addresses, send))
    assert 507 in statuses and statuses.count(200) <= 3
    assert 200 in statuses or not named  # all may run into the end together
    assert not room._coming


@pytest.mark.parametrize("limits", [{"most_mb": 1}, {"address_mb": 1}])
def test_the_room_of_an_upload_is_taken_before_its_bytes_have_come(tmp_path, limits):
    room = Uploads([tmp_path], **limits)

    async def two() -> None:
        async with room.room("203.0.113.7", 600_000):
            with pytest.raises(Refusal):
                async with room.room("203.0.113.7", 600_000):
                    pass
            async with room.room("203.0.113.7", 0) as count:  # its length is not named
                await count(300_000)
                with pytest.raises(Refusal):
                    await count(200_000)
        async with room.room("203.0.113.7", 400_000):
            pass

    apart.run(two())


def aged(path, seconds: float, size: int = 10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0" * size)
    ago = time.time() - seconds
    os.utime(path, (ago, ago))
    return path


def test_old_files_and_empty_folders_go_and_what_is_spared_stays(tmp_path):
    visits = aged(tmp_path / "visits" / "1" / "0" / "mine.wav", 0)
    folder = tmp_path / "uploads"
    files = [folder / name for name in ("a/x.wav", "deep_links/b/state.json", "tmpx", "c/r.wav")]
    for path in files:
        aged(path, 0)
    room = Uploads([folder, tmp_path / "visits"], spared=lambda: [str(files[3])])
    assert room.sweep() == 0 and all(path.exists() for path in files)
    time.sleep(0.05)
    assert room.sweep(age_s=0.02) == 3
    for _ in range(2):  # an empty folder, and the one that it stood in
        time.sleep(0.05)
        room.sweep(age_s=0.02)
    assert sorted(path.name for path in folder.rglob("*")) == ["c", "r.wav"]
    assert visits.exists()


def test_a_folder_that_was_just_made_stays(tmp_path):
    (tmp_path / "about-to-be-filled").mkdir()
    assert Uploads([tmp_path]).sweep() == 0 and [*tmp_path.iterdir()]


def test_a_link_is_not_followed(tmp_path):
    outside = aged(tmp_path / "outside" / "x.wav", 0)
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    time.sleep(0.02)
    Uploads([folder]).sweep(age_s=0.01)
    assert outside.exists()


def test_a_folder_that_is_not_there_is_swept_quietly(tmp_path):
    room = Uploads([tmp_path / "none"], most_mb=1)
    assert room.sweep() == 0 and room.measure() == 0
