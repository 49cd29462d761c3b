"""All the commands, gathered."""

import typer

from prodgen.cli import (
    bench,
    data,
    demo,
    evaluate,
    generate,
    jobs,
    keys,
    models,
    submit,
    train,
    training,
    up,
    verify,
)

app = typer.Typer(
    name="prodgen",
    help="Product images by the million, from generators trained on your own catalogue.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("generate")(generate.generate)
app.command("submit")(submit.submit)
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.add_typer(training.app, name="training")
app.command("evaluate")(evaluate.evaluate)
app.command("verify")(verify.verify)
app.add_typer(keys.app, name="keys")
app.command("bench")(bench.bench)
