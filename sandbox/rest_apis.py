"""Lets moto play a REST API as AWS does, as far as Chalice and Terraform need it."""

import json
from functools import cache
from typing import Any

from moto.apigateway.models import APIGatewayBackend, RestAPI


@cache
def patch_rest_apis() -> None:
    """Patch every moto server of this process."""
    _take_swagger_as_openapi()
    _escape_policies()


def _take_swagger_as_openapi() -> None:
    """Chalice writes Swagger 2.0, which AWS accepts and moto rejects; the parts that moto reads,
    paths and integrations, are the same in OpenAPI 3.
    """
    put_rest_api = APIGatewayBackend.put_rest_api

    def put_as_openapi(
        self: APIGatewayBackend, function_id: str, api_doc: dict[str, Any], *args: Any, **kw: Any
    ) -> Any:
        openapi = {key: value for key, value in api_doc.items() if key != "swagger"}
        return put_rest_api(self, function_id, openapi | {"openapi": "3.0.1"}, *args, **kw)

    APIGatewayBackend.put_rest_api = put_as_openapi  # type: ignore[method-assign]  # moto's only seam


def _escape_policies() -> None:
    """AWS returns a policy as the content of a JSON string, which Terraform unescapes."""
    to_dict = RestAPI.to_dict

    def to_escaped_dict(self: RestAPI) -> dict[str, Any]:
        found: dict[str, Any] = to_dict(self)
        policy = found.get(RestAPI.PROP_POLICY)
        return found | ({RestAPI.PROP_POLICY: json.dumps(policy)[1:-1]} if policy else {})

    RestAPI.to_dict = to_escaped_dict  # type: ignore[method-assign]  # moto's only seam
