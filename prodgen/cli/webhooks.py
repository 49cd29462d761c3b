"""``prodgen webhooks``: the messages that tell a shop how its orders ended."""

from typing import Annotated

import typer

from prodgen.cli.gateway import connect
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_record, print_table, report

app = typer.Typer(help="Show webhooks, send them again, and print their secret.", no_args_is_help=True)

Job = Annotated[str, typer.Argument(help="Id of the job.")]


@app.command()
def secret(
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new one; the old one signs for a day more.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the secret that signs the tenant's webhooks.

    Needs a key with the scope admin.
    """
    with connect() as gateway:
        found = gateway.webhook_secret(rotate)
    if json:
        print_json({"secret": found})
    else:
        typer.echo(found)


@app.command("list")
def list_dead(json: Json = False) -> None:
    """List the messages that were given up."""
    with connect() as gateway:
        found = list(gateway.dead_webhooks())
    if json:
        print_json(found)
    else:
        print_table(found, "job", "attempts", "last", "error", "url", fold=("error", "url"))


@app.command()
def show(job: Job, json: Json = False) -> None:
    """Show what became of the message about a job's end."""
    with connect() as gateway:
        found = gateway.webhook(job)
    if json:
        print_json(found)
    else:
        print_record(found)


@app.command()
def replay(job: Job, json: Json = False) -> None:
    """Send the message about an ended job again."""
    with connect() as gateway:
        found = gateway.replay_webhook(job)
    report(json, found, f"the webhook of job {job} is sent again to {found['url']}")
