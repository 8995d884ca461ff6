"""The example of a proxy, deploy/nginx.conf, in front of a server: TLS, limits, and what is seen from outside."""

import datetime
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CONFIG = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NAME = "lists.example.com"
TOKEN = {"Authorization": "Bearer sesame"}
ANA = {"user": "ana", "k": 2}

NO_NGINX = (
    "This test runs Debian's nginx, which this machine lacks. Install it as root with 'apt-get install nginx', or put "
    "it on the PATH. `make test` installs it where it may."
)


def write_certificate(folder: Path) -> Path:
    """Write a certificate for the example's name, which vouches for itself, and its key; returns the certificate."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    content = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "tls.key").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    (folder / "tls.crt").write_bytes(content)
    return folder / "tls.crt"


Ask = Callable[..., httpx.Response]


@pytest.fixture
def behind_nginx(serving, bundles, tmp_path: Path) -> Iterator[Callable[..., Ask]]:
    """A function that starts a server, with nginx in front of it; returns a client of it as it is seen from outside."""
    if shutil.which("nginx") is None:
        pytest.fail(NO_NGINX)
    certificate = write_certificate(tmp_path)
    processes, clients = [], []

    def start(**limits: object) -> Ask:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        text = CONFIG.read_text(encoding="utf-8")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "".join(f"    {kind}_temp_path {tmp_path}/{kind};\n" for kind in kinds)
        for old, new in (
            ("http {\n", f"http {{\n    access_log off;\n{folders}"),
            ("127.0.0.1:8000", f"127.0.0.1:{serving(bundles[0], **limits).port}"),
            ("listen 443", f"listen 127.0.0.1:{port}"),
            ("/etc/adi/", f"{tmp_path}/"),
        ):
            assert text.count(old) >= 1
            text = text.replace(old, new)
        (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
        rest = f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;"
        command = [
            "nginx",
            "-p",
            str(tmp_path),
            "-e",
            f"{tmp_path}/error.log",
            "-c",
            f"{tmp_path}/nginx.conf",
            "-g",
            rest,
        ]
        processes.append(subprocess.Popen(command))
        context = ssl.create_default_context(cafile=str(certificate))
        clients.append(httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, headers={"Host": NAME}))

        def ask(path: str, *, method: str = "GET", **kwargs: object) -> httpx.Response:
            extensions = {"sni_hostname": NAME}
            return clients[-1].request(method, path, extensions=extensions, **kwargs)  # type: ignore[arg-type]

        until = time.monotonic() + 20
        while time.monotonic() < until:
            assert processes[-1].poll() is None, (tmp_path / "error.log").read_text()
            with suppress(httpx.ConnectError):
                ask("/healthz")
                return ask
            time.sleep(0.02)
        raise AssertionError((tmp_path / "error.log").read_text())

    yield start
    for client in clients:
        client.close()
    for process in processes:
        process.terminate()
        process.wait()


def test_lists_come_over_tls_and_nothing_else_is_seen_from_outside(behind_nginx) -> None:
    ask = behind_nginx(token="sesame")
    reply = ask("/v1/retrieve", method="POST", json=ANA, headers=TOKEN)
    assert (reply.status_code, len(reply.json()["results"])) == (200, 1)
    assert ask("/v1/retrieve", method="POST", json=ANA).status_code == 401
    assert ask("/healthz").status_code == 200
    for path in ("/", "/metrics", "/docs", "/openapi.json", "/readyz", "/v1/../metrics"):
        assert ask(path, headers=TOKEN).status_code == 404
    assert ask("/v1/retrieve", method="POST", content=b" " * (1 << 21), headers=TOKEN).status_code == 413
    event = {"user": "ana", "events": [{"item": "pen", "domain": "feed"}]}
    same_site = {"Sec-Fetch-Site": "same-origin", "Origin": f"https://{NAME}"}
    assert ask("/v1/events", method="POST", json=event, headers=TOKEN | same_site).status_code == 204


def test_a_client_cannot_claim_to_be_another(behind_nginx) -> None:
    ask = behind_nginx(client_rate=0.3)
    statuses = [ask("/v1/domains", headers={"X-Forwarded-For": f"203.0.113.{n}"}).status_code for n in range(5)]
    assert statuses == [200] * 3 + [429] * 2


def test_the_proxy_limits_the_requests_of_a_client(behind_nginx) -> None:
    ask = behind_nginx()
    statuses = [ask("/v1/nothing").status_code for _ in range(400)]
    assert set(statuses) <= {404, 429}
    assert statuses[:100] == [404] * 100
