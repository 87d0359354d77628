"""The pages with tests of their own are true: their commands run, and give what they show.

All other pages are sessions, which test_docs.py follows.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reparam_rewrite.cli.main import COMMANDS
from reparam_rewrite.config.reading import read_config
from tests.benchmarks import tables, tuned
from tests.benchmarks.data import PROBLEMS
from tests.support.cases import FIXTURES, golden, rewritten, rewritten_case
from tests.support.notebooks import notebook
from tests.support.pages import KEYS, PAGES, ROOT
from tests.support.pages import blocks as blocks_of
from tests.support.shapes import outcome_of, parsed

STEPS, WHY = PAGES["docs/step-by-step.md"], PAGES["docs/why.md"]
GRAND_MEAN = FIXTURES / "grand_mean"
CONFIG, EDITORS = "docs/config.md", "docs/editors-and-programs.md"


def blocks(language: str, page: str = "docs/step-by-step.md") -> list[str]:
    return blocks_of(language, page)


def run(
    command: str, folder: Path, extra: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command line of a page, with the scripts of the Python that runs the tests."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **(extra or {})}
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
    )


def test_before_is_the_fixture() -> None:
    before = blocks("python")[0]
    assert before in (GRAND_MEAN / "model.py").read_text()
    assert blocks("toml")[1] in (GRAND_MEAN / "offsets.toml").read_text()


def test_after_is_what_the_fixture_becomes() -> None:
    generated = (GRAND_MEAN / "model_reparam.py").read_text()
    for line in blocks("diff")[1].splitlines():
        assert (line[1:] in generated.splitlines()) is not line.startswith("-"), line


def test_sampled_given_the_data(tmp_path: Path) -> None:
    """The line of the config, what `fit` says, and the diff without the class and comments."""
    shutil.copy(GRAND_MEAN / "example.py", grand_mean(tmp_path))
    (tmp_path / "conditional.toml").write_text(blocks("toml")[0])
    command, _, output = blocks("console")[0].removeprefix("$ ").partition("\n")
    ran = run(command, tmp_path)
    rounding = r"\d(\.\d)?e-\d+|\d\.\d s"
    assert re.sub(rounding, "#", ran.stderr) == re.sub(rounding, "#", output)
    assert float(re.findall(r"but for (\S+) nats", ran.stderr)[0]) < 1e-8
    made = run("reparam-rewrite model.py --config conditional.toml --diff", tmp_path)
    body = made.stdout.partition(" def model(group, n_a, y=None):\n")
    lines = [line for line in "".join(body[1:]).splitlines() if not line.startswith("+    #")]
    assert "\n".join(lines[:10]) + "\n" == blocks("diff")[0]


def test_the_page_of_conditional() -> None:
    from reparam_rewrite.config.keys import ConditionalTable, EffectTable
    from reparam_rewrite.fitting.layout import BORDER
    from reparam_rewrite.running.predictors import FAMILIES

    page = PAGES["docs/conditional.md"]
    short, long = blocks("toml", "docs/conditional.md")
    (config, other) = (read_config(text.encode(), "x.toml") for text in (short, long))
    assert config.conditional is not None and other.conditional is not None
    assert config.conditional.order[2].name == other.conditional.order[2].name
    for key in (*ConditionalTable.__struct_fields__, *EffectTable.__struct_fields__):
        assert re.search(rf"^{key} = ", long, re.M), key
    assert f"| up to {BORDER} elements" in page
    likelihoods = page.partition("## Likelihoods")[2].partition("\n\nPriors are")[0]
    known = {name.removesuffix("Logits").removesuffix("Probs") for name in FAMILIES}
    told = set(re.findall(r"`([A-Z]\w+)`", likelihoods))
    assert told <= known | {"NegativeBinomial2"}


def test_setup_commands_are_those_of_ci() -> None:
    install, _, tests = blocks("sh")[0].splitlines()
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    assert install in ci
    assert tests in ci


def test_main_command_shows_the_diff_of_the_tensor_fixture(tmp_path: Path) -> None:
    result = run(blocks("sh")[0].splitlines()[1], ROOT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(
        "diff --git a/fixtures/tensor/model.py b/fixtures/tensor/model.py\n"
    )
    shutil.copytree(FIXTURES / "tensor", tmp_path / "fixtures" / "tensor")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply"], cwd=tmp_path, input=result.stdout, text=True, check=True)
    changed = (tmp_path / "fixtures" / "tensor" / "model.py").read_bytes()
    assert changed == golden(FIXTURES / "tensor")


@pytest.mark.parametrize(
    "shown",
    blocks("console")[1:] + blocks("console", "docs/verify.md"),
    ids=["tunes", "writes", "refuses", "notebook", "suggests", "fits", "differs", "agrees"],
)
def test_console_sessions(shown: str, tmp_path: Path) -> None:
    command, _, output = shown.partition("\n")
    for name in ("model.py", "offsets.toml", "example.py", "by_hand.py"):
        shutil.copy(GRAND_MEAN / name, tmp_path / name)
    imports, model = (GRAND_MEAN / "model.py").read_text().rstrip().split("\n\n\n")
    (tmp_path / "model.ipynb").write_bytes(notebook("%pylab inline", imports, model))
    (tmp_path / "typo.toml").write_text('[sites.a]\noffset = "sigma_mu"\n')
    by_hand = (GRAND_MEAN / "by_hand.py").read_text()
    (tmp_path / "wrong.py").write_text(by_hand.replace("Normal(0, 10)", "Normal(0, 9)"))
    result = run(command.removeprefix("$ "), tmp_path)
    prints = "verify" in command or "suggest" in command
    found = result.stdout if prints else result.stderr
    if " tune " in command:
        assert_alike(found, output)
    elif " fit " in command:
        assert_alike(found, output)
        (table,) = [block for block in blocks("toml") if "init = 0.9638" in block]
        written = (tmp_path / "offsets.toml").read_text().splitlines(keepends=True)
        assert_alike("".join(written[-2:]), table)
    else:
        rounding = r"(?<=off by at most )\S+e[-+]\d+"
        assert re.sub(rounding, "#", found) == re.sub(rounding, "#", output)
    assert (result.stderr if prints else result.stdout) == ""


def assert_alike(found: str, shown: str) -> None:
    """The same but for figures, which another machine's arithmetic changes.

    What a chain counts, its gradients and effective draws, differs by up to a half between
    processors; what is estimated from its draws by up to a third.
    """
    number = r"\d[\d,]*(?:\.\d+)?"
    assert re.sub(number, "#", found) == re.sub(number, "#", shown)
    figures = [re.findall(number, text) for text in (found, shown)]
    for ours, other in zip(*figures, strict=True):
        within = 1 / 3 if "." in other else 1 / 2
        expected = pytest.approx(float(other.replace(",", "")), rel=within)
        assert float(ours.replace(",", "")) == expected


def test_what_is_proposed_is_piped_into_the_rewriter(tmp_path: Path) -> None:
    (command,) = re.findall(r"`(reparam-rewrite suggest [^`]*\|[^`]*)`", STEPS)
    grand_mean(tmp_path)
    ran = run(command.replace("\n", " "), tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert '+    a_loc = numpyro.param("xi_a_mu", jnp.ones(n_a)) * mu' in ran.stdout


PRINTED = ["", "['a_base', 'mu', 'sigma', 'sigma_a'] 2.5\n"]


def test_nuts_starts_with_what_the_pilot_knows(tmp_path: Path) -> None:
    for name in ("model.py", "example.py"):
        shutil.copy(GRAND_MEAN / name, tmp_path / name)
    words = "reparam-rewrite tune model.py --args example.py:example_args -o made.py"
    assert run(words, tmp_path).returncode == 0
    (shown,) = blocks("python", "docs/tune.md")
    head = "from example import example_args\nfrom made import model\n\n"
    tail = "args, kwargs = example_args()\nimport jax\n"
    tail += "mcmc.run(jax.random.PRNGKey(0), *args, **kwargs)\n"
    tail += "print(sorted(mcmc.get_samples()), mcmc.get_extra_fields()['diverging'].sum())\n"
    (tmp_path / "sampled.py").write_text(f"{head}{shown}{tail}")
    found = run(f"{Path(sys.executable).name} sampled.py", tmp_path)
    assert found.stdout.endswith(
        "['a', 'a_base', 'mu', 'mu_base', 'sigma', 'sigma_a', 'sigma_base'] 0\n"
    )


@pytest.mark.parametrize(
    ("program", "prints"),
    list(zip(blocks("python", "docs/verify.md"), PRINTED, strict=True)),
    ids=["assert_equivalent", "to_base"],
)
def test_programs_that_verify_and_translate(
    program: str, prints: str, printed: Callable[[str], str]
) -> None:
    assert printed(program) == prints


@pytest.fixture
def printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], str]]:
    """What a program prints beside the models of the fixture."""
    program = Path(shutil.copytree(GRAND_MEAN, tmp_path / "beside")) / "program.py"
    monkeypatch.syspath_prepend(program.parent)

    def ran(text: str) -> str:
        program.write_text(text)
        runpy.run_path(str(program))
        return capsys.readouterr().out

    yield ran
    for name in ("model", "model_reparam", "by_hand", "example"):
        sys.modules.pop(name, None)


def test_bench_command_compares_the_config_with_the_model(tmp_path: Path) -> None:
    change, command = blocks("sh")[1].splitlines()
    assert ROOT / change.removeprefix("cd ") == GRAND_MEAN
    shutil.copy(GRAND_MEAN / "example.py", grand_mean(tmp_path))
    result = run(command, tmp_path)
    assert result.returncode == 0, result.stderr
    assert re.search(r"^as written +[\d.]+ +1 ", result.stdout, re.M)
    assert re.search(r"^offsets\.toml +[\d.]+ ", result.stdout, re.M)
    fitted = re.search(r"^offsets\.toml, fitted +([\d.]+) ", result.stdout, re.M)
    assert fitted is not None and float(fitted[1]) > 10
    assert (
        "'offsets.toml' is the model as written for NUTS: its coefficients are 0" in result.stdout
    )
    assert "Leave the model as written" not in result.stdout
    assert (tmp_path / "model.bench.jsonl").exists() and (
        "`model.bench.jsonl`" in PAGES["docs/fit-and-bench.md"]
    )


def test_verify_command_is_the_one_whose_report_is_shown() -> None:
    change, command = blocks("sh")[2].splitlines()
    assert ROOT / change.removeprefix("cd ") == GRAND_MEAN
    (shown,) = blocks("console", "docs/verify.md")
    assert shown.startswith(f"$ {command}\n")
    assert shown.endswith("\nby_hand.py is equivalent to model.py\n")


def test_the_config_page_is_a_valid_config() -> None:
    (page,) = blocks("toml", CONFIG)
    config = read_config(page.encode(), "offsets.toml")
    assert config.defaults == read_config(b'chain = ["a", "b"]', "x.toml").defaults
    (value,) = [p for p in config.sites["b"].parents if p.parent == "x"]
    assert (value.value, value.center) == ("x_bar * beta", 20.0)


def test_the_short_page_is_part_of_the_whole() -> None:
    (short,) = [block for block in blocks("toml") if "[defaults]" in block]
    (whole,) = blocks("toml", CONFIG)
    assert read_config(short.encode(), "x.toml").sites.keys() == {"b", "c"}
    for line in short.splitlines():
        said = line.partition("  #")[0].strip()
        assert said in whole or said.startswith(("init", "scale")), line


def test_the_page_shows_every_key() -> None:
    from reparam_rewrite.config.keys import ConfigTable, ParentTable, SiteTable, VerifyTable

    (page,) = blocks("toml", CONFIG)
    for table in (ConfigTable, SiteTable, ParentTable, VerifyTable):
        for key in table.__struct_fields__:
            assert re.search(rf"\b{key}\b", page), key


@pytest.mark.parametrize(("keys", "config", "written"), KEYS, ids=[row[1] for row in KEYS])
def test_what_a_key_writes(keys: str, config: str, written: str) -> None:
    of_key = {"per": "nested", "scale_tril": "conditional_correlated"}
    fixture = FIXTURES / next((of_key[key] for key in of_key if key in keys), "tensor")
    generated = rewritten_case(fixture, config.replace("`, `", "\n")).data.decode()
    assert written in [line.strip() for line in generated.splitlines()]
    assert all(re.search(rf"\b{key}\b", config) for key in keys.split(", "))


def test_every_key_has_such_a_line() -> None:
    from reparam_rewrite.config import keys as values

    shown = {key for keys, _, _ in KEYS for key in keys.split(", ")}
    tables = (values.ConfigTable, values.SiteTable, values.ParentTable)
    tables += (values.ScaleTable, values.BasisTable)
    keys = {key for table in tables for key in table.__struct_fields__}
    assert keys - shown == {"functions", "defaults", "sites", "verify"}


def test_a_parent_on_another_scale() -> None:
    config = '[sites.a.offset]\ntau = { value = "jnp.log(sigma_a)" }'
    generated = rewritten_case(GRAND_MEAN, config).data.decode()
    assert 'numpyro.param("xi_a_tau", jnp.zeros(n_a)) * jnp.log(sigma_a)' in generated


def test_what_a_generated_file_begins_with() -> None:
    (shown,) = blocks("python", "docs/pre-commit.md")
    assert (GRAND_MEAN / "model_reparam.py").read_text().startswith(shown)


def grand_mean(folder: Path) -> Path:
    """A folder with the plain model and its config."""
    folder.mkdir(exist_ok=True)
    for name in ("model.py", "offsets.toml"):
        shutil.copy(GRAND_MEAN / name, folder)
    return folder


def test_the_schemas(tmp_path: Path) -> None:
    (command,) = re.findall(r"`(reparam-rewrite schema > [^`]*)`", PAGES[EDITORS])
    assert run(command, tmp_path).returncode == 0
    shipped = ROOT / "reparam_rewrite" / "schemas"
    (name,) = re.findall(r"`#:schema ([^`]*)`", PAGES[EDITORS])
    assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()
    targets = run("reparam-rewrite schema targets", tmp_path)
    assert targets.stdout == (shipped / "targets.schema.json").read_text()


def test_the_line_for_completion() -> None:
    line = blocks("sh", EDITORS)[0]
    asked = run(f"bash -c '{line.strip()} && complete -p reparam-rewrite'", ROOT)
    assert asked.returncode == 0, asked.stderr
    assert "_reparam_rewrite_completion" in asked.stdout


def test_the_program_in_python(tmp_path: Path) -> None:
    program = blocks("python", EDITORS)[0]
    (grand_mean(tmp_path) / "program.py").write_text(program)
    ran = run("python program.py", tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "+    a_loc = " in ran.stdout
    assert ran.stdout.splitlines()[-2:] == [
        "a ('mu',) 12 () False",
        "[('mu', 'mu', 'number', 0)]",
    ]
    assert (tmp_path / "model_reparam.py").read_bytes() == golden(GRAND_MEAN)


def test_a_tree_by_the_tool_of_libcst(tmp_path: Path) -> None:
    grand_mean(tmp_path / "models")
    shutil.copy(GRAND_MEAN / "offsets.toml", tmp_path)
    ran = run(blocks("sh", EDITORS)[1], tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "models" / "model.py").read_bytes() == golden(GRAND_MEAN)


def test_the_comment_in_the_model(tmp_path: Path) -> None:
    comment, said = "# reparam: skip", "model.py:12 a is left alone: # reparam: skip"
    assert f"`{comment}`" in PAGES[EDITORS] and f"`{said}`" in PAGES[EDITORS]
    model = grand_mean(tmp_path) / "model.py"
    plain = model.read_text()
    lines = [f"{line}  {comment}" if '"a"' in line else line for line in plain.splitlines()]
    model.write_text("\n".join(lines) + "\n")
    ran = run("reparam-rewrite model.py --config offsets.toml", tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, model.read_text(), f"{said}\n")


def test_the_maths_of_the_sign() -> None:
    """The formulas of the page against what NumPyro computes."""
    from tests.support.execution import load_model, traced

    formulas = textwrap.dedent(WHY.partition("*base site*:\n")[2].partition("\nNumPyro")[0])
    assert "a      = a_base - sum_p xi_p * p" in formulas
    config = '[sites.a]\noffset = "mu"\nlearn = false\ninit = 0.25'
    args, kwargs = load_model(GRAND_MEAN / "example.py", "example_args")()
    generated = load_model(rewritten_case(GRAND_MEAN, config).data)
    trace = traced(generated, args, kwargs)
    a, base, mu = (trace[name]["value"] for name in ("a", "a_base", "mu"))
    assert abs(a - (base - 0.25 * mu)).max() < 1e-5


def test_the_table_of_problems_is_that_of_the_figures_that_are_kept() -> None:
    table = tables.short_table()
    assert f"\n\n{table}\n" in PAGES["docs/benchmarks.md"]
    assert (tables.RESULTS / "README.md").read_text() == tables.full_tables()
    assert set(tables.kept()) <= set(PROBLEMS)
    rows = {name: line for line in table.splitlines() for name in re.findall(r"^\| (\w+):", line)}
    shown = {
        "tensor": ("925", "418", "67.8"),
        "sleepstudy": ("49.7", "18.6"),
        "penicillin": ("173", "51.6"),
        "radon": ("80.8", "8.31"),
        "poisson": ("186", "89.7"),
    }
    for problem, figures in shown.items():
        for figure in figures:
            assert f" {figure} times " in rows[problem]
            assert re.search(rf"\b{figure}\b", PAGES["README.md"] + STEPS)


def test_that_tune_is_never_worse_is_what_was_measured() -> None:
    found = json.loads((tables.RESULTS / "tuned.json").read_text())
    text = tuned.table(found)
    assert (tables.RESULTS / "tuned.md").read_text() == f"{text}\n"
    written = sum(bool(row["tuned"]) for row in found["rows"])
    said = f"Of {len(found['rows'])} models with data `tune` rewrites {written}, and none is below"
    assert said in " ".join(PAGES["docs/tune.md"].split())
    assert " none below the model as written" in text


def test_a_prior_is_asked_in_a_statement_of_its_own() -> None:
    shown = blocks("python", "docs/generated-code.md")[0]
    plain = "import jax.numpy as jnp\nimport numpyro\nimport numpyro.distributions as dist\n\n\n"
    plain += re.sub(r"        b_(shape|loc|reparam) = .*\n", "", shown)
    for old, new in [
        ("        b_prior = dist.Normal(x, 1)\n", ""),
        ('        with numpyro.handlers.reparam(config={"b": b_reparam}):\n', ""),
        (
            '            b = numpyro.sample("b", b_prior)',
            '        b = numpyro.sample("b", dist.Normal(x, 1))',
        ),
    ]:
        assert old in plain
        plain = plain.replace(old, new)
    assert rewritten(plain, '[sites.b]\noffset = "mu"').data.decode().endswith(shown)


def test_targets_with_wildcards(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(blocks("toml", "docs/pre-commit.md")[0])
    for name in ("one", "two"):
        (tmp_path / "models").mkdir(exist_ok=True)
        grand_mean(tmp_path / "models" / name)
    ran = run("reparam-rewrite", tmp_path)
    assert ran.returncode == 0, ran.stderr
    for name in ("one", "two"):
        written = (tmp_path / "models" / name / "model_reparam.py").read_bytes()
        assert written.endswith(golden(GRAND_MEAN))


def test_the_checks_of_verify() -> None:
    from reparam_rewrite.verifying import CHECKS

    rows = re.findall(r"^\| (`[^|]*`) \|", PAGES["docs/verify.md"], re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(CHECKS)


def test_what_suggest_is_measured_on() -> None:
    count = len(list(FIXTURES.rglob("suggestion.toml")))
    assert f"the {count} models whose proposals" in " ".join(PAGES["docs/benchmarks.md"].split())


#: Options of other programs.
OTHERS = {"--quiet", "--dry-run", "--as", "--execute", "--record"}


def test_options_are_there() -> None:
    commands = ["", *COMMANDS]
    helps = "".join(run(f"reparam-rewrite {command} --help", ROOT).stdout for command in commands)
    known = set(re.findall(r"(?<![\w-])--[a-z-]+", helps)) | OTHERS
    if "demo" not in COMMANDS:
        known |= {"--to"}
    code = "".join(
        "".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))
        for page, text in PAGES.items()
        if page != "CONTRIBUTING.md"
    )
    assert set(re.findall(r"(?<=[\s`])--[a-z-]+", code)) <= known


def test_commands_for_contributors() -> None:
    page = PAGES["CONTRIBUTING.md"]
    assert set(blocks("sh", "CONTRIBUTING.md")[0].splitlines()) <= set(
        (ROOT / ".ci" / "run").read_text().splitlines()
    )
    for test in re.findall(r"^\| `python -m pytest -m long (\S+)`", page, re.MULTILINE):
        assert "pytest.mark.long" in (ROOT / test).read_text(), test
    modules = re.findall(r"python -m (tests[\w.]*)", "".join(PAGES.values()))
    modules += [f"tests.benchmarks.{name}" for name in re.findall(r"`(\w+)`", benchmarks(page))]
    for module in set(modules) - {"tests.benchmarks.NAME"}:
        path = ROOT / module.replace(".", "/")
        assert (
            path.with_suffix(".py").exists()
            or (path / "__main__.py").exists()
            or ('if __name__ == "__main__"' in (path / "__init__.py").read_text())
        ), module
    executed = (ROOT / "tests" / "support" / "executed.py").read_text()
    for command in re.findall(r"^    python -m (pytest .*?)  ", page, re.MULTILINE):
        assert f"    {command} " in executed


def test_what_contributors_are_told_is_there() -> None:
    page = PAGES["CONTRIBUTING.md"]
    table = re.findall(r"^\| (`[^|]*`) \| ", page.partition("## The long")[0], re.MULTILINE)
    told = [f"reparam_rewrite/{name}" for row in table for name in re.findall(r"`([^`]*)`", row)]
    paths = re.findall(r"`((?:tests|reparam_rewrite|fixtures)/[\w/.]*)`", page)
    missing = [path for path in [*told, *paths] if not (ROOT / path).exists()]
    assert missing == []
    listed = {Path(path).parts[1] for path in told}
    packages = {path.parent.name for path in (ROOT / "reparam_rewrite").glob("*/__init__.py")}
    assert packages <= listed


def test_the_case_for_contributors() -> None:
    page = PAGES["CONTRIBUTING.md"]
    (shown,) = re.findall(r"^(    # a plate.*?)\n\n", page, re.MULTILINE | re.DOTALL)
    case = parsed(textwrap.dedent(shown) + "\n")
    outcome, generated = outcome_of(case.shape)
    assert generated is not None
    first, _, account = case.outcome.partition("...\n")
    assert outcome.startswith(first)
    assert outcome.endswith(account)


def benchmarks(page: str) -> str:
    """The sentence that names the benchmarks."""
    (names,) = re.findall(r"`python -m tests\.benchmarks\.NAME`, with (.*?):", page, re.DOTALL)
    return names
