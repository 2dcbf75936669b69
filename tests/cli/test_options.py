"""Options that no verb takes are refused in one sentence, before anything is written."""

import pytest

from robustaudio import paths
from robustaudio.audio import datasets
from robustaudio.cli import main

CLIP = str(datasets.BUNDLED / "seven-slt.wav")
ASSETS_STUDY = paths.ASSETS / "studies" / "can-you-hear-it.yaml"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["maximise", CLIP, "--level-db", "1e308"], "level 1e+308 dB must lie within +-300 dB."),
        (["maximise", CLIP, "--level-db", "nan"], "level nan dB must lie within +-300 dB."),
        (["maximise", CLIP, "--level-db", "-inf"], "level -inf dB must lie within +-300 dB."),
        (["attack", CLIP, "--level-db", "-1e308"], "must lie within +-300 dB."),
        (["verify", CLIP, "--level-db", "1e308"], "must lie within +-300 dB."),
        (["maximise", CLIP, "--population", "10000000"], "population 10000000 must be at most"),
        (["attack", CLIP, "--steps", str(10**30)], "must be at most"),
        (["certify", CLIP, "--chunk", "1000000000"], "chunk 1000000000 must be at most 100000."),
        (["certify", CLIP, "--n", "1000000000000"], "n 1000000000000 must be at most 10000000."),
        (["ruler", CLIP, "--n0", "1000000000000"], "must be at most 10000000."),
        (["certify", CLIP, "--radius", "nan"], "radii [nan] must be 0 or more, and finite."),
        (["certify", CLIP, "--radius", "0.5"], "--radius belongs to a data set"),
        (["predict", CLIP, "--split", "x"], "--split belongs to a data set"),
        (["predict", CLIP, "--limit", "0"], "limit 0 must be at least 1."),
        (["predict", CLIP, "--limit", "3"], "--limit belongs to a data set"),
        (["predict", CLIP, "--skip-unreadable"], "--skip-unreadable belongs to a data set"),
        (["attack", CLIP, "--smallest"], "--smallest belongs to a data set"),
        (["attack", CLIP, "--subtype", "PCM_16"], "--subtype belongs to --output"),
        (["train", "digits-cnn", "--seed", "-1"], "seed -1 must lie between 0 and 2^63 - 1."),
        (["table", "digits", "--limit", "0"], "limit 0 must be at least 1."),
        (["listen", "simulate", "STUDY", "--seed", "-1"], "seed -1 must lie between"),
        (["listen", "simulate", "STUDY", "--listeners", "2001", "--store", "x"], "from 1 to 2000."),
        (["listen", "simulate", "STUDY", "--store", ""], "'' names no store"),
        (["listen", "simulate", "STUDY", "--threshold", "1e308"], "threshold 1e+308 dB must lie"),
        (["listen", "simulate", "STUDY", "--spread", "1e308"], "spread 1e+308 dB must be from"),
        (["listen", "simulate", "STUDY", "--between", "1e308"], "between 1e+308 dB must be from"),
        (["listen", "serve", "STUDY", "--demo", "--store", "x"], "give one."),
        (["listen", "serve", "STUDY", "--store", ""], "'' names no store"),
    ],
)
def test_what_cannot_count_is_refused(arguments, sentence, capsys, tmp_path, monkeypatch):
    study = str(ASSETS_STUDY)
    monkeypatch.chdir(tmp_path)
    assert main([study if one == "STUDY" else one for one in arguments]) == 2
    out, err = capsys.readouterr()
    assert sentence in err and err.count("\n") == 1 and not out
    assert not list(tmp_path.iterdir())
