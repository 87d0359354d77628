"""From the tables that tomllib read to a `Config`, collecting every problem on the way.

Tables are read one by one and key by key, so that each problem has the place of the very key or
value that causes it. What is wrong is left out and reading goes on; a check that would only repeat
an earlier problem in other words is skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reparam_rewrite.bases import BASES, KindName
from reparam_rewrite.config import allowed_values as allowed
from reparam_rewrite.config import keys as typed
from reparam_rewrite.config.allowed_values import Wrong, checked, found
from reparam_rewrite.config.rules import (
    AxesRule,
    BasisRule,
    CenteredRule,
    ConditionalRule,
    Config,
    ParentRule,
    ReparamRule,
    ScaleRule,
    SiteRule,
    VerifyRule,
    Written,
)
from reparam_rewrite.config.tables import Tables
from reparam_rewrite.config.toml_places import KeyPath, header
from reparam_rewrite.messages import Named, Place


class Reader(Tables):
    """Reads one file; `problems` gathers what is wrong with it."""

    # By site, those that share a chain with it; None where the chains could not be read.
    companions: dict[str, set[str]] | None = None
    effects: frozenset[str] = frozenset()  # the sites of `conditional`

    def config(self) -> Config:
        """The config, incomplete where there are `problems`."""
        self.refuse_unknown((), self.raw, typed.ConfigTable)
        chains = self.chains()
        if not self.problems:
            self.companions = {}
            for names in ({entry.name for entry in chain} for chain in chains):
                for name in names:
                    self.companions.setdefault(name, set()).update(names - {name})
        functions = self.functions()
        defaults = typed.Settings(
            **self.given(("defaults",), self.table("defaults"), typed.Settings)
        )
        conditional = self.conditional(chains)
        self.effects = frozenset(one.name for one in (conditional.order if conditional else ()))
        rules = [self.site(name, raw) for name, raw in self.table("sites").items()]
        does = chains or rules or conditional
        if not (self.problems or does) and self.raw.get("chain") != []:
            self.wrong(
                Place(self.path, 1, 1),
                "the config configures nothing: it has no 'chain', 'conditional' or [sites.<site>]",
                'write, for example, [sites.a] and under it offset = "mu".',
            )
        sites = {rule.name: rule for rule in rules if rule}
        return Config(
            path=self.path,
            text=self.text,
            functions=functions,
            chains=chains,
            defaults=defaults,
            sites=sites,
            axes=self.axes(),
            verify=self.verify(),
            conditional=conditional,
        )

    def axes(self) -> dict[str, AxesRule]:
        """``axes = { A = ["i", "t"] }``"""
        rules = {}
        for site, raw in self.table("axes").items():
            place = self.at("axes", site)
            if not isinstance(raw, list) or not all(isinstance(name, str) for name in raw):
                message = f"the axes of '{site}' must be an array of strings"
                self.wrong(place, message, f'write {site} = ["i", "t"].')
            elif len(set(raw)) < len(raw):
                self.wrong(place, f"the axes of '{site}' have one name twice")
            else:
                rules[site] = AxesRule(place, tuple(raw))
        return rules

    def verify(self) -> VerifyRule:
        """``[verify]`` with ``args``, ``predict_args`` and ``function``"""
        given = self.given(("verify",), self.table("verify"), typed.VerifyTable)
        for key, value in given.items():
            if not value.strip():
                self.wrong(self.at("verify", key), f"'{key}' is empty")
            elif key == "function":
                self.attempt(self.at("verify", key), allowed.function_name, value)
        return VerifyRule(**given)

    def functions(self) -> tuple[Named, ...]:
        raw = self.raw.get("functions")
        if raw is None:
            return ()
        if not isinstance(raw, list):
            message = f"'functions' must be an array of strings, not {found(raw)}"
            self.wrong(self.at("functions"), message, 'write functions = ["model"].')
            return ()
        if not raw:
            hint = "leave it out to rewrite the only function that samples the sites."
            self.wrong(self.at("functions"), "'functions' is empty", hint)
        return self.names(("functions",), raw, allowed.function_name)

    def chains(self) -> tuple[tuple[Named, ...], ...]:
        raw = self.raw.get("chain", [])
        if not isinstance(raw, list):
            message = f"'chain' must be an array, not {found(raw)}"
            self.wrong(self.at("chain"), message, 'write chain = ["mu", "a"].')
            return ()
        if not raw:
            return ()  # which says that nothing is meant
        nested = [isinstance(entry, list) for entry in raw]
        if not any(nested):
            return (self.chain(("chain",), raw),)
        if not all(nested):
            self.wrong(
                self.at("chain", nested.index(not nested[0])),
                "'chain' mixes the names of one chain with arrays, which are several chains",
                'write chain = [["mu", "a"], ["nu", "b"]] for several.',
            )
            return ()
        return tuple(self.chain(("chain", i), names) for i, names in enumerate(raw))

    def chain(self, keys: KeyPath, raw: list[Any]) -> tuple[Named, ...]:
        if len(raw) < 2:
            hint = "each site of a chain is offset by those that are sampled before it."
            self.wrong(self.at(*keys), "a chain needs at least two sites", hint)
        return self.names(keys, raw, allowed.site_name)

    def conditional(self, chains: tuple[tuple[Named, ...], ...]) -> ConditionalRule | None:
        """``conditional = ["mu", "a"]``, or a table that has these as its `order`"""
        if "conditional" not in self.raw:
            return None
        raw, place = self.raw["conditional"], self.key("conditional")
        if isinstance(raw, list):
            return ConditionalRule(place, self.effects_of(("conditional",), raw, chains))
        if not isinstance(raw, dict):
            message = f"'conditional' must be an array of strings or a table, not {found(raw)}"
            self.wrong(self.at("conditional"), message, 'write conditional = ["mu", "a"].')
            return None
        keys = ("conditional",)
        lists = {key: raw[key] for key in ("order", "given") if isinstance(raw.get(key), list)}
        self.refuse_unknown(keys, raw, typed.ConditionalTable)
        plain = {key: raw[key] for key in raw if key != "noise" and key not in lists}
        said = self.values(keys, plain, typed.ConditionalTable)
        if "order" not in raw:
            self.wrong(place, "[conditional] has no 'order'", 'write order = ["mu", "a"].')
        order = self.effects_of((*keys, "order"), lists.get("order", ["?"]), chains)
        given = self.names((*keys, "given"), lists.get("given", []), allowed.site_name)
        noise = {
            site: Written(text, self.at(*keys, "noise", site))
            for site, text in self.expressions((*keys, "noise"), raw.get("noise", {})).items()
        }
        if lists.get("given") == []:
            self.wrong(self.at(*keys, "given"), "'given' names no site", "leave it out.")
        both = {one.name for one in order}
        for one in given:
            if one.name in both:
                self.wrong(one.place, f"'{one.name}' is in 'order' too", "take one of them out.")
        at = self.at(*keys, "data") if "data" in raw else None
        data = said.get("data", "")
        return ConditionalRule(place, order, said.get("form"), data, at, noise, given)

    def effects_of(
        self, keys: KeyPath, raw: list[Any], chains: tuple[tuple[Named, ...], ...]
    ) -> tuple[Named, ...]:
        """The sites of `conditional`, none of which a chain may offset too."""
        if not raw:
            hint = "name the sites in the order in which they are to be sampled."
            self.wrong(self.at(*keys), "'conditional' names no site", hint)
        names = self.names(keys, raw, allowed.site_name) if raw != ["?"] else ()
        offset = {one.name for chain in chains for one in chain[1:]}
        for one in names:
            if one.name in offset:
                hint = "take it out of one of the two."
                self.wrong(one.place, f"'{one.name}' is offset by a chain too", hint)
        return names

    # -- [sites.<site>] --------------------------------------------------------------------------

    def site(self, name: str, raw: Any) -> SiteRule | None:
        keys = ("sites", name)
        place = self.key(*keys)
        before = len(self.problems)
        if not self.is_table(keys, raw) or self.attempt(place, allowed.site_key, name) is None:
            return None
        self.refuse_unknown(keys, raw, typed.SiteTable)
        overrides = self.values(keys, raw, typed.Settings)
        parents = self.parents(name, raw["offset"]) if "offset" in raw else ()
        in_no_chain = self.companions is not None and name not in self.companions
        does = raw.keys() & {"offset", "scale", "scale_tril", "centered", "basis", "reparam"}
        effect = self.effect(name, raw, does)
        in_no_chain = in_no_chain and name not in self.effects
        if not does and in_no_chain and len(self.problems) == before:
            self.wrong(
                place,
                f"{header(*keys)} configures nothing: '{name}' has no 'offset' and is in no chain",
                "add an offset, or add the site to a chain.",
            )
        tril = self.tril(name, raw)
        scale = self.scale(name, raw["scale"]) if "scale" in raw else tril
        if "scale" in raw and "scale_tril" in raw:
            message = "'scale' and 'scale_tril' both say what the scale of the base is"
            self.wrong(self.key(*keys, "scale_tril"), message, "take one of them out.")
        centered = self.centered(name, raw) if "centered" in raw else None
        basis = self.basis(name, raw["basis"]) if "basis" in raw else None
        reparam = self.reparam(name, raw)
        return SiteRule(name, place, parents, scale, basis, reparam, overrides, effect, centered)

    def effect(self, name: str, raw: dict[str, Any], does: set[str]) -> Written | None:
        """``[sites.a.conditional]`` with a ``scale``, beside which nothing else is done to a."""
        keys = ("sites", name, "conditional")
        for key in sorted(does) if name in self.effects else ():
            hint = "take the site out of 'conditional', or leave this out."
            message = f"'{name}' is in 'conditional', which takes the whole site"
            self.wrong(self.key("sites", name, key), message, hint)
        if "conditional" not in raw:
            return None
        if name not in self.effects:
            message = f"'{name}' isn't in 'conditional'"
            self.wrong(self.key(*keys), message, "add it there, or take this out.")
        if not self.is_table(keys, raw["conditional"]):
            return None
        said = self.given(keys, raw["conditional"], typed.EffectTable)
        return Written(said["scale"], self.at(*keys, "scale")) if "scale" in said else None

    def scale(self, child: str, raw: Any) -> ScaleRule | None:
        """``0.5``, ``"1 / sigma"``, ``{ init = 1.0 }`` or ``{ by = "sigma", power = 0.5 }``"""
        keys = ("sites", child, "scale")
        place = self.at(*keys)
        if not isinstance(raw, dict):
            value = self.attempt(place, checked, "scale", typed.Factor, raw)
            return None if value is None else ScaleRule(place, value)
        before = len(self.problems)
        self.refuse_unknown(keys, raw, typed.ScaleTable)
        others = {key: value for key, value in raw.items() if key != "power"}
        given = self.values(keys, others, typed.ScaleTable)
        if given.get("init", 1.0) <= 0:
            self.wrong(self.at(*keys, "init"), "a scale must be above 0")
        power: Any = raw.get("power", 1.0)
        if isinstance(power, dict):
            power = typed.PowerTable(**self.given((*keys, "power"), power, typed.PowerTable))
        elif "power" in raw:
            power = self.attempt(self.at(*keys, "power"), checked, "power", typed.Power, power)
        by = given.pop("by", "")
        if "by" in raw:
            if isinstance(raw["by"], str):
                self.attempt(self.at(*keys, "by"), self.parent_name(child), by)
            for key in given:
                hint = "with 'by' the scale is a power of that site; only 'power' can be learned."
                self.wrong(self.key(*keys, key), f"'{key}' does nothing beside 'by'", hint)
        elif "power" in raw:
            hint = 'write { by = "sigma", power = 0.5 }.'
            self.wrong(self.key(*keys, "power"), "'power' needs 'by'", hint)
        if len(self.problems) > before:
            return None
        return ScaleRule(place, None, typed.ScaleTable(**given), by, power)

    def tril(self, child: str, raw: dict[str, Any]) -> ScaleRule | None:
        """``scale_tril = true`` or ``"L"``"""
        if "scale_tril" not in raw:
            return None
        place, given = self.at("sites", child, "scale_tril"), raw["scale_tril"]
        value = self.attempt(place, checked, "scale_tril", typed.Tril, given)
        if value is None or "scale" in raw:
            return None
        return ScaleRule(place, value if isinstance(value, str) else None, is_matrix=True)

    def centered(self, child: str, raw: dict[str, Any]) -> CenteredRule | None:
        """``0.5`` or ``{ init = 0.5 }``, beside which there is no other scale"""
        keys = ("sites", child, "centered")
        place, value = self.at(*keys), raw["centered"]
        for key in sorted({"scale", "scale_tril"} & raw.keys()):
            message = f"'centered' and '{key}' both say what the scale of the base is"
            self.wrong(self.key(*keys), message, "take one of them out.")
            return None
        if isinstance(value, dict):
            table = typed.CenteredTable(**self.given(keys, value, typed.CenteredTable))
            return CenteredRule(place, table)
        number = self.attempt(place, checked, "centered", typed.Centered, value)
        return None if number is None else CenteredRule(place, number)

    def basis(self, child: str, raw: Any) -> BasisRule | None:
        """``"dct"`` or ``{ kind = "dct", dim = -1, smooth = 1.0 }``"""
        keys = ("sites", child, "basis")
        place = self.at(*keys)
        if not isinstance(raw, dict):
            kind = self.attempt(place, checked, "basis", KindName, raw)
            return None if kind is None else BasisRule(place, kind)
        before = len(self.problems)
        given = self.given(keys, raw, typed.BasisTable)
        if "kind" not in raw:
            known = " or ".join(f'"{kind}"' for kind in BASES)
            self.wrong(place, "the basis has no 'kind'", f"write kind = {known}.")
        for kind, basis in BASES.items():
            key = basis.setting.name
            if key in given and given.get("kind", kind) != kind:
                self.wrong(self.key(*keys, key), f"'{key}' belongs to the basis \"{kind}\"")
        if len(self.problems) > before:
            return None
        kind, dim = given.pop("kind"), given.pop("dim", -1)
        dims = tuple(dim) if isinstance(dim, list) else (dim,)
        return BasisRule(place, kind, dims, given)

    def reparam(self, child: str, raw: dict[str, Any]) -> ReparamRule | None:
        """``reparam = "LocScaleReparam"`` with ``args``, or ExplicitReparam with a transform."""
        keys = ("sites", child)
        if "reparam" not in raw:
            for key in {"args", "transform"} & raw.keys():
                hint = 'name the class: reparam = "LocScaleReparam".'
                self.wrong(self.key(*keys, key), f"'{key}' needs 'reparam'", hint)
            return None
        place = self.at(*keys, "reparam")
        name = self.attempt(place, checked, "reparam", typed.ClassName, raw["reparam"])
        if name is None:
            return None
        for key in {"offset", "scale", "scale_tril", "centered", "basis"} & raw.keys():
            hint = f"{name} takes the whole site; leave one of the two out."
            self.wrong(self.key(*keys, key), f"'{key}' can't go with 'reparam'", hint)
        if child in (self.companions or ()):
            hint = "take the site out of the chain, or leave 'reparam' out."
            self.wrong(place, f"'{child}' is in a chain, so it can't have 'reparam' too", hint)
        args = raw.get("args", {})
        if not self.is_table((*keys, "args"), args):
            return None
        for key in args:
            self.attempt(self.key(*keys, "args", key), allowed.reparam_argument, name, key)
        if ("transform" in raw) is not (name == "ExplicitReparam"):
            hint = 'write transform = "dist.transforms.SoftplusTransform().inv", for example.'
            self.wrong(place, "'ExplicitReparam' and 'transform' go together", hint)
        transform, transform_place = None, None
        if "transform" in raw:
            transform_place = self.at(*keys, "transform")
            given = raw["transform"]
            transform = self.attempt(transform_place, checked, "transform", typed.Expression, given)
        return ReparamRule(place, name, args, transform or "", transform_place)

    def parents(self, child: str, raw: Any) -> tuple[ParentRule, ...]:
        """The `offset` of a site, in any of its forms."""
        keys = ("sites", child, "offset")
        place = self.at(*keys)
        if isinstance(raw, str):
            named = self.attempt(place, self.parent_name(child), raw) is not None
            return (ParentRule(raw, place),) if named else ()
        if not isinstance(raw, (dict, list)):
            message = "'offset' must be a string, an array of strings or a table"
            hint = f"name the site that '{child}' is to be sampled around: offset = \"mu\"."
            self.wrong(place, f"{message}, not {found(raw)}", hint)
            return ()
        if not raw:
            hint = f"name what '{child}' is offset by, or leave 'offset' out."
            self.wrong(place, f"the 'offset' of '{child}' is empty", hint)
        if isinstance(raw, list):
            names = self.names(keys, raw, self.parent_name(child))
            return tuple(ParentRule(one.name, one.place) for one in names)
        rules = [self.parent(child, parent, entry) for parent, entry in raw.items()]
        return tuple(rule for rule in rules if rule)

    def parent(self, child: str, parent: str, raw: Any) -> ParentRule | None:
        """[sites.<child>.offset.<parent>], most often an inline table; or `<parent> = false`."""
        keys = ("sites", child, "offset", parent)
        place = self.key(*keys)
        if raw is False:
            if self.attempt(place, self.parent_name(child), parent) is not None:
                self.check_dropped(child, parent, place)
            return ParentRule(parent, place, keep=False)
        if not isinstance(raw, dict):
            hint = f"write {header(parent)[1:-1]} = {{}} for an offset with every default."
            if parent in typed.keys_of(typed.ParentTable):
                hint = (
                    "the keys of 'offset' are the parents; a parent's settings are a table: "
                    f"mu = {{ {parent} = ... }}, and those of every parent go in "
                    f"{header('sites', child)}."
                )
            given = "true" if raw is True else found(raw)
            self.wrong(self.at(*keys), f"'{parent}' must be a table or false, not {given}", hint)
            return None
        self.refuse_unknown(keys, raw, typed.ParentTable)
        # Beside a value the parent is a label, which need not be a site.
        if "value" not in raw:
            self.attempt(place, self.parent_name(child), parent)
        elif not parent:
            self.wrong(place, "the name of a parent is empty")
        overrides = self.values(keys, raw, typed.ParentTable)
        own = ("value", "center", "per", "weight")
        said = {key: overrides.pop(key) for key in own if key in overrides}
        places = {key: self.at(*keys, key) for key in said}
        rule = ParentRule(parent, place, **said, places=places, overrides=overrides)
        if rule.per is not None and not rule.is_frozen and "value" not in raw:
            hint = 'write { value = "s[state]", per = "county" }, for example.'
            message = "'per' needs a 'value': what each observation gets of the parent"
            self.wrong(self.key(*keys, "per"), message, hint)
        if rule.weight is not None and (rule.is_frozen or "value" not in raw):
            message = "'weight' needs a 'value': what each observation gets of the parent"
            if rule.is_frozen:
                message = f"'weight' does nothing beside {rule.per}, which has the weights"
            self.wrong(self.key(*keys, "weight"), message, "take one of them out.")
        return rule

    def parent_name(self, child: str) -> Callable[[str], str]:
        """The check of the name of a site that `child` is to be offset by."""

        def check(name: str) -> str:
            if name == child:
                hint = "name a site that is sampled before it, or take it out."
                raise Wrong(f"'{child}' cannot be offset by itself", hint)
            return allowed.site_name(name)

        return check

    def check_dropped(self, child: str, parent: str, place: Place) -> None:
        """`b = false` that drops nothing is a mistake in one of the two names."""
        if self.companions is None or parent in self.companions.get(child, ()):
            return
        message = f"there is no '{parent}' to drop: it is in no chain with '{child}'"
        hint = allowed.meant(parent, self.companions.get(child, ()))
        if child not in self.companions:
            message = f"there is no '{parent}' to drop: '{child}' is in no chain"
            hint = "without a chain, leave out the parents that are not wanted."
        self.wrong(place, message, hint)
