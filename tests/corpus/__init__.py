"""The rewriter on models that others wrote: how often it helps, why it refuses, what it breaks.

    python -m tests.corpus FOLDER...                    a census of all sites below the folders
    python -m tests.corpus FOLDER... --sample 5         and five refusals to check by hand
    python -m tests.corpus.run FOLDER...                models that are executed, before and after

README
------
The census asks, for every latent continuous site of every model that has an earlier latent site,
for an offset by that earlier site, and counts what the rewriter does. What a site is is decided
here, by `finding`, without the rewriter's own survey. Each (function, site) is asked for once; if
the refusal speaks of the parent, up to two earlier parents are tried. A request is

    functions = ["Forecaster.model"]

    [sites."a"]
    offset = "mu"

A site called f"beta_{k}" is asked for as "beta_{k}", as are other names that are put together.
Guides are left out, as are discrete families, and Delta and Unit, which have no density.

The sources are public and aren't part of this project: get them from GitHub, each into a folder
`owner+name`, and from PyPI, each unpacked into a folder of its own name, all below one folder.

    pyro-ppl/numpyro (examples, notebooks)    google/lightweight_mmm
    dfm/numpyro-ext                           fehiepsi/rethinking-numpyro
    juanitorduz/numpyro_forecast              beekill95/numpyro-doing-bayesian
    tingiskhan/numpyro-sts                    Brent-Morrison/numpyro_models
    bdatko/numpyro_play                       bdatko/play_mbml_numpyro
    omarfsosa/numpyro-recipes                 blab/evofr
    vitkl/cell2location_numpyro               ag-perception-wallis-lab/numpyro-oop
    HeningWang/numpyro_adjective_modelling    CDCgov/PyRenew
    felipeangelimvieira/prophetverse          HajimeKawahara/exojax
    timmh/biolith                             wesleyjholt/numpyro-extras
    tillahoffmann/numpyro-extensions          Cypriendtr/Jax_Numpyro-OU-EC
    Grace0124/numpyro                         DPBayes/twinify
    FarrOutLab/GWInferno                      anguswilliams91/bpl-next
    atlasd/multilevel-modeling-numpyro        elizavetasemenova/prob-epi
    esennesh/captcha-numpyro                  fangzefunny/rl-mcmcest
    hbmep/hbmep                               horaceg/uncover
    cameronraysmith/applied-probabilistic-inference

    wheels: poisson_topicmodels, bayesmarketing_mmm, numpyro-ext
"""
