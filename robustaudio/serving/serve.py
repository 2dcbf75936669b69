"""How pages are served: over https with a key and a certificate, behind a path prefix of a proxy.

Browsers give the microphone to https pages and to this computer only, so a class on its own
devices needs one of the two ways to https here, or a proxy in front (docs/serving.md).
"""

import errno
import os
import re
import socket
import ssl
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from robustaudio.paths import home
from robustaudio.serving.limits import ip, listed

VALID = timedelta(days=365)  # Apple's devices refuse certificates for more than 825 days
RENEWED = timedelta(days=30)  # before the end
ROOT_PATH = re.compile(r"(/[\w.~-]+)*")
HOST = re.compile(r"[\w.:\[\]-]+")
FRAME = re.compile(r"https?://[\w.*-]+(:\d+)?")
FIRST_PORT, PORTS, LAST_PORT = 7860, 100, 65_535
WARNING = (
    "Browsers warn once on each device that the connection is not private: the certificate is "
    "this server's own, and nobody else vouches for it. Choose Advanced, then go on to the page."
)


@dataclass(frozen=True)
class Serving:
    """Key and certificate of https (neither: http), and the prefix that a proxy adds to all paths.

    `root_path` begins with a slash and does not end with one; "" is none. `origin` is the address
    of the proxy, where the whole address was given. `hosts` are further names of this server, and
    `frames` the origins of pages that may frame its own.
    """

    keyfile: Path | None = None
    certfile: Path | None = None
    self_signed: bool = False
    root_path: str = ""
    origin: str = ""
    hosts: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """What Gradio calls the root path: a prefix, or the whole address."""
        return self.origin + self.root_path

    def files(self, addresses: Sequence[str] = ()) -> tuple[str | None, str | None]:
        """Paths of key and certificate; None for http.

        A self-signed pair is made for the names and addresses of this machine and `addresses`.

        Raises:
            ValueError: if no pair can be made.
        """
        key, certificate = self.keyfile, self.certfile
        if self.self_signed:
            key, certificate = self_signed([*own_names(), *addresses])
        return key and str(key), certificate and str(certificate)

    def home(self, host: str, port: int) -> str:
        """The address at which the pages are reached, without a slash at the end."""
        scheme = "https" if self.keyfile or self.self_signed else "http"
        return self.root if self.origin else f"{scheme}://{host}:{port}{self.root_path}"


def serving_of(
    key: Path | None,
    certificate: Path | None,
    *,
    self_signed: bool = False,
    root_path: str = "",
    hosts: Sequence[str] = (),
    frames: Sequence[str] = (),
) -> Serving:
    """What the options of that name ask for; files are opened, nothing heavy is imported.

    Raises:
        ValueError: one sentence, for a file that cannot be used or options that exclude each other.
    """
    if self_signed and (key or certificate):
        raise ValueError("--self-signed makes its own key and certificate: give either, not both.")
    if (key is None) != (certificate is None):
        given, missing = ("keyfile", "certfile") if key else ("certfile", "keyfile")
        raise ValueError(f"--ssl-{given} needs --ssl-{missing} beside it.")
    if key and certificate:
        check_pair(key, certificate)
    if self_signed:
        _cryptography()
    hosts = (*listed("ROBUSTAUDIO_HOSTS"), *hosts)
    frames = (*listed("ROBUSTAUDIO_FRAMES"), *frames)
    for option, pattern, names, right in (
        ("--allowed-host", HOST, hosts, "lab.example.org"),
        ("--frame", FRAME, frames, "https://lab.example.org"),
    ):
        for text in names:
            if not pattern.fullmatch(text):
                raise ValueError(f"{option} {text!r} cannot be; {right} would be right.")
    return Serving(key, certificate, self_signed, *_root(root_path), hosts, frames)


def bound(host: str, port: int | None) -> socket.socket:
    """A socket that listens there; without a port at the first that is free of `ports`.

    Raises:
        ValueError: if nothing can.
    """
    if port is None:
        candidates = ports()
        for candidate in candidates:
            try:
                return bound(host, candidate)
            except ValueError as error:
                if getattr(error.__cause__, "errno", None) != errno.EADDRINUSE:
                    raise
        first, last = candidates[0], candidates[-1]
        raise ValueError(f"no port from {first} to {last} is free; name one by --port.")
    if not 0 <= port <= LAST_PORT:
        raise ValueError(f"--port {port} must be from 0 (any that is free) to {LAST_PORT}.")
    try:
        bare = host.strip("[]")
        family = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.create_server((bare, port), family=family)
        # asyncio turns off Nagle's delay (45 ms of each small answer) of what is called TCP only
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, made.detach())
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "that is no name of a computer"
        raise ValueError(f"nothing can be served at {host}, port {port}: {reason}.") from error


def ports() -> range:
    """The ports that are tried: GRADIO_NUM_PORTS of them from GRADIO_SERVER_PORT.

    Raises:
        ValueError: for a variable that is no such number; Gradio itself reads both as it is loaded.
    """
    first = _number("GRADIO_SERVER_PORT", FIRST_PORT, 0)
    return range(first, min(first + _number("GRADIO_NUM_PORTS", PORTS, 1), LAST_PORT + 1))


def _number(variable: str, default: int, least: int) -> int:
    given = os.environ.get(variable, "")
    if not given:
        return default
    if not (given.isascii() and given.isdigit() and least <= int(given[:9]) <= LAST_PORT):
        raise ValueError(f"{variable}={given[:80]} must be a whole number, {least} to {LAST_PORT}.")
    return int(given)


def check_pair(key: Path, certificate: Path) -> None:
    """Raises ValueError unless both files can be read, are PEM and belong together."""
    for option, path, block in (
        ("--ssl-keyfile", key, "PRIVATE KEY"),
        ("--ssl-certfile", certificate, "CERTIFICATE"),
    ):
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ValueError(f"{option} {path} cannot be read: {error.strerror}.") from error
        if not re.search(rf"-----BEGIN [A-Z ]*{block}-----".encode(), text):
            raise ValueError(f"{option} {path} holds no {block.lower()} in PEM format.")

    def locked() -> str:
        needs = "needs a passphrase; a key without one would be right"
        raise ValueError(f"--ssl-keyfile {key} {needs}.")

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=locked)
    except ssl.SSLError as error:
        reason = (error.reason or "damaged").replace("_", " ").lower()
        words = f"--ssl-keyfile {key} and --ssl-certfile {certificate} cannot be used: {reason}."
        if error.reason == "KEY_VALUES_MISMATCH":
            words = f"the key {key} does not fit the certificate {certificate}."
        raise ValueError(words) from error


def own_names() -> list[str]:
    """Names and addresses under which this machine may be reached."""
    host = socket.gethostname()
    names = ["localhost", "127.0.0.1", "::1", host]
    if "." not in host:
        names.append(f"{host}.local")
    with suppress(OSError):  # the machine may not know its own name
        names += [str(address[0]) for *_, address in socket.getaddrinfo(host, None)]
    return names


def self_signed(names: Sequence[str], folder: Path | None = None) -> tuple[Path, Path]:
    """A private key and a certificate for names and addresses; kept, so that browsers warn once.

    The pair of an earlier start is taken where it holds all of them and is not about to end.
    `folder` is by default one of the user's cache, or a temporary one where that cannot be written.

    Raises:
        ValueError: if the package `cryptography` is missing or nothing can be written.
    """
    _cryptography()
    wanted = sorted({_plain(name) for name in names})
    folder = folder or _cache() / "https"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        folder = Path(tempfile.mkdtemp(prefix="robustaudio-https-"))
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    if not _still_good(key, certificate, wanted):
        try:
            _make(key, certificate, wanted)
        except OSError as error:
            raise ValueError(f"{folder} cannot be written: {error.strerror}.") from error
    return key, certificate


def _make(key: Path, certificate: Path, names: list[str]) -> None:
    """Writes a P-256 key (for its owner's eyes only) and a certificate signed by it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "robustaudio, self-signed")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    key.unlink(missing_ok=True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    certificate.write_bytes(signed.public_bytes(pem))


def _still_good(key: Path, certificate: Path, names: list[str]) -> bool:
    """Whether a pair fits, is private, holds all names and does not end soon."""
    from cryptography import x509

    try:
        check_pair(key, certificate)
        signed = x509.load_pem_x509_certificate(certificate.read_bytes())
        known = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        private = os.name == "nt" or not key.stat().st_mode & 0o077
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    lasts = signed.not_valid_after_utc > datetime.now(UTC) + RENEWED
    return private and lasts and all(_general(name) in known for name in names)


def _general(name: str) -> Any:
    from cryptography import x509

    address = ip(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _plain(name: str) -> str:
    """A name as certificates hold it: no brackets and no zone of an address, no umlauts."""
    bare = name.strip("[]").split("%")[0].lower()
    return bare if bare.isascii() else bare.encode("idna").decode()


def _cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "--self-signed needs the package cryptography (pip install cryptography); "
            "--ssl-keyfile and --ssl-certfile work without it."
        ) from error


def _cache() -> Path:
    """The user's folder for what can be made again."""
    if os.name == "nt":
        folder = os.environ.get("LOCALAPPDATA") or home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        folder = home() / "Library" / "Caches"
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or home() / ".cache"
    return Path(folder) / "robustaudio"


def _root(given: str) -> tuple[str, str]:
    """Prefix and origin of what --root-path says: /lab, lab/, https://host/lab."""
    try:
        parts = urlsplit(given.strip())
    except ValueError as error:
        raise ValueError(f"--root-path {given!r} is no path; /lab would be right.") from error
    origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else ""
    path = parts.path if origin else given.strip()
    prefix = "/" + path.strip("/") if path.strip("/") else ""
    named = (origin and parts.netloc) or not parts.scheme
    if not named or parts.query or parts.fragment or not ROOT_PATH.fullmatch(prefix):
        raise ValueError(
            f"--root-path {given!r} is no path; /lab or https://lab.example.org/lab would be right."
        )
    return prefix, origin
