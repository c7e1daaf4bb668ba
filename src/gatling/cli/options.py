"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ToolsFile = Annotated[
    Path | None,
    typer.Option("--tools", metavar="FILE", help="Tool schemas (JSON) for traces that bring none."),
]
