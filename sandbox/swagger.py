"""Lets moto accept a REST API as Chalice writes it.

Chalice writes Swagger 2.0, which AWS accepts and moto rejects; the parts that moto reads, paths and
integrations, are the same in OpenAPI 3.
"""

from typing import Any

from moto.apigateway.models import APIGatewayBackend


def take_swagger_as_openapi() -> None:
    """Make every moto server of this process accept Swagger 2.0; idempotent."""
    put_rest_api = APIGatewayBackend.put_rest_api
    if getattr(put_rest_api, "takes_swagger", False):
        return

    def put_as_openapi(
        self: APIGatewayBackend, function_id: str, api_doc: dict[str, Any], *args: Any, **kw: Any
    ) -> Any:
        openapi = {key: value for key, value in api_doc.items() if key != "swagger"}
        return put_rest_api(self, function_id, openapi | {"openapi": "3.0.1"}, *args, **kw)

    put_as_openapi.takes_swagger = True  # type: ignore[attr-defined]  # a mark on a function
    APIGatewayBackend.put_rest_api = put_as_openapi  # type: ignore[method-assign]  # moto's only seam
