"""Own clips and downloads: how long they are kept, and what is said of those that are gone."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from robustaudio.audio.datasets import BUNDLED
from robustaudio.classifiers.checkpoints import load_classifier, read_card
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.ui import intake
from robustaudio.ui.convert import NoClip, Services, Source, open_source, take_upload
from robustaudio.ui.jobs import in_place
from robustaudio.ui.kept import Kept, Recent, keep_downloads

SEVEN = BUNDLED / "seven-slt.wav"


@pytest.fixture
def services(tmp_path):
    name = "digits-cnn"
    return Services(
        classifiers={name: load_classifier(name)},
        cards={name: read_card(name)},
        clips={"digits": {"seven": SEVEN, "gone": tmp_path / "gone.wav"}},
        upload_folder=tmp_path,
        device=load_classifier(name).device,
        rooms=Host(MemoryStore()),
    )


@pytest.fixture
def listed() -> Source:
    return Source("seven", SEVEN, "digits")


def uploaded(tmp_path: Path, name: str, content: bytes | None = None) -> Path:
    path = tmp_path / name
    path.write_bytes(SEVEN.read_bytes() if content is None else content)
    return path


def test_a_clip_is_kept_when_the_upload_is_gone(services, listed, tmp_path):
    path = uploaded(tmp_path, "mine.wav")
    own = take_upload(services, path, listed)
    path.unlink()
    assert own.uploaded and own.path.name == "mine.wav" and not own.refused
    _, clip = open_source(services, own, "digits-cnn")
    _, bundled = open_source(services, listed, "digits-cnn")
    assert clip.samples.equal(bundled.samples)
    own.path.unlink()
    with pytest.raises(NoClip, match=r"^your clip is no longer on the server; upload it again\.$"):
        open_source(services, own, "digits-cnn")


def test_a_clip_of_the_list_that_is_gone_is_named_without_its_folder(services):
    gone = Source("gone", services.clips["digits"]["gone"], "digits")
    with pytest.raises(NoClip, match="the clip 'gone' is no longer on the server; choose another"):
        open_source(services, gone, "digits-cnn")


@pytest.mark.parametrize(
    "name, content, sentence",
    [("empty.wav", b"", "empty.wav is empty"), ("a.txt", b"Hello", "a.txt is not a sound file"),
     ("gone.wav", None, "there is no file gone.wav")],
)  # fmt: skip
def test_a_refused_file_is_not_kept_and_says_why_to_everything(
    services, listed, tmp_path, name, content, sentence
):
    path = uploaded(tmp_path, name, content)
    if content is None:
        path.unlink()
    refused = take_upload(services, path, listed)
    assert refused.refused.startswith(sentence) and not list(services.kept.home.iterdir())
    for source in (refused, replace(refused, task="instruments")):
        with pytest.raises(NoClip, match=sentence) as error:
            open_source(services, source, "digits-cnn")
        assert str(tmp_path) not in str(error.value)


def test_what_a_file_is_called_is_not_taken_for_html():
    said = in_place(ValueError("<img src=x>.wav is empty\n& more."))
    assert "&lt;img src=x&gt;.wav is empty<br>&amp; more" in said and "<img" not in said


def test_a_visit_keeps_two_clips_and_none_when_it_is_over(tmp_path):
    kept, visit, copies = Kept(), "", []
    for number in range(12):  # more than ten: the order is that of numbers
        copy, visit = kept.keep(uploaded(tmp_path, f"{number}.wav"), visit)
        copies.append(copy)
    assert [copy.is_file() for copy in copies] == [False] * 10 + [True] * 2
    other, another = kept.keep(uploaded(tmp_path, "other.wav"), "")
    kept.forget(visit)
    assert not copies[-1].exists() and other.is_file() and another != visit
    kept.forget("")  # a visit without a clip of its own
    assert other.is_file()


def test_downloads_are_spared_for_hours_and_no_longer(tmp_path):
    with gr.Blocks() as page:
        button, sound = gr.DownloadButton("Report"), gr.Audio()
    keep_downloads(page)
    file = uploaded(tmp_path, "report.json")
    for block in (button, sound):
        block.temp_files.add(str(file))
    assert {*button.keep_in_cache} == {str(file)} and not {*sound.keep_in_cache}
    assert not [*Recent([str(file)], age_s=-1)] and not [*Recent([str(tmp_path / "none")])]


def test_the_size_that_is_too_large_is_named():
    sentence = intake.too_large('["long.wav", 73400320, 1]')
    assert sentence == "long.wav has 70 MB; at most 50 MB, please."
