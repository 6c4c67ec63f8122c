"""transformers without its bars and advice."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


@contextmanager
def quiet() -> Iterator[None]:
    """No bars and no advice of the library's own between our lines; its settings are as before afterwards.

    Nothing that matters is lost: weights that are missing are asked for and refused, and 4.57 warns of a wrong
    pattern in every tokenizer that lies in a local folder.
    """
    logging: Any = import_module("transformers").utils.logging
    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
