"""The distributions of NumPyro 0.22: supports, arguments, event dims.

Written by tests/support/make_families.py; a test compares it with the installed NumPyro.
"""

from __future__ import annotations

from typing import NamedTuple


class Family(NamedTuple):
    """One distribution class, or one of the functions that build one.

    `support` is the name in `numpyro.distributions.constraints` where the class fixes it, else
    "dependent" (bounds or sizes come from the arguments), "discrete" or "atomic" (not a density
    on an open set). `arguments` are the names of the constructor's parameters in order, each with
    the number of its event dims, or None where that isn't known. `event_dim` is None where the
    arguments decide it.
    """

    support: str
    event_dim: int | None
    arguments: tuple[tuple[str, int | None], ...]


# fmt: off
FAMILIES: dict[str, Family] = {
    "AsymmetricLaplace": Family("real", 0, (("loc", 0), ("scale", 0), ("asymmetry", 0),)),
    "AsymmetricLaplaceQuantile": Family("real", 0, (("loc", 0), ("scale", 0), ("quantile", 0),)),
    "Bernoulli": Family("discrete", None, (("probs", None), ("logits", None),)),
    "BernoulliLogits": Family("discrete", 0, (("logits", 0),)),
    "BernoulliProbs": Family("discrete", 0, (("probs", 0),)),
    "Beta": Family("unit_interval", 0, (("concentration1", 0), ("concentration0", 0),)),
    "BetaBinomial": Family("discrete", 0, (("concentration1", 0), ("concentration0", 0), ("total_count", 0),)),
    "BetaNegativeBinomial": Family("discrete", 0, (("concentration1", 0), ("concentration0", 0), ("n", 0),)),
    "BetaProportion": Family("unit_interval", 0, (("mean", 0), ("concentration", 0),)),
    "Binomial": Family("discrete", None, (("total_count", None), ("probs", None), ("logits", None),)),
    "BinomialLogits": Family("discrete", 0, (("logits", 0), ("total_count", 0),)),
    "BinomialProbs": Family("discrete", 0, (("probs", 0), ("total_count", 0),)),
    "CAR": Family("real_vector", 1, (("loc", 1), ("correlation", 0), ("conditional_precision", 0), ("adj_matrix", 2), ("is_sparse", None),)),
    "Categorical": Family("discrete", None, (("probs", None), ("logits", None),)),
    "CategoricalLogits": Family("discrete", 0, (("logits", 1),)),
    "CategoricalProbs": Family("discrete", 0, (("probs", 1),)),
    "Cauchy": Family("real", 0, (("loc", 0), ("scale", 0),)),
    "Chi2": Family("positive", 0, (("df", 0),)),
    "CirculantNormal": Family("real_vector", 1, (("loc", 1), ("covariance_row", 1), ("covariance_rfft", 1),)),
    "Dagum": Family("positive", 0, (("concentration", 0), ("sharpness", 0), ("scale", 0),)),
    "Delta": Family("atomic", None, (("v", None), ("log_density", 0), ("event_dim", None),)),
    "Dirichlet": Family("simplex", 1, (("concentration", 1),)),
    "DirichletMultinomial": Family("discrete", 1, (("concentration", 1), ("total_count", 0), ("total_count_max", None),)),
    "DiscreteUniform": Family("discrete", 0, (("low", 0), ("high", 0),)),
    "DoublyTruncatedPowerLaw": Family("dependent", 0, (("alpha", 0), ("low", 0), ("high", 0),)),
    "EulerMaruyama": Family("dependent", None, (("t", 1), ("sde_fn", None), ("init_dist", None),)),
    "ExpandedDistribution": Family("dependent", None, (("base_dist", None), ("batch_shape", None),)),
    "Exponential": Family("positive", 0, (("rate", 0),)),
    "FoldedDistribution": Family("positive", 0, (("base_dist", None),)),
    "Gamma": Family("positive", 0, (("concentration", 0), ("rate", 0),)),
    "GammaPoisson": Family("discrete", 0, (("concentration", 0), ("rate", 0),)),
    "GaussianCopula": Family("dependent", 1, (("marginal_dist", None), ("correlation_matrix", 2), ("correlation_cholesky", 2),)),
    "GaussianCopulaBeta": Family("dependent", 1, (("concentration1", 0), ("concentration0", 0), ("correlation_matrix", 2), ("correlation_cholesky", 2),)),
    "GaussianRandomWalk": Family("real_vector", 1, (("scale", 0), ("num_steps", None),)),
    "GaussianStateSpace": Family("real_matrix", 2, (("num_steps", None), ("transition_matrix", 2), ("covariance_matrix", 2), ("precision_matrix", 2), ("scale_tril", 2), ("initial_value", 1),)),
    "Geometric": Family("discrete", None, (("probs", None), ("logits", None),)),
    "GeometricLogits": Family("discrete", 0, (("logits", 0),)),
    "GeometricProbs": Family("discrete", 0, (("probs", 0),)),
    "Gompertz": Family("positive", 0, (("concentration", 0), ("rate", 0),)),
    "Gumbel": Family("real", 0, (("loc", 0), ("scale", 0),)),
    "HalfCauchy": Family("positive", 0, (("scale", 0),)),
    "HalfNormal": Family("positive", 0, (("scale", 0),)),
    "HurdleGamma": Family("atomic", 0, (("gate", 0), ("concentration", 0), ("rate", 0),)),
    "HurdleLogNormal": Family("atomic", 0, (("gate", 0), ("loc", 0), ("scale", 0),)),
    "HurdleLogits": Family("atomic", None, (("base_dist", None), ("gate_logits", 0),)),
    "HurdlePoisson": Family("discrete", 0, (("gate", 0), ("rate", 0),)),
    "HurdleProbs": Family("atomic", None, (("base_dist", None), ("gate", 0),)),
    "ImproperUniform": Family("dependent", None, (("support", None), ("batch_shape", None), ("event_shape", None),)),
    "Independent": Family("dependent", None, (("base_dist", None), ("reinterpreted_batch_ndims", None),)),
    "IntervalCensoredDistribution": Family("dependent", 1, (("base_dist", None), ("left_censored", 0), ("right_censored", 0),)),
    "InverseGamma": Family("positive", 0, (("concentration", 0), ("rate", 0),)),
    "InverseWishart": Family("positive_definite", 2, (("concentration", 0), ("scale_matrix", 2), ("rate_matrix", 2), ("scale_tril", 2),)),
    "InverseWishartCholesky": Family("lower_cholesky", 2, (("concentration", 0), ("scale_matrix", 2), ("rate_matrix", 2), ("scale_tril", 2),)),
    "Kumaraswamy": Family("unit_interval", 0, (("concentration1", 0), ("concentration0", 0),)),
    "LKJ": Family("corr_matrix", 2, (("dimension", None), ("concentration", 0), ("sample_method", None),)),
    "LKJCholesky": Family("corr_cholesky", 2, (("dimension", None), ("concentration", 0), ("sample_method", None),)),
    "Laplace": Family("real", 0, (("loc", 0), ("scale", 0),)),
    "LeftCensoredDistribution": Family("dependent", 0, (("base_dist", None), ("censored", 0),)),
    "LeftTruncatedDistribution": Family("dependent", 0, (("base_dist", None), ("low", 0),)),
    "LeftTruncatedGamma": Family("dependent", 0, (("base_dist", None), ("low", 0),)),
    "Levy": Family("dependent", None, (("loc", 0), ("scale", 0),)),
    "LogNormal": Family("positive", 0, (("loc", 0), ("scale", 0),)),
    "LogUniform": Family("dependent", 0, (("low", 0), ("high", 0),)),
    "Logistic": Family("real", 0, (("loc", 0), ("scale", 0),)),
    "LowRankMultivariateNormal": Family("real_vector", 1, (("loc", 1), ("cov_factor", 2), ("cov_diag", 1),)),
    "LowerTruncatedPowerLaw": Family("dependent", 0, (("alpha", 0), ("low", 0),)),
    "MaskedDistribution": Family("dependent", None, (("base_dist", None), ("mask", None),)),
    "MatrixNormal": Family("real_matrix", 2, (("loc", 1), ("scale_tril_row", 2), ("scale_tril_column", 2),)),
    "Mixture": Family("dependent", None, (("mixing_distribution", None), ("component_distributions", None),)),
    "MixtureGeneral": Family("dependent", None, (("mixing_distribution", None), ("component_distributions", None), ("support", None),)),
    "MixtureSameFamily": Family("dependent", None, (("mixing_distribution", None), ("component_distribution", None),)),
    "Multinomial": Family("discrete", None, (("total_count", None), ("probs", None), ("logits", None), ("total_count_max", None),)),
    "MultinomialLogits": Family("discrete", 1, (("logits", 1), ("total_count", 0), ("total_count_max", None),)),
    "MultinomialProbs": Family("discrete", 1, (("probs", 1), ("total_count", 0), ("total_count_max", None),)),
    "MultivariateNormal": Family("real_vector", 1, (("loc", 1), ("covariance_matrix", 2), ("precision_matrix", 2), ("scale_tril", 2),)),
    "MultivariateStudentT": Family("real_vector", 1, (("df", 0), ("loc", 1), ("scale_tril", 2),)),
    "NegativeBinomial": Family("discrete", None, (("total_count", None), ("probs", None), ("logits", None),)),
    "NegativeBinomial2": Family("discrete", 0, (("mean", 0), ("concentration", 0),)),
    "NegativeBinomialLogits": Family("discrete", 0, (("total_count", 0), ("logits", 0),)),
    "NegativeBinomialProbs": Family("discrete", 0, (("total_count", 0), ("probs", 0),)),
    "Normal": Family("real", 0, (("loc", 0), ("scale", 0),)),
    "OrderedLogistic": Family("discrete", 0, (("predictor", 0), ("cutpoints", 1),)),
    "Pareto": Family("dependent", 0, (("scale", 0), ("alpha", 0),)),
    "Poisson": Family("discrete", 0, (("rate", 0), ("is_sparse", None),)),
    "ProjectedNormal": Family("sphere", 1, (("concentration", 1),)),
    "RelaxedBernoulliLogits": Family("unit_interval", 0, (("temperature", 0), ("logits", 0),)),
    "RightCensoredDistribution": Family("dependent", 0, (("base_dist", None), ("censored", 0),)),
    "RightTruncatedDistribution": Family("dependent", 0, (("base_dist", None), ("high", 0),)),
    "RightTruncatedGamma": Family("dependent", 0, (("base_dist", None), ("high", 0),)),
    "SineBivariateVonMises": Family("dependent", 1, (("phi_loc", 0), ("psi_loc", 0), ("phi_concentration", 0), ("psi_concentration", 0), ("correlation", 0), ("weighted_correlation", None),)),
    "SineSkewed": Family("dependent", 1, (("base_dist", None), ("skewness", 1),)),
    "SoftLaplace": Family("real", 0, (("loc", 0), ("scale", 0),)),
    "StudentT": Family("real", 0, (("df", 0), ("loc", 0), ("scale", 0),)),
    "TransformedDistribution": Family("dependent", None, (("base_distribution", None), ("transforms", None),)),
    "TruncatedCauchy": Family("dependent", 0, (("loc", 0), ("scale", 0), ("low", 0), ("high", 0),)),
    "TruncatedDistribution": Family("dependent", None, (("base_dist", None), ("low", None), ("high", None),)),
    "TruncatedNormal": Family("dependent", 0, (("loc", 0), ("scale", 0), ("low", 0), ("high", 0),)),
    "TruncatedPolyaGamma": Family("dependent", 0, (("batch_shape", None),)),
    "TwoSidedTruncatedDistribution": Family("dependent", 0, (("base_dist", None), ("low", 0), ("high", 0),)),
    "TwoSidedTruncatedGamma": Family("dependent", 0, (("base_dist", None), ("low", 0), ("high", 0),)),
    "Uniform": Family("dependent", 0, (("low", 0), ("high", 0),)),
    "Unit": Family("atomic", 0, (("log_factor", 0),)),
    "VonMises": Family("circular", 0, (("loc", 0), ("concentration", 0),)),
    "Weibull": Family("positive", 0, (("scale", 0), ("concentration", 0),)),
    "Wishart": Family("positive_definite", 2, (("concentration", 0), ("scale_matrix", 2), ("rate_matrix", 2), ("scale_tril", 2),)),
    "WishartCholesky": Family("lower_cholesky", 2, (("concentration", 0), ("scale_matrix", 2), ("rate_matrix", 2), ("scale_tril", 2),)),
    "ZeroInflatedDistribution": Family("discrete", None, (("base_dist", None), ("gate", None), ("gate_logits", None),)),
    "ZeroInflatedLogits": Family("discrete", 0, (("base_dist", None), ("gate_logits", 0),)),
    "ZeroInflatedNegativeBinomial2": Family("discrete", None, (("mean", None), ("concentration", None), ("gate", None), ("gate_logits", None),)),
    "ZeroInflatedPoisson": Family("discrete", 0, (("gate", 0), ("rate", 0),)),
    "ZeroInflatedProbs": Family("discrete", 0, (("base_dist", None), ("gate", 0),)),
    "ZeroSumNormal": Family("dependent", None, (("scale", 0), ("event_shape", None),)),
}
# fmt: on
