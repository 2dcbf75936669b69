"""The prediction, in words."""

from robustaudio.evaluation.results import Prediction
from robustaudio.ui.sources import UPLOAD, Source
from robustaudio.ui.words.choice import prediction_words


def test_a_prediction_says_where_it_is_wrong(tmp_path):
    result = Prediction("c", "3", {"3": 0.6})
    known = Source("7 · somebody", tmp_path, "digits")
    assert "wrong: this clip is labelled 7" in prediction_words(result, known)
    own = Source(UPLOAD, tmp_path, "digits", uploaded=True)
    assert own.label is None and "wrong" not in prediction_words(result, own)
