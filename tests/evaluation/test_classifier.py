"""The judge learns to tell a sneaker from a bag."""

import torch

from prodgen.catalog.idx import load_idx
from prodgen.evaluation.classifier import classify, to_tensor, train_classifier
from tests.toys import write_catalogue


def test_the_classifier_learns_what_tells_classes_apart(tmp_path):
    folder = write_catalogue(tmp_path, count=640, size=10)
    model = train_classifier(load_idx(folder, "mnist"), "category", epochs=4)
    unseen = load_idx(folder, "mnist", "test")
    features, predicted = classify(model, to_tensor(torch.from_numpy(unseen.images)), batch=100)
    assert features.shape == (640, 128)
    right = predicted == torch.from_numpy(unseen.labels["category"])
    assert right.float().mean() > 0.97


def test_the_same_seed_gives_the_same_judge_and_leaves_the_random_state_alone(tmp_path):
    catalogue = load_idx(write_catalogue(tmp_path), "mnist")
    before = torch.get_rng_state()
    a, b = (train_classifier(catalogue, "category", epochs=1) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a.state_dict()[k], b.state_dict()[k]) for k in a.state_dict())
    assert not a.training


def test_predictions_do_not_depend_on_the_batch(tmp_path):
    catalogue = load_idx(write_catalogue(tmp_path), "mnist")
    model = train_classifier(catalogue, "category", epochs=1)
    images = to_tensor(torch.from_numpy(catalogue.images))
    (whole, _), (parts, _) = classify(model, images), classify(model, images, batch=7)
    assert torch.allclose(whole, parts, atol=1e-5)


def test_bytes_become_the_range_of_the_networks():
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2, 1)
    assert to_tensor(pixels).flatten().tolist() == [-1.0, 1.0]
    assert to_tensor(pixels).shape == (1, 1, 1, 2)
