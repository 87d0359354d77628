# ruff: noqa: E501 - a message is on one line, however long
"""Ways of getting it wrong: what is said of each, and that nothing is touched.

Each is a line that somebody types into a shell, run as such. `before` makes what else is in the
folder; "HERE" stands for the folder's path. The reasons not to rewrite a model are taken one by one
in tests/cases/refusals-of-*/.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli import shell, snapshot
from tests.support.mistakes import OFFSETS, PLAIN, Mistake

GUIDE = (
    PLAIN
    + """

def guide(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("n", n):
        numpyro.sample("a", dist.Normal(mu, 1))
"""
)

OPTIONS = [
    Mistake(
        "nothing at all",
        line="reparam-rewrite",
        says="""
            no model is given, and there is no pyproject.toml that lists targets
            hint: name the file to rewrite: reparam-rewrite model.py --config offsets.toml
        """,
    ),
    Mistake(
        "no config",
        line="reparam-rewrite model.py",
        says="""
            no --config is given
            hint: name the TOML file with the offsets: --config FILE.
        """,
    ),
    Mistake(
        "misspelt option",
        line="reparam-rewrite model.py -c offsets.toml --chekc",
        says="""
            there is no option --chekc
            hint: did you mean --check?
        """,
    ),
    Mistake(
        "unknown option",
        line="reparam-rewrite model.py -c offsets.toml --zebra",
        says="""
            there is no option --zebra
            hint: --help lists all of them.
        """,
    ),
    Mistake(
        "unknown colour",
        line="reparam-rewrite model.py -c offsets.toml --color blue",
        says="""
            invalid value for '--color': 'blue' is not one of 'auto', 'always', 'never'
            hint: --help shows how to call it.
        """,
    ),
    Mistake(
        "option without its value",
        line="reparam-rewrite model.py -c offsets.toml -o",
        says="""
            option '-o' requires an argument
            hint: --help shows how to call it.
        """,
    ),
    Mistake(
        "two models",
        line="reparam-rewrite model.py other.py -c offsets.toml",
        says="""
            got unexpected extra argument (other.py)
            hint: --help shows how to call it.
        """,
    ),
    Mistake(
        "config without its option",
        line="reparam-rewrite model.py offsets.toml",
        says="""
            got unexpected extra argument (offsets.toml)
            hint: a config has an option before its name: --config offsets.toml
        """,
    ),
    Mistake(
        "config of another name without its option",
        line="reparam-rewrite model.py sites.toml",
        says="""
            got unexpected extra argument (sites.toml)
            hint: a config has an option before its name: --config sites.toml
        """,
    ),
    Mistake(
        "command that isn't needed",
        line="reparam-rewrite rewrite model.py -c offsets.toml",
        says="""
            there is no command 'rewrite', and no file
            hint: rewriting needs no command: reparam-rewrite model.py --config offsets.toml
        """,
    ),
    Mistake(
        "check without output",
        line="reparam-rewrite model.py -c offsets.toml --check",
        says="""
            --check has no output to compare with
            hint: name it: -o FILE.
        """,
    ),
    Mistake(
        "check of standard output",
        line="reparam-rewrite model.py -c offsets.toml --check -o -",
        says="""
            --check has no output to compare with
            hint: name it: -o FILE.
        """,
    ),
    Mistake(
        "misspelt command",
        line="reparam-rewrite suggets model.py",
        says="""
            there is no command 'suggets', and no file
            hint: did you mean 'suggest'?
        """,
    ),
    Mistake(
        "two configs",
        line="reparam-rewrite model.py -c offsets.toml --config other.toml",
        says="""
            --config is given 2 times, with offsets.toml and other.toml
            hint: --help shows how to call it.
        """,
    ),
    Mistake(
        "two outputs",
        line="reparam-rewrite model.py -c offsets.toml -o a.py -o b.py",
        says="""
            --output is given 2 times, with a.py and b.py
            hint: --help shows how to call it.
        """,
    ),
    Mistake(
        "model and config swapped",
        line="reparam-rewrite offsets.toml --config model.py",
        says="""
            offsets.toml: the model is a TOML file
            hint: the model comes first: reparam-rewrite model.py --config offsets.toml
        """,
    ),
    Mistake(
        "a config for a model",
        line="reparam-rewrite offsets.toml --config offsets.toml",
        says="""
            offsets.toml: the model is a TOML file
            hint: give the Python file of the model.
        """,
    ),
    Mistake(
        "a model for a config",
        line="reparam-rewrite model.py --config model.py",
        says="""
            model.py:1:8: not TOML: expected '=' after a key in a key/value pair
                import numpyro
                       ^
            hint: this looks like Python: give the model as MODEL, and the TOML file with --config.
        """,
    ),
    Mistake(
        "config in JSON",
        before="""echo '{"sites": {"a": {"offset": "mu"}}}' > offsets.json""",
        line="reparam-rewrite model.py --config offsets.json",
        says="""
            offsets.json:1:1: not TOML: invalid statement
                {"sites": {"a": {"offset": "mu"}}}
                ^
            hint: this looks like JSON, and a config is TOML: [sites.a] and, on the next line, offset = "mu".
        """,
    ),
    Mistake(
        "config in YAML",
        before="printf 'sites:\\n  a:\\n    offset: mu\\n' > offsets",
        line="reparam-rewrite model.py --config offsets",
        says="""
            offsets:1:6: not TOML: expected '=' after a key in a key/value pair
                sites:
                     ^
            hint: this looks like YAML, and a config is TOML: [sites.a] and, on the next line, offset = "mu".
        """,
    ),
]

PATHS = [
    Mistake(
        "no model",
        line="reparam-rewrite zzz --config offsets.toml",
        says="""
            zzz: the model does not exist
        """,
    ),
    Mistake(
        "misspelt model",
        line="reparam-rewrite modle.py --config offsets.toml",
        says="""
            modle.py: the model does not exist
            hint: did you mean 'model.py'?
        """,
    ),
    Mistake(
        "misspelt folder",
        line="reparam-rewrite modles/model.py --config offsets.toml",
        says="""
            modles/model.py: the model does not exist
            hint: there is no folder 'modles'.
        """,
    ),
    Mistake(
        "no config there",
        line="reparam-rewrite model.py --config zzz",
        says="""
            zzz: the config does not exist
        """,
    ),
    Mistake(
        "misspelt config",
        line="reparam-rewrite model.py --config offset.toml",
        says="""
            offset.toml: the config does not exist
            hint: did you mean 'offsets.toml'?
        """,
    ),
    Mistake(
        "model is a folder",
        line="reparam-rewrite sub --config offsets.toml",
        before="mkdir sub",
        says="""
            sub: the model is a folder
            hint: give the path of the model file inside it.
        """,
    ),
    Mistake(
        "config is a folder",
        line="reparam-rewrite model.py --config .",
        says="""
            .: the config is a folder
            hint: give the path of the config file inside it.
        """,
    ),
    Mistake(
        "model is a pipe",
        line="reparam-rewrite pipe --config offsets.toml",
        before="mkfifo pipe",
        says="""
            pipe: the model is not a regular file
            hint: pipe it in with the path -.
        """,
    ),
    Mistake(
        "config is a device",
        line="reparam-rewrite model.py --config /dev/null",
        says="""
            /dev/null: the config is not a regular file
            hint: save it as a file first.
        """,
    ),
    Mistake(
        "model is a broken link",
        line="reparam-rewrite link.py --config offsets.toml",
        before="ln -s gone.py link.py",
        says="""
            link.py: the model is a link to 'HERE/gone.py', which does not exist
        """,
    ),
    Mistake(
        "model inside a file",
        line="reparam-rewrite model.py/model.py --config offsets.toml",
        says="""
            model.py/model.py: cannot read the model: not a directory
        """,
    ),
    Mistake(
        "empty path",
        line="reparam-rewrite '' --config offsets.toml",
        says="""
            '' cannot be the path of the model
        """,
    ),
    Mistake(
        "path with an escape sequence",
        line=r"reparam-rewrite $'\e[31m\n.py' --config offsets.toml",
        says=r"""
            \x1b[31m\n.py: the model does not exist
        """,
    ),
    Mistake(
        "standard input is closed",
        line="reparam-rewrite - --config offsets.toml <&-",
        says="""
            <stdin>: cannot read standard input: it is closed
            hint: give the model's path.
        """,
    ),
    Mistake(
        "standard input is empty",
        line="reparam-rewrite - --config offsets.toml </dev/null",
        says="""
            <stdin>: the model is empty
            hint: give it a function that samples a site, or name another file.
        """,
    ),
    Mistake(
        "standard output is closed",
        line="reparam-rewrite model.py --config offsets.toml >&-",
        says="""
            cannot write to standard output: it is closed
            hint: redirect it to a place that can be written.
        """,
    ),
    Mistake(
        "standard output is full",
        line="reparam-rewrite model.py --config offsets.toml >/dev/full",
        says="""
            cannot write to standard output: no space left on device
            hint: redirect it to a place that can be written.
        """,
    ),
    Mistake(
        "standard output is full for the diff",
        line="reparam-rewrite model.py --config offsets.toml --diff >/dev/full",
        says="""
            cannot write to standard output: no space left on device
            hint: redirect it to a place that can be written.
        """,
    ),
    Mistake(
        "standard output is full for the help",
        line="reparam-rewrite --help >/dev/full",
        says="""
            cannot write to standard output: no space left on device
            hint: redirect it to a place that can be written.
        """,
    ),
]

OUTPUTS = [
    Mistake(
        "output in no folder",
        line="reparam-rewrite model.py -c offsets.toml -o new/out.py",
        says="""
            new/out.py: there is no folder 'new'
            hint: create it first (mkdir -p), or choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is a folder",
        line="reparam-rewrite model.py -c offsets.toml -o .",
        says="""
            .: the output is a folder
            hint: give the path of the output file inside it.
        """,
    ),
    Mistake(
        "output is a folder to come",
        line="reparam-rewrite model.py -c offsets.toml -o new/",
        says="""
            new/: the output is a folder
            hint: give the path of a file inside it.
        """,
    ),
    Mistake(
        "output is a pipe",
        line="reparam-rewrite model.py -c offsets.toml -o pipe",
        before="mkfifo pipe",
        says="""
            pipe: the output is not a regular file
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is a device",
        line="reparam-rewrite model.py -c offsets.toml -o /dev/null",
        says="""
            /dev/null: the output is not a regular file
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is inside a file",
        line="reparam-rewrite model.py -c offsets.toml -o model.py/out.py",
        says="""
            model.py/out.py: cannot write the output: not a directory
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is read-only",
        before="touch out.py; chmod 444 out.py",
        says="""
            out.py: the output is read-only
            hint: make it writable (chmod u+w), or choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output's folder is read-only",
        line="reparam-rewrite model.py -c offsets.toml -o locked/out.py",
        before="mkdir -m 555 locked",
        says="""
            locked/out.py: the output's folder is read-only
            hint: make it writable (chmod u+w), or choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is a link into no folder",
        line="reparam-rewrite model.py -c offsets.toml -o link.py",
        before="ln -s gone/out.py link.py",
        says="""
            link.py: there is no folder 'HERE/gone'
            hint: create it first (mkdir -p), or choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is the model",
        line="reparam-rewrite model.py -c offsets.toml -o model.py",
        says="""
            model.py: the output is the model itself, which is never overwritten
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is the model in other words",
        line="reparam-rewrite model.py -c offsets.toml -o ./model.py",
        says="""
            ./model.py: the output is the model itself, which is never overwritten
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is a link to the model",
        line="reparam-rewrite model.py -c offsets.toml -o link.py",
        before="ln -s model.py link.py",
        says="""
            link.py: the output is the model itself, which is never overwritten
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is another name of the model",
        line="reparam-rewrite model.py -c offsets.toml -o same.py",
        before="ln model.py same.py",
        says="""
            same.py: the output is the model itself, which is never overwritten
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is the model on standard input",
        line="reparam-rewrite - -c offsets.toml -o model.py <model.py",
        says="""
            model.py: the output is the model itself, which is never overwritten
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is the model, with --check",
        line="reparam-rewrite model.py -c offsets.toml -o model.py --check",
        says="""
            model.py: the output is the model itself, which is never overwritten
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is the config",
        line="reparam-rewrite model.py -c offsets.toml -o offsets.toml",
        says="""
            offsets.toml: the output is the config itself, which is never overwritten
            hint: choose another path, or leave out -o to print the result.
        """,
    ),
    Mistake(
        "output is empty",
        line="reparam-rewrite model.py -c offsets.toml -o ''",
        says="""
            '' cannot be the path of the output
        """,
    ),
]

CONFIGS = [
    Mistake(
        "empty config",
        config="",
        says="""
            offsets.toml:1:1: the config configures nothing: it has no 'chain', 'conditional' or [sites.<site>]
            hint: write, for example, [sites.a] and under it offset = "mu".
        """,
    ),
    Mistake(
        "config of comments",
        config="# nothing yet\n",
        says="""
            offsets.toml:1:1: the config configures nothing: it has no 'chain', 'conditional' or [sites.<site>]
                # nothing yet
                ^
            hint: write, for example, [sites.a] and under it offset = "mu".
        """,
    ),
    Mistake(
        "header without its end",
        config="[sites.a\n",
        says="""
            offsets.toml:1:9: not TOML: expected ']' at the end of a table declaration
                [sites.a
                        ^
            hint: strings need quotes, brackets come in pairs, a table is there once: see toml.io.
        """,
    ),
    Mistake(
        "string without quotes",
        config="[sites.a]\noffset = mu\n",
        says="""
            offsets.toml:2:10: not TOML: invalid value
                offset = mu
                         ^
            hint: strings need quotes, brackets come in pairs, a table is there once: see toml.io.
        """,
    ),
    Mistake(
        "table twice",
        config=OFFSETS + OFFSETS,
        says="""
            offsets.toml:3:9: not TOML: cannot declare [sites.a] twice
                [sites.a]
                        ^
            hint: strings need quotes, brackets come in pairs, a table is there once: see toml.io.
        """,
    ),
    Mistake(
        "config in Latin-1",
        config="# caf\xe9\n[sites.a]\n".encode("latin-1"),
        says="""
            offsets.toml:1:6: not UTF-8: the byte 0xe9
                # caf�
                     ^
            hint: save the file as UTF-8.
        """,
    ),
    Mistake(
        "config in UTF-16",
        config="[sites.a]\n".encode("utf-16-le"),
        says="""
            offsets.toml:1:2: not TOML: invalid initial character for a key part
                [�s�i�t�e�s�.�a�]�
                 ^
            hint: strings need quotes, brackets come in pairs, a table is there once: see toml.io.
        """,
    ),
    Mistake(
        "unknown key",
        config='[sites.a]\nofset = "mu"\n',
        says="""
            offsets.toml:2:1: unknown key 'ofset' in [sites.a]
                ofset = "mu"
                ^
            hint: did you mean 'offset'?
        """,
    ),
    Mistake(
        "unknown table",
        config='[site.a]\noffset = "mu"\n',
        says="""
            offsets.toml:1:2: unknown key 'site'
                [site.a]
                 ^
            hint: did you mean 'sites'?
        """,
    ),
    Mistake(
        "key of the file in a table",
        config='[defaults]\nchain = ["mu", "a"]\n',
        says="""
            offsets.toml:2:1: unknown key 'chain' in [defaults]
                chain = ["mu", "a"]
                ^
            hint: 'chain' goes to the top of the file, before the first [table].
        """,
    ),
    Mistake(
        "number for a site",
        config="[sites.a]\noffset = 1\n",
        says="""
            offsets.toml:2:10: 'offset' must be a string, an array of strings or a table, not an integer
                offset = 1
                         ^
            hint: name the site that 'a' is to be sampled around: offset = "mu".
        """,
    ),
    Mistake(
        "string for a chain",
        config='chain = "mu"\n',
        says="""
            offsets.toml:1:9: 'chain' must be an array, not a string
                chain = "mu"
                        ^
            hint: write chain = ["mu", "a"].
        """,
    ),
    Mistake(
        "string for a number",
        config='[sites.a]\noffset = "mu"\ninit = "0"\n',
        says="""
            offsets.toml:3:8: 'init' must be a number, an array or the name of an .npz
                init = "0"
                       ^
            hint: name an .npz that is beside the generated file, such as 'offsets.npz'.
        """,
    ),
    Mistake(
        "number for a boolean",
        config='[sites.a]\noffset = "mu"\nlearn = 1\n',
        says="""
            offsets.toml:3:9: 'learn' must be a boolean, not an integer
                learn = 1
                        ^
        """,
    ),
    Mistake(
        "none of the choices",
        config='[sites.a]\noffset = "mu"\ncoefficient = "share"\n',
        says="""
            offsets.toml:3:15: 'coefficient' must be 'elementwise', 'shared', 'matrix' or an array of axes, not 'share'
                coefficient = "share"
                              ^
            hint: did you mean 'shared'?
        """,
    ),
    Mistake(
        "number that isn't finite",
        config='[sites.a]\noffset = "mu"\ninit = nan\n',
        says="""
            offsets.toml:3:8: 'init' must be a finite number, not nan
                init = nan
                       ^
        """,
    ),
    Mistake(
        "name with an unknown part",
        config='[sites.a]\noffset = "mu"\nname = "xi_{site}"\n',
        says="""
            offsets.toml:3:8: 'name' cannot fill in '{site}'
                name = "xi_{site}"
                       ^
            hint: only {child} and {parent} can be filled in; a literal brace is doubled.
        """,
    ),
    Mistake(
        "chain of one",
        config='chain = ["a"]\n',
        says="""
            offsets.toml:1:9: a chain needs at least two sites
                chain = ["a"]
                        ^
            hint: each site of a chain is offset by those that are sampled before it.
        """,
    ),
    Mistake(
        "site offset by itself",
        config='[sites.a]\noffset = "a"\n',
        says="""
            offsets.toml:2:10: 'a' cannot be offset by itself
                offset = "a"
                         ^
            hint: name a site that is sampled before it, or take it out.
        """,
    ),
    Mistake(
        "glob of a parent",
        config='[sites.a]\noffset = "m*"\n',
        says="""
            offsets.toml:2:10: 'm*' is a glob, and one site must be named here
                offset = "m*"
                         ^
            hint: only [sites.<site>] takes a glob; name each of the sites that 'm*' is for.
        """,
    ),
    Mistake(
        "value that doesn't parse",
        config='[sites.a.offset]\nx = { value = "mu +" }\n',
        says="""
            offsets.toml:2:15: 'value' is not a Python expression: invalid syntax
                x = { value = "mu +" }
                              ^
            hint: write one as it could stand in the model, such as 'x_bar * beta'.
        """,
    ),
    Mistake(
        "several at once",
        config='chian = ["mu", "a"]\n[defaults]\ninit = inf\n[sites.a]\noffset = "mu"\nlearn = "no"\n',
        says="""
            offsets.toml:1:1: unknown key 'chian'
                chian = ["mu", "a"]
                ^
            hint: did you mean 'chain'?
            offsets.toml:3:8: 'init' must be a finite number, not inf
                init = inf
                       ^
            offsets.toml:6:9: 'learn' must be a boolean, not a string
                learn = "no"
                        ^
        """,
    ),
]

NAMES = [
    Mistake(
        "unknown site",
        config='[sites.theta]\noffset = "mu"\n',
        says="""
            offsets.toml:1:8: 'model' samples no site 'theta'
                [sites.theta]
                       ^
            hint: it samples 'a', 'mu' and 'y'.
        """,
    ),
    Mistake(
        "misspelt site",
        config='[sites.aa]\noffset = "mu"\n',
        says="""
            offsets.toml:1:8: 'model' samples no site 'aa'
                [sites.aa]
                       ^
            hint: did you mean 'a'?
        """,
    ),
    Mistake(
        "misspelt site in a chain",
        config='chain = ["mu", "aa"]\n',
        says="""
            offsets.toml:1:16: 'model' samples no site 'aa'
                chain = ["mu", "aa"]
                               ^
            hint: did you mean 'a'?
        """,
    ),
    Mistake(
        "unknown parent",
        config='[sites.a]\noffset = "sigma"\n',
        says="""
            offsets.toml:2:10: 'model' samples no site 'sigma'
                offset = "sigma"
                         ^
            hint: it samples 'a', 'mu' and 'y'.
        """,
    ),
    Mistake(
        "unknown site and parent",
        config='[sites.theta]\noffset = "sigma"\n',
        says="""
            offsets.toml:1:8: 'model' samples no site 'theta'
                [sites.theta]
                       ^
            hint: it samples 'a', 'mu' and 'y'.
            offsets.toml:2:10: 'model' samples no site 'sigma'
                offset = "sigma"
                         ^
            hint: it samples 'a', 'mu' and 'y'.
        """,
    ),
    Mistake(
        "misspelt function",
        config='functions = ["modle"]\n[sites.a]\noffset = "mu"\n',
        says="""
            offsets.toml:1:14: model.py has no function 'modle'
                functions = ["modle"]
                             ^
            hint: did you mean 'model'?
        """,
    ),
    Mistake(
        "function that could be two",
        model=GUIDE,
        says="""
            offsets.toml:1:8: both 'model' and 'guide' sample the configured sites (model.py:5, model.py:12)
                [sites.a]
                       ^
            hint: say which: functions = ["model"] at the top of offsets.toml.
        """,
    ),
    Mistake(
        "parent sampled after its child",
        config='[sites.mu]\noffset = "a"\n',
        says="""
            offsets.toml:2:10: 'a' is sampled after 'mu' (line 8, after line 6) and can't be moved up: line 9 needs 'mu' of line 6
                offset = "a"
                         ^
            hint: an offset can only use what was sampled before; swap the two or drop one.
        """,
    ),
    Mistake(
        "cycle",
        config='[sites.mu]\noffset = "a"\n[sites.a]\noffset = "mu"\n',
        says="""
            offsets.toml:2:10: 'mu' and 'a' would each be offset by the other (offsets.toml:4)
                offset = "a"
                         ^
            hint: an offset can only use what was sampled before; keep one of the two.
        """,
    ),
    Mistake(
        "value with an unknown name",
        config='[sites.a.offset]\nx = { value = "tau * 2" }\n',
        says="""
            offsets.toml:2:15: there is no name 'tau' where 'a' is sampled (model.py:8)
                x = { value = "tau * 2" }
                              ^
            hint: known there: 'mu', 'n' and 'y'.
        """,
    ),
    Mistake(
        "coefficient named like a site",
        config='[sites.a]\noffset = "mu"\nname = "y"\n',
        says="""
            offsets.toml:2:10: the coefficient of 'mu' in 'a' would be named 'y', which the model has already
                offset = "mu"
                         ^
            hint: give it another name: { name = "..." }, or use {child} and {parent} in it.
        """,
    ),
    Mistake(
        "observed child",
        config='[sites.y]\noffset = "mu"\n',
        says="""
            model.py:9:9: 'y' is observed: there is nothing to reparameterize
                numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)
                ^
            hint: only latent sites can be offset; take it out of the config.
        """,
    ),
]

MODELS = [
    Mistake(
        "empty model",
        model="",
        says="""
            model.py: the model is empty
            hint: give it a function that samples a site, or name another file.
        """,
    ),
    Mistake(
        "model without numpyro",
        model="def model(x):\n    return x\n",
        says="""
            model.py: the model doesn't import numpyro
            hint: is it the right file?
        """,
    ),
    Mistake(
        "model without a function",
        model='import numpyro\n\nmu = numpyro.sample("mu", None)\n',
        says="""
            model.py: the model samples no site in any function
            hint: only calls inside functions count, of a numpyro.sample that the file imports.
        """,
    ),
    Mistake(
        "bracket without its end",
        model=PLAIN.replace("mu + a, 1)", "mu + a, 1"),
        says="""
            model.py:9:23: not valid Python: '(' was never closed
                numpyro.sample("y", dist.Normal(mu + a, 1, obs=y)
                              ^
            hint: the model must parse before it can be rewritten.
        """,
    ),
    Mistake(
        "header without a colon",
        model=PLAIN.replace("None):", "None)"),
        says="""
            model.py:5:21: not valid Python: expected ':'
                def model(n, y=None)
                                    ^
            hint: the model must parse before it can be rewritten.
        """,
    ),
    Mistake(
        "syntax error behind letters of two bytes",
        model=PLAIN.replace('"mu"', '"müü" = '),
        says="""
            model.py:6:25: not valid Python: expression cannot contain assignment, perhaps you meant "=="?
                mu = numpyro.sample("müü" = , dist.Normal(0, 1))
                                    ^
            hint: the model must parse before it can be rewritten.
        """,
    ),
    Mistake(
        "model is not Python",
        model='{"cells": [\n  "a" "b" 1\n]}\n',
        says="""
            model.py:2:3: not valid Python: invalid syntax. Perhaps you forgot a comma?
                "a" "b" 1
                ^
            hint: the model must parse before it can be rewritten.
        """,
    ),
    Mistake(
        "model is a picture",
        model=b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        says="""
            model.py:3:1: the file has a NUL byte
                ���
                ^
            hint: if it is UTF-16 text, save the file as UTF-8; otherwise it is not Python source.
        """,
    ),
    Mistake(
        "model in UTF-16",
        model=PLAIN.encode("utf-16"),
        says="""
            model.py: the file is UTF-16, which Python can't read
            hint: save the file as UTF-8.
        """,
    ),
    Mistake(
        "model in UTF-16 without a mark",
        model=PLAIN.encode("utf-16-be"),
        says="""
            model.py:1:1: the file has a NUL byte
                �i�m�p�o�r�t� �n�u�m�p�y�r�o�
                ^
            hint: if it is UTF-16 text, save the file as UTF-8; otherwise it is not Python source.
        """,
    ),
    Mistake(
        "model in Latin-1 that doesn't say so",
        model=PLAIN.replace('"y"', '"\xe9"').encode("latin-1"),
        says="""
            model.py:9:25: byte 0xe9 is not valid utf-8
                numpyro.sample("�", dist.Normal(mu + a, 1), obs=y)
                                ^
            hint: save the file as UTF-8, or declare its encoding in the first line: # -*- coding: latin-1 -*-
        """,
    ),
    Mistake(
        "model in an unknown encoding",
        model="# coding: klingon\n" + PLAIN,
        says="""
            model.py:1:3: Python knows no encoding 'klingon'
                # coding: klingon
                  ^
            hint: correct the declaration, or remove it and save the file as UTF-8.
        """,
    ),
    Mistake(
        "NUL byte",
        model=PLAIN.replace("n, y", "n\0, y"),
        says="""
            model.py:5:12: the file has a NUL byte
                def model(n�, y=None):
                           ^
            hint: if it is UTF-16 text, save the file as UTF-8; otherwise it is not Python source.
        """,
    ),
]

MISTAKES = [*OPTIONS, *PATHS, *OUTPUTS, *CONFIGS, *NAMES, *MODELS]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.shape)
def test_mistake(mistake: Mistake, tmp_path: Path) -> None:
    mistake.lay_out(tmp_path)
    before = snapshot(tmp_path)
    ran = shell(tmp_path, mistake.line)
    said = ran.err.replace(os.path.realpath(tmp_path), "HERE")
    assert "Traceback" not in said
    assert (ran.status, ran.out, said) == (2, b"", mistake.message)
    assert snapshot(tmp_path) == before


def test_mistakes_are_told_apart() -> None:
    assert len({mistake.shape for mistake in MISTAKES}) == len(MISTAKES)
