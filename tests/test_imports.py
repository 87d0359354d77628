"""New imports land where a sorted file wants them, and take no comment from its import."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.rewrites import rewritten

CONFIG = '[sites.a]\noffset = "mu"\n'

MODEL = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
    return mu + a
"""

SAMPLE = MODEL.replace("numpyro.sample", "sample")


class Case(NamedTuple):
    """The head of a file before and after; `model` is what follows two blank lines on."""

    name: str
    before: str
    after: str
    model: str = MODEL

    def plain(self) -> str:
        return f"{self.before}\n{self.model}" if self.before else self.model.lstrip("\n")


CASES = [
    Case(
        "numpyro_alone",
        """\
import numpyro
import numpyro.distributions as dist
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "jax_is_there",
        """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
""",
        """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "from_imports_last",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import random
from numpyro.infer import MCMC, NUTS
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import random
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer import MCMC, NUTS
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "comments_between",
        """\
import jax

# The models.
import numpyro

# More.
import numpyro.distributions as dist
""",
        """\
import jax
import jax.numpy as jnp

# The models.
import numpyro

# More.
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "first_party",
        """\
import numpyro
import numpyro.distributions as dist

# Ours.
from zmodels import a
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam

# Ours.
from zmodels import a
""",
    ),
    Case(
        "sorted_by_module",
        """\
from jax import random
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS
import pandas as pd
""",
        """\
from jax import random
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer import MCMC, NUTS
from numpyro.infer.reparam import ExplicitReparam
import pandas as pd
""",
    ),
    Case(
        "from_numpyro_only",
        """\
import numpyro.distributions as dist
from numpyro import plate, sample
""",
        """\
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import handlers, param, plate, sample
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
        SAMPLE,
    ),
    Case(
        "one_more_name",
        """\
import numpyro
import numpyro.distributions as dist
from numpyro.infer.reparam import LocScaleReparam
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam, LocScaleReparam
""",
    ),
    Case(
        "among_comments",
        """\
import numpyro
import numpyro.distributions as dist
from numpyro.infer.reparam import (
    CircularReparam,  # for angles
    # for scales
    LocScaleReparam,
)  # end
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import (
    CircularReparam,  # for angles
    ExplicitReparam,
    # for scales
    LocScaleReparam,
)  # end
""",
    ),
    Case(
        "under_an_alias",
        """\
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform as Affine
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform as Affine
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "beside_an_alias",
        """\
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import ExpTransform as Exp
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.distributions.transforms import ExpTransform as Exp
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "beside_a_star",
        """\
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import *
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import *
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "docstring_and_future",
        '''\
"""Doc."""

from __future__ import annotations

import os

import numpyro
import numpyro.distributions as dist
''',
        '''\
"""Doc."""

from __future__ import annotations

import os

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
''',
    ),
    Case(
        "licence",
        """\
# Licence: MIT
# Copyright

import numpyro
import numpyro.distributions as dist
""",
        """\
# Licence: MIT
# Copyright

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "licence_without_a_blank_line",
        """\
# Licence: MIT
import numpyro
import numpyro.distributions as dist
""",
        """\
# Licence: MIT
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "shebang_and_cookie",
        """\
#!/usr/bin/env python
# -*- coding: utf-8 -*-
# The sampler
import numpyro
import numpyro.distributions as dist
""",
        """\
#!/usr/bin/env python
# -*- coding: utf-8 -*-
# The sampler
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "sections",
        """\
import os
from pathlib import Path

import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from scipy import stats

from . import data
from .util import x
""",
        """\
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
from scipy import stats

from . import data
from .util import x
""",
    ),
    Case(
        "comment_above_the_first",
        """\
import os

# The models.
import numpyro
import numpyro.distributions as dist
""",
        """\
import os

import jax.numpy as jnp

# The models.
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "heading",
        """\
import os

# ---- third party ----

import numpyro
import numpyro.distributions as dist
""",
        """\
import os

# ---- third party ----

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "trailing_comments",
        """\
import numpyro  # the language
import numpyro.distributions as dist  # its words
""",
        """\
import jax.numpy as jnp
import numpyro  # the language
import numpyro.distributions as dist  # its words
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "isort_skip",
        """\
import numpyro.distributions as dist  # isort: skip
import numpyro
""",
        """\
import numpyro.distributions as dist  # isort: skip
import jax.numpy as jnp
import numpyro
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "two_on_a_line",
        """\
import numpyro, jax
import numpyro.distributions as dist
""",
        """\
import jax.numpy as jnp
import numpyro, jax
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "no_blank_lines",
        """\
import os
import numpyro
import numpyro.distributions as dist
from . import x
""",
        """\
import os
import numpyro
import numpyro.distributions as dist
from . import x
import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "backslash",
        """\
import numpyro
import numpyro.distributions as dist
from numpyro.infer.reparam import LocScaleReparam, \\
    CircularReparam
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
from numpyro.infer.reparam import LocScaleReparam, \\
    CircularReparam
""",
    ),
    Case(
        "too_long_for_a_line",
        """\
import numpyro
import numpyro.distributions as dist
from numpyro.infer.reparam import CircularReparam, LocScaleReparam, NeuTraReparam
""",
        """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import (
    CircularReparam,
    ExplicitReparam,
    LocScaleReparam,
    NeuTraReparam,
)
""",
    ),
    Case(
        "semicolon",
        """\
import numpyro; import numpyro.distributions as dist
""",
        """\
import numpyro; import numpyro.distributions as dist
import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
    ),
    Case(
        "handlers_as_a_name",
        """\
from numpyro import handlers, sample
import numpyro.distributions as dist
""",
        """\
import jax.numpy as jnp
from numpyro import handlers, param, sample
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
        SAMPLE,
    ),
]

#: How ruff sorts by itself, and the other order in use.
ORDERS: list[list[str]] = [[], ["--config", "lint.isort.force-sort-within-sections = true"]]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_head(case: Case) -> None:
    output = rewritten(case.plain(), CONFIG)
    assert output[: output.index("\n\ndef model")] == case.after
    compile(output, "model.py", "exec")
    assert rewritten(output, CONFIG) == output


# -- what must run before -----------------------------------------------------------------------

OURS = """\
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
"""
PLAIN = "import numpyro\nimport numpyro.distributions as dist\n"
ADDED = f"import jax.numpy as jnp\n{PLAIN}{OURS}"


def indented(text: str, steps: int = 1) -> str:
    return textwrap.indent(text, "    " * steps)


def inside(imports: str, *above: str) -> str:
    """The model with its imports in it."""
    lines = "".join(f"    {line}\n" for line in above)
    return MODEL.replace("(n):\n", f"(n):\n{lines}{indented(imports)}\n")


#: Files with $ in the place of the imports; all the rest is the same after.
BEFORE_JAX = {
    "a variable of the environment, and imports in the function": (
        'import os\n\nos.environ["JAX_ENABLE_X64"] = "1"\n\n' + inside("$")
    ),
    "a variable of the environment in the function": (
        "import os\n\n" + inside("$", 'os.environ["JAX_ENABLE_X64"] = "1"')
    ),
    "a docstring in the function": inside("$", '"""A model."""'),
    "a function that sets up JAX": (
        'def setup():\n    import os\n\n    os.environ["JAX_ENABLE_X64"] = "1"\n\n\n'
        f"setup()\n$\n{MODEL}"
    ),
    "the path of a package": f'import sys\n\nsys.path.insert(0, "vendor")\n\n$\n{MODEL}',
    "warnings": f'import warnings\n\nwarnings.filterwarnings("ignore")\n\n$\n{MODEL}',
    "the settings of JAX": (
        f'import jax\n\njax.config.update("jax_enable_x64", True)\n\n$\n{MODEL}'
    ),
    "imports that may fail": (
        f"try:\n{indented('$')}except ImportError:\n    numpyro = None\n\n{MODEL}"
    ),
    "imports under a with": (
        "import warnings\n\nwith warnings.catch_warnings():\n"
        f'    warnings.simplefilter("ignore")\n{indented("$")}\n{MODEL}'
    ),
    "imports of types": (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import numpyro.optim\n\n"
        + inside("$")
    ),
    "a method": f"class Model:{indented(inside('$'))}",
}


@pytest.mark.parametrize("text", BEFORE_JAX.values(), ids=BEFORE_JAX)
def test_imports_stay_below_what_runs_before(text: str) -> None:
    text = text.replace("$\n", "$") if "    $" not in text else text
    depth = next(line for line in text.splitlines() if "$" in line).index("$") // 4
    plain, wanted = (filled(text, found, depth) for found in (PLAIN, ADDED))
    output = rewritten(plain, CONFIG)
    compile(output, "model.py", "exec")
    assert output[: output.index("mu = numpyro")] == wanted[: wanted.index("mu = numpyro")]
    assert rewritten(output, CONFIG) == output


def filled(text: str, imports: str, depth: int) -> str:
    head, _, tail = text.partition("    " * depth + "$")
    return head + indented(imports, depth) + tail.removeprefix("\n" if depth else "")


def test_the_function_around_has_the_imports() -> None:
    head = f"def make():\n{indented(PLAIN)}"
    output = rewritten(f"{head}{indented(MODEL)}    return model\n", CONFIG)
    wanted = f"import jax.numpy as jnp\n{PLAIN}from numpyro import handlers, param\n{OURS}"
    assert output.startswith(f"def make():\n{indented(wanted)}\n    def model(n):\n        mu =")


def test_each_function_that_imports_numpyro_has_its_own() -> None:
    second = inside(PLAIN).replace("model", "other").replace('"a"', '"b"').replace("a =", "b =")
    plain = f"import os\n{inside(PLAIN)}\n{second}".replace("mu + b", "mu")
    config = 'functions = ["model", "other"]\n[sites."[ab]"]\noffset = "mu"\n'
    output = rewritten(plain, config)
    assert output.count(indented(ADDED)) == 2
    assert output.startswith("import os\n\ndef model(n):\n    import jax")


def test_imports_on_several_ways_are_followed_by_those_of_all() -> None:
    way = indented(PLAIN)
    plain = f"try:\n{way}except ImportError:\n    print()\n{way}\n{MODEL}"
    output = rewritten(plain, CONFIG)
    assert output.startswith(
        f"try:\n{way}except ImportError:\n    print()\n{way}import jax.numpy as jnp\n{OURS}\n"
    )


def test_an_import_behind_a_colon_is_followed_by_others() -> None:
    line = "if True: import numpyro; import numpyro.distributions as dist\n"
    output = rewritten(f"{line}\n{MODEL}", CONFIG)
    assert output.startswith(f"{line}import jax.numpy as jnp\n{OURS}\n")


def test_what_numpyro_sets_up_on_its_own_line() -> None:
    head = "import numpyro; numpyro.enable_x64()\nimport numpyro.distributions as dist\n"
    output = rewritten(f"{head}\n{MODEL}", CONFIG)
    assert output.startswith(head.replace("\n", "\nimport jax.numpy as jnp\n", 1) + OURS)


def test_an_import_of_ones_own_may_set_up_jax() -> None:
    output = rewritten(f"import local_setup\n{PLAIN}\n{MODEL}", CONFIG)
    assert output.startswith(f"import local_setup\n{ADDED}\n")


def test_jax_at_the_head_and_numpyro_in_the_function() -> None:
    output = rewritten(f'import jax\n\njax.config.update("a", 1)\n{inside(PLAIN)}', CONFIG)
    head = 'import jax\nimport jax.numpy as jnp\n\njax.config.update("a", 1)\n\ndef model(n):\n'
    assert output.startswith(head + indented(PLAIN + OURS))


def test_late_imports_are_as_silent_to_linters_as_those_beside() -> None:
    late = PLAIN.replace("\n", "  # noqa: E402\n")
    output = rewritten(f"x = 1\n\n{late}\n{MODEL}", CONFIG)
    wanted = ADDED.replace("\n", "  # noqa: E402\n")
    assert output.startswith(f"x = 1\n\n{wanted}\n")


def test_a_long_import_has_a_name_a_line() -> None:
    plain = f"{PLAIN}\nAffineTransform = 3\n{MODEL}"
    output = rewritten(plain, CONFIG, width=72)
    package = "numpyro.distributions.transforms"
    assert f"from {package} import (\n    AffineTransform as AffineTransform_2,\n)\n" in output


def unsorted(folder: Path, order: list[str]) -> set[str]:
    """The names of the files that ruff would sort otherwise."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "I"]
    command = [*ruff, "--output-format", "concise", *order, str(folder)]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {Path(line.partition(":")[0]).stem for line in lines.splitlines() if ".py:" in line}


@pytest.mark.parametrize("order", ORDERS, ids=["isort's order", "by module"])
def test_sorted_imports_stay_sorted(order: list[str], tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    for case in CASES:
        (before / f"{case.name}.py").write_text(case.plain())
        (after / f"{case.name}.py").write_text(rewritten(case.plain(), CONFIG))
    wrong = unsorted(after, order) - unsorted(before, order)
    # This one is sorted either way, and nothing in the file tells which way is meant.
    assert wrong == ({"sections"} if order else set())


def test_imports_behind_the_model_are_left_alone() -> None:
    late = "\n\nfrom numpyro.infer.reparam import LocScaleReparam\n"
    plain = f"import numpyro\nimport numpyro.distributions as dist\n\n{MODEL}{late}"
    output = rewritten(plain, CONFIG)
    assert output.endswith(late)
    assert output.index("import ExplicitReparam") < output.index("def model")


def test_line_ends_of_the_file() -> None:
    names = "(\n    CircularReparam,\n    LocScaleReparam,\n)"
    head = "import numpyro\nimport numpyro.distributions as dist\n"
    plain = f"{head}from numpyro.infer.reparam import {names}\n\n{MODEL}".replace("\n", "\r\n")
    output = rewritten(plain, CONFIG)
    assert "    CircularReparam,\r\n    ExplicitReparam,\r\n    LocScaleReparam,\r\n)" in output
    assert output.count("\n") == output.count("\r\n")


def test_a_longer_line_takes_more_names() -> None:
    head = "import numpyro\nimport numpyro.distributions as dist\n"
    names = "CircularReparam, LocScaleReparam, NeuTraReparam"
    plain = f"{head}from numpyro.infer.reparam import {names}\n\n{MODEL}"
    wide = rewritten(plain, CONFIG, width=100)
    assert f"import {names.replace('L', 'ExplicitReparam, L', 1)}\n" in wide
