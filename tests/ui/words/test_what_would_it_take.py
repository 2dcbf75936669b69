"""Words on what it takes to turn one label into another."""

from ui.results import target_levels

from robustaudio.ui.words.what_would_it_take import targets_words


def test_the_words_on_targets_name_the_easiest_and_the_hardest():
    row = target_levels("cello", {"electric_guitar": -80.4, "voice": -10.0, "organ": None})
    words = targets_words([row])
    assert "<strong>cello → electric guitar</strong>" in words
    assert "is the easiest: −80.4 dB of the clip's L2 norm" in words
    assert "hardest of those reached: cello → voice, −10.0 dB" in words
    assert "2 of 3 targets reached" in words and "DeepFool in L2 on c" in words
    nothing = targets_words([target_levels("cello", {"voice": None})])
    assert "nothing found" in nothing and "0 of 1 targets reached" in nothing
