"""The edge of the page: sources that may be read, words that say what happened."""

import shlex
from dataclasses import asdict, fields, replace
from pathlib import Path

import gradio as gr
import pytest

from robustaudio.attacks import ATTACKS, FGSM, PGD, DeepFool
from robustaudio.certification.smoothing import Smoothing
from robustaudio.cli import parser
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.exhibits import exhibits
from robustaudio.evaluation.hearing_thresholds import HearingThreshold, claims
from robustaudio.evaluation.listening_study import ListenerThreshold
from robustaudio.evaluation.noise import AddingNoise, add_noise
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.evaluation.verify import Verifying, noise_under_threshold, verify
from robustaudio.threats.norms import L2, MASKING, NORMS, norm_named
from robustaudio.ui import convert, verdicts
from robustaudio.ui.blocks import Turns
from robustaudio.ui.choice import resumed
from robustaudio.ui.convert import Source
from robustaudio.ui.explore import _shown, build_controls
from robustaudio.ui.launch import load_services
from robustaudio.ui.methods import (
    METHODS,
    NOISE,
    Wish,
    about_level,
    option_widgets,
    start_level_db,
)
from robustaudio.ui.ruler import THRESHOLD, ruler_html


@pytest.fixture(scope="module")
def services():
    return load_services()


@pytest.fixture(scope="module")
def source(services):
    name = "7 · flite slt"
    return Source(name, services.clips["digits"][name], "digits")


def target() -> gr.Dropdown:
    return gr.Dropdown([convert.ANY_OTHER, "0", "1"], value=convert.ANY_OTHER, render=False)


def defaults(method: str) -> dict:
    return {} if method == NOISE else asdict(ATTACKS[method]())


def wish(**changes) -> Wish:
    values = {
        "method": "pgd",
        "norm": "linf",
        "level_db": -45,
        "target": convert.ANY_OTHER,
        "representation": "waveform",
        "survive_rounding": False,
        "sigma": 0.1,
        "seed": 0,
    }
    values |= {"options": defaults(changes.get("method", "pgd"))} | changes
    return Wish(**values)


def test_an_upload_outside_the_upload_folder_is_not_read(services, source):
    stolen = Source("mine", Path("/etc/passwd"), "digits", uploaded=True)
    with pytest.raises(ValueError, match="outside the folders that the app may read"):
        convert.open_source(services, stolen, "digits-cnn")
    bundled = Source("mine", source.path, "digits", uploaded=True)
    with pytest.raises(ValueError, match="outside the folders that the app may read"):
        convert.open_source(services, bundled, "digits-cnn")


def test_a_classifier_is_chosen_from_those_that_were_loaded(services, source):
    with pytest.raises(ValueError, match=r"no classifier '\.\./x'; choose from digits-balanced"):
        convert.open_source(services, source, "../x")


@pytest.mark.parametrize("norm", ["linf", "l2", "masking"])
@pytest.mark.parametrize("method", ["interval", "crown"])
def test_the_command_of_a_proof_parses_to_the_same_settings(source, norm, method):
    options = {"norm": norm, "level_db": -12, "method": method}
    command = convert.command_line("verify", source, "digits-cnn", options)
    arguments = parser().parse_args(shlex.split(shlex.join(command))[3:])
    assert (arguments.norm, arguments.method, arguments.level_db) == (norm, method, [-12.0])


@pytest.mark.parametrize(
    "wanted",
    [wish(method=method) for method in METHODS]
    + [
        wish(method="bim", target="3", options={"steps": 7, "step_size": 0.3, "variant": "b"}),
        wish(options=defaults("pgd") | {"random_start": False}),
        wish(method="jsma", representation="mel"),
        wish(survive_rounding=True, norm="masking", level_db=0),
    ],
    ids=lambda wanted: wanted.method,
)
def test_the_command_of_a_wish_parses_to_the_same_settings(source, wanted):
    command = wanted.command(source, "digits-cnn")
    arguments = parser().parse_args(shlex.split(shlex.join(command))[3:])
    assert arguments.classifier == "digits-cnn" and arguments.seed == 0
    assert Path(arguments.clip).name == "seven-slt.wav"
    assert arguments.representation == wanted.representation
    if wanted.method == NOISE:
        assert arguments.sigma == [0.1]
        return
    assert arguments.attack == wanted.method and arguments.level_db == [wanted.level_db]
    assert (arguments.norm, arguments.survive_rounding) == (wanted.norm, wanted.survive_rounding)
    assert {name: getattr(arguments, name) for name in wanted.options} == wanted.options


def test_every_attack_has_a_name_and_widgets_that_hold_its_defaults(services):
    assert set(METHODS) == {*ATTACKS, NOISE} and len(set(METHODS.values())) == len(METHODS)
    for name, kind in ATTACKS.items():
        widgets = option_widgets(name)
        assert {field: widget.value for field, widget in widgets.items()} == asdict(kind())
        for slider in (w for w in widgets.values() if isinstance(w, gr.Slider)):
            assert slider.minimum <= slider.value <= slider.maximum
            steps = slider.value / slider.step
            assert steps == pytest.approx(round(steps)), (name, slider.label)


def test_a_wish_is_read_from_the_chosen_attacks_own_widgets(services):
    with gr.Blocks():
        controls = build_controls(target())
    values = [widget.value for widget in controls.inputs]
    read = controls.read(values)
    assert read == wish(options=defaults("pgd"))
    assert controls.read(["apgd", *values[1:]]).options == defaults("apgd")
    assert controls.read([NOISE, *values[1:]]).options == {}
    values[controls.inputs.index(controls.options["pgd"]["steps"])] = None
    with pytest.raises(ValueError, match="steps is empty; a number would be right"):
        controls.read(values)
    controls.read(["apgd", *values[1:]])  # of an attack that was not chosen


def test_what_minimises_by_itself_begins_at_the_largest_level_and_says_so():
    assert start_level_db("pgd", "linf") == -45 and start_level_db("psychoacoustic", "linf") == 0
    assert start_level_db("bim", "masking") == 0 < start_level_db("cw-audio", "masking")
    for method in METHODS:
        told = "largest allowed" in about_level(method, "l2", "waveform")
        assert told == (method in ("deepfool", "cw", "cw-audio", "psychoacoustic"))
    assert "own frames and bins, which is 0 dB" in about_level("pgd", "masking", "waveform")
    assert about_level("pgd", "linf", "mel") == "Relative to the mel's largest value."
    assert about_level("pgd", "l2", "magnitude") == "Relative to the magnitude's L2 norm."
    for method in METHODS:
        for norm in NORMS.values():
            low, high = norm.levels.attacked
            assert low <= start_level_db(method, norm.name) <= high


@pytest.mark.parametrize(
    "impossible, sentence",
    [
        (wish(method="jsma", options={"share": 2.0, "at_once": 16}), "share 2.0 must be at most 1"),
        (wish(method="jsma", options={"share": 0.1, "at_once": 0}), "at_once 0 must be at least 1"),
        (wish(options=defaults("pgd") | {"steps": 2.5}), "steps 2.5 must be a whole number"),
        (wish(norm="masking", representation="mel"), "masking set is one of waveforms"),
        (wish(method="psychoacoustic", representation="mel"), "of a waveform, not of 'mel'"),
        (wish(survive_rounding=True, representation="magnitude"), "of a waveform, not of"),
        (wish(level_db=1e9), "must lie within"),
        (wish(target="7"), "the target '7' is already the prediction"),
    ],
)
def test_what_cannot_be_is_refused_with_one_sentence(services, source, impossible, sentence):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    with pytest.raises(ValueError, match=sentence) as refused:
        impossible.run(classifier, clip, lambda share, step=None: None)
    assert "\n" not in str(refused.value)


def test_words_say_what_changed_and_what_rounding_leaves(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = measure_clip(attack, classifier, clip.samples, Attacking(Plan(PGD()), -45))
    words = verdicts.perturbation_words(to_json(result))
    assert "<strong>7</strong> → <strong>3</strong>" in words and "−45.0 dB" in words
    assert "survives rounding to 16 bit" in words
    lost = {**to_json(result), "success_after_rounding": False}
    assert "does NOT survive rounding" in verdicts.perturbation_words(lost)
    assert "PGD in L∞ on digits-cnn" in words
    assert "allowed −45.0 dB of the clip's peak" in words
    total, most = (to_json(result)[k] for k in ("noise_to_mask_db", "max_noise_to_mask_db"))
    heard = f"noise-to-mask {verdicts.decibel(total)}, at most {verdicts.decibel(most)}"
    assert heard in words and "disturbed frames" in words


def test_words_name_the_norm_that_was_asked_for(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = measure_clip(attack, classifier, clip.samples, Attacking(Plan(PGD(), L2), -30))
    assert "L2 level −30.0 dB of the clip's energy" in verdicts.perturbation_words(to_json(result))


def test_words_on_an_attack_at_a_representation_speak_of_its_sound(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    plan = Plan(FGSM(), representation="mel")
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, -40))
    words = verdicts.perturbation_words(to_json(result))
    done = "succeeded" if to_json(result)["success"] else "did not succeed"
    assert f"at the mel itself the attack {done}" in words and "closest inversion" in words
    assert "FGSM in L∞ on digits-cnn at the mel" in words
    assert "allowed −40.0 dB of the mel's largest value" in words


def test_words_on_another_label_than_the_target_do_not_promise_it(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = measure_clip(attack, classifier, clip.samples, Attacking(Plan(DeepFool()), 0))
    record = {**to_json(result), "targeted": True, "target": "0"}
    words = verdicts.perturbation_words(record)
    assert "target 0 not reached" in words and "rounding" not in words
    reached = verdicts.perturbation_words({**record, "target": record["prediction"]})
    assert "reached" in reached and "rounding to 16 bit" in reached


def test_exhibits_stand_side_by_side_at_one_level(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    plan = Plan(FGSM())
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, -40))
    shown = exhibits(classifier, result.clean, result.perturbed, seed=0)
    value = convert.exhibit_tracks(result.clean, shown, clip.sample_rate)
    assert [track["key"] for track in value["tracks"]] == ["A", "B", "C", "D"]
    assert {track["gain_db"] for track in value["tracks"]} == {0}
    rows = verdicts.exhibits_words(shown, to_json(result)).split("<tr>")[2:]
    names = ("FGSM", "uniform noise, same L2", "clip 5 samples late")
    for row, name, exhibit in zip(rows, names, shown, strict=True):
        assert name in row and f"<td>{exhibit.l2:.4g}</td>" in row
        changed = exhibit.prediction != to_json(result)["clean_prediction"]
        assert ("ra-changed" in row) == changed


def test_nothing_found_is_said_and_not_judged(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    plan = Plan(DeepFool())
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, -100))
    assert to_json(result)["linf"] == 0
    words = verdicts.perturbation_words(to_json(result))
    assert "nothing found up to −100.0 dB of the clip's peak" in words
    assert "no perturbation at all" not in words and "allowed" not in words
    shown = _shown(classifier, clip, result, to_json(result), 0)
    assert shown[-7:-5] == [None, None] and "nothing to judge" in shown[-5]
    assert shown[-4] == gr.update(visible=False) and shown[-2:] == [None, None]


def test_a_masking_attack_has_its_level_relative_to_the_threshold(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    plan = Plan(FGSM(), MASKING)
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, 10))
    reached = verdicts.decibel(to_json(result)["reached_db"])
    words = verdicts.perturbation_words(to_json(result))
    assert f"level {reached} relative to the masking threshold, on the classifier's" in words
    assert f"largest sample {verdicts.decibel(to_json(result)['level_db'])} of the" in words


def test_no_noise_is_no_perturbation(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = measure_clip(add_noise, classifier, clip.samples, AddingNoise(0.0, "mel"))
    words = verdicts.perturbation_words(to_json(result))
    assert "no perturbation at all" in words and "inversion" not in words


def test_the_tracks_share_one_gain_and_the_difference_says_its_own(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = measure_clip(add_noise, classifier, clip.samples, AddingNoise(0.01))
    value = convert.player_tracks(result, clip.sample_rate)
    gains = {track["key"]: track["gain_db"] for track in value["tracks"]}
    assert gains["A"] == gains["B"] == 0 and gains["D"] > 0
    assert value["common_gain_db"] <= 0


@pytest.mark.parametrize(
    "name, smoothed", [("digits-cnn", "not trained"), ("digits-cnn-noise", "R / √T")]
)
def test_the_ruler_tells_whose_mark_is_whose(services, source, name, smoothed):
    classifier, clip = convert.open_source(services, source, name)
    record = to_json(
        measure_clip(measure_ruler, classifier, clip.samples, Measuring(Smoothing(n=200)))
    )
    picture = ruler_html(record)
    assert smoothed in picture and "the attack needs" in picture
    assert "-" not in "".join(part.split("</b>")[0] for part in picture.split("<b>")[1:])
    ruler = record["ruler"]
    for strip, level in (("ra-of-l2", "verified_l2_db"), ("ra-of-masking", "verified_masking_db")):
        own = picture.split(strip)[1].split("</section>")[0]
        assert f"<span class='ra-level'>{verdicts.decibel(ruler[level])}" in own
    assert f"SNR of {verdicts.decibel(-ruler['verified_l2_db'])} or more" in picture
    assert f"left:{THRESHOLD.at(0):.2f}%" in picture.split("ra-zero")[1]


def heard_record(heard: list[HearingThreshold]) -> dict:
    none = dict.fromkeys(("smoothed_db", "verified_masking_db"))
    levels = {"verified_db": -46.6, "attacked_db": -31.1, "floor_16_bit_db": -90.3, **none}
    levels["verified_l2_db"] = -49.1
    return {
        "classifier": "digits-cnn-ibp", "prediction": "7", "method": "crown", "norms": ["linf"],
        "ruler": levels, "smoothing": {"sigma": 0.25}, "smoothed_prediction": None,
        "unproven": None, "attacked_l2_db": -27.7, 
        "heard": [asdict(one) for one in heard],
        "claims": [asdict(claim) for claim in claims(-49.1, heard)],
    }  # fmt: skip


def test_what_people_heard_stands_on_the_l2_strip_with_both_claims():
    heard = [
        HearingThreshold(
            "white", (ListenerThreshold(-66.0, -63.0, -57.0),) * 9, "=", -60.0, -63.0, -57.0, -70.0
        ),
        HearingThreshold(
            "shaped", (ListenerThreshold(-25.0, -22.0, None),) * 9, ">=", -20.0, -22.0, None, -29.0
        ),
        HearingThreshold("<b>", (ListenerThreshold(None, None, None),) * 9, None, None, None, None),
    ]
    picture = ruler_html(heard_record(heard))
    strip = picture.split("ra-of-l2")[1].split("</section>")[0]
    assert picture.count("ra-heard'") == strip.count("ra-heard'") == 3
    assert (
        "9 listeners heard white noise at −60.0 dB, shaped noise at ≥ −20.0 dB, &lt;b&gt; without "
        "a common threshold; nothing below −49.1 dB can fool this model; the attack needs −27.7 dB "
        "(all in L2)"
    ) in strip
    assert "<strong>refuted</strong>, heard inside the certificate: white noise" in strip
    assert "<strong>not shown</strong>, not yet heard where the certificate ends: shaped" in strip
    assert "95 % interval −63.0 dB to −57.0 dB; by the masking model inaudible below" in strip
    assert "95 % interval from −22.0 dB on" in strip and "<b>" not in strip.split("<dl>")[1]
    alone = (ListenerThreshold(None, None, -58.0),)
    one = HearingThreshold("white", alone, "<=", -60.0, None, -58.0, simulated=True)
    assert "One simulated listener heard white noise at ≤ −60.0 dB" in ruler_html(
        heard_record([one])
    )


def test_an_attack_on_another_classifier_is_called_so():
    own = HearingThreshold("pgd", (ListenerThreshold(None, None, None),), "=", -40.0, None, None)
    for against, said in ((None, False), ("digits-cnn-ibp", False), ("digits-<b>", True)):
        picture = ruler_html(heard_record([replace(own, made_against=against)]))
        words = "The attack pgd was made against digits-&lt;b&gt;, not against this classifier."
        assert (words in picture) == said == ("made against" in picture)


def test_beside_another_ruler_what_people_heard_is_not_drawn_again():
    heard = [
        HearingThreshold(
            "pgd", (ListenerThreshold(None, None, -58.0),), "=", -60.0, None, None, None, False, "x"
        )
    ]
    picture = ruler_html(heard_record(heard), beside=True)
    assert "ra-heard'" not in picture and "Heard: at d′ = 1" not in picture
    assert (
        "In L2: nothing below −49.1 dB can fool this model; the attack needs −27.7 dB." in picture
    )
    assert "made against x" in picture and picture.count("<li>") == 2


def test_a_ruler_without_a_masking_set_says_so():
    record = {
        "classifier": "dense", "prediction": "5", "method": "crown", "norms": ["linf", "l2"],
        "ruler": {"verified_db": None, "attacked_db": None, "smoothed_db": None,
                  "floor_16_bit_db": -90.3, "verified_l2_db": None, "verified_masking_db": None},
        "smoothing": {"sigma": 0.25}, "smoothed_prediction": None, "unproven": None,
    }  # fmt: skip
    assert "not defined: this classifier does not start" in ruler_html(record)
    record["norms"].append("masking")
    assert "nothing is proven above −100 dB, relative to the threshold" in ruler_html(record)
    record["ruler"]["verified_masking_db"] = 2.0
    assert "nothing under the threshold changes the decision" in ruler_html(record)


@pytest.mark.parametrize(
    "norm, level_db, proven",
    [
        ("linf", -60, "no perturbation with every sample within −60.0 dB of the clip's peak"),
        ("l2", -60, "L2 norm of at most −60.0 dB of the clip's (SNR 60.0 dB or more)"),
        ("masking", -30, "nothing that stays 30.0 dB below the clip's masking threshold in every"),
    ],
)
@pytest.mark.parametrize("method", ["interval", "crown"])
def test_a_verdict_says_exactly_what_is_proven(services, source, norm, level_db, proven, method):
    classifier, clip = convert.open_source(services, source, "digits-cnn-ibp")
    record = to_json(
        measure_clip(
            verify, classifier, clip.samples, Verifying(norm_named(norm), level_db, method)
        )
    )
    words = verdicts.verification_words(record)
    assert record["verified"] and ">PROVEN<" in words and proven in words
    assert "over the whole 1 s" in words and verdicts.METHODS[method] in words
    assert f"relative to {norm_named(norm).words.relative_to}" in words
    for assumption in ("96 dB SPL", "no temporal masking", "turns the volume up", "32 ms"):
        assert (assumption in words) == (norm == "masking")


@pytest.mark.parametrize(
    "level_db, subject", [(0, "stays at or below the clip's"), (6, "threshold by at most 6.0 dB")]
)
def test_a_level_at_or_above_the_threshold_is_not_called_below(services, source, level_db, subject):
    classifier, clip = convert.open_source(services, source, "digits-lstm-ibp")
    record = to_json(measure_clip(verify, classifier, clip.samples, Verifying(MASKING, level_db)))
    words = verdicts.verification_words(record)
    assert "NOT PROVEN" in words and "something that" in words and subject in words
    assert "not proven is not broken" in words
    assert "follow a pre-emphasis of" in words and "weighted bin by bin" in words


def test_the_caption_explains_a_proof_whose_intervals_overlap():
    record = {
        "prediction": "1", "verified": True,
        "logits_lower": {"0": -3.0, "1": 1.0, "2": -1.0},
        "logits_upper": {"0": 0.5, "1": 4.0, "2": 2.0},
    }  # fmt: skip
    assert "Red: 2, which" in verdicts.interval_words(record)
    assert "It is proven all the same" in verdicts.interval_words(record)
    open_still = verdicts.interval_words({**record, "verified": False})
    assert "A proof may hold where intervals overlap" in open_still
    clear = verdicts.interval_words({**record, "logits_upper": {"0": 0.5, "1": 4, "2": 0.9}})
    assert "No other label reaches it" in clear and "Red" not in clear


def test_two_noises_of_one_energy_share_one_amplification(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn-ibp")
    noise = noise_under_threshold(classifier, clip.samples, level_db=-12, seed=0)
    value = convert.noise_tracks(clip.samples, noise, clip.sample_rate)
    gains = {track["key"]: track["gain_db"] for track in value["tracks"]}
    assert gains["A"] == gains["B"] == gains["C"] == 0 < gains["D"] == gains["E"]
    words = verdicts.noise_words(to_json(noise))
    assert "shaped: 12.0 dB below the threshold" in words and "the same energy" in words
    assert "above the threshold in its worst bin" in words.split("white:")[1]
    above = noise_under_threshold(classifier, clip.samples, level_db=20, seed=0)
    convert.noise_tracks(clip.samples, above, clip.sample_rate)  # louder than the clip's room
    assert "is not heard" not in verdicts.noise_words(to_json(above))


def test_an_empty_field_is_named_as_the_page_names_it():
    with pytest.raises(ValueError, match="level in dB is empty; a number would be right"):
        convert.required(seed=0, level_db=None)


@pytest.mark.parametrize(
    "numbers, sentence",
    [
        ({"seed": -1e9}, "seed -1e+09 must be a whole number from 0 to 1e+15."),
        ({"seed": 0.5}, "seed 0.5 must be a whole number from 0 to 1e+15."),
        ({"sigma": 1e9}, "sigma 1e+09 must be a number from 0 to 1000."),
        ({"n0": 0}, "n0 0 must be a whole number from 1 to 100000."),
        ({"n0": 100, "n": 1_000_000_000}, "n 1e+09 must be a whole number from 1 to 100000."),
    ],
)
def test_what_a_field_cannot_hold_is_named_with_what_would_be_right(numbers, sentence):
    with pytest.raises(ValueError) as refused:
        convert.required(**numbers)
    assert str(refused.value) == sentence


def test_a_number_that_is_not_shown_is_not_judged(services):
    with gr.Blocks():
        controls = build_controls(target())
    values = [widget.value for widget in controls.inputs]
    values[[field.name for field in fields(Wish)].index("sigma")] = -1e9
    assert controls.read(values).sigma == -1e9
    with pytest.raises(ValueError, match="sigma -1e"):
        controls.read([NOISE, *values[1:]])


def test_a_run_of_an_older_turn_is_over():
    turns = Turns()
    assert not turns.over(0) and not turns.over(2)
    assert turns.over(1) and turns.over(0)  # also one that waited in the queue meanwhile
    assert not turns.over(2)


def test_a_search_can_be_halted_while_it_runs_and_only_then():
    turns = Turns()
    assert turns.halt is None
    with turns.search() as old:
        with turns.search() as new:  # of another clip, before the old one has noticed
            assert turns.halt is new is not old
        assert turns.halt is None
    with turns.search() as new:
        with turns.search():
            pass
        assert turns.halt is None and not new.asked


def test_a_smoothed_class_that_differs_is_said_so():
    record = {
        "prediction": "5", "clean_prediction": "0", "radius": 0.6, "representation": "waveform",
        "sigma": 0.25, "n": 1000, "alpha": 0.001, "p_lower": 0.99, "confidence": 0.999,
        "seconds": 0.1,
        "level_l2_db": -27.0, "level_linf_db": -43.0,
    }  # fmt: skip
    assert "the classifier itself hears 0" in verdicts.smoothing_words(record)


def test_silence_has_no_level():
    assert verdicts.decibel(None) == "−∞ dB"
    assert verdicts.decibel(-12.34) == "−12.3 dB"
    assert verdicts.decibel(-0.01) == "0.0 dB"


def test_a_page_whose_clip_the_server_lost_gets_no_other_one(services):
    first, name = services.start("digits")[1], "9 · flite slt"
    listed = Source(name, services.clips["digits"][name], "digits")
    own = Source(convert.UPLOAD, Path("my four.wav"), "digits", uploaded=True, visit="v")
    for held in (own, listed):  # nothing was lost
        assert resumed(services, held, first, held.shown) is held
        assert resumed(services, held, first, first.shown) is held  # the page is a moment behind
    assert resumed(services, first, first, listed.shown) == listed
    lost = resumed(services, first, first, own.shown)
    with pytest.raises(convert.NoClip, match="no longer on the server; upload it again"):
        convert.open_source(services, lost, "digits-cnn")
    for nonsense in (None, "x", [1], {}, {"task": [], "name": {}}, {"task": "digits", "name": "x"}):
        assert resumed(services, first, first, nonsense) is first
