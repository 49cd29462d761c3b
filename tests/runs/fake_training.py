"""Stands for torchrun in tests: ``python fake_training.py OUT STEPS [MODEL]``. A step takes 50 ms.

It continues from OUT/checkpoint.safetensors and writes a checkpoint at every step. SIGTERM stops it after a
step. At step STEPS it finishes with a copy of the folder MODEL, or crashes if there is none.
"""

import json
import shutil
import signal
import sys
import time
from pathlib import Path

from prodgen.child_process import exit_with_lease


def main(out: Path, steps: int, model: Path | None) -> None:
    exit_with_lease(out / "lease")
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    step = read(out / "checkpoint.safetensors")
    print(f"from step {step}", flush=True)
    while step < steps and not stopping:
        time.sleep(0.05)
        step += 1
        write(out / "checkpoint.safetensors", step)
        write(out / "classifier.safetensors", 0)
        replace(out / "progress.json", json.dumps({"step": step, "losses": {"generator": 0.5}}).encode())
    if step == steps and not model:
        print("Traceback (most recent call last):\nRuntimeError: CUDA out of memory\n", flush=True)
        sys.exit(1)
    if step == steps:
        shutil.copytree(model, out / "model")
        (out / "model" / "metrics.json").write_text(json.dumps({"domain_fid": 12.5}))
    result = {"outcome": "finished" if step == steps else "stopped", "step": step, "message": None}
    replace(out / "result.json", json.dumps(result).encode())


def read(path: Path) -> int:
    """Return the step of a checkpoint; 0 if there is none."""
    if not path.exists():
        return 0
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return int(dict(json.loads(header["__metadata__"]["state"])["__items__"])["step"])


def write(path: Path, step: int) -> None:
    """Write a checkpoint without tensors."""
    state = json.dumps({"__items__": [["step", step]]})
    header = json.dumps({"__metadata__": {"state": state}}).encode()
    replace(path, len(header).to_bytes(8, "little") + header)


def replace(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".new")
    partial.write_bytes(data)
    partial.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None)
