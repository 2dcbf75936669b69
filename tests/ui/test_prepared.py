"""Prepared clips: decoded once for each classifier, two at a time, and gone with their visit."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.classifiers.checkpoints import load_classifier, read_card
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.ui.convert import NoClip, Services, Source, open_source, take_upload
from robustaudio.ui.prepared import AT_A_TIME, Prepared

SEVEN = BUNDLED / "seven-slt.wav"
LISTED = Source("seven", SEVEN, "digits")
NAMES = ("digits-cnn", "digits-cnn-ibp")


@pytest.fixture(scope="module")
def loaded():
    return {name: load_classifier(name) for name in NAMES}


@pytest.fixture
def services(tmp_path, loaded):
    return Services(
        classifiers=loaded,
        cards={name: read_card(name) for name in NAMES},
        clips={"digits": {"seven": SEVEN}},
        upload_folder=tmp_path,
        device=torch.device("cpu"),
        rooms=Host(MemoryStore()),
    )


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The names of all files that were decoded, in order."""
    names, load = [], Clip.load

    def noted(path, **options):
        names.append(Path(path).name)
        return load(path, **options)

    monkeypatch.setattr(Clip, "load", noted)
    return names


def upload(folder: Path, name: str = "mine.wav") -> Path:
    (folder / name).write_bytes(SEVEN.read_bytes())
    return folder / name


def test_an_upload_is_decoded_once_for_each_classifier(services, decoded, tmp_path):
    path = upload(tmp_path)
    own = take_upload(services, path, LISTED, "digits-cnn")
    path.unlink()  # as Gradio's cache does after an hour
    clips = [open_source(services, own, "digits-cnn")[1] for _ in range(5)]
    assert decoded == ["mine.wav"]
    for _ in range(5):
        open_source(services, own, "digits-cnn-ibp")
    assert decoded == ["mine.wav"] * 2
    right = services.classifiers["digits-cnn"].prepare(Clip.load(SEVEN))
    assert torch.equal(clips[-1].samples, right.samples) and clips[-1].gain == right.gain


@pytest.mark.parametrize("classifier", [None, "no such", "digits-cnn-ibp"])
def test_any_classifier_will_do_to_take_an_upload(classifier, services, tmp_path):
    own = take_upload(services, upload(tmp_path), LISTED, classifier)
    assert not own.refused and len(services.prepared) == 1


def test_who_changes_a_clip_changes_it_for_nobody_else(services):
    _, mine = open_source(services, LISTED, "digits-cnn")
    before = mine.samples.clone()
    mine.samples.zero_()
    assert torch.equal(open_source(services, LISTED, "digits-cnn")[1].samples, before)


def test_a_visit_that_is_forgotten_leaves_no_clip(services, tmp_path):
    first = take_upload(services, upload(tmp_path, "1.wav"), LISTED)
    other = take_upload(services, upload(tmp_path, "2.wav"), LISTED)
    open_source(services, LISTED, "digits-cnn")
    assert len(services.prepared) == 3
    services.forget(first.visit)
    services.forget("")
    assert len(services.prepared) == 2 and other.path.is_file()
    with pytest.raises(NoClip, match=r"^your clip is no longer on the server; upload it again\.$"):
        open_source(services, first, "digits-cnn")


def test_a_file_that_was_deleted_is_told_without_its_folder_though_its_clip_is_kept(
    services, tmp_path
):
    own = take_upload(services, upload(tmp_path), LISTED)
    open_source(services, own, "digits-cnn")
    own.path.unlink()
    with pytest.raises(NoClip, match=r"^your clip is no longer on the server; upload it again\.$"):
        open_source(services, own, "digits-cnn")


def test_a_file_that_was_written_again_is_decoded_again(services, decoded, tmp_path):
    path = upload(tmp_path)
    source = Source("mine", path, "digits")
    open_source(services, source, "digits-cnn")
    Clip.load(BUNDLED / "three-en-us-f3.wav").save(path)
    os.utime(path, ns=(1, 1))
    open_source(services, source, "digits-cnn")
    assert decoded.count("mine.wav") == 2


def test_a_kept_clip_is_not_given_to_who_may_not_read_it(services):
    open_source(services, LISTED, "digits-cnn")
    stolen = Source("seven", SEVEN, "digits", uploaded=True)
    with pytest.raises(NoClip, match="outside the folders"):
        open_source(services, stolen, "digits-cnn")


def test_the_clips_used_longest_ago_make_room(loaded, tmp_path):
    name, classifier = NAMES[0], loaded[NAMES[0]]
    paths = [upload(tmp_path, f"{number}.wav") for number in range(4)]
    few = Prepared(most=2)
    for path in [*paths[:2], paths[0], paths[2]]:
        few.clip(path, name, classifier, None)
    assert len(few) == 2 and few._kept(paths[0], name, None) and not few._kept(paths[1], name, None)
    short = Prepared(most_samples=3 * classifier.length)
    for path in paths:
        short.clip(path, name, classifier, None)
    assert len(short) == 3


def test_no_more_than_two_clips_are_decoded_at_a_time_and_the_same_one_twice_at_most(
    loaded, tmp_path, monkeypatch
):
    running, most, count, lock = 0, 0, 0, threading.Lock()
    classifier = loaded[NAMES[0]]

    def slowly(path, within=None):
        nonlocal running, most, count
        with lock:
            running, count = running + 1, count + 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return classifier.prepare(Clip.load(path, within=within))

    monkeypatch.setattr(classifier, "load_clip", slowly)
    prepared, same = Prepared(), upload(tmp_path, "same.wav")
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda _: prepared.clip(same, "any", classifier, None), range(40)))
    assert most <= AT_A_TIME and count <= AT_A_TIME
    with ThreadPoolExecutor(8) as pool:
        paths = [upload(tmp_path, f"{number}.wav") for number in range(8)]
        list(pool.map(lambda path: prepared.clip(path, "any", classifier, None), paths))
    assert most == AT_A_TIME and len(prepared) == 9
