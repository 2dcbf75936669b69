"""The command of a result parses to the same settings."""

import shlex

import pytest

from robustaudio.cli import parser
from robustaudio.ui.commands import command_line


@pytest.mark.parametrize("norm", ["linf", "l2", "masking"])
@pytest.mark.parametrize("method", ["interval", "crown"])
def test_the_command_of_a_proof_parses_to_the_same_settings(source, norm, method):
    options = {"norm": norm, "level_db": -12, "method": method}
    command = command_line("verify", source, "digits-cnn", options)
    arguments = parser().parse_args(shlex.split(shlex.join(command))[3:])
    assert (arguments.norm, arguments.method, arguments.level_db) == (norm, method, [-12.0])
