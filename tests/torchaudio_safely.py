"""torchaudio, also where its compiled parts cannot be loaded.

Its last wheel is built for CUDA 13.0: beside a CPU build of torch, or another CUDA, `import
torchaudio` fails, although nearly all of it is plain Python on top of torch.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

COMPILED = "torchaudio._extension"  # the one module that loads the compiled parts


def import_torchaudio() -> ModuleType:
    """torchaudio; without compiled parts, what needs them raises when called.

    Raises:
        ImportError: if torchaudio is not installed.
    """
    try:
        return importlib.import_module("torchaudio")
    except (OSError, RuntimeError):  # a missing library; torch built for another CUDA
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules[COMPILED] = _without_compiled_parts()
        return importlib.import_module("torchaudio")


def _without_compiled_parts() -> ModuleType:
    module = ModuleType(COMPILED, "What torchaudio itself says where nothing was compiled.")
    vars(module).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        _load_lib=lambda name: False,
        fail_if_no_align=_refuse,
    )
    return module


def _refuse(function: Callable) -> Callable:
    def refused(*_args, **_kwargs):
        raise RuntimeError(f"{function.__name__} needs the compiled parts of torchaudio.")

    return refused
