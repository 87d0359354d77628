"""The code that samples sites as what is standard normal given the data, as it is generated.

Each site is ``loc + R u`` with u standard normal a priori, and R the scale of its prior. What all
add to the location of the observations is Z u, of weights W and responses z: the precision of all
u given the data is Q = I + R' Z'WZ R / noise**2, and L'(u - mean) is standard normal, with
L L' = Q. That is lme4's form (Bates et al. 2015, doi:10.18637/jss.v067.i01, section 2), in which
nothing is divided by a scale, however small that is.

The data are in an .npz beside the generated file, which `fit` writes. Any data, and any scales,
give the same density of the sites: what they say only decides how good the coordinates are.
"""

from __future__ import annotations

#: What all forms share: the data, the scales, and how a site is sampled.
SHARED = '''\
class $name($reparam):
    """Samples sites as what is standard normal given data and those before.

    Each site is loc + R u, with the scale R of its prior. Of the data there
    are G = Z'WZ and h = Z'Wz, both divided by noise**2. $formula
    """

    def __init__(self, file, scales, noise=1.0, given=None):
        self.file, self.u, self.given = file, {}, given or {}
        self.by_name = all(self.drawn(site) is not None for site in scales)
        if self.by_name:
            return
        try:
            with $jnp.load($path(__file__).with_name(file)) as arrays:
                self.arrays = dict(arrays)
            sites = self.arrays["conditional.order"].tolist()
            if sites != list(scales):
                raise ValueError(f"it has {sites}")
            self.shapes, self.R = {}, {}
            for site, scale in scales.items():
                sizes = self.arrays[f"conditional.shapes.{site}"].tolist()
                *shape, columns = sizes
                if columns == 1:
                    scale = $jnp.ravel($jnp.broadcast_to(scale, shape))
                elif $jnp.ndim(scale) > 2:
                    scale = $jnp.broadcast_to(scale, (*shape, columns))
                    scale = scale.reshape(-1, columns, columns)
                self.shapes[site], self.R[site] = (*shape, columns), scale
        except Exception as error:
            wrong = f"'{file}' doesn't have what the data say ({error})"
            wrong += ": run 'reparam-rewrite fit' again"
            raise ValueError(wrong) from error
        self.weights = $jnp.append($jnp.asarray(noise), 1.0) ** -2$prepare

    @staticmethod
    def drawn(name):
        """A draw of a site itself, if there is one: it counts."""
        given = {"name": name, "value": None}
        asked = $scope, $substitute
        for handler in reversed($stack):
            if isinstance(handler, asked):
                drawn = isinstance(handler, $substitute)
                given["type"] = "mutable" if drawn else "deterministic"
                handler.process_message(given)
        return given["value"]

    def over(self, name):
        """An array of the data, each observation by its noise."""
        array = self.arrays[f"conditional.{name}"]
        return $jnp.tensordot(self.weights[: len(array)], array, 1)

    def __call__(self, name, fn, obs):
        drawn = self.drawn(name)
        if self.by_name:
            return None, drawn
        shape, (*expected, _) = fn.shape(), self.shapes[name]
        if list(shape) != expected:
            wrong = f"'{name}' has the shape {shape}, not {tuple(expected)}"
            wrong += f" as in '{self.file}': run 'reparam-rewrite fit' again"
            raise ValueError(wrong)
        standard, value = self.standard(fn)
        rows = $rows(*self.rows(name))
        base = $dist.TransformedDistribution(standard, rows)
        u = rows.inv($numpyro.sample(f"{name}_base", base))
        self.u[name] = $jnp.ravel(u)
        return None, value(u) if drawn is None else drawn

    @staticmethod
    def standard(fn):
        """The distribution of u, and loc + R u."""
        shape, dims = fn.shape(), fn.event_dim
        while isinstance(fn, ($dist.Independent, $dist.ExpandedDistribution)):
            fn = fn.base_dist
        if not fn.event_dim:
            said = {name: getattr(fn, name) for name in fn.arg_constraints}
            loc, scale = said["loc"], said["scale"]
            said |= {"loc": $jnp.zeros_like(loc), "scale": $jnp.ones_like(scale)}
            standard = type(fn)(**said).expand(shape).to_event(dims)
            return standard, lambda u: loc + scale * u
        standard = $dist.Normal(0.0, 1.0).expand(shape).to_event(dims)
        if isinstance(fn, $dist.GaussianRandomWalk):
            scale = $jnp.expand_dims(fn.scale, -1)
            return standard, lambda u: scale * $jnp.cumsum(u, -1)
        tril = fn.scale_tril
        return standard, lambda u: fn.loc + (tril @ u[..., None])[..., 0]

    @staticmethod
    def upper(Q):
        """U of Q = U U'."""
        if Q.shape[-1] == 1:
            return $jnp.sqrt(Q)
        return $jnp.linalg.cholesky(Q[..., ::-1, ::-1])[..., ::-1, ::-1]

    @staticmethod
    def inverse(U):
        """U's inverse, for each row."""
        if U.shape[-1] == 1:
            return 1 / U
        one = $jnp.broadcast_to($jnp.eye(U.shape[-1]), U.shape)
        return $solve(U, one)

    @staticmethod
    def times(A, x):
        """A x, for each row."""
        return A * x if A.shape[-1] == 1 else A @ x'''

#: The precision of all u at once: the last sites, of the same rows, are eliminated row by row.
EXACT_FORMULA = """The precision
    of all u is Q = I + R'GR = U U', and base = U'u - y, where U y = R'h."""

EXACT_PREPARE = """
        split = len(scales) - int(self.arrays["conditional.blocks"])
        self.dense, self.blocks = list(scales)[:split], list(scales)[split:]
        self.factor()"""

EXACT = '''

    def factor(self):
        """U and y: of the dense part, of each block, and what is across."""
        h, h_blocks = self.over("h"), self.over("h_blocks")
        self.at, start, count = {}, 0, len(h_blocks)
        for site in self.dense + self.blocks:
            start = 0 if site == self.blocks[0] else start
            size = $math.prod(self.shapes[site][:-1])
            size = size if site in self.dense else size // count
            self.at[site] = slice(start, start := start + size)

        def dense(x):
            """x R, along the last axis."""
            parts = [self.scaled(x[..., self.at[s]], s) for s in self.dense]
            return $jnp.concatenate([*parts, x[..., :0]], -1)

        def blocks(x):
            """x R, along the last two axes: of rows and columns."""
            parts = []
            for site in self.blocks:
                part = x[..., self.at[site]]
                flat = part.reshape(*x.shape[:-2], count * part.shape[-1])
                flat = self.scaled(flat, site)
                parts.append(flat.reshape(part.shape))
            return $jnp.concatenate(parts, -1)

        def precision(Q):
            """I + Q, and what rounding takes where noise is small."""
            own = $jnp.diagonal(Q, axis1=-2, axis2=-1)[..., None]
            lost = 8 * $jnp.finfo(Q.dtype).eps * own
            return Q + (1 + lost) * $jnp.eye(Q.shape[-1])

        for site, value in self.given.items():
            known = self.over(f"given.{site}") @ $jnp.ravel(value)
            h = h - known[: len(h)]
            h_blocks = h_blocks - known[len(h) :].reshape(h_blocks.shape)
        Q = $jnp.moveaxis(self.over("G_blocks"), 1, 0)
        Q = $jnp.moveaxis(blocks(blocks(Q).swapaxes(0, 2)), 0, 1)
        Q_across = dense($jnp.moveaxis(blocks(self.over("G_across")), 0, 2))
        self.U_blocks = self.upper(precision(Q))
        self.inverses = self.inverse(self.U_blocks)
        self.across = self.times(self.inverses, Q_across)
        y = self.times(self.inverses, blocks(h_blocks)[..., None])
        self.y_blocks = y[..., 0]
        C = self.across.reshape(y.size, len(h))
        Q = dense(dense(self.over("G")).T)
        self.U = self.upper(precision(Q) - C.T @ C)
        self.y = $solve(self.U, dense(h) - C.T @ $jnp.ravel(y))

    def scaled(self, x, site):
        """x R, for an x whose last axis has the elements of a site."""
        R, columns = self.R[site], self.shapes[site][-1]
        if columns == 1:
            return x * R
        rows = x.reshape(*x.shape[:-1], x.shape[-1] // columns, 1, columns)
        return (rows @ R).reshape(x.shape)

    def rows(self, name):
        """U and y of a site given those before: of each row."""
        own, blocks = self.at[name], name in self.blocks
        y = self.y_blocks[:, own] if blocks else self.y[None, own]
        for site, u in self.u.items():
            at = self.at[site]
            if site in self.blocks:
                u = u.reshape(len(y), -1)
                y = y - $jnp.einsum("nji,nj->ni", self.U_blocks[:, at, own], u)
            elif blocks:
                y = y - self.across[:, own, at] @ u
            else:
                y = y - u @ self.U[at, own]
        if blocks:
            return self.U_blocks[:, own, own], y, self.inverses[:, own, own]
        U = self.U[None, own, own]
        return (U, y, 1 / U) if U.size == 1 else (U, y)'''

#: One site after another, with those after it as noise: each row has a precision of its own.
SEQUENTIAL_FORMULA = """Where a row of a site
    meets rows of those after it in g = G of the two, these are noise:
        V = G + sum g R R'g',    Q = I + R'G inv(V) G R = U U',
        base = U'u - y,    U y = R'G inv(V) (h - G R u of those before)."""

SEQUENTIAL = '''

    def rows(self, name):
        """U and y of each row of a site, given those before."""
        at = list(self.R).index(name)
        G, V = self.over(f"{name}.G"), self.over(f"{name}.V")
        h = self.over(f"{name}.h")[..., None]
        for later in list(self.R)[at + 1 :]:
            rows, columns, g = self.meeting(name, later)
            noise = g @ self.matrices(later)[columns]
            V = V.at[rows].add(noise @ noise.mT)
        for before, u in self.u.items():
            rows, columns, g = self.meeting(before, name)
            R = self.matrices(before)
            d = R @ u.reshape(len(R), -1, 1)
            h = h.at[columns].add(-g.mT @ d[rows])
        for other, value in self.given.items():
            rows, columns, g = self.meeting(name, f"given.{other}")
            h = h.at[rows].add(-g @ $jnp.ravel(value)[columns, None, None])
        inverse = self.inverse(self.upper(V))
        Q = self.times(inverse, G) @ self.matrices(name)
        y = Q.mT @ self.times(inverse, h)
        U = self.upper($jnp.eye(G.shape[-1]) + Q.mT @ Q)
        inverse = self.inverse(U)
        return U, self.times(inverse, y)[..., 0], inverse

    def meeting(self, one, other):
        """Which rows of two sites meet in observations, and G of these."""
        key = f"conditional.{one}.{other}"
        at = [self.arrays[f"{key}.{axis}"] for axis in ("rows", "columns")]
        return *at, self.over(f"{one}.{other}.values")

    def matrices(self, site):
        """R of each row of a site: on the diagonal, if that has several."""
        R, k = self.R[site], self.arrays[f"conditional.{site}.G"].shape[-1]
        *shape, columns = self.shapes[site]
        size, each = $math.prod(shape) // columns, $jnp.eye(k // columns)
        R = R.reshape(-1, columns, columns)
        R = $jnp.broadcast_to(R, (size, columns, columns))
        R = R.reshape(-1, k // columns, columns, columns)
        return $jnp.einsum("nmij,ml->nmilj", R, each).reshape(-1, k, k)'''

#: Full tables: rotated axes fall apart into strata, in which all contrasts are alike.
ROTATED_FORMULA = """Axes of full
    tables are rotated into their means and contrasts. These are strata, with
    one Q = I + R'GR = U U' for all rows of each: base = U'u - y, U y = R'h."""

ROTATED_PREPARE = """
        self.factor()"""

ROTATED = '''

    def factor(self):
        """U and y of each stratum, and where it has its sites."""
        self.axes, h, start = {}, {}, 0
        known = self.over("h")
        for site, value in self.given.items():
            known = known - self.over(f"given.{site}") @ $jnp.ravel(value)
        for site, (*shape, _) in self.shapes.items():
            self.axes[site] = self.arrays[f"conditional.axes.{site}"].tolist()
            end = start + $math.prod(shape)
            h[site], start = known[start:end].reshape(shape), end
        self.strata, self.rotated = {}, {}
        head = "conditional.strata."
        for key in [key for key in self.arrays if key.startswith(head)]:
            stratum = tuple(sign == "1" for sign in key.removeprefix(head))
            own = [site for site in h if self.within(site, stratum)]
            R = $block_diag(*map(self.matrix, own))
            right = [self.part(h[site], site, stratum) for site in own]
            right = $jnp.concatenate(right, -1) @ R
            Q = R.T @ self.over(key.removeprefix("conditional.")) @ R
            Q = Q + 8 * $jnp.finfo(Q.dtype).eps * $jnp.diag($jnp.diag(Q))
            U = self.upper($jnp.eye(len(Q)) + Q)
            at, begin = {}, 0
            for site in own:
                size = len(self.matrix(site))
                at[site], begin = slice(begin, begin + size), begin + size
            inverse = self.inverse(U)
            self.strata[stratum] = at, U, inverse, right @ inverse.T

    def within(self, site, stratum):
        """Has a site all axes whose contrasts are in a stratum?"""
        both = zip(self.axes[site], stratum)
        return all(dim >= 0 for dim, contrasts in both if contrasts)

    def own(self, site, stratum):
        """A site's axes, and which have contrasts in a stratum."""
        both = zip(self.axes[site], stratum)
        both = [(dim, one) for dim, one in both if dim >= 0]
        return tuple(dim for dim, _ in both), tuple(one for _, one in both)

    def part(self, x, site, stratum):
        """The rows of a stratum, of what a site has in rotated axes."""
        axes, signs = self.own(site, stratum)
        x = $jnp.moveaxis(x, axes, tuple(range(len(axes))))[$rows.place(signs)]
        rows = $math.prod(x.shape[: sum(signs)])
        return x.reshape(rows, -1)

    def matrix(self, site):
        """R of the elements that aren't in rotated axes."""
        *shape, columns = self.shapes[site]
        axes, _ = self.own(site, self.axes[site])
        shape = shape if columns == 1 else shape[:-1]
        R = self.R[site].reshape(-1, columns, columns)
        R = $jnp.broadcast_to(R, ($math.prod(shape), columns, columns))
        R = R.reshape(*shape, columns, columns)
        R = $jnp.moveaxis(R, axes, tuple(range(len(axes))))[(0,) * len(axes)]
        R = R.reshape(-1, columns, columns)
        k = len(R) * columns
        return $jnp.einsum("mij,ml->milj", R, $jnp.eye(len(R))).reshape(k, k)

    def rows(self, name):
        """U and y of a site in each stratum, given those before."""
        for site in self.u.keys() - self.rotated.keys():
            axes, _ = self.own(site, self.axes[site])
            u = self.u[site].reshape(self.shapes[site][:-1])
            self.rotated[site] = $rows.rotated(u, axes)
        parts, strata, axes = [], [], ()
        for stratum, (at, U, inverse, y) in self.strata.items():
            if name not in at:
                continue
            own, y = at[name], y[:, at[name]]
            for site, u in self.rotated.items():
                if site in at:
                    y = y - self.part(u, site, stratum) @ U[at[site], own]
            axes, signs = self.own(name, stratum)
            parts.append((U[own, own], inverse[own, own], y))
            strata.append(signs)
        return parts, axes, tuple(strata)'''

#: What the texts call, by the names that they have for it.
CALLED = {
    "block_diag": "jax.scipy.linalg.block_diag",
    "constraints": "numpyro.distributions.constraints",
    "dist": "numpyro.distributions",
    "jnp": "jax.numpy",
    "math": "math",
    "numpyro": "numpyro",
    "path": "pathlib.Path",
    "reparam": "numpyro.infer.reparam.Reparam",
    "scope": "numpyro.handlers.scope",
    "solve": "jax.scipy.linalg.solve_triangular",
    "stack": "numpyro.primitives._PYRO_STACK",
    "substitute": "numpyro.handlers.substitute",
    "transform": "numpyro.distributions.transforms.Transform",
}

#: The classes, by form.
FORMS = {
    "exact": SHARED.replace("$formula", EXACT_FORMULA).replace("$prepare", EXACT_PREPARE) + EXACT,
    "sequential": SHARED.replace("$formula", SEQUENTIAL_FORMULA).replace("$prepare", "")
    + SEQUENTIAL,
    "rotated": SHARED.replace("$formula", ROTATED_FORMULA).replace("$prepare", ROTATED_PREPARE)
    + ROTATED,
}
