"""The typer application: every command of ``prodgen``, in the order in which the help lists them."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

_HERE, _SERVICE, _ADMIN = "On this machine", "On a service (PRODGEN_URL, PRODGEN_API_KEY)", "Run a service"
_PLACES = {
    "generate": (_HERE, "generate.generate"),
    "morph": (_HERE, "morph.morph"),
    "redraw": (_HERE, "redraw.redraw"),
    "edit": (_HERE, "edit.edit"),
    "check": (_HERE, "edit.check"),
    "swatch": (_HERE, "swatch.swatch"),
    "provenance": (_HERE, "provenance.provenance"),
    "sign": (_HERE, "sign.sign"),
    "describe": (_HERE, "describe.describe"),
    "verify": (_HERE, "verify.verify"),
    "data": (_HERE, "data.app"),
    "train": (_HERE, "train.train"),
    "evaluate": (_HERE, "evaluate.evaluate"),
    "directions": (_HERE, "directions.directions"),
    "submit": (_SERVICE, "submit.submit"),
    "jobs": (_SERVICE, "jobs.app"),
    "usage": (_SERVICE, "usage.usage"),
    "webhooks": (_SERVICE, "webhooks.app"),
    "training": (_SERVICE, "training.app"),
    "models": (_SERVICE, "models.app"),
    "up": (_ADMIN, "up.up"),
    "keys": (_ADMIN, "access.keys"),
    "tenants": (_ADMIN, "access.tenants"),
    "audit": (_ADMIN, "audit.audit"),
    "machines": (_ADMIN, "audit.machines"),
    "demo": (_ADMIN, "demo.demo"),
    "bench": (_ADMIN, "bench.bench"),
}
"""For each command: its panel in the help, and its function or typer application in this package."""


class _Commands(TyperGroup):
    """Imports the module of a command only when the command is used, because all modules take a second."""

    def __init__(self, **options: Any) -> None:
        names: Any = dict.fromkeys(_PLACES)
        super().__init__(**options | {"commands": names})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None if no command has that name."""
        if cmd_name in _PLACES and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _load(cmd_name)
        return super().get_command(ctx, cmd_name)


def _load(name: str) -> Any:
    panel, place = _PLACES[name]
    module, attribute = place.split(".")
    found = getattr(import_module(f"prodgen.cli.{module}"), attribute)
    alone = typer.Typer(rich_markup_mode="markdown")
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name, rich_help_panel=panel)
    else:
        alone.command(name, rich_help_panel=panel)(found)
    return typer.main.get_group(alone).commands[name]


app = typer.Typer(
    cls=_Commands,
    name="prodgen",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)


@app.callback()
def prodgen() -> None:
    """Generate product images with models trained on your own catalogue."""
