locals {
  # Requests a second, and how many at once beyond them. BigCommerce sends one request an order and repeats what is refused.
  throttling_rate_limit  = 50
  throttling_burst_limit = 100
}

resource "aws_api_gateway_stage" "api" {
  # checkov:skip=CKV_AWS_76:Access logs need an account-wide role, which a stage must not set; access_logs switches them on.
  # checkov:skip=CKV_AWS_73:No tracing: one request is one message on a queue, and the logs carry the order's id.
  # checkov:skip=CKV_AWS_120:A webhook must reach the function each time; an answer from a cache would lose an order.
  # checkov:skip=CKV2_AWS_4:Execution logs need an account-wide role, which a stage must not set.
  # checkov:skip=CKV2_AWS_29:Throttled and authenticated by a secret; a web application firewall is the account's to choose.
  # checkov:skip=CKV2_AWS_51:BigCommerce presents no client certificate.
  rest_api_id   = var.rest_api_id
  deployment_id = var.deployment_id
  stage_name    = "api"

  dynamic "access_log_settings" {
    for_each = var.access_log_group_arn == null ? [] : [var.access_log_group_arn]

    content {
      destination_arn = access_log_settings.value
      format = jsonencode({
        request_id = "$context.requestId"
        method     = "$context.httpMethod"
        path       = "$context.resourcePath"
        status     = "$context.status"
        latency_ms = "$context.responseLatency"
        source_ip  = "$context.identity.sourceIp"
      })
    }
  }
}

resource "aws_api_gateway_method_settings" "api" {
  # checkov:skip=CKV_AWS_225:A webhook must reach the function each time; an answer from a cache would lose an order.
  # checkov:skip=CKV_AWS_308:Nothing is cached, so there is nothing to encrypt.
  rest_api_id = var.rest_api_id
  stage_name  = aws_api_gateway_stage.api.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    throttling_rate_limit  = local.throttling_rate_limit
    throttling_burst_limit = local.throttling_burst_limit
  }
}
