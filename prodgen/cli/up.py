"""``prodgen up``: run the whole system on this machine."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from prodgen.cli.folders import writing
from prodgen.cli.options import Json
from prodgen.cli.output import console, print_json, remark
from prodgen.errors import ProdgenError


def up(
    port: Annotated[int, typer.Option(help="Port of the gateway.", min=1, max=65535)] = 8000,
    flower_port: Annotated[
        int | None, typer.Option(help="Port of Flower (default: any free port).", min=1, max=65535)
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="Folder for all data.")] = Path("data"),
    workers: Annotated[int, typer.Option(help="Workers that make images.", min=1, max=64)] = 1,
    training_workers: Annotated[int, typer.Option(help="Workers that train.", min=0, max=64)] = 1,
    json: Json = False,
) -> None:
    """Run the whole service on this machine until Ctrl-C."""
    from prodgen.embedded.data_folder import DataFolder
    from prodgen.embedded.stack import Stack
    from prodgen.embedded.supervisor import Supervisor
    from prodgen.ports import is_free

    if flower_port == port:
        raise ProdgenError(f"--port and --flower-port are both {port}; choose two", param="--flower-port")
    for wanted, option in ((port, "--port"), (flower_port, "--flower-port")):
        if wanted and not is_free(wanted):
            raise ProdgenError(f"port {wanted} is taken; choose another with {option}", param=option)
    folder = DataFolder(data_dir)
    stack = Stack(folder, port, flower_port, workers, training_workers)
    supervisor = Supervisor(stack, console.print)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop.set())

    def on_ready() -> None:
        if json:
            print_json({"ready": str(folder.ready_file), "gateway": stack.gateway, "flower": stack.flower})
            return
        remark(f"gateway  {stack.gateway}      API  {stack.gateway}/docs")
        remark(f"Flower   {stack.flower}")
        remark(f"key and addresses in {folder.ready_file}; Ctrl-C stops all")

    remark("starting …")
    with writing(data_dir):
        supervisor.run(on_ready)
    remark("all stopped")
