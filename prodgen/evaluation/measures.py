"""The measures of an evaluation, by the stage in which they are taken: each gives figures and pictures."""

from collections.abc import Callable

from prodgen.evaluation import gallery
from prodgen.evaluation.accuracy import Accuracy, accuracy
from prodgen.evaluation.alpha import transparency
from prodgen.evaluation.cas import classification_accuracy_score
from prodgen.evaluation.colours import fidelity
from prodgen.evaluation.comparison import comparison
from prodgen.evaluation.domain import RESIZER
from prodgen.evaluation.interpolation import interpolations
from prodgen.evaluation.memorisation import memorisation
from prodgen.evaluation.reconstruction import reconstruction, reconstructs
from prodgen.evaluation.samples import sample_sheet
from prodgen.evaluation.scene import PIXELS, Findings, Scene
from prodgen.evaluation.splits import subset

NO_KINDS = "there are no kinds of product to tell apart"


def agreement(scene: Scene) -> Findings:
    """How often a classifier trained on real images takes what was asked for as a value for that value."""
    figures = {}
    for attribute in scene.splits.train.classifiable:
        judge = scene.judges(attribute)
        ours = accuracy(judge, subset(scene.generated, slice(scene.count)), attribute)
        theirs = accuracy(judge, scene.splits.test, attribute)
        figures[f"agreement_{attribute}"] = scene.figure(
            f"agreement with the {attribute} asked for",
            ours.overall,
            theirs.overall,
            "higher",
            features=judge.name,
            resizer=judge.resizer,
            real_count=theirs.count,
            **_by_class(attribute, ours, theirs),
        )
    return Findings(figures, left_out=() if figures else (f"agreement with what was asked for: {NO_KINDS}",))


def teaching(scene: Scene) -> Findings:
    """The classification accuracy score, and how many points it is below training on real images."""
    if scene.first is None:
        return Findings(left_out=(f"the classification accuracy score: {NO_KINDS}",))
    generated = subset(scene.generated, slice(scene.taught))
    ours, theirs = classification_accuracy_score(
        generated, scene.splits.train, scene.splits.test, scene.first, scene.judges
    )
    own = {
        "features": f"fresh domain classifier ({scene.first})",
        "resizer": RESIZER,
        "real_count": ours.count,
        "generated_count": scene.taught,
    }
    title = "classification accuracy score (CAS)"
    figures = {
        "cas": scene.figure(
            title, ours.overall, theirs.overall, "higher", **own, **_by_class(scene.first, ours, theirs)
        )
    }
    if ours.overall is not None and theirs.overall is not None:
        points = 100 * (theirs.overall - ours.overall)
        figures["cas_gap"] = scene.figure("points that CAS is below real images", points, 0.0, "lower", **own)
    return Findings(figures)


def memory(scene: Scene) -> Findings:
    """Whether generated images lie nearer to training images than unseen real ones do."""
    found = memorisation(
        scene.generated_features.values, scene.test_features.values, scene.train_features.values
    )
    title = f"share within {found.threshold:.3g} of a training image"
    figures = {
        "memorised_share": scene.figure(title, found.share, found.test_share, "not above real"),
        "nearest_median": scene.figure(
            "median distance to the nearest training image", found.median, found.test_median, "near real"
        ),
    }
    return Findings(figures, {"neighbours.png": gallery.neighbours(scene, found)})


def sheet(scene: Scene) -> Findings:
    """No figure, but eight images of every value of the first attribute, none of them chosen."""
    values = scene.splits.train.values[scene.first] if scene.first else ()
    drawn = sample_sheet(scene.model, scene.first, values, scene.seed, scene.device)
    return Findings(pictures={"samples.png": drawn})


def in_between(scene: Scene) -> Findings:
    """No figure, but a picture of what lies between latents."""
    conditions, images = interpolations(scene.model, scene.seed, scene.device)
    return Findings(pictures={"interpolation.png": gallery.interpolation(conditions, images)})


def giving_back(scene: Scene) -> Findings:
    """The reconstruction of real test images, of models that can."""
    found = (
        reconstruction(scene.model, scene.splits.test, scene.device) if reconstructs(scene.model) else None
    )
    if found is None:
        return Findings()
    count = {"real_count": len(found.originals), "generated_count": len(found.images)}
    pixels = {"features": "pixels", "resizer": PIXELS, **count}
    figures = {
        "reconstruction_mse": scene.figure(
            "reconstruction: mean squared error of pixels in [0, 1]", found.squared, 0.0, "lower", **pixels
        ),
        "reconstruction_mae": scene.figure(
            "reconstruction: mean error in levels of 255", found.absolute, 0.0, "lower", **pixels
        ),
    }
    if scene.first is not None:
        judge = scene.judges(scene.first)
        ours, theirs = (accuracy(judge, images, scene.first) for images in (found.images, found.originals))
        figures["reconstruction_agreement"] = scene.figure(
            f"reconstruction: agreement with its {scene.first}",
            ours.overall,
            theirs.overall,
            "higher",
            features=judge.name,
            resizer=judge.resizer,
            **count,
            **_by_class(scene.first, ours, theirs),
        )
    return Findings(figures, {"reconstructions.png": gallery.reconstructions(found, scene.first)})


def _by_class(attribute: str, ours: Accuracy, theirs: Accuracy) -> dict[str, object]:
    pairs = {value: (share, theirs.by_class[value]) for value, share in ours.by_class.items()}
    return {"attribute": attribute, "by_class": pairs}


MEASURES: dict[str, Callable[[Scene], Findings]] = {
    "Comparing with the test split": comparison,
    "Comparing transparency": transparency,
    "Measuring colours": fidelity,
    "Asking the judges": agreement,
    "Training a classifier on generated images": teaching,
    "Looking for memorised images": memory,
    "Drawing samples": sheet,
    "Interpolating": in_between,
    "Reconstructing": giving_back,
}
