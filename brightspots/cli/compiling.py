"""The command `compile`."""

from __future__ import annotations

import time

import typer

from brightspots.cli import terminal
from brightspots.cli.options import OutputOptions, grouped


@terminal.guarded
@grouped
def compile_loops(output: OutputOptions) -> None:
    """Compile the loops of large tables ahead, for images and pipelines; with --force, also where they are ready."""
    from brightspots.common import compiled_code

    compiled_code.keep_in_images()
    compiled_code.check_can_keep()
    were_ready = compiled_code.state() == "ready" and not output.force
    started = time.perf_counter()
    folder = compiled_code.make_ready(anew=output.force)
    seconds = 0.0 if were_ready else time.perf_counter() - started
    if output.json:
        terminal.answer({"folder": str(folder), "were_ready": were_ready, "seconds": seconds})
    elif were_ready:
        typer.echo(f"the compiled loops are ready, in {folder}")
    else:
        typer.echo(f"compiled the loops in {seconds:.1f} s; they are kept in {folder}")
