"""The command, run as a user runs it: what it prints, what it says is wrong, and its exit status."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from engine import Stepper, Value, __main__, explain, film, gradcheck
from engine.__main__ import COMMANDS, Command, main
from engine.pictures.draw import draw
from engine.prompt.expression import read_expression
from engine.version import VERSION

ROOT = Path(__file__).parent.parent
WORKED = "s = w*x + b; z = tanh(s); (z - t)**2 / 2"
NUMBERS = ["x=1.4", "w=0.7", "b=-1.3", "t=0.2"]
COMMAND = [sys.executable, "-m", "engine"]
ENVIRONMENT = os.environ | {"PYTHONIOENCODING": "utf-8"}


def ran(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        cwd=ROOT,
        env=ENVIRONMENT | environment,
        timeout=30,
    )


def worked() -> tuple[Value, dict[str, Value]]:
    return read_expression(WORKED, {"x": 1.4, "w": 0.7, "b": -1.3, "t": 0.2})


# -- the three commands, each in a process of its own


def test_check_prints_the_report() -> None:
    done = ran("check", WORKED, *NUMBERS)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{gradcheck(worked()[0])}\n", "")


def test_explain_prints_one_name() -> None:
    E, names = worked()
    done = ran("explain", "--wrt", "w", WORKED, *NUMBERS)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{explain(E, names['w'])!r}\n", "")


def test_step_runs_a_script() -> None:
    done = ran("step", WORKED, *NUMBERS, "-c", "n; until z;", "-c", " p z.grad")
    E, names = worked()
    E.backward()
    assert (done.returncode, done.stderr) == (0, "") and repr(names["z"].grad) in done.stdout


def test_step_prompts_and_reads_what_is_typed() -> None:
    typed = "until z\np z.grad\nq\n"
    done = subprocess.run(
        [*COMMAND, "step", WORKED, *NUMBERS], input=typed, capture_output=True, encoding="utf-8", cwd=ROOT,
        env=ENVIRONMENT, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "") and "-0.5095069212126386" in done.stdout


def test_the_installed_command_is_this_function() -> None:
    assert 'stepgrad = "engine.__main__:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_an_error_is_on_stderr_with_its_place() -> None:
    done = ran("check", "tanh(w*x", "w=1", "x=2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stepgrad: this ( is never closed\n  tanh(w*x\n      ^\n"


def test_invalid_bytes_and_a_narrow_terminal() -> None:
    done = subprocess.run([*COMMAND, "check", b"x\xff"], capture_output=True, cwd=ROOT, env=ENVIRONMENT)
    assert done.returncode == 2 and b"Traceback" not in done.stderr and b"\\udcff" in done.stderr
    narrow = ran("explain", "x*x", "x=2", PYTHONIOENCODING="ascii")
    assert narrow.returncode == 0 and r"\u2202E/\u2202x" in narrow.stdout


def test_a_closed_pipe_is_fine() -> None:
    many = "+".join(f"a{i}*x" for i in range(200))
    numbers = [f"a{i}={i}.5" for i in range(200)]
    with subprocess.Popen(
        [*COMMAND, "explain", many, "x=2", *numbers], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.wait(30), process.stderr.read()) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("arguments", [["check", "x*x", "x=2"], ["--help"], ["film", "--help"]], ids=" ".join)
def test_a_full_disk_is_a_sentence(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, cwd=ROOT)
    assert done.returncode == 2 and done.stderr.startswith(b"stepgrad: the output can't be written")
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize("command", ["step", "check", "explain"])
def test_a_closed_output_is_a_sentence(command: str) -> None:
    called = [*COMMAND, command, "x*x", "x=2"]
    closed = f"import os; os.close(1); os.execv({called[0]!r}, {called!r})"
    done = subprocess.run([sys.executable, "-c", closed], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stepgrad: the output can't be written: standard output is closed\n"


def test_a_file_name_may_begin_with_a_minus_sign(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["-o", "-dash.svg", "x*x", "x=2"], ["x*x", "x=2", "-o", "-dash.svg"]):
        assert said(capsys, "draw", *arguments) == (0, "wrote -dash.svg\n", "")
        (tmp_path / "-dash.svg").unlink()


def test_control_c_ends_it_with_130() -> None:
    """It comes where the command writes, and waits, as a pipe holds less than what explain prints here."""
    many = "+".join(f"a{i}*tanh(x)" for i in range(140))
    numbers = [f"a{i}=0.{i + 1}" for i in range(140)]
    with subprocess.Popen(
        [*COMMAND, "explain", many, "x=2", *numbers], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout
        assert process.stdout.read(1) == "∂".encode()[:1]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")


# -- pictures


def test_draw_writes_the_graph_with_its_gradients(tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "graph.dot"
    done = ran("draw", WORKED, *NUMBERS, "-o", str(path))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wrote {path}\n", "")
    E, _ = worked()
    E.backward()
    assert path.read_text(encoding="utf-8") == draw(E).source


def test_draw_before_backward_and_with_blanks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "graph.dot"
    said(capsys, "draw", WORKED, *NUMBERS, "--forward", "-o", str(path))
    assert path.read_text(encoding="utf-8") == draw(worked()[0]).source
    said(capsys, "draw", "-x*y", "x=-1.5", "y=2", "--blanks", "grad", "-o", str(path))
    E, _ = read_expression("-x*y", {"x": -1.5, "y": 2.0})
    E.backward()
    assert path.read_text(encoding="utf-8") == draw(E, blanks="grad").source


@pytest.mark.parametrize(("command", "written"), [("draw", "graph.svg"), ("film", "backprop.html")])
def test_pictures_have_default_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, written: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(capsys, command, "x*x", "x=1.5") == (0, f"wrote {written}\n", "")
    assert [each.name for each in tmp_path.iterdir()] == [written]


def test_film_writes_the_page_of_the_pass_and_of_a_wrong_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "backprop.html"
    assert said(capsys, "film", WORKED, *NUMBERS, "-o", str(path)) == (0, f"wrote {path}\n", "")
    assert path.read_text(encoding="utf-8") == film(worked()[0]).html()
    said(capsys, "film", WORKED, *NUMBERS, "-o", str(path), "--mistake", "no-local")
    assert path.read_text(encoding="utf-8") == film(Stepper(worked()[0], mistake="no-local")).html()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["draw", "-o", "graph.jpeg"], "'graph.jpeg'"),
        (["film", "-o", "film.svg"], "a film is saved as .html; given was 'film.svg'"),
        (["film", "--mistake", "none"], "no-seed"),
        (["draw", "--blanks", "all"], "local"),
        (["film", "-o", "/dev/null/film.html"], "/dev/null/film.html can't be written"),
        (["draw", "-o", "/dev/null/graph.dot"], "/dev/null/graph.dot can't be written"),
    ],
)
def test_what_is_wrong_with_a_picture_is_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    status, out, err = said(capsys, *arguments, "x*x", "x=1.5")
    assert (status, out, err.count("\n")) == (2, "", 1) and err.startswith("stepgrad: ") and sentence in err


def test_a_large_picture_is_warned_of_in_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(tmp_path / "graph.dot")
    status, out, err = said(capsys, "draw", "+".join(["x"] * 600), "x=1.5", "-o", path)
    assert (status, out) == (0, f"wrote {path}\n") and re.fullmatch(r"stepgrad: .*boxes.*\n", err)


# -- what it does with its arguments, in this process


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize(
    "arguments",
    [
        ["-x**2", "x=3"],
        ["--x", "x=-3"],
        ["-x", "x=-3"],
        ["-.5*x", "x=.5"],
        ["-h*2", "h=1"],
        ["--", "-h", "h=1"],
        ["-2*-x + y", "x=-1e-3", "y = 2"],
    ],
)
def test_minus_signs_come_first_without_ceremony(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    status, out, err = said(capsys, "check", *arguments)
    assert (status, err) == (0, "") and out.endswith("all ok\n")


def test_options_stand_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    expected = said(capsys, "explain", "--wrt", "x", "-x*y", "x=-1.5", "y=2")
    assert expected[0] == 0 and expected[1].startswith("∂E/∂x")
    assert said(capsys, "explain", "-x*y", "x=-1.5", "--wrt", "x", "y=2") == expected
    assert said(capsys, "explain", "-x*y", "x=-1.5", "y=2", "--wrt=x") == expected


def test_explain_explains_every_name_but_E_itself(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "explain", WORKED.replace("(z", "E = (z"), *NUMBERS)
    assert [line.split(",")[0] for line in out.splitlines() if "by the chain rule" in line] == [
        f"∂E/∂{name}" for name in ("w", "x", "b", "s", "z", "t")
    ]


def test_explain_takes_several_names_and_writes_latex(capsys: pytest.CaptureFixture[str]) -> None:
    E, names = worked()
    _, out, _ = said(capsys, "explain", WORKED, *NUMBERS, "--latex", "--wrt", "t", "--wrt", "s")
    assert out == f"{explain(E, names['t']).latex()}\n\n{explain(E, names['s']).latex()}\n"


def test_explain_of_a_name_alone_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "explain", "x", "x=3")
    assert status == 0 and "∂x/∂x = 1" in out


def test_a_wrong_derivative_is_status_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from engine import operation

    wrong = gradcheck(operation("wrong", "x**3", "2*x**2")(Value(1.5)))
    monkeypatch.setattr(__main__, "gradcheck", lambda E: wrong)
    status, out, _ = said(capsys, "check", "x*x", "x=1.5")
    assert status == 1 and "2 wrong" in out


def test_a_new_command_is_a_row(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def show(E: Value, names: dict[str, Value], given: Namespace) -> int:
        print(E.data, *names, given.twice)
        return 0

    monkeypatch.setitem(COMMANDS, "show", Command(show, "show it", {"--twice": {"action": "store_true"}}))
    assert said(capsys, "show", "-x", "--twice", "x=2") == (0, "-2.0 x True\n", "")
    assert "  show     show it\n" in said(capsys, "--help")[1]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_however_a_command_ends_there_is_a_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]
) -> None:
    def end(E: Value, names: dict[str, Value], given: Namespace) -> int:
        raise raised

    monkeypatch.setitem(COMMANDS, "check", COMMANDS["check"]._replace(run=end))
    assert said(capsys, "check", "x", "x=1") == (130 if raised is KeyboardInterrupt else 0, "", "")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], *([name, "--help"] for name in COMMANDS)])
def test_help_is_on_stdout(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    status, out, err = said(capsys, *arguments)
    assert (status, err) == (0, "") and out.startswith("usage: stepgrad ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "a command is missing: write stepgrad step|explain|check|draw|film EXPRESSION"),
        (["x*y"], "'x*y' is no command: write stepgrad step|explain|check|draw|film EXPRESSION"),
        (["\x1b[31m" * 99], "'\\x1b[31m\\x1b[31m\\x1b[31m\\x1b[31m' is no command"),
        (["check"], "the following arguments are required: EXPRESSION"),
        (["check", ""], "the expression is empty\n  \n  ^\n"),
        (["check", "w*x"], "no number was given for w and x\n  w*x\n  ^\n"),
        (["check", "x*x", "x=1", "x=2"], "two numbers are given for x\n"),
        (["check", "x*x", "x=1", "q=2"], "a number was given for q, which the expression doesn't hold\n"),
        (["check", "x", "*", "x", "x=1"], "NAME=NUMBER is expected after the expression"),
        (["check", "x*x", "x=nan"], "a number is expected after =, such as 0.7 or -1e-3\n  x=nan\n    ^\n"),
        (["check", "x*x", "x="], "a number is expected after ="),
        (["check", "x*x", "x=1_0"], "digits are written without _ between them\n  x=1_0\n     ^\n"),
        (["check", "x*x", "x=1", "--wrong"], "NAME=NUMBER is expected after the expression, such as w=0.7\n  --wrong"),
        (["check", "sqrt(x)", "x=-1"], "sqrt: sqrt(x) is not defined at x = -1.0 (x); its domain: x >= 0\n  sqrt(x)\n"),
        (["check", "sqrt(x)", "x=0"], "sqrt: dz/dx = 1 / (2 * z) is infinite at x = 0.0 (x), and the pass needs it"),
        (["explain", "x*x", "x=1", "--wrt"], "argument --wrt: expected one argument"),
        (["explain", "x*x", "x=1", "--wrt", "q"], "--wrt 'q': the expression's names are x\n"),
        (["explain", "x*x", "x=1", "--latex=2"], "argument --latex: ignored explicit argument '2'"),
        (["step", "x*x", "-c"], "argument -c: expected one argument"),
        (["check", "-" * 10**5 + "x", "x=1"], "the text has 100,001 characters, more than 10,000\n"),
        (["check", "__import__('os').system('true')"], "_ can't be read here"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    status, out, err = said(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"stepgrad: {sentence}") and err.endswith("\n") and "Traceback" not in err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_whatever_the_encoding_it_prints(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # has no encoding to be set
    assert main(["explain", "x*x", "x=2"]) == 0
    stdout.seek(0)
    assert ("∂E/∂x" if encoding == "utf-8" else "\\u2202E/\\u2202x") in stdout.read()


def test_reading_needs_no_debugger() -> None:
    """What a subcommand doesn't use isn't imported for it."""
    code = "import sys; from engine.__main__ import main; main(['check', 'x*x', 'x=2']); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not {"engine.steps.stepper", "engine.steps.explain", "numpy", "ast"} & set(modules.split())


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0 and capsys.readouterr().out == f"stepgrad {VERSION}\n"
