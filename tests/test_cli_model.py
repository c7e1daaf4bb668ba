"""What `gatling bundle`, `evaluate`, `calibrate` and `--model` promise at the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from gatling import Auditor, __version__, read_trace
from gatling.cli import app
from gatling.evaluate import scoring
from gatling.model.bundle import Bundle, BundleError, load
from gatling.model.network import LATENT
from gatling.runtime.inputs import Unusable, load_model
from tests.command import refused
from tests.model.tiny import arrays, build, bundle, lines, trace, traces, trained

HOSTILE = "\x1b[2J\u202eevil"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    path = folder / "tiny.safetensors"
    bundle(groups=("fair 0", "offline-7/w0000000")).save(path)
    return path


@pytest.fixture(scope="module")
def plans(folder: Path) -> Path:
    return build(folder / "plans", train=range(1), validation=range(1, 7), test=range(7, 10))


def gatling_runs(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def harmless(result: Result) -> None:
    """Nothing that a terminal would obey was printed."""
    assert all(char.isprintable() or char == "\n" for char in result.output + result.stderr)
    assert "\u202e" not in result.output


def promised(told: list[str], made: Bundle) -> None:
    """Every threshold is told with its interval, the composite's first, and a term without one says so."""
    found = made.weights.calibration
    alone = {f"{term} alone": dict(found.terms).get(term) for term in made.terms}
    named = {"escalate": found.escalate, "deny": found.deny, **alone}
    assert told[0].startswith("Thresholds, with 95% intervals by groups")
    for line, (name, threshold) in zip(told[1:], named.items(), strict=True):
        if threshold is None:
            assert line == f"{name}, at {found.escalate.budget:.2%}: none, too many benign runs score 10"
            continue
        (low, high), share = threshold.interval, threshold.false_positives
        said = f"{name}, at {threshold.budget:.2%}: {threshold.raw:.3f} [{low:.3f}, {high:.3f}], reached by "
        assert line.startswith(f"{said}{share.value:.2%} of {share.runs} ")


# Naming a model


def test_a_model_is_named_by_file_or_default(model: Path) -> None:
    assert load_model(str(model)).sha256 == bundle(groups=("fair 0", "offline-7/w0000000")).sha256
    assert load_model("default").weights.terms
    with pytest.raises(OSError, match="No such file"):
        load_model("none")


@pytest.mark.parametrize("command", [("audit",), ("explain", "--call", "c1")])
def test_what_is_no_model_is_told_in_a_line(command: tuple[str, ...], tmp_path: Path, model: Path) -> None:
    runs = traces(tmp_path / "a.jsonl", range(1))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(Unusable, match=r"broken\.safetensors: no safetensors file"):
        load_model(str(broken))
    refused(
        gatling_runs(*command, runs, "--model", broken), "broken.safetensors", "no safetensors file", "; "
    )
    refused(gatling_runs(*command, runs, "--model", tmp_path / "none"), "none", "No such file")
    refused(gatling_runs(*command, runs, "--model", tmp_path), "directory")
    odd = tmp_path / f"odd{HOSTILE}"
    odd.write_bytes(b"x")
    harmless(gatling_runs(*command, runs, "--model", odd))


# audit and explain


def test_an_audit_has_the_models_terms_and_energies(model: Path, tmp_path: Path) -> None:
    runs, out = traces(tmp_path / "a.jsonl", range(3)), tmp_path / "verdicts.jsonl"
    result = gatling_runs("audit", runs, "--model", model, "--output", out)
    assert result.exit_code in (0, 1), result.output
    auditor = Auditor(model=load(model))
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(written) == 9
    for line, row in zip(written, runs.read_text().splitlines(), strict=True):
        verdict = auditor.audit(read_trace(json.loads(row)))
        assert line["energy"] == pytest.approx(verdict.energy, abs=1e-3)
        for call, said in zip(line["calls"], verdict.calls, strict=True):
            assert call["terms"].keys() == {"hierarchy", "provenance", "scope", "flow", LATENT}
            assert call["terms"][LATENT] == pytest.approx(said.terms[LATENT], abs=1e-3)
    again = tmp_path / "again.jsonl"
    gatling_runs("audit", runs, "--model", model, "--output", again, "--workers", 2)
    assert again.read_bytes() == out.read_bytes()


def test_an_audit_with_a_model_imports_neither_torch_nor_pyarrow(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from gatling.cli import main\n"
        "sys.argv = ['gatling', *sys.argv[1:]]\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(sorted({'torch', 'pyarrow', 'sklearn', 'faker'} & {*sys.modules}), file=sys.stderr)\n"
    )
    runs = traces(tmp_path / "a.jsonl", range(1))
    for command in (["audit", runs], ["explain", runs, "--call", "c2"]):
        line = [sys.executable, "-c", code, *map(str, command), "--model", str(model)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        assert done.stderr.splitlines()[-1] == "[]"


def test_a_story_shows_the_latent_terms_arithmetic_and_it_adds_up(model: Path, tmp_path: Path) -> None:
    runs = lines(tmp_path / "a.jsonl", [trace(1, "hijacked")])
    shown = gatling_runs("explain", runs, "--call", "c2", "--model", model).stdout
    term = shown[shown.index("Term latent") : shown.index("Verdict")]
    rows = [row for row in map(str.split, term.splitlines()) if row and row[0] in ("distance", "offset")]
    table = {row[0]: [float(number) for number in row[1:]] for row in rows}
    assert len(table) == len(rows) == 2
    (total,) = map(float, re.findall(r"sum (-?\d+\.\d+);", term))
    assert total == pytest.approx(sum(product for *_, product in table.values()), abs=2e-3)
    energy = re.findall(r"energy\s+(\d+\.\d+)", term)[-1]
    assert float(energy) == pytest.approx(10 / (1 + np.exp(-total)), abs=2e-2)

    told = Auditor(model=load(model)).explain(read_trace(trace(1, "hijacked")), "c2")
    assert told is not None
    assert told.terms.keys() == told.verdict.terms.keys()
    for part in told.terms[LATENT].parts:
        exact = (part.value, part.weight, part.value * part.weight)
        assert table[part.name] == [float(f"{number:.3f}") for number in exact]
    joined = told.weights.composite(told.verdict.terms)
    assert f"the terms join to {joined:.2f}" in shown
    assert told.verdict.energy == told.weights.calibration.apply(joined)
    assert told.verdict.terms[LATENT] == told.terms[LATENT].value


# bundle


@pytest.fixture(scope="module")
def training(folder: Path) -> Path:
    return trained(folder / "training", ["fair 0", "offline-7/w0000000"])


def test_a_training_and_its_data_give_a_bundle(training: Path, plans: Path, tmp_path: Path) -> None:
    runs, out = traces(tmp_path / "fairs.jsonl", range(12)), tmp_path / "ours.safetensors"
    tools = tmp_path / "my tools.json"
    tools.write_text('[{"name": "read_page", "description": "Reads a page.", "parameters": {}}]')
    options = ["--output", out, "--name", "ours", "--budget", "0.5", "--tools", tools]
    result = gatling_runs("bundle", training, plans, runs, *options)
    assert result.exit_code == 0, result.output
    made = load(out)
    gains, *told, written = result.stdout.splitlines()
    expected = ", ".join(f"{term} {gain:g}" for term, gain in sorted(made.weights.gains.items()))
    assert gains == f"gains: {expected}"
    assert re.search(r"latent 0(\.[1-5])?\b", gains)
    promised(told, made)
    assert re.search(r" and \d+% of \d+ violating ones$", told[1])
    assert written.startswith(f"bundle: {out}")
    assert written.endswith(made.sha256[:12])
    assert (made.card.name, made.card.gatling) == ("ours", __version__)
    expected = "gatling bundle training plans fairs.jsonl --name ours --budget 0.5 --tools 'my tools.json'"
    assert made.card.command == expected
    assert str(tmp_path) not in made.card.model_dump_json()
    for group in ("fair 0", "offline-7/w0000000"):
        with pytest.raises(BundleError):
            made.refuse([group])


def test_what_makes_no_bundle_is_told_in_a_line(training: Path, plans: Path, tmp_path: Path) -> None:
    out = ["--output", tmp_path / "ours"]
    refused(gatling_runs("bundle", training, plans, *out), "a budget of 0.01 needs 300", "--budget")
    refused(gatling_runs("bundle", tmp_path, plans, *out), "model.safetensors: no such file; name a folder")
    refused(gatling_runs("bundle", training, tmp_path, *out), "manifest.json")
    refused(gatling_runs("bundle", training, tmp_path / "none.jsonl", *out), "none.jsonl", "No such file")
    unlabelled = lines(tmp_path / "a.jsonl", [{"messages": [{"role": "user", "content": "Hi."}]}])
    refused(gatling_runs("bundle", training, unlabelled, *out), "a.jsonl:1: kind:", "label it")
    broken = trained(tmp_path / "broken")
    (broken / "data.json").write_text("{}")
    refused(gatling_runs("bundle", broken, plans, *out), "data.json", "train it again")
    (broken / "data.json").unlink()
    refused(gatling_runs("bundle", broken, plans, *out), "data.json")
    weights = {**arrays(), "offset": np.array(np.nan, np.float32)}
    save_file(weights, broken / "model.safetensors", {"gatling": json.dumps({"hidden": 8})})
    (broken / "data.json").write_text('{"data": []}')
    refused(gatling_runs("bundle", broken, plans, *out), "model.safetensors: network: ")
    assert not (tmp_path / "ours").exists()


# evaluate


def test_an_evaluation_writes_a_report_in_three_forms(model: Path, plans: Path, tmp_path: Path) -> None:
    runs, out = traces(tmp_path / "fairs.jsonl", range(1, 5)), tmp_path / "new" / "report"
    result = gatling_runs("evaluate", model, plans, runs, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "evaluation.html",
        "evaluation.json",
        "evaluation.md",
    ]
    found = json.loads((out / "evaluation.json").read_text())
    assert found["model"] == {"name": "tiny", "sha256": load(model).sha256, "gatling": "0"}
    assert set(found["evaluated"]["datasets"]) == {"plans", "fairs.jsonl"}
    assert found["evaluated"]["datasets"]["fairs.jsonl"] == 12
    assert {term["name"] for term in found["terms"]} >= {LATENT, "hierarchy"}
    assert result.stdout.splitlines()[-1] == f"the report: {out / 'evaluation.html'}"
    assert len(result.stdout.splitlines()) > 1


def test_the_default_model_is_evaluated_by_its_name(tmp_path: Path) -> None:
    runs = traces(tmp_path / "fairs.jsonl", range(2))
    result = gatling_runs("evaluate", "default", runs, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output


def test_runs_that_the_model_was_trained_on_are_refused(model: Path, plans: Path, tmp_path: Path) -> None:
    out = ["--out", tmp_path / "report"]
    runs = traces(tmp_path / "fairs.jsonl", range(3))
    refused(
        gatling_runs("evaluate", model, runs, *out),
        "1 of 3 groups are in the model's training data, ['fair 0']",
        "test split",
    )
    refused(gatling_runs("evaluate", model, plans, "--split", "train", *out), "offline-7/w0000000")
    assert not (tmp_path / "report").exists()


def test_what_cannot_be_evaluated_is_told_in_a_line(model: Path, plans: Path, tmp_path: Path) -> None:
    runs = traces(tmp_path / "fairs.jsonl", range(1, 2))
    refused(gatling_runs("evaluate", model, plans, "--split", "dev"), "no split dev; there are train")
    refused(gatling_runs("evaluate", model, tmp_path), "manifest.json")
    refused(gatling_runs("evaluate", tmp_path / "none", runs), "none", "No such file")
    refused(gatling_runs("evaluate", model, runs, runs, "--out", tmp_path / "r"), "stands twice")
    bad = lines(tmp_path / "bad.jsonl", [trace(1, "clean"), {"kind": HOSTILE}])
    result = gatling_runs("evaluate", model, bad)
    refused(result, "bad.jsonl:2: kind: found", r"\x1b[2J")
    harmless(result)


def test_an_evaluation_without_the_extra_names_it(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules[sys.argv.pop(1)] = None\n"
        "from gatling.cli import main\n"
        "sys.argv[0] = 'gatling'\n"
        "main()\n"
    )
    runs = traces(tmp_path / "fairs.jsonl", range(1, 2))
    for package in ("matplotlib", "jinja2", "pyarrow"):
        line = [sys.executable, "-c", code, package, "evaluate", str(model), str(runs)]
        done = subprocess.run(
            [*line, "--out", str(tmp_path / "r")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr
        assert f"gatling evaluate needs {package}, which is not installed" in done.stderr
        assert "Traceback" not in done.stderr


def test_hostile_names_are_shown_not_obeyed(tmp_path: Path) -> None:
    model = tmp_path / "hostile.safetensors"
    bundle(name=HOSTILE, groups=(HOSTILE,)).save(model)
    names: dict[str, Any] = {
        name: HOSTILE for name in ("id", "family", "domain", "suite", "language", "label_source")
    }
    rows = [
        trace(n, kind, **{**names, "id": f"{n}{kind}{HOSTILE}"})
        for n in range(4)
        for kind in ("clean", "hijacked")
    ]
    runs = lines(tmp_path / f"runs{HOSTILE}.jsonl", rows)
    out = tmp_path / f"out{HOSTILE}"
    result = gatling_runs("evaluate", model, runs, "--out", out)
    assert result.exit_code == 0, result.output
    harmless(result)
    for report in out.iterdir():
        assert "\x1b" not in report.read_text()
    shared = lines(tmp_path / "shared.jsonl", [trace(1, "clean", group=HOSTILE)])
    result = gatling_runs("evaluate", model, shared)
    refused(result, r"\x1b[2J")
    harmless(result)
    harmless(gatling_runs("calibrate", model, runs, "--output", tmp_path / f"c{HOSTILE}", "--budget", "0.5"))


# calibrate


def test_calibrating_moves_thresholds_and_nothing_else(model: Path, tmp_path: Path) -> None:
    logs = [trace(n, ("clean", "resisted")[n % 2]) for n in range(30)]
    for row in logs[:10]:
        del row["kind"]
    path, out = lines(tmp_path / "logs.jsonl", logs), tmp_path / "mine.safetensors"
    result = gatling_runs("calibrate", model, path, "--output", out, "--budget", "0.2")
    assert result.exit_code == 0, result.output
    before, after = load(model), load(out)
    assert after.weights.calibration != before.weights.calibration
    assert after.calibrated(before.weights.calibration).sha256 == before.sha256
    found = after.weights.calibration
    assert found.escalate.budget == 0.2
    assert found.deny.budget == pytest.approx(0.1)
    assert {name for name, _ in found.terms} <= {"flow", "hierarchy", LATENT, "provenance", "scope"}
    promised(result.stdout.splitlines()[:-1], after)
    assert result.stdout.splitlines()[-1] == f"calibrated bundle: {out}"
    assert "left out" not in result.stdout
    scored = scoring.score([path], after, unlabelled="clean")
    assert sum(run.energy >= 2.0 for run in scored) <= 0.2 * len(scored)


def test_violating_and_unclear_runs_are_left_out_of_calibrating(model: Path, tmp_path: Path) -> None:
    benign = [trace(n, "clean") for n in range(20)]
    more = [trace(n, kind) for n in range(20, 25) for kind in ("hijacked", "unclear")]
    outputs = []
    for name, rows in (("a", benign), ("b", benign + more)):
        path, out = lines(tmp_path / f"{name}.jsonl", rows), tmp_path / name
        result = gatling_runs("calibrate", model, path, "--output", out, "--budget", "0.3")
        assert result.exit_code == 0, result.output
        assert ("left out: 10 runs that are not labelled benign" in result.stdout) == (name == "b")
        outputs.append(out.read_bytes())
    assert outputs[0] == outputs[1]


def test_too_few_runs_are_refused_with_the_number_needed(model: Path, tmp_path: Path) -> None:
    path = lines(tmp_path / "logs.jsonl", [trace(n, "clean") for n in range(12)])
    out = ["--output", tmp_path / "mine"]
    refused(gatling_runs("calibrate", model, path, *out), "needs 300 groups of benign runs", "12", "add runs")
    refused(
        gatling_runs("calibrate", model, path, *out, "--budget", "0.3", "--deny-budget", "0.1"),
        "deny_budget 0.1 needs 30 groups",
    )
    refused(
        gatling_runs("calibrate", model, path, *out, "--budget", "0.3", "--deny-budget", "0.4"),
        "deny_budget (0.4) must not exceed budget (0.3)",
    )
    hijacked = lines(tmp_path / "bad.jsonl", [trace(n, "hijacked") for n in range(12)])
    refused(
        gatling_runs("calibrate", model, hijacked, *out, "--budget", "0.3"),
        "none of these 12 runs is benign; give",
    )
    assert not (tmp_path / "mine").exists()


def test_what_cannot_be_calibrated_on_is_told_in_a_line(model: Path, plans: Path, tmp_path: Path) -> None:
    refused(gatling_runs("calibrate", model, plans), "plans: a folder; name files of traces")
    refused(gatling_runs("calibrate", model, tmp_path / "none.jsonl"), "none.jsonl", "No such file")
    (tmp_path / "empty.jsonl").touch()
    refused(gatling_runs("calibrate", model, tmp_path / "empty.jsonl"), "empty.jsonl: no runs")
    refused(gatling_runs("calibrate", model, lines(tmp_path / "a.jsonl", [{"messages": 3}])), "a.jsonl:1: ")


def test_calibrating_needs_no_extra(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'pyarrow', 'sklearn', 'matplotlib', 'jinja2']))\n"
        "from gatling.cli import main\n"
        "sys.argv[0] = 'gatling'\n"
        "main()\n"
    )
    path = lines(tmp_path / "logs.jsonl", [trace(n, "clean") for n in range(12)])
    line = [sys.executable, "-c", code, "calibrate", str(model), str(path), "--budget", "0.3"]
    done = subprocess.run(
        [*line, "--output", str(tmp_path / "mine")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_calibrated_bundle_decides_by_its_own_thresholds(model: Path, tmp_path: Path) -> None:
    path = lines(tmp_path / "logs.jsonl", [trace(n, "clean") for n in range(20)])
    out = tmp_path / "mine"
    assert gatling_runs("calibrate", model, path, "--output", out, "--budget", "0.3").exit_code == 0
    run = read_trace(trace(3, "hijacked"))
    ours, theirs = Auditor(model=load(out)).audit(run), Auditor(model=load(model)).audit(run)
    assert [call.terms for call in ours.calls] == [call.terms for call in theirs.calls]
    assert ours.energy != theirs.energy
