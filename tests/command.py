"""What tests of the command line share."""

from __future__ import annotations

from typer.testing import Result


def refused(result: Result, *words: str) -> None:
    """The input cannot be used: exit code 2, one line that says why, no traceback."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("gatling: ")
    for word in words:
        assert word in last
