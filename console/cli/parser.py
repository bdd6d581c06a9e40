"""Every command with its arguments, and an example in each help.

`run` names the function of a command, "module:function" beneath console.cli: the module is imported when it is run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from msgspec import Meta

from backends.core import registry
from console import __version__
from console.cli.streams import put
from console.config import THEME_NAMES, Fps, ProbeRate
from console.errors import UsageError
from console.nearest import nearest
from console.screen_table import NAMES, OF_MODEL, OF_STORE
from console.validation import Positive, number_from

PROG = "model-console"
WRITTEN = (*registry.convertible(), "safetensors")
"""Formats that `convert` writes."""


INSPECT_CODES = """exit codes for a directory:
  0  everything in it that holds a model is safe
  3  something is blocked or needs a review
  4  else, something is damaged or could not be read: a file, a directory, an archive or a part of one
  1  else, something could not be inspected by this machine now
  5  else, something promises a model, by its name or its first bytes, that nothing here reads
Nothing is passed over by its name, hidden or not: files that hold no model are counted.
A link is followed where a relative path leads it to a file beneath the store, and never to a directory."""


class Parser(argparse.ArgumentParser):
    """Reports mistakes as our own errors, so that they look alike and --json holds for them too."""

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(message, hint=f"see {self.prog} --help")

    def _print_message(self, message: str, file: object = None) -> None:
        """See argparse, which lets what cannot be written be lost. Raises Untaken."""
        put(message, end="")

    def parse_all(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments in these words, all of which must have a meaning. Raises UsageError, which names the command
        and the option or choice that was perhaps meant."""
        arguments, unknown = self.parse_known_args(words)
        if not unknown:
            return arguments
        parser = self.commands().get(getattr(arguments, "command", None) or "", self)
        word = next((one for one in unknown if one.startswith("-")), unknown[0])
        meant = nearest(word.partition("=")[0], parser._option_string_actions) if word.startswith("-") else None
        hint = f"did you mean {meant}? " if meant else ""
        raise UsageError(f"{parser.prog} takes no {word}", hint=f"{hint}see {parser.prog} --help")

    def commands(self) -> dict[str, Parser]:
        """The commands by their names."""
        found = (action for action in self._actions if isinstance(action, argparse._SubParsersAction))
        return {name: parser for action in found for name, parser in action.choices.items()}

    def _get_value(self, action: argparse.Action, arg_string: str) -> object:
        """See argparse: raises ArgumentError for an empty text, which an unset variable of a shell leaves behind."""
        may_be = action.default == "" or action.type is _any_text or isinstance(action, argparse._SubParsersAction)
        if not (arg_string or may_be):
            raise argparse.ArgumentError(action, "must not be empty (is a variable unset?)")
        return super()._get_value(action, arg_string)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """See argparse: raises ArgumentError for a value that is none of the choices, with the one perhaps meant."""
        if action.choices is None or value in action.choices:
            return
        meant = nearest(str(value), action.choices)
        words = f"did you mean {meant}?" if meant else f"it is one of {', '.join(map(str, action.choices))}"
        raise argparse.ArgumentError(action, f"'{value}' is no choice: {words}")


def _number(kind: Any) -> Callable[[str], float]:
    """The type of an option that takes a number of this type."""

    def read(text: str) -> float:
        try:
            return number_from(text, kind)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be {error}, not '{text[:60]}'") from None

    return read


_ROLES = ("view", "infer", "operate", "administer")
_DAYS = _number(Annotated[float, Meta(gt=0, le=36_500)])
_REQUESTS = _number(Annotated[float, Meta(ge=0, le=1_000_000)])
_COUNT = _number(Annotated[int, Meta(ge=1)])


def _screen(text: str) -> tuple[str, str]:
    """A screen and the model it is to be about, "" for none."""
    name, colon, model = text.partition(":")
    if name not in NAMES:
        meant = nearest(name, NAMES)
        words = f"did you mean {meant}{colon}{model}?" if meant else f"it is one of {', '.join(NAMES)}"
        raise argparse.ArgumentTypeError(f"there is no screen '{name[:60]}': {words}")
    if not model and name not in OF_STORE:
        raise argparse.ArgumentTypeError(f"{name} is about a model, which is to be named: {name}:churn/lr")
    if colon and name not in OF_MODEL:
        raise argparse.ArgumentTypeError(f"{name} is about no model: say --screen {name}")
    return name, model


def screen_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the screens, which go before the settings file."""
    group = parser.add_argument_group("the screens")
    group.add_argument("--read-only", action="store_true", default=None, help="take away what changes anything")
    group.add_argument(
        "--alone", action="store_false", dest="attach", default=None, help="attach to no engine that serves the store"
    )
    group.add_argument("--no-mouse", action="store_false", dest="mouse", default=None, help="leave the mouse alone")
    group.add_argument("--ascii", action="store_true", default=None, help="draw with ASCII signs alone")
    group.add_argument("--theme", choices=THEME_NAMES, metavar="NAME", help=", ".join(THEME_NAMES))
    group.add_argument("--fps", type=_number(Fps), metavar="N", help="at most so many pictures a second")
    group.add_argument(
        "--screen",
        type=_screen,
        default=("home", ""),
        metavar="SCREEN",
        help=f"begin at {', '.join(OF_STORE)}; or with a model's name, live:churn/lr, at {', '.join(OF_MODEL)}",
    )
    group.add_argument(
        "--filter",
        metavar="PATTERN",
        type=_any_text,
        help="begin with the models that match, whatever filter was kept ('' = all)",
    )


def _any_text(text: str) -> str:
    """The type of what may be empty, and then means something."""
    return text


def _written_file(path: str) -> str:
    """The type of a file that is to be written."""
    if path.rpartition("/")[2] in ("", ".", ".."):
        raise argparse.ArgumentTypeError(f"'{path}' names a directory: name the file")
    return path


def console_parser() -> Parser:
    """`model-console [STORE]`, the console itself."""
    parser = Parser(PROG, usage=f"{PROG} [options] [STORE]")
    parser.add_argument("store", nargs="?", default=".")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    screen_options(parser)
    return parser


def commands_parser() -> Parser:
    """The whole command line; also what completion and the README are made from."""
    parser = Parser(
        PROG,
        usage=f"{PROG} [options] [STORE]\n       {PROG} COMMAND ...",
        description="Operations console for machine-learning models. Without a command it opens on STORE (or here).",
        epilog="example: model-console /srv/models",
    )
    parser.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    screen_options(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", prog=PROG)
    _looking(commands)
    _running(commands)
    _changing(commands)
    _secret(commands)
    _serving(commands)
    _tokens(commands)
    _rest(commands)
    return parser


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]


def _add(commands: Commands, name: str, words: str, example: str, *, json: bool = True) -> Parser:
    parser = commands.add_parser(name, help=words, description=words, epilog=f"example: {PROG} {example}")
    if json:
        parser.add_argument("--json", action="store_true", help="write JSON to stdout")
    return parser


def _looking(commands: Commands) -> None:
    ls = _add(
        commands, "ls", "List the artifacts of a store, or of a directory in one; none is run.", "ls /srv/models --json"
    )
    ls.add_argument("store", metavar="STORE", nargs="?", default=".", help="a store, or one directory or file in it")
    ls.set_defaults(run="show:ls")
    inspect = _add(
        commands,
        "inspect",
        "Read the facts of an artifact, or of all in a directory and those beneath it, without running anything.",
        "inspect /srv/models/churn/lr.joblib --json",
    )
    inspect.formatter_class = argparse.RawDescriptionHelpFormatter
    inspect.epilog = f"{inspect.epilog}\n\n{INSPECT_CODES}"
    inspect.add_argument("artifact", metavar="ARTIFACT")
    inspect.add_argument("--digest", action="store_true", help="read it all and tell its digest")
    inspect.add_argument("--at", default="", metavar="PLACE", help="show this one of several models in the file")
    inspect.set_defaults(run="show:inspect")
    diff = _add(
        commands,
        "diff",
        "Show how two artifacts differ: what they are, declare and take, and their arrays by the norms of the numbers.",
        "diff churn/lr.joblib churn/lr-new.joblib",
    )
    diff.add_argument("artifact", metavar="FIRST")
    diff.add_argument("other", metavar="SECOND")
    diff.set_defaults(run="diff:diff")
    history = _add(commands, "history", "List the retained versions of an artifact.", "history churn/lr.joblib")
    history.add_argument("artifact", metavar="ARTIFACT")
    history.set_defaults(run="show:history")
    doctor = _add(commands, "doctor", "Check this installation: versions, sandbox, limits, paths.", "doctor --json")
    doctor.add_argument("store", metavar="STORE", nargs="?", default=".")
    doctor.set_defaults(run="show:doctor")
    audit = _add(commands, "audit", "Read the audit log of a store, or verify its chain.", "audit verify /srv/models")
    audit.add_argument("what", nargs="?", metavar="show|verify", default="show", help="read it, or check its chain")
    audit.add_argument("store", metavar="STORE", nargs="?")
    audit.set_defaults(run="audit:audit")


def _loads(parser: Parser) -> None:
    parser.add_argument("artifact", metavar="ARTIFACT")
    parser.add_argument("--at", default="", metavar="PLACE", help="run this one of several models in the file")
    parser.add_argument("--accept", metavar="WHY", help="load it although its verdict is review, and why")


def _anyway(parser: Parser) -> None:
    parser.add_argument("--anyway", action="store_true", help="load it although it will not fit into memory")


def _data(parser: Parser) -> None:
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="csv, jsonl, parquet, feather, npy, npz or h5; - = from a pipe (else what the recipe names)",
    )
    parser.add_argument(
        "--target", action="append", metavar="COL", help="the column of the truth (else the recipe's; may be repeated)"
    )
    parser.add_argument("--ignore", action="append", metavar="COL", help="a column that is no input (may be repeated)")
    parser.add_argument(
        "--read", action="append", metavar="KEY=VALUE", help="how text is read: sep, decimal, encoding, header, missing"
    )


def _running(commands: Commands) -> None:
    predict = _add(
        commands, "predict", "Predict every row of a data file.", "predict wine/forest.joblib --data rows.csv"
    )
    _loads(predict)
    _anyway(predict)
    _data(predict)
    predict.add_argument(
        "--out", type=_written_file, metavar="FILE", help="write the outputs to a .csv, .json or .npy file"
    )
    predict.add_argument("--method", action="append", metavar="NAME", help="call this method (may be repeated)")
    predict.add_argument("--rows", type=_COUNT, metavar="N", help="only the first N rows")
    predict.set_defaults(run="predict:predict")
    evaluate = _add(
        commands, "evaluate", "Measure a model against the truth.", "evaluate wine/forest.joblib --target cultivar"
    )
    _loads(evaluate)
    _anyway(evaluate)
    _data(evaluate)
    evaluate.set_defaults(run="evaluate:evaluate")
    probe = _add(
        commands,
        "probe",
        "Drive a model at a rate; a line a second.",
        "probe wine/forest.joblib --rate 50 --seconds 10",
    )
    _loads(probe)
    _anyway(probe)
    _data(probe)
    probe.add_argument(
        "--rate",
        type=_number(ProbeRate),
        metavar="HZ",
        help="calls a second, 0 = as fast as it goes (else probe_rate of config.toml)",
    )
    probe.add_argument("--seconds", type=_number(Positive), default=10.0, metavar="S", help="for how long")
    probe.add_argument("--batch", type=_COUNT, default=1, metavar="N", help="rows in a call")
    probe.set_defaults(run="run:probe")
    convert = _add(commands, "convert", "Write a model in another format.", "convert churn/lr.joblib --to hdf5")
    _loads(convert)
    into = convert.add_mutually_exclusive_group(required=True)
    into.add_argument("--to", choices=WRITTEN, metavar="FORMAT", help=", ".join(WRITTEN))
    into.add_argument("--compare", action="store_true", help="measure it in each format that it could be in")
    convert.add_argument("--out", type=_written_file, metavar="FILE", help="where to (else beside the artifact)")
    convert.add_argument("--data", metavar="FILE", help="rows to compare on (else what the recipe names)")
    convert.set_defaults(run="run:convert")
    accelerate = _add(
        commands,
        "accelerate",
        "Export to ONNX, compare both, and write the export beside the model.",
        "accelerate wine/forest.joblib --yes",
    )
    _loads(accelerate)
    accelerate.add_argument("--data", metavar="FILE", help="rows to compare on (else what the recipe names)")
    accelerate.add_argument("--yes", action="store_true", help="write it without asking")
    accelerate.set_defaults(run="accelerate:accelerate")


def _changing(commands: Commands) -> None:
    update = _add(
        commands, "update", "Retrain a model, compare, and promote what is better.", "update churn/lr.joblib --yes"
    )
    update.add_argument("artifact", metavar="ARTIFACT")
    update.add_argument("--at", default="", metavar="PLACE", help="retrain this one of several models in the file")
    _data(update)
    update.add_argument("--yes", action="store_true", help="promote without asking, unless the recipe's gate says no")
    update.add_argument("--why", metavar="TEXT", help="what the history says of it")
    update.set_defaults(run="change:update")
    rollback = _add(commands, "rollback", "Put an old version back in place.", "rollback churn/lr.joblib --to 3")
    rollback.add_argument("artifact", metavar="ARTIFACT")
    rollback.add_argument("--to", type=_COUNT, metavar="VERSION", help="which one (else the one before)")
    rollback.set_defaults(run="change:rollback")


def _secret(commands: Commands) -> None:
    keygen = _add(commands, "keygen", "Make a key for signing, or an identity for sealing.", "keygen ~/signing.pem")
    keygen.add_argument("file", type=_written_file, metavar="FILE", help="a new file, which only you may read")
    keygen.add_argument("--age", action="store_true", help="an identity of age, to open what is sealed for it")
    keygen.set_defaults(run="secrets:keygen")
    sign = _add(commands, "sign", "Sign an artifact, or all of a store.", "sign /srv/models --key ~/signing.pem")
    sign.add_argument("artifact", metavar="ARTIFACT|STORE")
    sign.add_argument("--key", required=True, metavar="FILE", help="the private key, as keygen makes one")
    sign.set_defaults(run="secrets:sign")
    verify = _add(commands, "verify", "Check signatures; 1 where one is missing.", "verify /srv/models --json")
    verify.add_argument("artifact", metavar="ARTIFACT|STORE", nargs="?", default=".")
    verify.add_argument("--key", action="append", metavar="PUB", help="trust this public key in place of the policy's")
    verify.set_defaults(run="secrets:verify")
    seal = _add(commands, "seal", "Encrypt an artifact for the disk.", "seal churn/lr.joblib --to age1… --replace")
    seal.add_argument("artifact", metavar="ARTIFACT")
    seal.add_argument("--to", action="append", required=True, metavar="RECIPIENT", help="age1… or ssh-ed25519 …")
    seal.add_argument(
        "--out", type=_written_file, metavar="FILE", help="where to (else beside the artifact, with .age)"
    )
    seal.add_argument("--replace", action="store_true", help="remove the artifact once it is sealed")
    seal.set_defaults(run="secrets:seal")
    unseal = _add(
        commands, "unseal", "Decrypt a sealed artifact to a file.", "unseal churn/lr.joblib.age --out /tmp/lr.joblib"
    )
    unseal.add_argument("artifact", metavar="ARTIFACT")
    unseal.add_argument("--identity", metavar="FILE", help="the identity (else that of config.toml)")
    unseal.add_argument(
        "--out", type=_written_file, required=True, metavar="FILE", help="a new file, which only you may read"
    )
    unseal.set_defaults(run="secrets:unseal")


def _serving(commands: Commands) -> None:
    serve = _add(
        commands,
        "serve",
        "Serve a store: an engine of its own, which programs ask over HTTP and consoles attach to.",
        "serve /srv/models --http 127.0.0.1:8080",
        json=False,
    )
    serve.add_argument("store", metavar="STORE", nargs="?", default=".")
    serve.add_argument(
        "--http", default="127.0.0.1:8080", metavar="ADDRESS", help="where programs ask: HOST:PORT (else %(default)s)"
    )
    serve.add_argument("--no-http", action="store_true", help="listen on the unix socket alone")
    serve.add_argument("--metrics", default="", metavar="ADDRESS", help="where metrics are read besides: HOST:PORT")
    serve.add_argument("--socket", default="", metavar="FILE", help="the unix socket that consoles attach to")
    serve.add_argument("--group", default="", metavar="NAME", help="let the members of this group attach")
    serve.add_argument("--tls-cert", default="", metavar="FILE", help="speak TLS with this certificate (PEM)")
    serve.add_argument("--tls-key", default="", metavar="FILE", help="its private key (PEM)")
    serve.add_argument("--anonymous", action="store_true", help="let anybody ask without a token, from wherever")
    serve.add_argument("--read-only", action="store_true", help="change nothing in the store")
    serve.add_argument("--print-unit", action="store_true", help="print a systemd unit that does all this, and end")
    status = _add(commands, "status", "Tell how the engine stands that serves a store.", "status /srv/models --json")
    status.add_argument("store", metavar="STORE", nargs="?", default=".")
    status.set_defaults(run="serve:status")
    jobs = _add(
        commands, "jobs", "List the long work of the engine that serves a store, or follow it.", "jobs /srv/models"
    )
    jobs.add_argument("store", metavar="STORE", nargs="?", default=".")
    one = jobs.add_mutually_exclusive_group()
    one.add_argument("--follow", type=_COUNT, metavar="ID", help="tell of this job until it has ended")
    one.add_argument("--cancel", type=_COUNT, metavar="ID", help="end this job")
    jobs.set_defaults(run="jobs:jobs")


def _tokens(commands: Commands) -> None:
    token = _add(
        commands,
        "token",
        "Make, list or revoke tokens, by which programs ask a served store over HTTP.",
        "token add ci /srv/models --models 'churn/*' --expires 90",
    )
    token.formatter_class = argparse.RawDescriptionHelpFormatter
    token.epilog = f"""{token.epilog}
         TOKEN=$({PROG} token add nightly /srv/models --role operate)
         {PROG} token list /srv/models
         {PROG} token revoke ci /srv/models"""
    token.add_argument("what", metavar="add|list|revoke")
    token.add_argument("name", nargs="?", metavar="NAME", help="the token (list takes none)")
    token.add_argument("store", nargs="?", metavar="STORE", help="the store (else the directory here)")
    token.add_argument("--role", choices=_ROLES, help=f"{', '.join(_ROLES)} (else infer)", metavar="ROLE")
    token.add_argument(
        "--models", nargs="+", action="extend", metavar="PATTERN", help="only for models whose names match one of these"
    )
    token.add_argument("--rate", type=_REQUESTS, metavar="HZ", help="requests a second at most, 0 = no limit")
    token.add_argument("--expires", type=_DAYS, metavar="DAYS", help="how long it counts (else for ever)")
    token.set_defaults(run="tokens:token")


def _rest(commands: Commands) -> None:
    following = _add(commands, "watch", "Follow a store: an event a line.", "watch /srv/models --json")
    following.add_argument("store", metavar="STORE", nargs="?", default=".")
    following.set_defaults(run="watch:watch")
    demo = _add(commands, "demo", "Build the demo store once and open it.", "demo", json=False)
    demo.add_argument("--build-only", metavar="DIR", help="only build it, in DIR")
    screen_options(demo)
    completion = _add(commands, "completion", "Print the completion script of a shell.", "completion bash", json=False)
    completion.add_argument("shell", choices=("bash", "zsh"))
