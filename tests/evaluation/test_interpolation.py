"""What a user would lose: a view of the images between two latents."""

import numpy as np
import pytest
import torch

from prodgen.evaluation.interpolation import interpolations, slerp
from tests.evaluation.toy_data import VALUES, toy
from tests.toys import SCHEMA

STEPS = torch.linspace(0, 1, 9)


def test_the_path_leads_from_the_first_latent_to_the_second_and_its_length_changes_evenly():
    a, b = torch.randn(2, 64, generator=torch.Generator().manual_seed(0)).unbind()
    path = slerp(a, 2 * b, STEPS)
    assert torch.allclose(path[0], a, atol=1e-5)
    assert torch.allclose(path[-1], 2 * b, atol=1e-5)
    assert torch.allclose(path.norm(dim=1), torch.lerp(a.norm(), 2 * b.norm(), STEPS), rtol=1e-4)


def test_each_step_turns_by_the_same_angle():
    path = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), STEPS)
    assert torch.atan2(path[:, 1], path[:, 0]).diff().tolist() == pytest.approx([torch.pi / 16] * 8, rel=1e-5)


def test_latents_of_one_direction_are_interpolated_on_a_line():
    a = torch.tensor([3.0, 4.0])
    assert torch.allclose(slerp(a, 2 * a, torch.tensor([0.5])), 1.5 * a)


def test_each_row_has_one_value_and_is_reproducible(tmp_path):
    conditions, images = interpolations(toy(tmp_path), seed=3)
    assert [c["category"] for c in conditions] == list(VALUES)
    assert images.shape == (3, 9, 8, 8, 1)
    assert np.array_equal(images, interpolations(toy(tmp_path), seed=3)[1])
    assert not np.array_equal(images[:, 0], images[:, -1])


def test_other_attributes_stay_the_same_along_a_row(tmp_path):
    conditions, _ = interpolations(toy(tmp_path, SCHEMA), seed=0)
    assert all(set(c) == {"category", "pattern"} for c in conditions)
