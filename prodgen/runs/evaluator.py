"""The process that evaluates: ``python -m prodgen.runs.evaluator --model MODEL --data DATA --out FOLDER …``.

It keeps FOLDER/progress.json up to date. At the end it writes the card, the figures and the pictures to
FOLDER/samples, and result.json. A crash leaves no result, and the next process starts from the beginning.
"""

import argparse
from pathlib import Path

import torch

from prodgen.evaluation import report
from prodgen.evaluation.evaluate import Options, evaluate, plan_from
from prodgen.models import load_model
from prodgen.runs.child import add_sample, execute, log
from prodgen.runs.files import CARD
from prodgen.training.watch.metrics import PROGRESS, write_json


def main() -> None:
    """Evaluate a model, and write the result."""
    parser = argparse.ArgumentParser(prog="prodgen.runs.evaluator", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the model's folder")
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument("--judges", type=Path, required=True, help="the folder that keeps judges")
    parser.add_argument("--count", type=int, help="generated images")
    parser.add_argument("--resize", action="store_true", help="bring the images to the model's size")
    execute(parser, _work)


def _work(options: argparse.Namespace) -> int:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    saved = load_model(options.model, options.name, device)
    chosen = Options(options.judges, options.count, device=device, resized=options.resize)

    doing = ""

    def show(work: str, done: int, total: int | None) -> None:
        nonlocal doing
        if work != doing:
            doing = work
            log.info("%s", work)
            write_json(options.out / PROGRESS, {"doing": work, "step": 0})

    found = evaluate(plan_from(saved, options.data, chosen), show)
    made = options.out / "evaluation"
    made.mkdir(exist_ok=True)
    report.write(found, made, options.out / CARD)
    for path in made.iterdir():
        add_sample(path, options.out, path.name)
    return 1


if __name__ == "__main__":
    main()
