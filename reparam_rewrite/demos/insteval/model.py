"""Ratings of lectures: students, lecturers and departments are crossed."""

import numpyro
import numpyro.distributions as dist


def model(student, lecturer, dept, n_students, n_lecturers, n_depts, rating=None):
    """The rating (1 to 5) that a student gives a lecturer for a course of a department."""
    mu = numpyro.sample("mu", dist.Normal(3, 2))
    sigma_dept = numpyro.sample("sigma_dept", dist.HalfNormal(1))
    sigma_lecturer = numpyro.sample("sigma_lecturer", dist.HalfNormal(1))
    sigma_student = numpyro.sample("sigma_student", dist.HalfNormal(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(2))

    with numpyro.plate("depts", n_depts):
        c = numpyro.sample("c", dist.Normal(0, sigma_dept))
    with numpyro.plate("lecturers", n_lecturers):
        b = numpyro.sample("b", dist.Normal(0, sigma_lecturer))
    with numpyro.plate("students", n_students):
        a = numpyro.sample("a", dist.Normal(0, sigma_student))

    mean = mu + a[student] + b[lecturer] + c[dept]
    with numpyro.plate("ratings", len(student)):
        numpyro.sample("rating", dist.Normal(mean, sigma), obs=rating)
