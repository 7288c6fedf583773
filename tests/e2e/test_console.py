"""The console lets in one person on this machine, and its pages record what they change."""

import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ops.clock import OperatorClock
from ops.console.console import Console
from ops.console.server import listen
from sandbox.world import World
from tests.e2e.browser import Visitor
from tests.e2e.conftest import Ops

pytestmark = pytest.mark.xdist_group("browser")


@dataclass(frozen=True)
class Client:
    """Sends requests to a console without a browser, so with any header."""

    console: Console
    port: int

    def __call__(
        self, path: str, method: str = "GET", form: str = "", **headers: str
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if form:
            given |= {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body=form or None, headers=given)
        response = connection.getresponse()
        self.__dict__["body"] = response.read().decode()
        connection.close()
        return response

    @property
    def body(self) -> str:
        return str(self.__dict__["body"])

    def cookie(self) -> str:
        """The cookie that the printed link sets."""
        response = self(f"/history/?token={self.console.guard.token}")
        assert response.status == 302 and response.headers["Location"] == "/history/"
        return response.headers["Set-Cookie"].split(";")[0]


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    console = Console(world.stack.stage, OperatorClock(world.clock), writes=True)
    server = listen(console, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Client(console, server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_printed_link_lets_a_browser_in_and_leaves_the_address(client: Client) -> None:
    cookie = client.cookie()

    assert client("/history/", Cookie=cookie).status == 200
    assert client("/", Cookie=cookie).status == 302


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cookie": "console_{port}=guessed"},
        {"Cookie": "{cookie}", "Host": "attacker.example:{port}"},
        {"Cookie": "{cookie}", "Host": "127.0.0.1.attacker.example:{port}"},
        {"Cookie": "{cookie}", "Origin": "https://attacker.example"},
        {"Cookie": "{cookie}", "Origin": "null"},
    ],
)
def test_no_one_else_is_let_in(client: Client, headers: dict[str, str]) -> None:
    cookie = client.cookie()
    given = {n: v.format(cookie=cookie, port=client.port) for n, v in headers.items()}

    response = client("/history/", **given)

    assert response.status == 403
    assert "Nothing was changed" not in client.body
    assert client.console.guard.csrf not in client.body


def test_a_wrong_token_is_refused(client: Client) -> None:
    assert client("/history/?token=guessed").status == 403


@pytest.mark.parametrize("path", ["//attacker.example/", "/%5Cattacker.example/", "/%0d%0aX:y"])
def test_a_link_never_leads_to_another_host(client: Client, path: str) -> None:
    response = client(f"{path}?token={client.console.guard.token}")

    location = response.headers.get("Location", "/start")
    assert location[0] == "/" and location[1] not in "/\\"
    assert "X" not in response.headers


def test_every_answer_restricts_what_the_browser_does_with_it(client: Client) -> None:
    cookie = client.cookie()

    for path in ("/history/", "/nowhere", "/static/console.css"):
        response = client(path, Cookie=cookie)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_cookie_is_for_this_site_only_and_hidden_from_scripts(client: Client) -> None:
    response = client(f"/history/?token={client.console.guard.token}")

    assert "SameSite=Strict" in response.headers["Set-Cookie"]
    assert "HttpOnly" in response.headers["Set-Cookie"]


def test_an_error_page_leads_back(client: Client) -> None:
    cookie = client.cookie()
    here = f"http://127.0.0.1:{client.port}"

    for path, before, links in (
        ("/nowhere", None, ['"/flow/"']),
        ("/orders/?day=today", f"{here}/orders/?state=new", ['"/orders/"', '"/orders/?state=new"']),
        ("/orders/?day=today", "https://attacker.example/", ['"/orders/"']),
    ):
        headers = {"Referer": before} if before else {}
        assert client(path, Cookie=cookie, **headers).status in (400, 404)
        content = client.body.partition("<h1>")[2]
        assert all(f"<a href={link}>" in content for link in links)
        assert "attacker" not in content


@pytest.mark.parametrize("width", [360, 1200])
def test_the_history_shows_what_an_operator_has_changed(
    visitor: Visitor, ops: Ops, width: int
) -> None:
    ops("pause", "--reason", "<script>alert(1)</script> stocktaking")

    visitor.page.set_viewport_size({"width": width, "height": 800})
    text = visitor.text("/history/")

    assert "<script>alert(1)</script> stocktaking" in text
    visitor.check()
