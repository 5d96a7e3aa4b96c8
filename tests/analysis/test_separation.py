from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from vae_tf.analysis import separation as module
from vae_tf.analysis.cluster_meaning import meanings_of
from vae_tf.analysis.clustering import k_means
from vae_tf.analysis.features import principal_scores
from vae_tf.analysis.headline import describe_sample, format_p, headline
from vae_tf.analysis.separation import Separation, separate
from vae_tf.errors import UserError


def far_apart(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(len(labels), 4))
    return np.asarray(noise + 100 * labels[:, None])


def nested(num_each: int, per_group: int = 4) -> tuple[np.ndarray, np.ndarray]:
    groups = np.arange(2 * num_each * per_group) // per_group
    return (groups >= num_each).astype(int), groups


def test_perfect_separation_reaches_the_smallest_p() -> None:
    labels = np.arange(40) % 2
    result = separate({"latents": far_apart(labels)}, labels, num_permutations=199)
    for statistic in result.statistics:
        assert statistic.p_value == statistic.minimum_p == 1 / 200
        assert not statistic.exact and statistic.num_permutations == 199
    for key in ("nearest_neighbors", "ridge_probe", "ari", "ami"):
        assert result.find("latents", key).value == pytest.approx(1)
    assert result.find("latents", "silhouette").value > 0.9
    interval = result.find("latents", "ridge_probe").interval
    # All of forty right does not mean that the next one must be.
    assert interval is not None and 0.75 < interval[0] < 0.95 and interval[1] == pytest.approx(1)
    assert headline(result) == (
        "Yes, 0 and 1 can be told apart: a rule that has not seen the picture names the class of 100 % of the pictures "
        f"rightly (95 % interval {100 * interval[0]:.0f} to 100 %, guessing 50 %, p = 0.005). "
        "The classes form clusters, too: sorted into two clusters by likeness alone, the pictures divide by class "
        "almost without exception."
    )


def test_three_against_three_groups_can_show_nothing_and_say_so() -> None:
    labels, groups = nested(3)
    result = separate({"latents": far_apart(labels)}, labels, groups, ["happy", "angry"])
    assert (result.exact, result.num_permutations, result.minimum_p) == (True, 20, 0.1)
    for statistic in result.statistics:
        assert statistic.p_value == pytest.approx(0.1)
        assert statistic.critical_value is None
    text = headline(result, "faces", "persons")
    assert (
        "With 6 persons (3 happy, 3 angry) no difference, however large, could have been told from chance"
        in text
    )
    assert "(the smallest p that could have come out is 0.1)" in text
    assert "Whether the classes form clusters can't be told with 6 persons (3 happy, 3 angry)." in text
    assert "yes" not in text.lower()


def test_four_against_four_groups_can_show_something() -> None:
    labels, groups = nested(4)
    result = separate({"latents": far_apart(labels)}, labels, groups)
    assert result.num_permutations == 70
    statistic = result.find("latents", "nearest_neighbors")
    assert statistic.p_value == pytest.approx(2 / 70)
    assert statistic.critical_value == pytest.approx(1)


def test_values_are_those_of_the_definitions() -> None:
    generator = np.random.default_rng(3)
    labels = np.arange(60) % 3
    features = generator.normal(size=(60, 5)) + labels[:, None]
    result = separate({"latents": features}, labels, num_permutations=19)
    clusters = k_means(principal_scores(features), 3, seed=0)
    assert result.find("latents", "ari").value == pytest.approx(adjusted_rand_score(labels, clusters))
    assert result.find("latents", "silhouette").value == pytest.approx(silhouette_score(features, labels))
    neighbors = result.find("latents", "nearest_neighbors")
    assert neighbors.chance == pytest.approx(1 / 3)
    assert neighbors.interval is not None
    assert neighbors.interval[0] < neighbors.value < neighbors.interval[1]
    centred = features - features.mean(axis=0)
    between = sum(20 * np.sum(centred[labels == c].mean(axis=0) ** 2) for c in range(3))
    assert result.find("latents", "variance").value == pytest.approx(between / np.sum(centred**2))
    # What no relation gives: known for indices that are corrected for chance, else the mean of the labellings.
    for key in ("ari", "ami"):
        assert result.find("latents", key).chance == 0
    for key in ("silhouette", "variance"):
        statistic = result.find("latents", key)
        assert statistic.chance == statistic.null_mean != 0


def test_variance_within_groups_is_that_of_differences_from_their_means() -> None:
    """Groups of unequal sizes, far apart, each with both classes."""
    generator = np.random.default_rng(1)
    groups = np.repeat(np.arange(8), [2, 3, 4, 5, 6, 2, 4, 6])
    labels = np.concatenate([np.arange(size) % 2 for size in np.bincount(groups)])
    features = 50 * generator.normal(size=(8, 3))[groups] + generator.normal(size=(32, 3)) + labels[:, None]
    found = separate({"latents": features}, labels, groups, num_permutations=19).find(
        "latents", "variance_within"
    )
    within = np.concatenate([features[groups == g] - features[groups == g].mean(axis=0) for g in range(8)])
    between = sum(np.sum(labels == c) * np.sum(within[labels == c].mean(axis=0) ** 2) for c in (0, 1))
    assert found.value == pytest.approx(between / np.sum(within**2)) and found.value > 0.1


def test_each_accuracy_has_an_interval_of_its_own() -> None:
    """A class around the other: neighbours tell them apart, no straight line can."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    labels = np.arange(40) % 2
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (0.1 + labels[:, None])
    result = separate({"latents": features}, labels, num_permutations=19)
    neighbors, line = (result.find("latents", key) for key in ("nearest_neighbors", "ridge_probe"))
    assert neighbors.value == 1 and line.value < 0.7
    assert neighbors.interval is not None and line.interval is not None
    assert line.value <= line.interval[1] < neighbors.interval[0] < neighbors.value


def test_the_table_has_every_space_and_statistic() -> None:
    labels = np.arange(20) % 2
    generator = np.random.default_rng(0)
    spaces: dict[str, np.ndarray] = {
        "latents": generator.normal(size=(20, 3)),
        "pixels": generator.integers(0, 255, size=(20, 8, 8, 3)).astype(np.uint8),
    }
    result = separate(spaces, labels, num_permutations=19)
    assert result.spaces == ("latents", "pixels")
    assert [(s.space, s.question) for s in result.statistics] == [
        (space, question)
        for space in spaces
        for question in ("readable", "readable", "clustered", "clustered", "clustered", "size")
    ]
    with pytest.raises(KeyError):
        result.find("nothing", "ari")


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, groups = nested(6)
    features = {"latents": np.random.default_rng(0).normal(size=(len(labels), 3))}
    whole = separate(features, labels, groups, num_permutations=50)
    monkeypatch.setattr(module, "_CELLS_AT_ONCE", 700)
    measure, cells = module.Instruments._measure, []

    def counted(self: module.Instruments, labels: np.ndarray) -> object:
        cells.append(labels.size * self.num_classes)
        return measure(self, labels)

    monkeypatch.setattr(module.Instruments, "_measure", counted)
    for one, other in zip(
        whole.statistics, separate(features, labels, groups, num_permutations=50).statistics, strict=True
    ):
        assert one.null_mean == pytest.approx(other.null_mean)
        assert replace(one, null_mean=0, null_sd=0, chance=0) == replace(
            other, null_mean=0, null_sd=0, chance=0
        )
    assert len(cells) > 2 and max(cells) <= 700


def test_the_unit_of_the_features_changes_nothing() -> None:
    """Pixels are given as they are stored, be it in 255ths or 65,535ths."""
    labels, groups = nested(5)
    stored = np.random.default_rng(2).integers(0, 200, (len(labels), 30)).astype(np.uint8)
    stored[labels == 1] += 20
    forms = {"8 bits": stored, "16 bits": stored.astype(np.uint16) * 257, "of 1": stored / np.float32(255)}
    found = separate(forms, labels, groups, num_permutations=99)
    values = [
        [(s.value, s.p_value, s.null_mean, s.critical_value) for s in found.statistics if s.space == form]
        for form in forms
    ]
    assert len(values[0]) >= 6
    np.testing.assert_allclose(np.array(values[1], float), np.array(values[0], float), rtol=1e-5)
    np.testing.assert_allclose(np.array(values[2], float), np.array(values[0], float), rtol=1e-5)


def test_unlabelled_pictures_change_nothing() -> None:
    labels = np.arange(30) % 2
    features = np.random.default_rng(0).normal(size=(30, 3))
    padded = np.concatenate([features, np.full((5, 3), 1e3)])
    alone = separate({"latents": features}, labels, num_permutations=49)
    among = separate({"latents": padded}, np.append(labels, [-1] * 5), num_permutations=49)
    assert alone.statistics == among.statistics


def test_renaming_classes_changes_nothing_but_the_draw() -> None:
    labels = np.repeat([0, 1, 2], [10, 7, 5])
    features = np.random.default_rng(0).normal(size=(22, 3)) + labels[:, None]
    renamed = np.array([2, 0, 1])[labels]
    for one, other in zip(
        separate({"x": features}, labels, num_permutations=19).statistics,
        separate({"x": features}, renamed, num_permutations=19).statistics,
        strict=True,
    ):
        assert one.value == pytest.approx(other.value)


@pytest.mark.parametrize("num_dimensions", [1, 3])
def test_equal_pictures_show_nothing_and_are_never_nan(num_dimensions: int) -> None:
    labels, groups = nested(5)
    result = separate({"latents": np.full((40, num_dimensions), 0.2)}, labels, groups)
    for statistic in result.statistics:
        assert np.isfinite([statistic.value, statistic.null_mean, statistic.null_sd, statistic.p_value]).all()
    assert result.find("latents", "ridge_probe").value == 0.5
    assert result.find("latents", "ridge_probe").p_value == 1
    assert result.find("latents", "ari").critical_value is None


def test_persons_as_classes_ask_whether_the_persons_separate() -> None:
    persons = np.arange(40) // 8
    result = separate({"latents": far_apart(persons)}, persons, persons, num_permutations=99)
    assert result.design.kind == "no groups"
    assert result.find("latents", "nearest_neighbors").value == 1
    assert "whether these groups separate" in result.cohort.notes[0]


def test_mistakes_are_explained() -> None:
    with pytest.raises(UserError, match=r"'pixels' have shape \(5, 2\) for 4 labels"):
        separate({"latents": np.eye(4), "pixels": np.ones((5, 2))}, np.array([0, 0, 1, 1]))
    with pytest.raises(UserError, match="0 permutations"):
        separate({"latents": np.eye(4)}, np.array([0, 0, 1, 1]), num_permutations=0)
    assert separate({"latents": np.eye(40)}, np.arange(40) % 2, num_permutations=1).num_permutations == 1
    with pytest.raises(UserError, match="No feature space"):
        separate({}, np.array([0, 0, 1, 1]))
    with pytest.raises(UserError, match="not finite"):
        separate({"latents": np.full((4, 2), np.nan)}, np.array([0, 0, 1, 1]))


def invented(result: Separation, **changes: dict[str, float]) -> Separation:
    """The same separation with other figures for the two pre-declared statistics."""
    return replace(
        result,
        statistics=tuple(replace(s, **changes.get(s.key, {})) for s in result.statistics),  # type: ignore[arg-type]
    )


def test_headline_in_words() -> None:
    labels = np.arange(20) % 2
    result = separate({"latents": far_apart(labels)}, labels, None, ["calm", "glad"], num_permutations=99)
    nothing = {
        "value": 0.54,
        "p_value": 0.31,
        "critical_value": 0.72,
        "null_sd": 0.1,
        "interval": (0.33, 0.73),
    }
    no_clusters = {"value": 0.02, "p_value": 0.4, "critical_value": 0.1}
    said = headline(invented(result, ridge_probe=nothing, ari=no_clusters), "faces")  # type: ignore[arg-type]
    assert said.startswith(
        "No difference between calm and glad was found: a rule that has not seen the face names the "
        "class of 54 % of the "
        "faces rightly (95 % interval 33 to 73 %, guessing 50 %, p = 0.31). That doesn't show that "
        "there is none: with 20 "
        "faces only a rule that is right for about 79 % would have been found four times out of five."
    )
    assert said.endswith(
        "The classes form no clusters of their own: sorted into two clusters by likeness alone, the faces don't divide "
        "by class."
    )
    little = {"value": 0.58, "p_value": 0.01}
    assert headline(invented(result, ridge_probe=little)).startswith("A little: calm and glad")
    for value, words in (
        (0.03, "hardly form clusters"),
        (0.5, "form clusters in part"),
        (0.9, "clusters, too"),
    ):
        assert words in headline(invented(result, ari={"value": value, "p_value": 0.002}))
    # The table's other statistics have no say.
    for key in ("nearest_neighbors", "ami", "silhouette", "variance"):
        assert headline(invented(result, **{key: nothing})) == headline(result)  # type: ignore[arg-type]


def test_clusters_that_are_people_are_called_so() -> None:
    """The classic trap: two expressions of 30 people, whose faces differ far more than their expressions."""
    generator = np.random.default_rng(0)
    people, labels = np.repeat(np.arange(30), 2), np.tile([0, 1], 30)
    latents = 5 * generator.normal(size=(30, 3))[people] + generator.normal(size=(60, 3)) * 0.1
    latents[:, 0] += 0.5 * labels
    result = separate({"latents": latents}, labels, people, ["calm", "glad"], num_permutations=99)
    clusters = k_means(principal_scores(latents), 2)
    said = headline(result, meanings=meanings_of(clusters, labels, people))
    assert "rather the group that they are of than the class" in said
    assert "rather the group" not in headline(result, meanings=meanings_of(labels, labels, people))


def test_the_sample_is_described_by_its_design() -> None:
    labels, groups = nested(4)
    noise = np.random.default_rng(0).normal(size=(32, 2))

    def described(labels: np.ndarray, groups: np.ndarray | None) -> str:
        result = separate({"x": noise}, labels, groups, ["a", "b"], num_permutations=19)
        return describe_sample(result, "faces", "persons")

    assert described(labels, None) == "32 faces"
    assert described(labels, groups) == "8 persons (4 a, 4 b)"
    assert described(np.arange(32) % 2, groups) == "32 faces of 8 persons"


@pytest.mark.parametrize(
    ("p_value", "text"),
    [
        (0.314, "p = 0.31"),
        (0.1, "p = 0.10"),
        (0.0461, "p = 0.046"),
        (0.001, "p = 0.001"),
        (0.0001, "p < 0.001"),
    ],
)
def test_p_values_in_words(p_value: float, text: str) -> None:
    assert format_p(p_value) == text
