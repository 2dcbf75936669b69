"""A clip that was opened: the command of a result parses to the same settings, and its files."""

import shlex

import pytest

from robustaudio.cli import parser
from robustaudio.ui.opened import Opened, command_line


@pytest.mark.parametrize("norm", ["linf", "l2", "masking"])
@pytest.mark.parametrize("method", ["interval", "crown"])
def test_the_command_of_a_proof_parses_to_the_same_settings(source, norm, method):
    options = {"norm": norm, "level_db": -12, "method": method}
    command = command_line("verify", source, "digits-cnn", options)
    arguments = parser().parse_args(shlex.split(shlex.join(command))[3:])
    assert (arguments.norm, arguments.method, arguments.level_db) == (norm, method, [-12.0])


def test_a_report_has_the_command_and_what_is_recorded(services, source):
    opened = Opened(source, *services.open(source, "digits-cnn"))
    report = opened.report("certify", {"n": 200, "seed": None}, {"radius": 0.1})
    assert report["command"].endswith("seven-slt.wav --classifier digits-cnn --n=200")
    assert report["result"] == {"radius": 0.1}
    assert opened.file_name("certify") == "seven-slt-digits-cnn-certify"
