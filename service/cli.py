"""The command `simpletuner`."""

import argparse
import gc
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version

from domain.errors import Refusal
from service.commands.parsers import add_commands
from service.settings import DEFAULT_HOST, DEFAULT_PORT, SettingsError, read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 failed, 2 not understood."""
    parser = _parser()
    options, others = parser.parse_known_args(arguments)
    if others and options.run is not _train:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    options.overrides = others
    try:
        return int(options.run(options))
    except (SettingsError, Refusal) as error:
        print(f"simpletuner: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simpletuner", description="Fine-tune diffusion models on your own pictures.")
    parser.add_argument("--version", action="version", version=f"simpletuner {version('simpletuner')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    server = commands.add_parser("server", help="serve the API and the web client")
    server.add_argument("--host", default=DEFAULT_HOST, help="address to listen on (%(default)s)")
    server.add_argument("--port", type=_port, default=DEFAULT_PORT, help="port to listen on (%(default)s)")
    server.add_argument("--ssl", action="store_true", help="serve TLS with a self-signed certificate, made once")
    server.add_argument("--env", metavar="NAME", help="start training this environment once the service is ready")
    server.set_defaults(run=_serve)

    train = commands.add_parser(
        "train",
        help="train without the service, in this terminal",
        description="Train without the service, in this terminal. --KEY VALUE counts instead of what config.json says.",
        add_help=False,
        allow_abbrev=False,
    )
    train.add_argument("-h", "--help", action=_TrainHelp, nargs=0, help="show this, with every option")
    train.add_argument("--env", metavar="DIR", required=True, help="folder with config.json and multidatabackend.json")
    train.add_argument("--output", metavar="DIR", help="where the run is kept (DIR/output)")
    train.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in the output")
    train.set_defaults(run=_train)

    rebuild = commands.add_parser("rebuild", help="make the read models anew from the events")
    rebuild.set_defaults(run=_rebuild)

    add_commands(commands)

    schema = commands.add_parser("schema", help="print the GraphQL schema")
    schema.set_defaults(run=_print_schema)

    options = commands.add_parser("options", help="print every option of an environment and a dataset, as Markdown")
    options.set_defaults(run=_print_options)

    families = commands.add_parser(
        "families", help="print every model family and what it can be trained with, as Markdown"
    )
    families.set_defaults(run=_print_families)
    return parser


class _TrainHelp(argparse.Action):
    """The options are described when somebody asks for them: nothing else needs them to start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from service.commands.overrides import add_options  # noqa: PLC0415  slow import

        add_options(parser)
        parser.print_help()
        parser.exit()


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports go from 1 to 65535")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    gc.disable()  # a start makes much and drops little: collecting would take a tenth of its time
    from service.server import serve  # noqa: PLC0415  slow import

    gc.freeze()
    gc.enable()
    settings = replace(
        read_settings(), host=options.host, port=options.port, ssl=options.ssl, start_environment=options.env
    )
    serve(settings)
    return 0


def _train(options: argparse.Namespace) -> int:
    from service.commands.overrides import read_overrides  # noqa: PLC0415  slow import
    from service.train import train  # noqa: PLC0415

    return train(
        options.env,
        output=options.output,
        resume=options.resume,
        overrides=read_overrides(options.overrides),
        environment=read_settings().environment,
    )


def _rebuild(_: argparse.Namespace) -> int:
    from service.audit.key import ensure_audit_key  # noqa: PLC0415  slow import
    from service.database import Database  # noqa: PLC0415
    from service.read_models.projection import project, rebuild  # noqa: PLC0415
    from service.store import open_application  # noqa: PLC0415

    settings = read_settings()
    database = Database(settings.database_url)
    database.create_tables()
    num_events = rebuild(open_application(database, project=project, audit_key=ensure_audit_key(settings)), database)
    print(f"The read models were made anew from {num_events} events.")  # noqa: T201
    return 0


def _print_schema(_: argparse.Namespace) -> int:
    from service.graphql.schema import schema  # noqa: PLC0415  slow import

    print(schema.as_str())  # noqa: T201
    return 0


def _print_options(_: argparse.Namespace) -> int:
    from service.commands.options import options_page  # noqa: PLC0415  slow import

    print(options_page())  # noqa: T201
    return 0


def _print_families(_: argparse.Namespace) -> int:
    from service.commands.families import families_page  # noqa: PLC0415  slow import

    print(families_page())  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
