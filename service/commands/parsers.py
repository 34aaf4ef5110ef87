"""The commands for the one who has the machine: users, API keys, secrets, the audit log, importing, the cache.

They work while the service runs.

What they need is imported when they are run: --help and the other commands do without.
"""

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # the name that argparse gives its type

DEFAULT_LEVEL = "researcher"
HEAD = re.compile(r"\d{1,18}:[0-9a-f]{64}")


def add_commands(commands: "Commands") -> None:
    _add_user(commands)
    _add_apikey(commands)
    _add_secret(commands)
    _add_audit(commands)
    _add_import(commands)
    _add_cache(commands)


def _add_user(commands: "Commands") -> None:
    user = commands.add_parser("user", help="accounts: add, list, disable, enable, reset-password")
    kinds = user.add_subparsers(required=True, metavar="COMMAND")

    add = kinds.add_parser("add", help="make an account; the first one must be an administrator")
    add.add_argument("username", help="what others see; no @ in it")
    add.add_argument("email", help="e-mail address")
    add.add_argument(
        "--level",
        action="append",
        dest="levels",
        metavar="NAME",
        help=f"viewer, researcher, lead, admin or a level of your own; may be given several times ({DEFAULT_LEVEL})",
    )
    _add_password(add)
    add.set_defaults(run=_user_add)

    listing = kinds.add_parser("list", help="print all accounts")
    listing.set_defaults(run=_user_list)

    for name, does, run in (
        ("disable", "end all sessions and stop all keys of an account", _user_disable),
        ("enable", "let somebody in again", _user_enable),
    ):
        switch = kinds.add_parser(name, help=does)
        switch.add_argument("login", metavar="USER", help="username or e-mail address")
        switch.set_defaults(run=run)

    reset = kinds.add_parser("reset-password", help="give an account another password; all its sessions end")
    reset.add_argument("login", metavar="USER", help="username or e-mail address")
    _add_password(reset)
    reset.set_defaults(run=_user_reset_password)


def _add_password(parser: argparse.ArgumentParser) -> None:
    """Never as an argument: those can be seen by everybody on the machine, and shells remember them."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    source.add_argument("--generate", action="store_true", help="make up a password and print it")


def _add_apikey(commands: "Commands") -> None:
    apikey = commands.add_parser("apikey", help="API keys: create, list, revoke")
    kinds = apikey.add_subparsers(required=True, metavar="COMMAND")

    create = kinds.add_parser("create", help="make a key for somebody and print it, this once")
    create.add_argument("login", metavar="USER", help="username or e-mail address")
    create.add_argument("name", metavar="NAME", help="what it is for")
    create.add_argument("--permissions", type=_names, metavar="A,B", help="what it may do (all that the user may)")
    create.add_argument("--expires-days", type=_days, metavar="N", help="when it stops working (never)")
    create.set_defaults(run=_apikey_create)

    listing = kinds.add_parser("list", help="print the keys that have not been revoked, without their secrets")
    listing.add_argument("login", metavar="USER", nargs="?", help="only those of this user")
    listing.set_defaults(run=_apikey_list)

    revoke = kinds.add_parser("revoke", help="stop a key")
    revoke.add_argument("key", metavar="KEY", help="its id, or how it begins, as the list has them")
    revoke.set_defaults(run=_apikey_revoke)


def _add_secret(commands: "Commands") -> None:
    secret = commands.add_parser("secret", help="tokens that runs are given: set, list, delete, check, rotate-key")
    kinds = secret.add_subparsers(required=True, metavar="COMMAND")

    for name, does, run in (
        ("set", "store a token, read from standard input or asked for", _secret_set),
        ("delete", "erase a token", _secret_delete),
        ("check", "ask whether a token is still good; exit status 1 when it is not", _secret_check),
    ):
        command = kinds.add_parser(name, help=does)
        command.add_argument("name", metavar="NAME", help="HF_TOKEN, WANDB_API_KEY or another environment variable")
        _add_owner(command)
        command.set_defaults(run=run)

    listing = kinds.add_parser("list", help="print what is stored, without the values")
    _add_owner(listing)
    listing.set_defaults(run=_secret_list)

    rotate = kinds.add_parser("rotate-key", help="seal everything that is stored with a new key")
    rotate.set_defaults(run=_secret_rotate_key)


def _add_owner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--user", dest="login", metavar="USER", help="username or e-mail address whose own it is (shared by all runs)"
    )


def _add_audit(commands: "Commands") -> None:
    audit = commands.add_parser("audit", help="the audit log: verify, export")
    kinds = audit.add_subparsers(required=True, metavar="COMMAND")

    verify = kinds.add_parser("verify", help="look for events that were altered; exit status 1 when one is found")
    verify.add_argument(
        "--head", type=_head, metavar="POSITION:DIGEST", help="what an earlier verify printed: must still be a part"
    )
    verify.set_defaults(run=_audit_verify)

    export = kinds.add_parser("export", help="print the log as JSON lines, oldest first")
    export.add_argument("--actor", metavar="USER", help="only by this user: username, e-mail address or id")
    export.add_argument("--subject", metavar="ID", help="only done to this")
    export.add_argument("--action", metavar="WORD", help="only actions that begin so, for example environment.")
    export.add_argument("--via", metavar="WORD", help="only what came in so, for example key")
    export.add_argument("--since", metavar="TIME", help="from this time on, for example 2030-01-31")
    export.add_argument("--until", metavar="TIME", help="before this time")
    export.set_defaults(run=_audit_export)


def _add_import(commands: "Commands") -> None:
    importing = commands.add_parser("import", help="make environments of the configurations of other tools")
    importing.add_argument(
        "path",
        metavar="PATH",
        help="a file of SimpleTuner, sd-scripts, kohya_ss, ai-toolkit, OneTrainer or diffusers, or a folder",
    )
    importing.add_argument("--dry-run", action="store_true", help="show what would be made, and make nothing")
    importing.add_argument("--format", metavar="NAME", help="of which tool it is (told by the content)")
    importing.add_argument("--name", metavar="NAME", help="for the environment (as in the file)")
    importing.set_defaults(run=_import)


def _add_cache(commands: "Commands") -> None:
    cache = commands.add_parser("cache", help="the encodings that runs share: show, prune")
    kinds = cache.add_subparsers(required=True, metavar="COMMAND")

    show = kinds.add_parser("show", help="print how much there is, and how much of it living runs need")
    show.set_defaults(run=_cache_show)

    prune = kinds.add_parser("prune", help="remove what was not used for the longest time; what living runs need stays")
    prune.add_argument(
        "--limit", type=_gigabytes, metavar="GB", help="how much may stay (SIMPLETUNER_CACHE_GB); 0 removes all"
    )
    prune.set_defaults(run=_cache_prune)


def _gigabytes(text: str) -> int:
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of gigabytes from 0")
    return int(limit * 1e9)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 36500:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1")
    return int(text)


def _head(text: str) -> tuple[int, bytes]:
    if not HEAD.fullmatch(text.strip().lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is no head, which is a position, a colon and 64 hexadecimal digits")
    position, _, digest = text.strip().partition(":")
    return int(position), bytes.fromhex(digest)


def _user_add(options: argparse.Namespace) -> int:
    from service.commands import user  # noqa: PLC0415  slow import

    return user.add(
        options.username,
        options.email,
        levels=options.levels or [DEFAULT_LEVEL],
        from_stdin=options.password_stdin,
        generate=options.generate,
    )


def _user_list(_: argparse.Namespace) -> int:
    from service.commands import user  # noqa: PLC0415  slow import

    return user.print_all()


def _user_disable(options: argparse.Namespace) -> int:
    from service.commands import user  # noqa: PLC0415  slow import

    return user.switch(options.login, disabled=True)


def _user_enable(options: argparse.Namespace) -> int:
    from service.commands import user  # noqa: PLC0415  slow import

    return user.switch(options.login, disabled=False)


def _user_reset_password(options: argparse.Namespace) -> int:
    from service.commands import user  # noqa: PLC0415  slow import

    return user.reset_password(options.login, from_stdin=options.password_stdin, generate=options.generate)


def _apikey_create(options: argparse.Namespace) -> int:
    from service.commands import api_key  # noqa: PLC0415  slow import

    return api_key.create(
        options.login, name=options.name, permissions=options.permissions, expires_days=options.expires_days
    )


def _apikey_list(options: argparse.Namespace) -> int:
    from service.commands import api_key  # noqa: PLC0415  slow import

    return api_key.print_all(options.login)


def _apikey_revoke(options: argparse.Namespace) -> int:
    from service.commands import api_key  # noqa: PLC0415  slow import

    return api_key.revoke(options.key)


def _audit_verify(options: argparse.Namespace) -> int:
    from service.commands import audit  # noqa: PLC0415  slow import

    return audit.print_verification(noted=options.head)


def _audit_export(options: argparse.Namespace) -> int:
    from service.commands import audit  # noqa: PLC0415  slow import

    names = ("actor", "subject", "action", "via", "since", "until")
    return audit.print_export({name: value for name in names if (value := vars(options)[name]) is not None})


def _secret_set(options: argparse.Namespace) -> int:
    from service.commands import secret  # noqa: PLC0415  slow import

    return secret.set_one(options.name, login=options.login)


def _secret_list(options: argparse.Namespace) -> int:
    from service.commands import secret  # noqa: PLC0415  slow import

    return secret.print_all(options.login)


def _secret_delete(options: argparse.Namespace) -> int:
    from service.commands import secret  # noqa: PLC0415  slow import

    return secret.delete(options.name, login=options.login)


def _secret_check(options: argparse.Namespace) -> int:
    from service.commands import secret  # noqa: PLC0415  slow import

    return secret.check(options.name, login=options.login)


def _secret_rotate_key(_: argparse.Namespace) -> int:
    from service.commands import secret  # noqa: PLC0415  slow import

    return secret.rotate_key()


def _import(options: argparse.Namespace) -> int:
    from service.commands import importing  # noqa: PLC0415  slow import

    return importing.import_path(options.path, dry_run=options.dry_run, format=options.format, name=options.name)


def _cache_show(_: argparse.Namespace) -> int:
    from service.commands import cache  # noqa: PLC0415  slow import

    return cache.show()


def _cache_prune(options: argparse.Namespace) -> int:
    from service.commands import cache  # noqa: PLC0415  slow import

    return cache.prune(limit_bytes=options.limit)
