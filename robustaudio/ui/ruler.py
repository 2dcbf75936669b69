"""The ruler as HTML: one axis in dB, what is proven on the left, what is broken on the right."""

from html import escape

from robustaudio.ui.convert import decibel

LOW_DB, HIGH_DB, TICK_DB = -140, 0, 20


def ruler_html(record: dict) -> str:
    """A picture of one `measure_ruler` record that needs no script and fits any width."""
    ruler = record["ruler"]
    proven, attacked = ruler["verified_db"], ruler["attacked_db"]
    ticks = "".join(
        f"<i style='left:{_at(level):.2f}%'><b>{str(level).replace('-', '−')}</b></i>"
        for level in range(LOW_DB, HIGH_DB + 1, TICK_DB)
    )
    rows = [
        _row("16-bit step", "ra-floor", ruler["floor_16_bit_db"],
             "the resolution of a 16-bit file: smaller changes mostly vanish in it"),
        _row("proven", "ra-proven", proven,
             "interval bounds: no perturbation up to here changes the decision"
             if proven is not None else "interval bounds prove nothing above −160 dB"),
        _row("smoothed", "ra-smoothed", ruler["smoothed_db"], _of_smoothing(record)),
        _row("broken", "ra-attacked", attacked,
             "the smallest PGD perturbation found that changes the decision"
             if attacked is not None else "PGD found nothing up to 0 dB"),
    ]  # fmt: skip
    left = (
        ""
        if proven is None
        else f"<span class='ra-proven' style='width:{_at(proven):.2f}%'></span>"
    )
    right = (
        "" if attacked is None
        else f"<span class='ra-attacked' style='left:{_at(attacked):.2f}%;right:0'></span>"
    )  # fmt: skip
    return (
        f"<figure class='ra-ruler' aria-label='{escape(_spoken(record))}'>"
        f"<figcaption><strong>{escape(record['prediction'])}</strong> by "
        f"{escape(record['classifier'])}: {_summary(proven, attacked)}</figcaption>"
        f"<div class='ra-band'>{left}{right}</div><div class='ra-axis'>{ticks}</div>"
        "<p class='ra-unit'>largest sample of the perturbation, in dB relative to the clip's peak"
        f"</p><dl>{''.join(rows)}</dl></figure>"
    )


def _row(name: str, kind: str, level_db: float | None, words: str) -> str:
    mark = "" if level_db is None else f"<span style='left:{_at(level_db):.2f}%'></span>"
    value = "–" if level_db is None else decibel(level_db)
    return (
        f"<div class='{kind}'><dt>{name}</dt><dd class='ra-level'>{value}</dd>"
        f"<dd class='ra-mark'>{mark}</dd><dd class='ra-note'>{words}</dd></div>"
    )


def _of_smoothing(record: dict) -> str:
    sigma, says = f"σ {record['smoothing']['sigma']:g}", record["smoothed_prediction"]
    if says is None:
        return f"the smoothed classifier ({sigma}) abstains"
    if says != record["prediction"]:
        return f"the smoothed classifier ({sigma}) hears {escape(says)}: not trained for this noise"
    return f"of the smoothed classifier ({sigma}): the L∞ ball inside its L2 ball, R / √T"


def _summary(proven: float | None, attacked: float | None) -> str:
    below = (
        "nothing is proven" if proven is None else f"nothing below {decibel(proven)} can fool it"
    )
    above = (
        "the attack finds nothing up to 0 dB" if attacked is None
        else f"the attack needs {decibel(attacked)}"
    )  # fmt: skip
    return f"{below}; {above}"


def _spoken(record: dict) -> str:
    ruler = record["ruler"]
    return f"Ruler: {_summary(ruler['verified_db'], ruler['attacked_db'])}"


def _at(level_db: float) -> float:
    """Position on the axis in per cent."""
    return 100 * (min(max(level_db, LOW_DB), HIGH_DB) - LOW_DB) / (HIGH_DB - LOW_DB)
