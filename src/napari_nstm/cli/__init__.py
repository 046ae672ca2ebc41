"""The command `napari-nstm`: demo, simulate, reconstruct, resume, tiles, batch, series, and those that read a result.

Exit status 0; 2 with one line on standard error that says what is wrong; 130 after Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import cast

import typer

from napari_nstm.cli.app import app
from napari_nstm.core.errors import NstmError

__all__ = ["main"]

# Errors of the command line itself; typer names only the leaf of the classes publicly.
_UsageError = cast(type[Exception], typer.BadParameter.__mro__[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    try:
        status = app(
            args=None if arguments is None else list(arguments), prog_name="napari-nstm", standalone_mode=False
        )
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except NstmError as error:
        return _fail(str(error))
    except _UsageError as error:
        return _fail(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        return _fail("Interrupted.", 130)
    except BrokenPipeError:
        # Whoever read the output (head, less) has enough; Python must not complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")


def _fail(message: str, status: int = 2) -> int:
    print("napari-nstm: " + " ".join(message.split()), file=sys.stderr)
    return status


def _usage(error: Exception) -> str:
    text: str = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "napari-nstm"
    return f"{text.rstrip('.')}. See '{path} --help'."
