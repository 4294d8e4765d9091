"""Run the notebooks and keep their results, without times and versions that would change with every run.

``python docs/notebooks.py [NOTEBOOK …]``
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"


def main(arguments: list[str]) -> None:
    """Run the notebooks named, or all."""
    os.environ.setdefault("BRIGHTSPOTS_LOOPS", "compiled")  # what is shown depends on them in the last digits
    for path in [Path(argument) for argument in arguments] or sorted(FOLDER.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=600, record_timing=False, resources=resources).execute()
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
