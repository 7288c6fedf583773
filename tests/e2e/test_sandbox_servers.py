"""The servers of the sandbox answer programs on this machine, and no page in a browser."""

from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import requests

SERVERS = ["store", "aws", "api"]


@pytest.fixture(params=SERVERS)
def url(request, world) -> str:
    urls = {"store": world.store.url, "aws": world.stack.aws.url, "api": world.api_url}
    return str(urls[request.param])


def status(url: str, method: str = "GET", **headers: str) -> int:
    """The status of the answer to a request with these headers, of a route of the API."""
    address = urlsplit(url)
    assert address.hostname
    connection = HTTPConnection(address.hostname, address.port, timeout=30)
    connection.request(
        method,
        "/cart-converted",
        headers={name.replace("_", "-"): v for name, v in headers.items()},
    )
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert not [name for name, _ in answer.getheaders() if name.startswith("Access-Control")]
    return answer.status


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.com"},
        {"Host": "127.0.0.1.example.com:8101"},
        {"Host": ""},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
    ids=str,
)
def test_a_request_of_a_page_is_refused(url, method, headers):
    assert status(url, method, **headers) == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "localhost", "localhost:8101"])
def test_a_request_of_a_program_is_answered(url, host):
    signed = "AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/sqs/aws4_request, x"

    assert status(url, Host=host, Authorization=signed) != 403


@pytest.mark.parametrize("service", ["batch", "ec2", "iam", "lambda", "s3"])
def test_a_service_that_the_product_does_not_use_is_refused(world, service):
    signed = f"AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/{service}/aws4_request, x"
    url = f"{world.stack.aws.url}/v1/registerjobdefinition"

    assert requests.post(url, headers={"Authorization": signed}, timeout=30).status_code == 403


@pytest.mark.parametrize("path", ["/moto-api/", "/moto-api/reset", "/latest/meta-data/", "/bucket"])
def test_the_control_routes_of_moto_are_not_served(world, path):
    assert requests.post(world.stack.aws.url + path, timeout=30).status_code == 403
