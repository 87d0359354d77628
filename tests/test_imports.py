"""New imports land where a sorted file wants them, and take no comment from its import."""

from __future__ import annotations

import subprocess
import sys
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

INSIDE = MODEL.replace(
    "    mu = ",
    "    import numpyro\n    import numpyro.distributions as dist\n\n    mu = ",
)


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
        "docstring_and_function_imports",
        '''\
"""Doc."""
''',
        '''\
"""Doc."""

import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
''',
        INSIDE,
    ),
    Case(
        "function_imports",
        "",
        """\
import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam
""",
        INSIDE,
    ),
    Case(
        "standard_library_and_local",
        """\
import os
import sys

from . import data
""",
        """\
import os
import sys

import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam

from . import data
""",
        INSIDE,
    ),
    Case(
        "docstring_and_code",
        '''\
"""Doc."""

X = 1
''',
        '''\
"""Doc."""

import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam

X = 1
''',
        INSIDE,
    ),
    Case(
        "code_with_a_comment",
        """\
# About x.
X = 1
""",
        """\
import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam

# About x.
X = 1
""",
        INSIDE,
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
import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam

import numpyro; import numpyro.distributions as dist
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
