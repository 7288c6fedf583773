resource "aws_api_gateway_stage" "api" {
  # checkov:skip=CKV_AWS_76:Access logs require an account-wide role that a stage must not configure; access_logs enables them.
  # checkov:skip=CKV_AWS_73:X-Ray tracing is not used; structured logs can be correlated by order ID.
  # checkov:skip=CKV_AWS_120:Every callback must reach the function; a cached response would lose an order.
  # checkov:skip=CKV2_AWS_4:Execution logs require an account-wide role that a stage must not configure.
  # checkov:skip=CKV2_AWS_77:The rules of the web ACL are those of the account.
  # checkov:skip=CKV2_AWS_29:Requests are throttled and authenticated; web_acl_arn adds AWS WAF.
  # checkov:skip=CKV2_AWS_51:BigCommerce does not send a client certificate.
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
  # checkov:skip=CKV_AWS_225:Every callback must reach the function; a cached response would lose an order.
  # checkov:skip=CKV_AWS_308:Caching is disabled.
  rest_api_id = var.rest_api_id
  stage_name  = aws_api_gateway_stage.api.stage_name
  method_path = "*/*"

  settings {
    # Metrics per method are charged; alarms and dashboard use those of the stage, which are always published.
    metrics_enabled        = false
    throttling_rate_limit  = var.rate_limit
    throttling_burst_limit = var.burst_limit
  }
}

resource "aws_wafv2_web_acl_association" "api" {
  for_each = toset(var.web_acl_arn == null ? [] : [var.web_acl_arn])

  resource_arn = aws_api_gateway_stage.api.arn
  web_acl_arn  = each.value
}
