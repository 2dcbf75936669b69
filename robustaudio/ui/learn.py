"""The words of the page: what the numbers mean, and the card of a classifier."""

from html import escape

from robustaudio.classifiers.card import Card
from robustaudio.evaluation.figures import shown_label

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
*Verification* sends the whole ball of perturbed sounds through the classifier, layer by
layer, as intervals that are never too small. If even the worst corner keeps the prediction on top,
**no** perturbation of that level can change it, found or not found. If not, nothing follows: the
intervals may just be too wide. It covers changes of the samples up to the level, silence around the
clip included. It does not cover shifts in time, changes of gain, rooms or codecs.

*CROWN-IBP* takes the same intervals and carries straight lines back through the layers that bend,
from the difference of two logits to the first numbers of the network. Intervals forget which
perturbation made what; lines remember, so that two logits that rise together are not held against
each other. The better of both counts, for every label.

**All bands are bounded together.** Each band of a spectrum has its own worst perturbation, and no
perturbation has the energy to be worst in all of them. So the bounds ask what one perturbation can
do to all bands at once, and only then what each may do alone. That is most of the way between the
proofs published so far and the ones here.

### The masking set, and the inaudibility certificate
A loud tone hides quieter sounds near it. The **masking threshold** of a clip says, for every bin of
every short frame, how loud something may be there and still drown (Qin et al. 2019). All sounds
that stay under it everywhere are the **masking set**; a level in dB lowers or raises the whole
threshold, and 0 dB is the threshold itself.

A proof at 0 dB is an *inaudibility certificate*: **no** perturbation that the model calls inaudible
can change the decision. At −12 dB it holds for what stays 12 dB below the threshold.

It is as good as the model. The model plays the clip's loudest bin at 96 dB SPL: who turns the
volume up further hears more, and is not covered. It looks at one frame at a time, the classifier's
own; masking before and after a sound is left out, and so are shifts in time. In silence it grants
only what nobody hears even in quiet. The panel *Masking* of the first tab takes frames of 32 ms and
bands of one Bark instead, and may judge the same sound otherwise.

*Prove* plays noise from the set beside white noise of the same energy: energy does not say what
can be heard.

The **noise-to-mask ratio** compares energies in bands of one Bark, the width of a critical band of
hearing: above 0 dB the model predicts that the perturbation is heard there.

*Randomized smoothing* certifies another classifier: the majority vote over noisy copies. Its radius
holds with confidence 1 − α, in the L2 norm of the representation that received the noise.

### What people hear
*Listen* asks them, blinded. **ABX** says whether one perturbation can be heard at all, a
**threshold** from which level on. Sixteen right answers of sixteen mean something, and so do twelve
(p = .038). Eight do not mean *inaudible*: they still fit a listener who is right in 72 % of trials.
To claim “all certified changes are inaudible”, the radius must lie below the threshold of the most
audible one; to claim “whatever fools the model is heard”, above that of the least audible one.

### Words
**FGSM** takes one step along the gradient; **BIM** and **PGD** take many small ones that never
leave the ball, **MI-FGSM** with momentum, **APGD** with step sizes of its own choosing. **JSMA**
changes few features by much. **DeepFool** and **Carlini–Wagner** look for the smallest perturbation
by themselves, **Psychoacoustic** for one that hides under the clip's masking threshold.
The **genetic algorithm** sees no gradient: it asks for answers only, crosses and mutates
perturbations, and keeps the fittest. *Fitness* is the logarithm of the target's probability (or,
without a target, how improbable the clip's own label has become); *diversity* is how different the
population still is: 0 would be copies of one. **Hill climber** and **random search** ask as well,
and are what evolution has to beat. *Stop* ends any attack with the best found so far.
**ε** is the size of the ball, **logits** are the scores before they become probabilities.
**σ** is the standard deviation of the noise; **n₀** noisy copies choose the class, **n** others
estimate its probability, of which **p ≥** is the lower bound at risk **α**. Equal **seeds** give
equal results.

### What the ruler says
Everything left of *proven* is safe, everything right of *broken* has been broken, and the truth
lies between. Better training moves the proof to the right; better attacks move the break to the
left. The two can meet, but never cross: if they did, it would be a serious bug.

The proofs against the L2 ball and the masking set stand below the axis, on axes of their own: their
decibels are relative to something else, and a larger number there is not a stronger proof.

**What would it take?** asks for every other label how loud a perturbation has to be before the
classifier hears it. A quiet cell means two labels that are close to *this classifier*, whatever the
ear says; each number is what one attack found, so the truth may be lower, never higher.

The smoothed radius R is an L2 norm. A perturbation whose samples are all at most R / √T has an L2
norm of at most R (T samples), so that is where it stands on the axis.
"""


def card_words(card: Card) -> str:
    """A classifier's card for people; somebody's own may say less than a shipped one."""
    accuracies, training = card.accuracies, card.training
    rows = {
        "what": card.about,
        "labels": ", ".join(map(shown_label, card.labels)),
        "listens to": f"{card.length / card.sample_rate:g} s at {card.sample_rate} Hz",
        "representations": " → ".join(card.representations),
        "gain": str(card.gain),
    }
    if accuracies.test is not None and card.test:
        rows["test accuracy"] = f"{accuracies.test:.1%} ({card.test})"
    if accuracies.bundled is not None:
        rows["bundled clips"] = f"{accuracies.bundled:.1%}"
    rows["data"] = card.data
    if None not in (training.seed, training.seconds) and training.command:
        rows["made by"] = f"{training.command} (seed {training.seed}, {training.seconds} s)"
    if card.licence and card.attribution:
        rows["licence"] = f"{card.licence}. {card.attribution}"
    lines = (f"<dt>{name}</dt><dd>{escape(row)}</dd>" for name, row in rows.items() if row)
    return f"<dl class='ra-about'>{''.join(lines)}</dl>"
