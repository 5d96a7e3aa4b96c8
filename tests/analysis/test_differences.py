"""Which dimensions differ, and what a rule says of pictures that it has not seen."""

import numpy as np
import pytest
from scipy.stats import f_oneway
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from vae_tf.analysis.dimensions import judge_dimensions
from vae_tf.analysis.out_of_fold import predict_out_of_fold
from vae_tf.analysis.permutation import labellings, plan


def two_differ(seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.arange(60) % 2
    return generator.normal(size=(60, 8)) + 2 * labels[:, None] * np.eye(8)[1] - 3 * labels[:, None] * np.eye(
        8
    )[6], labels


def test_the_dimensions_that_differ_are_named() -> None:
    latents, labels = two_differ()
    design = plan(labels)
    found = judge_dimensions(latents, design, labellings(design, 499, 0))
    assert np.flatnonzero(found.p_values <= 0.05).tolist() == [1, 6]
    assert found.p_values[6] == found.minimum_p == 1 / 500
    assert found.shifts is not None and found.shifts[1] > 1 and found.shifts[6] < -2
    assert not found.within_groups


def test_shares_of_variance_are_those_of_an_analysis_of_variance() -> None:
    latents, labels = two_differ()
    design = plan(labels)
    found = judge_dimensions(latents, design, labellings(design, 19, 0))
    for i in range(8):
        f = f_oneway(latents[labels == 0, i], latents[labels == 1, i]).statistic
        assert found.explained[i] == pytest.approx(f / (f + 58))
    np.testing.assert_allclose(found.by_chance, 1 / 59, atol=0.02)


def test_differences_within_people_are_seen_through_those_between_them() -> None:
    generator = np.random.default_rng(1)
    people, labels = np.repeat(np.arange(20), 2), np.tile([0, 1], 20)
    latents = 20 * generator.normal(size=(20, 4))[people] + generator.normal(size=(40, 4))
    latents[:, 2] += 3 * labels
    design = plan(labels, people)
    found = judge_dimensions(latents, design, labellings(design, 499, 0))
    assert found.within_groups and np.flatnonzero(found.p_values <= 0.05).tolist() == [2]


def test_few_groups_can_name_no_dimension() -> None:
    groups = np.repeat(np.arange(6), 4)
    labels = (groups >= 3).astype(int)
    design = plan(labels, groups)
    found = judge_dimensions(labels[:, None] + np.zeros((24, 3)), design, labellings(design, 999, 0))
    assert found.minimum_p == 0.1 and (found.p_values >= 0.1).all()


def test_out_of_fold_predictions_are_those_of_refitted_rules() -> None:
    latents, labels = two_differ()
    groups = np.arange(60) // 4
    design = plan(labels, groups)
    found = predict_out_of_fold(latents, design, 5)
    scaled = latents / np.sqrt((latents - latents.mean(axis=0)).var(axis=0).sum())
    margin = cross_val_predict(
        Ridge(alpha=1.0), scaled, 2.0 * labels - 1, groups=groups, cv=LeaveOneGroupOut()
    )
    assert np.mean((margin > 0) == (found.probabilities[:, 1] > 0.5)) > 0.95
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    assert found.confusion.sum() == 60 and found.confusion.trace() == np.sum(
        found.probabilities.argmax(axis=1) == labels
    )


def test_a_swapped_label_is_the_most_misplaced_picture() -> None:
    latents, labels = two_differ()
    labels = labels.copy()
    labels[10] = 1 - labels[10]
    found = predict_out_of_fold(latents, plan(labels), 3)
    assert 10 in found.misplaced[labels[10]]
    for label in (0, 1):
        own = found.probabilities[:, label]
        assert set(found.typical[label]) == set(
            np.flatnonzero(labels == label)[np.argsort(-own[labels == label])[:3]]
        )
        assert all(found.probabilities[i].argmax() != label for i in found.misplaced[label])


def test_probabilities_are_as_often_right_as_they_say() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(2000) % 2
    latents = generator.normal(size=(2000, 5)) + labels[:, None] * np.array([1.5, 0, 0, 0, 0])
    found = predict_out_of_fold(latents, plan(labels), 1)
    sure = found.probabilities.max(axis=1)
    right = found.probabilities.argmax(axis=1) == labels
    for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 1.0)):
        inside = (sure >= low) & (sure < high)
        assert right[inside].mean() == pytest.approx(sure[inside].mean(), abs=0.06)
