"""How many seeds germinate on 21 plates, by kind of seed and root extract with their interaction
(Crowder 1978). After the example of BUGS."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(N, x1, x2, r=None):
    alpha0 = numpyro.sample("alpha0", dist.Normal(0, 10))
    alpha1 = numpyro.sample("alpha1", dist.Normal(0, 10))
    alpha2 = numpyro.sample("alpha2", dist.Normal(0, 10))
    alpha12 = numpyro.sample("alpha12", dist.Normal(0, 10))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    with numpyro.plate("plates", 21):
        b = numpyro.sample("b", dist.Normal(0, sigma))
        eta = alpha0 + alpha1 * x1 + alpha2 * x2 + alpha12 * x1 * x2 + b
        numpyro.sample("r", dist.BinomialLogits(eta, total_count=N), obs=r)


def example_args():
    r = [10, 23, 23, 26, 17, 5, 53, 55, 32, 46, 10, 8, 10, 8, 23, 0, 3, 22, 15, 32, 3]
    n = [39, 62, 81, 51, 39, 6, 74, 72, 51, 79, 13, 16, 30, 28, 45, 4, 12, 41, 30, 51, 7]
    x1 = np.repeat([0.0, 1.0], [11, 10])
    x2 = np.repeat([0.0, 1.0, 0.0, 1.0], [5, 6, 5, 5])
    return (np.array(n), x1, x2), {"r": np.array(r)}
