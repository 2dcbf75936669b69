"""What the first tab can do to a clip: its widgets, and the wish that they say."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from decimal import Decimal
from itertools import chain
from typing import Any, cast

import gradio as gr
from gradio.components import Component

from robustaudio.attacks import ATTACKS
from robustaudio.options import option_of
from robustaudio.threats.norms import LINF, norm_named
from robustaudio.ui.events import QUIET, Update
from robustaudio.ui.widgets.basic import Buttons, norm_choice
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.widgets.old_result import Asked
from robustaudio.ui.wish import METHODS, NOISE, Wish, start_level_db
from robustaudio.ui.words.hear_and_break import about_level

START_METHOD, START_NORM, START_AT, START_SIGMA = "pgd", LINF.name, "waveform", 0.1


def option_widgets(method: str) -> dict[str, Component]:
    """A widget for every field of an attack, by the field's name."""
    return {option.name: _widget(method, option) for option in fields(ATTACKS[method])}


def _widget(method: str, declared: Field) -> Component:
    """Default, help and range stand with the field; a step is 0.01, or as fine as the default."""
    option, default = option_of(declared), cast(Any, declared.default)
    shown = {
        "value": default, "label": declared.name.replace("_", " "), "info": option.help,
        "elem_id": f"{method}-{declared.name}",
    }  # fmt: skip
    if declared.type is bool:
        return gr.Checkbox(**shown)
    if option.choices:
        return gr.Radio([*option.choices], **shown)
    decimals = -cast(int, Decimal(str(default)).as_tuple().exponent)
    step = 1 if declared.type is int else 10.0 ** -max(2, decimals)
    return gr.Slider(option.low, option.high, step=step, **shown)


@dataclass(frozen=True)
class Controls:
    """The widgets of a wish, by field of `Wish`; `options` by attack and field of the attack."""

    wish: Mapping[str, Component]
    options: Mapping[str, Mapping[str, Component]]
    search: gr.Plot
    buttons: Buttons

    @property
    def inputs(self) -> list[Component]:
        options = chain.from_iterable(widgets.values() for widgets in self.options.values())
        return [*self.wish.values(), *options]

    def asked(self, *more: Component) -> Asked:
        """What a result depends on: `more`, and what counts for the chosen method."""
        when: dict[Component, tuple[str, ...]] = {self.wish["sigma"]: (NOISE,)}
        for field in ("norm", "level_db", "target", "survive_rounding"):
            when[self.wish[field]] = tuple(ATTACKS)
        for name, widgets in self.options.items():
            when |= {widget: (name,) for widget in widgets.values()}
        return Asked([*more, *self.inputs], self.wish["method"], when)

    def read(self, values: Mapping[Component, Any]) -> Wish:
        """The wish that the values of `inputs` are.

        Raises:
            ValueError: for a number field that was left empty, or holds what cannot be.
        """
        fields = {name: values[widget] for name, widget in self.wish.items()}
        options = self.options.get(fields["method"], {})
        wish = Wish(**fields, options={name: values[w] for name, w in options.items()})
        size = {"sigma": wish.sigma} if wish.method == NOISE else {"level_db": wish.level_db}
        required(**size, **wish.options, seed=wish.seed)
        return wish


def build_controls(target: gr.Dropdown) -> Controls:
    """The panel; `target` is rendered in it."""
    method = gr.Dropdown(
        [(shown, name) for name, shown in METHODS.items()],
        value=START_METHOD, label="Perturbation", elem_id="method", filterable=False,
    )  # fmt: skip
    with gr.Column(elem_classes="ra-tight") as of_attacks:
        norm = norm_choice("Norm", "norm")
        start_db = start_level_db(START_METHOD, START_NORM)
        level_db = gr.Slider(
            *LINF.levels.attacked, start_db, step=1, label="Level (dB)", elem_id="level",
            info=about_level(START_METHOD, START_NORM, START_AT),
        )  # fmt: skip
        target.render()
    with gr.Column(visible=False, elem_classes="ra-tight") as of_noise:
        sigma = gr.Number(
            START_SIGMA, label="σ", step=0.01, elem_id="sigma",
            info="standard deviation in the representation's own units (the peak is 1)",
        )  # fmt: skip
    buttons = Buttons("Perturb", "perturb", "perturb", keeps=True, apart=True)
    search = gr.Plot(show_label=False, elem_id="search", visible=False)
    representation = gr.Radio(
        [START_AT], value=START_AT, label="Representation", elem_id="representation",
        info="Beyond the waveform you hear the nearest real sound, rebuilt with the clean phase.",
    )  # fmt: skip
    survive = gr.Checkbox(
        False, label="Must survive a 16-bit file", elem_id="survive-rounding",
        info="Every candidate is judged after rounding.",
    )  # fmt: skip
    options, groups = {}, {}
    for name in ATTACKS:
        chosen = name == START_METHOD
        with gr.Accordion(
            f"{METHODS[name]} options", open=False, visible=chosen, elem_id=f"options-{name}"
        ) as groups[name]:
            options[name] = option_widgets(name)
    seed = gr.Number(0, label="Seed", elem_id="seed")
    placed = gr.State(start_db)  # where the level was put last

    def follow(values: Update) -> Update:
        """A new method or norm moves the level only where it begins elsewhere than the last one."""
        chosen, before = values[method], values[placed]
        low, high = norm_named(values[norm]).levels.attacked
        start_db = before if chosen == NOISE else start_level_db(chosen, values[norm])
        moved: dict[str, Any] = {} if start_db == before else {"value": start_db}
        about = about_level(chosen, values[norm], values[representation])
        attacked = gr.update(visible=chosen != NOISE)
        return {
            level_db: gr.update(minimum=low, maximum=high, info=about, **moved),
            placed: start_db, of_attacks: attacked, survive: {**attacked},
            of_noise: gr.update(visible=chosen == NOISE),
            **{group: gr.update(visible=name == chosen and bool(options[name]))
               for name, group in groups.items()},
        }  # fmt: skip

    gr.on(
        [method.change, norm.change, representation.change],
        follow, {method, norm, representation, placed},
        [level_db, placed, of_attacks, survive, of_noise, *groups.values()], **QUIET,
    )  # fmt: skip
    wish = {
        "method": method, "norm": norm, "level_db": level_db, "target": target,
        "representation": representation, "survive_rounding": survive, "sigma": sigma, "seed": seed,
    }  # fmt: skip
    return Controls(wish, options, search, buttons)
