# What Chalice's export cannot say. Terraform lays the arguments of a *_override.tf over the block of the same address,
# here those of chalice.tf.json.
#
# The log levels are AWS's own defaults. Left out, every plan would differ (hashicorp/terraform-provider-aws#35301), and
# what the alarms count is logged at INFO.

resource "aws_lambda_function" "poll_orders" {
  # checkov:skip=CKV_AWS_50:No tracing: one line per fact in the log, joined by the order's id, says the same.
  # checkov:skip=CKV_AWS_115:A new account refuses reserved concurrency; a lease keeps polls from running side by side.
  # checkov:skip=CKV_AWS_116:A failed poll is published and the next one goes on from it.
  # checkov:skip=CKV_AWS_117:Calls only public endpoints over TLS; a network of its own would need a paid gateway.
  # checkov:skip=CKV_AWS_272:Archives are made and deployed by the same hands; signing is the account's to require.
  function_name = local.function_names.poll_orders

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = module.logs.group_names["poll_orders"]
  }
}

resource "aws_lambda_function" "api_handler" {
  # checkov:skip=CKV_AWS_50:No tracing: one line per fact in the log, joined by the order's id, says the same.
  # checkov:skip=CKV_AWS_115:A new account refuses reserved concurrency; the API's stage throttles.
  # checkov:skip=CKV_AWS_116:Called synchronously: BigCommerce repeats what was not answered.
  # checkov:skip=CKV_AWS_117:Calls only public endpoints over TLS; a network of its own would need a paid gateway.
  # checkov:skip=CKV_AWS_272:Archives are made and deployed by the same hands; signing is the account's to require.
  function_name = local.function_names.cart_converted

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = module.logs.group_names["cart_converted"]
  }
}

resource "aws_lambda_function" "replicate_orders" {
  # checkov:skip=CKV_AWS_50:No tracing: one line per fact in the log, joined by the order's id, says the same.
  # checkov:skip=CKV_AWS_115:A new account refuses reserved concurrency; the event source limits it.
  # checkov:skip=CKV_AWS_116:Fed by SQS, whose queue has a dead-letter queue.
  # checkov:skip=CKV_AWS_117:Calls only public endpoints over TLS; a network of its own would need a paid gateway.
  # checkov:skip=CKV_AWS_272:Archives are made and deployed by the same hands; signing is the account's to require.
  function_name = local.function_names.replicate_orders

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = module.logs.group_names["replicate_orders"]
  }
}

# Chalice's name has no stage in it: two stages in one account would take each other's rule.
resource "aws_cloudwatch_event_rule" "poll_orders-event" {
  name        = "${local.name}-poll-orders"
  description = "Runs poll_orders every ${var.polling_interval} minutes."
}

resource "aws_lambda_event_source_mapping" "replicate_orders-sqs-event-source" {
  function_response_types = ["ReportBatchItemFailures"]

  # Not reserved concurrency, which a new account refuses.
  scaling_config {
    maximum_concurrency = var.consumer_concurrency
  }
}

resource "aws_api_gateway_rest_api" "rest_api" {
  name = local.name

  lifecycle {
    create_before_destroy = true
  }
}

# The stage is a resource of its own, in modules/api: a deployment that makes one is deprecated and cannot throttle it.
resource "aws_api_gateway_deployment" "rest_api" {
  stage_name        = null
  stage_description = null

  triggers = {
    redeployment = md5(local.chalice_api_swagger)
  }

  lifecycle {
    create_before_destroy = true
  }
}

output "EndpointURL" {
  description = "Base URL of the API."
  value       = module.api.url
}
