"""The typer application: every command of ``prodgen``, in the order in which the help lists them."""

import typer

from prodgen.cli import (
    access,
    bench,
    data,
    demo,
    describe,
    edit,
    evaluate,
    generate,
    jobs,
    models,
    provenance,
    sign,
    submit,
    train,
    training,
    up,
    usage,
    verify,
    webhooks,
)

app = typer.Typer(
    name="prodgen",
    help="Generate product images with models trained on your own catalogue.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
_HERE, _SERVICE, _ADMIN = "On this machine", "On a service (PRODGEN_URL, PRODGEN_API_KEY)", "Run a service"

app.command("generate", rich_help_panel=_HERE)(generate.generate)
app.command("edit", rich_help_panel=_HERE)(edit.edit)
app.command("check", rich_help_panel=_HERE)(edit.check)
app.command("provenance", rich_help_panel=_HERE)(provenance.provenance)
app.command("sign", rich_help_panel=_HERE)(sign.sign)
app.command("describe", rich_help_panel=_HERE)(describe.describe)
app.command("verify", rich_help_panel=_HERE)(verify.verify)
app.add_typer(data.app, name="data", rich_help_panel=_HERE)
app.command("train", rich_help_panel=_HERE)(train.train)
app.command("evaluate", rich_help_panel=_HERE)(evaluate.evaluate)
app.command("submit", rich_help_panel=_SERVICE)(submit.submit)
app.add_typer(jobs.app, name="jobs", rich_help_panel=_SERVICE)
app.command("usage", rich_help_panel=_SERVICE)(usage.usage)
app.add_typer(webhooks.app, name="webhooks", rich_help_panel=_SERVICE)
app.add_typer(training.app, name="training", rich_help_panel=_SERVICE)
app.add_typer(models.app, name="models", rich_help_panel=_SERVICE)
app.command("up", rich_help_panel=_ADMIN)(up.up)
app.add_typer(access.keys, name="keys", rich_help_panel=_ADMIN)
app.add_typer(access.tenants, name="tenants", rich_help_panel=_ADMIN)
app.command("demo", rich_help_panel=_ADMIN)(demo.demo)
app.command("bench", rich_help_panel=_ADMIN)(bench.bench)
