"""Generated images as a set, beside the set of real ones."""

from prodgen.evaluation.metrics import AS_MANY, TITLES, compare
from prodgen.evaluation.scene import Findings, Scene


def comparison(scene: Scene) -> Findings:
    """FID, KID, precision, recall, density, coverage and Inception Score."""
    ours = compare(scene.generated_features, scene.test_features)
    theirs = compare(scene.stand_in, scene.test_features)
    figures = {}
    for name, (title, better) in TITLES.items():
        if name in ours:
            own = {"std": ours.get(f"{name}_std"), **_counts(scene, name)}
            figures[name] = scene.figure(title, ours[name], theirs.get(name), better, **own)
    left_out = []
    if "fid" not in ours:
        size = scene.test_features.values.shape[1]
        left_out.append(
            f"the Fréchet distance: {size:,} features need more than {size:,} images; there are "
            f"{scene.count:,} generated and {len(scene.splits.test):,} real ones (the kernel distance holds)"
        )
    if "inception_score" not in ours:
        left_out.append("the Inception Score: the network that judges knows no kinds of product")
    return Findings(figures, left_out=tuple(left_out))


def _counts(scene: Scene, name: str) -> dict[str, int]:
    generated, real, stand_in = scene.count, len(scene.splits.test), len(scene.stand_in)
    if name in AS_MANY:
        generated, stand_in = min(generated, real), min(stand_in, real)
        real = generated
    return {"generated_count": generated, "real_count": real, "stand_in_count": stand_in}
