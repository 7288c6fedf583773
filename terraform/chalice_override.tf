# Arguments that Chalice does not export. Terraform merges each block of a *_override.tf file into the block with the
# same address, here in chalice.tf.json.
#
# The log levels are the AWS defaults. They are set explicitly because every plan shows a difference otherwise
# (hashicorp/terraform-provider-aws#35301). The metric filters depend on log lines at level INFO.

resource "aws_lambda_function" "poll_orders" {
  # checkov:skip=CKV_AWS_50:X-Ray tracing is not used; structured logs can be correlated by order ID.
  # checkov:skip=CKV_AWS_115:New accounts cannot reserve concurrency; a lease in the Jobs table prevents concurrent polls.
  # checkov:skip=CKV_AWS_116:A failed poll is reported by an alert, and the next poll continues from the last successful one.
  # checkov:skip=CKV_AWS_117:Calls public endpoints over TLS only; a VPC would require a NAT gateway.
  # checkov:skip=CKV_AWS_272:Packages are built and deployed in one step; code signing is an account-level decision.
  function_name = local.function_names.poll_orders

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = module.logs.group_names["poll_orders"]
  }
}

resource "aws_lambda_function" "api_handler" {
  # checkov:skip=CKV_AWS_50:X-Ray tracing is not used; structured logs can be correlated by order ID.
  # checkov:skip=CKV_AWS_115:New accounts cannot reserve concurrency; webhook_concurrency reserves it.
  # checkov:skip=CKV_AWS_116:Invoked synchronously; BigCommerce retries failed callbacks.
  # checkov:skip=CKV_AWS_117:Calls public endpoints over TLS only; a VPC would require a NAT gateway.
  # checkov:skip=CKV_AWS_272:Packages are built and deployed in one step; code signing is an account-level decision.
  function_name = local.function_names.cart_converted

  reserved_concurrent_executions = var.webhook_concurrency

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = module.logs.group_names["cart_converted"]
  }
}

resource "aws_lambda_function" "replicate_orders" {
  # checkov:skip=CKV_AWS_50:X-Ray tracing is not used; structured logs can be correlated by order ID.
  # checkov:skip=CKV_AWS_115:New accounts cannot reserve concurrency; the event source mapping limits concurrency.
  # checkov:skip=CKV_AWS_116:Invoked by an SQS queue that has a dead-letter queue.
  # checkov:skip=CKV_AWS_117:Calls public endpoints over TLS only; a VPC would require a NAT gateway.
  # checkov:skip=CKV_AWS_272:Packages are built and deployed in one step; code signing is an account-level decision.
  function_name = local.function_names.replicate_orders

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = module.logs.group_names["replicate_orders"]
  }
}

resource "aws_lambda_function" "follow_orders" {
  # checkov:skip=CKV_AWS_50:X-Ray tracing is not used; structured logs can be correlated by order ID.
  # checkov:skip=CKV_AWS_115:New accounts cannot reserve concurrency; the event source mapping limits concurrency.
  # checkov:skip=CKV_AWS_116:Invoked by an SQS queue that has a dead-letter queue.
  # checkov:skip=CKV_AWS_117:Calls public endpoints over TLS only; a VPC would require a NAT gateway.
  # checkov:skip=CKV_AWS_272:Packages are built and deployed in one step; code signing is an account-level decision.
  function_name = local.function_names.follow_orders

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = module.logs.group_names["follow_orders"]
  }
}

resource "aws_lambda_function" "publish_changes" {
  # checkov:skip=CKV_AWS_50:X-Ray tracing is not used; structured logs can be correlated by order ID.
  # checkov:skip=CKV_AWS_115:New accounts cannot reserve concurrency; a shard of the stream has one invocation at a time.
  # checkov:skip=CKV_AWS_116:Invoked by a stream, whose failed records are sent to a queue.
  # checkov:skip=CKV_AWS_117:Calls public endpoints over TLS only; a VPC would require a NAT gateway.
  # checkov:skip=CKV_AWS_272:Packages are built and deployed in one step; code signing is an account-level decision.
  function_name = local.function_names.publish_changes

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = module.logs.group_names["publish_changes"]
  }
}

# The name that Chalice exports does not contain the stage: stages in one account would overwrite each other's rule.
resource "aws_cloudwatch_event_rule" "poll_orders-event" {
  name        = "${local.name}-poll-orders"
  description = "Invokes poll_orders every ${var.polling_interval} minutes."
}

resource "aws_lambda_event_source_mapping" "replicate_orders-sqs-event-source" {
  function_response_types = ["ReportBatchItemFailures"]

  # Reserved concurrency is not available in new accounts, so the event source mapping limits the concurrency.
  scaling_config {
    maximum_concurrency = var.consumer_concurrency
  }
}

# Two is the minimum that Lambda accepts. New orders have priority for the store's request quota, so that more
# concurrency would not process changes faster.
resource "aws_lambda_event_source_mapping" "follow_orders-sqs-event-source" {
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }
}

# Without these limits, a record that cannot be published would block its shard until it expires, and valid records behind
# it would expire as well. Fifty retries, with waits between them, outlast a disturbance of EventBridge of more than half an
# hour; the age is well below the 24 hours that a stream keeps its records.
resource "aws_lambda_event_source_mapping" "publish_changes-dynamodb-event-source" {
  function_response_types        = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 50
  maximum_record_age_in_seconds  = 43200

  # One invocation per shard at a time: the events of an order are published in order.
  parallelization_factor = 1

  destination_config {
    on_failure {
      destination_arn = module.events.unpublished_arn
    }
  }
}

resource "aws_api_gateway_rest_api" "rest_api" {
  name = local.name

  lifecycle {
    create_before_destroy = true
  }
}

# The API stage is a separate resource, in modules/api: creating a stage through a deployment is deprecated and does not
# support throttling.
resource "aws_api_gateway_deployment" "rest_api" {
  triggers = {
    redeployment = md5(join("", [local.chalice_api_swagger, aws_api_gateway_rest_api_policy.rest_api.policy]))
  }

  lifecycle {
    create_before_destroy = true
  }
}
