"""``%%reparam`` in a running IPython: the cell's model is rewritten, shown and defined."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.support.cases import rewritten
from tests.support.notebooks import IMPORTS, MODEL, OFFSETS

IMPORTED = f"{IMPORTS}\nimport jax.numpy as jnp"


class Notebook:
    """A shell of its own, whose cells are executed one by one."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.shell = InteractiveShell()
        self.shell.colors = "nocolor"
        self._capsys = capsys
        self.config(OFFSETS)
        assert self.run("%load_ext reparam_rewrite") == ""

    def config(self, text: str) -> None:
        (self.folder / "offsets.toml").write_text(text)

    def run(self, cell: str, fails: bool = False) -> str:
        """Execute a cell; all that it prints."""
        result = self.shell.run_cell(cell, store_history=True)
        out, err = self._capsys.readouterr()
        assert result.success is not fails, out + err
        return out + err

    def reparam(self, cell: str, fails: bool = False, line: str = "offsets.toml") -> str:
        return self.run(f"%%reparam {line}\n{cell}", fails)

    def traced(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The sites of the model in the namespace, after one run of it."""
        self.shell.user_ns["_args"] = (args, kwargs)
        self.run(
            "from numpyro.handlers import seed as _seed, trace as _trace\n"
            "_found = _trace(_seed(model, 0)).get_trace(*_args[0], **_args[1])"
        )
        found: dict[str, Any] = self.shell.user_ns["_found"]
        return found


@pytest.fixture
def notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Notebook]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    made = Notebook(tmp_path, capsys)
    yield made
    assert made.shell.history_manager is not None
    made.shell.history_manager.end_session()


SHOWN = """\
@@ -1,6 +1,13 @@
 %%reparam offsets.toml
+from numpyro.distributions.transforms import AffineTransform
+from numpyro.infer.reparam import ExplicitReparam
+
+
 def model(n, y=None):
     mu = numpyro.sample("mu", dist.Normal(0, 1))
+    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
+    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
     with numpyro.plate("n", n):
-        a = numpyro.sample("a", dist.Normal(0, 1))
+        with numpyro.handlers.reparam(config={"a": a_reparam}):
+            a = numpyro.sample("a", dist.Normal(0, 1))
         numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)
In[3]:5 a <- mu (offsets.toml:1)
"""


def test_the_diff_is_shown_and_the_rewritten_model_is_defined(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    assert notebook.reparam(MODEL) == SHOWN
    assert {"mu", "xi_a_mu", "a_base", "a", "y"} <= set(notebook.traced(3))
    # What is defined can be looked at, as any function of a notebook.
    assert "a_reparam = ExplicitReparam" in inspect.getsource(notebook.shell.user_ns["model"])


def test_what_is_moved_up_is_told_by_its_lines_in_the_cell(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    notebook.config('chain = ["a", "mu"]\n')
    shown = notebook.reparam(MODEL.rpartition("\n")[0])
    assert shown.endswith(
        "In[3]:5 a is moved up above line 3 of In[3] (offsets.toml:1)\n"
        "In[3]:3 mu <- jnp.mean(a) (offsets.toml:1)\n"
    )
    assert {"mu_base", "xi_mu_a", "a"} <= set(notebook.traced(3))


def test_the_cell_may_have_its_imports_itself(notebook: Notebook) -> None:
    shown = notebook.reparam(f"{IMPORTS}\n\n\n{MODEL}")
    assert "+import jax.numpy as jnp\n import numpyro\n" in shown
    assert "a_base" in notebook.traced(3)


@pytest.mark.parametrize(
    ("imports", "renamed"),
    [
        ("import numpyro as npy, numpyro.distributions as d", {"numpyro.": "npy.", "dist.": "d."}),
        (
            "from numpyro import sample, plate, distributions as dist",
            {"numpyro.sample": "sample", "numpyro.plate": "plate"},
        ),
        (
            "import numpyro\nfrom numpyro.distributions import *\nN = Normal",
            {"dist.Normal": "N"},
        ),
        ("import numpyro, numpyro.distributions", {"dist.": "numpyro.distributions."}),
    ],
)
def test_earlier_cells_may_import_in_any_style(
    imports: str, renamed: dict[str, str], notebook: Notebook
) -> None:
    notebook.run(imports)
    model = MODEL
    for old, new in renamed.items():
        model = model.replace(old, new)
    assert "In[3]:5 a <- mu" in notebook.reparam(model)
    assert "a_base" in notebook.traced(3)


def test_what_counts_is_what_a_name_stands_for_now(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    notebook.run("import types\nnumpyro = types.SimpleNamespace(sample=print, plate=print)")
    assert "samples no site in any function" in notebook.reparam(MODEL, fails=True)


def test_without_imports_nothing_is_known_to_sample(notebook: Notebook) -> None:
    assert "the model doesn't import numpyro" in notebook.reparam(MODEL, fails=True)


def test_the_cell_can_be_executed_again_and_again(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    first = notebook.reparam(MODEL)
    second = notebook.reparam(MODEL)
    # By now the imports are there.
    assert "+from numpyro" in first
    assert "+from numpyro" not in second
    assert "AffineTransform(a_loc, 1)" in second
    notebook.config("")
    assert "configures nothing" in notebook.reparam(MODEL, fails=True)
    notebook.config("[sites.a]\noffset = 'mu'\ncoefficient = 'shared'")
    assert 'numpyro.param("xi_a_mu", 0.0) * mu' in notebook.reparam(MODEL)
    assert notebook.traced(3)["xi_a_mu"]["value"] == 0.0


def test_other_names_of_the_notebook_can_be_used_in_the_config(notebook: Notebook) -> None:
    notebook.run(f"{IMPORTED}\nx_bar = 2.0\na_loc = 'taken'")
    notebook.config('[sites.a.offset]\nx = { value = "x_bar" }')
    shown = notebook.reparam(MODEL)
    assert "x_bar" in shown
    assert "a_loc =" not in shown  # names made up are other names than the notebook's
    notebook.traced(3)
    notebook.config('[sites.a.offset]\nx = { value = "x_baz" }')
    assert "'x_baz'" in notebook.reparam(MODEL, fails=True)


HELPED = """\
def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = prior("a", n)
    numpyro.sample("y", dist.Normal(mu + a, 1).to_event(1), obs=y)
"""


def test_helpers_of_other_cells_are_followed(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    notebook.run(
        "def prior(name, n):\n"
        "    return numpyro.sample(name, dist.Normal(0, 1).expand([n]).to_event(1))"
    )
    shown = notebook.reparam(HELPED)
    assert "In[4]:4 a <- mu" in shown
    assert "a_base" in notebook.traced(3)


def test_guides_of_other_cells_are_seen(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    notebook.run("# by hand\ndef guide(n, y=None):\n    numpyro.sample('a', dist.Normal(0, 1))")
    assert notebook.reparam(MODEL, fails=True) == (
        "In[3]:3:5: the guide 'guide' samples 'a' too, which the model would sample as 'a_base'\n"
        "    numpyro.sample('a', dist.Normal(0, 1))\n"
        "    ^\n"
        "hint: use an autoguide, or take the site out of the config.\n"
    )


def test_another_model_of_the_same_sites_is_another_model(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    notebook.run(MODEL.replace("def model", "def plain"))
    assert "In[4]:5 a <- mu" in notebook.reparam(MODEL)
    assert "ExplicitReparam" not in inspect.getsource(notebook.shell.user_ns["plain"])


def test_a_model_of_another_cell_is_not_rewritten_from_here(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    notebook.run(MODEL)
    notebook.config('functions = ["model"]\n' + OFFSETS)
    said = notebook.reparam("x = 1", fails=True)
    assert said.startswith("In[3]:4:1: 'a' is sampled in 'model', of another cell\n")
    assert "x" not in notebook.shell.user_ns


def test_a_refusal_is_the_message_alone_and_nothing_is_defined(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    notebook.config('[sites.y]\noffset = "mu"')
    assert notebook.reparam("started = True\n" + MODEL, fails=True) == (
        "In[3]:7:9: 'y' is observed: there is nothing to reparameterize\n"
        '    numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)\n'
        "    ^\n"
        "hint: only latent sites can be offset; take it out of the config.\n"
    )
    assert not {"model", "started"} & set(notebook.shell.user_ns)


def test_a_cell_that_does_not_parse_has_its_own_line_numbers(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    assert notebook.reparam("x = 1\ndef model(:\n    pass", fails=True).startswith(
        "In[3]:3:11: not valid Python: "
    )


def test_lines_in_messages_are_those_of_the_cell(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    twice = MODEL + '\n    numpyro.sample("a", dist.Normal(0, 1))'
    said = notebook.reparam(twice, fails=True)
    assert said.startswith("In[3]:7:5: 'a' is sampled in more than one place")
    assert "(lines line" not in said
    assert "line 5 of In[3] and line 7 of In[3]" in said


def test_an_error_of_the_model_is_shown_once_and_fails_the_cell(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    said = notebook.reparam(MODEL + "\n\nmodel(unknown_name)", fails=True)
    assert said.count("NameError: name 'unknown_name' is not defined") == 1
    assert "Failed" not in said


def test_magics_in_the_cell_stay(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    shown = notebook.reparam("where = %pwd\n" + MODEL)
    assert " where = %pwd\n" in shown
    assert Path(notebook.shell.user_ns["where"]).samefile(notebook.folder)
    assert "a_base" in notebook.traced(3)


def test_quiet_shows_nothing_and_dry_run_does_nothing(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    assert "a_loc" in notebook.reparam(MODEL, line="--dry-run offsets.toml")
    assert "model" not in notebook.shell.user_ns
    assert notebook.reparam(MODEL, line="-q 'offsets.toml'") == ""
    assert "a_base" in notebook.traced(3)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "no config is given\nhint: write %%reparam [--quiet] [--dry-run] FILE.\n"),
        ("a b", "%%reparam takes one config\nhint: write"),
        ("--quite offsets.toml", "%%reparam has no option --quite\nhint: write"),
        ("'offsets.toml", "%%reparam: No closing quotation\nhint: write"),
        (
            "ofsets.toml",
            "ofsets.toml: the config does not exist\nhint: did you mean 'offsets.toml'?\n",
        ),
    ],
)
def test_mistakes_of_the_line(line: str, says: str, notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    assert notebook.reparam(MODEL, fails=True, line=line).startswith(says)
    assert "model" not in notebook.shell.user_ns


def test_skipped_sites_are_left_alone(notebook: Notebook) -> None:
    notebook.run(IMPORTED)
    skipped = MODEL.replace(
        "dist.Normal(0, 1))\n        n", "dist.Normal(0, 1))  # reparam: skip\n        n"
    )
    assert notebook.reparam(skipped) == "In[3]:5 a is left alone: # reparam: skip\n"
    assert "a_base" not in notebook.traced(3)


def test_the_magic_explains_itself(notebook: Notebook) -> None:
    magic = notebook.shell.find_cell_magic("reparam")
    assert "%%reparam [--quiet] [--dry-run] FILE" in (magic.__doc__ or "")


def test_a_helper_is_followed_after_an_error_was_shown() -> None:
    """IPython shows errors with trees whose nodes have parents, and all trees share ``Load()``."""
    tree = ast.parse("x + y")
    shared: Any = next(part for part in ast.walk(tree) if isinstance(part, ast.Load))
    plain = (
        "import numpyro\nimport numpyro.distributions as dist\n\n\ndef prior(name, n):\n"
        "    return numpyro.sample(name, dist.Normal(0, 1))\n\n\ndef model(n):\n"
        '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n    a = prior("a", n)\n'
    )
    shared.parent = tree
    try:
        code = rewritten(plain, 'functions = ["model"]\n[sites.a]\noffset = "mu"\n').data.decode()
    finally:
        del shared.parent
    assert "a_loc = numpyro.param(" in code


class TestTune:
    """``%reparam_tune`` of a model whose cells are executed."""

    MODEL = """
def model(group, n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(mu + a[group], 1), obs=y)
"""
    DATA = "group = np.array([0, 1, 2, 0, 1, 2])\ny = np.array([1.0, 2.0, 3.5, 1.2, 2.2, 3.1])"

    @pytest.fixture
    def ready(self, notebook: Notebook) -> Notebook:
        notebook.run(f"{IMPORTED}\nimport numpy as np")
        notebook.run(self.DATA)
        notebook.run(self.MODEL)
        return notebook

    def test_the_generated_model_is_defined_beside_the_plain_one(self, ready: Notebook) -> None:
        said = ready.run('tuned = %reparam_tune model (group, 3), {"y": y}')
        assert said == "model_reparam is the generated model\n"
        names = ready.shell.user_ns
        assert names["tuned"].model is names["model_reparam"] is not names["model"]

    def test_what_was_found_is_shown(self, ready: Notebook) -> None:
        said = ready.run('%reparam_tune --as better model (group, 3), {"y": y}')
        assert "better is the generated model" in said
        assert "mu    given the data" in said

    def test_helpers_of_other_cells_are_rewritten_with_it(self, ready: Notebook) -> None:
        ready.run(
            "def effect(n):\n    with numpyro.plate('n', n):\n"
            "        return numpyro.sample('a', dist.Normal(0, 1))"
        )
        ready.run(
            "def model(group, n, y=None):\n"
            "    mu = numpyro.sample('mu', dist.Normal(0, 10))\n"
            "    a = effect(n)\n"
            "    numpyro.sample('y', dist.Normal(mu + a[group], 1), obs=y)"
        )
        ready.run(
            "from reparam_rewrite import reparameterize\n"
            'made = reparameterize(model, \'chain = ["mu", "a"]\')\n'
            "from numpyro.handlers import seed, trace\n"
            "sites = trace(seed(made, 0)).get_trace(group, 3)"
        )
        assert "a_base" in ready.shell.user_ns["sites"]

    def test_data_that_the_model_finds_in_the_notebook(self, ready: Notebook) -> None:
        ready.run(
            "def model(y=None):\n"
            "    mu = numpyro.sample('mu', dist.Normal(0, 10))\n"
            "    with numpyro.plate('n', 3):\n"
            "        a = numpyro.sample('a', dist.Normal(0, 1))\n"
            "    numpyro.sample('y', dist.Normal(mu + a[group], 1), obs=y)"
        )
        said = ready.run('%reparam_tune model {"y": y}')
        assert "model_reparam is the generated model" in said

    def test_imports_and_the_model_in_one_cell(self, notebook: Notebook) -> None:
        notebook.run(f"{IMPORTED}\nimport numpy as np\n{self.DATA}\n{self.MODEL}\nmodel")
        said = notebook.run('tuned = %reparam_tune model (group, 3), {"y": y}')
        assert said == "model_reparam is the generated model\n"

    def test_options_may_stand_at_the_end(self, ready: Notebook) -> None:
        said = ready.run('tuned = %reparam_tune model (group, 3), {"y": y} --as better --diff')
        assert said.endswith("better is the generated model\n")
        assert "+    given = Conditional(" in said

    def test_a_model_of_a_cell_is_saved_as_config_and_arrays(self, ready: Notebook) -> None:
        ready.run('tuned = %reparam_tune model (group, 3), {"y": y}')
        said = ready.run("tuned.save('made.py')", fails=True)
        assert said.startswith("Refusal: made.py: the model is in no file, but in ")
        ready.run("saved = tuned.save(config='tuned.toml')")
        assert ready.shell.user_ns["saved"] == ("tuned.toml", "tuned.npz")

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("", "no model is given"),
            ("nothing (group, 3)", "no function 'nothing' is defined"),
            ("model (group, 3", "can't be computed: SyntaxError"),
            ("model (group, 3)", "'model' observes nothing when it is called so"),
        ],
    )
    def test_what_is_wrong_is_said_without_a_traceback(
        self, ready: Notebook, line: str, message: str
    ) -> None:
        said = ready.run(f"%reparam_tune {line}", fails=True)
        assert message in said
        assert "Traceback" not in said


def test_the_diff_is_coloured_where_the_shell_has_colours(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    notebook.run(IMPORTED)
    notebook.shell.colors = "neutral"
    assert "\x1b[32m+" in notebook.reparam(MODEL)
