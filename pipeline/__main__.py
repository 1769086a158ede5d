"""The command `promptshed`."""

import importlib
import sys
from collections.abc import Sequence

import click

from profiles.errors import INTERRUPTED, PromptshedError

_VERBS = {
    "demo": ("demo:demo_command", "The whole loop on real data that ships with a dependency."),
    "import": ("importing:import_files", "Read logs and outcomes into the store."),
    "discover": ("discovering:discover_command", "Encode, cluster and name the prompts."),
    "domains": ("curating:domains_group", "List the domains and decide about them."),
    "search": ("searching:search_command", "Find the prompts nearest in meaning to some words."),
    "profile": ("profiling:profile_command", "Profile every model in every approved domain."),
    "axes": ("axes:axes_command", "Say what prompts ask for: task, urgency, sensitivity …"),
    "prices": ("profiling:prices_command", "Show models' prices and where they come from."),
    "table": ("routing:table_group", "Build, show, compare and publish routing tables."),
    "evaluate": ("evaluating:evaluate_command", "Compare routers on held-out prompts."),
    "cascade": ("cascading:cascade_command", "Replay asking a cheap model first."),
    "route": ("route:route_command", "Give every row of a file its model."),
    "batch": ("batching:batch_group", "Files for providers' batch interfaces, results back."),
    "run": ("running:run_command", "Ask the models of a routed file, others where they fail."),
    "export": ("exporting:export_command", "Write the published table for other services."),
    "app": ("serving:app_command", "Open the dashboard on 127.0.0.1."),
    "doctor": ("serving:doctor_command", "Check versions, store and encoder; say what to do."),
}


class _LazyGroup(click.Group):
    """Imports a verb's module when it is used, so that --help does not wait for PyTorch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module, _, name = _VERBS[cmd_name][0].partition(":")
        return getattr(importlib.import_module(f"pipeline.commands.{module}"), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, help_) for verb, (_, help_) in _VERBS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="promptshed")
def cli() -> None:
    """Find what your LLMs are asked, and send each prompt where it is answered well and cheaply.

    Exit codes: 0 ok, 1 failure, 2 usage, 3 some rows rejected, 4 gate failed, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        code = cli.main(args=given, standalone_mode=False, obj=given)
    except PromptshedError as error:
        click.echo(f"promptshed: {error}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort) as interrupt:
        hint = str(interrupt.__cause__ or interrupt) or "run the same command again to go on."
        click.echo(f"promptshed: interrupted; {hint}", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(
            f"promptshed: {place}{error.strerror or error}. Check the disk's space and the "
            "permissions, then run the same command again.",
            err=True,
        )
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
