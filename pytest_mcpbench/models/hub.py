"""Models of the hub: only the files that loading one needs, and no code and no pickles among them."""

from pathlib import Path

from pytest_mcpbench.errors import ModelError

_WANTED = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.model", "*.txt"]
_UNWANTED = ["*/*", "consolidated*", "*.onnx*"]
_ERROR_CHARACTERS = 200


def download(name: str) -> Path:
    """The folder on this machine that holds the hub's model. Raises ModelError if it cannot be had."""
    # Here, not above: only a model of the hub needs it.
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    try:
        return Path(snapshot_download(name, allow_patterns=_WANTED, ignore_patterns=_UNWANTED))
    except Exception as error:  # the hub's library raises its own, the network's and the disk's
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:_ERROR_CHARACTERS]
        raise ModelError(f"{name}: is no folder here and could not be had from the hub ({reason})") from error
