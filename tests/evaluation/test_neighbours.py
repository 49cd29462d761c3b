"""What a user would lose: the nearest of sixty thousand images, found in little memory."""

import torch

from prodgen.evaluation import neighbours
from prodgen.evaluation.neighbours import distances, nearest, radii


def features(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 16, generator=torch.Generator().manual_seed(seed)) * 30


def test_pieces_give_what_the_whole_gives(monkeypatch):
    a, b = features(50, 0), features(70, 1)
    whole = torch.cat([*distances(a, b)])
    monkeypatch.setattr(neighbours, "PIECE", 300)
    pieces = [*distances(a, b)]
    assert {len(piece) for piece in pieces} == {4, 2}
    assert torch.allclose(torch.cat(pieces), whole, atol=1e-9)


def test_a_copy_is_at_distance_zero():
    b = features(1000, 0)
    found, rows = nearest(b[[17, 400]], b, 2)
    assert found[:, 0].tolist() == [0.0, 0.0]
    assert rows[:, 0].tolist() == [17, 400]
    assert found[:, 1].min() > 1


def test_an_image_is_not_its_own_neighbour():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert radii(line, 1).tolist() == [1, 1, 2, 4]
    assert radii(line, 2).tolist() == [3, 2, 3, 6]
