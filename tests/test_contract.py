"""What people and scripts rely on stays: the JSON of every verb, its files, its flags.

The golden copies in tests/contract hold what the commands of `contracted.CASES` gave when they were
recorded (`python tests/contracted.py`). The rule by which they are compared:

- Every key that was recorded is there, with a value of the same JSON type (a whole number is not a
  decimal one). New keys are allowed everywhere; new columns of a table, too, in any place.
- Texts, whole numbers, truth values and null are the same; decimal numbers are the same to one part
  in 10 000 or to 0.001. Of long lists the length and both ends are compared.
- Of what differs by run, machine or version (`contracted.VOLATILE`: seconds, versions, threads,
  tokens, paths that are written) and of texts above 200 characters the type is compared.
- Where results are drawn at random, numbers, truth values and predictions are compared by type,
  but for what was asked and what no draw changes (`contracted.FIXED`).
- Of a study that is served over HTTP, whose seeds are secret, types and `contracted.SERVED`.
- Of a wrong call the exit code is compared, that stdout stays empty, and that stderr says
  something; of `--help` that every flag is still named.
"""

import contracted
import pytest


@pytest.mark.parametrize("case", contracted.CASES, ids=lambda case: f"{case.group}-{case.name}")
def test_what_a_command_gives_is_what_it_gave(case):
    problems = [*contracted.broken(contracted.golden_of(case), contracted.run(case))]
    assert not problems, "\n".join(problems)
