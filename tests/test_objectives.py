"""Objectives against NumPy and against what their papers promise."""

import dataclasses
import types

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from vae_tf import random
from vae_tf.errors import UserError
from vae_tf.parts import REGISTRY, ElboTerms, build_part, objectives

K, B, D = 3, 7, 4
PLAIN = ("reconstruction", "sparse")
ARGUMENTS = {"beta_tc": {"num_examples": B}}


def record(seed=0, num_samples=K, batch=B, dimensions=D, **changes):
    """Terms of random numbers; the posterior's densities are those of its parameters, so that they agree."""
    draws = np.random.default_rng(seed)
    mean, log_variance = draws.normal(size=(2, batch, dimensions))
    z = mean + np.exp(0.5 * log_variance) * draws.normal(size=(num_samples, batch, dimensions))
    per_dimension = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)
    fields = {
        "z": z,
        "log_px": 3 * draws.normal(size=(num_samples, batch)) - 20,
        "log_qz": scipy.stats.norm(mean, np.exp(0.5 * log_variance)).logpdf(z).sum(-1),
        "log_pz": scipy.stats.norm.logpdf(z).sum(-1),
        "kl": per_dimension.sum(-1),
        "kl_per_dimension": per_dimension,
        "prior_sample": draws.normal(size=(batch, dimensions)),
        "stopped_log_qz": None,
    }
    tensors = {
        name: None if value is None else tf.cast(value, tf.float32)
        for name, value in (fields | changes).items()
    }
    posterior = {"mean": tf.constant(mean, tf.float32), "log_variance": tf.constant(log_variance, tf.float32)}
    return ElboTerms(posterior=posterior, **tensors)


def arrays(terms):
    """The same record in NumPy, float64."""

    def convert(value):
        return None if value is None else np.asarray(value, np.float64)

    fields = {field.name: getattr(terms, field.name) for field in dataclasses.fields(terms)}
    posterior = {name: convert(value) for name, value in fields.pop("posterior").items()}
    return types.SimpleNamespace(
        posterior=posterior, **{name: convert(value) for name, value in fields.items()}
    )


def build(name, **arguments):
    return build_part("objective", name, **{**ARGUMENTS.get(name, {}), **arguments})


def close(ours, expected, rtol=1e-4, atol=1e-4):
    np.testing.assert_allclose(np.asarray(ours), expected, rtol=rtol, atol=atol)


def reconstruction(t):
    return -t.log_px.mean(0)


# What all have in common


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("name", sorted(REGISTRY["objective"]))
def test_one_loss_per_example_eager_and_in_a_graph_of_unknown_batch_size(name, xla):
    objective = build(name)
    terms = record(num_samples=objective.num_samples)
    terms = dataclasses.replace(terms, stopped_log_qz=terms.log_qz)
    eager = [np.asarray(objective(terms, 3)), np.asarray(objective.final(terms))]
    assert [loss.shape for loss in eager] == [(B,), (B,)] and np.isfinite(eager).all()
    flat = {k: v for k, v in dataclasses.asdict(terms).items() if k != "posterior" and v is not None}
    flat |= terms.posterior

    @tf.function(
        jit_compile=xla,
        input_signature=[
            {
                k: tf.TensorSpec([None if side == B else side for side in v.shape], v.dtype)
                for k, v in flat.items()
            }
        ],
    )
    def compiled(tensors):
        posterior = {k: tensors[k] for k in terms.posterior}
        again = ElboTerms(posterior=posterior, **{k: v for k, v in tensors.items() if k not in posterior})
        return objective(again, tf.constant(3, tf.int64)), objective.final(again)

    for ours, expected in zip(compiled(flat), eager, strict=True):
        close(ours, expected)


@pytest.mark.parametrize("name", sorted(REGISTRY["objective"]))
def test_configuration_comes_back(name):
    objective = build(name)
    again = objectives.deserialize(objectives.serialize(objective))
    assert type(again) is type(objective) and again.get_config() == objective.get_config()
    assert again.name == name


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("elbo", {"beta": -1.0}),
        ("capacity", {"gamma": -1.0}),
        ("capacity", {"capacity": -1.0}),
        ("capacity", {"warmup_steps": -1}),
        ("free_bits", {"floor": -0.1}),
        ("free_bits", {"group_size": 0}),
        ("free_bits", {"beta": -1.0}),
        ("beta_tc", {"alpha": -1.0}),
        ("beta_tc", {"num_examples": 0}),
        ("beta_tc", {"sampling": "random"}),
        ("dip", {"version": 3}),
        ("dip", {"diagonal": -1.0}),
        ("mmd", {"weight": -1.0}),
        ("mmd", {"kernel": "linear"}),
        ("iwae", {"num_samples": 0}),
        ("dreg", {"num_samples": 0}),
        ("sparse", {"weight": -1.0}),
    ],
)
def test_impossible_arguments_are_refused_by_name(name, arguments):
    with pytest.raises(UserError, match=next(iter(arguments))) as refused:
        build(name, **arguments)
    assert refused.value.hint


def parts(**attributes):
    """A posterior and a prior with these attributes, and no others."""
    of_prior = {k: v for k, v in attributes.items() if k == "has_closed_form"}
    of_posterior = {k: v for k, v in attributes.items() if k not in of_prior}
    return types.SimpleNamespace(**of_posterior), types.SimpleNamespace(**of_prior)


@pytest.mark.parametrize("name", sorted(REGISTRY["objective"]))
def test_plain_autoencoders_take_points_and_all_others_densities(name):
    objective = build(name)
    assert objective.is_bound == (name not in PLAIN)
    assert (objective.refuses(*parts()) is None) == objective.is_bound
    assert (objective.refuses(*parts(is_deterministic=True)) is None) == (not objective.is_bound)


@pytest.mark.parametrize(
    ("attributes", "refusing"),
    [
        ({"is_factorised": False}, {"beta_tc", "dip", "free_bits"}),
        ({"has_log_prob": False}, {"dreg"}),
        ({"has_closed_form": False}, {"free_bits"}),
    ],
)
def test_refusals_name_what_is_missing_and_an_alternative(attributes, refusing):
    names = set(REGISTRY["objective"]) - set(PLAIN)
    refusals = {name: build(name).refuses(*parts(**attributes)) for name in names}
    assert {name for name, refusal in refusals.items() if refusal is not None} == refusing
    for name in refusing:
        assert name in refusals[name] and "choose" in refusals[name] and refusals[name].endswith(".")


def test_free_bits_refuses_groups_that_do_not_fit():
    assert "group_size 3" in build("free_bits", group_size=3).refuses(*parts(latent_dim=4))
    assert build("free_bits", group_size=2).refuses(*parts(latent_dim=4)) is None


# KL


@pytest.mark.parametrize(("step", "capacity"), [(0, 0.0), (50, 6.0), (100, 12.0), (10_000, 12.0)])
def test_capacity_rises_from_nothing_to_its_end(step, capacity):
    objective, terms = build("capacity", gamma=7.0, capacity=12.0, warmup_steps=100), record()
    t = arrays(terms)
    expected = reconstruction(t) + 7.0 * abs(t.kl.mean() - capacity)
    close(objective(terms, step), expected)
    if step >= 100:
        close(objective.final(terms), expected)
    close(build("capacity", gamma=7.0, capacity=12.0, warmup_steps=0)(terms, 0), objective.final(terms))


@pytest.mark.parametrize(("kl", "slope"), [(3.0, -2.0), (30.0, 2.0)])
def test_capacity_pulls_the_kl_from_both_sides(kl, slope):
    kl = tf.constant([kl])
    with tf.GradientTape() as tape:
        tape.watch(kl)
        loss = build("capacity", gamma=2.0, capacity=25.0)(record(batch=1, kl=kl), 9_999)
    close(tape.gradient(loss, kl), [slope])


@pytest.mark.parametrize(("group_size", "floor"), [(1, 0.75), (2, 1.42), (4, 2.0)])
def test_free_bits_floors_the_mean_of_each_group(group_size, floor):
    objective, terms = build("free_bits", floor=floor, group_size=group_size, beta=1.5), record()
    t = arrays(terms)
    groups = [t.kl_per_dimension.mean(0)[i : i + group_size].sum() for i in range(0, D, group_size)]
    assert len(groups) == 1 or min(groups) < floor < max(groups), "groups on both sides of the floor"
    close(objective(terms, 0), reconstruction(t) + 1.5 * np.maximum(floor, groups).sum())
    close(build("free_bits", floor=0.0)(terms, 0).numpy().mean(), np.mean(reconstruction(t) + t.kl))


def test_dimensions_below_the_floor_feel_no_kl():
    per_dimension = tf.constant([[0.1, 0.6, 3.0], [0.3, 0.2, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(per_dimension)
        terms = dataclasses.replace(record(batch=2), kl_per_dimension=per_dimension)
        loss = tf.reduce_mean(build("free_bits", floor=0.5)(terms, 0))
    close(tape.gradient(loss, per_dimension), [[0, 0, 0.5], [0, 0, 0.5]])


# Total correlation


def numpy_aggregate(t, weights):
    """log q(z) and log Π_j q(z_j) [K, B] by loops; weights [B, B]."""
    deviation = np.exp(0.5 * t.posterior["log_variance"])
    joint, product = np.zeros(t.log_qz.shape), np.zeros(t.log_qz.shape)
    for k, i in np.ndindex(*joint.shape):
        densities = scipy.stats.norm(t.posterior["mean"], deviation).pdf(t.z[k, i])
        joint[k, i] = np.log(weights[i] @ densities.prod(-1))
        product[k, i] = np.log(weights[i] @ densities).sum()
    return joint, product


def numpy_weights(sampling, num):
    if sampling == "weighted":
        return np.full((B, B), 1 / (num * B))
    return np.where(np.eye(B) > 0, 1 / num, (num - 1) / (num * (B - 1)))


@pytest.mark.parametrize("sampling", ["stratified", "weighted"])
@pytest.mark.parametrize("num", [B, 50])
def test_beta_tc_weighs_its_three_parts(sampling, num):
    objective = build("beta_tc", alpha=0.5, beta=3.0, gamma=2.0, num_examples=num, sampling=sampling)
    terms = record()
    t = arrays(terms)
    joint, product = numpy_aggregate(t, numpy_weights(sampling, num))
    parts = 0.5 * (t.log_qz - joint) + 3.0 * (joint - product) + 2.0 * (product - t.log_pz)
    close(objective(terms, 0), reconstruction(t) + parts.mean(0))


@pytest.mark.parametrize("size", [1, 2, 3, B])
def test_the_others_of_a_batch_share_what_the_own_picture_leaves(size):
    weights = np.exp(build("beta_tc", num_examples=50).log_weights(size))
    np.testing.assert_allclose(np.diag(weights), 1 / 50, rtol=1e-5)
    if size > 1:
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("sampling", ["stratified", "weighted"])
def test_beta_tc_with_equal_weights_is_the_elbo_of_its_samples(sampling):
    terms = record()
    t = arrays(terms)
    expected = reconstruction(t) + (t.log_qz - t.log_pz).mean(0)
    ones = {"alpha": 1.0, "beta": 1.0, "gamma": 1.0}
    close(build("beta_tc", **ones, num_examples=90, sampling=sampling)(terms, 0), expected)


def test_a_batch_that_is_the_data_set_gives_the_exact_mixture():
    terms = record()
    t = arrays(terms)
    joint, product = build("beta_tc", num_examples=B).log_aggregate(terms)
    exact_joint, exact_product = numpy_aggregate(t, np.full((B, B), 1 / B))
    close(joint, exact_joint)
    close(product, exact_product)
    # The paper's weighted estimate is off by log B and d·log B.
    joint, product = build("beta_tc", num_examples=B, sampling="weighted").log_aggregate(terms)
    close(joint, exact_joint - np.log(B))
    close(product, exact_product - D * np.log(B))


def test_stratified_estimate_of_the_mixture_is_unbiased():
    # Pictures of a data set of 12, in all batches of 3 that hold picture 0: the mean of exp(log q(z)) is the mixture.
    num, size = 12, 3
    terms = record(batch=num, num_samples=1)
    objective = build("beta_tc", num_examples=num)
    estimates = []
    for a in range(1, num):
        for b in range(a + 1, num):
            chosen = [0, a, b]
            batch = dataclasses.replace(
                terms,
                z=tf.gather(terms.z, chosen, axis=1),
                log_px=tf.gather(terms.log_px, chosen, axis=1),
                posterior={k: tf.gather(v, chosen) for k, v in terms.posterior.items()},
            )
            estimates.append(np.exp(np.asarray(objective.log_aggregate(batch)[0], np.float64)[0, 0]))
    t = arrays(terms)
    exact = scipy.stats.norm(t.posterior["mean"], np.exp(0.5 * t.posterior["log_variance"])).pdf(t.z[0, 0])
    assert len(estimates) == (num - 1) * (num - 2) // 2 and size == len(chosen)
    np.testing.assert_allclose(np.mean(estimates), exact.prod(-1).mean(), rtol=1e-4)


def total_correlation(mean, log_variance, seed=0):
    """By our estimate, with the whole data set as the batch."""
    mean = mean.astype(np.float32)
    z = mean + np.exp(0.5 * log_variance) * np.random.default_rng(seed).normal(size=(4, *mean.shape))
    posterior = {"mean": tf.constant(mean), "log_variance": tf.fill(mean.shape, np.float32(log_variance))}
    terms = ElboTerms(tf.constant(z, tf.float32), posterior, tf.zeros(z.shape[:2]), None, None)
    joint, product = build("beta_tc", num_examples=len(mean)).log_aggregate(terms)
    return float(tf.reduce_mean(joint - product))


def test_total_correlation_is_nothing_for_independent_dimensions_and_known_for_normal_ones():
    draws = np.random.default_rng(1)
    independent = draws.normal(size=(1000, 2)) * np.sqrt(0.8)
    mixed = draws.multivariate_normal([0, 0], [[0.8, 0.64], [0.64, 0.8]], size=1000)
    # z is then N(0, [[1, ρ], [ρ, 1]]) with TC = −½ log(1 − ρ²), in the limit of many pictures.
    assert abs(total_correlation(independent, np.log(0.2))) < 0.05
    assert total_correlation(mixed, np.log(0.2)) == pytest.approx(-0.5 * np.log(1 - 0.64**2), abs=0.06)


def test_total_correlation_of_a_full_grid_is_exactly_nothing():
    grid = np.stack(np.meshgrid([-2.0, 0.0, 1.0], [-1.0, 3.0]), axis=-1).reshape(-1, 2)
    assert abs(total_correlation(grid, -1.0)) < 1e-5


def test_beta_tc_must_know_the_number_of_pictures():
    objective = build_part("objective", "beta_tc")
    with pytest.raises(UserError, match="number of training pictures"):
        objective(record(), 0)
    objective.num_examples = 50
    assert objective.get_config()["num_examples"] == 50
    close(objective(record(), 0), np.asarray(build("beta_tc", num_examples=50)(record(), 0)))


# Covariance


@pytest.mark.parametrize("version", [1, 2])
def test_dip_penalises_the_distance_from_the_identity(version):
    objective = build("dip", version=version, off_diagonal=3.0, diagonal=5.0, beta=0.5)
    terms = record()
    t = arrays(terms)
    covariance = np.cov(t.posterior["mean"], rowvar=False, bias=True)
    if version == 2:
        covariance += np.diag(np.exp(t.posterior["log_variance"]).mean(0))
    squares = (covariance - np.eye(D)) ** 2
    penalty = 3.0 * (squares.sum() - np.trace(squares)) + 5.0 * np.trace(squares)
    close(objective(terms, 0), reconstruction(t) + 0.5 * t.kl + penalty)


@pytest.mark.parametrize(("version", "spread"), [(1, 1.0), (2, 0.6)])
def test_dip_is_nothing_at_unit_covariance(version, spread):
    # The corners of a cube have uncorrelated coordinates.
    mean = np.stack(np.meshgrid(*[[-1.0, 1.0]] * D), axis=-1).reshape(-1, D) * np.sqrt(spread)
    log_variance = np.full_like(mean, np.log(0.4))
    posterior = {"mean": tf.constant(mean, tf.float32), "log_variance": tf.constant(log_variance, tf.float32)}
    terms = dataclasses.replace(record(batch=len(mean)), posterior=posterior)
    t = arrays(terms)
    close(build("dip", version=version)(terms, 0), reconstruction(t) + t.kl)
    other = build("dip", version=3 - version)(terms, 0)
    assert np.mean(other - reconstruction(t) - t.kl) > 1.0


# Maximum mean discrepancy


def numpy_discrepancy(z, prior, kernel):
    def similarity(a, b):
        squared = ((a - b) ** 2).sum()
        widths = 2 * len(a) * np.array([0.1, 0.2, 0.5, 1, 2, 5, 10])
        return np.mean(widths / (widths + squared) if kernel == "imq" else np.exp(-squared / widths))

    def within(values):
        return np.mean(
            [similarity(a, b) for i, a in enumerate(values) for j, b in enumerate(values) if i != j]
        )

    return within(z) + within(prior) - 2 * np.mean([similarity(a, b) for a in z for b in prior])


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_against_loops_over_pairs(kernel):
    terms = record()
    t = arrays(terms)
    discrepancy = np.mean([numpy_discrepancy(z, t.prior_sample, kernel) for z in t.z])
    objective = build("mmd", weight=11.0, beta=0.5, kernel=kernel)
    close(objective(terms, 0), reconstruction(t) + 0.5 * t.kl + 11.0 * discrepancy)


@pytest.mark.parametrize("kernel", [pytest.param("imq", marks=pytest.mark.slow), "rbf"])
def test_mmd_is_unbiased_and_sees_what_differs(kernel):
    objective = build("mmd", kernel=kernel)
    draws = np.random.default_rng(2).normal(size=(2000, 2, 16, 3)).astype(np.float32)

    def values(z, prior):
        return np.array(
            [np.asarray(objective.discrepancy(z[i : i + 1], prior[i])).item() for i in range(len(z))]
        )

    same = np.asarray(
        tf.vectorized_map(
            lambda pair: objective.discrepancy(pair[0][None], pair[1])[0], (draws[:, 0], draws[:, 1])
        )
    )
    error = same.std() / np.sqrt(len(same))
    assert abs(same.mean()) < 3 * error and same.min() < 0 < same.max()
    # A biased estimate, which keeps the pairs of a sample with itself, would lie far outside.
    assert 3 * error < 0.1 / 16
    for other in (draws[:200, 0] + 1.0, 0.1 * draws[:200, 0], 3.0 * draws[:200, 0]):
        differing = values(other, draws[:200, 1])
        assert differing.mean() > 10 * differing.std() / np.sqrt(len(differing))


# Importance-weighted bounds


def test_iwae_with_one_sample_is_the_sampled_elbo():
    terms = record(num_samples=1, kl=None)
    close(build("iwae", num_samples=1)(terms, 0), -np.asarray(terms.elbo))


def test_iwae_against_numpy():
    terms = record()
    t = arrays(terms)
    weights = np.exp(t.log_px + t.log_pz - t.log_qz)
    close(build("iwae", num_samples=K)(terms, 0), -np.log(weights.mean(0)))
    assert build("iwae", num_samples=8).num_samples == 8 and build("dreg").num_samples == 5


# One-dimensional toy: z ~ N(m, 1), x | z ~ N(a z, s²), q(z | x) = N(mean, variance); its evidence is known.
X, SLOPE, PRIOR_MEAN, DEVIATION = 1.7, 1.3, 0.4, 0.8
EVIDENCE = scipy.stats.norm(SLOPE * PRIOR_MEAN, np.sqrt(SLOPE**2 + DEVIATION**2)).logpdf(X)


def log_normal(x, mean, log_variance):
    return -0.5 * (
        (x - mean) ** 2 * tf.exp(-log_variance) + log_variance + np.log(2 * np.pi).astype(np.float32)
    )


@tf.custom_gradient
def scaled(z, weight):
    return tf.identity(z), lambda gradient: (gradient * weight[..., None], None)


def toy_terms(mean, log_variance, slope, prior_mean, num_samples, step, weight=None):
    """Terms of B independent draws of the same picture; `weight` [K, B] scales the gradient along z."""
    noise = random.normal((num_samples, len(mean), 1), 7, step, "posterior")
    z = mean + tf.exp(0.5 * log_variance) * noise
    if weight is not None:
        z = scaled(z, weight)
    stopped = log_normal(z, tf.stop_gradient(mean), tf.stop_gradient(log_variance))
    return ElboTerms(
        z=z,
        posterior={"mean": mean, "log_variance": log_variance},
        log_px=log_normal(X, slope * z, tf.math.log(DEVIATION**2))[..., 0],
        log_qz=log_normal(z, mean, log_variance)[..., 0],
        log_pz=log_normal(z, prior_mean, 0.0)[..., 0],
        stopped_log_qz=stopped[..., 0],
    )


def toy_gradients(objective, step, draws):
    """Losses [B] and the gradients of each draw's loss [B, 4]: mean, log-variance, decoder's slope, prior's mean."""
    values = [tf.fill((draws, 1), value) for value in (0.2, -1.0, SLOPE, PRIOR_MEAN)]
    weight = None
    if "scaled_z" in objective.needs:
        weight = objective.z_gradient_weight(toy_terms(*values, objective.num_samples, step))
        close(tf.reduce_sum(weight, axis=0), 1.0)
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = objective(toy_terms(*values, objective.num_samples, step, weight), step)
    return loss.numpy(), np.concatenate(tape.gradient(loss, values), axis=-1)


def test_the_bound_rises_with_the_number_of_samples_towards_the_evidence():
    values = [tf.fill((20_000, 1), value) for value in (0.2, -1.0, SLOPE, PRIOR_MEAN)]
    bounds = []
    for num_samples in (1, 5, 50):
        loss = build("iwae", num_samples=num_samples).final(toy_terms(*values, num_samples, num_samples))
        bounds.append((-loss.numpy().mean(), loss.numpy().std() / np.sqrt(len(loss))))
    means, errors = np.array(bounds).T
    assert (np.diff(means) > 5 * errors[1:]).all(), bounds
    assert means[-1] < EVIDENCE + 3 * errors[-1] and EVIDENCE - means[-1] < 0.05
    # K = 1 in closed form: the evidence less KL(q ‖ true posterior).
    precision = 1 + SLOPE**2 / DEVIATION**2
    true_mean, variance = (PRIOR_MEAN + SLOPE * X / DEVIATION**2) / precision, np.exp(-1.0)
    gap = 0.5 * (variance * precision + precision * (0.2 - true_mean) ** 2 - 1 - np.log(variance * precision))
    assert means[0] == pytest.approx(EVIDENCE - gap, abs=4 * errors[0])


@pytest.mark.parametrize("num_samples", [2, 5, 20])
def test_dreg_has_the_gradient_of_iwae_with_less_noise(num_samples):
    iwae, dreg = (build(name, num_samples=num_samples) for name in ("iwae", "dreg"))
    draws = 200_000 // num_samples
    loss, usual = toy_gradients(iwae, 0, draws)
    same_loss, doubly = toy_gradients(dreg, 0, draws)
    close(same_loss, loss)
    # Decoder and prior: the same gradient, draw by draw.
    close(doubly[:, 2:], usual[:, 2:], atol=1e-3)
    # Encoder: the same in expectation, by independent draws; smaller variance.
    _, independent = toy_gradients(dreg, 1, draws)
    difference = usual[:, :2].mean(0) - independent[:, :2].mean(0)
    error = np.sqrt((usual[:, :2].var(0) + independent[:, :2].var(0)) / draws)
    assert (np.abs(difference) < 4 * error).all(), difference / error
    assert (doubly[:, :2].var(0) < 0.9 * usual[:, :2].var(0)).all(), doubly.var(0) / usual.var(0)
    # The case can tell: without the second weight the gradient is another one.
    assert (np.abs(usual[:, :2].mean(0)) > 20 * error).any()


def test_forgetting_the_second_weight_would_be_seen():
    iwae, dreg = (build(name, num_samples=5) for name in ("iwae", "dreg"))
    _, usual = toy_gradients(iwae, 0, 40_000)
    dreg.needs = frozenset({"stopped_log_qz"})
    _, wrong = toy_gradients(dreg, 1, 40_000)
    error = np.sqrt((usual.var(0) + wrong.var(0)) / len(usual))[:2]
    assert (np.abs(usual.mean(0) - wrong.mean(0))[:2] > 10 * error).all()


def test_dreg_is_validated_without_its_extra_terms():
    terms = record()
    close(build("dreg").final(terms), np.asarray(build("iwae").final(terms)))


# Plain autoencoders


def test_reconstruction_is_the_negative_log_likelihood_alone():
    terms = record()
    close(build("reconstruction")(terms, 0), reconstruction(arrays(terms)))


def test_sparse_adds_the_absolute_codes():
    terms = record()
    t = arrays(terms)
    close(build("sparse", weight=0.3)(terms, 0), reconstruction(t) + 0.3 * np.abs(t.z).sum(-1).mean(0))
