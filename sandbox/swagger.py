"""Lets moto take a REST API as Chalice writes it.

Chalice writes Swagger 2.0, which AWS takes and moto refuses; what moto reads of it, paths and
integrations, is spelled the same in OpenAPI 3.
"""

from typing import Any

from moto.apigateway.models import APIGatewayBackend


def take_swagger_as_openapi() -> None:
    """Makes every moto server of this process read Swagger 2.0; done twice it is done once."""
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
