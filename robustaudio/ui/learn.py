"""The words of the page: what the numbers mean, and the card of a classifier."""

from html import escape

LEARN = """
### What you hear
Clean and perturbed start at the same sample and play together; a switch only moves their gains,
within 10 ms. Both get the same gain, always. Their difference, the perturbation alone, is
too quiet to hear at most levels: the player amplifies it, and says by how many dB.

### What a level is
**L∞, in dB**: the largest sample of the perturbation against the largest sample of the clip,
20 log₁₀(max|δ| / max|x|) (Carlini & Wagner 2018). −40 dB is one hundredth of the peak.
**L2, in dB**: the perturbation's energy against the clip's, which is minus the **SNR**.
One step of a 16-bit file lies at −90.3 dB of full scale: what stays well below it vanishes when
saved in 16 bit, and every result here says whether it survives.

### What a proof is, and what it is not
*Interval verification* sends the whole ball of perturbed sounds through the classifier, layer by
layer, as intervals that are never too small. If even the worst corner keeps the prediction on top,
**no** perturbation of that level can change it, found or not found. If not, nothing follows: the
intervals may just be too wide. It covers changes of the samples up to the level, silence around the
clip included. It does not cover shifts in time, changes of gain, rooms or codecs.

*Randomized smoothing* certifies another classifier: the majority vote over noisy copies. Its radius
holds with confidence 1 − α, in the L2 norm of the representation that received the noise.

### Words
**FGSM** takes one step along the gradient, **PGD** many small ones that never leave the ball.
**ε** is the size of the ball, **logits** are the scores before they become probabilities.
**σ** is the standard deviation of the noise; **n₀** noisy copies choose the class, **n** others
estimate its probability, of which **p ≥** is the lower bound at risk **α**. Equal **seeds** give
equal results.

### What the ruler says
Everything left of *proven* is safe, everything right of *broken* has been broken, and the truth
lies between. Better training moves the proof to the right; better attacks move the break to the
left. The two can meet, but never cross: if they did, it would be a defect of the first order.

The smoothed radius R is an L2 norm. A perturbation whose samples are all at most R / √T has an L2
norm of at most R (T samples), so that is where it stands on the axis.
"""


def card_words(card: dict) -> str:
    """A classifier's card for people."""
    training = card["training"]
    rows = {
        "what": card["about"],
        "labels": ", ".join(card["labels"]),
        "listens to": f"{card['length'] / card['sample_rate']:g} s at {card['sample_rate']} Hz",
        "representations": " → ".join(card["representations"]),
        "gain": card["gain"],
        "test accuracy": f"{card['test_accuracy']:.1%} ({card['test']})",
        "bundled clips": f"{card['bundled_accuracy']:.1%}",
        "data": card["data"],
        "made by": f"{training['command']} (seed {training['seed']}, {training['seconds']} s)",
        "licence": f"{card['licence']}. {card['attribution']}",
    }
    lines = "".join(f"<dt>{k}</dt><dd>{escape(str(v))}</dd>" for k, v in rows.items())
    return f"<dl class='ra-about'>{lines}</dl>"
